"""Turns: what the model is told, what tools and hooks see, and every way out."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from agents import Agent, RunContextWrapper, function_tool
from chatkit.types import AssistantMessageItem, ThreadItem

from chatkit_server import (
    NotFound,
    Outcome,
    ToolCall,
    ToolResult,
    Turn,
    Unavailable,
    hookimpl,
)
from chatkit_server.testing.model_server import Break, Call, Gate, ModelServer, Reasoning, Request
from tests.client import Chat, Streamed
from tests.conftest import MakeChat
from tests.serving import served_by


@function_tool
async def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


@function_tool
async def explode(fuse: int) -> str:
    """Explode."""
    raise ZeroDivisionError(f"fuse {fuse}, password hunter2")


class Tools:
    """Gives every turn these tools."""

    def __init__(self, *tools: Any) -> None:
        self.tools = list(tools)

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.tools += self.tools


class Watch:
    """Remembers what hooks were called with."""

    def __init__(self) -> None:
        self.saved: list[str] = []
        self.results: list[tuple[ToolCall, ToolResult]] = []
        self.outcomes: list[Outcome] = []
        self.ended = asyncio.Event()

    @hookimpl
    async def tool_result(self, call: ToolCall, result: ToolResult) -> None:
        self.results.append((call, result))

    @hookimpl
    async def persist(self, item: ThreadItem) -> None:
        self.saved.append(item.type)

    @hookimpl
    async def post_turn(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.ended.set()


def told(request: Request) -> list[tuple[str, str]]:
    """The conversation that a request tells the model: role, and text or tool calls."""
    told = []
    for message in request.body["messages"]:
        calls = [call["function"]["name"] for call in message.get("tool_calls") or []]
        content = message.get("content")
        if isinstance(content, list):
            content = "".join(part["text"] for part in content)
        told.append((message["role"], f"calls {', '.join(calls)}" if calls else content))
    return told


async def test_the_model_sees_five_turns_with_their_calls(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Tools(weather), **served_by(model_server, instructions="Be kind."))
    thread_id = None
    for city in ("Rome", "Oslo", "Lima", "Cairo", "Pune"):
        model_server.reply(Call("weather", {"city": city}))
        model_server.reply("It is ", f"sunny in {city}.")
        streamed = await chat.say(f"And {city}?", thread_id)
        assert streamed.text == f"It is sunny in {city}."
        assert streamed.error is None
        thread_id = streamed.thread_id
    expected = [("system", "Be kind.")]
    for city in ("Rome", "Oslo", "Lima", "Cairo", "Pune"):
        expected += [
            ("user", f"And {city}?"),
            ("assistant", "calls weather"),
            ("tool", f"sunny in {city}"),
            ("assistant", f"It is sunny in {city}."),
        ]
    assert told(model_server.requests[-1]) == expected[:-1]


async def test_plain_clients_see_tool_calls_with_their_results(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Tools(weather), **served_by(model_server))
    model_server.reply(Call("weather", {"city": "Rome"}))
    model_server.reply("Sunny.")
    streamed = await chat.plain("Rome?")
    call = {"name": "weather", "arguments": {"city": "Rome"}, "result": "sunny in Rome"}
    assert {"tool_call": call} in streamed.data
    assert streamed.data.index({"tool_call": call}) < streamed.data.index({"content": "Sunny."})


async def test_history_is_cut_between_turns_only(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    budget = {"history": {"tokens": 400}}
    chat = await make_chat(Tools(weather), **served_by(model_server, **budget))
    thread_id = None
    for number in range(8):
        model_server.reply(Call("weather", {"city": f"city {number}"}))
        model_server.reply(f"Answer {number}.")
        thread_id = (await chat.say(f"Question {number}", thread_id)).thread_id
    conversation = told(model_server.requests[-1])[1:]
    assert conversation[0][0] == "user"
    assert conversation[0][1] != "Question 0"
    assert conversation[-3] == ("user", "Question 7")
    calls = [role for role, text in conversation if text == "calls weather"]
    assert len(calls) == len([role for role, _ in conversation if role == "tool"]) >= 2


async def test_a_long_tool_result_is_cut_in_later_turns(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    @function_tool
    async def flood() -> str:
        """Answer at length."""
        return "word " * 2000

    chat = await make_chat(Tools(flood), **served_by(model_server, history={"tokens": 500}))
    model_server.reply(Call("flood"))
    model_server.reply("It was long.")
    first = await chat.say("Flood me")
    model_server.reply("Fine.")
    await chat.say("Go on", first.thread_id)
    asked, called, (role, result), *rest = told(model_server.requests[-1])[1:]
    assert (asked, called) == (("user", "Flood me"), ("assistant", "calls flood"))
    assert role == "tool"
    assert "of 10000 bytes are left out" in result
    assert rest == [("assistant", "It was long."), ("user", "Go on")]


async def test_pre_turn_changes_what_answers(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    class Pirate:
        @hookimpl
        async def pre_turn(self, turn: Turn) -> None:
            turn.instructions = f"{turn.instructions} Talk like a pirate."
            turn.model_settings.temperature = 0.1
            turn.input.insert(0, {"role": "user", "content": "Ahoy"})

    chat = await make_chat(Pirate(), **served_by(model_server, instructions="Be kind."))
    model_server.reply("Arr.")
    assert (await chat.say("hello")).text == "Arr."
    request = model_server.requests[-1]
    assert request.body["temperature"] == 0.1
    assert told(request) == [
        ("system", "Be kind. Talk like a pirate."),
        ("user", "Ahoy\n\nhello"),
    ]


async def test_pre_turn_refuses_with_its_status_and_nothing_is_written(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    class Closed:
        @hookimpl
        async def pre_turn(self, turn: Turn) -> None:
            raise Unavailable("We open at nine.", retry_after=60)

    chat = await make_chat(Closed(), **served_by(model_server))
    message = {
        "content": [{"type": "input_text", "text": "hello"}],
        "attachments": [],
        "inference_options": {},
    }
    response = await chat.post({"type": "threads.create", "params": {"input": message}})
    assert response.status == 503
    assert response.headers["Retry-After"] == "60"
    assert await response.json() == {"message": "We open at nine."}
    assert (await chat.ask("threads.list"))["data"] == []
    assert not model_server.requests


async def test_the_agent_hook_brings_an_agent_with_handoffs(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    class Desk:
        @hookimpl
        async def agent(self, turn: Turn) -> Agent[Turn]:
            expert = Agent[Turn](name="expert", tools=[weather], model="test/expert")
            return Agent(name="desk", instructions="Hand over.", handoffs=[expert])

    watch = Watch()
    chat = await make_chat(Desk(), watch, **served_by(model_server))
    model_server.reply(Call("transfer_to_expert"))
    model_server.reply(Call("weather", {"city": "Rome"}))
    model_server.reply("Sunny.")
    streamed = await chat.say("Rome?")
    assert streamed.text == "Sunny."
    assert [call.name for call, _ in watch.results] == ["weather"]
    assert [r.body["model"] for r in model_server.requests] == ["model", "expert", "expert"]
    model_server.reply("Still sunny.")
    assert (await chat.say("And now?", streamed.thread_id)).error is None


async def test_tool_result_redacts_before_model_log_and_user(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    class Redact:
        @hookimpl
        async def tool_result(self, turn: Turn, call: ToolCall, result: ToolResult) -> None:
            assert turn.user.id == "somebody"
            assert call.arguments == {"city": "Rome"}
            result.output = result.output.replace("Rome", "***")

    watch = Watch()
    chat = await make_chat(Redact(), watch, Tools(weather), **served_by(model_server))
    model_server.reply(Call("weather", {"city": "Rome"}))
    model_server.reply("Done.")
    streamed = await chat.plain("Rome?")
    assert told(model_server.requests[-1])[-1] == ("tool", "sunny in ***")
    assert [e["tool_call"]["result"] for e in streamed.data if "tool_call" in e] == ["sunny in ***"]
    assert watch.results[0][1].output == "sunny in ***"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (Call("explode", {"fuse": 3}), "ZeroDivisionError"),
        (Call("explode", "{not json"), "JSON"),
        (Call("explode", {"fuse": "a string"}), "fuse"),
        (Call("invented", {"a": 1}), "invented"),
    ],
    ids=["raises", "no JSON", "does not fit the schema", "unknown tool"],
)
async def test_the_model_is_told_what_went_wrong_with_a_tool(
    make_chat: MakeChat, model_server: ModelServer, call: Call, words: str
) -> None:
    chat = await make_chat(Tools(explode), **served_by(model_server))
    model_server.reply(call)
    model_server.reply("Never mind.")
    streamed = await chat.say("go")
    assert streamed.text == "Never mind."
    assert streamed.error is None
    role, text = told(model_server.requests[-1])[-1]
    assert role == "tool"
    assert words in text


async def test_a_failing_tool_result_hook_fails_the_tool(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    class Broken:
        @hookimpl
        async def tool_result(self, result: ToolResult) -> None:
            raise RuntimeError(f"cannot check {result.output}")

    chat = await make_chat(Broken(), Tools(weather), **served_by(model_server))
    model_server.reply(Call("weather", {"city": "Rome"}))
    model_server.reply("No weather.")
    assert (await chat.say("Rome?")).text == "No weather."
    role, text = told(model_server.requests[-1])[-1]
    assert role == "tool"
    assert "failed" in text
    assert "sunny" not in text


async def test_every_item_is_persisted_before_it_is_done(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    watch = Watch()
    chat = await make_chat(watch, Tools(weather), **served_by(model_server))
    model_server.reply(Reasoning("Hm. "), Call("weather", {"city": "Rome"}))
    model_server.reply("Sunny.")
    streamed = await chat.say("Rome?")
    assert watch.saved == ["user_message", "workflow", "assistant_message", "hidden_context_item"]
    done = [e["item"]["type"] for e in streamed.data if e["type"] == "thread.item.done"]
    assert done == watch.saved[:-1]


async def test_a_failing_persist_hook_ends_the_turn_and_shows_nothing_as_saved(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    class Full:
        @hookimpl
        async def persist(self, turn: Turn, item: ThreadItem) -> None:
            assert turn.thread.id == item.thread_id
            if isinstance(item, AssistantMessageItem):
                raise OSError("disk full")

    chat = await make_chat(Full(), **served_by(model_server))
    model_server.reply("Sunny.")
    streamed = await chat.say("Rome?")
    assert streamed.error is not None
    assert "disk full" not in json.dumps(streamed.data)
    assert streamed.done("assistant_message") == []


async def test_reasoning_is_a_workflow(make_chat: MakeChat, model_server: ModelServer) -> None:
    chat = await make_chat(**served_by(model_server))
    model_server.reply(Reasoning("First this, "), Reasoning("then that."), "42.")
    streamed = await chat.say("Why?")
    workflow = streamed.done("workflow")[0]
    assert workflow["workflow"]["type"] == "reasoning"
    assert workflow["workflow"]["tasks"][0]["content"] == "First this, then that."
    assert streamed.types.index("workflow.task.added") < streamed.types.index(
        "assistant_message.content_part.text_delta"
    )
    assert streamed.text == "42."


async def test_post_turn_tells_what_a_turn_did(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    watch = Watch()
    chat = await make_chat(watch, Tools(weather), **served_by(model_server))
    model_server.reply(Call("weather", {"city": "Rome"}))
    model_server.reply("Sunny.")
    await chat.say("Rome?")
    await watch.ended.wait()
    [outcome] = watch.outcomes
    assert outcome.status == "completed"
    assert outcome.model == "test/model"
    assert outcome.usage.requests == 2
    assert outcome.usage.output_tokens > 0
    assert [call.name for call, _ in outcome.tools] == ["weather"]
    assert [item.type for item in outcome.items][:2] == ["user_message", "assistant_message"]
    assert outcome.first_token is not None
    assert 0 < outcome.first_token <= outcome.seconds


async def test_a_provider_that_breaks_off_leaves_the_partial_text(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    watch = Watch()
    chat = await make_chat(watch, **served_by(model_server))
    model_server.reply("The answer ", "is", Break())
    streamed = await chat.say("What is it?")
    assert streamed.done("assistant_message")[0]["content"][0]["text"] == "The answer is"
    assert streamed.error is not None
    assert streamed.error["allow_retry"] is True
    assert streamed.data[-1] == streamed.error
    await watch.ended.wait()
    assert watch.outcomes[0].status == "failed"
    model_server.reply("42.")
    again = await chat.say("Go on", streamed.thread_id)
    assert again.text == "42."
    assert ("assistant", "The answer is") in told(model_server.requests[-1])


async def begin(chat: Chat, text: str) -> tuple[Any, str]:
    """Send a message and return its response once the model writes, and the thread's id."""
    message = {
        "content": [{"type": "input_text", "text": text}],
        "attachments": [],
        "inference_options": {},
    }
    response = await chat.post({"type": "threads.create", "params": {"input": message}})
    created = await anext(line async for line in response.content if line.startswith(b"data: "))
    return response, json.loads(created.removeprefix(b"data: "))["thread"]["id"]


