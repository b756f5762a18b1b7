"""MCP servers from the settings, whose tools the agent gets."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast
from urllib.parse import urlsplit

from agents.mcp import (
    MCPServer,
    MCPServerSse,
    MCPServerSseParams,
    MCPServerStdio,
    MCPServerStdioParams,
    MCPServerStreamableHttp,
    MCPServerStreamableHttpParams,
    MCPToolMetaContext,
    create_static_tool_filter,
)
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from chatkit_server import Duration, Size, Turn, Url, hookimpl

IDENTITY = "chatkit-server/user"
"""The key of MCP's `_meta` for the user's identity."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
Texts = Annotated[dict[str, str], Field(default_factory=dict, repr=False)]


class ServerConfig(BaseModel):
    """One MCP server: `url` for HTTP, or `command` for standard input and output.

    A `command` takes `args`, `env` (added to a few harmless variables of this process) and `cwd`.
    What it writes to standard error is logged. For a `url`, `headers` are sent with each request;
    put tokens there, because debug lines show the address.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    name: Name
    url: Url | None = Field(None, repr=False)
    transport: Literal["http", "sse"] = "http"
    """How to speak to a `url`: streamable HTTP, or the older HTTP with SSE."""
    headers: Texts
    command: str | None = None
    args: list[str] = Field(default_factory=list, repr=False)
    env: Texts
    cwd: Path | None = None
    timeout: Duration = 10.0
    """The time limit of a tool call, from its start and from each progress that it reports."""
    max_timeout: Duration = 300.0
    """The time limit of a tool call that reports progress. It takes the place of
    `turns.limits.tool`."""
    elicitation: bool = True
    """Whether the server may ask the user something in the middle of a tool call."""
    elicitation_timeout: Duration = 180.0
    """How long a call that waits for the user's answer goes on. Those of newer servers end, and are
    made again with the answer."""
    connect_timeout: Duration = 30.0
    """The time limit for connecting; the server starts without waiting for it."""
    allowed_tools: list[str] | None = None
    """The only tools to use, by the server's names for them."""
    blocked_tools: list[str] = Field(default_factory=list)
    """Tools not to use, by the server's names for them."""
    max_tools: int = 200
    """The most tools to use. With more, the server's tools aren't used at all."""
    max_tools_size: Size = 256_000
    """The largest list of tools, with their descriptions and schemas."""
    max_message: Size = 1_000_000
    """The largest message, unpacked. In event streams, it is 1 MiB at most."""
    prefix: Name | None = None
    """Put before all its tools' names; by default the name, if an earlier server has the tool."""
    required: bool = False
    """Whether a turn is refused with 503 while the server is down, or runs without its tools."""
    require_approval: Literal["always", "never"] | list[str] | None = None
    """Which tools need the user's approval: all, none, or those of these names and patterns."""
    send_identity: bool = False
    """Whether to send the user's identity: `{"id", "tenant", "thread_id", "turn_id"}` as
    `chatkit-server/user` in the `_meta` of each call. It is personal data, so turn it on only for
    servers that you run. They must accept it from this server alone: have them check a secret in
    `headers`."""

    @field_validator("max_tools")
    @classmethod
    def _check_max_tools(cls, most: int) -> int:
        if most < 1:
            raise ValueError("a server has at least 1 tool. To use none, remove the server")
        return most

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.username or parts.password:
            raise ValueError("a user and password are not supported here: send them in `headers`")
        return url

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if (self.url is None) == (self.command is None):
            raise ValueError(f"server `{self.name}`: set either `url` or `command`")
        foreign = ("args", "env", "cwd") if self.command is None else ("headers", "transport")
        for key in foreign:
            if key in self.model_fields_set and getattr(self, key):
                kind = "url" if self.command is None else "command"
                raise ValueError(f"server `{self.name}`: `{key}` does not work with `{kind}`")
        return self


