"""A server that shows what it does, and asks back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from agents import Agent, RunContextWrapper, Runner, StopAtTools, function_tool
from chatkit.agents import (
    AgentContext,
    ClientToolCall,
    simple_to_agent_input,
    stream_agent_response,
)
from chatkit.server import ChatKitServer
from chatkit.store import Store
from chatkit.types import (
    CustomSummary,
    CustomTask,
    FileSource,
    FileTask,
    SearchTask,
    StructuredInputFreeform,
    StructuredInputItem,
    StructuredInputMultipleChoice,
    StructuredInputMultipleChoiceOption,
    ThreadItemDoneEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    URLSource,
    UserMessageItem,
    Workflow,
)

from ..memory_store import MemoryStore

StepsContext = AgentContext[dict[str, Any]]
SEARCH_TIME = 0.02
"""Seconds."""


@function_tool(description_override="Look something up.")
async def look_up(ctx: RunContextWrapper[StepsContext], what: str) -> str:
    await asyncio.sleep(SEARCH_TIME)
    search = SearchTask(title=f"Searching {what}", queries=[what], status_indicator="loading")
    await ctx.context.add_workflow_task(search)
    source = URLSource(url=f"https://{what}.example", title=what)
    found = search.model_copy(update={"sources": [source], "status_indicator": "complete"})
    workflow = ctx.context.workflow_item
    assert workflow is not None
    await ctx.context.update_workflow_task(found, len(workflow.workflow.tasks) - 1)
    return f"{what} found"


@function_tool(description_override="Read files; the work is then done.")
async def read_files(ctx: RunContextWrapper[StepsContext]) -> str:
    context = ctx.context
    await context.start_workflow(Workflow(type="custom", tasks=[]))
    await context.add_workflow_task(
        CustomTask(title="Opening", icon="document", content="Two files.")
    )
    source = FileSource(filename="a.txt", title="A")
    await context.add_workflow_task(FileTask(title="Read", sources=[source]))
    await context.end_workflow(CustomSummary(title="Read two files"), expanded=True)
    return "read"


@function_tool(description_override="Ask the user.")
async def ask(ctx: RunContextWrapper[StepsContext], question: str) -> str:
    options = [StructuredInputMultipleChoiceOption(value=value) for value in ("red", "blue")]
    item = StructuredInputItem(
        id=ctx.context.generate_id("message"),
        thread_id=ctx.context.thread.id,
        created_at=datetime.now(),
        inputs=[
            StructuredInputMultipleChoice(id="colour", question=question, options=options),
            StructuredInputFreeform(id="why", question="Why?", description="In a few words"),
        ],
    )
    await ctx.context.stream(ThreadItemDoneEvent(item=item))
    return "asked"


@function_tool(description_override="Have the page pick a colour.")
async def pick(ctx: RunContextWrapper[StepsContext]) -> None:
    await ctx.context.add_workflow_task(CustomTask(title="Picking", status_indicator="loading"))
    ctx.context.client_tool_call = ClientToolCall(name="pick", arguments={})


steps_agent = Agent[StepsContext](
    name="Steps",
    model="gpt-5-mini",
    instructions="Think first.",
    tools=[look_up, read_files, ask, pick],
    tool_use_behavior=StopAtTools(stop_at_tool_names=["pick"]),
)


class StepsServer(ChatKitServer[dict[str, Any]]):
    """Thinks, works and asks in one workflow."""

    def __init__(self, store: Store[dict[str, Any]] | None = None) -> None:
        super().__init__(store or MemoryStore())

    async def respond(
        self,
        thread: ThreadMetadata,
        input_user_message: UserMessageItem | None,
        context: dict[str, Any],
    ) -> AsyncIterator[ThreadStreamEvent]:
        page = await self.store.load_thread_items(thread.id, None, 20, "desc", context)
        told = await simple_to_agent_input(list(reversed(page.data)))
        agent_context = StepsContext(thread=thread, store=self.store, request_context=context)
        if input_user_message and input_user_message.quoted_text:
            await agent_context.start_workflow(
                Workflow(type="custom", tasks=[CustomTask(title="Reading the quote")])
            )
        result = Runner.run_streamed(steps_agent, told, context=agent_context)
        async for event in stream_agent_response(agent_context, result):
            yield event
