"""A conversation goes on whatever a model, a tool or a user wrote in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from agents import Agent, ModelProvider, RunContextWrapper, function_tool
from agents.testing import ScriptedModel, assistant_message
from chatkit.agents import ClientToolCall
from chatkit.types import HiddenContextItem, ThreadItem, ThreadItemDoneEvent
from chatkit.widgets import Card, Text
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseReasoningItem,
)

from chatkit_server import ToolCall, ToolResult, Turn, TurnFailed, hookimpl
from chatkit_server.agent.pairs import CALL_CUT_OFF
from chatkit_server.testing.memory_store import MemoryStore, StorePlugin
from chatkit_server.testing.model_server import Call, ModelServer, Reasoning
from chatkit_server.turns.failures import EMPTY
from tests.client import Streamed
from tests.conftest import MakeChat
from tests.serving import served_by
from tests.strict import check_items, check_messages

HALF = "\ud83d"
CITIES: list[str] = []


@function_tool
async def weather(city: str = "Rome") -> str:
    """Tell the weather."""
    CITIES.append(city)
    return f"sunny in {city}"


class Serves(ModelProvider):
    """Gives every turn a model of the Agents SDK's own, under `sdk/`, and these tools."""

    def __init__(self, model: ScriptedModel, *tools: Any) -> None:
        self.model = model
        self.tools = list(tools)
        self.results: list[tuple[ToolCall, ToolResult]] = []

    def get_model(self, model_name: str | None) -> ScriptedModel:
        return self.model

    @hookimpl
    def model_providers(self) -> dict[str, ModelProvider]:
        return {"sdk": self}

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.tools += self.tools

    @hookimpl
    async def tool_result(self, call: ToolCall, result: ToolResult) -> None:
        self.results.append((call, result))


@pytest.fixture(autouse=True)
def no_cities() -> None:
    CITIES.clear()


def called(call_id: str, arguments: Any = '{"city": "Rome"}', **more: Any) -> Any:
    fields = {"call_id": call_id, "name": "weather", "arguments": arguments, **more}
    return ResponseFunctionToolCall.model_construct(type="function_call", id="fc", **fields)


SDK: dict[str, Any] = {"agent": {"model": "sdk/any"}}


def checked(model: ScriptedModel) -> list[dict[str, Any]]:
    """Check all input of a model; return that of its last request."""
    assert model.remaining_steps == 0
    for call in model.calls:
        check_items(call.input)
    return [dict(item) for item in model.calls[-1].input]


async def test_one_id_for_every_call(make_chat: MakeChat) -> None:
    model = ScriptedModel(
        [
            [called("call_0"), called("call_0", '{"city": "Oslo"}')],
            [called("call_0")],
            [assistant_message("Sunny.")],
            [called("call_0")],
            [assistant_message("Still sunny.")],
        ]
    )
    chat = await make_chat(Serves(model, weather), **SDK)
    first = await chat.say("Rome?")
    assert (first.text, first.error) == ("Sunny.", None)
    assert CITIES == ["Rome", "Oslo", "Rome"]
    again = await chat.say("And now?", first.thread_id)
    assert (again.text, CITIES[3:]) == ("Still sunny.", ["Rome"])
    outputs = [item["output"] for item in checked(model) if "output" in item]
    assert outputs == [f"sunny in {city}" for city in CITIES]


@pytest.mark.parametrize("call_id", ["", "x" * 90, "a b:0"])
async def test_ids_that_no_endpoint_takes(make_chat: MakeChat, call_id: str) -> None:
    model = ScriptedModel([[called(call_id), called(call_id)], [assistant_message("Sunny.")]])
    chat = await make_chat(Serves(model, weather), **SDK)
    assert (await chat.say("Rome?")).text == "Sunny."
    assert CITIES == ["Rome", "Rome"]
    checked(model)


