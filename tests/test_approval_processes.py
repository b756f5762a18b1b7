"""Tool calls that wait for an approval while servers end, and while several of them run."""

from __future__ import annotations

import asyncio
import gc
import signal
from pathlib import Path
from typing import Any
from weakref import ref

import pytest
import yaml
from agents import RunState, function_tool

from chatkit_server import Turn, hookimpl
from chatkit_server.agent.pairs import CALL_CUT_OFF
from chatkit_server.agent.paused import PausedRun
from chatkit_server.testing.memory_store import MemoryStorePlugin
from chatkit_server.testing.model_server import Call, Gate, ModelServer
from chatkit_server.web.keys import ENGINE
from tests.approving import asked, click, post_click, replaced, shown
from tests.client import Chat
from tests.conftest import MakeChat
from tests.databases import DATABASES, new_url
from tests.processes import running
from tests.replicas import Start
from tests.serving import served_by
from tests.test_approvals import ANN, BOB, SENT, WAYS, mailer, no_mails
from tests.test_memory import no_collector
from tests.test_turns import Tools, told

__all__ = ["no_collector", "no_mails"]


async def _post_all(chats: list[Chat], item: dict[str, Any], decisions: list[str]) -> list[int]:
    """Click in all pages at once, read what comes, and return the statuses."""
    clicks = [post_click(chat, item, d) for chat, d in zip(chats, decisions, strict=True)]
    responses = await asyncio.gather(*clicks)
    for response in responses:
        await response.read()
    return sorted(response.status for response in responses)


@pytest.mark.parametrize("decisions", [["approve"] * 4, ["approve", "deny", "always", "approve"]])
async def test_of_many_clicks_in_two_processes_one_counts(
    start: Start, model_server: ModelServer, decisions: list[str]
) -> None:
    one = await start(Tools(mailer()))
    two = await start(Tools(mailer()))
    model_server.reply(ANN)
    model_server.reply("That is done.")
    streamed = await one.chat.say("Write to Ann")
    [item] = asked(streamed)
    pages = [one.chat, two.chat, one.chat, two.chat]
    statuses = await _post_all(pages, item, decisions)
    assert statuses[0] == 200
    assert set(statuses) <= {200, 409}
    assert len(model_server.requests) == 2
    assert len(SENT) <= 1
    for page in pages:
        page.headers["chatkit-frame-instance-id"] = "another page"
        again = await click(page, item, "deny")
        assert replaced(again) == ["Approved" if SENT else "Denied"]
    assert len(model_server.requests) == 2
    [_, answer] = (await two.items(item["thread_id"]))[1:]
    assert answer["content"][0]["text"] == "That is done."


async def test_a_click_does_not_end_the_turn_of_another(
    start: Start, model_server: ModelServer
) -> None:
    one = await start(Tools(mailer()))
    two = await start(Tools(mailer()))
    model_server.reply(ANN, BOB)
    model_server.reply("Both.")
    first, second = asked(await one.chat.say("Write to both"))
    clicks = await asyncio.gather(click(one.chat, first), click(two.chat, second))
    assert [streamed.error for streamed in clicks] == [None, None]
    assert "".join(streamed.text for streamed in clicks) == "Both."
    assert sorted(SENT) == ["ann", "bob"]


PLUGIN = '''
import asyncio
from pathlib import Path
from agents import function_tool
from chatkit_server import Turn, hookimpl

NOTES = Path(__file__).with_name("notes.txt")

@function_tool(needs_approval=True)
async def note(text: str, hang: bool = False) -> str:
    """Note a text."""
    with NOTES.open("a") as file:
        file.write(text + "\\n")
    print("noted", text, flush=True)
    if hang:
        await asyncio.sleep(600)
    return f"noted {text}"

@hookimpl
async def pre_turn(turn: Turn) -> None:
    turn.tools.append(note)
'''


def _written(folder: Path, kind: Any, model_server: ModelServer) -> Path:
    """Write a deployment into a folder; return the file that its tool writes to."""
    sections = served_by(model_server)
    sections["plugins"] |= {
        "tortoise_store": {"url": new_url(kind, folder)},
        "anonymous_auth": None,
        "notes": None,
    }
    sections |= {"turns": {"stale": "500ms", "limits": {"tool": "10m"}}, "plugin_dirs": ["plugins"]}
    (folder / "plugins").mkdir()
    (folder / "plugins" / "notes.py").write_text(PLUGIN)
    (folder / "settings.yaml").write_text(yaml.safe_dump(sections))
    return folder / "plugins" / "notes.txt"


