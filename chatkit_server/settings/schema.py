"""Every setting of the server, with its type and default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
)

from .source import Source
from .types import CommaList, Duration, Section, Size, nothing_is_empty


class ServerSettings(Section):
    """Where the server listens, and for whom."""

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    hosts: CommaList = Field(default_factory=list)
    path: str = Field("/api/chat", pattern=r"^/[^\s?#]*[^\s?#/]$")
    cors_origins: CommaList = Field(default_factory=list)
    cors_credentials: bool = True
    max_body: Size = 16_000_000
    keep_alive: Duration = 15.0
    drain: Duration = 30.0


class HistorySettings(Section):
    """How much of the earlier conversation the model gets. Four bytes count as one token."""

    items: int = Field(50, ge=1)
    tokens: int = Field(32_000, ge=1)


class AgentSettings(Section):
    """The agent that answers when no plugin brings another.

    Without `fast_path`, every turn is a run of the Agents SDK, and all text goes through it.
    """

    name: str = "Assistant"
    model: str = "demo/todo"
    models: CommaList = Field(default_factory=list)
    instructions: str = "You are a helpful assistant."
    model_settings: dict[str, Any] = Field(default_factory=dict)
    max_turns: int = Field(10, ge=1)
    tracing: bool = False
    fast_path: bool = True
    history: HistorySettings = HistorySettings()


class DisconnectSettings(Section):
    """What happens to a turn when its last client disconnects."""

    policy: Literal["cancel", "continue"] = "cancel"
    grace: Duration = 5.0


class TurnLimits(Section):
    """Limits of a turn. `user` and `server` count concurrent turns.

    `silence` is the longest time without an event while no tool runs. `message` and `answer` limit
    the user's message and the text of an answer. A tool's output is cut at `tool_output`.
    `agent.max_turns` limits the number of steps.
    """

    turn: Duration = 600.0
    silence: Duration = 180.0
    tool: Duration = 60.0
    message: Size = 200_000
    answer: Size = 1_000_000
    tool_output: Size = 100_000
    user: int = Field(10, ge=1)
    server: int = Field(1000, ge=1)


class TurnSettings(Section):
    """How turns run, and what ends them.

    `when_busy` is what a new message does to a running turn of its thread. `keep` is how long the
    events of an ended turn can be followed; all of them together take at most `keep_size`. `repeat`
    is how long an equal request from the same page counts as a repetition. `stale` is the time
    without a heartbeat after which another process ends a turn.
    """

    disconnect: DisconnectSettings = DisconnectSettings()
    when_busy: Literal["interrupt", "reject", "queue"] = "interrupt"
    limits: TurnLimits = TurnLimits()
    keep: Duration = 600.0
    keep_size: Size = 16_000_000
    repeat: Duration = 60.0
    stale: Duration = 8.0


class HookSettings(Section):
    """How long a hook may take. `timeouts` overrides it for plugins, by name."""

    timeout: Duration = 5.0
    timeouts: dict[str, Duration] = Field(default_factory=dict)


class LogSettings(Section):
    """What the server logs, on standard error.

    `content` lets other libraries write their debug lines, with what users and models say.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    content: bool = False


class Settings(Section):
    """A deployment. `plugins` has each plugin's section as it was written."""

    server: ServerSettings = ServerSettings()
    agent: AgentSettings = AgentSettings()
    turns: TurnSettings = TurnSettings()
    hooks: HookSettings = HookSettings()
    log: LogSettings = LogSettings()
    plugin_dirs: list[Path] = Field(default_factory=list)
    plugins: Annotated[dict[str, dict[str, Any] | None], BeforeValidator(nothing_is_empty)] = Field(
        default_factory=dict
    )

    _source: Source = PrivateAttr(default_factory=lambda: Source())

    @property
    def source(self) -> Source:
        """Where these settings were written, for error messages."""
        return self._source
