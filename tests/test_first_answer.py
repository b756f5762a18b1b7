"""The model's first answer without a run of the SDK: the turn is what it would be with one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from agents import (
    Agent,
    AgentHooks,
    GuardrailFunctionOutput,
    InputGuardrail,
    ModelRetrySettings,
    ModelSettings,
    OutputGuardrail,
    Runner,
    Usage,
    WebSearchTool,
    function_tool,
    handoff,
)
from chatkit.types import ThreadItem, ThreadMetadata
from chatkit_plugins.compatible_models.model import ChatModel
from pydantic import BaseModel

from chatkit_server import Outcome, Turn, User, hookimpl
from chatkit_server.agent.fast.first_answer import can_skip_run
from chatkit_server.storage import StoreContext
from chatkit_server.testing.memory_store import MemoryStorePlugin
from chatkit_server.testing.model_server import (
    Break,
    Call,
    Error,
    ModelServer,
    Reasoning,
    Refusal,
    Reply,
)
from chatkit_server.testing.model_wire import chat_usage
from tests.client import Chat
from tests.conftest import MakeChat
from tests.plugins.test_fast_path import STREAMS, without_ids
from tests.serving import served_by


@function_tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Own(Agent[Turn]):
    """An agent of a kind that only the SDK knows what to do with."""


KINDS: tuple[type[Agent[Turn]], ...] = (Agent, Own)


class Watched:
    """Gives an agent with a tool, of the SDK's own class or another, and remembers how it went.

    With `hands_over`, it may hand over to another one.
    """

    def __init__(self, kind: type[Agent[Turn]], hands_over: bool = False) -> None:
        self.kind = kind
        self.hands_over = hands_over
        self.saved: list[ThreadItem] = []
        self.outcomes: list[Outcome] = []

    @hookimpl
    async def agent(self, turn: Turn) -> Agent[Turn]:
        others: list[Any] = [
            Agent[Turn](name="b"),
            handoff(Agent[Turn](name="c")),
        ] * self.hands_over
        return self.kind(name="a", instructions="Be kind.", tools=[add], handoffs=others)

    @hookimpl
    async def persist(self, item: ThreadItem) -> None:
        self.saved.append(item)

    @hookimpl
    async def post_turn(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


@dataclass
class Went:
    """How a conversation went: its events, items, outcomes, and what the model was asked."""

    events: Any
    items: Any
    outcomes: Any
    asked: Any


def _counted(outcome: Outcome) -> Usage | None:
    """Only the fast path counts the tokens of an answer that is not complete."""
    return outcome.usage if outcome.status == "completed" else None


async def converse(chat: Chat, watched: Watched, server: ModelServer, replies: Any) -> Went:
    """Say something as often as there are replies, the model's to each in a list."""
    thread_id = None
    events = []
    for number, parts in enumerate(replies):
        server.script.extend(part if isinstance(part, Reply) else Reply(part) for part in parts)
        streamed = await chat.say(f"Number {number}", thread_id)
        thread_id = streamed.thread_id
        events.append(streamed.data)
        assert not server.script
    return Went(
        _comparable(events),
        _comparable([item.model_dump() for item in watched.saved]),
        [
            (o.status, o.error, o.allow_retry, _counted(o), o.model, _comparable(o.tools))
            for o in watched.outcomes
        ],
        without_ids([request.body for request in server.requests]),
    )


_MADE_UP = ("id", "item_id", "thread_id", "created_at", "turn_id", "covers", "call_id", "duration")


def _comparable(value: Any) -> Any:
    """Leave out ids, times, and the provider's name for its answer."""
    if isinstance(value, list | tuple):
        return [_comparable(child) for child in value]
    if isinstance(value, dict):
        return {
            key: _comparable(child)
            for key, child in value.items()
            if key not in (*_MADE_UP, "response_id", "seconds")
        }
    if hasattr(value, "output") or hasattr(value, "arguments"):
        return getattr(value, "output", None) or value.name
    return value


CACHED = {
    "prompt_tokens_details": {"cached_tokens": 7, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 3},
}

