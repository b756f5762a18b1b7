"""Everything that a ChatKit page can show, from simple requests: copy what you need.

Enable it beside `demo_model`, and say “show a card”, “draw” or “help”. Each request is answered by
the function tool of its name, which any other model calls too. `docs/chatkit.md` explains them.

- `widgets`: cards, lists, charts and forms. `actions`: what their buttons do.
- `progress`: what the user sees while the assistant works, and when it fails.
- `answers`: sources, images, notices, and what the page does.
- `questions`: what waits for the user, or for the page.
- `threads`: titles, and conversations that are locked or closed.
"""

from __future__ import annotations

from typing import Any

from agents import RunContextWrapper, Tool, function_tool
from chatkit.actions import Action
from chatkit.types import SyncCustomActionResponse, WidgetItem

from chatkit_server import Turn, hookimpl

from .actions import Events, answer
from .answers import ANSWERS
from .progress import PROGRESS
from .questions import QUESTIONS
from .threads import THREADS
from .widgets import WIDGETS, part, root, say


@function_tool(name_override="help")
async def show_requests(ctx: RunContextWrapper[Turn]) -> str:
    """Show the user all requests as a list. A click sends one."""
    rows = [
        part("ListViewItem", part("Text", value=request), onClickAction=say(request))
        for request in REQUESTS
    ]
    await ctx.context.stream_widget(root("ListView", *rows), copy_text="\n".join(REQUESTS))
    return "Say one of these."


TOOLS: list[Tool] = [*WIDGETS, *PROGRESS, *ANSWERS, *QUESTIONS, *THREADS, show_requests]
REQUESTS = [tool.name.replace("_", " ").capitalize() for tool in TOOLS]


@hookimpl
async def pre_turn(turn: Turn) -> None:
    turn.tools += TOOLS


@hookimpl
async def action(
    turn: Turn, action: Action[str, Any], item: WidgetItem | None
) -> Events | SyncCustomActionResponse | None:
    return answer(turn, action, item)
