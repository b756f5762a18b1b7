"""What a model streams becomes ChatKit's items and events."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from chatkit.types import AssistantMessageItem, GeneratedImageItem, WorkflowItem

from chatkit_server import Turn
from chatkit_server.agent import reasoning
from chatkit_server.agent.stream import EventTranslator
from tests.recording import Recording, make_recording


class Case:
    """A translator and its recording; `send` takes an event as the model's API writes it."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.translator = EventTranslator(recording.turn, recording.recorder)

    async def send(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        """Translate an event, and return what was told of it."""
        await self.translator.event(_object({"type": f"response.{kind}", **fields}))
        return self.told()

    def told(self) -> list[dict[str, Any]]:
        return self.recording.told()

    @property
    def turn(self) -> Turn:
        return self.recording.turn

    def stored(self, item_id: str) -> Any:
        return self.recording.store.items["thr_1"][item_id]


def _object(value: Any) -> Any:
    if isinstance(value, dict):
        return SimpleNamespace(**{key: _object(part) for key, part in value.items()})
    return [_object(part) for part in value] if isinstance(value, list) else value


@pytest.fixture
async def case() -> Case:
    return Case(await make_recording())


def kinds(told: list[dict[str, Any]]) -> list[str]:
    return [event["update"]["type"] if "update" in event else event["type"] for event in told]


def text(text: str, annotations: Any = None) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": annotations}


def message(*content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "content": list(content)}


async def delta(case: Case, text: str, output: int = 0, part: int = 0) -> list[dict[str, Any]]:
    return await case.send("output_text.delta", output_index=output, content_index=part, delta=text)


async def test_a_message_is_streamed_and_saved(case: Case) -> None:
    added, begun, first = await delta(case, "Hel")
    item_id = added["item"]["id"]
    assert (added["type"], added["item"]["content"]) == ("thread.item.added", [])
    assert (added["item"]["thread_id"], added["item"]["type"]) == ("thr_1", "assistant_message")
    assert begun["update"]["type"] == "assistant_message.content_part.added"
    assert (begun["update"]["content_index"], begun["update"]["content"]["text"]) == (0, "")
    assert begun["item_id"] == first["item_id"] == item_id
    assert first["update"]["delta"] == "Hel"
    [more] = await delta(case, "lo")
    assert more["update"]["delta"] == "lo"
    case.translator.text("!")
    [more] = case.told()
    assert (more["item_id"], more["update"]["delta"]) == (item_id, "!")
    begun, second = await delta(case, "Two", part=1)
    assert begun["update"]["content_index"] == second["update"]["content_index"] == 1
    case.translator.text("!")
    [more] = case.told()
    assert more["update"]["content_index"] == 1, "text goes to the part that was written last"
    done = await case.send(
        "output_item.done", output_index=0, item=message(text("Hello!"), text("Two!"))
    )
    assert kinds(done) == [
        "assistant_message.content_part.done",
        "assistant_message.content_part.done",
        "thread.item.done",
    ]
    parts = [(event["update"]["content_index"], event["update"]["content"]) for event in done[:2]]
    assert [(index, content["text"]) for index, content in parts] == [(0, "Hello!"), (1, "Two!")]
    stored = case.stored(item_id)
    assert isinstance(stored, AssistantMessageItem)
    assert [content.text for content in stored.content] == ["Hello!", "Two!"]
    assert case.translator.messages == [item_id]
    assert case.recording.recorder.open == {}


async def test_halves_of_characters_are_replaced(case: Case) -> None:
    *_, first = await delta(case, "a\ud83e")
    case.translator.text("\ud83eb🎈é")
    [second] = case.told()
    assert (first["update"]["delta"], second["update"]["delta"]) == ("a", "\ufffd\ufffdb🎈é")
    done = await case.send("output_item.done", output_index=0, item=message(text("a\ud83e")))
    assert done[-1]["item"]["content"][0]["text"] == "a\ufffd"


async def test_a_message_that_was_not_streamed_is_shown_all_the_same(case: Case) -> None:
    done = await case.send("output_item.done", output_index=0, item=message(text(""), text("Hi")))
    assert kinds(done)[0] == "thread.item.added"
    assert kinds(done)[-1] == "thread.item.done"
    assert [part["text"] for part in done[-1]["item"]["content"]] == ["", "Hi"]


@pytest.mark.parametrize("content", [[], [text("")], [{"type": "refusal", "refusal": ""}], [{}]])
async def test_a_message_without_text_is_not_shown(case: Case, content: list[Any]) -> None:
    assert await case.send("output_item.done", output_index=0, item=message(*content)) == []
    assert case.translator.messages == []


async def test_a_refusal_is_shown_as_text(case: Case) -> None:
    await case.send("refusal.delta", output_index=0, content_index=0, delta="I can")
    refusal = {"type": "refusal", "refusal": "I cannot."}
    done = await case.send("output_item.done", output_index=0, item=message(refusal))
    assert done[-1]["item"]["content"][0]["text"] == "I cannot."


async def test_messages_are_known_by_their_place_in_a_response(case: Case) -> None:
    [one, *_] = await delta(case, "one", output=0)
    [two, *_] = await delta(case, "two", output=1)
    [more] = await delta(case, "one", output=0)
    assert one["item"]["id"] == more["item_id"] != two["item"]["id"]
    await case.send("output_item.done", output_index=0, item=message(text("oneone")))
    [again, *_] = await delta(case, "next", output=0)
    assert again["item"]["id"] != one["item"]["id"]
    assert await case.send("created", response={}) == []
    [third, *_] = await delta(case, "three", output=1)
    ids = [one["item"]["id"], two["item"]["id"], again["item"]["id"], third["item"]["id"]]
    assert case.translator.messages == ids


FILE = {"type": "file_citation", "filename": "f.pdf", "file_id": "f", "index": 1}
CONTAINER = {
    "type": "container_file_citation",
    "filename": "c.csv",
    "container_id": "c",
    "file_id": "f",
    "start_index": 0,
    "end_index": 3,
}
URL = {
    "type": "url_citation",
    "url": "https://example.org",
    "title": "Example",
    "start_index": 0,
    "end_index": 3,
}


async def annotate(case: Case, annotation: Any, output: int = 0, part: int = 0) -> list[Any]:
    await_told = {"output_index": output, "content_index": part}
    event = SimpleNamespace(
        type="response.output_text.annotation.added",
        annotation=annotation if annotation == {} else _object(annotation),
        **await_told,
    )
    await case.translator.event(event)
    return case.told()


async def test_sources_are_numbered_within_their_part(case: Case) -> None:
    await delta(case, "See", part=0)
    await delta(case, "See", part=1)
    told = [
        (await annotate(case, URL, part=0))[0]["update"],
        (await annotate(case, FILE, part=0))[0]["update"],
        (await annotate(case, CONTAINER, part=1))[0]["update"],
    ]
    assert {update["type"] for update in told} == {
        "assistant_message.content_part.annotation_added"
    }
    assert [(update["content_index"], update["annotation_index"]) for update in told] == [
        (0, 0),
        (0, 1),
        (1, 0),
    ]
    sources = [update["annotation"]["source"] for update in told]
    assert sources[0]["url"] == "https://example.org"
    assert [source["filename"] for source in sources[1:]] == ["f.pdf", "c.csv"]


async def test_other_annotations_are_left_out(case: Case) -> None:
    await delta(case, "See")
    assert await annotate(case, {"type": "file_path", "file_id": "f"}) == []
    assert await annotate(case, {}) == []
    assert await annotate(case, URL, output=7) == [], "of a message that nobody wrote"
    done = await case.send(
        "output_item.done",
        output_index=0,
        item=message(text("See", [URL, {"type": "file_path"}]), text("more")),
    )
    [first, second] = done[-1]["item"]["content"]
    assert [found["source"]["url"] for found in first["annotations"]] == ["https://example.org"]
    assert second["annotations"] == []


async def test_an_event_of_no_interest_tells_nothing(case: Case) -> None:
    assert await case.send("in_progress") == []
    assert await case.send("output_item.added", output_index=0, item={"type": "message"}) == []
    assert await case.send("output_item.done", output_index=0, item={"type": "web_search"}) == []


async def test_an_image_is_shown_as_it_is_made(case: Case) -> None:
    [added] = await case.send(
        "output_item.added", output_index=3, item={"type": "image_generation_call"}
    )
    item_id = added["item"]["id"]
    assert (added["type"], added["item"]["type"]) == ("thread.item.added", "generated_image")
    assert added["item"]["thread_id"] == "thr_1"
    [partial] = await case.send(
        "image_generation_call.partial_image",
        output_index=3,
        partial_image_b64="AAAA",
        partial_image_index=0,
    )
    update = partial["update"]
    assert (partial["item_id"], update["type"]) == (item_id, "generated_image.updated")
    assert update["image"]["id"] == item_id
    assert update["image"]["url"].endswith("AAAA")
    assert update["progress"] == 0, "how many are to come is not known"
    [open_] = case.recording.recorder.unfinished()
    assert isinstance(open_, GeneratedImageItem)
    assert open_.image is not None
    [done] = await case.send(
        "output_item.done",
        output_index=3,
        item={"type": "image_generation_call", "result": "BBBB"},
    )
    assert done["type"] == "thread.item.done"
    stored = case.stored(item_id)
    assert stored.image.id == item_id
    assert stored.image.url.endswith("BBBB")


@pytest.mark.parametrize("address", ["https://e.example/a.png", "data:image/webp;base64,BBBB"])
async def test_an_image_with_an_address_keeps_it(case: Case, address: str) -> None:
    [added] = await case.send(
        "output_item.added", output_index=3, item={"type": "image_generation_call"}
    )
    picture = {"type": "image_generation_call", "result": address}
    await case.send("output_item.done", output_index=3, item=picture)
    assert case.stored(added["item"]["id"]).image.url == address


async def test_an_image_that_did_not_come_is_no_item(case: Case) -> None:
    picture = {"type": "image_generation_call", "result": None}
    await case.send("output_item.added", output_index=3, item=picture)
    assert await case.send("output_item.done", output_index=3, item=picture) == []
    unknown = {"type": "image_generation_call", "result": "BBBB"}
    assert await case.send("output_item.done", output_index=4, item=unknown) == []
    sent = {"partial_image_b64": "AAAA", "partial_image_index": 0}
    assert await case.send("image_generation_call.partial_image", output_index=4, **sent) == []
    assert case.recording.stored == []


async def test_images_are_known_by_their_place_in_a_response(case: Case) -> None:
    await case.send("output_item.added", output_index=3, item={"type": "image_generation_call"})
    await case.send("created", response={})
    done = {"type": "image_generation_call", "result": "BBBB"}
    assert await case.send("output_item.done", output_index=3, item=done) == []


class Clock:
    """Time as the stream sees it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(reasoning, "time", clock)
    return clock


async def think(case: Case, text: str, index: int = 0) -> list[dict[str, Any]]:
    return await case.send(
        "reasoning_summary_text.delta", output_index=0, summary_index=index, delta=text
    )


async def test_thoughts_are_shown_as_a_workflow(case: Case, clock: Clock) -> None:
    assert await case.send("output_item.added", output_index=0, item={"type": "reasoning"}) == [], (
        "shown with the first words"
    )
    clock.now += 2
    added, task = await case.send("reasoning_summary_part.added", output_index=0, summary_index=0)
    item_id = added["item"]["id"]
    assert (added["type"], added["item"]["type"]) == ("thread.item.added", "workflow")
    assert added["item"]["workflow"]["type"] == "reasoning"
    assert added["item"]["workflow"]["tasks"] == []
    assert (task["item_id"], task["update"]["type"]) == (item_id, "workflow.task.added")
    assert (task["update"]["task_index"], task["update"]["task"]["content"]) == (0, "")
    [first] = await think(case, "First ")
    assert first["update"]["type"] == "workflow.task.updated"
    assert (first["update"]["task_index"], first["update"]["task"]["content"]) == (0, "First ")
    assert await think(case, "thought") == [], "too soon"
    clock.now += reasoning.THOUGHT_INTERVAL
    [more] = await think(case, "\ud83e.")
    assert more["update"]["task"]["content"] == "First thought\ufffd."
    assert await think(case, " End") == []
    told = await think(case, "Second", index=1)
    assert kinds(told) == ["workflow.task.updated", "workflow.task.added"]
    assert told[0]["update"]["task"]["content"] == "First thought\ufffd. End"
    assert told[1]["update"]["task_index"] == 1
    summary = [{"text": "First thought\ufffd. End"}, {"text": "Second, whole"}]
    told = await case.send(
        "output_item.done", output_index=0, item={"type": "reasoning", "summary": summary}
    )
    updates = [(e["update"]["task_index"], e["update"]["task"]["content"]) for e in told]
    assert updates == [(1, "Second"), (1, "Second, whole")]
    assert case.turn.workflow_item is not None, "tools may add to it"
    case.turn.workflow_item.created_at -= timedelta(seconds=5)
    [done, *_] = await delta(case, "Hello", output=1)
    assert (done["type"], done["item"]["id"]) == ("thread.item.done", item_id)
    assert case.turn.workflow_item is None
    stored = case.stored(item_id)
    assert isinstance(stored, WorkflowItem)
    tasks: list[Any] = stored.workflow.tasks
    assert [task.content for task in tasks] == ["First thought\ufffd. End", "Second, whole"]
    assert stored.workflow.type == "reasoning"
    summary_shown: Any = stored.workflow.summary
    assert summary_shown.duration == 5


async def test_thoughts_end_where_the_answer_begins(case: Case, clock: Clock) -> None:
    [added, *_] = await think(case, "Hm")
    told = await delta(case, "Hello", output=1)
    assert kinds(told)[:2] == ["thread.item.done", "thread.item.added"]
    assert told[0]["item"]["id"] == added["item"]["id"]
    [again, *_] = await think(case, "More")
    assert again["item"]["id"] != added["item"]["id"]
    told = await case.send("output_item.done", output_index=2, item=message(text("Hi")))
    assert told[-1]["type"] == "thread.item.done"
    done = [event["item"]["id"] for event in told if event["type"] == "thread.item.done"]
    assert done[0] == again["item"]["id"]


async def test_thoughts_may_come_without_a_summary(case: Case, clock: Clock) -> None:
    told = await case.send("reasoning_text.delta", output_index=0, content_index=2, delta="Raw")
    assert kinds(told) == ["thread.item.added", "workflow.task.added", "workflow.task.updated"]
    assert told[2]["update"]["task"]["content"] == "Raw"
    await case.send("output_item.done", output_index=0, item={"type": "reasoning"})
    [done, *_] = await delta(case, "Hello", output=1)
    assert [task["content"] for task in done["item"]["workflow"]["tasks"]] == ["Raw"]


async def test_thoughts_may_begin_with_their_first_part(case: Case, clock: Clock) -> None:
    told = await case.send("reasoning_summary_part.added", output_index=0, summary_index=0)
    assert kinds(told) == ["thread.item.added", "workflow.task.added"]
    assert told[0]["item"]["thread_id"] == "thr_1"
    [update] = await think(case, "Hm")
    assert update["item_id"] == told[0]["item"]["id"]
    assert await case.send("output_item.done", output_index=0, item={"type": "reasoning"}) == []


async def test_thoughts_that_were_not_streamed_are_shown_at_the_end(case: Case) -> None:
    thought: dict[str, Any] = {"type": "reasoning", "summary": [{"text": ""}, {"text": "Hm"}]}
    await case.send("output_item.added", output_index=0, item=thought)
    told = await case.send("output_item.done", output_index=0, item=thought)
    assert kinds(told) == [
        "thread.item.added",
        "workflow.task.added",
        "workflow.task.updated",
    ]
    assert told[-1]["update"]["task"]["content"] == "Hm"


async def test_no_thoughts_are_no_item(case: Case) -> None:
    empty: dict[str, Any] = {"type": "reasoning", "summary": []}
    await case.send("output_item.added", output_index=0, item=empty)
    assert await case.send("output_item.done", output_index=0, item=empty) == []
    assert await case.send("output_item.done", output_index=1, item=empty) == []
