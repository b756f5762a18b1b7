"""What of a process still runs: its tasks, its threads, and its children."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import sysconfig
import threading
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from types import AsyncGeneratorType, CodeType, FrameType
from typing import Any

_MOST = 5
"""Tasks and threads that are named."""

_WAITING = ("selectors.py", str(Path("concurrent", "futures", "thread.py")))
"""Where an event loop and a thread of an executor are that have nothing to do."""

_NAMES = (
    ("cr_code", "cr_frame", "cr_await"),
    ("gi_code", "gi_frame", "gi_yieldfrom"),
    ("ag_code", "ag_frame", "ag_await"),
)
"""Attributes of coroutines, generators, and asynchronous generators."""

_STANDARD = sysconfig.get_path("stdlib")
_INSTALLED = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
_OWN = str(Path(__file__).parent.parent)


def what_hangs(loop: asyncio.AbstractEventLoop | None, but: Collection[int] = ()) -> str:
    """Return the tasks of an event loop and the threads that still run, with where they are.

    Those in a plugin's own files come first. Call it in another thread; `but` are the identities of
    threads to leave out.
    """
    found = sorted([*_tasks(loop), *_threads(but)], key=lambda place: place[0])
    names = list(dict.fromkeys(name for _, name in found))
    more = [f"and {len(names) - _MOST} more"] if len(names) > _MOST else []
    return "; ".join([*names[:_MOST], *more]) or "the end of the interpreter"


def _tasks(loop: asyncio.AbstractEventLoop | None) -> Iterator[tuple[int, str]]:
    if loop is None or loop.is_closed():
        return
    # Another thread may make tasks meanwhile
    with suppress(RuntimeError):
        for task in asyncio.all_tasks(loop):
            order, place = _place(list(_steps(task.get_coro())))
            yield order, f"task {task.get_name()} in {place}"


def _steps(waiting: Any) -> Iterator[tuple[CodeType, int]]:
    """Yield the code and the line of each coroutine or generator that awaits the next one."""
    while waiting is not None:
        for names in _NAMES:
            code = getattr(waiting, names[0], None)
            if code is not None:
                frame: FrameType | None = getattr(waiting, names[1])
                yield code, frame.f_lineno if frame is not None else code.co_firstlineno
                # `tasks.resumed` drives a coroutine itself
                driven = frame.f_locals.get("work") if frame is not None else None
                waiting = getattr(waiting, names[2]) or driven
                break
        else:
            # What awaits the next value of a generator names it in no other way
            parts = gc.get_referents(waiting)
            waiting = next((part for part in parts if isinstance(part, AsyncGeneratorType)), None)


def _threads(but: Collection[int]) -> Iterator[tuple[int, str]]:
    frames = sys._current_frames()
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if thread.daemon or thread.ident in but or frame is None:
            continue
        if not frame.f_code.co_filename.endswith(_WAITING):
            order, place = _place(list(_calls(frame)))
            is_main = thread is threading.main_thread()
            yield order - is_main, f"thread {thread.name} in {place}"


def _calls(frame: FrameType | None) -> Iterator[tuple[CodeType, int]]:
    calls: list[tuple[CodeType, int]] = []
    while frame is not None:
        calls.append((frame.f_code, frame.f_lineno))
        frame = frame.f_back
    yield from reversed(calls)


def _place(steps: list[tuple[CodeType, int]]) -> tuple[int, str]:
    """Return the innermost place: of a plugin's own file if there is one, or else of a library."""
    for order, is_elsewhere in enumerate((_is_library, _is_standard, _is_none)):
        for code, line in reversed(steps):
            if not is_elsewhere(code.co_filename):
                return order, f"{code.co_qualname} ({code.co_filename}:{line})"
    return 3, "?"


def _is_standard(file: str) -> bool:
    return not _is_installed(file) and file.startswith((_STANDARD, "<frozen "))


def _is_installed(file: str) -> bool:
    return file.startswith(_INSTALLED)


def _is_none(file: str) -> bool:
    return False


def _is_library(file: str) -> bool:
    return _is_standard(file) or _is_installed(file) or file.startswith(_OWN)


def end_children(parent: int, but: Collection[int] = ()) -> None:
    """Kill the child processes of a process, each with its group if it leads one."""
    for pid in _children(parent):
        if pid in but:
            continue
        with suppress(OSError):
            if os.getpgid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)
            else:
                os.kill(pid, signal.SIGKILL)


def _children(parent: int) -> Iterator[int]:
    """Yield the children of a process; none where there is no `/proc`."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            # pid (name) state parent; the name may contain anything
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
            if int(fields[1]) == parent:
                yield int(stat.parent.name)
