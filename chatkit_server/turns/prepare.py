"""What answers a turn: the `agent` and `pre_turn` hooks decide, before anything is saved."""

from __future__ import annotations

from copy import copy
from functools import partial

from agents import Agent, TResponseInputItem
from chatkit.store import Store

from ..agent.history import load_history, to_input
from ..agent.models import (
    ModelRouter,
    choose_model,
    model_settings,
    offered_model,
    own_settings,
)
from ..agent.runner import AgentRunner, as_changed, instructions
from ..agent.stream import EventTranslator
from ..events.log import EventLogFactory
from ..events.recorder import Recorder
from ..mcp.manager import McpManager
from ..plugin.answers import wrong_turn
from ..plugin.calls import Hooks
from ..settings.schema import Settings
from ..turn import StoreContext, Turn
from .job import TurnJob, TurnPlan, choose_tool, model_name


class Preparation:
    """Makes turns, and gets them ready to run."""

    def __init__(
        self,
        settings: Settings,
        hooks: Hooks,
        store: Store[StoreContext],
        models: ModelRouter,
        mcp: McpManager,
        make_log: EventLogFactory,
    ) -> None:
        self.settings = settings
        self.hooks = hooks
        self.store = store
        self.models = models
        self.mcp = mcp
        self.make_log = make_log
        # To make an agent looks through all its annotations: do it once, and copy it for each turn
        self._agent: Agent[Turn] = Agent(
            name=settings.agent.name, model_settings=model_settings(settings.agent)
        )

    def new_job(self, plan: TurnPlan) -> TurnJob:
        """Return the job of a new turn. Nothing has been asked of plugins yet."""
        turn = self._turn(plan)
        limits, images = self.settings.turns.limits, self.settings.agent.images
        recorder = Recorder(
            turn, self.store, self.hooks, self.make_log(turn.id), plan.wire, limits.answer
        )
        recorder.supersede(plan.superseded or [])
        translator = EventTranslator(turn, recorder, limits)
        sink = translator if self.settings.agent.fast_path else None
        runner = AgentRunner(
            turn, self.hooks, self.mcp, recorder.tool, limits, self.models, sink, images
        )
        return TurnJob(plan, turn, recorder, translator, runner)

    def _turn(self, plan: TurnPlan) -> Turn:
        turn = Turn(
            thread=plan.thread,
            store=self.store,
            request_context=StoreContext(plan.user),
            user=plan.user,
            operation=plan.operation,
            message=plan.message,
            locale=plan.locale,
            # A copy costs less than new ones, which are validated
            model_settings=copy(self._agent.model_settings),
        )
        turn.request_context = StoreContext(plan.user, turn.id, attempt=1)
        if plan.action is None:
            turn.model = offered_model(turn, self.settings.agent) or self.settings.agent.model
        return turn

    async def prepare(self, job: TurnJob) -> None:
        """Let `agent` and `pre_turn` decide what answers, and connect its tools.

        `job.prepared_by` then names the plugins whose `pre_turn` was called. An action is answered
        by a hook of its own, and needs no agent.

        Raises `BadRequest` for a model picked in the composer that neither the settings offer nor a
        plugin takes.
        """
        if job.plan.action is not None:
            return
        turn = job.turn
        picked = offered_model(turn, self.settings.agent)
        given: Agent[Turn] | None = await self.hooks.first("agent", turn=turn)
        agent = given or self._default_agent(turn)
        turn.model = picked or agent.model or self.settings.agent.model
        turn.instructions = agent.instructions if isinstance(agent.instructions, str) else None
        turn.model_settings = own_settings(given) if given else copy(agent.model_settings)
        turn.tools = list(agent.tools)
        turn.mcp_servers = [*agent.mcp_servers, *self.mcp.servers]
        turn.input = await self._input(job.plan, turn)
        check = partial(wrong_turn, turn)
        # Pydantic notes which fields are set: from here on, by a plugin
        turn.model_fields_set.discard("model")
        await self.hooks.each("pre_turn", called=job.prepared_by, check=check, turn=turn)
        if "model" not in turn.model_fields_set and (given is None or given.model is None):
            choose_model(turn, self.settings.agent)
        job.agent = await job.runner.ready(as_changed(agent, turn))
        if isinstance(turn.input, list):
            turn.input = job.runner.input_for(job.agent, turn.input)
        choose_tool(job.agent, turn.message, job.runner.tools_of(job.agent))

    def _default_agent(self, turn: Turn) -> Agent[Turn]:
        agent = copy(self._agent)
        agent.instructions = instructions(self.settings.agent.instructions, turn)
        return agent

    async def _input(self, plan: TurnPlan, turn: Turn) -> list[TResponseInputItem]:
        budget = self.settings.agent.history
        items = list(plan.earlier)
        if not plan.new_thread:
            again = plan.message.id if plan.message and plan.superseded is not None else None
            items += await load_history(
                self.store, turn.request_context, turn.thread.id, budget, until=again
            )
        if plan.replaced is not None:
            items = [plan.replaced if i.id == plan.replaced.id else i for i in items]
        if plan.message is not None:
            items.append(plan.message)
        return await to_input(items, model_name(turn), budget)
