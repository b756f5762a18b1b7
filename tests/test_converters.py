"""Input that plugins' converters make of a turn's items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from agents import Agent, OpenAIChatCompletionsModel, RunContextWrapper, function_tool
from chatkit.agents import ClientToolCall, ThreadItemConverter
from chatkit.types import (
    ClientToolCallItem,
    HiddenContextItem,
    ProgressUpdateEvent,
    SyncCustomActionResponse,
    UserMessageItem,
    WidgetItem,
)
from chatkit.widgets import Card, Text
from openai import AsyncOpenAI
from openai.types.responses import ResponseInputText, ResponseOutputMessage, ResponseOutputText

from chatkit_server import Turn, hookimpl
from chatkit_server.agent.history import History
from chatkit_server.agent.memory import TurnMemory
from chatkit_server.settings.schema import HistorySettings
from chatkit_server.testing.model_server import Call, ModelServer, Reasoning
from tests.conftest import MakeChat
from tests.serving import served_by
from tests.strict_history import check
from tests.test_history import (
    REASONING,
    assistant,
    base,
    call,
    message,
    output,
    photo,
    said_in,
    told,
    user,
)
from tests.test_turns import Tools, weather

TAG = {"type": "input_tag", "id": "t", "text": "Ann", "data": {"age": 7}, "interactive": False}


def text(words: str) -> Any:
    return {"type": "input_text", "text": words}


def says(words: str) -> Any:
    return {"type": "message", "role": "user", "content": [text(words)]}


class OnlyAttachments(ThreadItemConverter):
    """Defines one method, as most converters do."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def attachment_to_message_content(self, attachment: Any) -> Any:
        self.seen.append(attachment.name)
        if attachment.name == "other":
            return await super().attachment_to_message_content(attachment)
        return text(f"<{attachment.name}>")


class Loads(OnlyAttachments):
    """Gives the model whole images."""

    async def attachment_to_message_content(self, attachment: Any) -> Any:
        self.seen.append(attachment.name)
        return {"type": "input_image", "image_url": f"https://example.org/{attachment.name}"}


@dataclass(frozen=True, slots=True)
class Frozen(ThreadItemConverter):
    """Keeps its settings where `__dict__` is not."""

    mark: str

    async def tag_to_message_content(self, tag: Any) -> Any:
        return text(f"{self.mark}{tag.text}")


class Everything(ThreadItemConverter):
    """Tells each kind of item its own way."""

    async def assistant_message_to_input(self, item: Any) -> Any:
        content = ResponseOutputText(type="output_text", text="(said)", annotations=[])
        return ResponseOutputMessage(
            id=item.id, type="message", role="assistant", status="completed", content=[content]
        )

    async def client_tool_call_to_input(self, item: ClientToolCallItem) -> Any:
        return says(f"(client: {item.output})")

    async def hidden_context_to_input(self, item: HiddenContextItem) -> Any:
        content = ResponseInputText(type="input_text", text=f"(hidden: {item.content})")
        return {"type": "message", "role": "user", "content": [content]}

    async def widget_to_input(self, item: WidgetItem) -> Any:
        return says("(widget)")

    async def user_message_to_input(self, item: Any, is_last_message: bool = True) -> Any:
        return says(f"(user, last: {is_last_message})")


async def made(converter: ThreadItemConverter | None, *items: Any, tokens: int = 10_000) -> Any:
    history = History(items, HistorySettings(tokens=tokens))
    return await history.to_input(history.visible, "test/model", converter)


async def test_what_a_converter_leaves_out_is_done_as_without_it() -> None:
    converter = OnlyAttachments()
    data = HiddenContextItem(content={"é": 1}, **base("h"))
    items = (user("u", content=[TAG], attachments=[photo(), photo(name="other")]), data)
    sent = str(await made(converter, *items))
    for part in ("<p.png>", "input_image", '@Ann: {"age": 7}', '{"é": 1}'):
        assert part in sent
    assert converter.seen == ["p.png", "other"], "its attributes are its own"
    assert "*Ann" in str(await made(Frozen("*"), *items))
    stock = await made(ThreadItemConverter(), *items)
    assert stock == await made(None, *items) == await told(*items)


