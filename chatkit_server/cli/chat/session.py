"""Connects to the server, and talks: in the terminal, or once for a script."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from aiohttp import ClientSession, ClientTimeout, TCPConnector, UnixConnector

from .commands import handle
from .dialog import INTERRUPTED, Dialog, Interrupts
from .items import Sinks
from .keyboard import ENDS, Keyboard, Left, Terminal, history_file
from .pictures import Pictures
from .place import Place, sign_in_hint
from .screen import DIM, Screen, in_line
from .server import ChatServer, NoEndpoint, Refused, Unreachable
from .started import started_server
from .view import Event, View

APPROVAL = "chatkit_server.approval"
FAILED, NO_SERVER = 1, 2
SILENCE = 60.0
"""Seconds without a byte after which a connection counts as lost; streams have keep-alives."""


@dataclass(frozen=True)
class Options:
    """What the command line says: `start` are the settings of a server to start."""

    thread_id: str | None = None
    message: str | None = None
    as_json: bool = False
    model: str | None = None
    start: Path | None = None


def talk(place: Place, options: Options) -> int:
    """Talk to a server; return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    return asyncio.run(_talk(place, options))


async def _talk(place: Place, options: Options) -> int:
    task = asyncio.current_task()
    assert task is not None
    interrupts = Interrupts(task.cancel)
    warn = Screen(sys.stderr, colour=has_colour(sys.stderr))
    try:
        with _signals_for(interrupts):
            async with _running(place, options, warn) as found:
                if options.message is not None:
                    return await _once(found, options, interrupts, warn)
                return await _interactive(found, options, interrupts)
    except asyncio.CancelledError:
        return INTERRUPTED
    except Unreachable as error:
        warn.line(f"chatkit-server: {in_line(error)}")
        if options.start is None:
            warn.line(
                "Start one with `chatkit-server run`, have this command start one with --start, or "
                "name another by --url"
            )
        return NO_SERVER
    except Refused as refused:
        warn.line(f"chatkit-server: {in_line(refused.message)}")
        if refused.status == 401:
            warn.line(in_line(sign_in_hint(place.settings)))
        no_server = isinstance(refused, NoEndpoint) or refused.status in (401, 403)
        return NO_SERVER if no_server else FAILED


@asynccontextmanager
async def _running(place: Place, options: Options, warn: Screen) -> AsyncIterator[Place]:
    if options.start is None:
        yield place
        return
    async with started_server(options.start) as url:
        warn.line(f"started a server for this conversation: {url}", DIM)
        yield replace(place, url=url, socket=None)


@asynccontextmanager
async def connected(place: Place, sinks: Sinks) -> AsyncIterator[ChatServer]:
    """Open the connections to a server."""
    # The loop stands still while the user types, and would not see that one was closed
    connector = (
        TCPConnector(force_close=True)
        if place.socket is None
        else UnixConnector(str(place.socket), force_close=True)
    )
    timeout = ClientTimeout(total=None, sock_connect=10, sock_read=SILENCE)
    async with ClientSession(connector=connector, timeout=timeout) as session:
        yield ChatServer(session, place.url, place.headers, sinks.aside)


async def _interactive(place: Place, options: Options, interrupts: Interrupts) -> int:
    colour = has_colour(sys.stdout)
    screen = Screen(sys.stdout, colour=colour)
    sinks = Sinks(screen, screen, screen)
    keyboard = Terminal(history_file(), colour=colour)
    async with connected(place, sinks) as server:
        view = View(sinks, Pictures(place.url).save)
        dialog = Dialog(server, view, keyboard, interrupts)
        try:
            return await converse(dialog, options)
        finally:
            keyboard.save()


async def converse(dialog: Dialog, options: Options) -> int:
    """Greet the user, open the conversation, and talk."""
    # Tells at once whether somebody answers, and lets this user in
    await dialog.server.ask("threads.list", limit=1)
    dialog.view.sinks.aside(f"{dialog.server.url}: /help lists what you can do")
    dialog.model = options.model
    if options.thread_id is not None:
        try:
            await dialog.open(options.thread_id)
        except Left:
            dialog.view.sinks.aside("(left open; /answer comes back to it)")
    return await dialog.run(handle)


class _Nobody:
    """Stands for the keyboard in a script: no question is answered."""

    async def read(self, prompt: str, *, secret: bool = False, remembered: bool = False) -> str:
        raise Left


class _JsonView(View):
    """Writes each event as a line of JSON."""

    def __init__(self, out: TextIO) -> None:
        silent = Screen(None)
        super().__init__(Sinks(silent, silent, silent), lambda _, url: url)
        self._lines = out

    def take(self, event: Event) -> None:
        super().take(event)
        # Escapes all that is not ASCII, and so what a terminal would act on
        print(json.dumps(event), file=self._lines, flush=True)


async def _once(place: Place, options: Options, interrupts: Interrupts, warn: Screen) -> int:
    say = Screen(sys.stdout, colour=has_colour(sys.stdout))
    sinks = Sinks(say, Screen(None), warn)
    view = _JsonView(sys.stdout) if options.as_json else View(sinks, Pictures(place.url).save)
    # That the connection was lost is worth a line even here
    async with connected(place, Sinks(say, warn, warn)) as server:
        keyboard: Keyboard = _Nobody()
        dialog = Dialog(server, view, keyboard, interrupts)
        dialog.model = options.model
        return await answer_once(dialog, options, warn)


async def answer_once(dialog: Dialog, options: Options, warn: Screen) -> int:
    """Send one message; return 0 if it was answered, 1 if the turn failed or waits for the user."""
    view = dialog.view
    view.thread_id = options.thread_id
    try:
        await dialog.say(options.message or "")
        waits = any(c.action.get("type") == APPROVAL for c in view.choices.values())
    except Left:
        waits = True
    if dialog.interrupts.pressed:
        return INTERRUPTED
    if waits:
        warn.line(
            f"The answer waits for you: chatkit-server chat --thread {in_line(view.thread_id)}"
        )
    return FAILED if waits or view.error is not None else 0


def has_colour(out: TextIO) -> bool:
    """Whether escape codes are welcome: in a terminal, unless `NO_COLOR` or `TERM=dumb` is set."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return out.isatty() and not plain


@contextmanager
def _signals_for(interrupts: Interrupts) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        # Signals are for that one
        yield
        return
    loop = asyncio.get_running_loop()
    acts = {signal.SIGINT: interrupts.press, **dict.fromkeys(ENDS, interrupts.leave)}

    def caught(number: int, _: object) -> None:
        loop.call_soon_threadsafe(acts[signal.Signals(number)])

    before = {number: signal.signal(number, caught) for number in acts}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
