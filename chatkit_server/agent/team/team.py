"""All agents of the settings."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from agents import Agent, Model
from agents.mcp import MCPServer

from ...errors import SettingsError
from ...settings.problems import Problems, nearest
from ...settings.schema import Settings
from ...settings.source import KeyPath
from .checks import check_circles, check_graph, check_names, handed_to, reachable
from .members import Member, as_tool, make_member, matches, transfer_to

log = logging.getLogger(__name__)


class Team:
    """The agents of the settings: the one in `agent`, and those in `agents`.

    Raises `SettingsError` with a line for each thing that is wrong.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        problems = Problems()
        made: list[Member] = []
        sections = {("agent",): settings.agent} | {
            ("agents", name): section for name, section in settings.agents.items()
        }
        for path, section in sections.items():
            with problems.collect():
                made.append(make_member(settings, path, section))
        problems.raise_any()
        if any(settings.source.is_broken((key,)) for key in ("agent", "agents")):
            # What is wrong is reported already, and a name may be of what is left out
            raise SettingsError("")
        self.main = made[0]
        self.members = {member.name: member for member in made}
        self._check_one_main()
        self._link(problems)
        self._told: set[tuple[str, str]] = set()
        self._known = {id(member.agent): member for member in made}
        self._known |= {id(one.imported): one for one in made if one.imported is not None}

    def _check_one_main(self) -> None:
        if self.main.name in self.settings.agents:
            where = self.settings.source.where(("agents", self.main.name))
            raise SettingsError(
                f"{where}: this is the name of `agent` too (`agent.name`). Give one another name"
            )

    def _link(self, problems: Problems) -> None:
        """Make each agent what its section says, with the others that it names."""
        source, members = self.settings.source, self.members
        check_names(members, source)
        check_circles(members, source)
        for member in members.values():
            known = {id(each) for each in handed_to(member.imported)}
            others = [members[name] for name in dict.fromkeys(member.settings.handoffs)]
            # What the module hands over to is made the same agent of the settings
            member.handoffs = [
                transfer_to(each) for each in others if id(each.imported) not in known
            ]
        for member in members.values():
            asked = dict.fromkeys(member.settings.agent_tools)
            most = self.settings.agent.max_turns
            member.agent_tools = [as_tool(members[name], most) for name in asked]
            member.dress(member.agent, member.imported)
        with problems.collect():
            check_graph(members, source)
        problems.raise_any()
        self._warn_of_idle()

    def _warn_of_idle(self) -> None:
        stand_ins = {id(each.imported): each.agent for each in self.members.values()}
        used = {id(agent) for agent in reachable(self.main.agent, stand_ins)}
        for member in self.members.values():
            if id(member.agent) not in used and self.main.make is None:
                where = self.settings.source.where(member.path)
                log.warning("%s: no agent hands over to it, or asks it", where)

    @property
    def model(self) -> str | None:
        """The model of the object that `agent.from` names, if the settings name no other."""
        given = self.main.imported.model if self.main.imported is not None else None
        own = "model" in self.settings.agent.model_fields_set
        return given if isinstance(given, str) and not own else None

    @property
    def models(self) -> dict[KeyPath, str]:
        """The models that the settings name for all agents, by the paths of their keys."""
        found: dict[KeyPath, str] = {}
        imported = self.main.imported
        own = self.main.make is not None or (
            imported is not None and isinstance(imported.model, Model)
        )
        if not own or "model" in self.settings.agent.model_fields_set:
            found["agent", "model"] = self.model or self.settings.agent.model
        for member in self.members.values():
            if member.model is not None:
                found[(*member.path, "model")] = member.model
        return found

    @property
    def names(self) -> list[str] | None:
        """The names of all agents, None if functions return some of them in each turn."""
        if any(member.make is not None for member in self.members.values()):
            return None
        return list(dict.fromkeys(agent.name for agent in self._reachable()))

    @property
    def mcp_servers(self) -> list[MCPServer]:
        """The MCP servers that agents of modules have of their own."""
        return list(
            dict.fromkeys(each for agent in self._reachable() for each in agent.mcp_servers)
        )

    def _reachable(self) -> Iterator[Agent[Any]]:
        """Yield all agents, also those that only modules know; some more than once."""
        stand_ins = {id(each.imported): each.agent for each in self.members.values()}
        for member in self.members.values():
            yield from reachable(member.agent, stand_ins)

    def member(self, agent: Agent[Any]) -> Member | None:
        """Return what the settings say of an agent, None for one of a module alone."""
        return self._known.get(id(agent))

    def warn_of_tool(self, agent: Agent[Any], pattern: str, known: Iterable[str]) -> None:
        """Log once that no tool is meant by a name in an agent's `tools`."""
        member = self.member(agent)
        if member is None or (member.name, pattern) in self._told:
            return
        self._told.add((member.name, pattern))
        where = self.settings.source.where((*member.path, "tools"))
        log.warning("%s: there is no tool `%s`.%s", where, pattern, nearest(pattern, known))

    def check_servers(self, names: Iterable[str], *, more: bool) -> None:
        """Raise `SettingsError` for names of MCP servers that are none.

        With `more`, plugins may add some in each turn: then it is only logged.
        """
        problems, known = Problems(), list(names)
        for member in self.members.values():
            for pattern in member.settings.mcp_servers or ():
                if any(matches([pattern], name) for name in known):
                    continue
                where = self.settings.source.where((*member.path, "mcp_servers"))
                line = (
                    f"{where}: there is no MCP server `{pattern}`.{nearest(pattern, known)} Known: "
                    f"{', '.join(known) or 'none'}"
                )
                if more:
                    log.warning("%s", line)
                else:
                    problems.lines.append(line)
        problems.raise_any()
