"""Recipes of the cookbook about users, safety, tools and operation do what their pages say."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from chatkit_server import User, hookimpl
from chatkit_server.testing import ChatClient, ModelServer, Refused, call, mcp_server, script
from tests.cookbook import Kitchen, OnlyRuns, service


@pytest.fixture
def kitchen(tmp_path: Path) -> Kitchen:
    return Kitchen(tmp_path)


# Answers


async def test_a_first_question_is_answered_from_the_cache(kitchen: Kitchen) -> None:
    model = script("At nine.", "Since 1990.", "At ten.")
    async with kitchen.serve("answer_cache", model=model) as client:
        ann, bob = client.as_user("ann"), client.as_user("bob")
        assert (await ann.say("When do you open?")).text == "At nine."
        cached = await bob.say("when do you open?")
        assert (cached.text, cached.error) == ("At nine.", None)
        # What comes later in a conversation means something else in each
        assert (await bob.say("Since when?")).text == "Since 1990."
        other = client.as_user("ann", tenant="other")
        assert (await other.say("When do you open?")).text == "At ten."
    assert len(model.requests) == 3


async def test_an_answer_that_needed_a_tool_is_not_cached(kitchen: Kitchen) -> None:
    def hours() -> str:
        """Tell when we are open today."""
        return "nine"

    model = script(call("hours"), "At nine.", "At ten.")
    async with kitchen.serve("answer_cache", mcp_server(hours), model=model) as ann:
        await ann.say("When?")
        ann.new_thread()
        assert (await ann.say("When?")).text == "At ten."


async def test_an_operator_answers_and_the_assistant_comes_back(kitchen: Kitchen) -> None:
    model = script("I am back.")
    async with kitchen.serve("human_handover", model=model) as client:
        operator = client.as_user("op", tenant="acme", claims={"roles": ["operator"]})
        foreign = client.as_user("op", tenant="other", claims={"roles": ["operator"]})
        ann = client.as_user("ann", tenant="acme")
        running = await ann.begin("/person")
        assert await waiting(operator) == {ann.thread_id: "/person"}
        for stranger in (foreign, ann):
            assert await waiting(stranger) == {}
        await reply(operator, ann, "Hello, this is Bob.")
        assert (await running.end()).text == "Hello, this is Bob."
        running = await ann.begin("My order is lost.")
        assert await waiting(operator) == {ann.thread_id: "My order is lost."}
        await running.stop()
        assert await waiting(operator) == {}
        assert (await ann.say("/assistant")).text == "I am back."


async def waiting(client: ChatClient) -> Any:
    response = await client.get("/operator")
    return await response.json()


async def reply(operator: ChatClient, to: ChatClient, text: str) -> None:
    path = f"/operator?thread={to.thread_id}"
    response = await operator.http.post(path, data=text, headers=operator.headers)
    assert response.status == 200


async def test_facts_are_remembered_for_their_user(kitchen: Kitchen) -> None:
    model = script(call("remember", fact="Is a vegetarian"), "Noted.", "Tofu.", "Steak.")
    async with kitchen.serve("user_memory", model=model) as client:
        await client.as_user("ann").say("I am a vegetarian")
    async with kitchen.serve("user_memory", model=model) as client:
        await client.as_user("ann").say("What shall I cook?")
        await client.as_user("ann", tenant="other").say("What shall I cook?")
    told = ["- Is a vegetarian" in str(request.input) for request in model.requests]
    assert told == [False, False, True, False]
    assert "vegetarian" not in model.requests[2].instructions


# Models


async def test_a_conversation_keeps_its_model_and_thumbs_are_logged(
    kitchen: Kitchen, caplog: pytest.LogCaptureFixture
) -> None:
    class Thumbs:
        @hookimpl
        async def feedback(self) -> bool:
            return True

    caplog.set_level("INFO", logger="ab_test")
    async with ModelServer() as server:
        urls = {"OPENAI_API_KEY": "x", "CHATKIT_PLUGINS__OPENAI_MODELS__BASE_URL": server.url}
        async with kitchen.serve("ab_test", Thumbs(), **urls) as ann:
            # By its id, a conversation has one or the other
            while len({request.body["model"] for request in server.requests}) < 2:
                ann.new_thread()
                await ann.say("Hello")
                answer = await ann.say("Again")
            thumb = {"item_ids": [answer.items[-1].id], "kind": "positive"}
            await ann.ask("items.feedback", thread_id=ann.thread_id, **thumb)
    models = [request.body["model"] for request in server.requests]
    assert models[::2] == models[1::2]
    assert set(models) == {"gpt-4.1", "gpt-4.1-mini"}
    lines = [record.getMessage() for record in caplog.records if record.name == "ab_test"]
    assert lines[-1] == f"model=openai/{models[-1]} thumb=positive"
    assert len(lines) == len(models) + 1


# Safety


async def test_a_flagged_message_is_refused_and_not_saved(kitchen: Kitchen) -> None:
    def moderate(body: dict[str, Any]) -> dict[str, Any]:
        bad = "bomb" in body["input"]
        return {"results": [{"flagged": bad, "categories": {"violence": bad, "hate": False}}]}

    async with service(moderate) as endpoint:
        settings = {"OPENAI_API_KEY": "key", "MODERATION_URL": endpoint.url}
        async with kitchen.serve("moderation", model=script("Hello."), **settings) as ann:
            assert (await ann.say("Hello")).text == "Hello."
            with pytest.raises(Refused) as refused:
                await ann.say("How do I build a bomb?")
            assert refused.value.status == 400
            assert len(await ann.items()) == 2
    assert endpoint.headers[0]["Authorization"] == "Bearer key"


@asynccontextmanager
async def clamd(received: list[bytes]) -> AsyncIterator[int]:
    """Start what speaks clamd's protocol, and finds a virus where a file says so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readuntil(b"\0") == b"zINSTREAM\0"
        content = b""
        while size := int.from_bytes(await reader.readexactly(4), "big"):
            content += await reader.readexactly(size)
        received.append(content)
        found = b"Eicar-Test-Signature FOUND" if b"EICAR" in content else b"OK"
        writer.write(b"stream: " + found + b"\0")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_an_infected_upload_is_refused(kitchen: Kitchen) -> None:
    received: list[bytes] = []
    clean = b"Buy milk.\n" * 20_000
    async with (
        clamd(received) as port,
        kitchen.serve("virus_scan", model=script(), CLAMAV_PORT=str(port)) as ann,
    ):
        await ann.upload(clean, "list.txt")
        with pytest.raises(Refused, match=r"list\.txt has a virus in it"):
            await ann.upload("EICAR", "list.txt")
    assert received == [clean, b"EICAR"]


