"""What buttons and forms do. The page may send anything as a payload: check what you use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from chatkit.actions import Action
from chatkit.types import (
    ActiveStatus,
    AssistantMessageContent,
    AssistantMessageItem,
    HiddenContextItem,
    SyncCustomActionResponse,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadStreamEvent,
    WidgetItem,
)

from chatkit_server import Turn

from .widgets import order_card, part, root

Events = AsyncIterator[ThreadStreamEvent]


def answer(
    turn: Turn, action: Action[str, Any], item: WidgetItem | None
) -> Events | SyncCustomActionResponse | None:
    """Return the answer to an action; None if it is not one of these."""
    match action.type, action.payload, item:
        case "showcase.track", {"order": int(number)}, _:
            return tell(turn, f"Order {number} is on its way.")
        case "showcase.like", {"likes": int(likes)}, WidgetItem():
            changed = item.model_copy(update={"widget": order_card(likes + 1)})
            return SyncCustomActionResponse(updated_item=changed)
        case "showcase.hide", _, WidgetItem():
            return hide(item)
        case "showcase.pick", {"tea": str(tea)}, WidgetItem():
            return pick(turn, item, tea)
        case "showcase.order", {"name": str()} as form, WidgetItem():
            return order(turn, item, form)
        case "showcase.reopen", _, _:
            return reopen(turn)
    return None


async def tell(turn: Turn, text: str) -> Events:
    """Answer with a message."""
    content = [AssistantMessageContent(text=text)]
    yield ThreadItemDoneEvent(item=turn.new_item(AssistantMessageItem, content=content))


async def hide(item: WidgetItem) -> Events:
    """Remove the widget."""
    yield ThreadItemRemovedEvent(item_id=item.id)


async def pick(turn: Turn, item: WidgetItem, tea: str) -> Events:
    """Replace the widget, and tell the model what the user did: a hidden item is for it alone."""
    picked = root("Card", part("Text", value=f"You picked {tea}."))
    yield ThreadItemReplacedEvent(item=item.model_copy(update={"widget": picked}))
    note = turn.new_item(HiddenContextItem, content=f"The user picked {tea} from the list.")
    yield ThreadItemDoneEvent(item=note)


async def order(turn: Turn, item: WidgetItem, form: Mapping[str, Any]) -> Events:
    """Take what was filled in: the payload has each field by its `name`."""
    filled = [f"- {name}: {value}" for name, value in form.items() if value]
    receipt = part("Markdown", value="\n".join(["Thank you. You ordered:", *filled]))
    yield ThreadItemReplacedEvent(item=item.model_copy(update={"widget": root("Card", receipt)}))
    note = turn.new_item(HiddenContextItem, content={"The user ordered": dict(form)})
    yield ThreadItemDoneEvent(item=note)


async def reopen(turn: Turn) -> Events:
    """Let the user write again in a conversation that is locked or closed."""
    turn.thread.status = ActiveStatus()
    async for event in tell(turn, "This conversation is open again."):
        yield event
