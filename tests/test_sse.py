"""The response that carries events, byte by byte."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any

import orjson
import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestServer

from chatkit_server import Outcome, hookimpl
from chatkit_server.events.log import TurnLog
from chatkit_server.testing.model_server import Gate, ModelServer
from chatkit_server.web.sse import EventStream
from tests.client import Chat
from tests.conftest import MakeChat
from tests.serving import served_by

KEEP_ALIVE = b": keep-alive\n"
END = b": end\n"


class Ends:
    """Remembers how turns ended."""

    def __init__(self) -> None:
        self.outcomes: asyncio.Queue[Outcome] = asyncio.Queue()

    @hookimpl
    async def post_turn(self, outcome: Outcome) -> None:
        self.outcomes.put_nowait(outcome)


def create(text: str = "hello") -> dict[str, Any]:
    given = {
        "content": [{"type": "input_text", "text": text}],
        "attachments": [],
        "inference_options": {},
    }
    return {"type": "threads.create", "params": {"input": given}}


async def read_until(response: ClientResponse, end: bytes, times: int = 1) -> bytes:
    """Read until `end` has come this many times."""
    data = b""
    while data.count(end) < times:
        chunk = await response.content.readany()
        assert chunk, f"the stream ended: {data!r}"
        data += chunk
    return data


def events(data: bytes) -> list[dict[str, Any]]:
    lines = data.split(b"\n")
    return [orjson.loads(line[6:]) for line in lines if line.startswith(b"data: ")]


@pytest.mark.parametrize("plain", [False, True])
async def test_the_first_bytes_are_sent_before_the_model_answers(
    make_chat: MakeChat, model_server: ModelServer, plain: bool
) -> None:
    chat = await make_chat(**served_by(model_server))
    gate = Gate()
    model_server.reply("Hello.", hold=gate)
    body = {"messages": [{"role": "user", "content": "hello"}]} if plain else create()
    response = await chat.post(body)
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.headers["X-Turn-Id"].startswith("turn_")
    first = await read_until(response, b"\n\n", 1 if plain else 3)
    await gate.reached()
    if plain:
        assert list(events(first)[0]) == ["thread_id"]
    else:
        kinds = [event["type"] for event in events(first)]
        assert kinds == ["thread.created", "thread.item.done", "stream_options"]
    gate.open()
    assert b"Hello." in await response.read()


async def test_every_event_has_its_id_and_one_empty_line(make_chat: MakeChat) -> None:
    chat = await make_chat()
    response = await chat.post(create())
    body = await response.read()
    turn_id = response.headers["X-Turn-Id"]
    *frames, rest = body.split(b"\n\n")
    assert rest == END
    for number, frame in enumerate(frames, 1):
        head, data = frame.split(b"\n")
        assert head == b"id: %b:%d" % (turn_id.encode(), number)
        assert data.startswith(b"data: {")
    assert b"\r" not in body


async def test_a_keep_alive_is_one_line_with_one_newline(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server), server={"keep_alive": "20ms"})
    gate = Gate()
    model_server.reply("Hello ", gate, "there.")
    response = await chat.post(create())
    silent = await read_until(response, KEEP_ALIVE, 3)
    gate.open()
    body = silent + await response.read()
    assert body.count(b": ") >= 3
    rest = body.replace(KEEP_ALIVE, b"")
    assert b"keep-alive" not in rest
    *frames, end = rest.split(b"\n\n")
    assert end == END
    assert all(frame.startswith(b"id: ") and frame.count(b"\n") == 1 for frame in frames)
    # Two newlines in a row would be an empty message
    assert KEEP_ALIVE + b"\n" not in body


async def test_no_keep_alive_while_events_come(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server), server={"keep_alive": "10s"})
    model_server.reply(*["word "] * 50)
    response = await chat.post(create())
    assert KEEP_ALIVE not in await response.read()


async def test_a_client_that_goes_away_leaves_the_server_well(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    ends = Ends()
    turns = {"disconnect": {"policy": "cancel", "grace": "1ms"}}
    chat = await make_chat(
        ends, **served_by(model_server), turns=turns, server={"keep_alive": "5ms"}
    )
    for _ in range(5):
        model_server.reply("One, ", Gate(), "two.")
        response = await chat.post(create())
        await read_until(response, b"One, ")
        response.close()
        outcome = await ends.outcomes.get()
        assert outcome.status == "cancelled"
        assert [item.type for item in outcome.items][:2] == ["user_message", "assistant_message"]
    assert (await chat.say("hello")).text
    for thread in (await chat.ask("threads.list"))["data"][1:]:
        items = await chat.ask("items.list", thread_id=thread["id"], order="asc")
        assert items["data"][1]["content"][0]["text"] == "One, "


async def test_a_client_that_goes_away_before_its_answer_begins(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    ends = Ends()
    turns = {"disconnect": {"policy": "continue"}}
    chat = await make_chat(ends, **served_by(model_server), turns=turns)
    gate = Gate()
    model_server.reply("Hello.", hold=gate)
    response = await chat.post(create())
    await gate.reached()
    response.close()
    gate.open()
    outcome = await ends.outcomes.get()
    assert outcome.status == "completed"
    [thread] = (await chat.ask("threads.list"))["data"]
    items = await chat.ask("items.list", thread_id=thread["id"], order="asc")
    assert items["data"][1]["content"][0]["text"] == "Hello."


class Following:
    """A handler whose every answer follows the log."""

    def __init__(self, log: TurnLog, patience: float = 120) -> None:
        self.log = log
        self.patience = patience
        self.ended = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        response = EventStream(self.log, 10, self.patience)
        try:
            with suppress(ConnectionResetError, TimeoutError):
                await response.follow(request, int(request.query.get("after", 0)))
        finally:
            self.ended.set()
        return response

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/", self.__call__)
        return app


async def test_a_stream_begins_after_any_event(aiohttp_client: Any) -> None:
    log = TurnLog("turn_1")
    for number in range(1, 6):
        log.append(b"%d" % number)
    log.end()
    client = await aiohttp_client(Following(log).app())
    for after in range(7):
        body = await (await client.post("/", params={"after": after})).read()
        expected = [b"id: turn_1:%d\ndata: %d\n\n" % (n, n) for n in range(after + 1, 6)]
        assert body == b"".join([*expected, END])


async def test_a_client_that_does_not_read_is_dropped() -> None:
    log = TurnLog("turn_1")
    following = Following(log, patience=0.05)
    server = TestServer(following.app())
    await server.start_server()
    loop = asyncio.get_running_loop()
    with socket.create_connection((server.host, server.port)) as connection:
        connection.setblocking(False)
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        for _ in range(200):
            log.append(b"x" * 100_000)
        await following.ended.wait()
        last = b""
        with suppress(ConnectionResetError):
            while chunk := await loop.sock_recv(connection, 100_000):
                last = chunk
    # A clean end would tell the client that it has heard everything
    assert not last.endswith(b"0\r\n\r\n")
    assert END not in last
    await server.close()


async def test_followers_of_one_turn_are_told_the_same(aiohttp_client: Any) -> None:
    log = TurnLog("turn_1")
    client = await aiohttp_client(Following(log).app())
    responses = [await client.post("/") for _ in range(3)]
    for number in range(100):
        log.append(b"%d" % number)
        if number == 50:
            responses.pop().close()
        await asyncio.sleep(0)
    log.end()
    bodies = [await response.read() for response in responses]
    assert bodies[0] == bodies[1]
    assert bodies[0].count(b"data: ") == 100


async def test_the_plain_stream_has_keep_alives_too(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat: Chat = await make_chat(**served_by(model_server), server={"keep_alive": "10ms"})
    gate = Gate()
    model_server.reply(gate, "Hello.")
    response = await chat.post({"messages": [{"role": "user", "content": "hello"}]})
    await read_until(response, KEEP_ALIVE)
    gate.open()
    assert b'"done":true' in await response.read()
