"""How many connections there may be, and how long each may take."""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from chatkit_server import hookimpl
from chatkit_server.web import listener, overflow
from chatkit_server.web.addresses import Proxies, network_of
from chatkit_server.web.listener import MOST_FILES, raise_file_limit
from tests.mcp_calls import until
from tests.processes import MODULE, running
from tests.security.hostile_client import HostileClient, ask, connected, healthy, request
from tests.security.listening import listening

MUCH = 20_000_000

OTHER = "127.0.0.2"
NOT_LOCAL = {"trusted_proxies": ["192.0.2.1"]}
"""Where this machine is no proxy, its own addresses are counted as any other."""


class Slow:
    """Routes that wait, and that answer with much."""

    def __init__(self) -> None:
        self.running = 0
        self.go_on = asyncio.Event()

    @hookimpl
    def setup(self, app: web.Application) -> None:
        app.router.add_get("/wait", self._wait)
        app.router.add_get("/much", self._much)
        app.router.add_post("/read", self._read)

    async def _wait(self, request: web.Request) -> web.Response:
        self.running += 1
        try:
            await self.go_on.wait()
        finally:
            self.running -= 1
        return web.Response(text="done")

    async def _much(self, request: web.Request) -> web.Response:
        return web.Response(body=b"x" * MUCH)

    async def _read(self, request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))


# Time


@pytest.mark.parametrize("begin", [b"G", b"\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX: "])
async def test_headers_must_arrive_in_time(begin: bytes) -> None:
    async with listening(server={"limits": {"headers": "200ms"}}) as server:
        async with connected(server.port) as client:
            await client.send(begin)
            response = await client.response()
            assert response.status == 408
            assert "headers" in response.json["message"]
            assert await client.everything() == b""
        assert await healthy(server.port)


async def test_a_connection_on_which_nothing_was_sent_is_idle(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    limits = {"headers": "50ms", "idle": "300ms"}
    async with (
        listening(server={"limits": limits}) as server,
        connected(server.port) as client,
    ):
        assert await client.everything() == b""
    assert caplog.messages == []


async def test_trickled_headers_are_no_exception() -> None:
    async with (
        listening(server={"limits": {"headers": "200ms"}}) as server,
        connected(server.port) as client,
    ):
        sending = asyncio.create_task(client.trickle(request("GET", "/healthz", X="x" * 100_000)))
        assert (await client.response()).status == 408
        sending.cancel()


async def test_the_headers_of_a_later_request_must_arrive_in_time_too() -> None:
    async with (
        listening(server={"limits": {"headers": "200ms"}}) as server,
        connected(server.port) as client,
    ):
        await client.send(request("GET", "/healthz"))
        assert (await client.response()).status == 200
        await client.send("GET ")
        assert (await client.response()).status == 408


async def test_an_idle_connection_is_closed() -> None:
    limits = {"idle": "200ms", "headers": "30s"}
    async with (
        listening(server={"limits": limits}) as server,
        connected(server.port) as client,
    ):
        await client.send(request("GET", "/healthz"))
        assert (await client.response()).status == 200
        assert await client.everything() == b""


@pytest.mark.parametrize("path", ["/read", "/api/chat"])
async def test_a_body_must_arrive_in_time(path: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with listening(Slow(), server={"limits": {"body": "300ms"}}) as server:
        async with connected(server.port) as client:
            head = request("POST", path, Content_Length="1000", Authorization="Bearer ann")
            sending = asyncio.create_task(client.trickle(head + b"{" * 900))
            response = await client.response()
            assert (response.status, response.headers["connection"]) == (408, "close")
            assert response.json == {"message": "The body did not arrive within 0.3 seconds."}
            sending.cancel()
        assert await healthy(server.port)
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_long_answer_is_not_a_long_request() -> None:
    slow = Slow()
    limits = {"headers": "100ms", "body": "100ms", "idle": "100ms", "unread": "100ms"}
    async with (
        listening(slow, server={"limits": limits}) as server,
        connected(server.port) as client,
    ):
        await client.send(request("GET", "/wait"))
        await until(lambda: slow.running == 1)
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await client.reader.read(1)
        slow.go_on.set()
        assert (await client.response()).body == b"done"


async def test_a_client_that_does_not_read_is_disconnected() -> None:
    async with listening(Slow(), server={"limits": {"unread": "200ms"}}) as server:
        async with connected(server.port) as client:
            client.stop_reading()
            await client.send(request("GET", "/much"))
            await until(lambda: server.open == 1)
            await until(lambda: server.open == 0)
        assert await healthy(server.port)


# Number


async def test_beyond_the_limit_a_connection_that_waits_is_closed_for_a_new_one() -> None:
    limits = {"connections": 3}
    async with listening(server={"limits": limits}) as server, AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(connected(server.port)) for _ in range(3)]
        await until(lambda: server.open == 3)
        assert await healthy(server.port)
        # The oldest had to go
        assert await silent[0].everything() == b""
        await silent[2].send(request("GET", "/healthz"))
        assert (await silent[2].response()).status == 200


async def test_when_all_connections_are_busy_a_new_one_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    slow = Slow()
    async with listening(slow, server={"limits": {"connections": 2}}) as server:
        async with AsyncExitStack() as stack:
            busy = [await stack.enter_async_context(connected(server.port)) for _ in range(2)]
            for client in busy:
                await client.send(request("GET", "/wait"))
            await until(lambda: slow.running == 2)
            response = await ask(server.port, request("POST", "/api/chat", b"{}"))
            assert response.status == 503
            assert response.headers["retry-after"] == "10"
            assert response.json["message"].startswith("The server has too many connections.")
            assert await healthy(server.port)
            head = await ask(server.port, request("HEAD", "/healthz"))
            assert head.status == 200
            slow.go_on.set()
            for client in busy:
                assert (await client.response()).body == b"done"
        await until(lambda: server.open == 0)
        assert (await ask(server.port, request("GET", "/wait"))).status == 200
    told = [r for r in caplog.records if "too many connections" in r.getMessage()]
    assert len(told) == 3, told
    assert told[0].getMessage().startswith("refused a connection from 127.0.0.1: 503 ")


async def test_a_flood_beyond_the_limit_leaves_health_and_few_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    slow = Slow()
    limits = {"connections": 1}
    async with listening(slow, server={"limits": limits}) as server, AsyncExitStack() as stack:
        busy = await stack.enter_async_context(connected(server.port))
        await busy.send(request("GET", "/wait"))
        await until(lambda: slow.running == 1)
        for _ in range(3 * overflow.MAX_OVERFLOW):
            await stack.enter_async_context(connected(server.port))
        assert await healthy(server.port)
        assert server.open == 1
        slow.go_on.set()
        assert (await busy.response()).body == b"done"
    assert len(caplog.records) < 30


async def test_of_a_flood_most_are_closed_at_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listener, "MAX_OVERFLOW", 2)
    monkeypatch.setattr(overflow, "FLOOD", 60.0)
    server_settings = {**NOT_LOCAL, "limits": {"address": 1}}
    async with (
        listening(server=server_settings) as server,
        connected(server.port, source=OTHER) as first,
        AsyncExitStack() as stack,
    ):
        await first.send(request("GET", "/healthz"))
        assert (await first.response()).status == 200
        flood = [
            await stack.enter_async_context(connected(server.port, source=OTHER)) for _ in range(6)
        ]
        assert [await one.everything() for one in flood[2:]] == [b""] * 4
        for told in flood[:2]:
            await told.send(request("GET", "/api/chat"))
            assert (await told.response()).status == 429
        # Another address is served, and so is this one again
        assert await healthy(server.port)
        await first.send(request("GET", "/healthz"))
        assert (await first.response()).status == 200
    assert "429" in caplog.text


