"""Every setting of the server, with its type and default."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    WithJsonSchema,
    model_validator,
)

from .agents import AgentParts, GuardrailSettings, MemberSettings, Show
from .hooks import HookSettings
from .source import Source
from .types import (
    CommaList,
    Duration,
    FileMode,
    Host,
    NetworkList,
    Section,
    Size,
    SocketPath,
    ToolIcon,
    Words,
    WorkerCount,
    no_is_off,
    nothing_is_empty,
)
from .urls import UrlPath


class ConnectionLimits(Section):
    """What clients may take, whoever they are.

    `connections` is for the whole process; without it, it follows from the limit of open files.
    `address` is for each client address; behind a trusted proxy it limits concurrent requests.
    `headers` and `body` are the times in which a request must arrive. A client that reads nothing
    for `unread` is disconnected, and a connection without a request closed after `idle`. `values`
    is the most values in the JSON of a body.
    """

    connections: int | None = Field(None, ge=1)
    address: int = Field(250, ge=1)
    headers: Duration = 20.0
    body: Duration = 120.0
    unread: Duration = 120.0
    idle: Duration = 75.0
    values: int = Field(20_000, ge=1)


class ServerSettings(Section):
    """Where the server listens, and for whom.

    `socket` is the path of a Unix socket, in place of `host` and `port`; `socket_mode` are its
    permissions. `trusted_proxies` are addresses and networks whose `X-Forwarded-For` is believed;
    what connects to a Unix socket is trusted, too. `language` is that of the server's own words
    for users who ask for none that it knows. `workers` is how many processes share the address, or
    `auto` for one for each core; without it, there is one process, which nothing restarts.
    """

    host: Host = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    socket: SocketPath = None
    socket_mode: FileMode = 0o660
    workers: WorkerCount = None
    hosts: CommaList = Field(default_factory=list)
    language: str = "en"
    path: UrlPath = "/api/chat"
    cors_origins: CommaList = Field(default_factory=list)
    cors_credentials: bool = True
    max_body: Size = 16_000_000
    keep_alive: Duration = 15.0
    drain: Duration = 30.0
    trusted_proxies: NetworkList = Field(default_factory=lambda: ["127.0.0.0/8", "::1"])
    limits: ConnectionLimits = ConnectionLimits()

    @model_validator(mode="before")
    @classmethod
    def _one_place(cls, data: Any) -> Any:
        others = [key for key in ("host", "port") if isinstance(data, dict) and key in data]
        if others and data.get("socket") is not None and data["socket"] != "":
            both = " and ".join(f"`{key}`" for key in others)
            raise ValueError(f"`socket` is in place of {both}: remove {both}, or `socket`")
        return data


class HistorySettings(Section):
    """How much of the earlier conversation the model gets.

    Four bytes of text count as one token, images and files as model providers count them. `media`
    is how many images and files of earlier messages are sent again.
    """

    items: int = Field(50, ge=1)
    tokens: int = Field(32_000, ge=1)
    media: int = Field(10, ge=0)


class ImageSettings(Section):
    """The images of tools that models get: larger ones are scaled down.

    `max_side` is in pixels, `max_size` is that of all images of one result, in bytes.
    """

    max_side: int = Field(1568, ge=16)
    max_size: Size = 3_000_000


class ApprovalSettings(Section):
    """Which tool calls the user is asked about before they run, and how.

    `tools` are names of tools, or patterns such as `delete_*`. `destructive` asks for each tool of
    an MCP server that may destroy something, by its annotations. `always_in_conversation` is
    whether the user may allow a tool for the rest of the conversation. After `expires`, a call is
    not run any more. `on_message` is what a new message does to a call that waits: it denies the
    call, or is refused itself.
    """

    tools: CommaList = Field(default_factory=list)
    destructive: bool = False
    always_in_conversation: bool = True
    expires: Duration = 86_400.0
    on_message: Literal["deny", "refuse"] = "deny"

    def asks_for(self, *names: str) -> bool:
        """Whether a tool of one of these names needs an approval."""
        return is_named(names, self.tools)


def is_named(names: Iterable[str], patterns: Iterable[str]) -> bool:
    """Whether a pattern such as `delete_*` matches one of these names, with their case."""
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


class AgentSettings(AgentParts):
    """The agent that answers when no plugin brings another, and what holds for all agents.

    `resume` says which agent answers the next message of a conversation: the one that answered
    last, or this one. `refusal` is what users are told when a guardrail trips, `show_refusal` how.
    `show_tools` is how tool calls are shown: as lines of progress, as tasks of a workflow, with
    arguments and results, or not; `tool_words` has words for them, by the name of the tool, which
    may differ by language, and `tool_icons` icons.
    `default_provider` is the prefix of models that are named without one. Without `fast_path`,
    every turn is a run of the Agents SDK, and all text goes through it.
    """

    name: str = "Assistant"
    model: str = "demo/todo"
    models: CommaList = Field(default_factory=list)
    default_provider: str | None = None
    instructions: str = "You are a helpful assistant."
    resume: Literal["last", "first"] = "last"
    refusal: Words | None = None
    show_refusal: Show = "error"
    max_turns: int = Field(10, ge=1)
    tracing: bool = False
    fast_path: bool = True
    show_tools: Annotated[
        Literal["off", "names", "tasks", "details"],
        BeforeValidator(no_is_off),
        WithJsonSchema({"enum": [False, "off", "names", "tasks", "details"]}),
    ] = "names"
    tool_words: Annotated[dict[str, Words], BeforeValidator(nothing_is_empty)] = Field(
        default_factory=dict
    )
    tool_icons: Annotated[dict[str, ToolIcon], BeforeValidator(nothing_is_empty)] = Field(
        default_factory=dict
    )
    history: HistorySettings = HistorySettings()
    images: ImageSettings = ImageSettings()
    approval: ApprovalSettings = ApprovalSettings()


class DisconnectSettings(Section):
    """What happens to a turn when its last client disconnects."""

    policy: Literal["cancel", "continue"] = "cancel"
    grace: Duration = 5.0


class TurnLimits(Section):
    """Limits of a turn. `user`, `tenant` and `server` count concurrent turns, with those that wait
    for their thread. `queue` is how many requests may wait for one thread, `followers` how many
    clients may follow one turn.

    `silence` is the longest time without an event while no tool runs. `message` and `answer` limit
    the user's message and the text of an answer. `reasoning` limits what the model thinks in a
    turn, `tool_arguments` what it writes for one tool call, and `tool_calls` how many tools one of
    its answers may call. A tool's output is cut at `tool_output`.
    `agent.max_turns` limits the number of steps.
    """

    turn: Duration = 600.0
    silence: Duration = 180.0
    tool: Duration = 60.0
    message: Size = 200_000
    answer: Size = 1_000_000
    reasoning: Size = 500_000
    tool_arguments: Size = 200_000
    tool_calls: int = Field(64, ge=1)
    tool_output: Size = 100_000
    user: int = Field(10, ge=1)
    tenant: int | None = Field(None, ge=1)
    server: int = Field(1000, ge=1)
    queue: int = Field(10, ge=1)
    followers: int = Field(20, ge=1)


class TurnSettings(Section):
    """How turns run, and what ends them.

    `when_busy` is what a new message does to a running turn of its thread. `keep` is how long the
    events of an ended turn can be followed; those of one user take at most `keep_size`, those of
    all users `keep_total`. `repeat` is how long an equal request from the same page counts as a
    repetition. `stale` is the time without a heartbeat after which another process ends a turn.
    """

    disconnect: DisconnectSettings = DisconnectSettings()
    when_busy: Literal["interrupt", "reject", "queue"] = "interrupt"
    limits: TurnLimits = TurnLimits()
    keep: Duration = 600.0
    keep_size: Size = 16_000_000
    keep_total: Size = 24_000_000
    repeat: Duration = 60.0
    stale: Duration = 8.0


class RequestLimits(Section):
    """Limits of a request, beside `server.max_body` and `turns.limits.message`.

    Sizes are in bytes of JSON. `size` is that of a whole request without audio. `data` is that of
    an action, of a client tool's output, and of the answers to a structured input. `name` is that
    of the name and type of a file, of the name of a model or a tool, and of a user's id.
    `attachment` is the size that a client states for a file, `parts` the number of texts and tags
    in a message, `items` that of the items of a feedback. `messages` counts those of a plain
    request. `user` counts the requests of one user that are being answered, streams aside. `page`
    is the size at which a page of threads or items ends. `bodies` is that of all bodies which are
    arriving, a quarter of it that of one user's; 100 kB of each do not count.
    """

    size: Size = 1_000_000
    data: Size = 100_000
    metadata: Size = 16_000
    title: Size = 1000
    name: Size = 1000
    audio: Size = 10_000_000
    attachment: Size = 100_000_000
    attachments: int = Field(20, ge=0)
    parts: int = Field(100, ge=1)
    items: int = Field(100, ge=1)
    messages: int = Field(200, ge=1)
    user: int = Field(20, ge=1)
    page: Size = 4_000_000
    bodies: Size = 256_000_000


class LogSettings(Section):
    """What the server logs, on standard error.

    `content` lets other libraries write their debug lines, with what users and models say. A record
    is cut at `record`. `trace_hooks` writes a line for each call of a plugin's hook, with its time.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    content: bool = False
    record: Size = Field(4_000, ge=500)
    trace_hooks: bool = False


class Settings(Section):
    """A deployment. `plugins` has each plugin's section as it was written."""

    server: ServerSettings = ServerSettings()
    agent: AgentSettings = AgentSettings()
    agents: Annotated[dict[str, MemberSettings], BeforeValidator(nothing_is_empty)] = Field(
        default_factory=dict
    )
    guardrails: Annotated[dict[str, GuardrailSettings], BeforeValidator(nothing_is_empty)] = Field(
        default_factory=dict
    )
    turns: TurnSettings = TurnSettings()
    requests: RequestLimits = RequestLimits()
    hooks: HookSettings = HookSettings()
    log: LogSettings = LogSettings()
    plugin_dirs: list[Path] = Field(
        default_factory=list,
        description="Folders with plugins of your own; relative paths start at the settings file.",
    )
    plugins: Annotated[dict[str, dict[str, Any] | None], BeforeValidator(nothing_is_empty)] = Field(
        default_factory=dict
    )

    _source: Source = PrivateAttr(default_factory=lambda: Source())

    @property
    def source(self) -> Source:
        """Where these settings were written, for error messages."""
        return self._source