@pytest.mark.parametrize(
    ("written", "cities"),
    [
        ("null", ["Rome"]),
        (" ", ["Rome"]),
        ('"{\\"city\\": \\"Oslo\\"}"', ["Oslo"]),
        ('{"city": "a\\ud83d"}', ["a\ufffd"]),
        ('{"city": "Os', []),
        ("Oslo", []),
    ],
)
async def test_arguments_of_all_kinds(make_chat: MakeChat, written: Any, cities: list[str]) -> None:
    model = ScriptedModel([[called("c1", written)], [assistant_message("Well.")]])
    plugin = Serves(model, weather)
    chat = await make_chat(plugin, **SDK)
    first = await chat.say("Rome?")
    assert (first.text, first.error) == ("Well.", None)
    assert cities == CITIES
    [(call, result)] = plugin.results
    assert result.failed is not bool(cities)
    if not cities:
        assert "not a JSON object" in result.output
        assert written in result.output
        assert call.arguments == {}
    model.enqueue([assistant_message("Bye.")])
    await chat.say("Go on", first.thread_id)
    [kept] = [item for item in checked(model) if item.get("type") == "function_call"]
    assert kept.get("provider_data", {}).get("invalid_arguments") == (None if cities else written)


async def test_arguments_that_the_reader_put_aside(make_chat: MakeChat) -> None:
    data = {"invalid_arguments": '{"city": "Os' + "x" * 1000}
    model = ScriptedModel([[called("c1", "{}", provider_data=data)], [assistant_message("Well.")]])
    plugin = Serves(model, weather)
    chat = await make_chat(plugin, **SDK)
    assert (await chat.say("Oslo?")).text == "Well."
    [(_, result)] = plugin.results
    assert (CITIES, result.failed) == ([], True)
    assert 'They begin with: {"city": "Osx' in result.output
    assert len(result.output) < 400


async def test_the_name_of_no_tool_is_told_in_words(make_chat: MakeChat) -> None:
    name = f"func tions.weather\0{HALF}"
    model = ScriptedModel([[called("c1", name=name)], [assistant_message("Well.")]])
    chat = await make_chat(Serves(model, weather), **SDK)
    assert (await chat.say("Oslo?")).text == "Well."
    outputs = [item["output"] for item in checked(model) if "output" in item]
    assert "not found" in outputs[0]


async def test_another_model_goes_on(make_chat: MakeChat, model_server: ModelServer) -> None:
    """What only the first model's API has is left out, or becomes what all have."""
    thought = ResponseReasoningItem(id="rs_1", type="reasoning", summary=[])
    model = ScriptedModel([[thought, called("call 1")], [assistant_message("Sunny.")]])
    sections = served_by(model_server, models=["sdk/any"])
    chat = await make_chat(Serves(model, weather), **sections)
    first = await chat.say("Rome?", inference_options={"model": "sdk/any"})
    assert first.text == "Sunny."
    assert (await chat.say("And now?", first.thread_id)).error is None
    body = model_server.requests[-1].body
    check_messages(body)
    assert [message["role"] for message in body["messages"]][1:] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]


def nothing() -> Any:
    return []


def blank() -> Any:
    text = ResponseOutputText(type="output_text", text=" \n", annotations=[])
    return [
        ResponseOutputMessage(
            id="m", type="message", role="assistant", status="completed", content=[text]
        )
    ]


def thoughts() -> Any:
    summary = [{"type": "summary_text", "text": "Hm."}]
    return [
        ResponseReasoningItem.model_validate({"id": "r", "type": "reasoning", "summary": summary})
    ]


@pytest.mark.parametrize("said", [nothing, blank, thoughts])
@pytest.mark.parametrize("after_tool", [False, True], ids=["at once", "after a tool"])
async def test_an_answer_that_says_nothing(
    make_chat: MakeChat, said: Callable[[], Any], after_tool: bool
) -> None:
    steps = [[called("c1")], said()] if after_tool else [said()]
    model = ScriptedModel(steps)
    chat = await make_chat(Serves(model, weather), **SDK)
    first = await chat.say("Rome?")
    assert first.error is not None
    assert (first.error["message"], first.error["allow_retry"]) == (EMPTY, True)
    assert first.done("assistant_message") == []
    model.enqueue([assistant_message("Sunny.")])
    again = await chat.say("Well?", first.thread_id)
    assert (again.text, again.error) == ("Sunny.", None)
    checked(model)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("parts", [(), (" ", "\n"), (Reasoning("Hm."),)])
async def test_a_server_that_says_nothing(
    make_chat: MakeChat, model_server: ModelServer, parts: Any, fast: bool
) -> None:
    chat = await make_chat(**served_by(model_server, fast_path=fast))
    model_server.reply(*parts)
    first = await chat.say("Rome?")
    assert first.error is not None
    assert first.error["allow_retry"] is True
    model_server.reply("Sunny.")
    assert (await chat.say("Well?", first.thread_id)).text == "Sunny."
    check_messages(model_server.requests[-1].body)