async def test_without_open_files_connections_wait(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    accept = socket.socket.accept
    refused = 0

    def full(self: socket.socket) -> Any:
        nonlocal refused
        if refused < 3:
            refused += 1
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(self)

    monkeypatch.setattr(listener, "FULL_PAUSE", 0.01)
    monkeypatch.setattr(socket.socket, "accept", full)
    async with listening() as server:
        assert await healthy(server.port)
    assert refused == 3
    assert caplog.text.count("cannot accept connections: Too many open files") == 3


async def test_many_connections_are_accepted_a_few_at_a_time() -> None:
    async with listening() as server, AsyncExitStack() as stack:
        many = await asyncio.gather(
            *(stack.enter_async_context(connected(server.port)) for _ in range(100))
        )
        for one in many:
            await one.send(request("GET", "/healthz"))
        assert {(await one.response()).status for one in many} == {200}
        assert server.open == 100


async def test_few_files_are_few_connections_beyond_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listener, "raise_file_limit", lambda: 40)
    monkeypatch.setattr(overflow, "LINGER", 60.0)
    slow = Slow()
    async with (
        listening(slow, server={"limits": {"connections": 1}}) as server,
        AsyncExitStack() as stack,
    ):
        busy = await stack.enter_async_context(connected(server.port))
        await busy.send(request("GET", "/wait"))
        await until(lambda: slow.running == 1)
        refused = [await stack.enter_async_context(connected(server.port)) for _ in range(6)]
        # An eighth of the files is for them, and the first is one too many
        assert await refused[0].everything() == b""
        assert await healthy(server.port)
        slow.go_on.set()


async def test_an_address_may_have_so_many_connections() -> None:
    limits = {"address": 2}
    async with (
        listening(server={"limits": limits, **NOT_LOCAL}) as server,
        connected(server.port, source=OTHER),
        connected(server.port, source=OTHER),
    ):
        await until(lambda: server.open == 2)
        response = await ask(server.port, request("GET", "/api/chat"), source=OTHER)
        assert response.status == 429
        assert response.json["message"].startswith("Your address has too many connections.")
        # Others are not touched
        response = await ask(server.port, request("GET", "/api/chat"))
        assert response.status == 405


