"""Runs that plugins start themselves: their models, their events, and what they count."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any
from weakref import WeakKeyDictionary

import openai
import pytest
from agents import (
    Agent,
    GuardrailFunctionOutput,
    ModelSettings,
    MultiProvider,
    OpenAIChatCompletionsModel,
    OpenAIProvider,
    RunConfig,
    RunContextWrapper,
    Runner,
    StopAtTools,
    function_tool,
    output_guardrail,
)
from agents.tracing import get_current_trace
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from chatkit.actions import Action
from chatkit.agents import AgentContext, ClientToolCall, stream_agent_response
from chatkit.types import CustomTask, ProgressUpdateEvent, ThreadStreamEvent
from chatkit.widgets import Card, Text

from chatkit_server import Outcome, Turn, hookimpl
from chatkit_server.agent.runs import _is_default
from chatkit_server.testing.memory_store import MemoryStorePlugin
from chatkit_server.testing.model_server import Call, ModelServer, Reasoning
from tests.client import Chat
from tests.conftest import MakeChat
from tests.serving import served_app

Answer = Callable[[Turn, Any], Any]


class CatContext(AgentContext[Any]):
    """A context with a field of the author's own."""

    cat: str = "Tom"


@function_tool
async def rename(ctx: RunContextWrapper[CatContext], name: str) -> str:
    """Name the cat, and show it."""
    ctx.context.cat = name
    await ctx.context.add_workflow_task(CustomTask(title=f"renamed {name}"))
    await ctx.context.stream_widget(Card(children=[Text(value=f"I am {name}.")]))
    return f"named {name}"


@function_tool
async def paint(ctx: RunContextWrapper[AgentContext[Any]], colour: str) -> str:
    """Have the page paint."""
    ctx.context.client_tool_call = ClientToolCall(name="paint", arguments={"colour": colour})
    return "painting"


class Actions:
    """Answers each action by the function of its name, and notes what came of the turns."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers
        self.outcomes: list[Outcome] = []

    @hookimpl
    async def action(self, turn: Turn, action: Action[str, Any]) -> Any:
        answer = self.answers[action.type](turn, action.payload)
        return await answer if asyncio.iscoroutine(answer) else answer

    @hookimpl
    async def post_turn(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


def shown(text: str) -> list[ThreadStreamEvent]:
    return [ProgressUpdateEvent(text=text)]


_THREADS: WeakKeyDictionary[Chat, str] = WeakKeyDictionary()


async def act(chat: Chat, name: str, payload: Any = None) -> Any:
    """Perform an action in the thread of the chat's first request, or in another one."""
    thread_id = _THREADS.get(chat) or (await chat.say("hello")).thread_id
    _THREADS[chat] = thread_id
    action = {"type": name, "payload": payload}
    return await chat.stream("threads.custom_action", thread_id=thread_id, action=action)


async def said(chat: Chat, name: str, payload: Any = None) -> str:
    """Return what an action shows."""
    streamed = await act(chat, name, payload)
    assert streamed.error is None, (name, payload, streamed.error)
    return str(streamed.data[-1]["text"])


def endpoints(server: ModelServer, **agent: Any) -> dict[str, Any]:
    """Return sections of a server with models of each kind."""
    return {
        "agent": agent,
        "plugins": {
            "demo_model": {"pace": "1ms"},
            "compatible_models": {"endpoints": {"test": {"base_url": server.url}}},
            "openai_models": {"base_url": server.url, "api_key": "sk-test"},
            "litellm_models": {"providers": {"openai": {"base_url": server.url, "api_key": "sk"}}},
        },
    }


# Models


async def _run(turn: Turn, model: Any) -> list[ThreadStreamEvent]:
    result = await Runner.run(Agent("a", model=model), "hi", context=turn)
    assert get_current_trace() is None
    return shown(result.final_output)


async def _run_config(turn: Turn, model: Any) -> list[ThreadStreamEvent]:
    config = RunConfig(model=model, trace_metadata={"__trace_source__": "agent-builder"})
    return shown((await Runner.run(Agent("a"), "hi", run_config=config)).final_output)


