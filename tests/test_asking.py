"""A tool that asks the user: what the page sees, what the model is told, and what stays."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from agents import Agent, RunContextWrapper, Runner, ToolsToFinalOutputResult, function_tool
from aiohttp import ClientResponse
from chatkit.agents import ClientToolCall, stream_agent_response
from chatkit.types import StructuredInputFreeform, StructuredInputItem, ThreadStreamEvent

from chatkit_server import Turn, hookimpl
from chatkit_server.agent.runner import ONE_AT_A_TIME
from chatkit_server.asking import inputs_of
from chatkit_server.storage import StoreContext
from chatkit_server.testing.model_server import Call, Gate, ModelServer
from chatkit_server.turns.claim import Claims
from chatkit_server.turns.engine import Engine
from chatkit_server.turns.job import TurnPlan
from chatkit_server.turns.waiting import NO_OUTPUT
from chatkit_server.web.keys import ENGINE, STORE
from chatkit_server.web.operations.turns import NO_CALL
from tests.client import Chat, Streamed
from tests.conftest import MakeChat
from tests.databases import DATABASES, new_url
from tests.mcp_calls import until
from tests.processes import running as running_process
from tests.serving import served_by
from tests.stage import FLAVOURS
from tests.strict_history import check
from tests.test_operations import done
from tests.test_respond import message
from tests.test_turns import Tools

Ctx = RunContextWrapper[Turn]

SUBMITTED = "This input was submitted already."


@function_tool
async def size(ctx: Ctx) -> str:
    """Ask for the size."""
    await ctx.context.ask("Which size?", choices=["S", "M", "L"])


@function_tool
async def address(ctx: Ctx) -> str:
    """Ask for the address."""
    try:
        await ctx.context.ask(
            [
                StructuredInputFreeform(id="street", question="Street?"),
                StructuredInputFreeform(id="city", question="City?"),
            ]
        )
    except Exception:
        return "not asked"
    return "asked"


@pytest.fixture
async def shop(make_chat: MakeChat, model_server: ModelServer) -> Chat:
    return await make_chat(Tools(size, address), **served_by(model_server))


def outputs(server: ModelServer) -> list[Any]:
    """Return the outputs of tools in the last request to the model."""
    messages = server.requests[-1].body["messages"]
    return [json.loads(m["content"]) for m in messages if m["role"] == "tool"]


def submission(item: dict[str, Any], **answers: str) -> dict[str, Any]:
    """Return the request that answers questions, each with one text."""
    given = {"answers": {name: {"values": [value]} for name, value in answers.items()}}
    params = {"thread_id": item["thread_id"], "item_id": item["id"], "input": given}
    return {"type": "threads.add_structured_input", "params": params}


async def answer(chat: Chat, item: dict[str, Any], **answers: str) -> Streamed:
    body = submission(item, **answers)
    return await chat.stream(body["type"], **body["params"])


async def asked(chat: Chat, text: str, thread_id: str | None = None) -> list[dict[str, Any]]:
    """Say something, and return what is asked."""
    streamed = await chat.say(text, thread_id)
    assert streamed.error is None
    return streamed.done("structured_input")


async def test_the_answer_is_the_tools_output(shop: Chat, model_server: ModelServer) -> None:
    model_server.reply(Call("size"))
    [item] = await asked(shop, "A shirt")
    assert item["status"] == "pending"
    assert item["inputs"] == [
        {
            "id": "q1",
            "type": "multiple_choice",
            "question": "Which size?",
            "options": [{"value": "S"}, {"value": "M"}, {"value": "L"}],
            "multiple": False,
        }
    ]
    assert len(model_server.requests) == 1
    model_server.reply("One shirt in M.")
    answered = await answer(shop, item, q1="M")
    assert answered.text == "One shirt in M."
    told = {"question": "Which size?", "answer": "M"}
    assert outputs(model_server) == [told]
    model_server.reply("Yes.")
    await shop.say("Really?", item["thread_id"])
    assert outputs(model_server) == [told]
    assert [m["role"] for m in model_server.requests[-1].body["messages"]][-5:] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]


async def test_the_turn_goes_on_when_the_last_question_is_answered(
    shop: Chat, model_server: ModelServer
) -> None:
    model_server.reply(Call("size"), Call("address"))
    one, two = await asked(shop, "A shirt")
    answered = await answer(shop, two, street="Ring 1")
    assert answered.error is None
    assert [event["type"] for event in answered.data] == ["stream_options", "thread.item.replaced"]
    assert len(model_server.requests) == 1
    model_server.reply("It is sent.")
    assert (await answer(shop, one, q1="S")).text == "It is sent."
    assert outputs(model_server) == [
        {"question": "Which size?", "answer": "S"},
        {
            "answers": [
                {"question": "Street?", "answer": "Ring 1"},
                {"question": "City?", "answer": None, "skipped": True},
            ]
        },
    ]


async def test_a_message_instead_leaves_the_questions_out(
    shop: Chat, model_server: ModelServer
) -> None:
    model_server.reply(Call("size"), Call("address"))
    one, two = await asked(shop, "A shirt")
    model_server.reply("As you like.")
    said = await shop.say("Never mind", one["thread_id"])
    assert said.text == "As you like."
    replaced = [e["item"] for e in said.data if e["type"] == "thread.item.replaced"]
    assert [item["id"] for item in replaced] == [one["id"], two["id"]]
    assert {item["status"] for item in replaced} == {"skipped"}
    assert outputs(model_server)[0] == {
        "question": "Which size?",
        "answer": None,
        "skipped": True,
    }
    page = await shop.ask("threads.get_by_id", thread_id=one["thread_id"])
    stored = [i for i in page["items"]["data"] if i["type"] == "structured_input"]
    assert {item["status"] for item in stored} == {"skipped"}
    assert await shop.refused(submission(one, q1="M")) == (409, SUBMITTED)


async def test_an_agent_that_a_tool_runs_asks(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    tailor = Agent("Tailor", instructions="You are the tailor.", tools=[size])
    tool = tailor.as_tool("tailor", "Makes shirts")
    chat = await make_chat(Tools(tool), **served_by(model_server))
    model_server.reply(Call("tailor", '{"input": "a shirt"}'))
    model_server.reply(Call("size"))
    [item] = await asked(chat, "A shirt")
    assert len(model_server.requests) == 2
    model_server.reply("In M, then.")
    assert (await answer(chat, item, q1="M")).text == "In M, then."
    assert outputs(model_server) == [{"question": "Which size?", "answer": "M"}]


@pytest.mark.parametrize(
    "behavior", [{"stop_at_tool_names": ["other"]}, lambda *_: ToolsToFinalOutputResult(False)]
)
async def test_whatever_ends_the_run_of_an_agent_a_question_does(
    behavior: Any, make_chat: MakeChat, model_server: ModelServer
) -> None:
    class Plugin:
        @hookimpl
        async def agent(self, turn: Turn) -> Agent[Any]:
            return Agent("Shop", tools=[size], tool_use_behavior=behavior)

    chat = await make_chat(Plugin(), **served_by(model_server))
    model_server.reply(Call("size"))
    [item] = await asked(chat, "A shirt")
    model_server.reply("In M, then.")
    assert (await answer(chat, item, q1="M")).text == "In M, then."


class Waiter:
    """Answers itself, and asks first."""

    @hookimpl
    async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        answers = [item for item in turn.items if isinstance(item, StructuredInputItem)]
        if not answers:
            await turn.ask("What will it be?", description="Soup or salad")
        answer = answers[0].inputs[0].answer
        yield done(message(turn, f"One {answer.values[0]}." if answer else "?"))


async def test_a_hook_asks(make_chat: MakeChat) -> None:
    chat = await make_chat(Waiter())
    [item] = await asked(chat, "Hello")
    [said] = (await answer(chat, item, q1="soup")).done("assistant_message")
    assert said["content"][0]["text"] == "One soup."


async def test_only_what_answers_can_ask(make_chat: MakeChat, model_server: ModelServer) -> None:
    class Plugin:
        @hookimpl
        async def pre_turn(self, turn: Turn) -> None:
            with pytest.raises(RuntimeError, match="only a tool, `respond` or `action`"):
                await turn.ask("Why?")

    chat = await make_chat(Plugin(), **served_by(model_server))
    model_server.reply("Hi.")
    assert (await chat.say("Hi")).text == "Hi."


@pytest.mark.parametrize(
    ("given", "options", "wrong"),
    [
        ([], {}, "no question was given"),
        (7, {}, "got a int"),
        ("Why?", {"choices": "abc"}, "expected a list of texts"),
        ("Why?", {"multiple": True}, "multiple=True needs choices"),
        ("Why?", {"choices": ["a"], "description": "b"}, "no description with choices"),
        (["Why?", "How?"], {"choices": ["a"]}, "for one question in words"),
        ([StructuredInputFreeform(id="a", question="A?")] * 2, {}, "two questions have the id 'a'"),
    ],
)
def test_what_is_no_question(given: Any, options: dict[str, Any], wrong: str) -> None:
    known = {"choices": (), "multiple": False, "description": None}
    with pytest.raises((TypeError, ValueError), match=wrong):
        inputs_of([given] if given == 7 else given, **{**known, **options})


async def test_a_plain_client_is_asked_and_answers_with_its_next_message(
    shop: Chat, model_server: ModelServer
) -> None:
    model_server.reply(Call("size"))
    streamed = await shop.plain("A shirt")
    [line] = [event for event in streamed.data if "questions" in event]
    [question] = line["questions"]["inputs"]
    assert (question["id"], question["question"]) == ("q1", "Which size?")
    assert streamed.data[-1]["status"] == "completed"
    model_server.reply("In M, then.")
    thread_id = streamed.data[0]["thread_id"]
    assert (await shop.plain("M", thread_id=thread_id)).text == "In M, then."
    assert outputs(model_server)[0]["skipped"] is True
    model_server.reply(Call("size"))
    whole = await shop.post({"messages": [{"role": "user", "content": "Hi"}], "stream": False})
    [asked_for] = (await whole.json())["questions"]
    assert asked_for["inputs"][0]["options"] == [{"value": "S"}, {"value": "M"}, {"value": "L"}]


# Tools of the client


@function_tool
async def open_map(ctx: Ctx) -> str:
    """Open a map on the user's screen."""
    ctx.context.client_tool_call = ClientToolCall(name="open_map", arguments={})
    await asyncio.sleep(0)
    return "asked"


