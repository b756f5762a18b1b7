"""What the model is told of an earlier conversation, and what a turn keeps for that."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    ClientToolCallItem,
    FileAttachment,
    HiddenContextItem,
    ImageAttachment,
    InferenceOptions,
    ThreadItem,
    ThreadMetadata,
    UserMessageItem,
    UserMessageTagContent,
    UserMessageTextContent,
)

from chatkit_server import User
from chatkit_server.agent.costs import BYTES_PER_TOKEN, cost
from chatkit_server.agent.history import LEFT_OUT, LEFT_OUT_HERE, to_input
from chatkit_server.agent.loading import load_history
from chatkit_server.agent.memory import TurnMemory, build_memory
from chatkit_server.agent.pairs import CALL_CUT_OFF
from chatkit_server.settings.schema import HistorySettings
from chatkit_server.storage import StoreContext
from chatkit_server.testing.memory_store import MemoryStore
from chatkit_server.turn import ToolCall, ToolResult

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLENTY = HistorySettings(items=100, tokens=100_000)
CONTEXT = StoreContext(User("ann", "acme"))


def base(item_id: str) -> dict[str, Any]:
    return {"id": item_id, "thread_id": "thr_1", "created_at": NOW}


def user(item_id: str, text: str = "Hello", **fields: Any) -> UserMessageItem:
    given: dict[str, Any] = {
        "content": [UserMessageTextContent(text=text)],
        "attachments": [],
        "inference_options": InferenceOptions(),
    }
    return UserMessageItem(**{**given, **fields}, **base(item_id))


def assistant(item_id: str, *texts: str) -> AssistantMessageItem:
    content = [AssistantMessageContent(text=text) for text in texts]
    return AssistantMessageItem(content=content, **base(item_id))


def message(text: str = "Hi", **fields: Any) -> Any:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"id": "m", "type": "message", "role": "assistant", "content": content, **fields}


def call(call_id: str, name: str = "add") -> Any:
    return {
        "type": "function_call",
        "id": "fc",
        "call_id": call_id,
        "name": name,
        "arguments": "{}",
    }


def output(call_id: str, text: str = "3") -> Any:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


REASONING: Any = {"type": "reasoning", "id": "rs_1", "summary": []}


def remembered(
    *entries: Any,
    messages: tuple[str, ...] = (),
    tools: tuple[tuple[ToolCall, ToolResult], ...] = (),
    cut_off: str | None = None,
) -> TurnMemory | None:
    return build_memory("turn_1", "test/model", list(entries), messages, tools, cut_off)


def test_a_turn_of_plain_messages_needs_no_memory() -> None:
    provider_data = {"model": "m", "response_id": "r"}
    said = message(provider_data=provider_data, status="completed")
    assert remembered() is None
    assert remembered(message(), said, messages=("msg_1", "msg_2")) is None
    assert remembered(message(provider_data=None)) is None


@pytest.mark.parametrize(
    "entry",
    [
        REASONING,
        call("c1"),
        message(logprobs=[]),
        message(provider_data={"thinking": "x"}),
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
    ],
)
def test_what_items_do_not_say_is_remembered(entry: Any) -> None:
    memory = remembered(REASONING, entry, message())
    assert memory is not None
    assert entry in memory.input


def test_a_memory_stands_for_the_messages_it_has() -> None:
    entries = (REASONING, message("a"), call("c1"), output("c1"), message(""), message("b"))
    memory = remembered(*entries, messages=("msg_1", "msg_2", "msg_3"))
    said = [entry for entry in entries if entry != message("")]
    assert memory == TurnMemory("turn_1", "test/model", ["msg_1", "msg_2"], said)


def test_a_refusal_is_a_text_as_well() -> None:
    refusal = message()
    refusal["content"] = [{"type": "refusal", "refusal": "No."}]
    memory = remembered(REASONING, refusal, messages=("msg_1",))
    assert memory is not None
    assert memory.covers == ["msg_1"]


def test_a_call_without_result_gets_one() -> None:
    tools = (
        (ToolCall("c2", "add", {}), ToolResult("four")),
        (ToolCall("c3", "add", {}), ToolResult({"n": 5, "at": NOW})),
        (ToolCall("c9", "add", {}), ToolResult("of another answer")),
    )
    memory = remembered(
        call("c1"), output("c1", "3"), call("c2"), call("c3"), call("c4"), tools=tools
    )
    assert memory is not None
    assert memory.input[5:] == [
        output("c2", "four"),
        output("c3", json.dumps({"n": 5, "at": str(NOW)})),
        output("c4", CALL_CUT_OFF),
    ]


def test_an_answer_without_an_end_says_why() -> None:
    memory = remembered(message("Once"), messages=("msg_1", "msg_2"), cut_off="It was stopped.")
    assert memory is not None
    assert memory.covers == ["msg_1"], "the second was cut off, and is told by its item"
    said, note = memory.input
    assert said == message("Once")
    assert note == {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "(It was stopped.)"}],
    }


def test_a_memory_is_kept_in_a_hidden_item() -> None:
    memory = TurnMemory("turn_7", "test/model", ["msg_1"], [call("c1"), output("c1")])
    item = memory.as_item("thr_1")
    assert (item.id, item.thread_id) == ("mem_7", "thr_1")
    assert item.created_at.tzinfo is not None
    read = HiddenContextItem.model_validate_json(item.model_dump_json())
    assert TurnMemory.of(read) == memory
    for other in (
        HiddenContextItem(content="text", **base("h")),
        HiddenContextItem(content={"type": "other"}, **base("h")),
        HiddenContextItem(content=None, **base("h")),
        assistant("msg_1", "Hi"),
    ):
        assert TurnMemory.of(other) is None


async def told(
    *items: ThreadItem, model: str = "test/model", tokens: int = 100_000
) -> list[dict[str, Any]]:
    budget = HistorySettings(items=100, tokens=tokens)
    return [dict(entry) for entry in await to_input(items, model, budget)]


async def test_messages_are_told_with_their_words() -> None:
    first, second = await told(user("u"), assistant("msg_a", "One", "Two"))
    assert first["role"] == "user"
    assert first["content"] == [{"type": "input_text", "text": "Hello"}]
    assert second == {
        "id": "msg_a",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [
            {"type": "output_text", "text": "One", "annotations": []},
            {"type": "output_text", "text": "Two", "annotations": []},
        ],
    }


async def test_attachments_and_tags_are_told() -> None:
    picture = ImageAttachment(
        id="atc_1", name="p.png", mime_type="image/png", preview_url="https://example.org/p.png"
    )
    file = FileAttachment(id="atc_2", name="f.pdf", mime_type="application/pdf")
    tag = UserMessageTagContent(id="t", text="Grüße", data={"é": 1}, group=None, interactive=False)
    item = user("u", content=[tag], attachments=[picture, file])
    parts = [part for entry in await told(item) for part in entry["content"]]
    assert {"type": "input_text", "text": '@Grüße: {"é": 1}'} in parts
    assert {
        "type": "input_image",
        "detail": "auto",
        "image_url": "https://example.org/p.png",
    } in parts
    texts = "".join(part.get("text", "") for part in parts)
    assert "[attached file: f.pdf (application/pdf)]" in texts


async def test_hidden_items_of_plugins_are_told_as_text() -> None:
    spoken = HiddenContextItem(content="The user is at é.", **base("h1"))
    data = HiddenContextItem(content={"é": [1]}, **base("h2"))
    texts = str(await told(user("u"), spoken, data))
    assert "The user is at é." in texts
    assert '{"é": [1]}' in texts


async def test_a_memory_is_told_in_place_of_its_messages() -> None:
    memory = TurnMemory(
        "turn_1", "test/model", ["a"], [REASONING, call("c1"), output("c1"), message("One")]
    )
    items = (user("u"), assistant("a", "One"), assistant("b", "Two"), memory.as_item("thr_1"))
    entries = await told(*items, user("v", "More"))
    assert entries[1]["content"][0]["text"] == "Two"
    assert entries[2:6] == memory.input
    assert len(entries) == 7


async def test_another_model_gets_only_what_any_can_read() -> None:
    said = message("One", provider_data={"thinking": "x"})
    memory = TurnMemory("turn_1", "a/model", [], [REASONING, call("c1"), output("c1"), said])
    entries = await told(user("u"), memory.as_item("thr_1"), model="another/model")
    made, answered, text = entries[1:]
    assert made == {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"}
    assert answered == output("c1")
    assert text["id"].startswith("msg_")
    assert text["id"] != "m"
    assert "provider_data" not in text
    assert text["content"] == said["content"]


async def test_what_was_cut_off_comes_after_the_calls() -> None:
    memory = remembered(call("c1"), output("c1"), messages=("msg_1",), cut_off="Stopped.")
    assert memory is not None
    items = (user("u"), assistant("msg_1", "It is"), memory.as_item("thr_1"), user("v", "More"))
    entries = await told(*items)
    assert [entry.get("role") or entry["type"] for entry in entries] == [
        "user",
        "function_call",
        "function_call_output",
        "assistant",
        "user",
    ]
    assert entries[-1]["content"][0]["text"] == "(Stopped.)\n\nMore"


async def test_what_a_client_answered_since_replaces_the_output() -> None:
    def tool(call_id: str, status: Any) -> ClientToolCallItem:
        return ClientToolCallItem(
            call_id=call_id,
            name="ask",
            arguments={},
            output={"é": 1},
            status=status,
            **base(f"tc_{call_id}"),
        )

    entries = [call("c1"), output("c1", "waits"), call("c2"), output("c2", "waits")]
    memory = TurnMemory("turn_1", "test/model", ["tc_c1", "tc_c2"], entries)
    items = (user("u"), tool("c1", "completed"), tool("c2", "pending"), memory.as_item("thr_1"))
    replayed = (await told(*items))[1:]
    assert replayed == [call("c1"), output("c1", '{"é": 1}'), call("c2"), output("c2", "waits")]
    assert memory.input[1] == output("c1", "waits"), "the memory itself stays"


def size(entries: list[dict[str, Any]]) -> int:
    return len(json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode())


def said_in(entries: list[dict[str, Any]]) -> list[str]:
    """The texts of the users' messages, each as it was sent."""
    parts = [part for entry in entries if entry["role"] == "user" for part in entry["content"]]
    return "\n\n".join(part["text"] for part in parts if "text" in part).split("\n\n")


