"""The agents of one turn: copies with its tools, its model and its guardrails."""

from __future__ import annotations

import copy
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from agents import (
    Agent,
    AgentBase,
    FunctionTool,
    FunctionToolResult,
    Handoff,
    Model,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunContextWrapper,
    Tool,
    ToolsToFinalOutputResult,
    TResponseInputItem,
)
from agents import handoff as hand_over

from ..errors import ServerError
from ..masking import in_one_line
from ..mcp.approval import for_agent
from ..mcp.manager import McpManager
from ..settings.schema import ApprovalSettings
from ..text import valid_text
from ..turn import Turn
from .fast.direct import EventSink, FastPathModel
from .fast.first_answer import FirstAnswer
from .foreign import with_own_ids
from .models import ModelRouter, max_tools, own_settings
from .portable import for_any_model
from .relay import Relay
from .sdk import (
    agent_of,
    handoff_target,
    set_agent,
    set_handoff_target,
    set_mcp_tools,
)
from .sound import sound
from .team.cast import Cast, refuse_same_names
from .team.checks import handoff_name, reachable
from .team.guardrails import Guardrails
from .tools import wrapped

log = logging.getLogger(__name__)

_LEFT_OUT = 1000
"""Characters of the names of tools that are left out, in the log."""


def as_changed(agent: Agent[Turn], turn: Turn) -> Agent[Turn]:
    """Return a copy of the agent with what `pre_turn` hooks changed in the turn."""
    changed = copy.copy(agent)
    if turn.instructions is not None:
        changed.instructions = valid_text(turn.instructions)
    changed.model = turn.model
    changed.model_settings = turn.model_settings
    changed.tools = turn.tools
    changed.mcp_servers = turn.mcp_servers
    return changed


@dataclass(frozen=True, slots=True)
class _PreparedAgent:
    """An agent and its copy for a turn.

    Both are kept, because they are found by their ids: an id is reused once its object is gone.
    """

    original: Agent[Any]
    copy: Agent[Turn]
    tools: Sequence[Tool]
    nested: bool
    chosen: _Chosen


class _Chosen(NamedTuple):
    """A model for an agent, as it is used and as it was given, and what is known of it.

    `speaks_chat` says that it has an API of chat completions.
    """

    model: str | Model | None
    given: str | Model | None
    speaks_chat: bool = False
    max_tools: int | None = None


