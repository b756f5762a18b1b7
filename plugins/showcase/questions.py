"""What waits for the user, or for the page: the turn ends, and goes on with the answer.

Nothing waits in memory. The answer may come after days, or after a restart.
"""

from __future__ import annotations

from agents import RunContextWrapper, function_tool
from chatkit.agents import ClientToolCall
from chatkit.types import (
    StructuredInputFreeform,
    StructuredInputMultipleChoice,
    StructuredInputMultipleChoiceOption,
)

from chatkit_server import Turn

TEA = StructuredInputMultipleChoice(
    id="tea",
    question="Which teas?",
    options=[StructuredInputMultipleChoiceOption(value=tea) for tea in ("Assam", "Sencha")],
    multiple=True,
)
CUP = StructuredInputFreeform(id="cup", question="Which cup?", description="Any that you have.")


@function_tool
async def ask_something(ctx: RunContextWrapper[Turn]) -> str:
    """Ask the user what to brew. The answers become the output of this tool."""
    await ctx.context.ask([TEA, CUP])


@function_tool
async def client_tool(ctx: RunContextWrapper[Turn]) -> str:
    """Ask the page where the user is. Its `onClientTool` answers."""
    ctx.context.client_tool_call = ClientToolCall(name="get_location", arguments={"precise": False})
    return "The page was asked."


@function_tool(needs_approval=True)
async def delete_everything(ctx: RunContextWrapper[Turn]) -> str:
    """Delete all teas, after the user has approved it. It runs once, however often they click."""
    return "Everything is deleted."


QUESTIONS = [ask_something, client_tool, delete_everything]