@pytest.mark.parametrize("kind", DATABASES)
async def test_kill_9_while_it_waits_and_after_the_click(
    kind: Any, tmp_path: Path, model_server: ModelServer
) -> None:
    notes = _written(tmp_path, kind, model_server)
    model_server.reply("Let me. ", Call("note", {"text": "one"}))
    async with running(tmp_path) as server:
        [item] = asked(await server.chat().say("Note one"))
        await server.stop(signal.SIGKILL)
    thread_id = item["thread_id"]
    assert not notes.exists()

    model_server.reply("Now ", Call("note", {"text": "two", "hang": True}))
    async with running(tmp_path) as server:
        chat = server.chat()
        assert (await shown(chat, thread_id))[-1] == item
        streamed = await click(chat, item)
        assert replaced(streamed) == ["Approved"]
        assert notes.read_text() == "one\n"
        [other] = asked(streamed)
        response = await post_click(chat, other, "approve")
        await server.process.line("noted two")
        turn_id = response.headers["X-Turn-Id"]
        await server.stop(signal.SIGKILL)

    async with running(tmp_path) as server:
        chat = server.chat()
        await server.process.line(f"recovered turn {turn_id} of a dead process")
        again = await click(chat, other)
        assert replaced(again) == ["Approved"]
        assert len(model_server.requests) == 2
        model_server.reply("I do not know.")
        assert (await chat.say("Is it noted?", thread_id)).text == "I do not know."
    assert notes.read_text() == "one\ntwo\n"
    said = told(model_server.requests[-1])
    assert [text for role, text in said if role == "tool"] == ["noted one", CALL_CUT_OFF]
    assert "The server stopped before the answer was complete." in said[-1][1]


async def test_sigterm_while_an_approved_tool_runs(
    tmp_path: Path, model_server: ModelServer
) -> None:
    notes = _written(tmp_path, "sqlite", model_server)
    settings = tmp_path / "settings.yaml"
    sections = yaml.safe_load(settings.read_text()) | {"server": {"drain": "100ms"}}
    settings.write_text(yaml.safe_dump(sections))
    model_server.reply(Call("note", {"text": "one", "hang": True}))
    async with running(tmp_path) as server:
        chat = server.chat()
        [item] = asked(await chat.say("Note one"))
        response = await post_click(chat, item, "approve")
        await server.process.line("noted one")
        await server.stop(signal.SIGTERM)
        assert "The server was restarted" in str((await chat.read(response)).error)
    async with running(tmp_path) as server:
        chat = server.chat()
        assert replaced(await click(chat, item)) == ["Approved"]
        model_server.reply("I do not know.")
        assert (await chat.say("Is it noted?", item["thread_id"])).text == "I do not know."
    assert notes.read_text() == "one\n"
    assert ("tool", CALL_CUT_OFF) in told(model_server.requests[-1])