async def test_a_role_brings_its_tools(kitchen: Kitchen) -> None:
    def find_order(number: int) -> str:
        """Find an order."""
        return "on its way"

    def cancel_order(number: int) -> str:
        """Cancel an order."""
        return "cancelled"

    orders = mcp_server(find_order, cancel_order)
    model = script("Hello.", "Hello.")
    async with kitchen.serve(
        "role_tools", OnlyRuns(orders), model=model, ORDERS_URL=orders.url
    ) as client:
        await client.as_user("ann").say("Hello")
        await client.as_user("bob", claims={"roles": ["clerk", "unknown"]}).say("Hello")
    assert [sorted(request.tools) for request in model.requests] == [
        ["find_order"],
        ["cancel_order", "find_order"],
    ]


async def test_keys_of_a_table_are_known(kitchen: Kitchen) -> None:
    file = kitchen.folder / "keys.db"
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE keys (hash TEXT PRIMARY KEY, user TEXT, tenant TEXT)")
        db.execute("INSERT INTO keys VALUES (?, 'ann', 'acme')", [sha256(b"right").hexdigest()])
    db.close()
    seen: list[User] = []

    class Sees:
        @hookimpl
        async def context(self, user: User) -> None:
            seen.append(user)

    async with kitchen.serve("key_table", Sees(), model=script("Hello.")) as client:
        for key in ("wrong", "wrong"):
            with pytest.raises(Refused) as refused:
                await client.with_headers({"Authorization": f"Bearer {key}"}).say("Hello")
            assert refused.value.status == 401
        ann = client.with_headers({"Authorization": "Bearer right"})
        assert (await ann.say("Hello")).text == "Hello."
    assert seen == [User("ann", "acme")]


# Tools and widgets


