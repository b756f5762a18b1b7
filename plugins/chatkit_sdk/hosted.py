"""A `ChatKitServer` of the author's, whose methods are called as the SDK calls them."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from aiohttp import web
from chatkit.actions import Action
from chatkit.server import ChatKitServer
from chatkit.types import (
    AudioInput,
    FeedbackKind,
    StreamOptions,
    StreamOptionsEvent,
    SyncCustomActionResponse,
    ThreadMetadata,
    ThreadStreamEvent,
    WidgetItem,
)
from starlette.requests import Request

from chatkit_server import RequestNeeded, SettingsError, StoreContext, Turn, User
from chatkit_server.storage import in_local_time

from .beside import AppBeside
from .calls import CALL, CALLER, begin, end, unwrapped, wrapped
from .dependencies import Dependent
from .loading import Loader, called, check_call, failures_named, has_dependencies
from .our_store import OurStore
from .requests import NO_APP, http_errors, starlette_request

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
        make: Any = None if context is None else loader.load("context", context)
        if context is not None:
            check_call("context", context, make, "request", "user")
            make = Dependent(make) if has_dependencies(make) else make
        _warn_of_overrides(found)
        return cls(found, make, ours)

    async def context(self, request: web.Request, user: User) -> Any:
        """Return the author's context for a request, as this server keeps it."""
        return wrapped(await self._context(request, user))

    async def make_context(self, user: User) -> Any:
        """Return the author's context where there is no request, as in a recovery.

        Raises `RequestNeeded` if the author's function needs one.
        """
        try:
            return await self._context(None, user)
        except Exception as error:
            raise RequestNeeded("chatkit_sdk: `context` fails without a request") from error

    async def _context(self, request: web.Request | None, user: User) -> Any:
        with http_errors():
            shown = await self.request(request, user)
            if self._make is None:
                return {"request": shown}
            made = called("context", self._make, request=shown, user=user)
            return await made if inspect.isawaitable(made) else made

    async def request(self, request: web.Request | None, user: User | None) -> Request:
        """Return the request that the author's code gets."""
        if self.beside is None:
            return starlette_request(request, user, NO_APP)
        return await self.beside.request(request, user)

    def stream_options(self, turn: Turn) -> StreamOptions:
        """Return what the author says about the turn's stream."""
        return self.server.get_stream_options(_thread(turn), _context(turn))

    def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        """Yield the author's answer."""
        message = None if turn.message is None else in_local_time(turn.message)
        context = _context(turn)
        return self._stream(turn, lambda: self.server.respond(_thread(turn), message, context))

    def action(
        self, turn: Turn, action: Action[str, Any], sender: WidgetItem | None
    ) -> AsyncIterator[ThreadStreamEvent] | None:
        """Yield the author's answer to an action; None if the author has none."""
        if not self._has("action"):
            return None
        context, shown = _context(turn), _sender(sender)
        options = self.stream_options(turn)
        # An action has no `pre_turn` in which to set them
        first = [] if options == turn.stream_options else [options]
        return self._stream(
            turn, lambda: self.server.action(_thread(turn), action, shown, context), first
        )

    async def sync_action(
        self, turn: Turn, action: Action[str, Any], sender: WidgetItem | None
    ) -> SyncCustomActionResponse | None:
        """Return the author's answer to an action that is answered at once."""
        if not self._has("sync_action"):
            return None
        with _call(turn):
            return await self.server.sync_action(
                _thread(turn), action, _sender(sender), _context(turn)
            )

    async def transcribe(self, user: User, audio: AudioInput, context: Any) -> str | None:
        """Return the text of a recording."""
        if not self._has("transcribe"):
            return None
        with _set(CALLER, StoreContext(user, context=context)):
            return (await self.server.transcribe(audio, context=unwrapped(context))).text

    async def add_feedback(
        self, user: User, thread_id: str, item_ids: list[str], kind: FeedbackKind, context: Any
    ) -> bool:
        """Tell the author's server what a user thinks of an answer.

        One without this method accepts it, as the SDK does.
        """
        with _set(CALLER, StoreContext(user, context=context)):
            await self.server.add_feedback(thread_id, item_ids, kind, unwrapped(context))
        return True

    def _has(self, name: str) -> bool:
        """Whether the author's class overrides a method."""
        return getattr(type(self.server), name) is not getattr(ChatKitServer, name)

    async def _stream(
        self, turn: Turn, stream: Stream, options: Sequence[StreamOptions] = ()
    ) -> AsyncIterator[ThreadStreamEvent]:
        # This is the turn's own task: nothing else runs in it afterwards
        call = begin(turn)
        CALL.set(call)
        try:
            for told in options:
                yield StreamOptionsEvent(stream_options=told)
            async for event in stream():
                yield event
        except asyncio.CancelledError:
            pending = [in_local_time(item) for item in turn.unfinished_items()]
            await self.server.handle_stream_cancelled(_thread(turn), pending, _context(turn))
            raise
        finally:
            end(call)


def _context(turn: Turn) -> Any:
    return unwrapped(turn.request_context)


def _thread(turn: Turn) -> ThreadMetadata:
    """Return the turn's own thread, whose changes count, with its time as the SDK makes it."""
    turn.thread.created_at = in_local_time(turn.thread).created_at
    return turn.thread


def _sender(widget: WidgetItem | None) -> WidgetItem | None:
    return None if widget is None else in_local_time(widget)


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
def _call(turn: Turn) -> Iterator[None]:
    call = begin(turn)
    try:
        with _set(CALL, call):
            yield
    finally:
        end(call)


@contextmanager
def _set(variable: Any, value: Any) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