@function_tool
async def locate(ctx: Ctx) -> str:
    """Ask the browser where the user is."""
    ctx.context.client_tool_call = ClientToolCall(name="locate", arguments={})
    return "asked"


@function_tool
async def ping() -> str:
    """Answer."""
    return json.dumps("pong")


@pytest.fixture
async def browser(make_chat: MakeChat, model_server: ModelServer) -> Chat:
    return await make_chat(Tools(open_map, locate, ping, size), **served_by(model_server))


async def output(chat: Chat, thread_id: str, result: Any) -> Streamed:
    return await chat.stream("threads.add_client_tool_output", thread_id=thread_id, result=result)


async def test_a_client_tool_beside_another_tool(browser: Chat, model_server: ModelServer) -> None:
    model_server.reply(Call("open_map"), Call("ping"))
    asked = await browser.say("Rome")
    [call] = asked.done("client_tool_call")
    model_server.reply("There it is.")
    await output(browser, asked.thread_id, {"zoom": 7})
    assert outputs(model_server) == [{"zoom": 7}, "pong"]
    [mine, _] = model_server.requests[-1].body["messages"][-3]["tool_calls"]
    assert call["call_id"] == mine["id"]


async def test_of_two_client_tools_at_once_the_model_calls_one_again(
    browser: Chat, model_server: ModelServer
) -> None:
    model_server.reply(Call("open_map"), Call("locate"))
    asked = await browser.say("Rome")
    [call] = asked.done("client_tool_call")
    assert call["name"] == "locate"
    model_server.reply("There it is.")
    await output(browser, asked.thread_id, {"lat": 7})
    messages = model_server.requests[-1].body["messages"]
    assert [m["content"] for m in messages if m["role"] == "tool"] == [
        ONE_AT_A_TIME,
        '{"lat": 7}',
    ]


