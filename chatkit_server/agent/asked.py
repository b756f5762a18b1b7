"""What the model is told of a tool that asked the user: first that it waits, then the answers.

The output of such a call names the items with the questions, in the turn's memory too. Each time
the memory is told again, what the user has answered since takes the place of that.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from agents import FunctionToolResult, RunContextWrapper, ToolsToFinalOutputResult
from chatkit.types import (
    StructuredInput,
    StructuredInputAnswer,
    StructuredInputItem,
    StructuredInputMultipleChoice,
    ThreadItem,
)

NOT_ANSWERED = "The user was asked, and has not answered yet."
GONE = "The user was asked. What they answered is not there any more."

_WAITS = re.compile(re.escape(NOT_ANSWERED) + r" \(((?:\S+ ?)+)\)")


def waits_for(items: Sequence[ThreadItem]) -> str:
    """Return the output of a tool that asked the user with these items."""
    return f"{NOT_ANSWERED} ({' '.join(item.id for item in items)})"


def ids_in(output: Any) -> list[str]:
    """Return the ids of the items for which an output waits; none for other outputs."""
    found = _WAITS.fullmatch(output) if isinstance(output, str) else None
    return found[1].split() if found else []


def asked_ids(entry: Mapping[str, Any]) -> list[str]:
    """Return the ids of the items for which a call waits, by the input item with its output."""
    return ids_in(entry.get("output")) if entry.get("type") == "function_call_output" else []


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


def skipped(item: StructuredInputItem) -> StructuredInputItem:
    """Return a question as it is when nobody will answer it."""
    skipped = item.model_copy(deep=True, update={"status": "skipped"})
    for question in skipped.inputs:
        question.answer = StructuredInputAnswer(skipped=True)
    return skipped


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