async def test_a_server_that_died_before_the_run_went_on_has_run_nothing(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    """The decision is saved, and nothing else: the model is told that nobody knows."""
    store = MemoryStorePlugin()
    chat = await make_chat(Tools(mailer()), store, **served_by(model_server))
    model_server.reply(ANN)
    [item] = asked(await chat.say("Write to Ann"))
    items = store.memory.items[item["thread_id"]]
    [run] = [run for each in items.values() if (run := PausedRun.of(each)) is not None]
    ended = run.decided("approved").ended("turn_dead")
    items[run.id] = ended.as_item(item["thread_id"])
    streamed = await click(chat, item)
    assert replaced(streamed) == ["Approved"]
    assert streamed.text == ""
    model_server.reply("I do not know.")
    await chat.say("Well?", item["thread_id"])
    assert ("tool", CALL_CUT_OFF) in told(model_server.requests[-1])
    assert SENT == []


async def test_what_is_stopped_amid_a_tool_is_not_run_again(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    gate = Gate()

    @function_tool(needs_approval=True)
    async def send_mail(to: str) -> str:
        """Send a mail."""
        SENT.append(to)
        await gate.passed()
        return "sent"

    sections = served_by(model_server)
    sections["turns"] = {"disconnect": {"grace": "1ms"}}
    chat = await make_chat(Tools(send_mail), **sections)
    model_server.reply(ANN)
    [item] = asked(await chat.say("Write to Ann"))
    response = await post_click(chat, item, "approve")
    await gate.reached()
    response.close()
    engine = chat.client.server.app[ENGINE]  # type: ignore[attr-defined]
    await asyncio.gather(*[turn.ended() for turn in engine.turns.active])
    assert replaced(await click(chat, item, "deny")) == ["Approved"]
    model_server.reply("I do not know.")
    assert (await chat.say("Is it sent?", item["thread_id"])).text == "I do not know."
    assert SENT == ["ann"]
    assert ("tool", CALL_CUT_OFF) in told(model_server.requests[-1])


async def test_what_waits_costs_nothing(make_chat: MakeChat, model_server: ModelServer) -> None:
    sections = served_by(model_server)
    sections["turns"] = {"keep": "1ms"}
    chat = await make_chat(Tools(mailer()), **sections)
    engine = chat.client.server.app[ENGINE]  # type: ignore[attr-defined]

    async def pause(user: int) -> None:
        page = Chat(chat.client, chat.path)
        page.headers["X-User"] = f"user{user}"
        assert asked(await page.say("Write to Ann"))

    def cost() -> tuple[int, ...]:
        gc.collect()
        kept = [each for each in gc.get_objects() if isinstance(each, Turn | RunState | PausedRun)]
        turns = engine.turns
        return len(kept), len(asyncio.all_tasks()), len(turns._slots), len(turns._tasks)

    async def pause_some(first: int) -> None:
        for _ in range(20):
            model_server.reply(ANN)
        await asyncio.gather(*[pause(user) for user in range(first, first + 20)])
        await asyncio.gather(*[turn.ended() for turn in engine.turns.active])

    # The connections stay open, and are used again
    await pause_some(0)
    before = cost()
    for first in range(20, 100, 20):
        await pause_some(first)
    assert all(now <= then for now, then in zip(cost(), before, strict=True))


class _Turns:
    """Watches the turns, and does not keep them."""

    def __init__(self) -> None:
        self.seen: list[ref[Turn]] = []

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        self.seen.append(ref(turn))


@pytest.mark.parametrize("name", ["always", "MCP server", "inner agent of one", "hand-off object"])
async def test_a_run_that_has_gone_on_is_not_kept(
    make_chat: MakeChat, model_server: ModelServer, no_collector: None, name: str
) -> None:
    way, turns = WAYS[name](), _Turns()
    chat = await make_chat(turns, way.plugin, **served_by(model_server))
    replies: list[Any] = [*way.before, ANN, *way.after, "It is sent."]
    for reply in replies:
        model_server.reply(reply)
    [item] = asked(await chat.say("Write to Ann"))
    engine = chat.client.server.app[ENGINE]  # type: ignore[attr-defined]
    await asyncio.gather(*[turn.ended() for turn in engine.turns.active])
    assert turns.seen[0]() is None
    assert (await click(chat, item)).text == "It is sent."
    await asyncio.gather(*[turn.ended() for turn in engine.turns.active])
    # Of inner agents, the SDK makes circles
    gc.collect()
    assert turns.seen[1]() is None


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ('{"to": "a\\u0000b"}', "a\ufffdb"),
        ('{"to": "a\\ud800b"}', "a\ufffdb"),
        ('{"to": "\U0001f600"}', "\U0001f600"),
        ('"{\\"to\\": \\"a\\"}"', "a"),
    ],
)
async def test_odd_arguments_wait_too(
    start: Start, model_server: ModelServer, arguments: str, given: str
) -> None:
    one = await start(Tools(mailer()))
    two = await start(Tools(mailer()))
    model_server.reply("One \0moment. ", Call("send_mail", arguments))
    model_server.reply("Done.")
    model_server.reply("Bye.")
    [item] = asked(await one.chat.say("Write"))
    assert (await click(two.chat, item)).text == "Done."
    assert [given] == SENT
    assert (await one.chat.say("Thanks", item["thread_id"])).text == "Bye."
    outputs = [text for role, text in told(model_server.requests[-1]) if role == "tool"]
    assert outputs == [f"sent to {given}"]
