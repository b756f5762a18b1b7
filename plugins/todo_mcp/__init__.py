"""A todo list for each user, as MCP tools: for the agent, and at `/api/mcp` for any MCP client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.mcp import MCPServer
from aiohttp import web
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import Mount
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.context import get_current_context

from chatkit_server import (
    SETTINGS,
    AsgiApp,
    Forbidden,
    SettingsError,
    Size,
    UrlPath,
    User,
    authenticate,
    hookimpl,
)

from .server import USER, InProcessServer, http_server
from .tasks import TaskList

APP = "todo"


class Config(BaseModel):
    """`path` is where MCP clients reach the tools, over streamable HTTP."""

    path: UrlPath = "/api/mcp"
    max_body: Size = 64_000


class Plugin:
    """Keeps each user's tasks in the database of the storage plugin."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._connection: BaseDBAsyncClient | None = None
        # Without sessions and streams, any of several servers can answer any request
        sessions = StreamableHTTPSessionManager(
            http_server(self._tasks_of),
            json_response=True,
            stateless=True,
            max_request_body_size=config.max_body,
        )
        served = Starlette(
            routes=[Mount("/", sessions.handle_request)], lifespan=lambda _: sessions.run()
        )
        self._asgi = AsgiApp(served, max_body=config.max_body)

    @hookimpl
    def tortoise_apps(self) -> Mapping[str, Mapping[str, Any]]:
        """Have the storage plugin open the table of tasks."""
        package = __name__
        return {
            APP: {"models": [f"{package}.models"], "migrations": f"{package}.migrations"},
        }

    @hookimpl
    def mcp_servers(self) -> list[MCPServer]:
        """Return the server with the agent's tools."""
        return [InProcessServer(self._tasks_of)]

    @hookimpl
    def setup(self, app: web.Application) -> None:
        """Serve the tools over HTTP."""
        app.router.add_route("POST", self._config.path, self._answer)
        app.cleanup_ctx.append(self._asgi.run)
        # This runs after every cleanup_ctx, so the database is open
        app.on_startup.append(self._find_database)

    @hookimpl
    async def export(self, user: User) -> dict[str, list[Any]]:
        """Return the user's tasks."""
        tasks = await self._tasks_of(user.tenant, user.id).all()
        return {"tasks": [{"number": t.number, "title": t.title, "done": t.done} for t in tasks]}

    @hookimpl
    async def erase(self, user: User) -> dict[str, int]:
        """Delete the user's tasks."""
        return {"tasks": await self._tasks_of(user.tenant, user.id).delete_all()}

    async def _find_database(self, _: web.Application) -> None:
        context = get_current_context()
        if context is None or context.apps is None or APP not in context.apps:
            raise SettingsError(
                "todo_mcp stores its tasks in the database of tortoise_store: enable that plugin"
            )
        self._connection = context.db()

    def _tasks_of(self, tenant: str, user_id: str) -> TaskList:
        if self._connection is None:
            raise RuntimeError("todo_mcp was not started")
        return TaskList(self._connection, tenant, user_id)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        _check_origin(request)
        user = await authenticate(request)
        return await self._asgi.handle(request, **{USER: user})


def _check_origin(request: web.Request) -> None:
    """Refuse pages of other sites, as MCP requires of servers."""
    origin = request.headers.get("Origin")
    if origin is None or origin.partition("://")[2] == request.host:
        return
    if not {origin, "*"} & set(request.app[SETTINGS].server.cors_origins):
        raise Forbidden(
            f"Pages of {origin} may not use this server. To allow them, add the origin to "
            "`server.cors_origins`."
        )
