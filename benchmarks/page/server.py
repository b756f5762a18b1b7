"""The server with the page: `python -m benchmarks.page.server ITEMS`.

A message `KIND COUNT RATE` is answered by so many tokens, RATE a second. The conversation `long`
has ITEMS items.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    CustomSummary,
    CustomTask,
    InferenceOptions,
    ThreadItem,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    UserMessageTextContent,
    WidgetItem,
    Workflow,
    WorkflowItem,
)
from chatkit.widgets import DynamicWidgetRoot

from chatkit_server import Turn, hookimpl
from chatkit_server.testing import MemoryStore, make_app
from chatkit_server.testing.memory_store import MemoryStorePlugin

from ..command import command
from ..processes import run_until_told
from .texts import tokens

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
LONG = "thr_long"


class Answers:
    """Answers as it is told."""

    @hookimpl
    async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        kind, count, rate = turn.said.split()
        return turn.say(paced(tokens(kind, int(count)), float(rate)))


async def paced(pieces: Iterator[str], rate: float) -> AsyncIterator[str]:
    """Yield pieces at a rate; what is late is made up for."""
    begun = time.monotonic()
    for number, piece in enumerate(pieces):
        late = time.monotonic() - begun - number / rate
        if late < 0:
            await asyncio.sleep(-late)
        yield piece


def fill(store: MemoryStore, count: int) -> None:
    """Store a conversation of the user `local` with so many items."""
    store.threads["", "local"][LONG] = ThreadMetadata(id=LONG, created_at=BEGAN, title="Long")
    for number in range(count):
        item = make_item(number)
        store.items[LONG][item.id] = item


def make_item(number: int) -> ThreadItem:
    """Return a question, its answer and, every now and then, a workflow and a widget."""
    began = BEGAN + timedelta(seconds=number)
    fixed: Any = {"id": f"itm_{number:06}", "thread_id": LONG, "created_at": began}
    text = "".join(tokens("mixed", 120, seed=number))
    match number % 10:
        case 0 | 2 | 5 | 8:
            content = [UserMessageTextContent(text=f"Question {number}: {text[20:120]}")]
            return UserMessageItem(**fixed, content=content, inference_options=InferenceOptions())
        case 3:
            tasks = [CustomTask(title="Boil water"), CustomTask(title="Wait", content=text[:80])]
            summary = CustomSummary(title="Made tea")
            workflow = Workflow(type="custom", tasks=[*tasks], summary=summary)
            return WorkflowItem(**fixed, workflow=workflow)
        case 6:
            return WidgetItem(**fixed, widget=card(number))
        case _:
            return AssistantMessageItem(**fixed, content=[AssistantMessageContent(text=text)])


def card(number: int) -> DynamicWidgetRoot:
    button = {"type": "Button", "label": "Where is it?", "onClickAction": {"type": "track"}}
    title = {"type": "Title", "value": f"Order {number}"}
    text = {"type": "Text", "value": "One kettle and two cups."}
    return DynamicWidgetRoot.model_validate({"type": "Card", "children": [title, text, button]})


async def serve(items: int) -> None:
    plugins = {"chat_page": None}
    memory = MemoryStorePlugin()
    fill(memory.memory, items)
    limits = {"answer": "10MB", "turn": "30m"}
    sections: Any = {"plugins": plugins, "turns": {"limits": limits}}
    runner = web.AppRunner(make_app(sections, [Answers(), memory]))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    print(f"listens on http://127.0.0.1:{port}/", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = command("page.server", __doc__)
    parser.add_argument("items", type=int, help="how many the first thread has")
    run_until_told(serve(parser.parse_args().items), fast=False)
