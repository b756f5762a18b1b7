"""Each user has threads and facts of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator

from agents import Agent, RunContextWrapper, Runner, function_tool
from chatkit.agents import AgentContext, simple_to_agent_input, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.store import NotFoundError
from chatkit.types import (
    FeedbackKind,
    Page,
    ThreadItem,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
)

from ..memory_store import MemoryStore, paginate
from .context import RequestContext

TenantContext = AgentContext[RequestContext]


class Facts:
    """What users told about themselves."""

    def __init__(self) -> None:
        self.by_user: dict[str, list[str]] = {}

    def of(self, user_id: str) -> list[str]:
        """Return the facts about a user."""
        return self.by_user.setdefault(user_id, [])


class TenantStore(MemoryStore):
    """Shows each user only what is theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.owners: dict[str, str] = {}

    def generate_thread_id(self, context: RequestContext) -> str:
        return f"{context.user_id}-{super().generate_thread_id(context)}"

    async def save_thread(self, thread: ThreadMetadata, context: RequestContext) -> None:
        if self.owners.setdefault(thread.id, context.user_id) != context.user_id:
            raise NotFoundError(thread.id)
        await super().save_thread(thread, context)

    async def load_thread(self, thread_id: str, context: RequestContext) -> ThreadMetadata:
        if self.owners.get(thread_id) != context.user_id:
            raise NotFoundError(thread_id)
        return await super().load_thread(thread_id, context)

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: RequestContext
    ) -> Page[ThreadMetadata]:
        own = [t for t in self.threads.values() if self.owners[t.id] == context.user_id]
        return paginate(own, after, limit, order)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: RequestContext
    ) -> Page[ThreadItem]:
        await self.load_thread(thread_id, context)
        return await super().load_thread_items(thread_id, after, limit, order, context)


class TenantServer(ChatKitServer[RequestContext]):
    """Learns facts about its users."""

    def __init__(self, facts: Facts) -> None:
        super().__init__(TenantStore())
        self.facts = facts
        self.feedback: list[tuple[str, FeedbackKind, int]] = []

        @function_tool
        async def learn(ctx: RunContextWrapper[TenantContext], fact: str) -> str:
            """Remember a fact about the user."""
            user_id = ctx.context.request_context.user_id
            facts.of(user_id).append(fact)
            return f"{user_id} has {len(facts.of(user_id))} facts"

        self.learn = learn

    async def respond(
        self,
        thread: ThreadMetadata,
        input_user_message: UserMessageItem | None,
        context: RequestContext,
    ) -> AsyncIterator[ThreadStreamEvent]:
        model = "gpt-4.1" if context.plan == "pro" else "gpt-4.1-mini"
        known = "; ".join(self.facts.of(context.user_id)) or "nothing"
        agent = Agent[TenantContext](
            name="Tenants",
            model=model,
            instructions=f"Known about {context.user_id} ({context.plan}): {known}.",
            tools=[self.learn],
        )
        page = await self.store.load_thread_items(thread.id, None, 20, "desc", context)
        told = await simple_to_agent_input(list(reversed(page.data)))
        agent_context = TenantContext(thread=thread, store=self.store, request_context=context)
        result = Runner.run_streamed(agent, told, context=agent_context)
        async for event in stream_agent_response(agent_context, result):
            yield event

    async def add_feedback(
        self,
        thread_id: str,
        item_ids: list[str],
        feedback: FeedbackKind,
        context: RequestContext,
    ) -> None:
        self.feedback.append((context.user_id, feedback, len(item_ids)))
