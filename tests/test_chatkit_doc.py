"""The plugins that docs/chatkit.md shows do what it says, with the demo model."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from chatkit_plugins.demo_model.sentences import understand
from chatkit_plugins.showcase import TOOLS

from chatkit_server.testing.model_server import ModelServer
from tests.client import Chat, Streamed
from tests.conftest import MakeChat
from tests.documents import DOCUMENTS, ROOT, fences, rows, write_plugins
from tests.folded import Folded
from tests.serving import served_by
from tests.showing import APPROVAL

Json = dict[str, Any]
Serve = Callable[..., Awaitable[Chat]]

DOCUMENT = next(document for document in DOCUMENTS if document.name == "chatkit.md")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    before = set(sys.modules)
    write_plugins(tmp_path / "my_plugins")
    assert set(sys.modules) == before
    return tmp_path / "my_plugins"


@pytest.fixture
async def serve(make_chat: MakeChat, folder: Path) -> AsyncIterator[Serve]:
    """Return a factory of servers with plugins of the document, which the demo model serves."""
    before = set(sys.modules)

    async def serve(*names: str) -> Chat:
        plugins = {"demo_model": {"pace": "1ms"}, **dict.fromkeys(names)}
        return await make_chat(plugins=plugins, plugin_dirs=[folder])

    yield serve
    for name in set(sys.modules) - before:
        if name.startswith("chatkit_plugin_file"):
            del sys.modules[name]


async def click(
    chat: Chat, thread_id: str, item_id: str | None, kind: str, payload: Any
) -> Streamed:
    action = {"type": kind, "payload": payload}
    return await chat.stream(
        "threads.custom_action", thread_id=thread_id, item_id=item_id, action=action
    )


@pytest.mark.parametrize(
    ("plugin", "said", "shown", "words"),
    [
        ("orders", "show order", "widget", "One kettle"),
        ("drafts", "write a letter", "widget.streaming_text.value_delta", "kettles boil."),
        ("counting", "count leaves", "progress_update", "3 of 3"),
        ("research", "research owls", "workflow.task.updated", "Researched owls"),
        ("look_up", "look up tea", "assistant_message", "The tea book"),
        ("pictures", "paint", "generated_image.updated", "data:image/gif"),
        ("confetti", "celebrate", "client_effect", "gold"),
    ],
)
async def test_a_tool_shows_what_the_document_says(
    serve: Serve, plugin: str, said: str, shown: str, words: str
) -> None:
    chat = await serve(plugin)
    streamed = await chat.say(said)
    folded = Folded(streamed.data)
    assert streamed.error is None
    assert shown in {item["type"] for item in folded.items.values()} | set(streamed.types)
    assert words in str(streamed.data)
    thread = await chat.ask("threads.get_by_id", thread_id=streamed.thread_id)
    assert thread["items"]["data"] == list(folded.items.values())


def test_every_plugin_that_is_shown_is_tried() -> None:
    shown = [fence.file for fence in fences("python") if fence.document == DOCUMENT]
    names = {Path(file).stem for file in shown if file is not None}
    text = Path(__file__).read_text()
    assert [name for name in names if f'"{name}"' not in text] == []


async def test_a_form_is_sent(serve: Serve) -> None:
    chat = await serve("newsletter")
    streamed = await chat.say("offer newsletter")
    [form] = streamed.done("widget")
    payload = {"email": "ann@example.com"}
    sent = await click(chat, streamed.thread_id, form["id"], "newsletter.subscribe", payload)
    folded = Folded([*streamed.data, *sent.data])
    assert "Thank you, ann@example.com!" in str(folded.items[form["id"]])
    wrong = await click(chat, streamed.thread_id, form["id"], "newsletter.subscribe", {"email": 1})
    assert wrong.error is not None


async def test_a_notice_comes_before_the_third_answer(serve: Serve) -> None:
    chat = await serve("quota")
    thread_id = (await chat.say("one")).thread_id
    assert "notice" not in (await chat.say("two", thread_id)).types
    third = await chat.say("three", thread_id)
    assert third.types.index("notice") < third.types.index("thread.item.added")
    assert "message 3 of 5" in str(third.data)


async def test_the_page_answers(serve: Serve) -> None:
    chat = await serve("whereabouts")
    asked = await chat.say("get location")
    assert asked.done("client_tool_call")[0]["arguments"] == {"precise": True}
    answered = await chat.stream(
        "threads.add_client_tool_output", thread_id=asked.thread_id, result={"city": "Kyoto"}
    )
    assert "Kyoto" in answered.text


async def test_the_user_answers(serve: Serve) -> None:
    chat = await serve("survey")
    asked = await chat.say("ask for tea")
    [item] = asked.done("structured_input")
    [question] = item["inputs"]
    answered = await chat.stream(
        "threads.add_structured_input",
        thread_id=asked.thread_id,
        item_id=item["id"],
        input={"answers": {question["id"]: {"values": ["Sencha"]}}},
    )
    assert "Sencha" in answered.text


async def test_the_user_approves(serve: Serve) -> None:
    chat = await serve("cleanup")
    asked = await chat.say("delete orders")
    [item] = asked.done("widget")
    assert asked.text == ""
    approved = await click(chat, asked.thread_id, item["id"], APPROVAL, {"decision": "approve"})
    assert approved.text == "All orders are deleted."


async def test_a_conversation_ends_and_is_open_again(serve: Serve) -> None:
    chat = await serve("archive")
    streamed = await chat.say("end conversation")
    assert Folded(streamed.data).thread["status"]["reason"] == "Your order has arrived."
    opened = await click(chat, streamed.thread_id, None, "archive.reopen", None)
    assert Folded(opened.data).thread["status"] == {"type": "active"}
    assert "notice" in opened.types


async def test_a_mode_a_tag_a_quotation_and_the_page_reach_the_model(
    make_chat: MakeChat, model_server: ModelServer, folder: Path
) -> None:
    sections = served_by(model_server, instructions="Be kind.")
    sections["plugins"] |= dict.fromkeys(("orders", "modes", "people", "quoting", "looking_at"))
    chat = await make_chat(**sections, plugin_dirs=[folder])
    model_server.reply("A summary.")
    chosen = {"tool_choice": {"id": "summarize"}}
    streamed = await chat.say("A long text.", inference_options=chosen)
    asked = model_server.requests[-1].body
    assert "Summarize what" in asked["messages"][0]["content"]
    assert "tools" not in asked
    found = await (await chat.client.get("/api/people?q=ann")).json()
    [person] = found
    tag = {"type": "input_tag", "text": person["title"], "id": person["id"], "data": person["data"]}
    model_server.reply("She does.")
    said = {"type": "input_text", "text": "Does she?"}
    chat.headers["X-Page"] = "/cart"
    await chat.say("", streamed.thread_id, content=[tag, said], quoted_text="sells tea")
    asked = model_server.requests[-1].body
    assert "The user is looking at the cart." in asked["messages"][0]["content"]
    assert [tool["function"]["name"] for tool in asked["tools"]] == ["show_order"]
    told = str(asked["messages"])
    for words in ("Ann sells tea.", "sells tea\\n</Quotation>", "only of what the user has quoted"):
        assert words in told
    plugins = {"demo_model": None, "people": None, "api_keys": {"keys": {"ann": "x"}}}
    closed = await make_chat(plugins=plugins, plugin_dirs=[folder])
    response = await closed.client.get("/api/people", headers={"X-Api-Key": "wrong"})
    assert response.status == 401


def test_every_feature_has_its_section_and_request() -> None:
    text = (ROOT / "docs" / "chatkit.md").read_text()
    table = list(rows(text.partition("\n## ")[0]))
    headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert [row[0].partition("](")[0][1:] for row in table] == headings[:-1]
    for row in table:
        for words in re.findall("“([^”]+)”", row[1]):
            assert understand(words, TOOLS), words
