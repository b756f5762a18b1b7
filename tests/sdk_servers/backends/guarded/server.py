"""A server that refuses, fails and says so in each way there is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from agents import (
    Agent,
    GuardrailFunctionOutput,
    InputGuardrailTripwireTriggered,
    OutputGuardrailTripwireTriggered,
    RunContextWrapper,
    Runner,
    TResponseInputItem,
    function_tool,
    input_guardrail,
    output_guardrail,
)
from chatkit.actions import Action
from chatkit.agents import AgentContext, simple_to_agent_input, stream_agent_response
from chatkit.errors import CustomStreamError, ErrorCode, StreamError
from chatkit.server import ChatKitServer
from chatkit.store import Store
from chatkit.types import (
    ErrorEvent,
    ProgressUpdateEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    WidgetItem,
)
from chatkit.widgets import Card, Text

from ..memory_store import MemoryStore

GuardedContext = AgentContext[dict[str, Any]]


@input_guardrail(run_in_parallel=False)
async def no_secrets(
    ctx: RunContextWrapper[GuardedContext],
    agent: Agent[GuardedContext],
    input: str | list[TResponseInputItem],
) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(None, tripwire_triggered="password" in str(input[-1]))


@output_guardrail
async def no_promises(
    ctx: RunContextWrapper[GuardedContext], agent: Agent[GuardedContext], output: str
) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(None, tripwire_triggered="promise" in output)


@function_tool(description_override="Show a card.")
async def show_card(ctx: RunContextWrapper[GuardedContext]) -> str:
    await ctx.context.stream_widget(Card(children=[Text(value="a card")]))
    return "shown"


guarded_agent = Agent[GuardedContext](
    name="Guarded",
    model="gpt-4.1-mini",
    instructions="Be careful.",
    tools=[show_card],
    input_guardrails=[no_secrets],
    output_guardrails=[no_promises],
)


class GuardedServer(ChatKitServer[dict[str, Any]]):
    """Raises what the message asks for; else the agent answers."""

    def __init__(self, store: Store[dict[str, Any]] | None = None) -> None:
        super().__init__(store or MemoryStore())

    async def respond(
        self,
        thread: ThreadMetadata,
        input_user_message: UserMessageItem | None,
        context: dict[str, Any],
    ) -> AsyncIterator[ThreadStreamEvent]:
        said = input_user_message.content[0].text if input_user_message else ""
        if said.startswith("fail "):
            yield ProgressUpdateEvent(text="One moment …")
            fail(said.removeprefix("fail "))
        if said == "tell an error":
            yield ErrorEvent(message="Told as an event.", allow_retry=True)
            return
        page = await self.store.load_thread_items(thread.id, None, 20, "desc", context)
        told = await simple_to_agent_input(list(reversed(page.data)))
        agent_context = GuardedContext(thread=thread, store=self.store, request_context=context)
        result = Runner.run_streamed(guarded_agent, told, context=agent_context)
        try:
            async for event in stream_agent_response(agent_context, result):
                yield event
        except InputGuardrailTripwireTriggered:
            raise CustomStreamError("Keep your passwords to yourself.") from None
        except OutputGuardrailTripwireTriggered:
            thread.metadata["withdrawn"] = True
            raise CustomStreamError("That was withdrawn.", allow_retry=True) from None

    async def action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: dict[str, Any],
    ) -> AsyncIterator[ThreadStreamEvent]:
        yield ProgressUpdateEvent(text="One moment …")
        fail(action.type)


def fail(how: str) -> None:
    """Raise an error of this kind."""
    match how:
        case "custom":
            raise CustomStreamError("Not on Sundays.")
        case "custom retry":
            raise CustomStreamError("Busy. Try again.", allow_retry=True)
        case "code":
            raise StreamError(ErrorCode.STREAM_ERROR)
        case "code final":
            raise StreamError(ErrorCode.STREAM_ERROR, allow_retry=False)
    raise RuntimeError("a bug with a secret in it")