async def test_images_that_are_not_sent_again_are_not_asked_for() -> None:
    items = [user(f"u{n}", attachments=[photo(name=f"{n}")]) for n in range(4)]
    converter = Loads()
    history = History(items, HistorySettings(media=1))
    sent = str(await history.to_input(history.visible, "test/model", converter))
    assert converter.seen == ["3", "2"], "the message's own, and one more"
    for name in "01":
        assert f"Hello\\n[{name}, sent before and not sent again]" in sent


async def test_each_method_of_a_converter_is_used() -> None:
    shown = WidgetItem(widget=Card(children=[Text(value="x")]), **base("w"))
    hidden = HiddenContextItem(content="x", **base("h"))
    items = (user("u"), assistant("a", "Hi"), shown, hidden, user("v"))
    first, said, rest = await made(Everything(), *items)
    assert said_in([first]) == ["(user, last: False)"]
    assert said["content"] == [{"type": "output_text", "text": "(said)", "annotations": []}]
    assert said_in([rest]) == ["(widget)", "(hidden: x)", "(user, last: True)"]


def turn_with_tools() -> list[Any]:
    asked = ClientToolCallItem(
        call_id="c2", name="ask", arguments={}, output="yes", status="completed", **base("tc")
    )
    said = message("Done", provider_data={"thought_signature": "s"})
    entries = [REASONING, call("c1"), output("c1"), call("c2", "ask"), output("c2", "?"), said]
    memory = TurnMemory("turn_1", "test/model", ["a"], entries)
    return [user("u"), asked, assistant("a", "Done"), memory.as_item("thr_1"), user("v")]


async def test_calls_and_thoughts_of_earlier_turns_are_kept() -> None:
    items = turn_with_tools()
    plain = await made(OnlyAttachments(), *items)
    assert plain == await made(None, *items)
    assert plain[1:4] == [REASONING, call("c1"), output("c1")]
    assert plain[5] == output("c2", '"yes"')
    told_anew = await made(Everything(), *items)
    assert told_anew[1:4] == [REASONING, call("c1"), output("c1")]
    assert said_in([told_anew[4]]) == ["(client: yes)"]
    assert told_anew[5]["content"][0]["text"] == "(said)"
    assert told_anew[5]["provider_data"] == {"thought_signature": "s"}
    assert "Done" not in str(told_anew)


@pytest.mark.parametrize("change", ["left out", "replaced", "in place", "answers", "whole turn"])
async def test_what_was_taken_out_of_the_items_is_not_told(change: str) -> None:
    items = turn_with_tools()
    history = History(items, HistorySettings())
    given: list[Any] = history.visible
    if change == "left out":
        given = [item for item in given if item.id != "a"]
    elif change == "replaced":
        given = [assistant("a", "***") if item.id == "a" else item for item in given]
    elif change == "in place":
        given[2].content[0].text = "***"
    elif change == "answers":
        given = [item for item in given if isinstance(item, UserMessageItem)]
    else:
        given = given[-1:]
    sent = str(await history.to_input(given, "test/model"))
    assert "Done" not in sent
    assert ("yes" in sent) == (change not in ("answers", "whole turn"))


async def test_calls_that_showed_nothing_go_with_their_question() -> None:
    memory = TurnMemory("turn_1", "test/model", [], [call("c1"), output("c1")])
    history = History([user("u"), memory.as_item("thr_1"), user("v")], HistorySettings())
    assert call("c1") in await history.to_input(history.visible, "test/model")
    assert call("c1") not in await history.to_input(history.visible[1:], "test/model")


