"""An unfinished answer comes back from its JSON as it went in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from agents import Usage
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    WidgetItem,
    Workflow,
    WorkflowItem,
)
from chatkit.widgets import Card, DynamicWidgetRoot, Text

from chatkit_server.events.partial import PartialAnswer
from chatkit_server.turn import ToolCall, ToolResult

BASE: dict[str, Any] = {"thread_id": "thr_1", "created_at": datetime(2026, 3, 1, tzinfo=UTC)}

MESSAGE = AssistantMessageItem(
    id="msg_1", content=[AssistantMessageContent(text="Grüße 🎈")], **BASE
)
WIDGET = WidgetItem(id="msg_2", widget=Card(children=[Text(value="Hello")]), **BASE)
WORKFLOW = WorkflowItem(id="wf_1", workflow=Workflow(type="custom", tasks=[]), **BASE)
CALL: Any = {"type": "function_call", "call_id": "c1", "name": "search", "arguments": "{}"}


def test_everything_comes_back() -> None:
    whole = PartialAnswer(
        items=[MESSAGE, WIDGET, WORKFLOW],
        entries=[CALL],
        messages=["msg_1"],
        tools=[
            (ToolCall("c1", "search", {"q": "ünï"}, "web"), ToolResult("nothing", failed=True)),
            (ToolCall("c2", "add", {}), ToolResult([1, 2], seconds=0.25)),
        ],
        superseded=["old_1", "old_2"],
        saved=["msg_0"],
        model="test/model",
        seconds=1.5,
        usage=Usage(requests=1, input_tokens=2, output_tokens=3, total_tokens=5),
        first_token=0.5,
    )
    assert PartialAnswer.load(whole.dump()) == whole


def test_what_an_earlier_version_wrote_can_be_read() -> None:
    tools = [(ToolCall("c", "add", {}), ToolResult("3", seconds=0.25))]
    whole = PartialAnswer([MESSAGE], tools=tools, model="m", seconds=2.0, first_token=1.0)
    written = json.loads(whole.dump())
    for key in ("model", "seconds", "usage", "first_token", "tool_seconds"):
        del written[key]
    read = PartialAnswer.load(json.dumps(written).encode())
    assert read.items == [MESSAGE]
    assert (read.model, read.seconds, read.usage) == ("", 0.0, Usage())
    assert read.first_token is None
    assert read.tools == [(ToolCall("c", "add", {}), ToolResult("3"))]


def test_nothing_written_down_is_an_empty_answer() -> None:
    assert PartialAnswer.load(None) == PartialAnswer()
    empty = PartialAnswer.load(PartialAnswer().dump())
    assert (empty.items, empty.entries, empty.messages) == ([], [], [])
    assert (empty.tools, empty.superseded, empty.saved) == ([], [], [])


def test_a_widget_of_a_known_class_keeps_it() -> None:
    [read] = PartialAnswer.load(PartialAnswer([WIDGET]).dump()).items
    assert isinstance(read, WidgetItem)
    assert isinstance(read.widget, Card)


def test_a_widget_with_unknown_fields_keeps_them() -> None:
    widget = DynamicWidgetRoot.model_validate({"type": "Card", "children": [], "later": {"a": 1}})
    [read] = PartialAnswer.load(
        PartialAnswer([WidgetItem(id="w", widget=widget, **BASE)]).dump()
    ).items
    assert isinstance(read, WidgetItem)
    assert read.widget.model_dump() == widget.model_dump()


@pytest.mark.parametrize("odd", [10**30, "half \ud83e"], ids=["long number", "half a character"])
def test_odd_values_do_not_lose_the_rest(odd: Any) -> None:
    """Both are beyond orjson; what a model writes must be kept all the same."""
    whole = PartialAnswer(
        [MESSAGE], [CALL], ["msg_1"], [(ToolCall("c1", "n", {"odd": odd}, "web"), ToolResult({1}))]
    )
    written = whole.dump()
    assert "Grüße 🎈".encode() in written, "text stays readable, and takes no more room"
    read = PartialAnswer.load(written)
    assert (read.items, read.entries, read.messages) == ([MESSAGE], [CALL], ["msg_1"])
    [(call, result)] = read.tools
    assert (call.id, call.name, call.server, result.output) == ("c1", "n", "web", "{1}")
    kept = call.arguments["odd"]
    assert kept == (odd if isinstance(odd, int) else "half \ufffd")


def test_values_that_json_does_not_have_are_written_as_text() -> None:
    output = {1: datetime(2026, 3, 1, tzinfo=UTC), "set": {2}}
    written = PartialAnswer(tools=[(ToolCall("c", "n", {}), ToolResult(output))]).dump()
    [[*_, told, failed]] = json.loads(written)["tools"]
    assert told["1"].startswith("2026-03-01")
    assert told["set"] == "{2}"
    assert failed is False
