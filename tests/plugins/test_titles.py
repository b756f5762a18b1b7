"""New conversations get a title, and no title of the user's is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from chatkit.types import ThreadMetadata
from chatkit_plugins.titles import MARK, Config, Plugin, clean_title, title_by_rule

from chatkit_server import HOOKS, Outcome, SettingsError, Turn, hookimpl
from chatkit_server.testing.memory_store import MemoryStore, MemoryStorePlugin
from chatkit_server.testing.model_server import Break, Gate, ModelServer, Request
from tests.client import Chat, Streamed
from tests.conftest import MakeChat
from tests.mcp_calls import until
from tests.plugins.test_chatkit_sdk import Backend, backend
from tests.recording import NOW
from tests.replicas import Start, begin, grow_old, request
from tests.test_thread_changes import SOMEBODY
from tests.timing import takes_less

__all__ = ["backend"]


class Outcomes:
    """Keeps how turns have ended, and gives a title of its own if it has one."""

    def __init__(self, title: str | None = None) -> None:
        self.ended: list[Outcome] = []
        self.title = title

    @hookimpl
    async def persist(self, turn: Turn, item: Any) -> None:
        if item.type == "assistant_message" and self.title is not None:
            turn.thread.title = self.title

    @hookimpl
    async def post_turn(self, turn: Turn, outcome: Outcome) -> None:
        self.ended.append(outcome)


@pytest.fixture
async def titles() -> AsyncIterator[ModelServer]:
    """The server of the model that makes titles."""
    async with ModelServer() as server:
        yield server


class Case:
    """A server with titles, and a model server for answers and one for titles."""

    def __init__(self, chat: Chat, store: MemoryStore, outcomes: Outcomes) -> None:
        self.chat, self.store, self.outcomes = chat, store, outcomes

    async def stored(self, thread_id: str) -> ThreadMetadata:
        return await self.store.load_thread(thread_id, SOMEBODY)

    async def title(self, thread_id: str) -> str | None:
        return (await self.stored(thread_id)).title


@pytest.fixture
def make_case(make_chat: MakeChat, model_server: ModelServer, titles: ModelServer) -> Any:
    async def make(title: str | None = None, **config: Any) -> Case:
        outcomes, store = Outcomes(title), MemoryStorePlugin()
        endpoints = {
            "test": {"base_url": model_server.url, "max_retries": 0},
            "cheap": {"base_url": titles.url, "max_retries": 0},
        }
        chat = await make_chat(
            outcomes,
            store,
            agent={"model": "test/model"},
            plugins={"compatible_models": {"endpoints": endpoints}, "titles": config},
        )
        return Case(chat, store.memory, outcomes)

    return make


def told(streamed: Streamed) -> list[str | None]:
    """Return the titles that the page was told."""
    return [e["thread"].get("title") for e in streamed.data if e["type"] == "thread.updated"]


async def test_the_rule_takes_the_first_words_before_the_answer(make_case: Any) -> None:
    case = await make_case()
    streamed = await case.chat.say("How far is the moon? I'd like to know.")
    assert told(streamed) == ["How far is the moon?"]
    assert streamed.types.index("thread.updated") < streamed.types.index("thread.item.added")
    again = await case.chat.say("And the sun?", streamed.thread_id)
    assert told(again) == []
    thread = await case.chat.ask("threads.get_by_id", thread_id=streamed.thread_id)
    assert thread["title"] == "How far is the moon?"
    assert not thread["metadata"]


async def test_a_plain_client_finds_the_title_later(make_case: Any) -> None:
    case = await make_case()
    body = {"messages": [{"role": "user", "content": "Hi"}, {"role": "user", "content": "There"}]}
    streamed = await case.chat.read(await case.chat.post(body))
    assert await case.title(streamed.data[0]["thread_id"]) == "Hi"


async def test_a_model_makes_the_title_while_the_answer_runs(
    make_case: Any, model_server: ModelServer, titles: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    case = await make_case(model="cheap/small", prompt="A title, in {locale}.")
    gate = Gate()
    titles.reply('**"Mondfahrt."**')
    model_server.reply("Far ", gate, "away.")
    begun = await begin(case.chat, request("Wie weit?"), "Far ", **{"Accept-Language": "de-AT"})
    await begun.until(lambda s: "thread.updated" in s.types)
    gate.open()
    streamed = await begun.rest()
    assert told(streamed) == ["Mondfahrt"]
    asked: Request = titles.requests[0]
    assert asked.body["model"] == "small"
    assert asked.body["messages"][0]["content"] == "A title, in de-AT."
    assert "Wie weit?" in asked.body["messages"][1]["content"]
    assert not asked.body.get("tools")
    assert case.outcomes.ended[0].usage.requests == 1, "the answer's own"
    assert "a title by cheap/small: " in caplog.text
    assert "Mondfahrt" not in caplog.text


async def test_without_a_model_of_its_own_the_agents_model_is_asked(
    make_case: Any, model_server: ModelServer
) -> None:
    case = await make_case(by="model")
    assert len(told(await case.chat.say("Hi"))) == 1
    assert {asked.body["model"] for asked in model_server.requests} == {"model"}
    assert len(model_server.requests) == 2


async def test_a_slow_model_holds_up_nothing(
    make_case: Any, model_server: ModelServer, titles: ModelServer
) -> None:
    case = await make_case(model="cheap/small", wait="1ms")
    gates = [Gate(), Gate(), Gate()]
    ids = []
    for gate, name in zip(gates, ("Late", "Lost", "Lost too"), strict=True):
        titles.reply(gate, name)
        streamed = await case.chat.say("How far is the moon?")
        assert told(streamed) == ["How far is the moon?"], "by rule, for want of the model's"
        ids.append(streamed.thread_id)
    await case.chat.ask("threads.update", thread_id=ids[1], title="Mine")
    await case.chat.ask("threads.update", thread_id=ids[2], title="How far is the moon?")
    plugin = next(p for n, p in _plugins(case) if n == "titles")
    for gate in gates:
        gate.open()
    await until(lambda: not plugin._asking)
    assert [await case.title(one) for one in ids] == [
        "Late",
        "Mine",
        "How far is the moon?",
    ], "a user may have set the same title"


def _plugins(case: Case) -> list[tuple[str, Any]]:
    app: Any = case.chat.client.server.app  # type: ignore[attr-defined]
    found: list[tuple[str, Any]] = app[HOOKS].plugins
    return found


async def test_a_user_who_renames_meanwhile_keeps_the_title(
    make_case: Any, model_server: ModelServer, titles: ModelServer
) -> None:
    case = await make_case(model="cheap/small")
    answer, title = Gate(), Gate()
    titles.reply(title, "Ours")
    model_server.reply("Far ", answer, "away.")
    begun = await begin(case.chat, request("How far?"), "Far ")
    await case.chat.ask("threads.update", thread_id=begun.thread_id, title="Mine")
    title.open()
    answer.open()
    assert "Ours" not in told(await begun.rest())
    assert await case.title(begun.thread_id) == "Mine"
    await case.chat.say("And the sun?", begun.thread_id)
    assert await case.title(begun.thread_id) == "Mine"


async def test_a_title_of_another_plugin_stays(
    make_case: Any, model_server: ModelServer, titles: ModelServer
) -> None:
    case = await make_case("Theirs", model="cheap/small", wait="1ms")
    gate = Gate()
    titles.reply(gate, "Ours")
    streamed = await case.chat.say("How far?")
    gate.open()
    plugin = next(p for n, p in _plugins(case) if n == "titles")
    await until(lambda: not plugin._asking)
    assert await case.title(streamed.thread_id) == "Theirs"


async def test_a_model_that_fails_is_logged_once(
    make_case: Any, titles: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    case = await make_case(model="cheap/small")
    for text in ("One", "Two"):
        titles.fail(404, f"no model, said {text}")
        streamed = await case.chat.say(text)
        assert told(streamed) == [text]
        assert streamed.error is None
    lines = [r.getMessage() for r in caplog.records if r.name.endswith("titles")]
    assert lines == [
        "titles: cheap/small makes no title: NotFoundError (HTTP 404). Until it does, titles are "
        "made by rule"
    ]
    titles.reply("***")
    assert told(await case.chat.say("Three")) == ["Three"], "of an answer that is no title"
    assert "cheap/small makes titles again" in caplog.text


async def test_a_model_that_does_not_answer_is_given_up(
    make_case: Any, titles: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    case = await make_case(model="cheap/small", timeout="1ms")
    titles.reply(Gate(), "Never")
    assert told(await case.chat.say("One")) == ["One"]
    assert "no answer within 0.001 s" in caplog.text


async def test_turns_that_fail_or_are_stopped_get_a_title(
    make_case: Any, model_server: ModelServer, titles: ModelServer
) -> None:
    case = await make_case(model="cheap/small")
    titles.reply(Gate(), "Never")
    model_server.reply("Hel", Break())
    failed = await case.chat.say("It fails")
    assert failed.error is not None
    assert told(failed) == ["It fails"]
    titles.reply(Gate(), "Never")
    model_server.reply("Hel", Gate())
    begun = await begin(case.chat, request("Stop it"), "Hel")
    await case.chat.client.post(f"/api/chat/turns/{begun.turn_id}/cancel")
    assert told(await begun.rest()) == ["Stop it"]


async def test_the_next_turn_gives_the_title_that_is_missing(make_case: Any) -> None:
    """Its process was killed, or the plugin is new."""
    case = await make_case()
    streamed = await case.chat.say("How far is the moon?")
    thread = ThreadMetadata(id=streamed.thread_id, created_at=NOW)
    await case.store.save_thread(thread, SOMEBODY)
    again = await case.chat.say("And the sun?", streamed.thread_id)
    assert told(again) == ["How far is the moon?"]


def slow_titles(gate: asyncio.Event) -> Any:
    """Return the plugin, whose model makes a title when the gate opens."""

    async def ask(turn: Turn, renewed: bool) -> str:
        await gate.wait()
        return "Ours"

    plugin = Plugin(Config.model_validate({"by": "model", "wait": "1ms"}))
    plugin._ask = ask
    return plugin


@pytest.mark.parametrize("renamed", [True, False])
async def test_a_title_that_is_set_in_another_process_stays(start: Start, renamed: bool) -> None:
    gate = asyncio.Event()
    slow = slow_titles(gate)
    one, other = await start(slow), await start()
    streamed = await one.chat.say("How far?")
    assert told(streamed) == ["How far?"]
    if renamed:
        await other.chat.ask("threads.update", thread_id=streamed.thread_id, title="Mine")
    gate.set()
    await until(lambda: not slow._asking)
    thread = await other.chat.ask("threads.get_by_id", thread_id=streamed.thread_id)
    assert thread["title"] == ("Mine" if renamed else "Ours")


async def test_a_turn_of_a_dead_process_gets_its_title_with_the_next_message(
    start: Start, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    gate = asyncio.Event()
    slow = slow_titles(gate)
    dead, other = await start(slow), await start(Plugin(Config()))
    model_server.reply("Far ", Gate())
    begun = await begin(dead.chat, request("How far?"), "Far ")
    await dead.beat()
    await grow_old()
    await other.sweep()
    thread = await other.chat.ask("threads.get_by_id", thread_id=begun.thread_id)
    assert "title" not in thread
    assert told(await other.chat.say("Well?", begun.thread_id)) == ["How far?"]
    gate.set()
    await until(lambda: not slow._asking)
    assert "could not be saved" not in caplog.text, "it lives after all, and was taken over"
    thread = await other.chat.ask("threads.get_by_id", thread_id=begun.thread_id)
    assert thread["title"] == "How far?"


async def test_a_title_is_renewed_once(make_case: Any, titles: ModelServer) -> None:
    case = await make_case(model="cheap/small", renew_after=2)
    titles.reply("First")
    thread_id = (await case.chat.say("Hi")).thread_id
    titles.fail(500, "down")
    assert told(await case.chat.say("The moon", thread_id)) == []
    titles.reply("Second")
    assert told(await case.chat.say("How far is it?", thread_id)) == ["Second"]
    said = titles.requests[-1].body["messages"][1]["content"]
    assert "User: Hi\nAssistant: You said: Hi\nUser: The moon" in said
    assert told(await case.chat.say("Thanks", thread_id)) == []
    assert (await case.stored(thread_id)).metadata[MARK]["renewed"]
    titles.reply("First")
    thread_id = (await case.chat.say("Hi")).thread_id
    await case.chat.ask("threads.update", thread_id=thread_id, title="Mine")
    assert told(await case.chat.say("The moon", thread_id)) == []


@pytest.mark.parametrize("store", ["theirs", "ours"])
async def test_a_hosted_server_without_titles_gets_them(
    make_chat: MakeChat, backend: Any, store: str
) -> None:
    class Untitled(Backend):
        async def respond(self, thread: ThreadMetadata, *args: Any) -> Any:
            async for event in super().respond(thread, *args):
                thread.title = title_now(thread)
                yield event

    def title_now(thread: ThreadMetadata) -> str | None:
        titles.append(thread.title)
        return thread.title

    titles: list[str | None] = []
    sections = backend({"store": store}, server=Untitled())
    sections["plugins"]["titles"] = {}
    chat = await make_chat(**sections)
    streamed = await chat.say("How far is the moon?")
    assert told(streamed)[0] == "How far is the moon?"
    assert titles[0] == "How far is the moon?", "what its code sees"
    assert told(streamed)[-1] == "asked 1 times", "what it sets itself"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"by": "rule", "model": "cheap/x"}, "`model` has no effect with `by: rule`"),
        ({"by": "rule", "renew_after": 3}, "`renew_after` has no effect with `by: rule`"),
    ],
)
def test_settings_without_effect_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Config.model_validate(config)


async def test_a_model_that_nobody_serves_stops_the_start(make_case: Any) -> None:
    with pytest.raises(SettingsError, match=r"titles: .*serves the model `nix/x`"):
        await make_case(model="nix/x")


RULE = {
    "What is a quark? It is for school.": "What is a quark?",
    "Hi\n\nI need help with a very long form that I cannot fill in alone": (
        "Hi I need help with a very long form that I…"
    ),
    "Translate to German:\n\nHello": "Translate to German",
    "# Taxes in Austria\nThe form is long.": "Taxes in Austria",
    "Fix this:\n```python\nprint(1)\n```": "Fix this: python print(1)",
    "請問這個怎麼翻譯成英文\uff1f謝謝": "請問這個怎麼翻譯成英文\uff1f",
    "e\u0301" * 40: "e\u0301" * 24 + "…",
    "evil\u202e\x1b[31m": "evil[31m",
    "x" * 60: "x" * 49 + "…",
    " \u200b\n": "",
}

ANSWERS = {
    '"Buying Milk"': "Buying Milk",
    "**Title:** Buying milk.": "Buying milk",
    "Titel: \u201eMilch kaufen\u201c": "Milch kaufen",
    "Here is a title:\n\nMilk": "Milk",
    "```\nMilk\n```": "Milk",
    "Learning C#": "Learning C#",
    ".NET basics": ".NET basics",
    "To be continued...": "To be continued...",
    "[Milk](https://example.com)": "Milk",
    'Sure! Here\'s a title for the conversation: "Buying Milk"': "Buying Milk",
    "Here is the title: **Buying: the basics**": "Buying: the basics",
    "Conversation title: Buying Milk": "Buying Milk",
    "Titel der Unterhaltung: Milch kaufen": "Milch kaufen",
    "# Title\nBuying Milk": "Buying Milk",
    '```json\n{\n  "title": "Buying \\"Milk\\""\n}\n```': 'Buying "Milk"',
    "```text\nBuying Milk\n```": "Buying Milk",
    "<title>Buying Milk</title>": "Buying Milk",
    "They want milk.\n</think>\n\nBuying Milk": "Buying Milk",
    "\u300a買牛奶\u300b": "買牛奶",
    "1. Buying Milk\n2. Milk": "Buying Milk",
    "Unix: an overview": "Unix: an overview",
    "Job titles: which one fits": "Job titles: which one fits",
    "Is an <b> element enough?": "Is an <b> element enough?",
    "I can't log in": "I can't log in",
    "Sorry for the delay": "Sorry for the delay",
    "None of the above": "None of the above",
    "I'm sorry, but I can't help with that.": "",
    "Sorry, I cannot do this.": "",
    "I cannot provide a title for this.": "",
    "Es tut mir leid, dabei kann ich nicht helfen.": "",
    "Untitled": "",
    "…": "",
    "***": "",
    "": "",
}


@pytest.mark.parametrize("text", RULE)
def test_titles_by_rule(text: str) -> None:
    assert title_by_rule(text, 50) == RULE[text]


@pytest.mark.parametrize("answer", ANSWERS)
def test_titles_of_models(answer: str) -> None:
    assert clean_title(answer, 50) == ANSWERS[answer]


@pytest.mark.parametrize("text", ["[", "![", "[](", "title ", "**", "`", "> ", "a\n"])
def test_a_long_text_costs_no_more_than_its_beginning(text: str) -> None:
    for cleaned in (title_by_rule, clean_title):
        assert len(cleaned(text * 200_000, 50)) <= 50
        quick = takes_less(partial(cleaned, text * 200_000, 50), 0.2)
        assert quick, "the beginning takes milliseconds"