async def _run_dict(turn: Turn, model: Any) -> list[ThreadStreamEvent]:
    result = await Runner.run(Agent("a"), "hi", run_config={"model": model})
    return shown(result.final_output)


async def _streamed(turn: Turn, model: Any) -> list[ThreadStreamEvent]:
    result = Runner.run_streamed(Agent("a", model=model), "hi")
    async for _ in result.stream_events():
        pass
    return shown(str(result.final_output))


async def _in_thread(turn: Turn, model: Any) -> list[ThreadStreamEvent]:
    result = await asyncio.to_thread(Runner.run_sync, Agent("a", model=model), "hi")
    return shown(result.final_output)


async def _in_task(turn: Turn, model: Any) -> list[ThreadStreamEvent]:
    return await asyncio.create_task(_run(turn, model))


async def _as_tool(turn: Turn, model: Any) -> list[ThreadStreamEvent]:
    inner = Agent[Any]("inner", model=model).as_tool("inner", "asks another agent")
    outer = Agent[Any](
        "outer",
        model="test/any",
        tools=[inner],
        tool_use_behavior=StopAtTools(stop_at_tool_names=["inner"]),
        model_settings=ModelSettings(tool_choice="inner"),
    )
    return shown((await Runner.run(outer, 'call inner {"input": "hi"}')).final_output)


WAYS = {f.__name__: f for f in (_run, _run_config, _run_dict, _streamed, _in_thread, _in_task)}