class ReadyAgents(ABC):
    """Makes the agents of a turn ready.

    They are the turn's own, those that it can hand over to, and those that it runs as tools. Models
    are bound to `sink`; without one, all their text goes through the SDK. `cast` has the agents of
    the settings, `relay` which agent answers. `shared_model` is for agents without one of their
    own. `call_ids` are those of calls of models that may repeat them.
    """

    def __init__(
        self,
        turn: Turn,
        servers: McpManager,
        models: ModelRouter,
        sink: EventSink | None,
        approval: ApprovalSettings,
        guardrails: Guardrails | None,
    ) -> None:
        self.turn = turn
        self.servers = servers
        self.models = models
        self.sink = sink
        self.guardrails = guardrails or Guardrails()
        self.cast = Cast(turn)
        self.relay = Relay()
        self.shared_model: str | Model | None = None
        self.call_ids: set[str] = set()
        self._approval = approval
        self._prepared: dict[tuple[int, bool], _PreparedAgent] = {}
        self._copies: dict[int, _PreparedAgent] = {}
        self._fast_path_models: list[Model] = []

    @abstractmethod
    async def stop_if_asked(
        self,
        behavior: Any,
        context: RunContextWrapper[Turn],
        results: list[FunctionToolResult],
    ) -> ToolsToFinalOutputResult:
        """Say whether a run ends with these results of tools, given its agent's own behavior."""

    def let_go(self) -> None:
        """Drop the references to the agents."""
        self._prepared.clear()
        for prepared in self._copies.values():
            # They may lead to each other
            prepared.copy.handoffs.clear()
        self._copies.clear()
        self._fast_path_models.clear()

    async def begin(self, given: Agent[Any], changed: Agent[Turn]) -> Agent[Turn]:
        """Return the copy of the agent that begins, with what `pre_turn` hooks changed."""
        copied = await self._prepare(self.cast.original or given, changed, nested=False)
        if self.cast.original is not None:
            refuse_same_names((p.copy.name for p in self._copies.values()), self.turn)
        return copied

    async def ready(self, agent: Agent[Any], *, nested: bool = False) -> Agent[Turn]:
        """Return a copy of the agent for this turn: with its tools, MCP tools and handoffs wrapped.

        A `nested` agent is run by a tool: its text is not part of the turn's answer.
        """
        if id(agent) in self._copies:
            return agent
        agent = self.cast.stands_for(agent)
        if (known := self._prepared.get((id(agent), nested))) is not None:
            return known.copy
        return await self._prepare(agent, await self.cast.agent(agent), nested=nested)

    async def _prepare(
        self, original: Agent[Any], agent: Agent[Any], *, nested: bool
    ) -> Agent[Turn]:
        given = self.cast.tools_of(original, agent)
        names = [tool.name for tool in given] + [handoff_name(each) for each in agent.handoffs]
        mcp_tools = await self.servers.tools(
            self.cast.servers_of(original, agent),
            taken=names,
            wrap=wrapped,
            turn_id=self.turn.id,
            takes=self.cast.takes(original),
        )
        if self.servers.all_connected:
            self.cast.warn_of_unknown(original)
        mcp_tools = [for_agent(tool, agent) for tool in mcp_tools]
        own_tools = [self._own(tool) for tool in given]
        copied = copy.copy(agent)
        chosen = self._model(agent.model, nested)
        tools = self._allowed([*own_tools, *mcp_tools], chosen.max_tools, len(agent.handoffs))
        copied.tools = tools[: len(own_tools)]
        copied.mcp_servers = []
        set_mcp_tools(copied, tools[len(own_tools) :])
        if agent.tool_use_behavior != "stop_on_first_tool":
            copied.tool_use_behavior = partial(self.stop_if_asked, agent.tool_use_behavior)
        if agent.model is None:
            copied.model_settings = own_settings(agent)
        copied.model = chosen.model
        self.guardrails.put_on(copied, nested)
        prepared = _PreparedAgent(original, copied, tools, nested, chosen)
        self._prepared[id(original), nested] = self._copies[id(copied)] = prepared
        copied.handoffs = [await self._handoff(handoff, nested) for handoff in agent.handoffs]
        return copied

    def _own(self, tool: Tool) -> Tool:
        """Return a tool that is not of an MCP server, as a turn has it."""
        used = wrapped(tool) if isinstance(tool, FunctionTool) else tool
        if hasattr(tool, "needs_approval") and self._approval.asks_for(tool.name):
            used = copy.copy(used)
            vars(used)["needs_approval"] = True
        return used

    def tools_of(self, agent: AgentBase[Any]) -> Sequence[Tool]:
        """Return all tools of an agent that was made ready, those of MCP servers last."""
        prepared = self._copies.get(id(agent))
        return prepared.tools if prepared is not None else ()

    def input_for(self, agent: AgentBase[Any], items: Sequence[Any]) -> list[TResponseInputItem]:
        """Return input items as the agent's model takes them."""
        prepared = self._copies.get(id(agent))
        if prepared is None:
            return sound(items)
        if not prepared.nested:
            items = self.relay.asks(prepared.copy.name, prepared.chosen.given, items)
        return sound(for_any_model(items) if prepared.chosen.speaks_chat else items)

    def is_nested(self, agent: AgentBase[Any] | None) -> bool:
        prepared = self._copies.get(id(agent))
        return prepared is not None and prepared.nested

    def _allowed(self, tools: list[Tool], most: int | None, handoffs: int) -> list[Tool]:
        """Return the first tools, as many as the model takes, and log which are left out."""
        room = None if most is None else max(0, most - handoffs)
        if room is None or len(tools) <= room:
            return tools
        left_out = [tool.name for tool in tools[room:]]
        log.info(
            "turn %s: has %d tools, and the model takes %d; left out: %s",
            self.turn.id,
            len(tools),
            room,
            in_one_line(", ".join(left_out), _LEFT_OUT),
        )
        return tools[:room]

    def _model(self, model: str | Model | None, nested: bool) -> _Chosen:
        """Return the model for an agent, bound to this turn if that is possible.

        An agent without a model gets `shared_model`, or that of the turn.
        """
        given = (self.shared_model or self.turn.model) if model is None else model
        found = given
        if found is None or isinstance(found, str):
            try:
                found = self.models.get_model(found)
            except ServerError:
                # The run raises it again, and reports it
                return _Chosen(given, given)
        used: str | Model | None = found
        if nested and isinstance(model, str):
            # A nested run may have its own model provider for a name
            used = model
        elif not isinstance(found, FastPathModel | OpenAIResponsesModel):
            used = with_own_ids(found, self.call_ids)
        elif nested:
            used = found
        elif self.sink is not None and isinstance(found, FastPathModel):
            used = found.bind(self.sink)
            self._fast_path_models.append(used)
        else:
            used = given
        speaks_chat = isinstance(found, FastPathModel | OpenAIChatCompletionsModel)
        return _Chosen(used, given, speaks_chat, max_tools(found))

    async def _handoff(self, handoff: Agent[Any] | Handoff[Any, Any], nested: bool) -> Any:
        if isinstance(handoff, Agent):
            ready, name = await self.ready(handoff, nested=nested), handoff_name(handoff)
            if name == f"transfer_to_{handoff.name.replace(' ', '_')}".lower():
                return ready
            # The SDK would warn, in each turn, of characters that it changes
            return hand_over(ready, tool_name_override=name)
        original = handoff.on_invoke_handoff

        async def invoke(context: RunContextWrapper[Any], arguments: str) -> Agent[Turn]:
            return await self.ready(await original(context, arguments), nested=nested)

        found = replace(handoff, on_invoke_handoff=invoke)
        target = handoff_target(handoff)
        if target is not None:
            set_handoff_target(found, await self.ready(target, nested=nested))
        return found

    def uses_fast_path(self, agent: Agent[Any]) -> bool:
        """Whether the agent's model sends its events to the turn itself."""
        return any(agent.model is model for model in self._fast_path_models)

    def continue_from(self, first_answer: FirstAnswer, agent: Agent[Turn]) -> None:
        """Start the run of an agent with an answer that its model has given already."""
        assert isinstance(agent.model, Model)
        agent.model = first_answer.prepend_to(agent.model)
        self._fast_path_models.append(agent.model)

    @property
    def has_namesakes(self) -> bool:
        """Whether an agent of the turn is also run by a tool: the SDK tells them apart by order."""
        own = {each.copy.name for each in self._copies.values() if not each.nested}
        tools = [tool for each in self._copies.values() for tool in each.tools]
        inner = [agent_of(tool) for tool in tools if isinstance(tool, FunctionTool)]
        found = [each for agent in inner if agent is not None for each in reachable(agent)]
        return any(agent.name in own for agent in found)

    async def resumable(self, agent: Agent[Turn]) -> Agent[Turn]:
        """Return an agent that was made ready, so that a run which has stopped can go on with it.

        The agents that its tools run are those of this turn, where the SDK looks for them.
        """
        seen: set[int] = set()
        todo: list[Any] = [agent]
        while todo:
            current = todo.pop()
            if id(current) in seen:
                continue
            seen.add(id(current))
            for each in current.handoffs:
                target = each if isinstance(each, Agent) else handoff_target(each)
                todo += [] if target is None else [target]
            for tool in current.tools:
                inner = agent_of(tool) if isinstance(tool, FunctionTool) else None
                if inner is not None:
                    ready = await self.ready(inner, nested=True)
                    set_agent(tool, ready)
                    todo.append(ready)
        return agent
