"""What waits for a person in a thread, and what becomes of it when a message comes instead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chatkit.types import (
    ClientToolCallItem,
    StructuredInputItem,
    ThreadItem,
    UserMessageItem,
    WorkflowItem,
)

from ..agent.asked import skipped
from ..events.settling import settled
from ..events.wire import is_hidden
from ..paging import aware

NO_OUTPUT = "The client did not answer."
"""The output of a client tool call that nothing waits for any more, for the model."""


def left_waiting(items: Sequence[ThreadItem]) -> list[ThreadItem]:
    """Return what waits at the end of a thread, as a message that comes instead leaves it.

    `items` are the thread's, oldest first. What waits is after the last message of the user: that
    one has ended what had waited before.
    """
    left: list[ThreadItem] = []
    workflow: WorkflowItem | None = None
    for item in _since_last_message(items):
        if isinstance(item, ClientToolCallItem) and item.status == "pending":
            left.append(item.model_copy(update={"status": "completed", "output": NO_OUTPUT}))
            if workflow is not None:
                left.append(_ended(workflow, item))
        elif isinstance(item, StructuredInputItem) and item.status == "pending":
            left.append(skipped(item))
        if not is_hidden(item):
            workflow = item if isinstance(item, WorkflowItem) else None
    return left


def _since_last_message(items: Sequence[ThreadItem]) -> Iterable[ThreadItem]:
    last = max((i for i, item in enumerate(items) if isinstance(item, UserMessageItem)), default=-1)
    return items[last + 1 :]


def _ended(item: WorkflowItem, by: ThreadItem) -> ThreadItem:
    """Return a workflow that was to go on after a client tool's output, ended by that call."""
    seconds = (aware(by.created_at) - aware(item.created_at)).total_seconds()
    return settled(item, max(0.0, seconds))
