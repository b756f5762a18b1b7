"""What is sent to an MCP server: noted, and under the name of this program."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from agents.mcp import MCPServer
from mcp import MCPError
from mcp.shared.message import SessionMessage
from mcp.types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    METHOD_NOT_FOUND,
    Implementation,
    JSONRPCRequest,
)

from .. import __version__
from .elicitation import CAPABILITY
from .exchange import current

_SELF = Implementation(name="chatkit-server", version=__version__).model_dump(
    by_alias=True, exclude_none=True
)


_MOST_TRIES = 3
"""How often an earlier protocol is tried with a server that then cannot be connected."""


@dataclass
class Outgoing:
    """How the requests to a server are sent. With `asks`, it is told that it can ask the user.

    With `earlier`, the client speaks a protocol before that of 2026-07-28: by that one, a server
    cannot ask while a call goes on, as some do that speak both.
    """

    asks: bool
    earlier: bool = False
    _tries: int = 0

    @property
    def may_go_back(self) -> bool:
        """Whether an earlier protocol may help."""
        return self.asks and not self.earlier and self._tries < _MOST_TRIES

    def go_back(self) -> bool:
        """Have the next connection speak an earlier protocol, if that may help."""
        goes_back = self.may_go_back
        self.earlier = self.earlier or goes_back
        self._tries += goes_back
        return goes_back


def note_requests(server: MCPServer, outgoing: Outgoing) -> None:
    """Have the requests of a server's client noted, in this and all its later connections."""
    streams: Callable[[], AbstractAsyncContextManager[Any]] = vars(server)["create_streams"]

    @asynccontextmanager
    async def noted() -> AsyncGenerator[tuple[Any, ...]]:
        async with streams() as (read, write, *others):
            yield (read, _Outbox(write, outgoing), *others)

    vars(server)["create_streams"] = noted


class _Outbox:
    """The stream of messages to a server."""

    def __init__(self, stream: Any, outgoing: Outgoing) -> None:
        self._stream = stream
        self._outgoing = outgoing

    async def send(self, item: SessionMessage) -> None:
        if isinstance(item.message, JSONRPCRequest):
            if item.message.method == "server/discover" and self._outgoing.earlier:
                # As servers answer that do not know it; the client begins in the earlier way then
                raise MCPError(METHOD_NOT_FOUND, "This is not asked.")
            _introduce(item.message, self._outgoing.asks)
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