@function_tool
async def show(ctx: RunContextWrapper[Turn]) -> str:
    """Show a card."""
    await ctx.context.stream_widget(Card(children=[Text(value="Sunny")]))
    return "shown"


@function_tool
async def locate(ctx: RunContextWrapper[Turn]) -> str:
    """Ask the client where it is."""
    ctx.context.client_tool_call = ClientToolCall(name="locate", arguments={})
    return "asked"


async def test_a_widget_is_an_answer(make_chat: MakeChat) -> None:
    model = ScriptedModel([[called("c1", "{}", name="show")], blank()])
    streamed = await (await make_chat(Serves(model, show), **SDK)).say("Rome?")
    assert streamed.error is None
    assert len(streamed.done("widget")) == 1
    assert streamed.done("assistant_message") == []


async def test_the_result_of_a_tool_may_be_the_answer(make_chat: MakeChat) -> None:
    class Last:
        @hookimpl
        async def agent(self, turn: Turn) -> Agent[Turn]:
            return Agent(
                name="a", model=model, tools=[weather], tool_use_behavior="stop_on_first_tool"
            )

    model = ScriptedModel([[called("c1")]])
    assert (await (await make_chat(Last())).say("Rome?")).error is None


async def test_clients_answer_calls_with_one_id(make_chat: MakeChat) -> None:
    """Each result is that of its own turn."""
    ask = [called("call_0", "{}", name="locate")]
    model = ScriptedModel([ask, [assistant_message("One.")], ask, [assistant_message("Two.")]])
    chat = await make_chat(Serves(model, locate), **SDK)
    first = await chat.say("Where?")
    thread = first.thread_id
    await chat.stream("threads.add_client_tool_output", thread_id=thread, result="Rome")
    await chat.say("And now?", thread)
    last = await chat.stream("threads.add_client_tool_output", thread_id=thread, result="Oslo")
    assert last.text == "Two."
    outputs = [item["output"] for item in checked(model) if "output" in item]
    assert outputs == ['"Rome"', '"Oslo"']


async def test_a_thread_begins_with_the_user_wherever_it_is_cut(make_chat: MakeChat) -> None:
    """However little fits, the question is told with what came of it."""
    ask = [called("c1", "{}", name="locate")]
    model = ScriptedModel([ask, [assistant_message("One.")]])
    sections = {"agent": {**SDK["agent"], "history": {"tokens": 1}}}
    chat = await make_chat(Serves(model, locate), **sections)
    first = await chat.say("Where am I?")
    await chat.stream("threads.add_client_tool_output", thread_id=first.thread_id, result="Rome")
    items = checked(model)
    assert "Where am I?" in str(items[0])
    assert '"Rome"' in str(items[-1])