async def test_a_new_message_interrupts_the_running_answer(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    watch = Watch()
    chat = await make_chat(watch, **served_by(model_server))
    gate = Gate()
    model_server.reply("One, ", "two, ", gate, "three.")
    first, thread_id = await begin(chat, "Count")
    await gate.reached()
    model_server.reply("Sorry.")
    second = await chat.say("Stop that", thread_id)
    assert second.text == "Sorry."
    rest = (await first.read()).decode()
    assert "The answer was stopped." in rest
    items = await chat.ask("items.list", thread_id=thread_id, order="asc")
    texts = ["".join(part["text"] for part in item["content"]) for item in items["data"]]
    assert texts == ["Count", "One, two, ", "Stop that", "Sorry."]
    assert [outcome.status for outcome in watch.outcomes] == ["cancelled", "completed"]
    conversation = told(model_server.requests[-1])
    assert ("assistant", "One, two, ") in conversation
    assert any("stopped" in text for _, text in conversation)


async def test_a_tool_is_cancelled_with_its_turn_and_the_model_learns_of_it(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    @function_tool
    async def slow() -> str:
        """Take for ever."""
        started.set()
        try:
            return str(await asyncio.Event().wait())
        except asyncio.CancelledError:
            cancelled.set()
            raise

    chat = await make_chat(Tools(slow), **served_by(model_server))
    model_server.reply(Call("slow"))
    first, thread_id = await begin(chat, "Go")
    await started.wait()
    model_server.reply("Fine.")
    second = await chat.say("Stop", thread_id)
    assert cancelled.is_set()
    assert second.text == "Fine."
    conversation = told(model_server.requests[-1])
    assert ("assistant", "calls slow") in conversation
    assert any(role == "tool" and "cut off" in text for role, text in conversation)
    await first.read()


async def test_a_turn_ends_after_its_last_follower_left(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    watch = Watch()
    turns = {"disconnect": {"policy": "cancel", "grace": "50ms"}}
    chat = await make_chat(watch, **served_by(model_server), turns=turns)
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    response, thread_id = await begin(chat, "Count")
    await gate.reached()
    response.close()
    await watch.ended.wait()
    assert watch.outcomes[0].status == "cancelled"
    items = await chat.ask("items.list", thread_id=thread_id, order="asc")
    assert items["data"][1]["content"][0]["text"] == "One, "


async def test_a_turn_goes_on_without_followers_if_the_settings_say_so(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    watch = Watch()
    turns = {"disconnect": {"policy": "continue", "grace": "1ms"}}
    chat = await make_chat(watch, **served_by(model_server), turns=turns)
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    response, thread_id = await begin(chat, "Count")
    await gate.reached()
    response.close()
    await asyncio.sleep(0.05)
    gate.open()
    await watch.ended.wait()
    assert watch.outcomes[0].status == "completed"
    items = await chat.ask("items.list", thread_id=thread_id, order="asc")
    assert items["data"][1]["content"][0]["text"] == "One, two."


async def test_too_many_steps_have_a_message(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Tools(weather), **served_by(model_server, max_turns=2))
    for _ in range(2):
        model_server.reply(Call("weather", {"city": "Rome"}))
    streamed = await chat.say("Rome?")
    assert streamed.error is not None
    assert "steps" in streamed.error["message"]


async def test_the_composer_chooses_among_the_settings_models(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server, models=["test/other"]))
    model_server.reply("Other.")
    streamed = await chat.say("hello", inference_options={"model": "test/other"})
    assert streamed.text == "Other."
    assert model_server.requests[-1].body["model"] == "other"
    message = {
        "content": [{"type": "input_text", "text": "hello"}],
        "attachments": [],
        "inference_options": {"model": "test/secret"},
    }
    status, words = await chat.refused({"type": "threads.create", "params": {"input": message}})
    assert status == 400
    assert "test/secret" in words
    assert "test/other" in words


async def test_the_composer_chooses_a_tool(make_chat: MakeChat, model_server: ModelServer) -> None:
    chat = await make_chat(Tools(weather), **served_by(model_server))
    model_server.reply("ok")
    await chat.say("hello", inference_options={"tool_choice": {"id": "weather"}})
    choice = model_server.requests[-1].body["tool_choice"]
    assert choice == {"type": "function", "function": {"name": "weather"}}
    model_server.reply("ok")
    await chat.say("hello", inference_options={"tool_choice": {"id": "unknown"}})
    assert "tool_choice" not in model_server.requests[-1].body


async def test_instructions_know_the_user_and_nothing_a_user_wrote(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    template = 'You help {user_name} ({user_id}) in {locale}. Answer {"as": "JSON"}.'
    chat = await make_chat(**served_by(model_server, instructions=template))
    chat.headers = {"X-User": "acme/ann", "Accept-Language": "fr;q=0, en; q=0.5, pt-BR, de"}
    model_server.reply("ok")
    await chat.say("my name is {user_id}")
    expected = 'You help Ann (ann) in pt-BR. Answer {"as": "JSON"}.'
    assert told(model_server.requests[-1]) == [
        ("system", expected),
        ("user", "my name is {user_id}"),
    ]


async def test_a_tool_streams_a_widget_and_a_title(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    from chatkit.widgets import Card, Text

    @function_tool
    async def show(ctx: RunContextWrapper[Turn]) -> str:
        """Show a card."""
        ctx.context.thread.title = "Cards"
        await ctx.context.stream_widget(Card(children=[Text(value="Hi")]), copy_text="Hi")
        return "shown"

    chat = await make_chat(Tools(show), **served_by(model_server))
    model_server.reply(Call("show"))
    model_server.reply("There.")
    streamed = await chat.say("Show me")
    assert streamed.done("widget")[0]["created_at"].endswith(("Z", "+00:00"))
    updated = [e for e in streamed.data if e["type"] == "thread.updated"]
    assert updated[-1]["thread"]["title"] == "Cards"
    thread = await chat.ask("threads.get_by_id", thread_id=streamed.thread_id)
    assert thread["title"] == "Cards"
    assert [i["type"] for i in thread["items"]["data"]] == [
        "user_message",
        "widget",
        "assistant_message",
    ]


async def test_errors_of_hooks_before_the_stream_are_statuses(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    class Lost:
        @hookimpl
        async def agent(self, turn: Turn) -> None:
            raise NotFound("No such desk.")

    chat = await make_chat(Lost(), **served_by(model_server))
    status, words = await chat.refused({"messages": [{"role": "user", "content": "hi"}]})
    assert (status, words) == (404, "No such desk.")


def test_streamed_is_what_it_says() -> None:
    """The client's own helper: an update's type is the update's."""
    data = [{"type": "thread.item.updated", "update": {"type": "x", "delta": "a"}}]
    assert Streamed(None, [], data).types == ["x"]  # type: ignore[arg-type]


class Bare:
    """Answers with an agent that names no model, and hands over to another one."""

    @hookimpl
    async def agent(self, turn: Turn) -> Agent[Turn]:
        return Agent(name="first", handoffs=[Agent(name="second")])


async def test_an_agent_without_a_model_has_no_settings_of_the_sdks_own(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Bare(), **served_by(model_server))
    model_server.reply(Call("transfer_to_second", {}))
    model_server.reply("Here I am.")
    assert (await chat.say("hello")).text == "Here I am."
    assert len(model_server.requests) == 2
    for request in model_server.requests:
        assert not request.body.keys() & {"reasoning_effort", "verbosity"}


async def test_settings_like_those_of_the_sdks_own_model_are_kept(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chosen = {"reasoning": {"effort": "none"}, "verbosity": "low"}
    chat = await make_chat(**served_by(model_server, model_settings=chosen))
    model_server.reply("Here I am.")
    assert (await chat.say("hello")).text == "Here I am."
    [request] = model_server.requests
    assert request.body["reasoning_effort"] == "none"
    assert request.body["verbosity"] == "low"