async def test_a_client_tool_beside_a_question(browser: Chat, model_server: ModelServer) -> None:
    model_server.reply(Call("locate"), Call("size"))
    streamed = await browser.say("A shirt")
    [item] = streamed.done("structured_input")
    [_] = streamed.done("client_tool_call")
    assert (await output(browser, streamed.thread_id, {"lat": 7})).text == ""
    assert len(model_server.requests) == 1
    model_server.reply("Fine.")
    assert (await answer(browser, item, q1="M")).text == "Fine."
    assert outputs(model_server) == [{"lat": 7}, {"question": "Which size?", "answer": "M"}]


async def test_a_message_ends_what_the_client_was_asked(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    sections = served_by(model_server, show_tools="tasks")
    chat = await make_chat(Tools(locate), **sections)
    model_server.reply(Call("locate"))
    streamed = await chat.say("Where am I?")
    thread_id = streamed.thread_id
    model_server.reply("As you like.")
    said = await chat.say("Never mind", thread_id)
    assert said.text == "As you like."
    assert outputs(model_server) == [NO_OUTPUT]
    late = {
        "type": "threads.add_client_tool_output",
        "params": {"thread_id": thread_id, "result": 7},
    }
    assert await chat.refused(late) == (409, NO_CALL)
    page = await chat.ask("threads.get_by_id", thread_id=thread_id)
    items = page["items"]["data"]
    assert [item["type"] for item in items] == [
        "user_message",
        "workflow",
        "client_tool_call",
        "user_message",
        "assistant_message",
    ]
    assert items[1]["workflow"]["summary"] == {"duration": 0}
    assert (items[2]["status"], items[2]["output"]) == ("completed", NO_OUTPUT)


async def test_a_retry_takes_what_waits_away(browser: Chat, model_server: ModelServer) -> None:
    model_server.reply(Call("locate"), Call("size"))
    streamed = await browser.say("A shirt")
    page = await browser.ask("threads.get_by_id", thread_id=streamed.thread_id)
    message = page["items"]["data"][0]["id"]
    model_server.reply("No shirts today.")
    params = {"thread_id": streamed.thread_id, "item_id": message}
    again = await browser.stream("threads.retry_after_item", **params)
    assert again.text == "No shirts today."
    assert outputs(model_server) == []
    [item] = streamed.done("structured_input")
    assert (await browser.refused(submission(item, q1="M")))[0] == 404
    page = await browser.ask("threads.get_by_id", thread_id=streamed.thread_id)
    assert [i["type"] for i in page["items"]["data"]] == ["user_message", "assistant_message"]


# It waits in the store alone


async def test_nothing_waits_in_memory(shop: Chat, model_server: ModelServer) -> None:
    engine: Engine = shop.client.app[ENGINE]

    async def ask_all(count: int) -> list[dict[str, Any]]:
        items = []
        for number in range(count):
            # A user of its own: the turns of one user begin one after the other
            shop.headers = {"X-User": f"user_{number}"}
            model_server.reply(Call("size"))
            items += await asked(shop, "A shirt")
        await until(lambda: not engine.turns.active)
        return items

    await ask_all(3)
    idle = len(asyncio.all_tasks())
    items = await ask_all(100)
    await until(lambda: len(asyncio.all_tasks()) <= idle)
    assert engine.turns.places.total == 0
    shop.headers = {"X-User": "user_7"}
    model_server.reply("In L, then.")
    assert (await answer(shop, items[7], q1="L")).text == "In L, then."


@pytest.mark.parametrize(("flavour", "model"), FLAVOURS.items(), ids=FLAVOURS)
async def test_any_provider_takes_the_answers(
    flavour: str, model: str, make_chat: MakeChat, model_server: ModelServer
) -> None:
    endpoints = {model.partition("/")[0]: {"base_url": model_server.url}}
    plugins = {"compatible_models": {"endpoints": endpoints}}
    chat = await make_chat(Tools(size, address), agent={"model": model}, plugins=plugins)
    model_server.reply("Let me ask.", Call("size"), Call("address"))
    one, two = await asked(chat, "A shirt")
    await answer(chat, one, q1="M")
    model_server.reply("Fine.")
    await answer(chat, two, street="Ring 1")
    model_server.reply(Call("size"))
    [again] = await asked(chat, "And another", one["thread_id"])
    model_server.reply("Well.")
    await chat.say("No, leave it", again["thread_id"])
    for request in model_server.requests:
        assert check(flavour, request.body) == []
    assert len(model_server.requests) == 4


@pytest.mark.parametrize("kind", DATABASES)
async def test_kill_9_while_it_waits_and_after_the_answer(
    kind: Any, tmp_path: Path, model_server: ModelServer
) -> None:
    sections = served_by(model_server)
    sections["plugins"] |= {
        "tortoise_store": {"url": new_url(kind, tmp_path)},
        "anonymous_auth": None,
        "shop": None,
    }
    sections |= {"turns": {"stale": "500ms"}, "plugin_dirs": ["plugins"]}
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "shop.py").write_text(SHOP)
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(sections))
    model_server.reply(Call("size"))
    async with running_process(tmp_path) as server:
        [item] = await asked(server.chat(), "A shirt")
        await server.stop(signal.SIGKILL)
    thread_id = item["thread_id"]
    gate = Gate()
    model_server.reply("One ", gate)
    async with running_process(tmp_path) as server:
        chat = server.chat()
        page = await chat.ask("threads.get_by_id", thread_id=thread_id)
        assert page["items"]["data"][1] == item
        response = await chat.post(submission(item, q1="M"))
        await until_read(response, "One ")
        await server.stop(signal.SIGKILL)
    assert outputs(model_server) == [{"question": "Which size?", "answer": "M"}]
    async with running_process(tmp_path) as server:
        chat = server.chat()
        assert await chat.refused(submission(item, q1="L")) == (409, SUBMITTED)
        model_server.reply("One shirt in M.")
        assert (await chat.say("Go on", thread_id)).text == "One shirt in M."
    assert outputs(model_server) == [{"question": "Which size?", "answer": "M"}]
    assert check("openai", model_server.requests[-1].body) == []