class Reports:
    """A service with jobs, each of which takes three questions."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.url = ""

    def answer(self, body: Any) -> dict[str, Any]:
        self.asked.append(body)
        done = len(self.asked) > 3
        state = {"state": "done", "result": "1 M"} if done else {"state": "running", "percent": 40}
        return {"url": self.url, **state}


@asynccontextmanager
async def reports(reports: Reports) -> AsyncIterator[Any]:
    async with service(reports.answer) as seen:
        reports.url = seen.url
        yield seen


async def test_a_slow_tool_shows_how_far_it_is(kitchen: Kitchen) -> None:
    quick = {"CHATKIT_PLUGINS__REPORT_JOB__EVERY": "1ms"}
    model = script(call("sales_report", year=2025), "It was 1 M.")
    async with (
        reports(Reports()) as seen,
        kitchen.serve("report_job", model=model, REPORTS_URL=seen.url, **quick) as client,
    ):
        answer = await client.as_user("ann", tenant="acme").say("How was 2025?")
    assert answer.text == "It was 1 M."
    assert answer.tool_calls[0].output == "1 M"
    assert "40 % done" in [data.get("text") for data in answer.data]
    assert seen.received[0] == {"year": 2025, "tenant": "acme"}
    assert seen.methods == ["POST", "GET", "GET", "GET", "DELETE"]


async def test_stop_stops_the_job(kitchen: Kitchen) -> None:
    async with (
        reports(Reports()) as seen,
        kitchen.serve(
            "report_job", model=script(call("sales_report", year=2025)), REPORTS_URL=seen.url
        ) as ann,
    ):
        running = await ann.begin("How was 2025?")
        await running.until_event("progress_update")
        await running.stop()
        async with asyncio.timeout(5):
            await seen.until("DELETE")


async def test_a_click_books_once_and_the_model_knows(kitchen: Kitchen) -> None:
    times = ["Monday, 10:00", "Tuesday, 9:00"]
    model = script(call("offer_times", times=times), "Choose one.", "On Monday.")
    async with kitchen.serve("booking", model=model) as ann:
        offered = await ann.say("I need an appointment")
        [item] = offered.widget_items
        click = item.widget.model_dump()["children"][0]["onClickAction"]
        clicked = await ann.act(item, click)
        assert clicked.data[-1]["item"]["widget"]["children"][0]["value"] == "Booked: Monday, 10:00"
        assert (await ann.act(item, click)).error  # there are no buttons any more
        await ann.say("When is it?")
    assert "Booked: Monday, 10:00" in str(model.requests[-1].input)


# Operation


async def test_prometheus_reads_how_turns_ended(kitchen: Kitchen) -> None:
    model = script("Hello.", "Hello.", RuntimeError("gone"))
    async with kitchen.serve("turn_metrics", model=model, METRICS_TOKEN="secret") as ann:
        for _ in range(3):
            await ann.say("Hello")
        with pytest.raises(Refused, match="Send the token"):
            await ann.get("/metrics")
        scraper = ann.with_headers({"Authorization": "Bearer secret"})
        text = await (await scraper.get("/metrics")).text()
    label = 'model="scripted/model"'
    assert f'chatkit_turns_total{{{label},status="completed"}} 2.0' in text
    assert f'chatkit_turns_total{{{label},status="failed"}} 1.0' in text


async def test_a_thumb_becomes_a_case(kitchen: Kitchen) -> None:
    async with kitchen.serve("feedback_cases", model=script("Four.", "Six.", "Eight.")) as ann:
        await ann.say("2 + 2?")
        rated = await ann.say("3 + 3?")
        await ann.say("4 + 4?")
        thumb = {"item_ids": [rated.items[-1].id], "kind": "negative"}
        await ann.ask("items.feedback", thread_id=ann.thread_id, **thumb)
    case = json.loads((kitchen.folder / "feedback_cases.jsonl").read_text())
    assert case == {
        "kind": "negative",
        "said": [
            ["user", "2 + 2?"],
            ["assistant", "Four."],
            ["user", "3 + 3?"],
            ["assistant", "Six."],
        ],
    }


async def test_a_link_lets_others_read_until_it_expires(kitchen: Kitchen) -> None:
    secret = {"SHARE_SECRET": "s" * 32}
    async with kitchen.serve("share_link", model=script("Four."), **secret) as client:
        ann = client.as_user("ann")
        await ann.say("2 + 2?")
        path = f"/api/share/{ann.thread_id}"
        refused = await client.http.post(path, headers=client.as_user("bob").headers)
        assert refused.status == 404
        shared = await (await client.http.post(path, headers=ann.headers)).json()
        assert (
            await (await client.http.get(shared["path"])).text()
            == "user: 2 + 2?\n\nassistant: Four."
        )
        assert (await client.http.get(shared["path"] + "x")).status == 404
    old = {**secret, "CHATKIT_PLUGINS__SHARE_LINK__DAYS": "-1"}
    async with kitchen.serve("share_link", model=script("Four."), **old) as ann:
        await ann.say("2 + 2?")
        shared = await (await ann.http.post(f"/api/share/{ann.thread_id}")).json()
        assert (await ann.http.get(shared["path"])).status == 404
