"""How the user sees that tools run: `agent.show_tools` and `agent.tool_words`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from agents import RunContextWrapper, function_tool
from chatkit.types import CustomTask
from chatkit.widgets import Card, Text
from pydantic import ValidationError

from chatkit_server import ToolCall, ToolResult, Turn, TurnFailed, hookimpl
from chatkit_server.agent import shown_tools
from chatkit_server.agent.shown_tools import ShownCall, title_of, words_for
from chatkit_server.languages import own_languages
from chatkit_server.mcp.progress import Progress
from chatkit_server.settings.schema import AgentSettings
from chatkit_server.testing.model_server import Call, ModelServer
from chatkit_server.web.keys import MCP
from tests.approving import asked, click
from tests.client import Streamed
from tests.conftest import MakeChat
from tests.mcp_calls import connected, until
from tests.mcp_progress_server import ProgressServer
from tests.serving import served_by
from tests.test_turns import Tools


def said(locale: str | None) -> Callable[[str | dict[str, str]], str]:
    return lambda texts: own_languages().say(texts, [locale] if locale else [])


LANGUAGES = {
    "de": "Suche …",
    "en": "Searching…",
    "pt-BR": "Buscando…",
    "zh-CN": "搜索",
    "zh-TW": "搜尋",
}


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("de", "Suche …"),
        ("de-AT", "Suche …"),
        ("DE", "Suche …"),
        ("pt-BR", "Buscando…"),
        ("pt_br", "Buscando…"),
        ("pt", "Buscando…"),
        ("pt-PT", "Buscando…"),
        ("ptx", "Searching…"),
        ("zh-Hant-TW", "搜尋"),
        ("zh", "搜索"),
        ("fr-CA", "Searching…"),
        (None, "Searching…"),
    ],
)
def test_words_are_in_the_users_language(locale: str | None, words: str) -> None:
    assert words_for(ToolCall("1", "search", {}), {"search": LANGUAGES}, said(locale)) == words


@pytest.mark.parametrize(
    ("name", "server", "words"),
    [
        ("search", None, "Searching…"),
        ("docs_search", None, None),
        ("docs_search", "docs", "Searching…"),
        ("docs_re_search", "docs", "Again…"),
        ("a_b_search_all", "docs", "All…"),
        ("empty", None, None),
        ("hidden", None, ""),
        ("research", "docs", None),
    ],
)
def test_words_of_a_tool(name: str, server: str | None, words: str | None) -> None:
    given: Any = {
        "search": "Searching…",
        "re_search": {"nl": "Again…"},
        "search.all": "All…",
        "empty": None,
        "hidden": "",
    }
    settings = AgentSettings(tool_words=given)
    assert words_for(ToolCall("1", name, {}, server), settings.tool_words, said("de")) == words


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("search_docs", "Search docs"),
        ("searchDocs", "Search docs"),
        ("get-URL", "Get URL"),
        ("docs.v2_find", "Docs v2 find"),
        ("__", "__"),
        ("über", "Über"),
    ],
)
def test_a_tool_without_words_is_shown_by_its_name(name: str, title: str) -> None:
    assert title_of(name) == title


def test_off_is_a_word_in_yaml() -> None:
    assert AgentSettings.model_validate({"show_tools": False}).show_tools == "off"
    with pytest.raises(ValueError, match="'off', 'names', 'tasks' or 'details'"):
        AgentSettings.model_validate({"show_tools": True})


@function_tool
async def search(query: str) -> str:
    """Search."""
    return query


@function_tool
async def broken() -> str:
    """Fail."""
    raise TurnFailed("no")


@function_tool
async def card(ctx: RunContextWrapper[Turn]) -> str:
    """Show a card."""
    await ctx.context.stream_widget(Card(children=[Text(value="a card")]))
    return "shown"


@function_tool
async def quiet() -> str:
    """Do something nobody needs to know."""
    return "done"


CALLS = [
    Call("search", {"query": "a"}),
    Call("search", {"query": "b"}),
    Call("broken", {}),
    Call("quiet", {}),
]


async def answered(
    make_chat: MakeChat, server: ModelServer, *calls: Call, **agent: Any
) -> Streamed:
    words = {"search": LANGUAGES, "quiet": ""}
    sections = served_by(server, tool_words=words, **agent)
    chat = await make_chat(Tools(search, broken, card, quiet), **sections)
    chat.headers["Accept-Language"] = "de-AT"
    server.reply(*calls)
    server.reply("Here you are.")
    streamed = await chat.say("Search")
    assert streamed.error is None
    return streamed


@pytest.mark.parametrize(
    ("mode", "lines"), [("off", []), ("names", ["Broken…", "Suche …", "Suche …"]), ("tasks", [])]
)
async def test_lines_of_progress(
    make_chat: MakeChat, model_server: ModelServer, mode: str, lines: list[str]
) -> None:
    streamed = await answered(make_chat, model_server, *CALLS, show_tools=mode)
    told = [e["text"] for e in streamed.data if e["type"] == "progress_update"]
    assert sorted(told) == lines
    assert len(streamed.done("workflow")) == (mode == "tasks")


@pytest.mark.parametrize("fast_path", [True, False])
async def test_tools_are_tasks_of_a_workflow(
    make_chat: MakeChat, model_server: ModelServer, fast_path: bool
) -> None:
    streamed = await answered(
        make_chat, model_server, *CALLS, show_tools="tasks", fast_path=fast_path
    )
    kinds = [e["item"]["type"] for e in streamed.data if e["type"] == "thread.item.done"]
    assert kinds == ["user_message", "workflow", "assistant_message"]
    [workflow] = streamed.done("workflow")
    tasks = [(t["title"], t["status_indicator"]) for t in workflow["workflow"]["tasks"]]
    done = ("Suche …", "complete")
    assert sorted(tasks) == [("Broken", "none"), done, done]
    begun = [e["item"] for e in streamed.data if e["type"] == "thread.item.added"]
    assert [item["type"] for item in begun] == ["workflow", "assistant_message"]
    assert begun[0]["workflow"]["tasks"][0]["status_indicator"] == "loading"
    places = [
        e["update"]["task_index"]
        for e in streamed.data
        if e.get("update", {}).get("type") == "workflow.task.added"
    ]
    assert places == [1, 2]


async def test_a_widget_of_the_tool_ends_the_workflow(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    streamed = await answered(make_chat, model_server, Call("card", {}), show_tools="tasks")
    [workflow] = [e["item"] for e in streamed.data if e["type"] == "thread.item.replaced"]
    assert [t["status_indicator"] for t in workflow["workflow"]["tasks"]] == ["complete"]


class Redacts:
    """Changes what tools returned."""

    @hookimpl
    async def tool_result(self, result: ToolResult) -> None:
        result.output = str(result.output).replace("secret", "***")


@function_tool
async def look(where: str) -> str:
    """Return what is to be redacted, and what would end a block of code."""
    return f"secret ```` in {where}"


async def test_details_show_arguments_and_results_as_hooks_left_them(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    sections = served_by(model_server, show_tools="details", tool_icons={"look": "search"})
    chat = await make_chat(Tools(look, broken, quiet), Redacts(), **sections)
    long = {"where": "x" * 3000}
    model_server.reply(Call("look", {"where": "here"}), Call("quiet", {}), Call("look", long))
    model_server.reply("Here you are.")
    streamed = await chat.say("Search")
    [workflow] = streamed.done("workflow")
    first, second, third = workflow["workflow"]["tasks"]
    assert (first["icon"], first["status_indicator"]) == ("search", "complete")
    assert first["content"] == ('```json\n{"where": "here"}\n```\n\n`````\n*** ```` in here\n`````')
    assert (second["content"], second.get("icon")) == ("```\ndone\n```", None), "no arguments"
    assert third["content"].startswith('```json\n{\n  "where": "xxx')
    assert len(third["content"]) < 2200
    begun = next(e["item"] for e in streamed.data if e["type"] == "thread.item.added")
    assert begun["workflow"]["tasks"][0]["content"] == '```json\n{"where": "here"}\n```'
    page = await chat.ask("items.list", thread_id=streamed.thread_id)
    assert workflow in page["data"], "after a reload too"


async def test_lines_have_icons(make_chat: MakeChat, model_server: ModelServer) -> None:
    icons = {"search": "lucide:telescope"}
    streamed = await answered(make_chat, model_server, *CALLS, tool_icons=icons)
    told = {e["text"]: e.get("icon") for e in streamed.data if e["type"] == "progress_update"}
    assert told == {"Suche …": "lucide:telescope", "Broken…": None}


@pytest.fixture
async def mcp() -> AsyncIterator[ProgressServer]:
    server = ProgressServer()
    await server.start()
    yield server
    await server.stop()


@pytest.mark.parametrize("mode", ["names", "tasks", "details"])
async def test_progress_of_an_mcp_tool_is_shown_where_its_call_is(
    make_chat: MakeChat, model_server: ModelServer, mcp: ProgressServer, mode: str
) -> None:
    sections = served_by(model_server, show_tools=mode, tool_words={"long_work": "Working…"})
    sections["plugins"]["mcp_servers"] = {"servers": [{"name": "docs", "url": mcp.url}]}
    chat = await make_chat(**sections)
    app: Any = chat.client.server.app  # type: ignore[attr-defined]
    await until(lambda: connected(app[MCP]))
    given = {"seconds": 0.01, "pause": 0.02}
    model_server.reply(Call("long_work", given))
    model_server.reply("Here you are.")
    streamed = await chat.say("Work")
    updates = [e["update"]["task"] for e in streamed.data if "task" in e.get("update", {})]
    contents = [task.get("content") or "" for task in updates]
    lines = [e["text"] for e in streamed.data if e["type"] == "progress_update"]
    told = contents if mode != "names" else lines[1:]
    assert any("step 0.0" in text for text in told)
    if mode == "names":
        assert lines[0] == "Working…"
        assert lines[1].startswith("Working: step 0.0")
    else:
        [workflow] = streamed.done("workflow")
        assert workflow["workflow"]["summary"]["duration"] >= 0
        [task] = workflow["workflow"]["tasks"]
        assert (task["title"], task["status_indicator"]) == ("Working…", "complete")
    if mode == "details":
        assert all('"seconds": 0.01' in text for text in contents)
        assert contents[-1].endswith("```\ndone\n```")


async def test_no_tool_keeps_the_progress_of_another_from_being_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shown_tools, "PAUSE", 0)
    told: list[tuple[ShownCall, str]] = []

    class Told(ShownCall):
        async def tell(self, progress: Progress) -> None:
            told.append((self, str(progress)))

    turn: Any = None
    tools = shown_tools.ShownTools(turn, AgentSettings())
    first, second, ended = Told(), Told(), Told()
    for step in range(3):
        for call in (first, second, ended):
            tools.note(call, Progress(step, None, "", 1))
    tools.forget(ended)
    await until(lambda: len(told) == 2)
    assert told == [(first, "2"), (second, "2")], "the latest of each, once"


def test_an_icon_that_chatkit_does_not_have_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="Did you mean `search`"):
        AgentSettings.model_validate({"tool_icons": {"look": "serch"}})


class Hangs:
    """Has a tool that never ends."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        @function_tool
        async def wait(ctx: RunContextWrapper[Turn]) -> None:
            """Wait for ever."""
            await ctx.context.add_workflow_task(CustomTask(title="own"))
            self.begun.set()
            await asyncio.Event().wait()

        turn.tools.append(wait)


