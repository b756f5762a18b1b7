"""A `ChatKitServer` of the author's, whose methods are called as the SDK calls them."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from aiohttp import web
from chatkit.actions import Action
from chatkit.server import ChatKitServer
from chatkit.types import (
    AudioInput,
    FeedbackKind,
    StreamOptions,
    SyncCustomActionResponse,
    ThreadStreamEvent,
    WidgetItem,
)
from starlette.exceptions import HTTPException

from chatkit_server import SettingsError, StoreContext, Turn, User

from .beside import AppBeside
from .loading import Loader, called, check_call, failures_named
from .requests import server_error, starlette_request
from .stores import CALLER, TURN, OurStore, as_in_sdk

log = logging.getLogger(__name__)

Stream = Callable[[], AsyncIterator[ThreadStreamEvent]]


class HostedServer:
    """The author's server.

    `ours` is this server's store, if that keeps its conversations; `beside` the author's
    application, if there is one.
    """

    def __init__(
        self,
        server: ChatKitServer[Any],
        make: Callable[..., Any] | None = None,
        ours: OurStore | None = None,
    ) -> None:
        self.server = server
        self.ours = ours
        self.beside: AppBeside | None = None
        self._make = make

    @classmethod
    def load(
        cls, loader: Loader, server: str, context: str | None, store: Literal["theirs", "ours"]
    ) -> HostedServer:
        """Return the server of this name; `context` names the function that makes its context."""
        ours = OurStore() if store == "ours" else None
        found = loader.load("server", server)
        if not isinstance(found, ChatKitServer):
            if not callable(found):
                raise SettingsError(
                    f"server: {server} is a {type(found).__name__}, expected a ChatKitServer, its "
                    "class, or a function that returns one"
                )
            found = _made(found, server, ours)
        if ours is not None and found.store is not ours:
            ours.replace(found.store)
            found.store = ours
        make = None if context is None else loader.load("context", context)
        if context is not None:
            check_call("context", context, make, "request", "user")
        _warn_of_overrides(found)
        return cls(found, make, ours)

    async def context(self, request: web.Request, user: User) -> Any:
        """Return the author's context for a request."""
        return await self._context(request, user)

    async def make_context(self, user: User) -> Any:
        """Return the author's context where there is no request."""
        return await self._context(None, user)

    async def _context(self, request: web.Request | None, user: User) -> Any:
        app_scope = None if self.beside is None else self.beside.scope
        shown = starlette_request(request, user, app_scope)
        if self._make is None:
            return {"request": shown}
        try:
            made = called("context", self._make, request=shown, user=user)
            return await made if inspect.isawaitable(made) else made
        except HTTPException as error:
            raise server_error(error) from error

    def stream_options(self, turn: Turn) -> StreamOptions:
        """Return what the author says about the turn's stream."""
        return self.server.get_stream_options(turn.thread, turn.request_context)

    def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        """Yield the author's answer."""
        message = None if turn.message is None else as_in_sdk(turn.message)
        context = turn.request_context
        return self._stream(turn, lambda: self.server.respond(turn.thread, message, context))

    def action(
        self, turn: Turn, action: Action[str, Any], sender: WidgetItem | None
    ) -> AsyncIterator[ThreadStreamEvent] | None:
        """Yield the author's answer to an action; None if the author has none."""
        if not self._has("action"):
            return None
        context = turn.request_context
        return self._stream(turn, lambda: self.server.action(turn.thread, action, sender, context))

    async def sync_action(
        self, turn: Turn, action: Action[str, Any], sender: WidgetItem | None
    ) -> SyncCustomActionResponse | None:
        """Return the author's answer to an action that is answered at once."""
        if not self._has("sync_action"):
            return None
        with _set(TURN, turn):
            return await self.server.sync_action(turn.thread, action, sender, turn.request_context)

    async def transcribe(self, user: User, audio: AudioInput, context: Any) -> str | None:
        """Return the text of a recording."""
        if not self._has("transcribe"):
            return None
        with _set(CALLER, StoreContext(user, context=context)):
            return (await self.server.transcribe(audio, context=context)).text

    async def add_feedback(
        self, user: User, thread_id: str, item_ids: list[str], kind: FeedbackKind, context: Any
    ) -> bool:
        """Tell the author's server what a user thinks of an answer.

        One without this method accepts it, as the SDK does.
        """
        with _set(CALLER, StoreContext(user, context=context)):
            await self.server.add_feedback(thread_id, item_ids, kind, context)
        return True

    def _has(self, name: str) -> bool:
        """Whether the author's class overrides a method."""
        return getattr(type(self.server), name) is not getattr(ChatKitServer, name)

    async def _stream(self, turn: Turn, stream: Stream) -> AsyncIterator[ThreadStreamEvent]:
        # This is the turn's own task: nothing else runs in it afterwards
        TURN.set(turn)
        turn.thread.created_at = as_in_sdk(turn.thread).created_at
        try:
            async for event in stream():
                yield event
        except asyncio.CancelledError:
            await self.server.handle_stream_cancelled(
                turn.thread, turn.unfinished_items(), turn.request_context
            )
            raise


def _warn_of_overrides(server: ChatKitServer[Any]) -> None:
    """Say what of the author's class is never called: this server does it itself."""
    internal = {name: f for name, f in vars(ChatKitServer).items() if inspect.isfunction(f)}
    own = [
        name
        for name, function in internal.items()
        if (name == "process" or (name.startswith("_") and name != "__init__"))
        and getattr(type(server), name) is not function
    ]
    if own:
        names = ", ".join(f"`{name}`" for name in own)
        what = "which this server never calls: it does their work itself"
        log.warning("chatkit_sdk: %s overrides %s, %s", type(server).__name__, names, what)


def _made(factory: Callable[..., Any], name: str, ours: OurStore | None) -> ChatKitServer[Any]:
    arguments = {} if ours is None else {"store": ours}
    check_call("server", name, factory, *arguments)
    with failures_named("server", f"{name}()"):
        made = called("server", factory, **arguments)
    if inspect.isawaitable(made):
        if inspect.iscoroutine(made):
            made.close()
        raise SettingsError(f"server: {name} must be a plain `def`: it is called before the start")
    if not isinstance(made, ChatKitServer):
        raise SettingsError(
            f"server: {name} returned a {type(made).__name__}, expected a ChatKitServer"
        )
    return made


@contextmanager
def _set(variable: Any, value: Any) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
