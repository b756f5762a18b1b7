"""Listen, and shut down on a signal."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from aiohttp import web

from .app import create_app
from .errors import SettingsError
from .plugin.calls import Hooks
from .plugin.credentials import curl_credentials
from .settings.problems import Problems
from .settings.schema import Settings
from .settings.types import reachable_host
from .shutdown.signals import Signals
from .turns.registry import TurnRegistry
from .web.keys import ENGINE, HOOKS, MODELS, SETTINGS
from .web.listener import Listener
from .web.unix_socket import refuse_used

REQUEST_SHUTDOWN = 5.0
"""Seconds for other requests to end at shutdown. Turns have `server.drain`."""

log = logging.getLogger(__name__)

GC_THRESHOLD = 10_000
"""Allocations between two runs of the garbage collector. Turns leave next to no cycles, and with
Python's default of 700 the collector takes a tenth of the processor time."""


async def serve(settings: Settings, signals: Signals, problems: Problems | None = None) -> None:
    """Run the server until SIGINT, SIGTERM or SIGHUP, then shut it down.

    After the first signal, running turns have `server.drain` to end. A second one ends them at
    once; what they said so far is saved. `signals` ends the process when that takes too long.
    Raises `SettingsError` when it cannot start, also for the `problems` that were found before.
    """
    app = create_app(settings, problems=problems)
    # A handler only follows its turn, so it may be cancelled when its client disconnects
    runner = web.AppRunner(
        app, handler_cancellation=True, access_log=None, shutdown_timeout=REQUEST_SHUTDOWN
    )
    task = asyncio.current_task()
    assert task is not None
    listener = Listener(runner, settings)
    stop = _Shutdown(task, app[ENGINE].turns, settings.server.drain)
    with signals.serving(settings.server.drain, stop.signalled):
        try:
            await _try_port(settings)
            await runner.setup()
            # A plugin may have asked for them
            signals.install()
            if not stop.requested.is_set():
                with _explained(settings):
                    host, port = await listener.start()
                _say(_welcome(app, host, port, settings))
                _freeze_garbage_collector()
                await stop.requested.wait()
        except asyncio.CancelledError:
            if not stop.requested.is_set():
                raise
            stop.task.uncancel()
            # Keep listening, so that /readyz can answer 503
            await app[ENGINE].turns.close(settings.server.drain)
        finally:
            signals.drained()
            listener.close()
            await runner.cleanup()


class _Shutdown:
    """What signals do: the first shuts the server down, the next ones end the running turns."""

    def __init__(self, task: asyncio.Task[Any], turns: TurnRegistry, drain: float) -> None:
        self.requested = asyncio.Event()
        self.task = task
        self._turns = turns
        self._drain = drain

    def signalled(self) -> None:
        """Handle a signal."""
        running = self._turns.active
        if self.requested.is_set():
            self._turns.end_all()
            return
        self.requested.set()
        if running:
            log.info(
                "shutting down: %d running turn%s may take up to %g s; a second signal ends them",
                len(running),
                "s"[: len(running) - 1],
                self._drain,
            )
        else:
            log.info("shutting down")
        # The server may still be starting
        self.task.cancel()


def _say(text: str) -> None:
    """Print a text, if there is somebody who reads it."""
    with suppress(OSError, ValueError):
        print(text, flush=True)


async def _try_port(settings: Settings) -> None:
    """Raise `SettingsError` if the address is not available, before anything starts."""
    with _explained(settings):
        if settings.server.socket is not None:
            refuse_used(settings.server.socket)
            return
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            asyncio.Protocol, settings.server.host, settings.server.port, start_serving=False
        )
        server.close()


@contextmanager
def _explained(settings: Settings) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        path, reason = settings.server.socket, error.strerror or str(error)
        if error.errno == errno.EADDRINUSE:
            what, option = ("port", "--port") if path is None else ("socket", "--socket")
            reason = (
                f"the {what} is in use. Stop what listens there, or choose another with {option}"
            )
        elif error.errno is not None and error.errno in errno.errorcode:
            # asyncio's message repeats the address
            reason = os.strerror(error.errno)
        host, port = settings.server.host, settings.server.port
        place = f"{host}, port {port}" if path is None else path
        raise SettingsError(f"cannot listen on {place}: {reason}") from None


def _freeze_garbage_collector() -> None:
    """Exempt what the start allocated from garbage collection, which would delay turns.

    Garbage of the start, some megabytes, is collected first, for the turns to use.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    gc.enable()


def _welcome(app: web.Application, host: str, port: int, settings: Settings) -> str:
    if settings.server.socket is None:
        place = url = f"http://{reachable_host(host)}:{port}{settings.server.path}"
        curl = "curl -N"
    else:
        url = f"http://localhost{settings.server.path}"
        path = os.path.abspath(host)
        place = f"the socket {path}, for {url}"
        curl = f"curl -N --unix-socket {shlex.quote(path)}"
    # Where a plugin's `respond` answers, perhaps none is asked
    name = app[SETTINGS].agent.model
    model = f"  model:    {name}\n" if app[MODELS].serves(name) else ""
    return (
        f"chatkit-server listens on {place}\n"
        f"  settings: {settings.source.file.absolute() if settings.source.file else 'none'}\n"
        f"{model}"
        f"  plugins:  {', '.join(app[HOOKS].names)}\n"
        f"{_example(url, app[HOOKS], curl)}"
    )


def _example(url: str, hooks: Hooks, curl: str = "curl -N") -> str:
    """Return a request to try, with what the plugins in use need to know its user."""
    credentials, unknown = curl_credentials(hooks)
    message = '{"messages": [{"role": "user", "content": "add buy milk to my list"}]}'
    words = [curl, url, credentials, f"-d '{message}'"]
    note = f" (add what the plugin {unknown} needs to know you)" if unknown else ""
    return f"Try it{note}:\n  {' '.join(word for word in words if word)}"