SHOP = """
from agents import RunContextWrapper, function_tool
from chatkit_server import Turn, hookimpl

@function_tool
async def size(ctx: RunContextWrapper[Turn]) -> str:
    await ctx.context.ask("Which size?", choices=["S", "M", "L"])

@hookimpl
async def pre_turn(turn):
    turn.tools.append(size)
"""


async def until_read(response: ClientResponse, text: str) -> None:
    """Read a stream until something is said."""
    seen = b""
    async with asyncio.timeout(20):
        while text.encode() not in seen:
            seen += await response.content.readany()


async def test_of_two_answers_at_once_one_counts(shop: Chat, model_server: ModelServer) -> None:
    model_server.reply(Call("size"))
    [item] = await asked(shop, "A shirt")
    model_server.reply("One shirt.")
    answers = await asyncio.gather(
        shop.post(submission(item, q1="M")), shop.post(submission(item, q1="L"))
    )
    assert sorted(response.status for response in answers) == [200, 409]
    [counted] = [response for response in answers if response.status == 200]
    assert (await shop.read(counted)).text == "One shirt."


async def test_of_two_answers_in_two_processes_one_counts(
    url: str, model_server: ModelServer, make_chat: MakeChat
) -> None:
    store = {"tortoise_store": {"url": url}}
    sections = served_by(model_server)
    sections["plugins"] |= store
    one = await make_chat(Tools(size), **sections)
    two = await make_chat(Tools(size), **sections)
    model_server.reply(Call("size"))
    [item] = await asked(one, "A shirt")
    model_server.reply("One shirt.")
    model_server.reply("Another shirt.")
    answers = await asyncio.gather(
        one.post(submission(item, q1="M")), two.post(submission(item, q1="L"))
    )
    assert sorted(answer.status for answer in answers) == [200, 409]
    [counted] = [response for response in answers if response.status == 200]
    assert (await one.read(counted)).text == "One shirt."
    assert len(model_server.requests) == 2


