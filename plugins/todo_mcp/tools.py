"""The tools: their arguments and their results."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

from mcp.types import CallToolResult, TextContent, ToolAnnotations
from mcp.types import Tool as ToolType
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from .models import TITLE_LENGTH, Task
from .tasks import NoTask, TaskList

log = logging.getLogger(__name__)

_SHOWN = 50


def _one_line(title: str) -> str:
    return " ".join(title.replace("\0", " ").split())


Title = Annotated[
    str,
    StringConstraints(min_length=1, max_length=TITLE_LENGTH),
    BeforeValidator(lambda value: _one_line(value) if isinstance(value, str) else value),
    Field(description="What is to be done, such as: buy milk"),
]
Number = Annotated[
    int, Field(ge=1, le=2_147_483_647, description="The number of the task, as list_tasks shows it")
]


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AddTask(_Arguments):
    title: Title


class ListTasks(_Arguments):
    status: Annotated[Literal["all", "open", "done"], Field(description="Which tasks to show")] = (
        "all"
    )


class OneTask(_Arguments):
    id: Number


class UpdateTask(_Arguments):
    id: Number
    title: Title


async def add_task(tasks: TaskList, arguments: AddTask) -> CallToolResult:
    task = await tasks.add(arguments.title)
    return _about(task, f"Added task {task.number}: {task.title}")


async def list_tasks(tasks: TaskList, arguments: ListTasks) -> CallToolResult:
    done = {"all": None, "open": False, "done": True}[arguments.status]
    shown = await tasks.all(done, _SHOWN)
    total = len(shown) if len(shown) < _SHOWN else await tasks.count(done)
    kind = "" if done is None else f"{arguments.status} "
    if not shown:
        return _answer(f"There are no {kind}tasks.", {"tasks": [], "total": 0})
    lines = [f"{task.number}. [{'x' if task.done else ' '}] {task.title}" for task in shown]
    if total > len(shown):
        lines.append(f"… and {total - len(shown)} more")
    heading = f"{total} {kind}task{'' if total == 1 else 's'} ([x] is done):"
    structured = {"tasks": [_fields(task) for task in shown], "total": total}
    return _answer("\n".join([heading, *lines]), structured)


async def complete_task(tasks: TaskList, arguments: OneTask) -> CallToolResult:
    task, was_open = await tasks.complete(arguments.id)
    action = "Completed task" if was_open else "Already done: task"
    return _about(task, f"{action} {task.number}: {task.title}")


async def update_task(tasks: TaskList, arguments: UpdateTask) -> CallToolResult:
    task = await tasks.rename(arguments.id, arguments.title)
    return _about(task, f"Updated task {task.number}: {task.title}")


async def delete_task(tasks: TaskList, arguments: OneTask) -> CallToolResult:
    task = await tasks.delete(arguments.id)
    return _about(task, f"Deleted task {task.number}: {task.title}")


A = TypeVar("A", bound=_Arguments)


@dataclass(frozen=True)
class Tool(Generic[A]):
    """A tool: its function, its arguments, and its description for the model."""

    run: Callable[[TaskList, A], Awaitable[CallToolResult]]
    arguments: type[A]
    description: str
    annotations: ToolAnnotations

    async def call(self, tasks: TaskList, arguments: dict[str, Any] | None) -> CallToolResult:
        """Call the tool; a mistake by the model is a result with `is_error`."""
        try:
            validated = self.arguments.model_validate(arguments or {})
            return await self.run(tasks, validated)
        except ValidationError as error:
            return _error("; ".join(_problem(problem) for problem in error.errors()))
        except NoTask as error:
            return _error(f"There is no task {error}. list_tasks shows the tasks there are.")


_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
_SETS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
_DELETES = ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=False)

TOOLS: dict[str, Tool[Any]] = {
    "add_task": Tool(add_task, AddTask, "Add a task to the user's todo list.", _ADDS),
    "list_tasks": Tool(list_tasks, ListTasks, "Show the user's todo list.", _READS),
    "complete_task": Tool(complete_task, OneTask, "Mark a task of the user as done.", _SETS),
    "update_task": Tool(update_task, UpdateTask, "Change the title of a task.", _SETS),
    "delete_task": Tool(delete_task, OneTask, "Delete a task of the user for good.", _DELETES),
}


async def call(tasks: TaskList, name: str, arguments: dict[str, Any] | None) -> CallToolResult:
    """Call a tool by its name on the tasks of one user."""
    if name not in TOOLS:
        return _error(f"There is no tool {name}. Use one of: {', '.join(TOOLS)}")
    try:
        return await TOOLS[name].call(tasks, arguments)
    except Exception as error:
        # The database's error is for the log, not for a client. It may quote the user's task
        trace = log.isEnabledFor(logging.DEBUG)
        extra = {"may_quote": True}
        kind = type(error).__name__
        log.warning("tool %s failed: %s", name, kind, exc_info=trace, extra=extra)
        return _error("The tasks are not available right now. Try again in a moment.")


def tool_types() -> list[ToolType]:
    """Return the tools in the form that MCP lists."""
    return [
        ToolType(
            name=name,
            description=tool.description,
            input_schema=_schema(tool.arguments),
            annotations=tool.annotations,
        )
        for name, tool in TOOLS.items()
    ]


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema without keys that models do not need and some providers refuse."""
    schema = model.model_json_schema()
    del schema["title"], schema["additionalProperties"]
    for field in schema["properties"].values():
        field.pop("title")
    return schema


def _about(task: Task, text: str) -> CallToolResult:
    return _answer(text, {"task": _fields(task)})


def _fields(task: Task) -> dict[str, Any]:
    return {"id": task.number, "title": task.title, "done": task.done}


def _answer(text: str, structured: dict[str, Any]) -> CallToolResult:
    content = [TextContent(type="text", text=text)]
    return CallToolResult(content=[*content], structured_content=structured)


def _error(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def _problem(problem: Any) -> str:
    return f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