async def test_notes_and_questions_are_one_message(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    """Turns that failed, tags and quoted text leave one message of the user at a time."""
    chat = await make_chat(**served_by(model_server))
    model_server.fail(400, "no")
    first = await chat.say("One?")
    assert first.error is not None
    model_server.reply("Half an ans", finish="length")
    assert (await chat.say("Two?", first.thread_id)).error is not None
    tag = {"type": "input_tag", "id": "t", "text": "Ann", "data": {"a": 1}, "group": None}
    model_server.reply("Fine.")
    content = [{"type": "input_text", "text": "Three "}, {**tag, "interactive": False}]
    await chat.say("", first.thread_id, content=content, quoted_text="a quote")
    model_server.reply("Good.")
    await chat.say("Four?", first.thread_id)
    for request in list(model_server.requests)[1:]:
        check_messages(request.body)
    said = str(model_server.requests[-1].body["messages"])
    for told in ("One?", "Two?", "Half an ans", "incomplete", "Three @Ann", "a quote", "Four?"):
        assert told in said


class StrictStore(MemoryStore):
    """Refuses what cannot be written as JSON, or not be kept in PostgreSQL."""

    async def save_thread(self, thread: Any, context: Any) -> None:
        _strict(thread.model_dump())
        await super().save_thread(thread, context)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        _strict(item.model_dump())
        await super().add_thread_item(thread_id, item, context)


def _strict(value: Any) -> None:
    assert b"\\u0000" not in orjson.dumps(value)


@function_tool
async def odd(ctx: RunContextWrapper[Turn], text: str) -> Any:
    """Return and show odd text."""
    turn = ctx.context
    turn.thread.title = f"title {HALF}"
    turn.thread.metadata = {f"key {HALF}": [f"{HALF}\0"]}
    await turn.stream_widget(Card(children=[Text(value=f"card {HALF}")]))
    item = HiddenContextItem(
        id=turn.generate_id("message"),
        thread_id=turn.thread.id,
        created_at=turn.thread.created_at,
        content={"hidden": f"hidden {HALF}"},
    )
    await turn.stream(ThreadItemDoneEvent(item=item))
    return {"nested": [f"{text} {HALF}\0"], HALF: 1}


class Odd:
    """Writes odd text wherever a plugin may."""

    def __init__(self) -> None:
        self.fails = False

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        if self.fails:
            raise TurnFailed(f"Refused {HALF}")
        turn.instructions = f"Be kind {HALF}"
        turn.tools.append(odd)
        turn.input.insert(0, {"role": "user", "content": f"inserted {HALF}\0"})

    @hookimpl
    async def tool_result(self, result: ToolResult) -> None:
        orjson.dumps(result.output)
        result.output = {**result.output, "hook": HALF}


def lone(body: dict[str, Any]) -> bytes:
    """Write a body as a page does whose text was cut within an emoji."""
    return orjson.dumps(body).replace(b"HALF", b"\\ud83d")


@pytest.mark.parametrize("plain", [False, True], ids=["ChatKit", "plain"])
async def test_half_characters_get_nowhere(
    make_chat: MakeChat, model_server: ModelServer, plain: bool
) -> None:
    store = StorePlugin(StrictStore())
    plugin = Odd()
    chat = await make_chat(store, plugin, **served_by(model_server))

    async def say(text: str) -> Streamed:
        if plain:
            return await chat.read(
                await chat.post(lone({"messages": [{"role": "user", "content": text}]}))
            )
        tag = {"type": "input_tag", "id": "t", "text": "HALF", "data": {"a": "HALF"}, "group": None}
        content = [{"type": "input_text", "text": text}, {**tag, "interactive": False}]
        given = {
            "content": content,
            "attachments": [],
            "inference_options": {},
            "quoted_text": "quote HALF",
        }
        body = {"type": "threads.create", "params": {"input": given}}
        return await chat.read(await chat.post(lone(body)))

    model_server.reply(Call("odd", {"text": "argument"}))
    model_server.reply("Smile!")
    streamed = await say("Hi HALF")
    assert streamed.error is None
    assert not [event for event in streamed.data if "error" in event]
    orjson.dumps(streamed.data)
    for request in model_server.requests:
        json_text = orjson.dumps(request.body)
        assert b"\\u0000" not in json_text
        check_messages(request.body)
    said = str(model_server.requests[-1].body["messages"])
    for told in ("Be kind", "inserted", "Hi", "argument"):
        assert f"{told} \ufffd" in said
    plugin.fails = True
    status, message = await chat.refused({"messages": [{"role": "user", "content": "Hi"}]})
    assert (status, message) == (500, "Refused \ufffd")


async def test_a_title_with_half_a_character(make_chat: MakeChat) -> None:
    chat = await make_chat(StorePlugin(StrictStore()))
    thread = (await chat.say("Hi")).thread_id
    params = {"thread_id": thread, "title": "T HALF"}
    response = await chat.post(lone({"type": "threads.update", "params": params}))
    assert (await response.json())["title"] == "T \ufffd"


async def test_a_call_that_was_cut_off_has_a_result(make_chat: MakeChat) -> None:
    """The turn is stopped in a tool: the next one tells that nobody knows what came of it."""
    began = asyncio.Event()

    @function_tool
    async def slow() -> str:
        """Take for ever."""
        began.set()
        return str(await asyncio.Event().wait())

    model = ScriptedModel([[called("c1", "{}", name="slow")], [assistant_message("Well.")]])
    chat = await make_chat(Serves(model, slow), **SDK)
    first = asyncio.ensure_future(chat.say("Go"))
    await began.wait()
    [thread] = (await chat.ask("threads.list"))["data"]
    second = await chat.say("Never mind", thread["id"])
    assert second.text == "Well."
    await first
    items = checked(model)
    assert CALL_CUT_OFF in [item.get("output") for item in items]
    assert "Never mind" in str(items[-1])