async def test_the_newest_are_told_as_far_as_the_budget_reaches() -> None:
    items = [user(f"u{n}", f"{n}" * 400) for n in range(4)]
    one = size(await told(items[0]))
    for tokens, whole, shortened in (
        (1, [3], []),
        (2 * one // BYTES_PER_TOKEN + 1, [3], [2]),
        (3 * one // BYTES_PER_TOKEN + 1, [2, 3], [1]),
        (one + 1, [0, 1, 2, 3], []),
    ):
        texts = said_in(await told(*items, tokens=tokens))
        assert [text[0] for text in texts] == [str(n) for n in [*shortened, *whole]]
        cut = [int(text[0]) for text in texts if "bytes are left out" in text]
        assert cut == shortened


async def test_a_budget_may_be_just_enough() -> None:
    # As many bytes as a whole number of tokens has
    pad = 8 - size(await told(user("u", "x" * 4))) % BYTES_PER_TOKEN
    items = [user("u1", "x" * pad), user("u2", "x" * pad)]
    tokens = size(await told(items[0])) // BYTES_PER_TOKEN
    assert len(said_in(await told(*items, tokens=2 * tokens))) == 2
    assert len(said_in(await told(*items, tokens=2 * tokens - 1))) == 1


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (1500).to_bytes(4) + (1000).to_bytes(4)
BASE64 = b64encode(PNG + bytes(600_000)).decode()
DATA_URL = f"data:image/png;base64,{BASE64}"


def photo(url: str = DATA_URL, name: str = "p.png") -> ImageAttachment:
    return ImageAttachment(id="atc", name=name, mime_type="image/png", preview_url=url)


async def test_a_picture_leaves_room_for_what_came_before() -> None:
    items = (user("u1", "I am Ann."), assistant("a", "Hi!"), user("u2", attachments=[photo()]))
    for question in ((), (assistant("b", "Nice."), user("u3", "Who am I?"))):
        entries = await told(*items, *question, tokens=3000)
        assert said_in(entries)[0] == "I am Ann."
        [picture] = [p for e in entries for p in e["content"] if p["type"] == "input_image"]
        assert picture["image_url"] == DATA_URL


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        ({"type": "input_image", "image_url": DATA_URL}, 1600),
        ({"type": "input_image", "image_url": DATA_URL, "detail": "low"}, 85),
        ({"type": "input_image", "image_url": "https://example.org/p.png"}, 1000),
        ({"type": "input_image", "file_id": "file_1"}, 1000),
        ({"type": "image_url", "image_url": {"url": DATA_URL}}, 1600),
        ({"type": "image", "source": {"type": "base64", "data": BASE64}}, 1600),
        ({"inline_data": {"mime_type": "image/png", "data": BASE64}}, 1600),
        ({"inlineData": {"mimeType": "audio/mp3", "data": BASE64}}, 600_024 // 500),
        ({"type": "input_audio", "input_audio": {"data": BASE64, "format": "mp3"}}, 1200),
        ({"type": "input_file", "file_data": f"data:application/pdf;base64,{BASE64}"}, 5000),
        ({"type": "input_file", "file_data": f"data:text/csv;base64,{BASE64}"}, 150_009),
        ({"type": "file", "file": {"file_data": DATA_URL, "filename": "p.png"}}, 1600),
    ],
)
def test_media_count_by_what_they_cost(part: dict[str, Any], tokens: int) -> None:
    without = cost([{"role": "user", "content": [{}]}])
    assert cost([{"role": "user", "content": [part]}]) - without == tokens * BYTES_PER_TOKEN
    result = {"type": "function_call_output", "call_id": "c"}
    assert cost([{**result, "output": [part]}]) < cost([{**result, "output": BASE64}])


def test_a_generated_picture_counts_as_one() -> None:
    generated = {"type": "image_generation_call", "id": "ig_1", "result": BASE64}
    assert cost([generated]) == cost([{}]) + 1600 * BYTES_PER_TOKEN
    assert cost([{"type": "file_citation", "file_id": "f"}]) < 100, "which is no file"


async def test_pictures_of_old_turns_are_sent_again_up_to_a_number() -> None:
    urls = [f"https://example.org/{n}.png" for n in range(5)]
    items = [user(f"u{n}", attachments=[photo(url)]) for n, url in enumerate(urls)]

    async def sent(most: int) -> list[str]:
        entries = await to_input(items, "test/model", HistorySettings(media=most))
        parts = [part for entry in entries for part in cast(Any, entry)["content"]]
        found = [part["image_url"] for part in parts if part["type"] == "input_image"]
        assert str(parts).count("not sent again") + len(found) == 5
        return found

    assert await sent(2) == urls[2:], "the newest, and that of the message itself"
    assert await sent(0) == urls[4:]
    assert await sent(10) == urls


async def test_one_long_message_is_shortened_by_itself() -> None:
    log = "\n".join(f"line {n}" for n in range(3000))
    items = (user("u1", "I am Ann."), assistant("a", "Hi!"), user("u2", log), user("u3", "Who?"))
    first, cut = said_in((await told(*items, tokens=2000))[:1]), await told(*items, tokens=2000)
    assert first == ["I am Ann."]
    text = said_in(cut[2:])[0]
    assert text.startswith("line 0\n")
    assert text.endswith("line 2999"), "a question may stand at its end"
    assert re.search(rf"\[cut off here: \d+ of {len(log)} bytes are left out\]", text)
    assert cost(cut) <= 2000 * BYTES_PER_TOKEN
    assert cost(cut) > 1000 * BYTES_PER_TOKEN, "no more than needed is left out"


async def test_the_newest_message_is_whole_and_older_ones_still_come() -> None:
    items = (user("u1", "I am Ann."), assistant("a", "Hi!"), user("u2", "x" * 20_000))
    entries = await told(*items, tokens=1000)
    assert said_in(entries) == ["I am Ann.", "x" * 20_000]


async def test_what_is_left_out_is_said_in_its_place() -> None:
    arguments = json.dumps({"text": "x" * 5000})
    written = HiddenContextItem(content="y" * 90, **base("h"))
    made = {**call("c1"), "arguments": arguments}
    memory = TurnMemory("turn_1", "test/model", ["a"], [made, output("c1"), message("Done")])
    items = (user("u1", "One"), assistant("a", "Done"), memory.as_item("thr_1"))
    entries = await told(*items, written, user("u2", "z" * 400), user("u3", "Two"), tokens=180)
    assert said_in(entries)[0] == "One"
    assert LEFT_OUT_HERE in str(entries)
    assert not [entry for entry in entries if "call_id" in entry]


async def test_an_answer_without_its_question_is_left_out() -> None:
    assert [e["role"] for e in await told(assistant("a", "x"), user("u"), assistant("b", "y"))] == [
        "user",
        "assistant",
    ]
    note, answers = await told(assistant("a", "x"), assistant("b", "y"))
    assert (note["role"], note["content"]) == ("user", LEFT_OUT)
    assert [part["text"] for part in answers["content"]] == ["x", "y"], "better than nothing"


async def test_of_a_memory_beyond_the_budget_long_results_are_cut() -> None:
    entries = [call("c1"), call("c2"), output("c1", "x" * 5000), output("c2", "short")]
    memory = TurnMemory("turn_1", "test/model", ["a"], [REASONING, *entries, message("One")])
    items = (user("u"), assistant("a", "One"), memory.as_item("thr_1"), user("v"))
    sent = await told(*items, tokens=500)
    assert sent[1:4] == [REASONING, call("c1"), call("c2")]
    assert "of 5000 bytes are left out" in sent[4]["output"]
    assert sent[5:-1] == [output("c2", "short"), message("One")]
    assert cost(sent) <= 500 * BYTES_PER_TOKEN
    assert (await told(*items, tokens=5000))[4] == output("c1", "x" * 5000)


async def test_a_memory_that_cannot_be_cut_leaves_its_messages() -> None:
    made = {**call("c1"), "arguments": json.dumps({"text": "x" * 5000})}
    long = TurnMemory("turn_1", "test/model", ["a"], [made, output("c1"), message("One")])
    items = (user("u"), assistant("a", "One"), long.as_item("thr_1"), user("v"))
    entries = await told(*items, tokens=500)
    assert [entry.get("role") for entry in entries] == ["user", "assistant", "user"]
    assert len(await told(*items, tokens=5000)) == 5


async def test_odd_text_has_a_size_too() -> None:
    memory = TurnMemory("turn_1", "test/model", [], [call("c1"), output("c1", "\ud83e" * 400)])
    items = (user("u"), memory.as_item("thr_1"), user("v"))
    assert len(await told(*items)) == 4
    assert len(await told(*items, tokens=60)) == 1


async def stored(count: int) -> MemoryStore:
    store = MemoryStore()
    await store.save_thread(ThreadMetadata(id="thr_1", created_at=NOW), CONTEXT)
    for number in range(count):
        await store.add_thread_item("thr_1", user(f"u{number}"), CONTEXT)
    return store


@pytest.mark.parametrize(("wanted", "loaded"), [(1, 1), (50, 50), (51, 51), (120, 120), (200, 130)])
async def test_as_many_items_are_loaded_as_are_wanted(wanted: int, loaded: int) -> None:
    store = await stored(130)
    limits: list[int] = []
    load = store.load_thread_items

    async def counted(thread_id: str, after: Any, limit: int, order: str, context: Any) -> Any:
        limits.append(limit)
        return await load(thread_id, after, limit, order, context)

    store.load_thread_items = counted  # type: ignore[method-assign]
    budget = HistorySettings(items=wanted, tokens=1)
    items = await load_history(store, CONTEXT, "thr_1", budget)
    assert [item.id for item in items] == [f"u{n}" for n in range(130 - loaded, 130)]
    assert max(limits) <= 50
    assert sum(limits) == min(wanted, 150)


async def test_items_may_be_loaded_up_to_one() -> None:
    store = await stored(5)
    items = await load_history(store, CONTEXT, "thr_1", PLENTY, until="u3")
    assert [item.id for item in items] == ["u0", "u1", "u2"]
