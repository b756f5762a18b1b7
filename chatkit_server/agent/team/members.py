"""One agent of the settings: made of its section, and of the object that `from` names."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from agents import Agent, FunctionTool, Handoff, ModelSettings, handoff

from ...errors import SettingsError
from ...plugin.call import HookCall
from ...plugin.mistakes import described, place_of
from ...plugin.named import find_named
from ...plugin.statistics import HookFigures, Slot
from ...plugin.terms import terms_of
from ...settings.agents import AgentParts
from ...settings.hooks import HookSettings
from ...settings.schema import AgentSettings, Settings
from ...settings.source import KeyPath
from ...turn import Turn
from ..models import model_settings, own_settings

_PLACEHOLDER = re.compile(r"\{(user_id|user_name|locale)\}")

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")

_NAME_LENGTH = 100

_NOT_IN_NAME = re.compile(r"[^a-zA-Z0-9_]")

Make = Callable[..., Any]
"""A function of a module that returns an agent, or a coroutine of one."""


@dataclass(frozen=True)
class Choice:
    """Which of the tools of plugins and MCP servers an agent has; None is all."""

    tools: tuple[str, ...] | None = None
    servers: tuple[str, ...] | None = None

    def takes_tool(self, *names: str) -> bool:
        """Whether it has a tool that goes by any of these names."""
        return self.tools is None or matches(self.tools, *names)

    def takes_server(self, name: str) -> bool:
        """Whether it has the tools of an MCP server."""
        return self.servers is None or matches(self.servers, name)


def matches(patterns: Iterable[str], *names: str) -> bool:
    """Whether any of the names is meant by any of the patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


@dataclass(eq=False)
class Member:
    """An agent of the settings.

    `agent` stands for it in the `handoffs` of the others. `imported` is the object that its section
    names; or else `make` is called for each turn, and returns one.
    """

    name: str
    path: KeyPath
    settings: AgentParts
    agent: Agent[Any]
    model_settings: ModelSettings
    imported: Agent[Any] | None = None
    make: Make | None = None
    handoffs: list[Handoff[Any, Any]] = field(default_factory=list)
    agent_tools: list[FunctionTool] = field(default_factory=list)

    @property
    def is_main(self) -> bool:
        """Whether it is the one in the section `agent`."""
        return isinstance(self.settings, AgentSettings)

    @cached_property
    def choice(self) -> Choice:
        """Which of the tools of plugins and MCP servers it has."""
        tools, servers = self.settings.tools, self.settings.mcp_servers
        return Choice(
            None if tools is None else tuple(tools), None if servers is None else tuple(servers)
        )

    @property
    def instructions(self) -> str | None:
        """What its section says, None for what the object in the module says."""
        section: Any = self.settings
        if section.from_ is None or "instructions" in section.model_fields_set:
            return str(section.instructions)
        return None

    @property
    def model(self) -> str | None:
        """The model in its section. The model of `agent` is for all agents without their own."""
        return None if self.is_main else getattr(self.settings, "model", None)

    def dress(self, agent: Agent[Any], base: Agent[Any] | None) -> None:
        """Make an agent what its section says; it is a copy of `base`, the agent of a module."""
        section = self.settings
        if base is None or not self.is_main or "name" in section.model_fields_set:
            agent.name = self.name
        if section.handoff_description is not None:
            agent.handoff_description = section.handoff_description
        agent.model_settings = self._settings(base)
        if "model" in section.model_fields_set:
            # Without one of its own, it has that of the turn
            agent.model = None if self.is_main else self.model
        agent.handoffs = [*(base.handoffs if base is not None else ()), *self.handoffs]
        agent.tools = [*(base.tools if base is not None else ()), *self.agent_tools]

    def _settings(self, base: Agent[Any] | None) -> ModelSettings:
        if base is None:
            return copy.copy(self.model_settings)
        own = own_settings(base)
        return own.resolve(self.model_settings) if self.settings.model_settings else own

    async def of_turn(self, turn: Turn, hooks: HookSettings) -> Agent[Any]:
        """Return the agent as it is in a turn.

        Raises `ServerError` if the function that returns it fails.
        """
        if self.make is None:
            agent = copy.copy(self.agent)
        else:
            base = await self._made(turn, hooks)
            agent = copy.copy(base)
            self.dress(agent, base)
        if self.instructions is not None:
            agent.instructions = instructions(self.instructions, turn)
        return agent

    async def _made(self, turn: Turn, hooks: HookSettings) -> Agent[Any]:
        make = self.make
        assert make is not None

        async def call() -> Any:
            made = make(turn) if _takes_turn(make) else make()
            return await made if inspect.isawaitable(made) else made

        # With the time limit of a hook, and its errors
        name = str(self.settings.from_)
        slot = Slot(None, terms_of(hooks, name, "agent", None), HookFigures())
        asked = HookCall(name, "agent", call, slot, turn)
        made = await asked.answer()
        asked.refuse("returned None, expected an agents.Agent" if made is None else None)
        found: Agent[Any] = made
        return found


