"""An MCP server may be hostile: it harms its own calls, and nobody else's."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from agents import FunctionTool
from agents.exceptions import UserError
from agents.mcp import MCPServer, MCPServerSse, MCPServerStdio, MCPServerStreamableHttp
from mcp.types import Tool

from chatkit_server import masking
from chatkit_server.masking import Secrets, add_secret
from chatkit_server.mcp.connection import McpConnection, ToolFailed
from chatkit_server.mcp.failures import describe
from chatkit_server.mcp.limits import McpRefused, tool_problem
from chatkit_server.mcp.manager import McpManager
from chatkit_server.mcp.repair import DEPTH, repaired
from chatkit_server.mcp.timing import McpTiming
from tests.mcp_calls import connected, invoke, tools_of, until
from tests.security.hostile_mcp import (
    BROKEN,
    ECHO,
    OBJECT,
    Behaviour,
    HostileServer,
    Message,
    endless_pages,
    flood,
    huge,
    listing,
    notice,
    polite,
    questions,
    result,
    returning,
    when_called,
    with_broken,
)
from tests.test_mcp import InProcess

ROOT = Path(__file__).parents[2]
PACE = McpTiming(
    start=20,
    recover=5,
    call=60,
    check=60,
    check_after=60,
    check_every=60,
    retry_first=0.02,
    retry_most=0.05,
)
HTTP = ["json", "events", "sse"]
SECRET = "Bearer only-for-you"


def client(kind: str, server: HostileServer, **told: Any) -> MCPServer:
    """Return a client of a server, with a secret in its headers."""
    made: MCPServer
    server.streams = kind == "events"
    if kind == "sse":
        made = MCPServerSse(
            {"url": server.sse_url, "headers": {"Authorization": SECRET}}, name="bad"
        )
    else:
        made = MCPServerStreamableHttp(
            {"url": server.url, "headers": {"Authorization": SECRET}}, name="bad"
        )
    vars(made).update({"timeout": 20.0, "client_session_timeout_seconds": 20} | told)
    return made


def child(behaviour: str, **told: Any) -> MCPServerStdio:
    """Return a client of a server as a child process."""
    arguments = ["-m", "tests.security.hostile_mcp", behaviour]
    made = MCPServerStdio(
        {"command": sys.executable, "args": arguments, "cwd": ROOT},
        name="bad",
        client_session_timeout_seconds=20,
    )
    vars(made).update({"timeout": 20.0} | told)
    return made


@asynccontextmanager
async def beside_a_good_one(
    bad: MCPServer, timing: McpTiming = PACE
) -> AsyncIterator[tuple[McpManager, dict[str, FunctionTool]]]:
    """Run a server and a good one, whose tool works to the end; the bad one's are `bad_…`."""
    vars(bad)["prefix"] = "bad"
    async with HostileServer().run() as good:
        other = MCPServerStreamableHttp(
            {"url": good.url}, name="good", client_session_timeout_seconds=20
        )
        servers = McpManager([bad, other], timing)
        async with servers.run():
            yield servers, await tools_of(servers)
            tools = await tools_of(servers)
            assert await invoke(tools["echo"], text="good") == "good"


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged of the bad server, beside what it writes itself."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and "MCP server bad" in record.getMessage()
    ]


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("kind", HTTP)
async def test_nothing_goes_to_another_address(
    kind: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with HostileServer().run() as elsewhere, HostileServer().run() as server:
        bad = client(kind, server)
        target = elsewhere.sse_url if kind == "sse" else elsewhere.url
        server.redirect = (status, target)
        async with beside_a_good_one(bad) as (servers, tools):
            assert "bad_echo" not in tools
            told = str(servers.status()["bad"]["error"])
            assert told.startswith("redirects to another address, '127.0.0.1'")
        assert server.requests
        assert elsewhere.requests == []
    assert warnings(caplog)


@pytest.mark.parametrize("kind", HTTP)
async def test_a_redirect_during_a_call_is_told_and_not_followed(kind: str) -> None:
    async with HostileServer().run() as elsewhere, HostileServer().run() as server:
        # Over SSE no answer can come: the call is ended by its timeout
        bad = client(kind, server, timeout=2.0)
        # How long the call waits for a session that will not come
        async with beside_a_good_one(bad, replace(PACE, call=0.1)) as (_, tools):
            server.redirect = (307, elsewhere.url)
            with pytest.raises(ToolFailed):
                await invoke(tools["bad_echo"], text="a secret of the user")
        assert elsewhere.requests == []


@pytest.mark.parametrize("kind", ["json", "sse"])
async def test_a_redirect_within_the_server_is_followed(kind: str) -> None:
    async with HostileServer().run() as server:
        bad = client(kind, server)
        if kind == "json":
            bad.params["url"] = f"{server.origin}/old"  # type: ignore[attr-defined]
            server.redirect = (307, server.url)
        async with beside_a_good_one(bad) as (_, tools):
            assert await invoke(tools["bad_echo"], text="hi") == "hi"


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://[::1", "no address"),
        ("http://a b/\x80", ""),
        ("//elsewhere.invalid/mcp", "'elsewhere.invalid'"),
        ("https://127.0.0.1/mcp", "'127.0.0.1'"),
        ("file:///etc/passwd", "another address"),
        ("http://user:pass@127.0.0.1/mcp", "'127.0.0.1'"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("kind", HTTP)
async def test_a_redirect_to_nowhere(kind: str, location: str, words: str) -> None:
    async with HostileServer().run() as server:
        server.redirect = (307, location)
        # Without a location, one of the kinds waits for an answer
        limits = {} if location else {"connect_timeout": 1.0}
        async with beside_a_good_one(client(kind, server, **limits)) as (servers, tools):
            assert "bad_echo" not in tools
            assert words in str(servers.status()["bad"]["error"])


async def test_the_messages_of_an_sse_server_go_nowhere_else() -> None:
    async with HostileServer().run() as elsewhere, HostileServer().run() as server:
        server.endpoint = f"{elsewhere.origin}/messages"
        bad = client("sse", server, connect_timeout=0.3)
        async with beside_a_good_one(bad) as (servers, tools):
            assert "bad_echo" not in tools
            assert not servers.status()["bad"]["connected"]
        assert elsewhere.requests == []


# Lists of tools


def many(number: int, description: str = "") -> Behaviour:
    return listing(
        *({**ECHO, "name": f"t{count}", "description": description} for count in range(number))
    )


@pytest.mark.parametrize(
    ("behaviour", "told", "words"),
    [
        (many(201), {}, "has 201 tools, more than 200 (`max_tools`)"),
        (many(11), {"max_tools": 10}, "has 11 tools, more than 10 (`max_tools`)"),
        (many(50, "x" * 6000), {}, "larger than 256kB (`max_tools_size`)"),
        (many(5, "x" * 500), {"max_tools_size": 2000}, "larger than 2kB (`max_tools_size`)"),
        (endless_pages, {}, "more than 50 pages"),
        (
            listing(
                *(
                    {**ECHO, "name": name, "inputSchema": {**OBJECT, "enum": [[]] * 2500}}
                    for name in "ab"
                )
            ),
            {},
            "more than 4000 objects and lists",
        ),
        (endless_pages, {"max_tools_size": 1000}, "larger than 1kB (`max_tools_size`)"),
    ],
)
async def test_a_list_that_is_too_large(
    behaviour: Behaviour, told: dict[str, Any], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        HostileServer(behaviour).run() as server,
        beside_a_good_one(client("json", server, **told)) as (servers, tools),
    ):
        assert list(tools) == ["echo"]
        assert words in str(servers.status()["bad"]["error"])
    assert len(warnings(caplog)) == 1
    assert words in caplog.text


async def test_few_tools_of_many_can_be_chosen() -> None:
    async with HostileServer(many(300)).run() as server:
        bad = client("json", server)
        bad.tool_filter = {"allowed_tool_names": ["t7"]}  # type: ignore[attr-defined]
        async with beside_a_good_one(bad) as (_, tools):
            assert sorted(tools) == ["bad_t7", "echo"]


async def test_a_list_that_grows_later_leaves_the_tools_as_they_were(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with HostileServer().run() as server:
        pace = McpTiming(start=20, check_after=0)
        async with beside_a_good_one(client("json", server), pace) as (servers, _):
            server.behaviour = many(1000)
            await tools_of(servers)
            await until(lambda: "listing its tools failed" in caplog.text)
            assert sorted(await tools_of(servers)) == ["bad_echo", "echo"]


def nested(levels: int) -> Message:
    schema: Message = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return {"type": "object", "properties": {"text": schema}}


BAD_TOOLS: list[Any] = [
    "not a tool",
    {"description": "no name", "inputSchema": OBJECT},
    {**ECHO, "name": ""},
    {**ECHO, "name": 7},
    {**ECHO, "name": "n" * 129},
    {"name": "no_schema"},
    {**ECHO, "name": "text", "inputSchema": "x"},
    {**ECHO, "name": "array", "inputSchema": {"type": "array"}},
    {**ECHO, "name": "list", "inputSchema": {"type": "object", "properties": []}},
    {**ECHO, "name": "required", "inputSchema": {"type": "object", "required": "all"}},
    {**ECHO, "name": "deep", "inputSchema": nested(80)},
    {**ECHO, "name": "nan", "inputSchema": {**OBJECT, "minProperties": float("nan")}},
    {**ECHO, "name": "title", "title": 5},
    {**ECHO, "name": "annotated", "annotations": "yes"},
    {**ECHO, "name": "icons", "icons": [{"src": 5}]},
    {**ECHO, "name": "large", "description": "x" * 256_000},
    {**ECHO, "name": "dense", "inputSchema": {**OBJECT, "enum": [[]] * 5000}},
    {**ECHO, "name": "denser", "inputSchema": {**OBJECT, "enum": [[]] * 20_000}},
]


@pytest.mark.parametrize("bad_tool", BAD_TOOLS, ids=lambda tool: json.dumps(tool)[:40])
async def test_a_tool_that_no_model_takes_is_left_out(
    bad_tool: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        HostileServer(listing(ECHO, bad_tool)).run() as server,
        beside_a_good_one(client("json", server)) as (_, tools),
    ):
        assert sorted(tools) == ["bad_echo", "echo"]
        assert await invoke(tools["bad_echo"], text="hi") == "hi"
    [line] = warnings(caplog)
    assert "has tools that are left out" in line


@pytest.mark.parametrize("kind", [*HTTP, "child"])
@pytest.mark.parametrize("broken", BROKEN)
async def test_a_tool_that_cannot_be_parsed_takes_no_other_with_it(
    kind: str, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    start, end = (b"", b"\n") if kind == "json" else (b"event: message\ndata: ", b"\n\n")
    async with HostileServer(with_broken(BROKEN[broken], start, end)).run() as server:
        bad = child(broken) if kind == "child" else client(kind, server)
        async with beside_a_good_one(bad) as (_, tools):
            assert {"bad_echo", "bad_last", "echo"} <= set(tools)
            assert ("bad_odd" in tools) == ("charact" in broken)
    left_out = [line for line in warnings(caplog) if "left out: 'odd'" in line]
    assert bool(left_out) == ("deep" in broken)


def test_only_what_is_broken_is_repaired() -> None:
    whole = json.dumps({"a": "[" * 1000, "b": [[{}, '"{' * 500, "\\"]] * 100}).encode()
    assert repaired(whole) == whole
    smile = json.dumps(["\U0001f600", "\\ud800"]).encode()
    assert repaired(smile) == smile
    for levels in (DEPTH, DEPTH + 1, 9000):
        kept = json.loads(repaired(b"[" * levels + b"1" + b"]" * levels))
        for _ in range(DEPTH):
            [kept] = kept
        assert kept == (1 if levels == DEPTH else None)
    for torn in (b"[" * 9000, b'["' * 9000, b"]" * 9000, b"[}" * 9000):
        assert isinstance(repaired(torn), bytes)


async def test_many_bad_tools_and_their_names_take_one_short_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    name = "\x1b[31m\nERROR forged" + "x" * 1000
    bad_tools = [{**ECHO, "name": f"{number}{name}"} for number in range(100)]
    async with (
        HostileServer(listing(ECHO, *bad_tools)).run() as server,
        beside_a_good_one(client("json", server)) as (_, tools),
    ):
        assert sorted(tools) == ["bad_echo", "echo"]
    [line] = warnings(caplog)
    assert len(line) < 1000
    assert line.isprintable()
    assert "and 97 more" in line


async def test_odd_names_and_names_that_are_there_twice_are_legal_for_models() -> None:
    odd = [{**ECHO, "name": name} for name in ("a b", "a\nb", "größe", "x" * 100, "same", "same")]
    async with (
        HostileServer(listing(*odd)).run() as server,
        beside_a_good_one(client("json", server)) as (_, tools),
    ):
        # Of two with the same name, there is one
        assert len(tools) == 6
        assert all(name.replace("_", "").isalnum() and name.isascii() for name in tools)
        assert all(len(name) <= 64 for name in tools)


def test_a_schema_that_contains_itself_is_left_out() -> None:
    schema: dict[str, Any] = {"type": "object"}
    schema["properties"] = {"self": schema}
    assert tool_problem("t", schema) == "its input schema is nested deeper than 64 levels"
    assert Tool(name="t", input_schema=OBJECT)


# Schemas


async def test_no_result_is_matched_against_the_servers_patterns() -> None:
    pattern = {"type": "object", "properties": {"text": {"type": "string", "pattern": "^(a+)+$"}}}
    tool = {**ECHO, "inputSchema": pattern, "outputSchema": pattern}
    attack = {"text": "a" * 60 + "!"}

    def behave(request: Message) -> list[Message] | None:
        if request["method"] == "tools/call":
            return [result(request, {"content": [], "structuredContent": attack})]
        return listing(tool)(request)  # type: ignore[return-value]

    async with (
        HostileServer(behave).run() as server,
        beside_a_good_one(client("json", server)) as (_, tools),
    ):
        assert json.loads(await invoke(tools["bad_echo"], **attack)) == attack


async def test_a_server_that_a_plugin_has_connected_matches_nothing_either() -> None:
    pattern = {"type": "object", "properties": {"text": {"type": "string", "pattern": "^(a+)+$"}}}
    value = {"content": [], "structuredContent": {"text": "a" * 60 + "!"}}
    behave = listing({**ECHO, "outputSchema": pattern})

    def both(request: Message) -> Any:
        return behave(request) or returning(value)(request)

    async with (
        HostileServer(both).run() as server,
        MCPServerStreamableHttp({"url": server.url}, name="theirs") as theirs,
    ):
        [tool] = await McpManager([]).tools([theirs])
        assert json.loads(await invoke(tool, text="attack")) == value["structuredContent"]


def test_limits_hold_for_servers_without_a_connection() -> None:
    server = InProcess("local", *(f"t{number}" for number in range(30)), max_tools=10)
    with pytest.raises(McpRefused, match="has 30 tools, more than 10"):
        asyncio.run(McpConnection(server).refresh())
    vars(server).update({"max_tools": 100, "max_tools_size": 100})
    with pytest.raises(McpRefused, match="larger than 100B"):
        asyncio.run(McpConnection(server).refresh())


async def test_no_schema_is_fetched() -> None:
    async with HostileServer().run() as elsewhere:
        reference = {"$ref": f"{elsewhere.origin}/schema.json"}
        schema = {**OBJECT, "properties": {"text": reference}}
        tool = {**ECHO, "inputSchema": schema, "outputSchema": schema}
        async with (
            HostileServer(listing(tool)).run() as server,
            beside_a_good_one(client("json", server)) as (_, tools),
        ):
            assert await invoke(tools["bad_echo"], text="hi") == "hi"
            with pytest.raises(Exception, match="Invalid JSON input"):
                await tools["bad_echo"].on_invoke_tool(None, "{")  # type: ignore[arg-type]
        assert elsewhere.requests == []


# Results


async def fails(tool: FunctionTool, words: str) -> None:
    """Expect that a call fails with these words, and with few."""
    with pytest.raises(ToolFailed, match=words) as failed:
        await invoke(tool, text="attack")
    assert len(str(failed.value)) < 20_000


async def fails_alone(
    kind: str, servers: McpManager, tools: dict[str, FunctionTool], words: str
) -> None:
    """Expect that a call fails with these words, and the connection stays where it can."""
    if kind == "sse":
        # All answers come in one stream, which cannot be read any further
        with pytest.raises(ToolFailed):
            await invoke(tools["bad_echo"], text="attack")
    else:
        await fails(tools["bad_echo"], words)
        assert connected(servers)


@pytest.mark.parametrize("kind", HTTP)
async def test_a_huge_result_over_http_ends_only_its_call(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        HostileServer(huge).run() as server,
        beside_a_good_one(client(kind, server)) as (servers, tools),
    ):
        await fails_alone(kind, servers, tools, "larger than|exceeded the")
        await until(lambda: connected(servers))
        tools = await tools_of(servers)
        assert await invoke(tools["bad_echo"], text="hi") == "hi"
    assert any(len(line) < 300 for line in warnings(caplog)) or kind == "events"


async def test_a_smaller_limit_holds_for_events_too() -> None:
    async with HostileServer(
        returning({"content": [{"type": "text", "text": "x" * 2000}]})
    ).run() as server:
        bad = client("events", server, max_message=1000)
        async with beside_a_good_one(bad) as (_, tools):
            await fails(tools["bad_echo"], r"larger than 1kB \(`max_message`\)")
            assert await invoke(tools["bad_echo"], text="hi") == "hi"


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip"])
async def test_what_unpacks_to_too_much_ends_its_call(encoding: str) -> None:
    async with HostileServer().run() as server:
        server.packed = True
        server.bomb = gzip.compress(b"[" * 100_000_000)
        if encoding != "gzip":
            server.encoding = encoding
            server.bomb = gzip.compress(server.bomb)
        async with beside_a_good_one(client("json", server)) as (_, tools):
            assert await invoke(tools["bad_echo"], text="hi") == "hi"
            await fails(tools["bad_echo"], r"larger than 1MB \(`max_message`\)")


@pytest.mark.parametrize("behaviour", ["huge", "huge_id_last"])
async def test_a_huge_result_of_a_child_ends_only_its_call(behaviour: str) -> None:
    async with beside_a_good_one(child(behaviour)) as (servers, tools):
        attack = asyncio.create_task(fails(tools["bad_echo"], r"larger than 1MB \(`max_message`\)"))
        echoes = [invoke(tools["bad_echo"], text=str(number)) for number in range(10)]
        assert await asyncio.gather(*echoes) == [str(number) for number in range(10)]
        await attack
        assert connected(servers)


async def test_a_line_without_an_end_keeps_only_its_server_busy() -> None:
    async with beside_a_good_one(child("endless_line", timeout=1.0)) as (_, tools):
        call = asyncio.create_task(fails(tools["bad_echo"], "did not answer within 1 s"))
        while not call.done():
            assert await invoke(tools["echo"], text="hi") == "hi"
        await call


@pytest.mark.parametrize("kind", ["child", "events", "sse"])
async def test_a_flood_keeps_only_its_server_busy(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with HostileServer(flood).run() as server:
        told = {"timeout": 1.0}
        bad = child("flood", **told) if kind == "child" else client(kind, server, **told)
        async with beside_a_good_one(bad) as (_, tools):
            call = asyncio.create_task(fails(tools["bad_echo"], "did not answer within 1 s"))
            while not call.done():
                assert await invoke(tools["echo"], text="hi") == "hi"
            await call
        # Once as it connects, and no oftener than every two seconds after that
        assert server.called("tools/list") < 10
    assert len(warnings(caplog)) < 5


async def test_what_the_server_asks_is_refused_and_not_for_ever() -> None:
    asked: list[Message] = [
        {"jsonrpc": "2.0", "id": "q1", "method": "roots/list"},
        {"jsonrpc": "2.0", "id": "q2", "method": "sampling/createMessage",
         "params": {"messages": [], "maxTokens": 9}},
        {"jsonrpc": "2.0", "id": "q3", "method": "elicitation/create",
         "params": {"mode": "form", "message": "password?", "requestedSchema": OBJECT}},
        {"jsonrpc": "2.0", "id": "q4", "method": "ping"},
    ]  # fmt: skip
    async with HostileServer(when_called(*asked)).run() as server:
        async with beside_a_good_one(client("events", server)) as (_, tools):
            assert await invoke(tools["bad_echo"], text="attack") == "attack"
            replies = {m["id"]: m for m in server.messages if "method" not in m}
            await until(lambda: len({m["id"] for m in server.messages if "method" not in m}) == 4)
            replies = {m["id"]: m for m in server.messages if "method" not in m}
            assert [key for key, reply in replies.items() if "error" in reply] == ["q1", "q2", "q3"]
            server.messages.clear()
            server.behaviour = questions
            assert await invoke(tools["bad_echo"], text="attack") == "attack"
            assert await invoke(tools["bad_echo"], text="hi") == "hi"
        assert sum("method" not in message for message in server.messages) < 100


@pytest.mark.parametrize("kind", ["child", *HTTP])
@pytest.mark.parametrize("value", [float("nan"), "\ud800"])
async def test_arguments_that_cannot_be_sent_end_only_their_call(kind: str, value: Any) -> None:
    async with HostileServer().run() as server:
        bad = child("polite") if kind == "child" else client(kind, server)
        async with beside_a_good_one(bad) as (servers, tools):
            with pytest.raises(ToolFailed, match="that JSON cannot have"):
                await invoke(tools["bad_echo"], text=value)
            assert connected(servers)
            assert await invoke(tools["bad_echo"], text="hi") == "hi"


async def test_cookies_do_not_pile_up() -> None:
    async with HostileServer().run() as server:
        server.cookie = "x" * 200
        async with beside_a_good_one(client("json", server)) as (_, tools):
            for number in range(60):
                assert await invoke(tools["bad_echo"], text=str(number)) == str(number)
        assert max(len(request.headers.get("Cookie", "")) for request in server.requests) < 6000


async def test_input_in_the_middle_of_a_call_is_refused_in_words() -> None:
    value = {"resultType": "input_required", "requestState": "x" * 10}
    async with (
        HostileServer(returning(value)).run() as server,
        beside_a_good_one(client("json", server)) as (_, tools),
    ):
        await fails(tools["bad_echo"], "asks for input of the user")


@pytest.mark.parametrize(
    "value",
    [
        {"content": [{"type": "text", "text": "no" * 200_000}], "isError": True},
        {"content": [], "isError": "x" * 500_000},
        {},
    ],
    ids=lambda value: json.dumps(value)[:40],
)
async def test_what_is_no_result_fails_in_few_words(
    value: Message, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        HostileServer(returning(value)).run() as server,
        beside_a_good_one(client("json", server)) as (servers, tools),
    ):
        await fails(tools["bad_echo"], ".")
        await until(lambda: connected(servers))
    assert len(caplog.text) < 20_000


async def test_errors_are_cut() -> None:
    def behave(request: Message) -> list[Message] | None:
        if request["method"] != "tools/call":
            return None
        error = {"code": -1, "message": "no " * 100_000, "data": "y" * 100_000}
        return [{"jsonrpc": "2.0", "id": request["id"], "error": error}]

    async with (
        HostileServer(behave).run() as server,
        beside_a_good_one(client("json", server)) as (_, tools),
    ):
        await fails(tools["bad_echo"], "cut off here: 290000 more characters")


async def test_sound_and_files_are_told_in_words() -> None:
    data = "QUJD" * 1000
    content = [
        {"type": "text", "text": "look"},
        {"type": "audio", "data": data, "mimeType": "audio/wav"},
        {"type": "resource", "resource": {"uri": "file:///x", "blob": data, "mimeType": "x/y"}},
        {"type": "resource", "resource": {"uri": "file:///y", "text": "a text"}},
    ]
    async with (
        HostileServer(returning({"content": content})).run() as server,
        beside_a_good_one(client("json", server)) as (_, tools),
    ):
        parts = await invoke(tools["bad_echo"], text="attack")
    texts = [part["text"] for part in parts]
    assert texts[:3] == [
        "look",
        "[audio/wav of 3000 bytes, left out here]",
        "[x/y of 3000 bytes, left out here: file:///x]",
    ]
    assert "a text" in texts[3]


def parts(number: int) -> Message:
    return {"content": [], "structuredContent": {"parts": [[]] * number}}


@pytest.mark.parametrize("kind", ["child", *HTTP])
async def test_many_tiny_parts_end_only_their_call(kind: str) -> None:
    async with HostileServer(returning(parts(200_000))).run() as server:
        bad = child("dense") if kind == "child" else client(kind, server)
        async with beside_a_good_one(bad) as (servers, tools):
            await fails_alone(kind, servers, tools, "more than 15625 objects and lists")


async def test_parts_that_are_parsed_in_no_time_are_still_too_many_to_copy() -> None:
    async with (
        HostileServer(returning(parts(20_000))).run() as server,
        beside_a_good_one(client("json", server)) as (_, tools),
    ):
        await fails(tools["bad_echo"], "more than 15625 objects and lists")
        server.behaviour = returning({"content": [{"type": "text", "text": "x"}] * 1001})
        await fails(tools["bad_echo"], "more than 1000 pieces")


async def test_brackets_in_a_text_are_no_parts() -> None:
    value = '[{"a": "\\"}]' * 45_000
    async with (
        HostileServer(returning({"content": [{"type": "text", "text": value}]})).run() as server,
        beside_a_good_one(client("json", server)) as (_, tools),
    ):
        assert await invoke(tools["bad_echo"], text="attack") == value


# Connections


async def test_turns_do_not_wait_for_a_server_that_was_refused() -> None:
    server = InProcess("local", "one", "two", max_tools=1)
    servers = McpManager([server], replace(PACE, recover=600))
    async with servers.run():
        await until(lambda: "more than 1" in str(servers.status()["local"]["error"]))
        server.connect_gate.clear()
        for _ in range(10):
            async with asyncio.timeout(20):
                assert await tools_of(servers) == {}
            await asyncio.sleep(PACE.retry_most)
        server.names.pop()
        server.connect_gate.set()
        await until(lambda: connected(servers))
        assert list(await tools_of(servers)) == ["one"]


async def test_a_stream_that_is_closed_at_once_is_not_opened_all_the_time() -> None:
    async with HostileServer().run() as server:
        server.pushed = b"retry: 0\nid: 1\ndata:\n\n"
        async with beside_a_good_one(client("json", server)) as (_, tools):
            for number in range(200):
                assert await invoke(tools["bad_echo"], text=str(number)) == str(number)
            opened = sum(request.method == "GET" for request in server.requests)
        assert 1 <= opened < 60


async def test_changes_are_listed_no_oftener_than_every_two_seconds() -> None:
    changes = [notice("tools/list_changed")] * 100
    async with HostileServer(when_called(*changes)).run() as server:
        async with beside_a_good_one(client("events", server)) as (_, tools):
            for _ in range(5):
                assert await invoke(tools["bad_echo"], text="attack") == "attack"
            await until(lambda: server.called("tools/list") >= 2)
        assert server.called("tools/list") < 10


async def test_what_a_child_writes_to_standard_error_is_logged_in_part(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with beside_a_good_one(child("shouting")) as (_, tools):
        assert await invoke(tools["bad_echo"], text="attack") == "attack"
        await until(lambda: caplog.text.count("MCP server bad writes: ") >= 50)
    written = [text for text in caplog.messages if text.startswith("MCP server bad writes: ")]
    assert 50 <= len(written) < 500
    assert all(len(text) < 1100 for text in written)


async def test_a_plain_server_works_everywhere() -> None:
    for kind in HTTP:
        async with (
            HostileServer(polite).run() as server,
            beside_a_good_one(client(kind, server)) as (_, tools),
        ):
            assert await invoke(tools["bad_echo"], text="hi") == "hi"
    async with beside_a_good_one(child("polite")) as (_, tools):
        assert await invoke(tools["bad_echo"], text="hi") == "hi"


def test_strangers_are_not_told_secrets_that_a_server_echoes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(masking, "SECRETS", Secrets())
    add_secret("token-of-the-server")
    phrase = "token-of-the-server\x1b[2J\n" + "x" * 1000
    error = UserError(f"Failed to connect to MCP server 'bad': HTTP error 500 ({phrase})")
    told = describe(error)
    assert told.startswith("HTTP error 500 (***")
    assert len(told) < 250
    assert told.isprintable()
