"""How the user sees that tools run: a line of progress each, a task of a workflow each, or nothing.

`agent.show_tools` chooses, `agent.tool_words` has the words, and `agent.tool_icons` the icons. What
tools report while they run is shown in the same place.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from chatkit.types import CustomTask, ProgressUpdateEvent, ThreadItemReplacedEvent, WorkflowItem

from ..mcp.progress import Progress
from ..settings.schema import AgentSettings
from ..settings.types import ToolIcon, Words
from ..turn import ToolCall, Turn
from .media import noted
from .tools import output_text

log = logging.getLogger(__name__)

PAUSE = 0.5
"""Seconds between two reports to the client, however many tools send however many."""

MOST_SHOWN = 1000
"""Characters of a tool's arguments, and of what it returned, that a task shows."""

_LINE = 80
T = TypeVar("T")

_BETWEEN_WORDS = re.compile(r"[_\-.]+|(?<=[a-z0-9])(?=[A-Z])")
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

    async def result(self, output: Any) -> None:
        """Show what it returned, as the model and the log get it."""


class ShownTools:
    """Shows the tool calls of a turn, and the latest progress of each in turn."""

    def __init__(self, turn: Turn, settings: AgentSettings) -> None:
        self.turn = turn
        self._settings = settings
        self._latest: dict[ShownCall, Progress] = {}
        self._showing: asyncio.Task[None] | None = None
        self._tasks: list[_Task] = []

    @property
    def workflows(self) -> list[str]:
        """The ids of the workflows that have nothing for the model but these tasks."""
        own = {id(shown.task) for shown in self._tasks}
        items = {shown.item.id: shown.item for shown in self._tasks if shown.item is not None}
        return [
            item_id
            for item_id, item in items.items()
            if all(id(task) in own or task.type != "custom" for task in item.workflow.tasks)
        ]

    async def begin(self, call: ToolCall) -> ShownCall:
        """Show that a tool runs, and return what shows the rest."""
        shown = self._shown(call)
        await shown.begin()
        return shown

    def note(self, shown: ShownCall, progress: Progress) -> None:
        """Show this as soon as the pause is over, unless there is newer progress then."""
        self._latest[shown] = progress
        if self._showing is None:
            self._showing = asyncio.create_task(self._show())

    def forget(self, shown: ShownCall) -> None:
        """Show no more progress of a tool that has ended."""
        self._latest.pop(shown, None)

    def stop(self) -> None:
        """Show nothing more."""
        self._latest.clear()
        if self._showing is not None:
            self._showing.cancel()

    def _shown(self, call: ToolCall) -> ShownCall:
        words = words_for(call, self._settings.tool_words, self.turn.translate)
        if self._settings.show_tools == "off" or words == "":
            return ShownCall()
        title = title_of(call.name)
        icon = of_tool(call, self._settings.tool_icons)
        if self._settings.show_tools == "names":
            return _Line(self, words or f"{title}…", icon)
        task = CustomTask(title=words or title, icon=icon, status_indicator="loading")
        with_details = self._settings.show_tools == "details"
        shown = _DetailedTask(self, task, call) if with_details else _Task(self, task)
        self._tasks.append(shown)
        return shown

    async def _show(self) -> None:
        try:
            while self._latest:
                # That of the tool that has waited longest: no tool keeps another from being shown
                shown = next(iter(self._latest))
                await shown.tell(self._latest.pop(shown))
                await asyncio.sleep(PAUSE)
        except Exception:
            log.debug("turn %s: progress could not be shown", self.turn.id, exc_info=True)
        finally:
            self._showing = None