async def test_runs_of_plugins_find_the_models(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    actions = Actions(**WAYS, _as_tool=_as_tool)
    sections = endpoints(model_server, model="test/any")
    del sections["plugins"]["litellm_models"]
    chat = await make_chat(actions, **sections)
    for way in (*WAYS, "_as_tool"):
        for model in ("test/any", "openai/gpt-4.1", "gpt-4.1-mini", None):
            assert "hi" in await said(chat, way, model), (way, model)
            assert actions.outcomes[-1].usage.requests >= 1, (way, model)
    asked = [request.body for request in model_server.requests]
    assert {body["model"] for body in asked} == {"any", "gpt-4.1", "gpt-4.1-mini"}
    assert not any("reasoning" in body or "reasoning_effort" in body for body in asked)
    assert "Hello!" in await said(chat, "_run", "demo/todo")
    error = (await act(chat, "_run", "demmo/todo")).error
    assert error is not None
    assert "no enabled plugin serves the model `demmo/todo`" in error["message"]


async def test_a_provider_of_the_authors_own_wins(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    client = openai.AsyncOpenAI(base_url=model_server.url, api_key="own", max_retries=0)

    async def own(turn: Turn, payload: Any) -> list[ThreadStreamEvent]:
        provider: Any = OpenAIProvider(openai_client=client, use_responses=False)
        if payload == "multi":
            provider = MultiProvider(openai_client=client, openai_use_responses=False)
        config = RunConfig(model_provider=provider)
        result = await Runner.run(Agent("a", model="gpt-4.1-mini"), "hi", run_config=config)
        return shown(result.final_output)

    chat = await make_chat(Actions(own=own), **endpoints(model_server))
    for payload in ("multi", "one"):
        assert await said(chat, "own", payload) == "You said: hi"
        assert model_server.requests[-1].headers["Authorization"] == "Bearer own"
    await client.close()


def test_which_providers_count_as_given() -> None:
    used = MultiProvider()
    used.openai_provider._client = openai.AsyncOpenAI(api_key="x")
    assert _is_default(RunConfig().model_provider)
    assert _is_default(used)
    for given in (
        {"openai_api_key": "sk-mine"},
        {"openai_base_url": "http://localhost/v1"},
        {"openai_client": openai.AsyncOpenAI(api_key="x")},
        {"unknown_prefix_mode": "model_id"},
    ):
        assert not _is_default(MultiProvider(**given)), given
    assert not _is_default(OpenAIProvider(api_key="x"))


class AtStart:
    """Asks its application's model when the application starts, and in a route of its own."""

    def __init__(self) -> None:
        self.answers: list[str] = []

    @hookimpl
    def setup(self, app: web.Application) -> None:
        async def context(_: web.Application) -> AsyncIterator[None]:
            await self.ask()
            yield

        app.cleanup_ctx.append(context)
        app.router.add_get("/mine", self.route)

    async def route(self, _: web.Request) -> web.Response:
        return web.Response(text=await self.ask())

    async def ask(self) -> str:
        self.answers.append(str((await Runner.run(Agent("a"), "hi")).final_output))
        return self.answers[-1]


async def test_applications_in_one_process_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    plugins = [AtStart(), AtStart()]
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(ModelServer()) for _ in plugins]
        clients = []
        for plugin, server in zip(plugins, servers, strict=True):
            app, _ = served_app(plugin, **endpoints(server, model="test/any"))
            clients.append(await stack.enter_async_context(TestClient(TestServer(app))))
        for client, server in zip(clients, servers, strict=True):
            before = len(server.requests)
            assert await (await client.get("/mine")).text() == "You said: hi"
            assert len(server.requests) == before + 1
        with pytest.raises(openai.OpenAIError, match="api_key"):
            await Runner.run(Agent("a", model="gpt-4.1-mini"), "outside of any application")
    assert [plugin.answers for plugin in plugins] == [["You said: hi"] * 2] * 2


# Events


async def stream(turn: Turn, model: Any) -> AsyncIterator[ThreadStreamEvent]:
    agent = Agent[Any]("a", model=model, tools=[rename, paint])
    result = Runner.run_streamed(agent, "hi", context=turn)
    async for event in stream_agent_response(turn, result):
        yield event


async def stream_twice(turn: Turn, model: str) -> AsyncIterator[ThreadStreamEvent]:
    for _ in range(2):
        async for event in stream(turn, model):
            yield event


async def stream_at_once(turn: Turn, model: str) -> list[ThreadStreamEvent]:
    async def events() -> list[ThreadStreamEvent]:
        return [event async for event in stream(turn, model)]

    first, second = await asyncio.gather(events(), events())
    return first + second


async def stream_own_context(turn: Turn, model: str) -> AsyncIterator[ThreadStreamEvent]:
    context = CatContext(thread=turn.thread, store=turn.store, request_context=turn.request_context)
    agent = Agent[CatContext]("a", model=model, tools=[rename, paint])
    result = Runner.run_streamed(agent, "hi", context=context)
    async for event in stream_agent_response(context, result):
        yield event
    assert context.cat == "Felix" or context.client_tool_call is not None


KINDS = ("test/any", "openai/gpt-4.1", "litellm/openai/any")


def ids(streamed: Any) -> list[str]:
    return [item["id"] for e in streamed.data if (item := e.get("item")) and "done" in e["type"]]


async def test_streamed_runs_are_events_of_the_turn(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    actions = Actions(stream=stream, twice=stream_twice, at_once=stream_at_once)
    store = MemoryStorePlugin()
    chat = await make_chat(actions, store, **endpoints(model_server))
    for model in KINDS:
        for name, answers in (("stream", 1), ("twice", 2), ("at_once", 2)):
            streamed = await act(chat, name, model)
            assert streamed.error is None, (model, name)
            messages = streamed.done("assistant_message")
            assert [m["content"][0]["text"] for m in messages] == ["You said: hi"] * answers
            assert streamed.text == "You said: hi" * answers
            assert len(set(ids(streamed))) == len(ids(streamed)) == answers
            assert "__fake_id__" not in str(streamed.data)
            for kind in ("thread.item.added", "assistant_message.content_part.added"):
                assert streamed.types.count(kind) == answers, (model, name)
            stored = [*store.memory.items[streamed.thread_id]]
            assert set(ids(streamed)) <= set(stored)


@pytest.mark.parametrize("name", ["stream", "own_context"])
async def test_tools_of_streamed_runs_work_as_in_the_sdk(
    make_chat: MakeChat, model_server: ModelServer, name: str
) -> None:
    actions = Actions(stream=stream, own_context=stream_own_context)
    chat = await make_chat(actions, **endpoints(model_server))
    for model in KINDS:
        model_server.reply(Reasoning("Who?"), Call("rename", {"name": "Felix"}))
        model_server.reply("Done, Felix.")
        streamed = await act(chat, name, model)
        assert streamed.error is None, (model, streamed.error)
        kinds = [e["item"]["type"] for e in streamed.data if e["type"] == "thread.item.done"]
        assert sorted(kinds) == ["assistant_message", "widget", "workflow"], model
        [workflow] = streamed.done("workflow")
        tasks = workflow["workflow"]["tasks"]
        told = [task.get("title") or task.get("content") for task in tasks]
        assert told == ["Who?", "renamed Felix"], model
        model_server.reply(Call("paint", {"colour": "red"}))
        model_server.reply("Painted.")
        streamed = await act(chat, name, model)
        [called] = streamed.done("client_tool_call")
        assert called["arguments"] == {"colour": "red"}
        assert len(set(ids(streamed))) == len(ids(streamed)) == 2
        assert "__fake_id__" not in str(streamed.data)


@function_tool
async def ask(ctx: RunContextWrapper[AgentContext[Any]], model: str) -> str:
    """Ask another agent, and show its answer."""
    own = CatContext(
        thread=ctx.context.thread,
        store=ctx.context.store,
        request_context=ctx.context.request_context,
    )
    for context in (ctx.context, own):
        result = Runner.run_streamed(Agent[Any]("b", model=model), "hi", context=context)
        async for event in stream_agent_response(context, result):
            await ctx.context.stream(event)
    return "shown"


class OwnContext:
    """Gives the agent of each turn a context with a cat, and notes it at the end."""

    def __init__(self, *tools: Any) -> None:
        self.tools = tools
        self.cats: list[Any] = []

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.tools += self.tools
        turn.tabby = "Tabby"  # type: ignore[attr-defined]
        turn.context = CatContext(
            thread=turn.thread, store=turn.store, request_context=turn.request_context
        )

    @hookimpl
    async def post_turn(self, turn: Turn) -> None:
        assert isinstance(turn.context, CatContext)
        self.cats.append((turn.context.cat, turn.tabby))  # type: ignore[attr-defined]


@pytest.mark.parametrize(("fast_path", "show_tools"), [(True, "names"), (False, "tasks")])
async def test_a_turn_has_the_context_of_its_author(
    make_chat: MakeChat, model_server: ModelServer, fast_path: bool, show_tools: str
) -> None:
    plugin = OwnContext(rename, paint, ask)
    agent = {"model": "test/any", "fast_path": fast_path, "show_tools": show_tools}
    sections = endpoints(model_server, **agent)
    chat = await make_chat(plugin, **sections)
    model_server.reply(Call("rename", {"name": "Felix"}))
    model_server.reply("Done.")
    streamed = await chat.say("Call it Felix")
    assert streamed.error is None
    assert len(streamed.done("widget")) == len(streamed.done("assistant_message")) == 1
    [workflow] = streamed.done("workflow")
    titles = [task["title"] for task in workflow["workflow"]["tasks"]]
    assert titles == ["Rename", "renamed Felix"][show_tools == "names" :]
    assert plugin.cats == [("Felix", "Tabby")]
    model_server.reply(Call("paint", {"colour": "red"}))
    streamed = await chat.say("Paint it red", streamed.thread_id)
    assert [call["name"] for call in streamed.done("client_tool_call")] == ["paint"]
    thread_id = (await chat.say("hello")).thread_id
    model_server.reply(Call("nonsense", {}), Call("ask", {"model": "openai/gpt-4.1"}))
    model_server.reply("One.")
    model_server.reply("Two.")
    model_server.reply("Three.")
    streamed = await chat.say("Ask", thread_id)
    texts = [item["content"][0]["text"] for item in streamed.done("assistant_message")]
    assert texts == ["One.", "Two.", "Three."]


class Sets:
    """Sets an attribute of each turn."""

    def __init__(self, hook: str, name: str, value: Any) -> None:
        self.hook, self.name, self.value = hook, name, value

    @hookimpl
    async def agent(self, turn: Turn) -> None:
        if self.hook == "agent":
            setattr(turn, self.name, self.value)

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        if self.hook == "pre_turn":
            setattr(turn, self.name, self.value)


@pytest.mark.parametrize("hook", ["agent", "pre_turn"])
@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("context", CatContext, "Sets_0: {hook} set `turn.context` to the class CatContext"),
        ("context", {"cat": 1}, "expected a chatkit.agents.AgentContext or None"),
        ("instruction", "Purr.", "set `turn.instruction`, which the server does not read: did it"),
        ("cat", "Tom", None),
        ("tool", 1, "did it mean `tools`?"),
    ],
)
async def test_what_plugins_set(
    make_chat: MakeChat,
    caplog: pytest.LogCaptureFixture,
    hook: str,
    name: str,
    value: Any,
    told: str | None,
) -> None:
    chat = await make_chat(Sets(hook, name, value))
    said = {"type": "input_text", "text": "hello"}
    given = {"content": [said], "attachments": [], "inference_options": {}}
    response = await chat.post({"type": "threads.create", "params": {"input": given}})
    assert (response.status == 200) == (name != "context")
    await response.read()
    assert (told or "").format(hook=hook) in caplog.text
    assert bool(caplog.text) == (told is not None)


