"""Start and stop an ASGI application, by its lifespan protocol."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from ...errors import SettingsError
from ...plugin.mistakes import described
from .messages import Application, Message

log = logging.getLogger(__name__)


class Lifespan:
    """Runs an application's lifespan in a task of its own, where its context managers also end.

    An application that does not know the protocol has nothing to start.
    """

    def __init__(self, app: Application) -> None:
        self.state: dict[str, Any] = {}
        """What the application keeps for its requests."""
        self._app = app
        self._asked: asyncio.Queue[Message] = asyncio.Queue()
        self._said: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Wait until the application has started. Raises what it raises, or `SettingsError`."""
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        self._task = asyncio.create_task(self._run(scope))
        said = await self._ask("startup")
        if said is None:
            # It does not know the protocol
            await asyncio.wait([self._task])
            if (error := self._task.exception()) is not None:
                log.debug("an ASGI application has no lifespan: %r", error)
            self._task = None
        elif said["type"] == "lifespan.startup.failed":
            await self._fail(said.get("message", ""))

    async def stop(self) -> None:
        """Wait until the application has stopped. Raises what it raises, or `RuntimeError`."""
        if self._task is None:
            return
        said = await self._ask("shutdown")
        if said is None or said["type"] == "lifespan.shutdown.complete":
            await self._task
        else:
            await self._task
            raise RuntimeError(said.get("message") or "the application did not stop")

    async def _run(self, scope: dict[str, Any]) -> None:
        await self._app(scope, self._asked.get, self._said.put)

    async def _ask(self, what: str) -> Message | None:
        """Tell the application to start or to stop; return its answer, None if it gives none."""
        assert self._task is not None
        self._asked.put_nowait({"type": f"lifespan.{what}"})
        answer = asyncio.create_task(self._said.get())
        try:
            await asyncio.wait([answer, self._task], return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                # It may have ended right after its answer
                return None if self._said.empty() else self._said.get_nowait()
            return answer.result()
        finally:
            answer.cancel()

    async def _fail(self, message: str) -> None:
        task, self._task = self._task, None
        assert task is not None
        task.cancel()
        await asyncio.wait([task])
        # What it raises says more than its message, which may be a whole traceback
        if not task.cancelled() and (error := task.exception()) is not None:
            raise SettingsError(
                f"the ASGI application did not start: {described(error)}"
            ) from error
        raise SettingsError(message or "the ASGI application did not start")