class _Line(ShownCall):
    """A line of progress, which is gone with the next event."""

    def __init__(self, tools: ShownTools, words: str, icon: ToolIcon | None) -> None:
        self._tools = tools
        self._words = words
        self._icon = icon

    async def begin(self) -> None:
        await self._stream(self._words)

    def report(self, progress: Progress) -> None:
        self._tools.note(self, progress)

    async def tell(self, progress: Progress) -> None:
        await self._stream(f"{self._words.rstrip('.… ')}: {progress}")

    async def end(self, *, failed: bool) -> None:
        self._tools.forget(self)

    async def _stream(self, text: str) -> None:
        await self._tools.turn.stream(ProgressUpdateEvent(text=text, icon=self._icon))


class _Task(ShownCall):
    """A task of the open workflow, with a tick when it has succeeded."""

    def __init__(self, tools: ShownTools, task: CustomTask) -> None:
        self._tools = tools
        self.task = task
        self.item: WorkflowItem | None = None

    async def begin(self) -> None:
        turn = self._tools.turn
        await turn.add_workflow_task(self.task)
        self.item = turn.workflow_item

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
        turn, item = self._tools.turn, self.item
        if item is None:
            return
        tasks = item.workflow.tasks
        place = next((at for at, task in enumerate(tasks) if task is self.task), None)
        if place is None:
            return
        self.task = self.task.model_copy(update=changes)
        if turn.workflow_item is not None and turn.workflow_item.id == item.id:
            await turn.update_workflow_task(self.task, place)
        else:
            # Something of the tool's own, such as a widget, has ended it
            tasks[place] = self.task
            await turn.stream(ThreadItemReplacedEvent(item=item))


class _DetailedTask(_Task):
    """A task with the tool's arguments, and then what it returned."""

    def __init__(self, tools: ShownTools, task: CustomTask, call: ToolCall) -> None:
        self._arguments = _fenced(_as_json(call.arguments), "json") if call.arguments else ""
        content = self._arguments or None
        super().__init__(tools, task.model_copy(update={"content": content}))

    async def tell(self, progress: Progress) -> None:
        await self._show(str(progress))

    async def result(self, output: Any) -> None:
        text = output_text(noted(output)).strip()
        # The turn may be at its end, which reports itself
        with suppress(Exception):
            await self._show(_fenced(text) if text else "")

    async def _show(self, text: str) -> None:
        parts = [part for part in (self._arguments, text) if part]
        await self._change(content="\n\n".join(parts) or None)


def _as_json(arguments: Mapping[str, Any]) -> str:
    """Return arguments as JSON, in one line if that is short."""
    line = json.dumps(arguments, ensure_ascii=False, default=str)
    if len(line) <= _LINE:
        return line
    return json.dumps(arguments, ensure_ascii=False, default=str, indent=2)


def _fenced(text: str, language: str = "") -> str:
    """Return the beginning of a text as a block of code in Markdown, whatever is in it."""
    if len(text) > MOST_SHOWN:
        text = text[:MOST_SHOWN] + "…"
    ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{ticks}{language}\n{text}\n{ticks}"


def title_of(name: str) -> str:
    """Return a tool's name as words: `search_docs` and `searchDocs` as `Search docs`."""
    parts = _BETWEEN_WORDS.sub(" ", name).split() or [name]
    # Abbreviations stay: `get_URL` is `Get URL`
    text = " ".join(part if part.isupper() else part.lower() for part in parts)
    return text[:1].upper() + text[1:]


def words_for(
    call: ToolCall,
    words: Mapping[str, Words],
    translate: Callable[[Words], str],
) -> str | None:
    """Return the settings' words for a tool in the user's language, None if there are none."""
    found = of_tool(call, words)
    return None if found is None or found == {} else translate(found)


def of_tool(call: ToolCall, settings: Mapping[str, T]) -> T | None:
    """Return what the settings have for a tool, by its name.

    A tool of an MCP server is meant by its own name too, where its name for the model has a prefix.
    """
    found = settings.get(call.name)
    if found is None and call.server is not None:
        names = {_NOT_IN_NAME.sub("_", name): name for name in settings}
        ends = [name for name in names if call.name == name or call.name.endswith(f"_{name}")]
        found = settings[names[max(ends, key=len)]] if ends else None
    return found
