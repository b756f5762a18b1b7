"""The showcase: each of its requests shows what it says, and the same after a reload."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import yaml
from chatkit_plugins import showcase

from tests.client import Chat
from tests.documents import ROOT
from tests.folded import Folded, unfinished
from tests.showing import REQUESTS, act, showcase_chat

Json = dict[str, Any]


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with showcase_chat() as chat:
        yield chat


async def reloaded(chat: Chat, thread_id: str) -> Json:
    thread = await chat.ask("threads.get_by_id", thread_id=thread_id)
    page = await chat.ask("items.list", thread_id=thread_id, order="asc")
    assert page["data"] == thread["items"]["data"]
    return thread


async def test_every_request_shows_what_it_says_and_the_same_after_a_reload(chat: Chat) -> None:
    for request, shown in REQUESTS.items():
        streamed = await chat.say(request)
        folded = Folded(streamed.data)
        kinds = {item["type"] for item in folded.items.values()} | set(streamed.types)
        assert shown in kinds, request
        assert (streamed.error is None) == (shown != "error"), request
        assert folded.items == folded.done
        assert not [u for item in folded.items.values() for u in unfinished(item)], request
        thread = await reloaded(chat, streamed.thread_id)
        assert thread["items"]["data"] == list(folded.items.values()), request
        for key in ("title", "status"):
            assert thread.get(key) == folded.thread.get(key), request


@pytest.mark.parametrize(
    "file", ["settings.yaml", "chatkit_server/cli/template/project/settings.yaml"]
)
def test_one_line_of_the_settings_switches_it_on(file: str) -> None:
    text = (ROOT / file).read_text()
    assert "showcase" not in yaml.safe_load(text)["plugins"]
    changed = yaml.safe_load(text.replace("# showcase:", "showcase:"))
    assert changed["plugins"].pop("showcase", "missing") is None
    assert changed == yaml.safe_load(text)


def test_every_tool_has_a_request() -> None:
    def words(text: str) -> set[str]:
        return {word.strip("?.").lower() for word in text.split()}

    asked = [words(request) for request in REQUESTS]
    for request in showcase.REQUESTS:
        assert any(words(request) <= each for each in asked), request


async def test_a_card_is_liked_tracked_and_hidden(chat: Chat) -> None:
    streamed = await chat.say("show a card")
    [item] = streamed.done("widget")
    place = {"thread_id": streamed.thread_id, "item_id": item["id"]}
    like = {"type": "showcase.like", "payload": {"likes": 4}}
    answer = await chat.ask("threads.sync_custom_action", **place, action=like)
    assert "Like (5)" in str(answer["updated_item"])
    assert answer["updated_item"] in (await reloaded(chat, streamed.thread_id))["items"]["data"]
    tracked = await act(chat, streamed, "track", {"order": 7})
    [message] = tracked.done("assistant_message")
    assert message["content"][0]["text"] == "Order 7 is on its way."
    hidden = await act(chat, streamed, "hide")
    assert hidden.types[-1] == "thread.item.removed"
    assert item["id"] not in str(await reloaded(chat, streamed.thread_id))


async def test_what_is_picked_and_ordered_replaces_the_widget(chat: Chat) -> None:
    streamed = await chat.say("show a list")
    folded = Folded(streamed.data)
    folded.take((await act(chat, streamed, "pick", {"tea": "Sencha"})).data)
    assert "You picked Sencha." in str(folded.items)
    form = await chat.say("show a form", streamed.thread_id)
    folded.take(form.data)
    filled = {"name": "Ann", "tea": "assam", "gift": True, "note": ""}
    folded.take((await act(chat, form, "order", filled)).data)
    assert "- tea: assam" in str(folded.items)
    thread = await reloaded(chat, streamed.thread_id)
    assert thread["items"]["data"] == list(folded.items.values())


@pytest.mark.parametrize("payload", [None, [], {"tea": 1}, {"tea": {"deep": []}}])
async def test_an_action_with_a_wrong_payload_changes_nothing(chat: Chat, payload: Any) -> None:
    streamed = await chat.say("show a list")
    refused = await act(chat, streamed, "pick", payload)
    assert refused.error is not None
    thread = await reloaded(chat, streamed.thread_id)
    assert thread["items"]["data"] == list(Folded(streamed.data).items.values())


@pytest.mark.parametrize("how", ["lock", "close"])
async def test_a_conversation_is_locked_or_closed_and_open_again(chat: Chat, how: str) -> None:
    streamed = await chat.say(how)
    body = {"content": [{"type": "input_text", "text": "Hello?"}], "attachments": []}
    params = {"thread_id": streamed.thread_id, "input": {**body, "inference_options": {}}}
    status, message = await chat.refused({"type": "threads.add_user_message", "params": params})
    assert (status, "until nine" in message or "arrived" in message) == (409, True)
    opened = await act(chat, streamed, "reopen")
    assert Folded(opened.data).thread["status"] == {"type": "active"}
    assert (await chat.say("cite", streamed.thread_id)).error is None


async def test_a_question_is_answered_once(chat: Chat) -> None:
    asked = await chat.say("ask me something")
    folded = Folded(asked.data)
    [item] = asked.done("structured_input")
    assert [each["type"] for each in item["inputs"]] == ["multiple_choice", "freeform"]
    answers = {"tea": {"values": ["Assam", "Sencha"]}, "cup": {"values": ["the blue one"]}}
    params = {"item_id": item["id"], "input": {"answers": answers}}
    answered = await chat.stream(
        "threads.add_structured_input", thread_id=asked.thread_id, **params
    )
    assert "Sencha" in answered.text
    assert "the blue one" in answered.text
    folded.take(answered.data)
    assert folded.items[item["id"]]["status"] == "answered"
    thread = await reloaded(chat, asked.thread_id)
    assert thread["items"]["data"] == list(folded.items.values())
    params["thread_id"] = asked.thread_id
    status, _ = await chat.refused({"type": "threads.add_structured_input", "params": params})
    assert status == 409
    assert await reloaded(chat, asked.thread_id) == thread


@pytest.mark.parametrize(
    ("decision", "told"), [("approve", "Everything is deleted."), ("deny", "denied")]
)
async def test_nothing_is_deleted_before_it_is_approved(
    chat: Chat, decision: str, told: str
) -> None:
    asked = await chat.say("delete everything")
    assert asked.text == ""
    folded = Folded(asked.data)
    folded.take((await act(chat, asked, "approval", {"decision": decision})).data)
    [*_, answer] = folded.items.values()
    assert told in answer["content"][0]["text"]
    again = await act(chat, asked, "approval", {"decision": "approve"})
    assert "Everything" not in again.text
    thread = await reloaded(chat, asked.thread_id)
    assert thread["items"]["data"] == list(folded.items.values())


async def test_a_client_tool_is_answered_by_the_page(chat: Chat) -> None:
    asked = await chat.say("client tool")
    folded = Folded(asked.data)
    answered = await chat.stream(
        "threads.add_client_tool_output", thread_id=asked.thread_id, result={"city": "Kyoto"}
    )
    assert "Kyoto" in answered.text
    [call] = [i for i in (await reloaded(chat, asked.thread_id))["items"]["data"] if "name" in i]
    assert (call["status"], call["output"]) == ("completed", {"city": "Kyoto"})
    assert folded.items[call["id"]]["status"] == "pending"


async def test_a_message_s_tags_quote_tool_and_model_are_told(chat: Chat) -> None:
    tag = {"type": "input_tag", "id": "tea_1", "text": "Assam", "data": {"kind": "tea"}}
    text = {"type": "input_text", "text": "This one"}
    streamed = await chat.say(
        "",
        content=[tag, text],
        quoted_text="black or green",
        inference_options={"tool_choice": {"id": "what_did_i_send"}, "model": "demo/todo"},
    )
    assert "tool what_did_i_send" in streamed.text
    asked = {"type": "input_text", "text": "What did I send? "}
    streamed = await chat.say(
        "",
        streamed.thread_id,
        content=[asked, tag],
        quoted_text="black or green",
        inference_options={"model": "demo/todo"},
    )
    for told in ("Assam: tea_1", "“black or green”", "No tool.", "model demo/todo"):
        assert told in streamed.text
