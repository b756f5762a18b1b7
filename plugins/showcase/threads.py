"""What changes a conversation itself: its title, and whether the user may write in it."""

from __future__ import annotations

from agents import RunContextWrapper, function_tool
from chatkit.types import ClosedStatus, LockedStatus

from chatkit_server import Turn

from .widgets import act, part, root

REOPEN = root("Card", part("Button", label="Open it again", onClickAction=act("reopen")))


@function_tool
async def lock(ctx: RunContextWrapper[Turn]) -> str:
    """Lock the conversation: the user cannot write until it is open again."""
    ctx.context.thread.status = LockedStatus(reason="The shop is closed until nine.")
    await ctx.context.stream_widget(REOPEN)
    return "The conversation is locked. Buttons still work."


@function_tool
async def close(ctx: RunContextWrapper[Turn]) -> str:
    """Close the conversation: it is over, and the page shows no composer."""
    ctx.context.thread.status = ClosedStatus(reason="Your order has arrived.")
    await ctx.context.stream_widget(REOPEN)
    return "The conversation is closed."


@function_tool
async def name_this(ctx: RunContextWrapper[Turn]) -> str:
    """Give the conversation a title."""
    ctx.context.thread.title = "A cup of tea"
    return "This conversation has a title now."


THREADS = [lock, close, name_this]
