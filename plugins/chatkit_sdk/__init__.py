"""Runs a server written with ChatKit's own SDK: a subclass of `chatkit.server.ChatKitServer`.

- `loading`: imports the author's code.
- `stores`: the author's stores, for this server. `our_store`: this server's, for the author's code.
- `calls`: in which turn, and for whom, the author's code runs. `arguments`: of methods of stores.
- `dependencies`: functions that FastAPI gives their arguments.
- `requests`: the request as FastAPI would give it.
- `beside`: the author's ASGI application. `middleware`: its middleware, for requests to the server.
- `hosted`: the server's methods, called as the SDK calls them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

from aiohttp import web
from chatkit.actions import Action
from chatkit.store import AttachmentStore, Store
from chatkit.types import (
    AudioInput,
    FeedbackKind,
    SyncCustomActionResponse,
    ThreadStreamEvent,
    WidgetItem,
)
from pydantic import BaseModel, ConfigDict

from chatkit_server import STORE, StoreContext, Turn, User, hookimpl

from .beside import AppBeside, loaded_app
from .dependencies import Dependent
from .hosted import HostedServer
from .loading import Loader, check_call, has_dependencies
from .requests import auth_hook
from .stores import AuthorsAttachments, authors_store

__all__ = ["Config", "Plugin"]

LONGEST_TRANSCRIPTION = 60.0
"""Seconds that the author's code may take for a recording: it asks another service."""


class Config(BaseModel):
    """Which server, where its code is, and which store keeps its conversations.

    Names are those of uvicorn: `module:attribute`. `server` is a `ChatKitServer`, its class, or a
    function that returns one; a class or function may have an argument `store`. `context` is called
    with the request and the user. `user` is called with the request, and returns the id of the user
    who sends it (a number or a UUID is made text), or None if it does not know. `app` is an ASGI
    application that answers what this server does not. `app_dir` is put before the folders in which
    Python looks for modules.
    """

    model_config = ConfigDict(extra="forbid")

    server: str
    context: str | None = None
    user: str | None = None
    store: Literal["theirs", "ours"] = "theirs"
    app: str | None = None
    app_dir: Path = Path()


class Plugin:
    """Answers with the author's server in place of an agent."""

    keeps_pending = True
    """As in the SDK, the author's server decides about what its page has not answered."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.hook_timeouts = {"transcribe": LONGEST_TRANSCRIPTION}
        loader = Loader(config.app_dir)
        self.server = HostedServer.load(loader, config.server, config.context, config.store)
        if config.app is not None:
            uses_store = self.server.ours is not None
            self.server.beside = AppBeside(loaded_app(loader, config.app), uses_store)
        if config.user is not None:
            # Only then is it a plugin that knows users
            find_user = loader.load("user", config.user)
            check_call("user", config.user, find_user, "request")
            find_user = Dependent(find_user) if has_dependencies(find_user) else find_user
            self.auth = auth_hook(find_user, self.server.request)
            self.auth_tenants = {""}

    @hookimpl
    def store(self) -> Store[StoreContext] | None:
        if self.config.store == "ours":
            return None
        return authors_store(self.server.server.store, self.server.make_context)

    @hookimpl
    def attachment_store(self) -> AttachmentStore[StoreContext] | None:
        found = self.server.server.attachment_store
        return None if found is None else AuthorsAttachments(found, self.server.make_context)

    @hookimpl
    def setup(self, app: web.Application) -> None:
        if self.server.ours is not None:
            self.server.ours.connect(app[STORE])
        if self.server.beside is not None:
            app.cleanup_ctx.append(self.server.beside.run)
            self.server.beside.serve_rest(app)

    @hookimpl
    async def context(self, request: web.Request, user: User) -> Any:
        return await self.server.context(request, user)

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.stream_options = self.server.stream_options(turn)

    @hookimpl
    async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        return self.server.respond(turn)

    @hookimpl
    async def action(
        self, turn: Turn, action: Action[str, Any], item: WidgetItem | None
    ) -> AsyncIterator[ThreadStreamEvent] | SyncCustomActionResponse | None:
        if turn.operation == "threads.sync_custom_action":
            return await self.server.sync_action(turn, action, item)
        return self.server.action(turn, action, item)

    @hookimpl
    async def transcribe(self, user: User, audio: AudioInput, context: Any) -> str | None:
        return await self.server.transcribe(user, audio, context)

    @hookimpl
    async def feedback(
        self, user: User, thread_id: str, item_ids: list[str], kind: FeedbackKind, context: Any
    ) -> bool:
        return await self.server.add_feedback(user, thread_id, item_ids, kind, context)
