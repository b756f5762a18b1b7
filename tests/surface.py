"""Everything that ChatKit's types have, by kind, and the test of each.

`kinds` finds it by introspection: if a new version of `openai-chatkit` has more, `test_surface.py`
fails until the showcase shows it, or another test covers it. `docs/chatkit.md` has the same table,
which this prints:

    python -m tests.surface
"""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any, get_args, get_type_hints

import chatkit.actions
import chatkit.types
import chatkit.widgets

SHOWCASE = "test_surface.py::test_the_showcase_shows_it"
ITEMS = "test_surface.py::test_every_item_is_saved_and_comes_back"
TEMPLATE = "test_surface.py::test_a_widget_of_a_template_comes_back"
UPDATES = "test_surface.py::test_every_update_is_saved_when_its_turn_is_stopped"
OPERATIONS = "test_operations.py"
ATTACHMENTS = "plugins/test_attachments.py"

_UNIONS: dict[str, Any] = {
    "Operations": chatkit.types.ChatKitReq,
    "Events": chatkit.types.ThreadStreamEvent,
    "Items": chatkit.types.ThreadItem,
    "Updates of items": chatkit.types.ThreadItemUpdate,
    "Tasks": chatkit.types.Task,
    "Summaries of workflows": chatkit.types.WorkflowSummary,
    "Sources": chatkit.types.Source,
    "States of threads": chatkit.types.ThreadStatus,
    "Parts of messages": chatkit.types.UserMessageContent,
    "Attachments": chatkit.types.Attachment,
    "Questions": chatkit.types.StructuredInput,
    "Components of widgets": chatkit.widgets.StrictWidgetComponent,
    "Whole widgets": chatkit.widgets.WidgetRoot,
    "Series of charts": chatkit.widgets.Series,
}
_LITERALS: dict[str, Any] = {
    "handler": chatkit.actions.Handler,
    "loadingBehavior": chatkit.actions.LoadingBehavior,
}


def members(union: Any) -> list[type]:
    """Return the classes of a union, of whatever depth."""
    if inspect.isclass(union):
        return [union]
    return [cls for part in get_args(union) for cls in members(part)]


def classes(module: ModuleType) -> list[type]:
    """Return the classes that a module defines, in their order, without those others derive from.

    The parameters of an operation belong to it.
    """
    params = [get_type_hints(cls)["params"] for cls in members(chatkit.types.ChatKitReq)]
    found = [
        cls
        for name, cls in vars(module).items()
        if inspect.isclass(cls) and cls.__module__ == module.__name__ and cls.__name__ == name
    ]
    bases = {base for cls in found for base in cls.__mro__[1:]}
    return [cls for cls in found if cls not in bases and cls not in params]


def kinds() -> dict[str, list[str]]:
    """Return the names of all types, by kind."""
    found = {kind: [cls.__name__ for cls in members(union)] for kind, union in _UNIONS.items()}
    known = {name for names in found.values() for name in names}
    for kind, module in (("Other parts of widgets", chatkit.widgets), ("Others", chatkit.types)):
        found[kind] = [cls.__name__ for cls in classes(module) if cls.__name__ not in known]
    found["Actions"] = [cls.__name__ for cls in classes(chatkit.actions)]
    for name, literal in _LITERALS.items():
        found["Actions"] += [f"{name}: {value}" for value in get_args(literal)]
    return found


def _all(test: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, test)


TESTS: dict[str, str] = {
    "ThreadsCreateReq": "test_chat.py::test_a_new_thread_streams_in_chatkits_order",
    "ThreadsAddUserMessageReq": "test_turns.py::test_the_model_sees_five_turns_with_their_calls",
    "ThreadsAddClientToolOutputReq": f"{OPERATIONS}::test_a_client_tool_call_waits_for_its_output",
    "ThreadsAddStructuredInputReq": f"{OPERATIONS}::test_structured_input_is_answered",
    "ThreadsRetryAfterItemReq": f"{OPERATIONS}::test_retry_puts_the_new_answer_in_place_of_the_old",
    "ThreadsCustomActionReq": f"{OPERATIONS}::test_an_action_streams_its_events",
    "ThreadsSyncCustomActionReq": f"{OPERATIONS}::test_a_sync_action_answers_and_saves_the_item",
    **_all(
        f"{OPERATIONS}::test_a_thread_is_read_renamed_and_deleted",
        *("ThreadsGetByIdReq", "ThreadsListReq", "ItemsListReq"),
        *("ThreadsUpdateReq", "ThreadsDeleteReq"),
    ),
    "ItemsFeedbackReq": f"{OPERATIONS}::test_thumbs_are_kept",
    **_all(
        f"{OPERATIONS}::test_attachments_reach_the_message_and_the_model",
        *("AttachmentsCreateReq", "UserMessageInput"),
    ),
    "AttachmentsDeleteReq": f"{OPERATIONS}::test_an_attachment_is_deleted",
    **_all(
        f"{ATTACHMENTS}::test_a_large_image_is_uploaded_and_the_model_gets_a_smaller_one",
        *("ImageAttachment", "AttachmentUploadDescriptor"),
    ),
    "FileAttachment": f"{ATTACHMENTS}::test_the_model_reads_a_pdf",
    **_all(
        f"{OPERATIONS}::test_speech_becomes_text",
        *("InputTranscribeReq", "AudioInput", "TranscriptionResult"),
    ),
    **_all(
        f"{OPERATIONS}::test_structured_input_is_skipped",
        *("StructuredInputSubmission", "StructuredInputAnswerSubmission"),
    ),
    "Page": f"{OPERATIONS}::test_the_next_page_of_threads_begins_where_the_store_says",
    **_all(ITEMS, "HiddenContextItem", "SDKHiddenContextItem", "EndOfTurnItem"),
    "AssistantMessageContentPartAnnotationAdded": UPDATES,
    "Action": f"{OPERATIONS}::test_an_action_comes_from_a_widget_and_has_a_type",
    **_all(TEMPLATE, "WidgetTemplate", "DynamicWidgetRoot"),
    "MinMax": "test_surface.py::test_no_component_has_it",
}
"""The test of each type that the showcase does not show: a file in `tests`, and its function."""


SHOWN = {name for names in kinds().values() for name in names} - TESTS.keys()
"""The types that the showcase shows."""


def test_of(name: str) -> str:
    """Return the test of a type, or of a value of an action's field."""
    return TESTS.get(name, SHOWCASE)


def tables() -> str:
    """Return the tables of `docs/chatkit.md`."""
    lines: list[str] = []
    for kind, names in kinds().items():
        lines += [f"### {kind}", "", "| type | test |", "|---|---|"]
        lines += [f"| `{name}` | `{test_of(name)}` |" for name in names]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(tables())
