"""Start and stop an ASGI application, by its lifespan protocol."""

from __future__ import annotations

import asyncio
import logging
import sysconfig
import traceback
from typing import Any

from ...errors import SettingsError
from ...tasks import Escaped, contained
from .messages import Application, Message

_LIBRARIES = (*(sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib")), "<")

log = logging.getLogger(__name__)


class Lifespan:
    """Runs an application's lifespan in a task of its own, where its context managers also end.

    An application that does not know the protocol has nothing to start.
    """

    def __init__(self, app: Application) -> None:
        self._app = app
        self._asked: asyncio.Queue[Message] = asyncio.Queue()
        self._said: asyncio.Future[Message]
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> dict[str, Any]:
        """Wait until the application has started; return what it keeps for its requests.

        Raises `SettingsError` if it does not start.
        """
        state: dict[str, Any] = {}
        self._task = asyncio.create_task(self._run(state))
        said = await self._ask("startup", self._task)
        if said is None:
            error = self._task.exception()
            if isinstance(error, Escaped):
                raise SettingsError(f"the ASGI application did not start: {_described(error)}")
            if error is not None:
                log.debug("the ASGI application has no lifespan: %r", error)
            self._task = None
        elif said["type"] == "lifespan.startup.failed":
            why = await self._failure(self._task) or said.get("message") or "no reason given"
            raise SettingsError(f"the ASGI application did not start: {why}")
        return state

    async def stop(self) -> None:
        """Wait until the application has stopped. Raises what it raises, or `RuntimeError`."""
        if self._task is None:
            return
        said = await self._ask("shutdown", self._task)
        await self._task
        if said is not None and said["type"] == "lifespan.shutdown.failed":
            raise RuntimeError(said.get("message", ""))

    async def _run(self, state: dict[str, Any]) -> None:
        version = {"version": "3.0", "spec_version": "2.0"}
        scope = {"type": "lifespan", "asgi": version, "state": state}
        with contained():
            await self._app(scope, self._asked.get, self._say)

    async def _say(self, message: Message) -> None:
        if not self._said.done():
            self._said.set_result(message)

    async def _ask(self, what: str, task: asyncio.Task[None]) -> Message | None:
        """Tell the application to start or to stop; return its answer, None if it gives none."""
        self._said = asyncio.get_running_loop().create_future()
        self._asked.put_nowait({"type": f"lifespan.{what}"})
        try:
            ends: list[asyncio.Future[Any]] = [self._said, task]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            raise
        return self._said.result() if self._said.done() else None

    async def _failure(self, task: asyncio.Task[None]) -> str | None:
        """Return what the application raised: its message may be a whole traceback."""
        task.cancel()
        await asyncio.wait([task])
        error = None if task.cancelled() else task.exception()
        if error is None:
            return None
        log.debug("the ASGI application did not start", exc_info=error)
        return _described(error)


def _described(error: BaseException) -> str:
    """Return `file:line: ErrorType: message`, with the last line of the application's own code."""
    if isinstance(error, Escaped):
        error = error.error
    told = f"{type(error).__name__}: {' '.join(str(error).split())}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == __file__:
            break
        if not frame.filename.startswith(_LIBRARIES):
            return f"{frame.filename}:{frame.lineno}: {told}"
    return told
