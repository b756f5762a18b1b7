"""Whatever bytes are sent, nothing hangs, nothing is a 500, and the server goes on."""

from __future__ import annotations

import asyncio
import logging
import random
import re

import orjson
import pytest

from tests.security.hostile_client import connected, healthy, request
from tests.security.listening import listening

INPUTS = 150
"""Inputs of each seed."""

SAID = orjson.dumps({"messages": [{"role": "user", "content": "hello"}]})
LISTED = orjson.dumps({"type": "threads.list", "params": {}})
SIGNED_IN = {"Authorization": "Bearer ann"}
SEEDS = [
    request("GET", "/healthz"),
    request("HEAD", "/readyz"),
    request("GET", "/api/chat/turns/turn_1/events?after=1", Last_Event_ID="turn_1:2", **SIGNED_IN),
    request("GET", "/api/chat/client.js", If_None_Match='"x"'),
    request("POST", "/api/chat", LISTED, **SIGNED_IN),
    request("POST", "/api/chat", SAID, Idempotency_Key="k", Accept_Language="de", **SIGNED_IN),
    request(
        "POST", "/api/chat", SAID, chatkit_frame_instance_id="f", X_Request_Id="r", **SIGNED_IN
    ),
    request("POST", "/api/chat", SAID, Expect="100-continue", **SIGNED_IN),
    request("POST", "/api/chat/turns/x/cancel", b"{}", X_Forwarded_For="192.0.2.1", **SIGNED_IN),
    request("OPTIONS", "/api/chat", Origin="http://a", Access_Control_Request_Method="POST"),
    request("POST", "/api/chat", Transfer_Encoding="chunked", **SIGNED_IN)
    + b"%x\r\n%s\r\n0\r\n\r\n" % (len(LISTED), LISTED),
]
PIECES = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"\xc3\xa9",
    b" ",
    b":",
    b"%00",
    b"%FF",
    b"Content-Length: 5\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    b"Expect: 100-continue\r\n",
    b"Host: b\r\n",
    b"Origin: http://[::1\r\n",
    b"x" * 9000,
    b"0\r\n\r\n",
    b"ffffffffffffffffff\r\n",
    b"{[" * 200,
]


def mangled(source: random.Random) -> bytes:
    """Return a request with some of its bytes replaced, removed, repeated or added."""
    data = bytearray(source.choice(SEEDS))
    for _ in range(source.randint(0, 4)):
        at = source.randrange(len(data) + 1)
        end = min(len(data), at + source.choice([0, 0, 1, 1, 3, 20]))
        match source.randrange(4):
            case 0:
                data[at:end] = source.choice(PIECES)
            case 1:
                data[at:end] = source.randbytes(end - at)
            case 2:
                data[at:at] = data[at : at + 50]
            case _:
                del data[at:end]
    return bytes(data) * source.choice([1, 1, 1, 2, 3])


@pytest.mark.parametrize("seed", range(4))
async def test_any_bytes_leave_the_server_well(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    source = random.Random(seed)
    times = {"headers": "300ms", "body": "300ms", "idle": "300ms"}
    gate = asyncio.Semaphore(20)
    async with listening(server={"limits": times}) as server:

        async def send(data: bytes) -> None:
            async with gate, connected(server.port) as client:
                await client.send(data)
                answer = await client.everything()
                statuses = re.findall(rb"^HTTP/[\d.]+ (\d{3})", answer, re.MULTILINE)
                assert not {s for s in statuses if s >= b"500"}, (data, answer)

        async with asyncio.TaskGroup() as group:
            for _ in range(INPUTS):
                group.create_task(send(mangled(source)))
        assert await healthy(server.port)
    tracebacks = [record for record in caplog.records if record.exc_info]
    assert tracebacks == [], tracebacks[0].getMessage()
    assert not any("\n" in record.getMessage() for record in caplog.records)