async def test_a_tool_that_is_stopped_spins_no_longer(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    plugin = Hangs()
    sections = served_by(model_server, show_tools="tasks")
    chat = await make_chat(plugin, **sections)
    model_server.reply(Call("wait", {}))
    saying = asyncio.create_task(chat.say("Wait"))
    await plugin.begun.wait()
    threads = (await chat.ask("threads.list"))["data"]
    model_server.reply("Another answer.")
    await chat.say("Stop", threads[0]["id"])
    [workflow] = (await saying).done("workflow")
    tasks = [(t["title"], t["status_indicator"]) for t in workflow["workflow"]["tasks"]]
    assert tasks == [("Wait", "none"), ("own", "none")]


@function_tool(needs_approval=True)
async def drop() -> str:
    """Drop something."""
    return "dropped"


@pytest.mark.parametrize("waits", [False, True], ids=["runs at once", "waits for an approval"])
async def test_the_model_is_told_of_a_call_once_however_it_is_shown(
    make_chat: MakeChat, model_server: ModelServer, waits: bool
) -> None:
    told = []
    for mode in ("off", "tasks", "details"):
        sections = served_by(model_server, show_tools=mode)
        chat = await make_chat(Tools(search, drop), **sections)
        calls = [Call("search", {"query": "a"}, "call_1")]
        calls += [Call("drop", {}, "call_2")] if waits else []
        model_server.reply(*calls)
        model_server.reply("Here you are.")
        streamed = await chat.say("Search")
        for item in asked(streamed):
            await click(chat, item)
        model_server.reply("Fine.")
        await chat.say("Thanks", streamed.thread_id)
        messages = str(model_server.requests[-1].body["messages"])
        told.append(re.sub(r"call_\w+", "call", messages))
    assert ("dropped" in told[0]) == waits
    assert told[1] == told[2] == told[0]
