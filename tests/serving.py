"""Who asks a server under test, and which model answers."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from chatkit_server import User, hookimpl
from tests.model_server import ModelServer


class HeaderAuth:
    """Believes the header `X-User`, `tenant/id`; without it, everyone is `somebody`."""

    @hookimpl
    async def auth(self, request: web.Request) -> User:
        tenant, _, user_id = request.headers.get("X-User", "somebody").rpartition("/")
        return User(id=user_id, tenant=tenant, name=user_id.capitalize())


def served_by(server: ModelServer, **agent: Any) -> dict[str, Any]:
    """Return sections for `make_chat` whose agent asks `test/model` of the model server."""
    return {
        "agent": {"model": "test/model", **agent},
        "plugins": {"compatible_models": {"endpoints": {"test": {"base_url": server.url}}}},
    }
