"""Listen until told to stop."""

from __future__ import annotations

import asyncio
import errno
import gc
import ipaddress
import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from .app import create_app
from .errors import SettingsError
from .plugin.calls import Hooks
from .plugin.credentials import curl_credentials
from .settings.problems import Problems
from .settings.schema import Settings
from .turns.registry import TurnRegistry
from .turns.running import RESTARTED
from .web.keys import ENGINE, HOOKS

LAST_ANSWERS = 5.0
"""The seconds that requests which are no turns have to end when the server stops."""

log = logging.getLogger(__name__)

GARBAGE = 10_000
"""Objects made between two looks for garbage. Turns leave next to none, and at Python's own 700
the looks take a tenth of a server's processor time."""


async def serve(settings: Settings, problems: Problems | None = None) -> None:
    """Run the server until SIGINT or SIGTERM, and then end it cleanly.

    The first signal gives the turns under way `server.drain` to end; another one ends them at
    once, and what they said so far is saved. Raises `SettingsError` when it cannot start, also
    for the `problems` that were found before.
    """
    app = create_app(settings, problems=problems)
    # A handler only follows its turn: it goes with its client, and the turn decides for itself
    runner = web.AppRunner(
        app, handler_cancellation=True, access_log=None, shutdown_timeout=LAST_ANSWERS
    )
    task = asyncio.current_task()
    assert task is not None
    stop = _Shutdown(task, app[ENGINE].turns, settings.server.drain)
    with _on_signals(stop.signalled):
        try:
            await _try_port(settings)
            await runner.setup()
            await _listen(runner, settings)
            print(_welcome(app, runner, settings), flush=True)
            _leave_to_the_process()
            await stop.told.wait()
        except asyncio.CancelledError:
            if not stop.told.is_set():
                raise
            stop.task.uncancel()
            # Still listening, so that /readyz can say no
            await app[ENGINE].turns.close(settings.server.drain)
        finally:
            await runner.cleanup()


class _Shutdown:
    """What signals do: the first ends the server, the next ones the turns it waits for."""

    def __init__(self, task: asyncio.Task[Any], turns: TurnRegistry, drain: float) -> None:
        self.told = asyncio.Event()
        self.task = task
        self._turns = turns
        self._drain = drain

    def signalled(self) -> None:
        """Take a signal."""
        running = self._turns.active
        if self.told.is_set():
            for turn in running:
                turn.end(RESTARTED)
            return
        self.told.set()
        if running:
            log.info(
                "stopping: %d turn%s under way may take up to %g s; a second signal ends them now",
                len(running),
                "s"[: len(running) - 1],
                self._drain,
            )
        else:
            log.info("stopping")
        # it may still be starting
        self.task.cancel()


@contextmanager
def _on_signals(handle: Callable[[], None]) -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    loop = asyncio.get_running_loop()
    for number in numbers:
        loop.add_signal_handler(number, handle)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, before[number])


async def _try_port(settings: Settings) -> None:
    """Raise `SettingsError` for an address that cannot be listened on, before anything starts."""
    with _explained(settings):
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            asyncio.Protocol, settings.server.host, settings.server.port, start_serving=False
        )
        server.close()


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    with _explained(settings):
        await web.TCPSite(runner, settings.server.host, settings.server.port).start()


@contextmanager
def _explained(settings: Settings) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror
        if error.errno == errno.EADDRINUSE:
            reason = "the port is in use. Stop what listens there, or choose another with --port"
        elif error.errno is not None and error.errno in errno.errorcode:
            # asyncio's own words have the address again
            reason = os.strerror(error.errno)
        host, port = settings.server.host, settings.server.port
        raise SettingsError(f"cannot listen on {host}, port {port}: {reason}") from None


def _leave_to_the_process() -> None:
    """Keep what the start made for good: looking for garbage among it would hold up turns.

    What it made and does not need any more, some megabytes, is for the turns to use.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
    gc.enable()


def _welcome(app: web.Application, runner: web.AppRunner, settings: Settings) -> str:
    host, port = runner.addresses[0][:2]
    url = f"http://{_reachable(host)}:{port}{settings.server.path}"
    return (
        f"chatkit-server listens on {url}\n"
        f"  settings: {settings.source.file.absolute() if settings.source.file else 'none'}\n"
        f"  model:    {settings.agent.model}\n"
        f"  plugins:  {', '.join(app[HOOKS].names)}\n"
        f"{_example(url, app[HOOKS])}"
    )


def _example(url: str, hooks: Hooks) -> str:
    """Return a request to try, with what the plugins in use need to know its user."""
    credentials, unknown = curl_credentials(hooks)
    message = '{"messages": [{"role": "user", "content": "add buy milk to my list"}]}'
    words = ["curl -N", url, credentials, f"-d '{message}'"]
    note = f" (add what the plugin {unknown} needs to know you)" if unknown else ""
    return f"Try it{note}:\n  {' '.join(word for word in words if word)}"


def _reachable(host: str) -> str:
    """Return a bound address as a client on this machine writes it."""
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        return "[::1]" if address.version == 6 else "127.0.0.1"
    return f"[{host}]" if address.version == 6 else host
