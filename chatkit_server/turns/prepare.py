"""What answers a turn: the `agent` and `pre_turn` hooks decide, before anything is saved."""

from __future__ import annotations

import logging
from copy import copy
from functools import partial
from typing import Any

from agents import Agent, Model
from chatkit.store import Store
from chatkit.types import ClientToolCallItem, UserMessageItem

from ..agent.models import (
    ModelRouter,
    choose_model,
    offered_model,
    own_settings,
)
from ..agent.ready import as_changed
from ..agent.runner import AgentRunner
from ..agent.stream import EventTranslator
from ..agent.team.guardrails import Guardrails
from ..agent.team.team import Team
from ..errors import EndTurn
from ..events.log import TurnLog
from ..events.recorder import Recorder
from ..events.shared import EventLog, NoEventLog
from ..events.threads import ThreadWriter
from ..mcp.manager import McpManager
from ..plugin.answers import likely_typo, wrong_turn
from ..plugin.call import HookCall
from ..plugin.calls import Hooks
from ..records import repeats
from ..settings.schema import Settings
from ..turn import StoreContext, Turn
from .approvals import Approvals
from .conversation import Conversations
from .job import TurnJob, TurnPlan, choose_tool
from .view import StoreView

_CHOOSING = ("agent", "pre_turn", "respond")
"""Hooks that may take a model which the settings do not offer."""

log = logging.getLogger(__name__)


