"""What child processes write to their standard error, and what they leave behind."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from chatkit_plugins.mcp_servers import ServerConfig, StdioServer

from chatkit_server.mcp.limits import Reporter
from chatkit_server.mcp.manager import McpManager
from chatkit_server.mcp.output import Output

REFUSED = """ready
Failed to validate request: 31 validation errors for ClientRequest
PingRequest.method
  Input should be 'ping' [type=literal_error, input_value='server/discover', input_type=str]
    For further information visit https://errors.pydantic.dev/2.14/v/literal_error
InitializeRequest.params.protocolVersion
  Field required [type=missing, input_value={}, input_type=dict]
Processing request
"""


def output(chunks: Iterable[bytes]) -> Output:
    """Return what logs these pieces, which come as fast as they are read."""
    waiting = iter(chunks)

    async def chunk() -> bytes:
        return next(waiting, b"")

    return Output(chunk, Reporter("child"))


def written(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    """Return the lines that were logged of a child."""
    begin = "MCP server child writes: "
    records = [record for record in caplog.records if record.levelno >= level]
    return [record.getMessage().removeprefix(begin) for record in records]


def runs(pid: int) -> bool:
    """Return whether a process does its work: one that has ended may wait for its parent."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_a_flood_is_counted_and_leaves_time_for_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    flood = output([b"d\n" + b"flood\n" * 10_000 + b"floo"] * 8 + [b"d\nthe end\n"])
    began, cpu = time.monotonic(), time.process_time()
    await flood.read()
    assert time.process_time() - cpu < (time.monotonic() - began) / 2
    lines = written(caplog)
    assert len(lines) < 120
    counted = [line for line in lines if "lines are left out" in line]
    assert len(counted) <= 2
    assert {line for line in lines if line not in counted} <= {"d", "flood", "the end"}
    assert flood.last()[-1] == "the end"


async def test_what_a_server_says_of_an_unknown_probe_is_not_worth_a_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    child = output([REFUSED.encode(), REFUSED.encode()])
    child.probed()
    await child.read()
    assert written(caplog)[:3] == ["ready", "Processing request", "ready"]
    assert "PingRequest.method" in written(caplog, logging.DEBUG)[:3]
    # Requests that are not probes are not hidden
    assert written(caplog)[3].startswith("Failed to validate request")
    child = output([REFUSED.encode()])
    child.probed()
    await child.read()
    assert child.last() == ["ready", "Processing request"]


async def test_old_lines_do_not_say_why_a_process_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    child = output([b"Error: this was long ago\n"])
    await child.read()
    assert child.last()
    monkeypatch.setattr("chatkit_server.mcp.output._LAST", 0.0)
    assert not child.last()


def test_lines_of_more_attempts_are_for_debugging(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    reporter = Reporter("child")
    reporter.output("first attempt")
    reporter.is_quiet = True
    reporter.output("second attempt")
    assert written(caplog) == ["first attempt"]


async def test_what_a_child_has_started_ends_with_it(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    code = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({str(file)!r}, "w").write(str(child.pid))
"""
    config = ServerConfig(name="child", command=sys.executable, args=["-c", code])
    async with McpManager([StdioServer(config)]).run():
        async with asyncio.timeout(20):
            while not file.exists() or not file.read_text():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert not runs(int(file.read_text()))
