"""Child processes: start, wait, measure, and always stop them."""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60.0
"""Seconds that a server may take to listen."""

_LISTENS = re.compile(r"listens on http://127\.0\.0\.1:(\d+)(/\S*)")
_OURS = re.compile(
    # The last one makes each start compile all modules anew
    r"CHATKIT_|CORS_|DATABASE_URL|[A-Z]+_API_KEY|[A-Z]+_PROXY|PYTHONDONTWRITEBYTECODE",
    re.IGNORECASE,
)
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


class Failed(Exception):
    """A process failed."""


@dataclass(frozen=True)
class Server:
    """A process that listens; `seconds` is the time from its start until then."""

    pid: int
    port: int
    path: str
    seconds: float

    @property
    def url(self) -> str:
        """The URL of its only resource."""
        return f"http://127.0.0.1:{self.port}{self.path}"


def python(*arguments: str) -> list[str]:
    """Return the command that runs a module with this Python."""
    return [sys.executable, "-m", *arguments]


def environment() -> dict[str, str]:
    """Return this process's environment without variables that affect a server."""
    kept = {name: value for name, value in os.environ.items() if not _OURS.match(name)}
    return kept | {"PYTHONPATH": str(ROOT), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}


@contextmanager
def serving(command: list[str], **variables: str) -> Iterator[Server]:
    """Run a command that says where it `listens on`; see `started`."""
    begun = time.monotonic()
    with started(command, _LISTENS, **variables) as (pid, said):
        yield Server(pid, int(said[1]), said[2], time.monotonic() - begun)


@contextmanager
def started(
    command: list[str], ready: re.Pattern[str], **variables: str
) -> Iterator[tuple[int, re.Match[str]]]:
    """Run a command that says when it is `ready`, and end it and its children afterwards.

    The value is its process id, and what it said. Raises `Failed` with its words if it ends before
    that, or takes longer than `PATIENCE`.
    """
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command,
            env=environment() | variables,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_the_parent,
        )
        try:
            yield process.pid, _wait_until_ready(process, said.fileno(), ready)
        except Exception as error:
            said.seek(0)
            error.add_note(f"{' '.join(command)} said:\n{said.read()[-4000:]}")
            raise
        finally:
            _end(process)


def _wait_until_ready(
    process: subprocess.Popen[bytes], output: int, ready: re.Pattern[str]
) -> re.Match[str]:
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE:
        found = ready.search(os.pread(output, 100_000, 0).decode(errors="replace"))
        if found is not None:
            return found
        if process.poll() is not None:
            raise Failed(f"a process ended with status {process.returncode} before it was ready")
        time.sleep(0.005)
    raise Failed(f"a process is not ready after {PATIENCE:g} s")


def output_of(command: list[str], *, limit: float) -> str:
    """Run a command to its end, `limit` seconds at most, and return what it wrote.

    Raises `Failed` with its errors if it fails.
    """
    process = subprocess.Popen(
        command,
        env=environment(),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_die_with_the_parent,
    )
    try:
        output, errors = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(command)} takes longer than {limit:g} s") from None
    finally:
        _end(process)
    if process.returncode:
        raise Failed(f"{' '.join(command)} failed:\n{errors[-4000:]}")
    return output


def _die_with_the_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(process: subprocess.Popen[Any]) -> None:
    """Stop a process and its group: with SIGTERM, then with SIGKILL."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run_until_told(
    work: Coroutine[Any, Any, None], *, fast: bool = True, elsewhere: bool = False
) -> None:
    """Run until SIGTERM; with `fast` on uvloop, if it is installed.

    With `elsewhere`, other processes go first, as if this one were on another machine.
    """
    if elsewhere:
        os.nice(19)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    with asyncio.Runner(loop_factory=_fast_loop if fast else None) as runner:
        runner.run(work)


def _fast_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
