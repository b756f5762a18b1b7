"""What is sent to an MCP server: noted, and under the name of this program."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from agents.mcp import MCPServer
from mcp.shared.message import SessionMessage
from mcp.types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    Implementation,
    JSONRPCRequest,
)

from .. import __version__
from .elicitation import CAPABILITY
from .exchange import current

_SELF = Implementation(name="chatkit-server", version=__version__).model_dump(
    by_alias=True, exclude_none=True
)


def note_requests(server: MCPServer, *, asks: bool) -> None:
    """Have the requests of a server's client noted, in this and all its later connections.

    With `asks`, the server is told that it can ask the user.
    """
    streams: Callable[[], AbstractAsyncContextManager[Any]] = vars(server)["create_streams"]

    @asynccontextmanager
    async def noted() -> AsyncGenerator[tuple[Any, ...]]:
        async with streams() as (read, write, *others):
            yield (read, _Outbox(write, asks), *others)

    vars(server)["create_streams"] = noted


class _Outbox:
    """The stream of messages to a server."""

    def __init__(self, stream: Any, asks: bool) -> None:
        self._stream = stream
        self._asks = asks

    async def send(self, item: SessionMessage) -> None:
        if isinstance(item.message, JSONRPCRequest):
            _introduce(item.message, self._asks)
        exchange = current()
        await self._stream.send(item)
        if exchange is not None:
            exchange.sent = True

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def __aenter__(self) -> _Outbox:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> bool | None:
        leave: bool | None = await self._stream.__aexit__(*error)
        return leave


def _introduce(request: JSONRPCRequest, asks: bool) -> None:
    """Put this program in place of the library, which cannot be told."""
    params = request.params or {}
    if request.method == "initialize":
        params["clientInfo"] = _SELF
        capabilities = params.setdefault("capabilities", {})
    elif CLIENT_INFO_META_KEY in (meta := params.get("_meta") or {}):
        meta[CLIENT_INFO_META_KEY] = _SELF
        # A new one: the library sends the same object with each request
        capabilities = meta[CLIENT_CAPABILITIES_META_KEY] = {
            **(meta.get(CLIENT_CAPABILITIES_META_KEY) or {})
        }
    else:
        return
    if asks:
        capabilities["elicitation"] = CAPABILITY
