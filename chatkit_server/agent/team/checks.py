"""What is wrong with the agents of the settings, before the server listens."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from agents import Agent, FunctionTool, Handoff

from ...errors import SettingsError
from ...settings.problems import Problems, nearest
from ...settings.source import Source
from ..sdk import agent_of, handoff_target
from .members import Member, tool_name

LONGEST_NAME = 50
"""Of an agent: its tool `transfer_to_NAME` may have 64 characters."""


def check_names(members: Mapping[str, Member], source: Source) -> None:
    """Raise `SettingsError` for names in `handoffs` and `agent_tools` that cannot be used."""
    problems = Problems()
    for member in members.values():
        if not 0 < len(member.name) <= LONGEST_NAME:
            where = source.where(member.path)
            problems.lines.append(
                f"{where}: the name of an agent has 1 to {LONGEST_NAME} characters"
            )
        for key in ("handoffs", "agent_tools"):
            where, names = source.where((*member.path, key)), getattr(member.settings, key)
            problems.lines += _wrong_names(names, member, members, where)
    problems.raise_any()


def _wrong_names(
    names: Collection[str], member: Member, members: Mapping[str, Member], where: str
) -> Iterator[str]:
    for name in dict.fromkeys(names):
        if name == member.name:
            yield f"{where}: `{name}` is the agent itself. Name others"
        elif name not in members:
            known = ", ".join(other for other in members if other != member.name) or "none"
            yield (
                f"{where}: there is no agent `{name}`.{nearest(name, members)} Known: {known} "
                "(the keys of `agents`, and the name of `agent`)"
            )


def check_circles(members: Mapping[str, Member], source: Source) -> None:
    """Raise `SettingsError` for an agent that would ask itself by way of others."""
    for member in members.values():
        asked, path = list(member.settings.agent_tools), set[str]()
        while asked:
            name = asked.pop()
            if name == member.name:
                where = source.where((*member.path, "agent_tools"))
                raise SettingsError(
                    f"{where}: `{name}` would be asked by the agents that it asks. Hand over "
                    "instead: `handoffs` may lead back"
                )
            if name not in path:
                path.add(name)
                asked += members[name].settings.agent_tools


def check_graph(members: Mapping[str, Member], source: Source) -> None:
    """Raise `SettingsError` if two agents have one name, or two handoffs one tool.

    A paused run finds its agents by their names, and so does the next turn.
    """
    problems = Problems()
    known: dict[str, Agent[Any]] = {member.agent.name: member.agent for member in members.values()}
    stand_ins = {id(member.imported): member.agent for member in members.values()}
    for member in members.values():
        for agent in reachable(member.agent, stand_ins):
            other = known.setdefault(agent.name, agent)
            where = source.where((*member.path, "from"))
            if other is not agent:
                problems.lines.append(
                    f"{where}: two of its agents, or one of it and one of the settings, have the "
                    f"name `{agent.name}`. Give one another name"
                )
            problems.lines += _same_tool(agent, source.where(member.path), stand_ins)
    problems.raise_any()


def reachable(
    first: Agent[Any], stand_ins: Mapping[int, Agent[Any]] | None = None
) -> Iterator[Agent[Any]]:
    """Yield an agent, and all that it hands over to or asks, at any distance.

    `stand_ins` are the agents that stand for others, by the `id` of those.
    """
    given = stand_ins or {}
    waiting, seen = [first], set[int]()
    while waiting:
        agent = waiting.pop(0)
        if id(agent) in seen:
            continue
        seen.add(id(agent))
        yield agent
        waiting += [given.get(id(each), each) for each in _next(agent)]


def handed_to(agent: Agent[Any] | None) -> Iterator[Agent[Any]]:
    """Yield the agents that an agent hands over to itself, as far as that is known."""
    for handoff in agent.handoffs if agent is not None else ():
        found = handoff_target(handoff) if isinstance(handoff, Handoff) else handoff
        if found is not None:
            yield found


def _next(agent: Agent[Any]) -> Iterator[Agent[Any]]:
    yield from handed_to(agent)
    for tool in agent.tools:
        inner = agent_of(tool) if isinstance(tool, FunctionTool) else None
        if inner is not None:
            yield inner


def handoff_name(handoff: Agent[Any] | Handoff[Any, Any]) -> str:
    """Return the name of the tool by which a model hands over."""
    if isinstance(handoff, Agent):
        return f"transfer_to_{tool_name(handoff.name)}"
    return handoff.tool_name


def _same_tool(agent: Agent[Any], where: str, stand_ins: Mapping[int, Agent[Any]]) -> Iterator[str]:
    used: dict[str, Agent[Any] | Handoff[Any, Any]] = {}
    for handoff in agent.handoffs:
        target = stand_ins.get(id(handoff), handoff)
        name = handoff_name(target)
        other = used.setdefault(name, target)
        if other is not target and _named(other) != _named(target):
            yield (
                f"{where}: {agent.name} has two handoffs with the tool `{name}`. Give one of the "
                "agents another name"
            )


def _named(handoff: Agent[Any] | Handoff[Any, Any]) -> str:
    return handoff.name if isinstance(handoff, Agent) else handoff.agent_name