CONVERSATIONS: dict[str, list[Any]] = {
    **{name: [parts, [("And ", "so on.")]] for name, parts in STREAMS.items()},
    "three answers": [[("One ", "two.")], [("Three.",)], [("Four.", " Five.")]],
    "calls, and then none": [STREAMS["a call"], [("Well.",)], STREAMS["text and calls"]],
    "thoughts first": [[(Reasoning("Hm."), "So ", "it is.")], [("Yes.",)]],
    "thoughts in another field": [[(Reasoning("Hm.", "reasoning"), "So.")], [("Yes.",)]],
    "no usage": [[Reply(("One ", "two."), usage=False)], [("Three.",)]],
    "a refusal": [[(Refusal("I may not."),)], [("Yes.",)]],
    "an error": [[("One ", Error("overloaded"))], [("Yes.",)]],
    "a break": [[("One ", "two ", Break())], [("Yes.",)]],
    "no end": [[Reply(("One ", "two."), finish=None)], [("Yes.",)]],
    "too long": [[Reply(("One ", "two."), finish="length")], [("Yes.",)]],
    "filtered": [[Reply(("One ", "two."), finish="content_filter")], [("Yes.",)]],
    "handed over": [[("Well. ", Call("transfer_to_b")), ("b here.",)], [("Yes.",)]],
    "handed over twice": [[(Call("transfer_to_c"), Call("transfer_to_b")), ("c here.",)]],
    "a tool that is not there": [[(Call("subtract", {}),), ("Sorry.",)], [("Yes.",)]],
}


HANDS_OVER = {"three answers", "a refusal", "an error", "text and calls", "reasoning, then text"}

WAYS: tuple[tuple[type[Agent[Turn]], bool], ...] = ((Agent, True), (Own, True), (Agent, False))
"""The short way, with a run, and without the fast path."""


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_a_turn_is_the_same_on_all_ways(make_chat: MakeChat, name: str) -> None:
    went = []
    for kind, fast_path in WAYS:
        async with ModelServer() as server:
            watched = Watched(kind, name in HANDS_OVER or "handed" in name)
            chat = await make_chat(watched, **served_by(server, fast_path=fast_path))
            went.append(await converse(chat, watched, server, CONVERSATIONS[name]))
    short, *others = went
    for other in others:
        assert short.events == other.events
        assert short.items == other.items
        assert short.outcomes == other.outcomes
        assert short.asked == other.asked