class Preparation:
    """Makes turns, and gets them ready to run."""

    def __init__(
        self,
        settings: Settings,
        hooks: Hooks,
        store: Store[StoreContext],
        models: ModelRouter,
        mcp: McpManager,
        events: EventLog,
        threads: ThreadWriter,
        team: Team,
        guardrails: Guardrails,
    ) -> None:
        self.settings = settings
        self.hooks = hooks
        self.store = store
        self.models = models
        self.mcp = mcp
        # What carries nothing costs nothing
        self._shared = None if isinstance(events, NoEventLog) else events
        self.threads = threads
        self.approvals = Approvals(store, settings.agent)
        history = settings.agent.history
        self.conversations = Conversations(store, history, hooks, self.approvals)
        self._team = team
        self._guardrails = guardrails

    @property
    def _model(self) -> str | None:
        """The settings' model; None if no plugin serves it, where a hook answers without it."""
        name = self.settings.agent.model
        known = self.models.serves(name) or not self.hooks.implemented("respond")
        return name if known else None

    def new_job(self, plan: TurnPlan) -> TurnJob:
        """Return the job of a new turn. Nothing has been asked of plugins yet."""
        turn = self._turn(plan)
        turn.store = view = StoreView(self.store, turn.store_context)
        limits, agent = self.settings.turns.limits, self.settings.agent
        recorder = Recorder(
            turn,
            self.store,
            self.hooks,
            TurnLog(turn.id, self._shared, turn.store_context.attempt),
            plan.wire,
            limits.answer,
            self.threads,
        )
        recorder.supersede(plan.superseded or [])
        recorder.asked = plan.asked
        view.hidden = {item.id for item in plan.superseded or ()}
        view.finish = recorder.finish
        turn._unfinished = recorder.unfinished
        translator = EventTranslator(turn, recorder, limits)
        sink = translator if agent.fast_path else None
        runner = AgentRunner(
            turn,
            self.hooks,
            self.mcp,
            recorder.tool,
            limits,
            self.models,
            sink,
            agent,
            self._guardrails,
        )
        return TurnJob(plan, turn, recorder, translator, runner)

    def _turn(self, plan: TurnPlan) -> Turn:
        known = {"id": plan.accepted.id} if plan.accepted is not None else {}
        turn = Turn(
            **known,
            thread=plan.thread,
            store=self.store,
            request_context=plan.context,
            user=plan.user,
            operation=plan.operation,
            message=plan.message,
            parent_id=plan.parent_id,
            request=plan.request,
            locale=plan.locale,
            # A copy costs less than new ones, which are validated
            model_settings=copy(self._team.main.model_settings),
        )
        turn._catalogs = self.hooks.languages
        attempt = plan.accepted.attempt if plan.accepted is not None else 1
        context = StoreContext(plan.user, turn.id, attempt, context=plan.context)
        turn.store_context = context
        turn.keep_early()
        turn._takes_note = plan.action is not None
        if plan.context is None:
            turn.request_context = context
        if plan.action is None:
            turn.model = offered_model(turn, self.settings.agent) or self._model
        return turn

    def refuse_model(self, plan: TurnPlan) -> None:
        """Raise `BadRequest` for a picked model that is not offered, and that no hook may take.

        Where there are such hooks, only `prepare` can tell.
        """
        if not any(map(self.hooks.implemented, _CHOOSING)):
            choose_model(plan, self.settings.agent)

    async def prepare(self, job: TurnJob) -> None:
        """Let `agent` and `pre_turn` decide what answers, and connect its tools.

        `job.prepared_by` then names the plugins whose `pre_turn` was called. An action is answered
        by a hook of its own, and needs no agent: it gets the items of its thread.

        Raises `BadRequest` for a model picked in the composer that neither the settings offer nor a
        plugin takes, and `Conflict` if what the request answers was answered meanwhile.
        """
        turn = job.turn
        if job.plan.answered:
            # Another process may have answered after the plan was made, and before the claim
            job.plan.answered = (await job.plan_again()).answered
        goes_on = job.plan.click is None or await self.approvals.take(job, job.plan.click)
        history = await self.conversations.give(turn, job.plan)
        job.plan.waits = job.plan.waits or not goes_on
        if job.plan.action is not None or job.plan.waits:
            return
        # Their calls are made again only once
        self.mcp.check_up({saved.server for saved, _ in job.plan.resumes})
        if job.paused is not None:
            # It goes on with the answer to that
            turn.message = next(
                (i for i in reversed(turn.items) if isinstance(i, UserMessageItem)), None
            )
        job.note_agent = history.forgets_agent
        try:
            given, agent, shared = await self._propose(job)
            await self._let_change(job)
        except EndTurn as error:
            job.answer = error
            return
        if job.plan.goes_on and any(
            isinstance(item, ClientToolCallItem) for item in job.plan.answered
        ):
            await job.translator.workflow.resume()
        if job.paused is None:
            job.answer = await self._answer(turn)
        if job.answer is None:
            await self._make_ready(job, given, agent, shared)
            return
        if isinstance(job.answer, tuple) and job.answer[0].owner_says("keeps_pending"):
            job.plan.keep_pending()
        if turn.model == self.settings.agent.model:
            turn.model = self._model

    async def _propose(
        self, job: TurnJob
    ) -> tuple[Agent[Turn] | None, Agent[Any], str | Model | None]:
        """Give the turn what its agent has, for `pre_turn` to change.

        Return the agent of the hook `agent`, if there is one, the agent that begins, and the model
        of agents without one.
        """
        turn, cast = job.turn, job.runner.cast
        picked = offered_model(turn, self.settings.agent)
        check = partial(wrong_turn, turn)
        given: Agent[Turn] | None = await self.hooks.first("agent", check=check, turn=turn)
        agent = given or await cast.begin(self._team, self._resumed(job))
        turn.first_agent = agent.name
        shared = picked or self._team.main.agent.model or self.settings.agent.model
        turn.model = agent.model if cast.has_own_model else picked or agent.model or shared
        turn.instructions = agent.instructions if isinstance(agent.instructions, str) else None
        turn.model_settings = own_settings(given) if given else copy(agent.model_settings)
        turn.tools = list(agent.tools)
        turn.mcp_servers = [*agent.mcp_servers, *(self.mcp.servers if cast.has_pool else ())]
        turn.input = await turn.make_input()
        return given, agent, shared

    async def _let_change(self, job: TurnJob) -> None:
        """Call `pre_turn` of all plugins."""
        turn = job.turn
        check = partial(wrong_turn, turn)
        # Pydantic notes which fields are set: from here on, by a plugin
        turn.model_fields_set.discard("model")
        await self.hooks.each("pre_turn", called=job.prepared_by, check=check, turn=turn)
        _warn_of_typo(turn)
        turn.link_context()

    async def _make_ready(
        self,
        job: TurnJob,
        given: Agent[Turn] | None,
        agent: Agent[Any],
        shared: str | Model | None,
    ) -> None:
        """Make the agent ready to run, as `_propose` returned it and `pre_turn` changed it."""
        turn = job.turn
        if "model" not in turn.model_fields_set and (given is None or given.model is None):
            choose_model(turn, self.settings.agent)
        if given is None and "model" not in turn.model_fields_set:
            job.runner.shared_model = shared
        job.runner.cast.fill_pool(turn.tools, turn.mcp_servers)
        job.agent = await job.runner.begin(agent, as_changed(agent, turn))
        if isinstance(turn.input, list):
            turn.input = job.runner.input_for(job.agent, turn.input)
        if job.paused is not None:
            await self.approvals.restore(job)
        else:
            choose_tool(job.agent, turn.message, job.runner.tools_of)

    async def _answer(self, turn: Turn) -> tuple[HookCall, Any] | Exception | None:
        """Return the `respond` hook that answers with its events, or its error."""
        try:
            return await self.hooks.first_call("respond", turn=turn)
        except Exception as error:
            return error

    def _resumed(self, job: TurnJob) -> str | None:
        """Return the name of the agent that goes on in the conversation, None for the main one."""
        if job.paused is not None:
            return job.paused.agent
        # What the client has done for an agent is for that one to hear
        if self.settings.agent.resume == "last" or job.plan.goes_on:
            return job.turn.last_agent
        return None


def _warn_of_typo(turn: Turn) -> None:
    """Log a likely mistake: an attribute of any name may be set."""
    if typo := likely_typo(turn):
        log.warning(
            "turn %s: a plugin %s", turn.id, typo, extra=repeats(typo, "set again", turn.id)
        )
