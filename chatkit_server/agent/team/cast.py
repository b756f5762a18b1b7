"""The agents of the settings as they are in one turn."""

from __future__ import annotations

import copy
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from agents import Agent, Tool
from agents.mcp import MCPServer

from ...mcp.manager import Takes, takes_all
from ...plugin.call import PluginFailed
from ...turn import Turn
from ..models import own_settings
from .checks import reachable
from .members import Choice, matches
from .team import Team

log = logging.getLogger(__name__)

_ALL = Choice()


class Cast:
    """The agents of a turn. Without a `team`, they are those of a plugin, as it gave them.

    `first` is the agent that the turn begins with; `original` stands for it in the `handoffs` of
    others. The pool has the tools of plugins and MCP servers: each agent of the settings has its
    choice of them.
    """

    def __init__(self, turn: Turn, team: Team | None = None) -> None:
        self._turn = turn
        self._team = team
        self._of_turn: dict[int, Agent[Any]] = {}
        self._tools: Sequence[Tool] = ()
        self._servers: Sequence[MCPServer] = ()
        self._seen: defaultdict[int, set[str]] = defaultdict(set)
        self.first: Agent[Any] | None = None
        self.original: Agent[Any] | None = None

    async def begin(self, team: Team, name: str | None) -> Agent[Any]:
        """Choose the agent that begins: that of this name, or the main one if there is none."""
        self._team = team
        self.original = team.main.agent
        self.first = await self.agent(self.original)
        if name is not None and name != self.first.name:
            await self._begin_with(team, name)
        return self.first

    async def _begin_with(self, team: Team, name: str) -> None:
        member = team.members.get(name)
        if member is not None:
            self.original, self.first = member.agent, await self.agent(member.agent)
        elif (found := await self._of_module(team, name)) is not None:
            self.original, self.first = found, copy.copy(found)
            self.first.model_settings = own_settings(found)

    async def _of_module(self, team: Team, name: str) -> Agent[Any] | None:
        """Return the agent of this name to which those of the settings lead, if there is one."""
        for each in team.members.values():
            for agent in reachable(await self.agent(each.agent)):
                if agent.name == name and team.member(agent) is None:
                    return agent
        return None

    def fill_pool(self, tools: Iterable[Tool], servers: Iterable[MCPServer]) -> None:
        """Take what is in the turn besides what its first agent has of its own."""
        own = self.first
        if self._team is None or own is None:
            return
        known = {id(tool) for tool in own.tools}
        self._tools = [tool for tool in tools if id(tool) not in known]
        self._servers = [server for server in servers if server not in own.mcp_servers]

    def stands_for(self, agent: Agent[Any]) -> Agent[Any]:
        """Return the agent of the settings that stands for an object of a module, or itself."""
        member = self._team.member(agent) if self._team is not None else None
        return agent if member is None else member.agent

    async def agent(self, agent: Agent[Any]) -> Agent[Any]:
        """Return an agent as it is in this turn."""
        member = self._team.member(agent) if self._team is not None else None
        if member is None or self._team is None:
            return agent
        known = self._of_turn.get(id(member.agent))
        if known is None:
            known = await member.of_turn(self._turn, self._team.settings.hooks)
            self._of_turn[id(member.agent)] = known
        return known

    @property
    def has_own_model(self) -> bool:
        """Whether the model picked in the composer is not for the agent that begins."""
        if self._team is None or self.first is None or self.original is None:
            return False
        member = self._team.member(self.original)
        return (self.first.model if member is None else member.model) is not None

    @property
    def has_pool(self) -> bool:
        """Whether the agent that begins may have tools of plugins and MCP servers."""
        original = self.original
        return self._team is None or original is None or self._choice(original) is not None

    def must_note(self, name: str) -> bool:
        """Whether the next turn has to know that this agent has answered in this one."""
        return bool(name) and self._team is not None and name != self._team.main.name

    def tools_of(self, original: Agent[Any], given: Agent[Any]) -> list[Tool]:
        """Return the tools of an agent, with its choice of the pool; its own names come first."""
        choice = self._choice(original)
        if choice is None or not self._tools or self._has_all(original, choice.tools):
            return given.tools
        pool = {id(tool) for tool in self._tools}
        every = {id(tool): tool for tool in (*given.tools, *self._tools)}
        own = {tool.name for tool in given.tools if id(tool) not in pool}
        return [
            tool
            for key, tool in every.items()
            if key not in pool or (choice.takes_tool(tool.name) and tool.name not in own)
        ]

    def servers_of(self, original: Agent[Any], given: Agent[Any]) -> list[MCPServer]:
        """Return the MCP servers of an agent, with its choice of the pool."""
        choice = self._choice(original)
        if choice is None or self._has_all(original, choice.servers):
            return given.mcp_servers
        every = dict.fromkeys((*given.mcp_servers, *self._servers))
        return [
            server
            for server in every
            if server not in self._servers or choice.takes_server(server.name)
        ]

    def takes(self, original: Agent[Any]) -> Takes:
        """Return which tools of MCP servers an agent has."""
        choice = self._choice(original) or _ALL
        if choice.tools is None:
            return takes_all
        seen = self._seen[id(original)]

        def takes(server: MCPServer, tool: str, name: str) -> bool:
            seen.update((tool, name))
            return server not in self._servers or choice.takes_tool(name, tool)

        return takes

    def warn_of_unknown(self, original: Agent[Any]) -> None:
        """Log names in an agent's `tools` that no tool has: all MCP servers are connected."""
        team, choice = self._team, self._choice(original)
        if team is None or choice is None:
            return
        known = sorted(self._seen[id(original)] | {tool.name for tool in self._tools})
        for pattern in choice.tools or ():
            if not matches([pattern], *known):
                team.warn_of_tool(original, pattern, known)

    def _has_all(self, original: Agent[Any], chosen: object) -> bool:
        """Whether an agent is given the whole pool already."""
        return chosen is None and original is self.original

    def _choice(self, agent: Agent[Any]) -> Choice | None:
        """Return what an agent has of the pool, None if it has only what is its own."""
        member = self._team.member(agent) if self._team is not None else None
        return None if member is None else member.choice


def refuse_same_names(names: Iterable[str], turn: Turn) -> None:
    """Raise `PluginFailed` if two agents of a turn have one name."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            log.error("turn %s: two of its agents have the name %s", turn.id, name)
            raise PluginFailed
        seen.add(name)
