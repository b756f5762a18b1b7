"""Users, threads and items that stores are tried with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from chatkit.types import (
    ActiveStatus,
    Annotation,
    AssistantMessageContent,
    AssistantMessageItem,
    AttachmentUploadDescriptor,
    ClientToolCallItem,
    ClosedStatus,
    CustomSummary,
    CustomTask,
    EndOfTurnItem,
    EntitySource,
    FileAttachment,
    FileSource,
    FileTask,
    GeneratedImage,
    GeneratedImageItem,
    HiddenContextItem,
    ImageAttachment,
    InferenceOptions,
    LockedStatus,
    SDKHiddenContextItem,
    SearchTask,
    StructuredInputAnswer,
    StructuredInputFreeform,
    StructuredInputItem,
    StructuredInputMultipleChoice,
    StructuredInputMultipleChoiceOption,
    TaskItem,
    ThoughtTask,
    ThreadItem,
    ThreadMetadata,
    ToolChoice,
    URLSource,
    UserMessageItem,
    UserMessageTagContent,
    UserMessageTextContent,
    WidgetItem,
    Workflow,
    WorkflowItem,
)
from chatkit.widgets import DynamicWidgetRoot
from pydantic import AnyUrl

from ...turn import StoreContext, User

ANN = StoreContext(User("ann", "acme"))
BOB = StoreContext(User("bob", "acme"))
OTHER_ANN = StoreContext(User("ann", "umbrella"))

STRANGERS = (BOB, OTHER_ANN)
"""Another user of the tenant, and a user of the same id in another one."""

NOON = datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)

TEXT = "Grüße, 世界 🦜 'quoted\" \\ -- ; $1 %s\n\t\u2028"

JSON = {
    "": None,
    "text": TEXT,
    "numbers": [0, -1, 2**53, 1.5],
    "nested": {"z": 1, "a": [True, False, {}, []]},
}

FILE = FileAttachment(
    id="atc_file", name="bill.pdf", mime_type="application/pdf", metadata={"scan": {"clean": True}}
)
IMAGE = ImageAttachment(
    id="atc_image",
    name="Grüße.png",
    mime_type="image/png",
    preview_url=AnyUrl("https://files.example.com/cat.png?size=1"),
    upload_descriptor=AttachmentUploadDescriptor(
        url=AnyUrl("https://files.example.com/put"), method="PUT", headers={"X-Key": "1"}
    ),
)

_WIDGET = {
    "type": "Card",
    "key": "k",
    "confirm": {"label": "Go", "action": {"type": "go", "payload": {"n": 1}}},
    # What a later ChatKit may know
    "children": [{"type": "Text", "value": "hi"}, {"type": "Orb", "spin": {"x": 1}}],
}


def thread(thread_id: str = "thr_1", number: int = 0, **fields: Any) -> ThreadMetadata:
    """Return a thread, which began `number` minutes after the first."""
    created = NOON + timedelta(minutes=number)
    return ThreadMetadata(id=thread_id, created_at=created, **fields)


def threads() -> list[ThreadMetadata]:
    """Return threads of each status, with all that a thread may have."""
    statuses = [ActiveStatus(), LockedStatus(reason="paid"), ClosedStatus(reason="over")]
    return [
        thread(
            f"thr_{number}",
            number,
            title=f"{TEXT} {number}",
            status=status,
            allowed_image_domains=["example.com"],
            metadata=JSON,
        )
        for number, status in enumerate(statuses)
    ]


def item(
    item_id: str = "msg_1", thread_id: str = "thr_1", number: int = 0, content: Any = "text"
) -> HiddenContextItem:
    """Return an item of the plainest kind, `number` milliseconds after the first."""
    return HiddenContextItem(**_base(item_id, thread_id, number), content=content)


def message(item_id: str, number: int, text: str, thread_id: str = "thr_1") -> AssistantMessageItem:
    """Return what an assistant said, `number` milliseconds after the first item."""
    content = [AssistantMessageContent(text=text)]
    return AssistantMessageItem(**_base(item_id, thread_id, number), content=content)


def _base(item_id: str, thread_id: str = "thr_1", number: int = 0) -> dict[str, Any]:
    created = NOON + timedelta(milliseconds=number)
    return {"id": item_id, "thread_id": thread_id, "created_at": created}


def items() -> list[ThreadItem]:
    """Return an item of every type, with every kind of part."""
    ids = ("user", "said", "call", "widget", "image", "input", "task", "flow", "hidden", "sdk")
    at = {name: _base(name, number=number) for number, name in enumerate(ids)}
    annotations = [
        Annotation(source=URLSource(title="u", url="https://example.com"), index=3),
        Annotation(source=FileSource(title="f", filename="f.txt")),
        Annotation(source=EntitySource(title="e", id="e1", data={"k": [1]})),
    ]
    return [
        UserMessageItem(
            **at["user"],
            content=[
                UserMessageTextContent(text=TEXT),
                UserMessageTagContent(id="t", text="@bill", data={"n": 1}, interactive=True),
            ],
            attachments=[FILE, IMAGE],
            quoted_text="as you said",
            inference_options=InferenceOptions(tool_choice=ToolChoice(id="search"), model="a/b"),
        ),
        AssistantMessageItem(
            **at["said"],
            content=[AssistantMessageContent(text=TEXT, annotations=annotations)],
        ),
        ClientToolCallItem(
            **at["call"], call_id="c", name="n", arguments={"a": 1}, output={"b": [None]}
        ),
        WidgetItem(
            **at["widget"], widget=DynamicWidgetRoot.model_validate(_WIDGET), copy_text="copy"
        ),
        GeneratedImageItem(**at["image"], image=GeneratedImage(id="i", url="data:,")),
        _questions(at["input"]),
        TaskItem(**at["task"], task=FileTask(sources=[FileSource(title="t", filename="f")])),
        _workflow(at["flow"]),
        HiddenContextItem(**at["hidden"], content=JSON),
        SDKHiddenContextItem(**at["sdk"], content="cancelled"),
        EndOfTurnItem(**_base("end", number=len(ids))),
    ]


def _questions(base: dict[str, Any]) -> StructuredInputItem:
    return StructuredInputItem(
        **base,
        status="answered",
        inputs=[
            StructuredInputMultipleChoice(
                id="q1",
                question="Which?",
                options=[StructuredInputMultipleChoiceOption(value="a")],
                multiple=True,
                answer=StructuredInputAnswer(values=["a", "b"]),
            ),
            StructuredInputFreeform(
                id="q2", question="Why?", answer=StructuredInputAnswer(skipped=True)
            ),
        ],
    )


def _workflow(base: dict[str, Any]) -> WorkflowItem:
    source = URLSource(title="u", url="https://example.com")
    return WorkflowItem(
        **base,
        workflow=Workflow(
            type="reasoning",
            tasks=[
                ThoughtTask(content="hm", status_indicator="complete"),
                CustomTask(title="do", icon="bolt"),
                SearchTask(queries=["q"], sources=[source]),
            ],
            summary=CustomSummary(title="done"),
            expanded=True,
        ),
    )