async def test_items_of_a_plugin_are_told_where_they_stand() -> None:
    history = History([user("u"), *turn_with_tools()[1:]], HistorySettings())
    first = HiddenContextItem(content="first", **base("h1"))
    last = HiddenContextItem(content="last", **base("h2"))
    sent = await history.to_input([first, *history.visible, last], "test/model")
    assert "first" in str(sent[0])
    assert "last" in str(sent[-1])
    assert call("c1") in sent


class Broken(ThreadItemConverter):
    async def assistant_message_to_input(self, item: Any) -> Any:
        raise ZeroDivisionError


class Wrong(ThreadItemConverter):
    async def assistant_message_to_input(self, item: Any) -> Any:
        return "text"


@pytest.mark.parametrize("converter", [Broken(), Wrong()])
async def test_an_error_names_the_converter_and_the_item(converter: ThreadItemConverter) -> None:
    with pytest.raises((ZeroDivisionError, TypeError)) as raised:
        await made(converter, user("u"), assistant("msg_7", "Hi"))
    [note] = raised.value.__notes__
    assert note == f"converter {type(converter).__name__}, item msg_7 (assistant_message)"


async def test_only_a_converter_is_taken() -> None:
    with pytest.raises(TypeError, match=r"make_input got a str, expected a chatkit"):
        await made("no converter", user("u"))  # type: ignore[arg-type]


async def test_a_quotation_is_told_before_its_message_once() -> None:
    quoting = user("u", "What is that?", quoted_text="42")
    for converter in (None, ThreadItemConverter(), OnlyAttachments()):
        for later in ((), (assistant("a", "A number."), user("v", "Why?"))):
            sent = await made(converter, quoting, *later)
            before, question = said_in(sent)[:2]
            assert "\n42\n" in before
            assert question == "What is that?"
            assert str(sent).count("42") == 1
    assert len(said_in(await made(None, user("u", quoted_text=" ")))) == 1


@pytest.mark.parametrize(
    ("url", "is_shown"),
    [
        ("https://example.org/p.png", True),
        (photo().preview_url, True),
        ("data:image/png;base64,AAAA", True),
        ("data:image/svg+xml;base64,PHN2Zz4=", False),
        ("data:image/png;base64,PHN2Zz4=", False),
        ("data:image/svg+xml,%3Csvg%3E", False),
        ("data:image/jpeg;base64,AAAAGGZ0eXBoZWlj", False),
        ("blob:https://example.org/1", False),
    ],
)
async def test_only_previews_that_models_read_are_sent(url: Any, is_shown: bool) -> None:
    [sent] = await told(user("u", attachments=[photo(str(url), "x")]))
    note = text("[attached image: x, which models cannot read]")
    shown = {"type": "input_image", "detail": "auto", "image_url": str(url)}
    assert (shown in sent["content"]) == is_shown
    assert (note in sent["content"]) == (not is_shown)


async def test_a_picture_in_a_widget_is_no_text() -> None:
    shown = WidgetItem(widget=Card(children=[Text(value=str(photo().preview_url))]), **base("w"))
    [sent] = await told(user("u"), shown)
    assert "[data]" in str(sent)
    assert len(str(sent)) < 1000


class Converts:
    """Makes the input by ChatKit's own converter, and notes the items in each hook."""

    def __init__(self) -> None:
        self.items: dict[str, list[str]] = {}
        self.made: dict[str, int] = {}

    async def note(self, hook: str, turn: Turn) -> None:
        self.items[hook] = [item.type for item in turn.items]
        self.made[hook] = len(await turn.make_input(ThreadItemConverter()))

    @hookimpl
    async def agent(self, turn: Turn) -> Agent[Turn] | None:
        await self.note("agent", turn)
        return None

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        await self.note("pre_turn", turn)
        assert turn.input == await turn.make_input()
        turn.input = await turn.make_input(ThreadItemConverter())
        turn.tools += [_noting(self), _asking()]

    @hookimpl
    async def action(self, turn: Turn, action: Any) -> Any:
        await self.note("action", turn)
        if action.type == "now":
            return SyncCustomActionResponse()
        return [ProgressUpdateEvent(text="…")]