class Config(BaseModel):
    """The MCP servers, in the order in which their tools are offered."""

    servers: list[ServerConfig] = Field(default_factory=list)

    @field_validator("servers")
    @classmethod
    def _check_names(cls, servers: list[ServerConfig]) -> list[ServerConfig]:
        for name, count in Counter(server.name for server in servers).items():
            if count > 1:
                raise ValueError(f"{count} servers have the name `{name}`; names must be unique")
        return servers


class _CoreSettings:
    """The attributes that the core reads from a server: see the hook `mcp_servers`."""

    required: bool
    prefix: str | None
    timeout: float
    max_timeout: float
    elicitation: bool
    elicitation_timeout: float
    connect_timeout: float
    max_tools: int
    max_tools_size: int
    max_message: int
    require_approval: str | list[str] | None

    def set_core_settings(self, config: ServerConfig) -> None:
        self.required = config.required
        self.prefix = config.prefix
        self.timeout = config.timeout
        self.max_timeout = config.max_timeout
        self.elicitation = config.elicitation
        self.elicitation_timeout = config.elicitation_timeout
        self.connect_timeout = config.connect_timeout
        self.max_tools = config.max_tools
        self.max_tools_size = config.max_tools_size
        self.max_message = config.max_message
        self.require_approval = config.require_approval


class StdioServer(MCPServerStdio, _CoreSettings):
    """A server that runs as a child process."""

    def __init__(self, config: ServerConfig) -> None:
        assert config.command is not None
        params: MCPServerStdioParams = {
            "command": config.command,
            "args": config.args,
            "env": config.env,
        }
        if config.cwd is not None:
            params["cwd"] = config.cwd
        super().__init__(params, **_common(config))
        self.set_core_settings(config)


class HttpServer(MCPServerStreamableHttp, _CoreSettings):
    """A server at an address."""

    def __init__(self, config: ServerConfig) -> None:
        params = cast(MCPServerStreamableHttpParams, _http_params(config))
        super().__init__(params, **_common(config))
        self.set_core_settings(config)
        # The SDK would send one request at a time: a slow tool of one user would block all others
        self._serialize_session_requests = False


class SseServer(MCPServerSse, _CoreSettings):
    """A server at an address that speaks the older transport, HTTP with SSE."""

    def __init__(self, config: ServerConfig) -> None:
        super().__init__(_http_params(config), **_common(config))
        self.set_core_settings(config)


def _http_params(config: ServerConfig) -> MCPServerSseParams:
    assert config.url is not None
    return {
        "url": config.url,
        "headers": config.headers,
        "timeout": config.connect_timeout,
        # Longer than any call may take: this timeout ends the calls of all users
        "sse_read_timeout": max(
            300.0, config.timeout + 60.0, config.elicitation_timeout + config.timeout
        ),
    }


def _longest(config: ServerConfig) -> float:
    return max(config.timeout, config.max_timeout, config.connect_timeout)


def _server(config: ServerConfig) -> MCPServer:
    if config.url is None:
        return StdioServer(config)
    return SseServer(config) if config.transport == "sse" else HttpServer(config)


def _common(config: ServerConfig) -> dict[str, Any]:
    blocked = config.blocked_tools or None
    return {
        "name": config.name,
        "cache_tools_list": True,
        "tool_filter": create_static_tool_filter(config.allowed_tools, blocked),
        # For any request, connecting included; the core enforces the shorter ones
        "client_session_timeout_seconds": _longest(config) + 1,
        "tool_meta_resolver": _identity if config.send_identity else None,
    }


def _identity(context: MCPToolMetaContext) -> dict[str, Any] | None:
    turn = context.run_context.context
    if not isinstance(turn, Turn):
        return None
    return {
        IDENTITY: {
            "id": turn.user.id,
            "tenant": turn.user.tenant,
            "thread_id": turn.thread.id,
            "turn_id": turn.id,
        }
    }


class Plugin:
    """Passes the servers of the settings to the core, which connects them."""

    def __init__(self, config: Config) -> None:
        self._config = config

    @hookimpl
    def mcp_servers(self) -> list[MCPServer]:
        """Return a server for each entry."""
        return [_server(server) for server in self._config.servers]