async def test_without_the_fast_path_the_model_says_nothing_to_the_turn_itself(
    make_chat: MakeChat, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("the fast path is off")

    monkeypatch.setattr(ChatModel, "bind", refuse)
    monkeypatch.setattr("chatkit_server.turns.answering.ask_model", refuse)
    for watched in (Watched(Agent), Watched(Own)):
        chat = await make_chat(watched, **served_by(model_server, fast_path=False))
        model_server.reply("One ", "two.")
        assert (await chat.say("Hello")).text == "One two."


async def test_what_was_cached_is_counted(
    make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "chatkit_server.testing.model_wire.chat_usage",
        lambda usage: {**chat_usage(usage), **CACHED},
    )
    usages = []
    for kind in KINDS:
        async with ModelServer() as server:
            watched = Watched(kind)
            chat = await make_chat(watched, **served_by(server))
            await converse(chat, watched, server, [[("One ", "two.")]])
            usages += [outcome.usage for outcome in watched.outcomes]
    opened, run = usages
    assert opened == run
    assert opened.requests == 1
    assert opened.input_tokens_details.cached_tokens == 7
    assert opened.output_tokens_details.reasoning_tokens == 3


@pytest.mark.filterwarnings("ignore::DeprecationWarning:litellm")
@pytest.mark.parametrize("name", ["text", "text and calls", "reasoning, then text", "no usage"])
async def test_a_turn_through_litellm_is_what_it_would_be_with_a_run(
    make_chat: MakeChat, name: str
) -> None:
    went = []
    for kind in KINDS:
        async with ModelServer() as server:
            watched = Watched(kind)
            chat = await make_chat(
                watched,
                agent={"model": "litellm/openai/any"},
                plugins={
                    "litellm_models": {
                        "providers": {"openai": {"base_url": server.url, "api_key": "none"}}
                    }
                },
            )
            went.append(await converse(chat, watched, server, CONVERSATIONS[name]))
    opened, run = went
    assert opened == run


async def test_a_run_begins_only_if_there_is_something_left_to_do(
    make_chat: MakeChat, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    begin = Runner.run_streamed

    def counted(*args: Any, **kwargs: Any) -> Any:
        runs.append(args)
        return begin(*args, **kwargs)

    monkeypatch.setattr(Runner, "run_streamed", counted)
    chat = await make_chat(Watched(Agent), **served_by(model_server))
    model_server.reply("One ", "two.")
    assert (await chat.say("Hello")).text == "One two."
    assert len(runs) == 0
    model_server.reply("Let me see. ", Call("add", {"a": 1, "b": 2}))
    model_server.reply("3.")
    assert (await chat.say("1 + 2?")).text == "Let me see. 3."
    assert len(runs) == 1
    # the run did not ask again what had been answered
    assert len(model_server.requests) == 3


async def nothing(*_: Any) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(None, tripwire_triggered=False)


class Answer(BaseModel):
    text: str


NOBODY = User("nobody")
MESSAGE = {"role": "user", "content": "Hello"}
CALL = {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "3"}


@function_tool(is_enabled=lambda context, agent: True)
async def sometimes() -> str:
    """Do what may be done now and then."""
    return "done"


def turn_with(*entries: Any) -> Turn:
    return Turn(
        thread=ThreadMetadata(id="thr_1", created_at=datetime.now(UTC)),
        store=MemoryStorePlugin().store(),
        request_context=StoreContext(NOBODY),
        user=NOBODY,
        operation="threads.create",
        input=list(entries),
    )


@pytest.mark.parametrize(
    "agent",
    [
        Own(name="a"),
        Agent(name="a", instructions=lambda context, agent: "Be kind."),
        Agent(name="a", handoffs=[handoff(Agent(name="b"), is_enabled=lambda *_: True)]),
        Agent(name="a", handoffs=[Agent(name="b"), Agent(name="b")]),
        Agent(name="a", hooks=AgentHooks()),
        Agent(name="a", input_guardrails=[InputGuardrail(nothing)]),
        Agent(name="a", output_guardrails=[OutputGuardrail(nothing)]),
        Agent(name="a", output_type=Answer),
        Agent(name="a", prompt={"id": "p"}),
        Agent(name="a", model_settings=ModelSettings(retry=ModelRetrySettings(max_retries=2))),
        Agent(name="a", model_settings=ModelSettings(timeout=5.0)),
    ],
    ids=lambda agent: next(
        name
        for name, value in {**vars(Agent(name="b")), "kind": Agent}.items()
        if name != "name" and (vars(agent) | {"kind": type(agent)})[name] != value
    ),
)
def test_what_only_a_run_can_heed_is_left_to_one(agent: Agent[Turn]) -> None:
    assert can_skip_run(Agent(name="a", instructions="Be kind."), turn_with(MESSAGE), [add])
    assert not can_skip_run(agent, turn_with(MESSAGE), [])


@pytest.mark.parametrize(
    "tools",
    [[add, add], [WebSearchTool()], [sometimes]],
    ids=["of one name", "hosted", "enabled by a function"],
)
def test_tools_that_a_run_looks_through_are_left_to_one(tools: list[Any]) -> None:
    assert not can_skip_run(Agent(name="a"), turn_with(MESSAGE), tools)


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([MESSAGE, CALL, OUTPUT, MESSAGE], True),
        ([MESSAGE, CALL, OUTPUT, CALL, OUTPUT], False),
        ([MESSAGE, {"type": "reasoning", "id": "rs_1", "summary": []}], False),
        ([{"type": "function_call", "name": "add"}], False),
    ],
)
def test_input_that_a_run_would_change_is_left_to_one(entries: list[Any], told: bool) -> None:
    assert can_skip_run(Agent(name="a"), turn_with(*entries), []) is told