async def test_a_plan_that_another_process_has_overtaken_is_made_again(
    shop: Chat, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.reply(Call("size"))
    [item] = await asked(shop, "A shirt")
    store = shop.client.app[STORE]
    claim = Claims.claim

    async def overtaken(self: Claims, plan: TurnPlan, *rest: Any) -> Any:
        # As if it were saved by a turn that has ended before this one could begin
        await store.save_item(item["thread_id"], plan.answered[0], StoreContext(plan.user))
        return await claim(self, plan, *rest)

    monkeypatch.setattr(Claims, "claim", overtaken)
    assert await shop.refused(submission(item, q1="L")) == (409, SUBMITTED)
    assert len(model_server.requests) == 1
    monkeypatch.undo()
    model_server.reply("In L.")
    assert (await shop.say("So?", item["thread_id"])).text == "In L."


async def test_a_run_within_a_tool_asks(make_chat: MakeChat, model_server: ModelServer) -> None:
    @function_tool
    async def tailor(ctx: Ctx) -> str:
        """Have a shirt made."""
        agent = Agent[Turn]("Tailor", tools=[size])
        result = await Runner.run(agent, "A shirt", context=ctx.context)
        return str(result.final_output)

    chat = await make_chat(Tools(tailor), **served_by(model_server))
    model_server.reply(Call("tailor"))
    model_server.reply(Call("size"))
    [item] = await asked(chat, "A shirt")
    model_server.reply("In M, then.")
    assert (await answer(chat, item, q1="M")).text == "In M, then."
    assert outputs(model_server) == [{"question": "Which size?", "answer": "M"}]


async def test_a_run_of_a_hook_asks(make_chat: MakeChat, model_server: ModelServer) -> None:
    class Plugin:
        @hookimpl
        async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
            agent = Agent[Turn]("Tailor", tools=[size])
            result = Runner.run_streamed(agent, await turn.make_input(), context=turn)
            async for event in stream_agent_response(turn, result):
                yield event

    chat = await make_chat(Plugin(), **served_by(model_server))
    model_server.reply(Call("size"))
    [item] = await asked(chat, "A shirt")
    model_server.reply("In M, then.")
    assert (await answer(chat, item, q1="M")).text == "In M, then."
    assert "Which size?: M" in str(model_server.requests[-1].body["messages"])
