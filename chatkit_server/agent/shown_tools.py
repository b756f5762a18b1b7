"""How the user sees that tools run: a line of progress each, a task of a workflow each, or nothing.

`agent.show_tools` chooses, and `agent.tool_words` has the words. What tools report while they run
is shown in the same place.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from agents import HandoffCallItem, HandoffOutputItem, RunItem
from chatkit.types import CustomTask, ProgressUpdateEvent, ThreadItemReplacedEvent, WorkflowItem

from ..mcp.progress import Progress
from ..settings.schema import AgentSettings
from ..settings.types import Words
from ..turn import ToolCall, Turn

log = logging.getLogger(__name__)

PAUSE = 0.5
"""Seconds between two reports to the client, however many tools send however many."""

_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9_-]")


class ShownCall:
    """A call that is not shown, and the base of those that are."""

    async def begin(self) -> None:
        """Show that the tool runs."""

    def report(self, progress: Progress) -> None:
        """Show the progress soon, unless there is newer progress then."""

    async def tell(self, progress: Progress) -> None:
        """Show the progress now."""

    async def end(self, *, failed: bool) -> None:
        """Show that the tool has ended."""


class ShownTools:
    """Shows the tool calls of a turn. Of all their progress, the latest is shown."""

    def __init__(self, turn: Turn, settings: AgentSettings) -> None:
        self.turn = turn
        self._settings = settings
        self._handoffs: list[ShownCall] = []
        self._latest: tuple[ShownCall, Progress] | None = None
        self._showing: asyncio.Task[None] | None = None

    async def begin(self, call: ToolCall) -> ShownCall:
        """Show that a tool runs, and return what shows the rest."""
        shown = self._shown(call)
        await shown.begin()
        return shown

    async def handoff(self, item: RunItem) -> None:
        """Show that an agent hands over, and that it has: items of the run say so."""
        if isinstance(item, HandoffCallItem):
            call = item.raw_item
            self._handoffs.append(await self.begin(ToolCall(call.call_id, call.name, {})))
        elif isinstance(item, HandoffOutputItem):
            while self._handoffs:
                await self._handoffs.pop().end(failed=False)

    def note(self, shown: ShownCall, progress: Progress) -> None:
        """Show this as soon as the pause is over, unless there is newer progress then."""
        self._latest = shown, progress
        if self._showing is None:
            self._showing = asyncio.create_task(self._show())

    def forget(self, shown: ShownCall) -> None:
        """Show no more progress of a tool that has ended."""
        if self._latest is not None and self._latest[0] is shown:
            self._latest = None

    def stop(self) -> None:
        """Show nothing more."""
        self._latest = None
        if self._showing is not None:
            self._showing.cancel()

    def _shown(self, call: ToolCall) -> ShownCall:
        words = words_for(call, self._settings.tool_words, self.turn.translate)
        if self._settings.show_tools == "off" or words == "":
            return ShownCall()
        title = call.name.replace("_", " ").capitalize()
        if self._settings.show_tools == "tasks":
            return _Task(self, words or title)
        return _Line(self, words or f"{title}…")

    async def _show(self) -> None:
        try:
            while self._latest is not None:
                shown, progress = self._latest
                self._latest = None
                await shown.tell(progress)
                await asyncio.sleep(PAUSE)
        except Exception:
            log.debug("turn %s: progress could not be shown", self.turn.id, exc_info=True)
        finally:
            self._showing = None


class _Line(ShownCall):
    """A line of progress, which is gone with the next event."""

    def __init__(self, tools: ShownTools, words: str) -> None:
        self._tools = tools
        self._words = words

    async def begin(self) -> None:
        await self._tools.turn.stream(ProgressUpdateEvent(text=self._words))

    def report(self, progress: Progress) -> None:
        self._tools.note(self, progress)

    async def tell(self, progress: Progress) -> None:
        text = f"{self._words.rstrip('.… ')}: {progress}"
        await self._tools.turn.stream(ProgressUpdateEvent(text=text))

    async def end(self, *, failed: bool) -> None:
        self._tools.forget(self)


class _Task(ShownCall):
    """A task of the open workflow, with a tick when it has succeeded."""

    def __init__(self, tools: ShownTools, words: str) -> None:
        self._tools = tools
        self._task = CustomTask(title=words, status_indicator="loading")
        self._item: WorkflowItem | None = None

    async def begin(self) -> None:
        turn = self._tools.turn
        await turn.add_workflow_task(self._task)
        self._item = turn.workflow_item

    def report(self, progress: Progress) -> None:
        self._tools.note(self, progress)

    async def tell(self, progress: Progress) -> None:
        await self._change(content=str(progress))

    async def end(self, *, failed: bool) -> None:
        self._tools.forget(self)
        # The turn may be at its end, which reports itself
        with suppress(Exception):
            await self._change(status_indicator="none" if failed else "complete")

    async def _change(self, **changes: Any) -> None:
        turn, item = self._tools.turn, self._item
        if item is None:
            return
        tasks = item.workflow.tasks
        place = next((at for at, task in enumerate(tasks) if task is self._task), None)
        if place is None:
            return
        self._task = self._task.model_copy(update=changes)
        if turn.workflow_item is not None and turn.workflow_item.id == item.id:
            await turn.update_workflow_task(self._task, place)
        else:
            # Something of the tool's own, such as a widget, has ended it
            tasks[place] = self._task
            await turn.stream(ThreadItemReplacedEvent(item=item))


def words_for(
    call: ToolCall,
    words: Mapping[str, Words],
    translate: Callable[[Words], str],
) -> str | None:
    """Return the settings' words for a tool in the user's language, None if there are none.

    A tool of an MCP server is meant by its own name too, where its name for the model has a prefix.
    """
    found = words.get(call.name)
    if found is None and call.server is not None:
        names = {_NOT_IN_NAME.sub("_", name): name for name in words}
        ends = [name for name in names if call.name == name or call.name.endswith(f"_{name}")]
        found = words[names[max(ends, key=len)]] if ends else None
    return None if found is None or found == {} else translate(found)
