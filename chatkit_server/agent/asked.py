"""What the model is told of a tool that asked the user: first that it waits, then the answers.

The output of such a call names the items with the questions, in the turn's memory too. Each time
the memory is told again, what the user has answered since takes the place of that.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from agents import FunctionToolResult, RunContextWrapper, ToolsToFinalOutputResult
from chatkit.types import (
    ClientToolCallItem,
    StructuredInput,
    StructuredInputItem,
    StructuredInputMultipleChoice,
    ThreadItem,
)

from .memory import TurnMemory

NOT_ANSWERED = "The user was asked, and has not answered yet."
GONE = "The user was asked. What they answered is not there any more."

_WAITS = re.compile(re.escape(NOT_ANSWERED) + r" \(((?:\S+ ?)+)\)")


def waits_for(items: Sequence[ThreadItem]) -> str:
    """Return the output of a tool that asked the user with these items."""
    return f"{NOT_ANSWERED} ({' '.join(item.id for item in items)})"


def asked_ids(entry: Mapping[str, Any]) -> list[str]:
    """Return the ids of the items for which a call waits, by its output; none for other entries."""
    output = entry.get("output") if entry.get("type") == "function_call_output" else None
    found = _WAITS.fullmatch(output) if isinstance(output, str) else None
    return found[1].split() if found else []


def answers_text(items: Sequence[StructuredInputItem]) -> str:
    """Return what the user answered, as the output of the tool that asked."""
    if not items:
        return GONE
    if any(item.status == "pending" for item in items):
        return NOT_ANSWERED
    answers = [_answer(question) for item in items for question in item.inputs]
    told = answers[0] if len(answers) == 1 else {"answers": answers}
    return json.dumps(told, ensure_ascii=False)


def _answer(question: StructuredInput) -> dict[str, Any]:
    given = question.answer
    if given is None or given.skipped:
        return {"question": question.question, "answer": None, "skipped": True}
    several = isinstance(question, StructuredInputMultipleChoice) and question.multiple
    answer: Any = given.values if several else "\n".join(given.values)
    return {"question": question.question, "answer": answer}


def waiting_beside(items: Sequence[ThreadItem], answered: Collection[str]) -> list[ThreadItem]:
    """Return what still waits of the items that a model's answer has asked for with these ids."""
    of_turn: list[ThreadItem] = []
    for item in items:
        memory = TurnMemory.of(item)
        if memory is None:
            of_turn.append(item)
            continue
        asked = _asked_by(memory, of_turn)
        if any(one.id in answered for one in asked):
            return [one for one in asked if getattr(one, "status", "") == "pending"]
        of_turn = []
    return []


def _asked_by(memory: TurnMemory, items: Sequence[ThreadItem]) -> list[ThreadItem]:
    ids = {item_id for entry in memory.input for item_id in asked_ids(entry)}
    calls = {entry.get("call_id") for entry in memory.input}
    return [
        item
        for item in items
        if item.id in ids or (isinstance(item, ClientToolCallItem) and item.call_id in calls)
    ]


async def stops_at(
    behavior: Any, context: RunContextWrapper[Any], results: list[FunctionToolResult]
) -> ToolsToFinalOutputResult:
    """Return whether the run of an agent ends here, by its own `tool_use_behavior`."""
    if isinstance(behavior, dict):
        names = behavior.get("stop_at_tool_names", ())
        for result in results:
            if result.tool.name in names or result.tool.qualified_name in names:
                return ToolsToFinalOutputResult(True, result.output)
    elif callable(behavior):
        found = behavior(context, results)
        stops: ToolsToFinalOutputResult = await found if inspect.isawaitable(found) else found
        return stops
    return ToolsToFinalOutputResult(False, None)
