"""What is told of turns that did not end well: tokens, time, and one line in the log."""

from __future__ import annotations

import logging
import re

import pytest

from chatkit_server import User, hookimpl
from chatkit_server.testing.model_script import counted
from chatkit_server.testing.model_server import Break, Call, Gate, ModelServer, Raw
from chatkit_server.turns.failures import NONSENSE
from chatkit_server.turns.running import STOPPED
from chatkit_server.web.keys import ENGINE
from tests.conftest import MakeChat
from tests.replicas import Start, begin, grow_old, request
from tests.serving import served_by
from tests.test_turns import Tools, Watch, weather


class Odd:
    """Fails where nobody foresees it: when an answer is saved."""

    @hookimpl
    async def persist(self, item: object) -> None:
        if getattr(item, "type", "") == "assistant_message":
            raise ZeroDivisionError("odd")


async def test_a_cancelled_turn_reports_the_tokens_counted_so_far(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    watch, gate = Watch(), Gate()
    chat = await make_chat(Tools(weather), watch, **served_by(model_server))
    model_server.reply(Call("weather", {"city": "Rome"}))
    model_server.reply("It is ", gate, "sunny.")
    begun = await begin(chat, request("Rome?"), "It is ")
    response = await chat.client.post(f"/api/chat/turns/{begun.turn_id}/cancel")
    assert (await response.json())["state"] == "cancelled"
    await watch.ended.wait()
    [outcome] = watch.outcomes
    assert outcome.status == "cancelled"
    assert outcome.usage.input_tokens > 0
    assert outcome.usage.output_tokens > 0
    assert outcome.seconds > 0


async def test_an_interrupted_turn_reports_its_tokens_and_its_time(
    start: Start, model_server: ModelServer
) -> None:
    dead, alive = await start(Tools(weather)), await start()
    model_server.reply(Call("weather", {"city": "Rome"}))
    model_server.reply("It is ", Gate(), "sunny.")
    begun = await begin(dead.chat, request("Rome?"), "It is ")
    await dead.beat()
    running = dead.app[ENGINE].turns.active[0]
    expected = running.partial()
    await grow_old()
    await alive.sweep()
    [(turn, outcome)] = alive.watch.ended
    assert (turn.id, outcome.status) == (begun.turn_id, "interrupted")
    assert outcome.usage.requests == expected.usage.requests == 1
    assert outcome.usage.input_tokens == expected.usage.input_tokens > 0
    assert outcome.usage.output_tokens == expected.usage.output_tokens > 0
    assert 0 < outcome.seconds <= expected.seconds
    assert outcome.first_token == expected.first_token is not None
    [(_, result)] = outcome.tools
    assert result.seconds == expected.tools[0][1].seconds > 0
    assert outcome.model == "test/model"


@pytest.mark.parametrize(("field", "text"), [("content", "Hm, two "), ("reasoning", "two ")])
async def test_tokens_of_an_answer_that_is_cut_off_count(
    make_chat: MakeChat, model_server: ModelServer, field: str, text: str
) -> None:
    watch = Watch()
    chat = await make_chat(watch, **served_by(model_server))
    model_server.reply(counted("Hm, ", 10, 2, field), counted("two ", 10, 3), Gate())
    begun = await begin(chat, request("Count"), text)
    await chat.client.post(f"/api/chat/turns/{begun.turn_id}/cancel")
    await watch.ended.wait()
    [outcome] = watch.outcomes
    assert outcome.status == "cancelled"
    assert outcome.usage.requests == 1
    assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (10, 3)


async def test_tokens_of_an_answer_that_fails_count(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    watch = Watch()
    chat = await make_chat(Tools(weather), watch, **served_by(model_server))
    model_server.reply(counted("Let me see. ", 5, 1), Call("weather", {"city": "Rome"}))
    model_server.reply(counted("It ", 100, 1), counted("is ", 100, 2), Break())
    await chat.say("Rome?")
    [outcome] = watch.outcomes
    assert outcome.status == "failed"
    first, cut_off = outcome.usage.request_usage_entries
    assert first.output_tokens == 2
    assert (cut_off.input_tokens, cut_off.output_tokens) == (100, 2)
    assert outcome.usage.requests == 2
    assert outcome.usage.input_tokens == first.input_tokens + 100


async def test_tokens_are_not_counted_twice(make_chat: MakeChat, model_server: ModelServer) -> None:
    watch = Watch()
    chat = await make_chat(Tools(weather), watch, **served_by(model_server))
    model_server.reply(counted("Let me see. ", 5, 1), Call("weather", {"city": "Rome"}))
    model_server.reply(counted("It ", 100, 1), counted("is ", 100, 2))
    model_server.reply(counted("Hello ", 7, 1))
    await chat.say("Rome?")
    await chat.say("Hello")
    two, one = watch.outcomes
    assert (two.usage.requests, two.usage.output_tokens) == (2, 4)
    assert (one.usage.requests, one.usage.output_tokens) == (1, 1)


async def test_tokens_of_an_answer_whose_process_dies_count(
    start: Start, model_server: ModelServer
) -> None:
    dead, alive = await start(), await start()
    model_server.reply(counted("One ", 10, 1), counted("two ", 10, 2), Gate())
    await begin(dead.chat, request("Count"), "One two ")
    await dead.beat()
    await grow_old()
    await alive.sweep()
    [(_, outcome)] = alive.watch.ended
    assert outcome.status == "interrupted"
    assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (10, 2)


@pytest.mark.parametrize("status", [400, 401, 404, 422, 429])
async def test_a_providers_refusal_is_one_line_with_its_words(
    make_chat: MakeChat,
    model_server: ModelServer,
    caplog: pytest.LogCaptureFixture,
    status: int,
) -> None:
    chat = await make_chat(**served_by(model_server))
    for _ in range(3):
        model_server.fail(status, "tool `x` has\n no \x1b[31mschema")
    with caplog.at_level(logging.INFO):
        streamed = await chat.say("hello")
    assert streamed.error is not None
    turn_id = streamed.response.headers["X-Turn-Id"]
    records = [r for r in caplog.records if "failed" in r.getMessage()]
    assert len(records) == 1
    message = records[0].getMessage()
    assert message.startswith(f"turn {turn_id} failed: ")
    assert "tool `x` has no" in message
    assert "\n" not in message
    assert "\x1b" not in message
    assert records[0].exc_info is None


@pytest.mark.parametrize(
    "data",
    [b"secret-text {", b'"secret-text"', b'{"choices": ["secret-text"]}', b'"secret-text \xff"'],
)
async def test_an_invalid_answer_is_one_line_without_the_answer(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    chat = await make_chat(**served_by(model_server))
    model_server.reply("Let ", Raw(b"data: " + data + b"\n\n"))
    streamed = await chat.say("hello")
    assert streamed.error is not None
    assert streamed.error["message"] == NONSENSE
    [record] = [r for r in caplog.records if "failed" in r.getMessage()]
    message = record.getMessage()
    assert "ModelBehaviorError: the endpoint sent a malformed chunk: " in message
    assert "secret-text" not in message
    assert "\n" not in message
    assert record.exc_info is None


async def test_an_unforeseen_error_has_its_traceback(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat(Odd(), **served_by(model_server))
    model_server.reply("Hello.")
    assert (await chat.say("hello")).error is not None
    assert "ZeroDivisionError: odd" in caplog.text


async def test_a_failed_turn_is_recorded_with_its_reason(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Watch()
    chat = await make_chat(watch, **served_by(model_server))
    model_server.reply("Let ", Raw(b"data: {\n\n"))
    with caplog.at_level(logging.INFO):
        streamed = await chat.say("hello")
    turn_id = streamed.response.headers["X-Turn-Id"]
    turn_store = chat.client.server.app[ENGINE].turn_store  # type: ignore[attr-defined]
    record = await turn_store.find(turn_id, User("somebody"))
    assert (record.state, record.error) == ("failed", NONSENSE)
    [outcome] = watch.outcomes
    assert (outcome.status, outcome.error, outcome.allow_retry) == ("failed", NONSENSE, True)
    [message] = [m for m in caplog.messages if f"{turn_id} failed" in m]
    assert message.startswith(f"turn {turn_id} failed: {NONSENSE}"), "it is logged once"


async def test_a_cancelled_turn_is_logged_with_its_time(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Watch()
    chat = await make_chat(watch, **served_by(model_server))
    model_server.reply("One ", Gate())
    with caplog.at_level(logging.INFO):
        begun = await begin(chat, request("Count"), "One ")
        await chat.client.post(f"/api/chat/turns/{begun.turn_id}/cancel")
        await watch.ended.wait()
    reason = re.escape(STOPPED.problem.message)
    who = r"\(model test/model; user somebody\)"
    told = rf"turn {begun.turn_id} cancelled after \d+\.\d s: {reason} {who}"
    [record] = [r for r in caplog.records if re.fullmatch(told, r.getMessage())]
    assert record.levelno == logging.INFO


async def test_a_turn_that_ended_well_has_no_error(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    watch = Watch()
    chat = await make_chat(watch, **served_by(model_server))
    model_server.reply("Hello.")
    await chat.say("hello")
    [outcome] = watch.outcomes
    assert (outcome.status, outcome.error, outcome.allow_retry) == ("completed", None, False)


async def test_an_error_while_the_rest_is_saved_makes_the_turn_fail(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Watch()
    chat = await make_chat(Odd(), watch, **served_by(model_server))
    model_server.reply("One ", Gate())
    begun = await begin(chat, request("Count"), "One ")
    await chat.client.post(f"/api/chat/turns/{begun.turn_id}/cancel")
    await watch.ended.wait()
    assert watch.outcomes[0].status == "failed"
    assert "ZeroDivisionError: odd" in caplog.text
