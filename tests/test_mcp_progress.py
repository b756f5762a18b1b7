"""Progress that MCP tools report: it extends the time of a call, and the client sees it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from agents import FunctionTool

from chatkit_server.mcp.connection import ToolFailed
from chatkit_server.mcp.progress import Calls, CallTimeout, Progress, listening
from tests.mcp_calls import invoke
from tests.mcp_progress_server import ProgressServer
from tests.plugins.test_mcp_servers import ROOT, given, until_connected


@pytest.fixture
async def entries() -> AsyncIterator[dict[str, dict[str, Any]]]:
    """The entries in the settings of a server of each kind."""
    servers = {
        "http": ProgressServer(),
        "sessions": ProgressServer(legacy=True),
        "sse": ProgressServer(older=True),
    }
    for server in servers.values():
        await server.start()
    command = {"command": sys.executable, "args": ["-m", "tests.mcp_progress_server"]}
    yield {
        "stdio": {"name": "stdio", **command, "cwd": str(ROOT)},
        "http": {"name": "http", "url": servers["http"].url},
        "sessions": {"name": "sessions", "url": servers["sessions"].url},
        "sse": {"name": "sse", "url": servers["sse"].sse_url, "transport": "sse"},
    }
    for server in servers.values():
        await server.stop()


async def called(tool: FunctionTool, seconds: float, pause: float) -> tuple[str, list[Progress]]:
    """Return what a call said, or how it failed, and its progress."""
    reported: list[Progress] = []
    with listening(reported.append):
        try:
            said = await invoke(tool, seconds=seconds, pause=pause)
        except ToolFailed as error:
            said = str(error)
    return said, reported


async def test_progress_extends_the_time_of_a_call(
    entries: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    limits = {"timeout": "1s", "connect_timeout": "20s"}
    servers = given(
        tmp_path, *({"prefix": kind, **entry, **limits} for kind, entry in entries.items())
    )
    async with servers.run():
        tools = await until_connected(servers)
        await asyncio.gather(*(_check(kind, tools[f"{kind}_long_work"]) for kind in entries))


async def _check(kind: str, work: FunctionTool) -> None:
    extended, silent = await asyncio.gather(called(work, 1.3, 0.1), called(work, 60, 60))
    said, reported = extended
    assert said == "done"
    assert reported[-1].total == 1.3
    assert str(reported[-1]).startswith("step 1.")
    assert str(reported[-1]).endswith("%)")
    assert silent[0].startswith(f"`{kind}` did not answer within 1 s after its last progress.")
    assert len(silent[1]) == 1


async def test_progress_does_not_extend_it_for_ever() -> None:
    calls = Calls(0.05, 0.1)
    calls.are_read = True

    async def work() -> None:
        async with calls.timed(None) as meta:
            assert meta is not None
            while True:
                calls.notify({**meta, "progress": 1})
                await asyncio.sleep(0)

    with pytest.raises(CallTimeout, match=r"within 0\.1 s \(`max_timeout`\)"):
        await work()


def test_progress_that_is_not_valid_is_dropped() -> None:
    calls = Calls(None, None)
    for params in (
        None,
        {},
        {"progressToken": "call-0", "progress": 1},
        {"progressToken": [], "progress": 1},
        {"progressToken": True, "progress": 1},
    ):
        calls.notify(params)


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (Progress(3, 10, "copying", 1), "copying (30%)"),
        (Progress(30, 10, "", 1), "100%"),
        (Progress(-1, 10, "", 1), "0%"),
        (Progress(3, 0, "", 1), "3"),
        (Progress(1234567890, None, "line\nbreak\x1b", 1), "line break (1.23457e+09)"),
    ],
)
def test_progress_in_words(progress: Progress, words: str) -> None:
    assert str(progress) == words


async def test_only_numbers_are_progress() -> None:
    calls = Calls(None, None)
    calls.are_read = True
    reported: list[Progress] = []
    with listening(reported.append):
        async with calls.timed({"own": 1}) as meta:
            assert meta is not None
            assert meta["own"] == 1
            token = meta["progressToken"]
            for done in (None, "1", True, float("nan"), float("inf"), 10**400):
                calls.notify({"progressToken": token, "progress": done})
            calls.notify({"progressToken": token, "progress": 1, "total": "x", "message": 5})
    calls.notify({"progressToken": token, "progress": 2})
    assert [str(progress) for progress in reported] == ["1"]
