"""The agent, its context and its tools."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated, Any

from agents import Agent, RunContextWrapper, function_tool
from chatkit.agents import AgentContext
from chatkit.types import ClientEffectEvent, ProgressUpdateEvent
from chatkit.widgets import WidgetRoot
from pydantic import ConfigDict, Field

from ..memory_store import MemoryStore
from .widgets import pantry_card, recipe_card

RECIPE = ("Warm the milk. ", "Stir in the oats. ", "Serve.")


class Pantry:
    """What is in stock, by thread."""

    def __init__(self) -> None:
        self._stock: dict[str, dict[str, int]] = {}

    def of(self, thread_id: str) -> dict[str, int]:
        """Return the stock of a thread."""
        return self._stock.setdefault(thread_id, {})


class PantryContext(AgentContext[dict[str, Any]]):
    """What tools know of the conversation."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    store: Annotated[MemoryStore, Field(exclude=True)]
    pantry: Annotated[Pantry, Field(exclude=True)]
    changed: list[str] = Field(default_factory=list)

    @property
    def stock(self) -> dict[str, int]:
        """What is in stock in this thread."""
        return self.pantry.of(self.thread.id)


@function_tool(description_override="Put something into the pantry.")
async def add_item(ctx: RunContextWrapper[PantryContext], name: str, count: int) -> dict[str, int]:
    context = ctx.context
    await context.stream(ProgressUpdateEvent(icon="sparkle", text=f"Adding {name} …"))
    context.stock[name] = context.stock.get(name, 0) + count
    context.changed.append(name)
    effect = ClientEffectEvent(name="pantry_changed", data={"stock": dict(context.stock)})
    await context.stream(effect)
    return context.stock


@function_tool(description_override="Show what is in the pantry.")
async def show_pantry(ctx: RunContextWrapper[PantryContext]) -> str:
    context = ctx.context
    names = ", ".join(context.stock)
    await context.stream_widget(pantry_card(context.stock), copy_text=f"In stock: {names}")
    return f"The pantry is shown; changed in this answer: {', '.join(context.changed) or 'nothing'}"


@function_tool(description_override="Show a recipe, line by line.")
async def show_recipe(ctx: RunContextWrapper[PantryContext]) -> str:
    async def cards() -> AsyncGenerator[WidgetRoot, None]:
        yield recipe_card("")
        for number in range(1, len(RECIPE) + 1):
            yield recipe_card("".join(RECIPE[:number]), ready=number == len(RECIPE))

    await ctx.context.stream_widget(cards())
    return "The recipe is shown."


pantry_agent = Agent[PantryContext](
    name="Pantry",
    model="gpt-4.1-mini",
    instructions="Help with the pantry.",
    tools=[add_item, show_pantry, show_recipe],
)
