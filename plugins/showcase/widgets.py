"""Widgets: the user sees cards, lists, charts and forms, and can act on them.

A widget is JSON. Design yours in ChatKit's editor, https://widgets.chatkit.studio, and load the
file with `chatkit.widgets.WidgetTemplate`; here they are written by hand.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from agents import RunContextWrapper, function_tool
from chatkit.types import (
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    WidgetComponentUpdated,
    WidgetItem,
)
from chatkit.widgets import DynamicWidgetComponent, DynamicWidgetRoot

from chatkit_server import Turn

from .pace import work
from .picture import sunset


def part(type: str, *children: Any, **rest: Any) -> dict[str, Any]:
    """Return a component of a widget."""
    return {"type": type, **rest} | ({"children": [*children]} if children else {})


def root(type: str, *children: Any, **rest: Any) -> DynamicWidgetRoot:
    """Return a whole widget."""
    return DynamicWidgetRoot.model_validate(part(type, *children, **rest))


def act(name: str, payload: dict[str, Any] | None = None, **how: Any) -> dict[str, Any]:
    """Return what a button does; `actions.py` answers it."""
    return {"type": f"showcase.{name}", "payload": payload or {}, **how}


def order_card(likes: int = 0) -> DynamicWidgetRoot:
    """Return an order with buttons. `streaming: false`: the page waits for the changed widget."""
    like = act("like", {"likes": likes}, streaming=False, loadingBehavior="self")
    return root(
        "Card",
        part("Row", part("Icon", name="cube"), part("Title", value="Your order"), gap=2),
        part("Text", value="One kettle and two cups."),
        part("Divider"),
        part(
            "Row",
            part("Badge", label="Shipped", color="success"),
            part("Spacer"),
            part("Button", label=f"Like ({likes})", size="sm", onClickAction=like),
        ),
        status={"text": "Tea shop", "icon": "globe"},
        confirm={"label": "Where is it?", "action": act("track", {"order": 7})},
        cancel={"label": "Hide", "action": act("hide", loadingBehavior="container")},
    )


@function_tool
async def show_card(ctx: RunContextWrapper[Turn]) -> str:
    """Show the user an order as a card with buttons."""
    text = "Order 7: one kettle and two cups. Shipped."
    await ctx.context.stream_widget(order_card(), copy_text=text)
    return "This is your order."


@function_tool
async def show_list(ctx: RunContextWrapper[Turn]) -> str:
    """Show the user a list of teas, from which one can be picked."""
    teas = {"Assam": "strong", "Darjeeling": "light", "Sencha": "green"}
    rows = [
        part(
            "ListViewItem",
            part("Text", value=tea, weight="semibold"),
            part("Caption", value=taste),
            onClickAction=act("pick", {"tea": tea}, loadingBehavior="self"),
            gap=2,
        )
        for tea, taste in teas.items()
    ]
    await ctx.context.stream_widget(root("ListView", *rows, limit=2), copy_text=", ".join(teas))
    return "Which tea would you like?"


@function_tool
async def show_chart(ctx: RunContextWrapper[Turn]) -> str:
    """Show the user how much tea was drunk, as a chart."""
    chart = part(
        "Chart",
        data=[
            {"month": "Jan", "black": 40, "green": 24, "goal": 50},
            {"month": "Feb", "black": 30, "green": 38, "goal": 55},
        ],
        series=[
            {"type": "bar", "dataKey": "black", "label": "Black", "color": "orange"},
            {"type": "area", "dataKey": "green", "label": "Green", "curveType": "monotone"},
            {"type": "line", "dataKey": "goal", "label": "Goal"},
        ],
        xAxis={"dataKey": "month"},
        showLegend=True,
        height=200,
    )
    status = {"text": "Tea statistics", "favicon": "https://example.com/favicon.ico"}
    await ctx.context.stream_widget(root("Card", part("Title", value="Cups"), chart, status=status))
    return "More and more people drink green tea."


@function_tool
async def show_form(ctx: RunContextWrapper[Turn]) -> str:
    """Show the user a form to order tea with."""
    sizes = [{"value": "s", "label": "Small"}, {"value": "l", "label": "Large"}]
    teas = [{"value": tea, "label": tea.capitalize()} for tea in ("assam", "sencha")]
    form = part(
        "Form",
        part("Label", value="Name", fieldName="name"),
        part("Input", name="name", placeholder="Your name", required=True),
        part("Select", name="tea", options=teas, placeholder="Tea", searchable=True),
        part("RadioGroup", name="size", options=sizes, defaultValue="s", direction="row"),
        part("DatePicker", name="day", placeholder="Day"),
        part("Checkbox", name="gift", label="It is a present"),
        part("Textarea", name="note", placeholder="Note", rows=2, autoResize=True),
        part("Button", label="Order", submit=True, style="primary"),
        onSubmitAction=act("order", loadingBehavior="container"),
        direction="col",
        gap=2,
    )
    await ctx.context.stream_widget(root("Card", form), copy_text="An order form")
    return "Fill in the form to order."


@function_tool
async def show_gallery(ctx: RunContextWrapper[Turn]) -> str:
    """Show the user the components that the other widgets do not have."""
    line = {"size": 1, "color": {"light": "#dddddd", "dark": "#444444"}}
    picture = part("Image", src=sunset(), alt="A sunset", size=80, radius="full", frame=True)
    gallery = root(
        "Basic",
        part("Col", part("Title", value="Gallery", size="lg"), part("Caption", value="Basics")),
        part("Box", picture, padding={"x": 2, "y": 1}, border={"bottom": line}),
        part("Markdown", value="**Bold**, and a [link](https://example.com)"),
        part("Form", part("Text", value="Change me", editable={"name": "title"})),
        {"type": "Transition", "children": part("Text", value="Fades in", key="fades")},
    )
    await ctx.context.stream_widget(gallery, copy_text="A gallery")
    return "These are the components."


@function_tool
async def write_draft(ctx: RunContextWrapper[Turn]) -> str:
    """Write a letter into a card, word by word."""

    async def states() -> AsyncGenerator[DynamicWidgetRoot, None]:
        text = ""
        for word in ("Dear", " tea", " lovers,", " the", " kettle", " is", " on."):
            yield letter(text)
            text += word
            await work()
        yield letter(text, streaming=False)

    await ctx.context.stream_widget(states(), copy_text="A letter")
    return "The letter is ready."


def letter(text: str, *, streaming: bool = True) -> DynamicWidgetRoot:
    """Return a letter. A text that has an `id` grows on the page, and nothing is drawn anew."""
    return root("Card", part("Text", value=text, id="letter", streaming=streaming))


@function_tool
async def make_tea(ctx: RunContextWrapper[Turn]) -> str:
    """Make tea, and show the user how far it is."""
    turn, states = ctx.context, ("Boiling", "Brewing", "Ready")
    item = turn.new_item(WidgetItem, widget=teapot(states[0]))
    await turn.stream(ThreadItemAddedEvent(item=item))
    for state in states[1:]:
        await work()
        badge = DynamicWidgetComponent.model_validate(state_badge(state))
        update = WidgetComponentUpdated(component_id="state", component=badge)
        await turn.stream(ThreadItemUpdatedEvent(item_id=item.id, update=update))
    done = item.model_copy(update={"widget": teapot(states[-1])})
    await turn.stream(ThreadItemDoneEvent(item=done))
    return "Tea is ready."


def teapot(state: str) -> DynamicWidgetRoot:
    """Return a card whose badge can change alone, as it has an `id`."""
    return root("Card", part("Row", part("Text", value="Tea"), part("Spacer"), state_badge(state)))


def state_badge(state: str) -> dict[str, Any]:
    """Return how far the tea is."""
    return part("Badge", label=state, id="state", color="info")


def say(text: str) -> dict[str, Any]:
    """Return what a button does that says something: the page's `widgets.onAction` sends it."""
    return act("say", {"text": text}, handler="client", loadingBehavior="none")


@function_tool
async def suggest(ctx: RunContextWrapper[Turn]) -> str:
    """Suggest to the user what to say next."""
    buttons = [
        part("Button", label=text, onClickAction=say(text))
        for text in ("Show a card", "Draw a sunset", "Use tools")
    ]
    await ctx.context.stream_widget(root("Card", part("Col", *buttons, gap=1)))
    return "What next?"


WIDGETS = [
    show_card,
    show_list,
    show_chart,
    show_form,
    show_gallery,
    write_draft,
    make_tea,
    suggest,
]