async def test_a_connection_that_ends_is_counted_no_more() -> None:
    async with listening(server={"limits": {"address": 1}, **NOT_LOCAL}) as server:
        for _ in range(3):
            assert (await ask(server.port, request("GET", "/api/chat"))).status == 405
            await until(lambda: server.open == 0)


async def test_behind_a_proxy_requests_are_counted_by_the_address_it_forwards() -> None:
    slow = Slow()
    async with (
        listening(slow, server={"limits": {"address": 2}}) as server,
        AsyncExitStack() as stack,
    ):

        async def get(path: str, forwarded: str) -> HostileClient:
            client = await stack.enter_async_context(connected(server.port))
            await client.send(request("GET", path, X_Forwarded_For=forwarded))
            return client

        for port in (1, 2):
            await get("/wait", f"198.51.100.9, 192.0.2.7:{port}")
        await until(lambda: slow.running == 2)
        refused = await (await get("/healthz", "192.0.2.7")).response()
        assert refused.status == 429
        assert refused.json["message"].startswith("Your address has too many requests running.")
        # The client's own words before the proxy's do not matter
        assert (await (await get("/healthz", "192.0.2.7, 192.0.2.8")).response()).status == 200
        assert (await ask(server.port, request("GET", "/healthz"))).status == 200
        slow.go_on.set()
        await until(lambda: slow.running == 0)
        assert (await (await get("/healthz", "192.0.2.7")).response()).status == 200


async def test_who_is_no_proxy_is_not_believed() -> None:
    slow = Slow()
    server = {"limits": {"address": 1}, **NOT_LOCAL}
    async with listening(slow, server=server) as listens, connected(listens.port) as client:
        await client.send(request("GET", "/wait", X_Forwarded_For="192.0.2.7"))
        await until(lambda: slow.running == 1)
        other = request("GET", "/healthz", X_Forwarded_For="192.0.2.8")
        assert (await ask(listens.port, other, source=OTHER)).status == 200
        assert (await ask(listens.port, request("GET", "/api/chat"))).status == 429


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("10.0.0.1, 192.0.2.7", "192.0.2.7"),
        ("192.0.2.7, 10.0.0.1", "192.0.2.7"),
        ("192.0.2.7:1234", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1:2:3:4", "2001:db8::/64"),
        ("[2001:db8::1]:80", "2001:db8::/64"),
        ("10.0.0.1", None),
        ("", None),
        ("unknown", "10.0.0.9"),
        ("192.0.2.7, ", "10.0.0.9"),
        ("192.0.2.7, \udcff", "10.0.0.9"),
        ("1.2.3.4, " * 1000 + "192.0.2.7", "192.0.2.7"),
        ("10.0.0.1, " * 1000, "10.0.0.9"),
    ],
)
def test_the_client_of_a_proxy(forwarded: str, client: str | None) -> None:
    assert Proxies(["10.0.0.0/8", "::1"]).client("10.0.0.9", [forwarded]) == client


def test_an_ipv6_client_counts_as_its_network() -> None:
    assert network_of("2001:db8:0:1:ffff::1") == network_of("2001:db8:0:1::2")
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8:0:2::1")
    assert network_of("fe80::1%eth0") == "fe80::/64"
    assert network_of("::ffff:192.0.2.7") == "192.0.2.7"
    assert network_of("") is None


# Files


@contextmanager
def at_most_files(soft: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_of_files_is_raised() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with at_most_files(256):
        assert raise_file_limit() == min(hard, MOST_FILES)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(hard, MOST_FILES)
        assert raise_file_limit() == min(hard, MOST_FILES)


async def test_a_full_table_of_files_is_a_few_lines_in_the_log(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(
        "server: {limits: {connections: 1000}}\n"
        "plugins: {anonymous_auth: , demo_model: , tortoise_store: {url: 'sqlite://:memory:'}}\n"
    )
    few = ("sh", "-c", 'ulimit -n 80 && exec "$@"', "sh", *MODULE)
    async with running(tmp_path, command=few) as server, AsyncExitStack() as stack:
        port = int(server.url.rpartition(":")[2])
        first = await stack.enter_async_context(connected(port))
        await first.send(request("GET", "/healthz"))
        assert (await first.response()).status == 200
        async with AsyncExitStack() as flood:
            for _ in range(120):
                await flood.enter_async_context(connected(port))
            await server.process.line("cannot accept connections: Too many open files")
            await first.send(request("GET", "/healthz"))
            assert (await first.response()).status == 200
        assert await healthy(port)
        assert len(server.process.errors) < 30
        assert "Traceback" not in server.process.said