async def test_items_of_models_without_ids_have_their_own(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    client = openai.AsyncOpenAI(base_url=model_server.url, api_key="own", max_retries=0)

    async def own(turn: Turn, _: Any) -> AsyncIterator[ThreadStreamEvent]:
        async for event in stream(turn, OpenAIChatCompletionsModel("any", client)):
            yield event

    chat = await make_chat(Actions(own=own), **endpoints(model_server))
    seen: set[str] = set()
    for _ in range(2):
        model_server.reply("Let me see.", Call("paint", {"colour": "red"}))
        model_server.reply("Painted.")
        streamed = await act(chat, "own")
        assert streamed.error is None
        assert len(streamed.done("assistant_message")) == 2
        assert "__fake_id__" not in str(streamed.data)
        assert len(set(ids(streamed)) - seen) == 3
        seen |= set(ids(streamed))
    await client.close()


async def test_a_run_that_fails_leaves_nothing_behind(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat(Actions(stream=stream), **endpoints(model_server))
    for _ in range(2):
        model_server.fail(400, "no")
        assert (await act(chat, "stream", "test/any")).error is not None
        assert not [t for t in asyncio.all_tasks() if "QueueIterator" in repr(t)]
    assert (await act(chat, "stream", "test/any")).error is None
    gc.collect()
    assert "destroyed" not in caplog.text


@output_guardrail
async def no_secrets(_: Any, agent: Any, output: Any) -> GuardrailFunctionOutput:
    """Refuse answers with secrets."""
    return GuardrailFunctionOutput(None, tripwire_triggered="secret" in str(output))


class Responds:
    """Answers each turn by a run of its own, after a widget."""

    def __init__(self, own_context: bool) -> None:
        self.own_context = own_context

    @hookimpl
    async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        return self.answer(turn)

    async def answer(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        context: AgentContext[Any] = turn
        if self.own_context:
            context = CatContext(
                thread=turn.thread, store=turn.store, request_context=turn.request_context
            )
        await turn.stream_widget(Card(children=[Text(value="Wait")]))
        agent = Agent[Any]("a", tools=[rename], output_guardrails=[no_secrets])
        result = Runner.run_streamed(agent, "hi", context=context)
        async for event in stream_agent_response(context, result):
            yield event


@pytest.mark.parametrize("own_context", [False, True])
async def test_a_guardrail_of_such_a_run_withdraws_all_that_was_shown(
    make_chat: MakeChat, model_server: ModelServer, own_context: bool
) -> None:
    chat = await make_chat(Responds(own_context), **endpoints(model_server, model="test/any"))
    model_server.reply("Let me see.", Call("rename", {"name": "Felix"}))
    model_server.reply("Its secret is fish.")
    streamed = await chat.say("Tell me its secret")
    assert streamed.error is not None
    removed = {e["item_id"] for e in streamed.data if e["type"] == "thread.item.removed"}
    shown = set(ids(streamed)[1:])
    # ChatKit's SDK names the model's own item of the call too
    assert len(shown) == 5
    assert shown <= removed
    thread = await chat.ask("threads.get_by_id", thread_id=streamed.thread_id)
    assert [item["type"] for item in thread["items"]["data"]] == ["user_message"]
