"""The guardrails of the settings, and what users are told when one trips."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from agents import (
    Agent,
    FunctionTool,
    GuardrailFunctionOutput,
    InputGuardrail,
    OutputGuardrail,
    ToolInputGuardrail,
    ToolOutputGuardrail,
)

from ...errors import SettingsError
from ...plugin.named import find_named
from ...settings.agents import GuardrailSettings
from ...settings.problems import Problems, nearest
from ...settings.schema import Settings
from ...settings.types import Words
from ..sdk import mcp_server_name
from .members import matches

log = logging.getLogger(__name__)

Guardrail = (
    InputGuardrail[Any] | OutputGuardrail[Any] | ToolInputGuardrail[Any] | ToolOutputGuardrail[Any]
)

_KINDS = (InputGuardrail, OutputGuardrail, ToolInputGuardrail, ToolOutputGuardrail)
_OF_TOOLS = (ToolInputGuardrail, ToolOutputGuardrail)


_OfAgents = TypeVar("_OfAgents", InputGuardrail[Any], OutputGuardrail[Any])


class GuardrailFailed(Exception):
    """A guardrail has raised an error: what it guards cannot be shown."""

    def __init__(self, guardrail: str) -> None:
        super().__init__(f"the guardrail {guardrail} failed")
        self.guardrail = guardrail


@dataclass(frozen=True, slots=True)
class _Rule:
    guardrail: Guardrail
    settings: GuardrailSettings

    def guards(self, agent: str, nested: bool) -> bool:
        """Whether it guards an agent. What an agent asks another is not the user's message."""
        agents = self.settings.agents
        return not nested if agents is None else matches(agents, agent)

    def guards_tool(self, tool: FunctionTool, agent: str) -> bool:
        tools, agents = self.settings.tools, self.settings.agents
        if agents is not None and not matches(agents, agent):
            return False
        # By its own name too, where an MCP server's name is in front
        of_server = mcp_server_name(tool) is not None
        return tools is None or any(
            matches([pattern], tool.name) or (of_server and matches([f"*_{pattern}"], tool.name))
            for pattern in tools
        )


class Guardrails:
    """The guardrails of the settings. Raises `SettingsError` with a line for each mistake."""

    def __init__(self, settings: Settings = Settings()) -> None:  # noqa: B008
        self._sections = settings.guardrails
        self._agent = settings.agent
        self._rules: list[_Rule] = []
        problems = Problems()
        for name, section in settings.guardrails.items():
            with problems.collect():
                if section.from_ is not None:
                    self._rules.append(_Rule(_find(settings, name, section), section))
                else:
                    _warn_of_idle(settings, name, section)
        problems.raise_any()

    def check_agents(self, known: Collection[str], settings: Settings) -> None:
        """Raise `SettingsError` for names in `agents` that no agent has."""
        problems = Problems()
        for name, section in self._sections.items():
            for pattern in section.agents or ():
                if not any(matches([pattern], agent) for agent in known):
                    where = settings.source.where(("guardrails", name, "agents"))
                    problems.lines.append(
                        f"{where}: there is no agent `{pattern}`.{nearest(pattern, known)} Known: "
                        f"{', '.join(known)}"
                    )
        problems.raise_any()

    def put_on(self, agent: Agent[Any], nested: bool) -> None:
        """Give a turn's copy of an agent its guardrails, after its own.

        One that fails raises `GuardrailFailed`.
        """
        if not (self._rules or agent.input_guardrails or agent.output_guardrails):
            return
        found = [rule.guardrail for rule in self._rules if rule.guards(agent.name, nested)]
        inputs = [each for each in found if isinstance(each, InputGuardrail)]
        outputs = [each for each in found if isinstance(each, OutputGuardrail)]
        agent.input_guardrails = [_named(each) for each in (*agent.input_guardrails, *inputs)]
        agent.output_guardrails = [_named(each) for each in (*agent.output_guardrails, *outputs)]

    def before(self, tool: FunctionTool, agent: str) -> Iterator[ToolInputGuardrail[Any]]:
        """Yield what checks a tool's arguments: its own guardrails, then those of the settings."""
        yield from tool.tool_input_guardrails or ()
        for rule in self._rules:
            if isinstance(rule.guardrail, ToolInputGuardrail) and rule.guards_tool(tool, agent):
                yield rule.guardrail

    def after(self, tool: FunctionTool, agent: str) -> Iterator[ToolOutputGuardrail[Any]]:
        """Yield what checks a tool's output: its own guardrails, then those of the settings."""
        yield from tool.tool_output_guardrails or ()
        for rule in self._rules:
            if isinstance(rule.guardrail, ToolOutputGuardrail) and rule.guards_tool(tool, agent):
                yield rule.guardrail

    def words(self, name: str) -> Words | None:
        """Return the words for users when the guardrail of this name trips, None for the usual."""
        section = self._sections.get(name)
        return (section.words if section is not None else None) or self._agent.refusal

    def shows_message(self, name: str) -> bool:
        """Whether the words are a message of the assistant, and not an error."""
        section = self._sections.get(name)
        own = section.show if section is not None else None
        return (own or self._agent.show_refusal) == "message"


def _named(guardrail: _OfAgents) -> _OfAgents:
    """Return a guardrail whose errors say that they are its own."""
    name, check = _name(guardrail), guardrail.guardrail_function

    async def checked(*given: Any) -> GuardrailFunctionOutput:
        try:
            found = check(*given)
            found = await found if inspect.isawaitable(found) else found
            if not isinstance(found, GuardrailFunctionOutput):
                raise TypeError(f"returned {type(found).__name__}, no GuardrailFunctionOutput")
        except Exception as error:
            raise GuardrailFailed(name) from error
        return found

    return replace(guardrail, guardrail_function=checked, name=name)


def guardrail_name(error: BaseException) -> str | None:
    """Return the name of the guardrail that has raised this, None for other errors."""
    if isinstance(error, GuardrailFailed):
        return error.guardrail
    guardrail = getattr(getattr(error, "guardrail_result", error), "guardrail", None)
    return _name(guardrail) if isinstance(guardrail, _KINDS) else None


def _name(guardrail: Guardrail) -> str:
    try:
        return guardrail.get_name()
    except AttributeError:
        # Its function is an object without a name
        return type(guardrail.guardrail_function).__name__


def _warn_of_idle(settings: Settings, name: str, section: GuardrailSettings) -> None:
    """Log what has no effect in a section with the words for a guardrail of a module."""
    if section.words is None and section.show is None:
        where = settings.source.where(("guardrails", name))
        log.warning("%s: this has no effect without `from`, `words` or `show`", where)
    for key in ("agents", "tools"):
        if getattr(section, key) is not None:
            where = settings.source.where(("guardrails", name, key))
            log.warning("%s: this has no effect without `from`", where)


def _find(settings: Settings, name: str, section: GuardrailSettings) -> Guardrail:
    path = ("guardrails", name, "from")
    where = settings.source.where(path)
    found = find_named(settings, str(section.from_), where)
    if not isinstance(found, _KINDS):
        raise SettingsError(
            f"{where}: expected a guardrail of the Agents SDK, but `{section.from_}` is of "
            f"type {type(found).__name__}. Put a decorator on the function: @input_guardrail, "
            "@output_guardrail, @tool_input_guardrail or @tool_output_guardrail"
        )
    if section.tools is not None and not isinstance(found, _OF_TOOLS):
        where = settings.source.where(("guardrails", name, "tools"))
        raise SettingsError(
            f"{where}: this guardrail checks what the user or the model says, not tools. Remove "
            "`tools`"
        )
    named: Guardrail = replace(found, name=name)
    return named