def make_member(settings: Settings, path: KeyPath, section: AgentParts) -> Member:
    """Make an agent of the section at `path`. Raises `SettingsError`."""
    given = model_settings(section, settings.source, path)
    if path != ("agent",) and section.from_ is None and getattr(section, "model", None) is None:
        # The same model, asked in the same way
        general = model_settings(settings.agent, settings.source)
        given = general.resolve(given)
    imported, make = None, None
    if section.from_ is not None:
        imported, make = _find(settings, section.from_, (*path, "from"))
    name = str(path[-1]) if path != ("agent",) else settings.agent.name
    if path == ("agent",) and imported is not None and "name" not in section.model_fields_set:
        name = imported.name
    agent: Agent[Any] = copy.copy(imported) if imported is not None else Agent(name=name)
    agent.name = name
    if section.handoff_description is not None:
        agent.handoff_description = section.handoff_description
    return Member(name, path, section, agent, given, imported, make)


def _find(settings: Settings, name: str, path: KeyPath) -> tuple[Agent[Any] | None, Make | None]:
    """Return the agent of this name, or the function that makes it for each turn."""
    where = settings.source.where(path)
    found = find_named(settings, name, where)
    if isinstance(found, Agent):
        return found, None
    wanted = "expected an agents.Agent, or a function that returns one"
    if inspect.isclass(found) or not callable(found):
        kind = f"the class {found.__name__}" if inspect.isclass(found) else type(found).__name__
        raise SettingsError(f"{where}: {wanted}, but `{name}` is {kind}")
    if not _can_be_called(found):
        place = place_of(found)
        raise SettingsError(
            f"{where}: {place + ': ' if place else ''}the function is called without arguments, or "
            "with the turn alone"
        )
    if _takes_turn(found) or inspect.iscoroutinefunction(found):
        return None, found
    try:
        made = found()
    except (Exception, SystemExit) as error:
        raise SettingsError(f"{where}: the function failed: {described(error)}") from error
    if not isinstance(made, Agent):
        raise SettingsError(f"{where}: {wanted}, but `{name}` returned {type(made).__name__}")
    return made, None


def _needed(function: Make) -> list[inspect.Parameter]:
    parameters = inspect.signature(function).parameters.values()
    return [
        each
        for each in parameters
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]


def _takes_turn(function: Make) -> bool:
    return len(_needed(function)) == 1


def _can_be_called(function: Make) -> bool:
    try:
        needed = _needed(function)
    except ValueError:
        # A function of an extension that does not say what it takes
        return False
    return len(needed) < 2 and all(each.kind is not each.KEYWORD_ONLY for each in needed)


def tool_name(name: str) -> str:
    """Return what stands for an agent's name in the name of a tool, as in the Agents SDK."""
    return _NOT_IN_NAME.sub("_", name).lower()


def transfer_to(member: Member) -> Handoff[Any, Any]:
    """Return the handoff by which other agents hand over to this one."""
    # With a name of its own: the SDK would warn, in each turn, of characters that it changes
    return handoff(member.agent, tool_name_override=f"transfer_to_{tool_name(member.name)}")


def as_tool(member: Member, max_turns: int) -> FunctionTool:
    """Return the tool by which other agents ask this one."""
    told = member.agent.handoff_description or f"Ask the agent {member.name}."
    return member.agent.as_tool(tool_name(member.name), told, max_turns=max_turns)


def instructions(template: str, turn: Turn) -> str:
    """Return the settings' instructions for the user of a turn.

    `{user_id}`, `{user_name}` and `{locale}` are replaced, and nothing else.
    """
    values = {
        "user_id": turn.user.id,
        "user_name": turn.user.name or "",
        "locale": turn.locale or "",
    }

    def value(match: re.Match[str]) -> str:
        return _UNPRINTABLE.sub(" ", values[match[1]])[:_NAME_LENGTH]

    return _PLACEHOLDER.sub(value, template)