def _noting(plugin: Converts) -> Any:
    @function_tool
    async def note(ctx: RunContextWrapper[Turn]) -> str:
        """Note the items."""
        await plugin.note("tool", ctx.context)
        return "noted"

    return note


def _asking() -> Any:
    @function_tool
    async def ask(ctx: RunContextWrapper[Turn]) -> str:
        """Ask the page."""
        ctx.context.client_tool_call = ClientToolCall(name="ask", arguments={})
        return "asked"

    return ask


async def test_items_are_there_in_each_hook(make_chat: MakeChat, model_server: ModelServer) -> None:
    plugin = Converts()
    chat = await make_chat(plugin, **served_by(model_server))
    model_server.reply(Reasoning("Hm."), Call("note"))
    model_server.reply("Noted.")
    thread_id = (await chat.say("Hello")).thread_id
    assert plugin.items == {hook: ["user_message"] for hook in ("agent", "pre_turn", "tool")}
    model_server.reply(Call("ask"))
    await chat.say("And now?", thread_id)
    model_server.reply("Fine.")
    await chat.stream("threads.add_client_tool_output", thread_id=thread_id, result={"at": 42})
    answer = ["workflow", "assistant_message"]
    before = ["user_message", *answer, "user_message", "client_tool_call"]
    assert plugin.items["pre_turn"] == before
    told_last = str(model_server.requests[-1].body["messages"])
    assert '{\\"at\\": 42}' in told_last.replace('{"at": 42}', '{\\"at\\": 42}')
    assert told_last.count("tool_calls") == 2, "what the model called before is told too"
    retried = (await chat.ask("items.list", thread_id=thread_id, order="asc"))["data"][0]["id"]
    for operation in ("threads.custom_action", "threads.sync_custom_action"):
        action: Any = {"type": "later" if "sync" not in operation else "now", "payload": {}}
        body = {"thread_id": thread_id, "action": action, "item_id": None}
        response = await chat.post({"type": operation, "params": body})
        assert response.status == 200, await response.text()
        await response.read()
        assert plugin.items.pop("action") == [*before, "assistant_message"]
        assert plugin.made.pop("action") > 4
    model_server.reply("Again.")
    await chat.stream("threads.retry_after_item", thread_id=thread_id, item_id=retried)
    assert plugin.items["pre_turn"] == ["user_message"]


MODELS = ("test/any", "openai/any", "test/sdk")


async def test_every_model_takes_what_a_converter_makes(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    endpoint = {"base_url": model_server.url, "api_key": "sk-test", "max_retries": 0}
    plugins = {
        "compatible_models": {"endpoints": {"test": endpoint}},
        "openai_models": endpoint,
    }
    client = AsyncOpenAI(base_url=model_server.url, api_key="sk-test")

    class Stock:
        @hookimpl
        async def pre_turn(self, turn: Turn) -> None:
            turn.items.append(HiddenContextItem(content={"é": 1}, **base("h")))
            parts = [text("A file"), {"type": "input_file", "file_url": "https://example.org/f"}]
            given: Any = {"role": "user", "content": parts}
            converter = Everything() if len(turn.items) > 8 else OnlyAttachments()
            turn.input = [given, *await turn.make_input(converter)]
            if turn.model == "test/sdk":
                turn.model = OpenAIChatCompletionsModel("any", client)

    agent = {"model": MODELS[0], "models": list(MODELS)}
    chat = await make_chat(Tools(weather), Stock(), agent=agent, plugins=plugins)
    thread_id = None
    for words in ('call weather {"city": "Graz"}', "Hello") * 2:
        for model in MODELS:
            given = {"inference_options": {"model": model}, "content": [text(words), TAG]}
            said = await chat.say(words, thread_id, **given)
            assert (said.error, bool(said.text)) == (None, True), model
            thread_id = said.thread_id
    for request in model_server.requests:
        if "messages" in request.body:
            assert check("openai", request.body) == []
    await client.close()
