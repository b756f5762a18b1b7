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
from socket import gaierror
from typing import Any

from aiohttp import web

from .app import create_app
from .errors import CannotListen
from .plugin.calls import Hooks
from .plugin.credentials import curl_credentials
from .reload.generation import Generation
from .settings.address import reachable_host
from .settings.problems import Problems
from .settings.schema import Settings
from .shutdown.signals import Signals
from .turns.registry import TurnRegistry
from .web.keys import ENGINE, HOOKS, MODELS, PAGES, SETTINGS, THREADS
from .web.listener import Listener
from .web.unix_socket import refuse_used

REQUEST_SHUTDOWN = 5.0
"""Seconds for other requests to end at shutdown. Turns have `server.drain`."""

log = logging.getLogger(__name__)

GC_THRESHOLD = 10_000
"""Allocations between two runs of the garbage collector. Turns leave next to no cycles, and with
Python's default of 700 the collector takes a tenth of the processor time."""


async def serve(
    settings: Settings,
    signals: Signals,
    problems: Problems | None = None,
    generation: Generation | None = None,
) -> None:
    """Run the server until SIGINT, SIGTERM or SIGHUP, then shut it down.

    After the first signal, running turns have `server.drain` to end. A second one ends them at
    once; what they said so far is saved. `signals` ends the process when that takes too long.
    As a `generation` it may be told, too, that another one has taken over. Raises `SettingsError`
    when it cannot start, also for the `problems` that were found before.
    """
    try:
        app = create_app(settings, problems=problems)
    finally:
        if generation is not None:
            generation.tell_sources(settings.plugin_dirs)
    # A handler only follows its turn, so it may be cancelled when its client disconnects
    runner = web.AppRunner(
        app, handler_cancellation=True, access_log=None, shutdown_timeout=REQUEST_SHUTDOWN
    )
    task = asyncio.current_task()
    assert task is not None
    bound = [] if generation is None else generation.bound(settings.server)
    listener = Listener(runner, settings, bound)
    stop = _Shutdown(task, app[ENGINE].turns, settings.server.drain)
    with signals.serving(settings.server.drain, stop.signalled):
        try:
            if not bound:
                await try_port(settings)
            await runner.setup()
            # A plugin may have asked for them
            signals.install()
            if not stop.requested.is_set():
                with _explained(settings):
                    host, port = await listener.start()
                if not bound:
                    _say(_welcome(app, host, port, settings))
                _freeze_garbage_collector()
                if generation is not None:
                    _Successor(generation, runner, listener, stop, signals)
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
        self.drain = drain
        self._turns = turns

    def begin(self) -> None:
        """Shut the server down. It may still be starting, and may be told twice."""
        if self.requested.is_set():
            return
        self.requested.set()
        self.task.cancel()

    def signalled(self) -> None:
        """Handle a signal."""
        running = self._turns.active
        if self.requested.is_set():
            self._turns.end_all()
            return
        if running:
            log.info(
                "shutting down: %d running turn%s may take up to %g s; a second signal ends them",
                len(running),
                "s"[: len(running) - 1],
                self.drain,
            )
        else:
            log.info("shutting down")
        self.begin()


class _Successor:
    """Ends a server once its next generation has taken over: all requests go there."""

    def __init__(
        self,
        generation: Generation,
        runner: web.AppRunner,
        listener: Listener,
        stop: _Shutdown,
        signals: Signals,
    ) -> None:
        """Say that this generation serves."""
        self._signals = signals
        self._generation = generation
        self._turns = runner.app[ENGINE].turns
        self._watch = runner.app[THREADS]
        self._listener = listener
        self._stop = stop
        self._task: asyncio.Task[None] | None = None
        server = runner.app[SETTINGS].server
        generation.serves(listener.hand_over(), server, self._retire, listener.take)

    def _retire(self) -> None:
        self._listener.retire(self._generation.move)
        # Answers, and the turns that pages wait for, would go to the next generation
        self._turns.leave_questions()
        self._watch.close()
        self._task = asyncio.create_task(self._end())

    async def _end(self) -> None:
        await self._turns.vacant()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._stop.drain):
                await self._listener.connections.all_closed()
                # Started by requests that had begun
                await self._turns.vacant()
        self._signals.begin()
        self._stop.begin()


def _say(text: str) -> None:
    """Print a text, if there is somebody who reads it."""
    with suppress(OSError, ValueError):
        print(text, flush=True)


async def try_port(settings: Settings) -> None:
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
        if path is None and (error.errno == errno.EADDRNOTAVAIL or isinstance(error, gaierror)):
            reason += ". Set server.host to an address or a name of this machine"
        elif path is None and error.errno == errno.EACCES:
            reason += ". Choose a port above 1023 with --port, or let this user listen on it"
        host, port = settings.server.host, settings.server.port
        place = f"{host}, port {port}" if path is None else path
        raise CannotListen(f"cannot listen on {place}: {reason}") from None


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
        f"{_pages(app, host, port)}"
        f"{_example(url, app[HOOKS], curl)}"
    )


def _pages(app: web.Application, host: str, port: int) -> str:
    """Return a line for each page that a browser on this machine can open."""
    if app[SETTINGS].server.socket is not None:
        return ""
    origin = f"http://{reachable_host(host)}:{port}"
    return "".join(f"Open {origin}{path}\n" for path in app[PAGES])


def _example(url: str, hooks: Hooks, curl: str = "curl -N") -> str:
    """Return a request to try, with what the plugins in use need to know its user."""
    credentials, unknown = curl_credentials(hooks)
    message = '{"messages": [{"role": "user", "content": "add buy milk to my list"}]}'
    words = [curl, url, credentials, f"-d '{message}'"]
    note = f" (add what the plugin {unknown} needs to know you)" if unknown else ""
    return f"Try it{note}:\n  {' '.join(word for word in words if word)}"
