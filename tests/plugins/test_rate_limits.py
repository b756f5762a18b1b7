"""The plugin `rate_limits`, with a real Redis: several servers count together."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import signal
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from chatkit_plugins.rate_limits import Config, Plugin, leases
from chatkit_plugins.rate_limits.local import LocalCounts
from chatkit_plugins.rate_limits.refusals import used_up
from chatkit_plugins.rate_limits.windows import who
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from chatkit_server import (
    HOOKS,
    Conflict,
    Finding,
    Settings,
    SettingsError,
    TooManyRequests,
    Turn,
    User,
    hookimpl,
)
from chatkit_server.app import create_app
from chatkit_server.storage import MemoryTurnStore, TurnStore
from chatkit_server.testing.memory_store import MemoryStorePlugin
from chatkit_server.testing.model_server import Gate, ModelServer
from tests.client import Chat
from tests.conftest import MakeChat
from tests.mcp_calls import until
from tests.ports import free_port
from tests.processes import Server, running
from tests.redis_server import RedisServer, redis_server
from tests.serving import served_by

PLAIN = {"messages": [{"role": "user", "content": "hello"}]}
MANY = {"X-User": "acme/bob"}
PATIENT = "20s"
"""A `timeout` that a busy machine does not reach."""

Make = Callable[..., Any]


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    async with redis_server() as server:
        yield server


@pytest.fixture
def make(make_chat: MakeChat, redis: RedisServer) -> Make:
    """Return what makes a server with the plugin, counting in the test's Redis."""

    async def make(*given: object, turns: Any = None, agent: Any = None, **limits: Any) -> Chat:
        sections: dict[str, Any] = agent or {"plugins": {}}
        plugin = {"url": redis.url, "timeout": PATIENT, **limits}
        plugins = {**sections["plugins"], "rate_limits": plugin}
        sections = {**sections, "plugins": plugins, "turns": turns or {}}
        if not agent:
            plugins["demo_model"] = {"pace": "1ms"}
        return await make_chat(*given, **sections)

    return make


def plugin_of(chat: Chat) -> Plugin:
    """Return the plugin of a server."""
    plugins = dict(chat.client.app[HOOKS].plugins)
    found = plugins["rate_limits"]
    assert isinstance(found, Plugin)
    return found


async def threads(chat: Chat) -> int:
    return len((await chat.ask("threads.list"))["data"])


async def refused(chat: Chat, body: Any = PLAIN, **kwargs: Any) -> tuple[int, str, int]:
    """Return the status, the message, and the seconds of `Retry-After`."""
    response = await chat.post(body, **kwargs)
    message = (await response.json())["message"]
    return response.status, message, int(response.headers["Retry-After"])


async def text_of(chat: Chat, user: str) -> str:
    """Return the answer that a user gets."""
    return (await chat.read(await chat.post(PLAIN, headers={"X-User": user}))).text


class Shares:
    """Brings a store and a turn store that several servers share."""

    def __init__(self) -> None:
        self.memory = MemoryStorePlugin().memory
        self.turns = MemoryTurnStore()

    @hookimpl
    def store(self) -> Any:
        return self.memory

    @hookimpl
    def turn_store(self) -> TurnStore:
        return self.turns


class Refuses:
    """Refuses turns after they were let in, while it is told to."""

    def __init__(self) -> None:
        self.refuses = True

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        if self.refuses:
            raise Conflict("Closed.")


# Requests


async def test_requests_of_a_user_count_in_all_processes(make: Make) -> None:
    one, two = [await make(Shares(), requests={"user": "3/minute"}) for _ in range(2)]
    for chat in (one, two, one):
        assert (await chat.say("hello")).error is None
    for chat in (one, two):
        status, message, seconds = await refused(chat)
        assert status == 429
        assert 0 < seconds <= 61
        assert message == (
            f"You have sent as many messages as you may for now. Try again in {seconds} seconds."
        )
    # As ChatKit says it, and in German
    params = {
        "input": {
            "content": [{"type": "input_text", "text": "hello"}],
            "attachments": [],
            "inference_options": {},
        }
    }
    create = {"type": "threads.create", "params": params}
    status, message, _ = await refused(two, create, headers={"Accept-Language": "de"})
    assert (status, message.partition(".")[0]) == (
        429,
        "Sie haben so viele Nachrichten gesendet, wie derzeit möglich ist",
    )
    assert (await threads(one), await threads(two)) == (2, 1), "nothing is written"
    response = await two.post(PLAIN, headers=MANY)
    assert response.status == 200, "another user"
    await response.read()


async def test_a_tenant_and_the_server_have_limits_too(make: Make) -> None:
    chat = await make(requests={"tenant": "2/hour", "server": "3/day"})
    for user in ("acme/ann", "acme/bob", "umbrella/ann"):
        response = await chat.post(PLAIN, headers={"X-User": user})
        assert response.status == 200
        await response.read()
    status, message, seconds = await refused(chat, headers={"X-User": "acme/carl"})
    assert (status, message) == (
        503,
        "The server has answered as much as it may for now. Try again in 24 hours.",
    ), "the window that ends last counts"
    assert 86_000 < seconds <= 86_401


async def test_users_of_a_tenant_are_told_of_it(make: Make) -> None:
    chat = await make(requests={"tenant": "1/hour"})
    assert (await chat.plain("hello")).data
    status, message, seconds = await refused(chat, headers={"X-User": "other"})
    assert (status, message) == (
        429,
        "Your organization has sent as many messages as it may for now. Try again in 60 minutes.",
    )
    assert 3500 < seconds <= 3601


async def test_what_a_tenant_refuses_does_not_count_for_the_user(
    make: Make, redis: RedisServer
) -> None:
    chat = await make(requests={"user": "5/hour", "tenant": "1/hour", "server": "9/hour"})
    await chat.plain("hello")
    for _ in range(3):
        assert (await refused(chat))[0] == 429
    async with redis.client() as client:
        found = {key.split("/")[2]: int(await client.get(key)) for key in await client.keys("*/*")}
    assert found == {"user": 1, "tenant": 1, "server": 1}


async def test_a_request_that_starts_no_turn_does_not_count(
    make: Make, model_server: ModelServer
) -> None:
    closed = Refuses()
    chat = await make(closed, requests={"user": "1/hour"})
    for _ in range(3):
        assert (await chat.refused(PLAIN)) == (409, "Closed.")
    closed.refuses = False
    chat.headers["Idempotency-Key"] = "k"
    first = await chat.post(PLAIN)
    again = await chat.post(PLAIN)
    assert first.headers["X-Turn-Id"] == again.headers["X-Turn-Id"], "it joins the turn"
    await asyncio.gather(first.read(), again.read())
    del chat.headers["Idempotency-Key"]
    assert (await chat.ask("threads.list"))["data"]
    assert (await refused(chat))[0] == 429


async def test_a_window_that_ends_lets_in_again_after_as_long_as_it_said(make: Make) -> None:
    chat = await make(requests={"user": "1/second"})
    # On a busy machine, the second may be over before the next request
    while (response := await chat.post(PLAIN)).status == 200:
        await response.read()
    seconds = int(response.headers["Retry-After"])
    assert 1 <= seconds <= 2
    promised = time.monotonic() + seconds
    while True:
        asked = time.monotonic()
        response = await chat.post(PLAIN)
        await response.read()
        if response.status == 200:
            break
        assert asked < promised


# Tokens


async def test_tokens_count_at_the_end_and_refuse_the_next_turn(
    make: Make, model_server: ModelServer
) -> None:
    agent = served_by(model_server)
    one, two = [await make(agent=agent, tokens={"user": "50/day"}) for _ in range(2)]
    model_server.reply(*["word "] * 60)
    assert (await one.plain("hello")).data[-1]["usage"]["output_tokens"] == 60
    status, message, seconds = await refused(two)
    assert (status, message) == (429, "You have used up your quota. Try again in 24 hours.")
    assert 86_000 < seconds <= 86_401
    assert len(model_server.requests) == 1
    model_server.reply("Hello.")
    assert await text_of(two, "acme/bob") == "Hello."


async def test_a_stopped_turn_has_used_tokens_too(make: Make, model_server: ModelServer) -> None:
    turns = {"disconnect": {"policy": "cancel", "grace": "10ms"}}
    chat = await make(turns=turns, agent=served_by(model_server), tokens={"user": "10/day"})
    gate = Gate()
    model_server.reply(*["many words, and more of them "] * 10, gate, "end")
    response = await chat.post(PLAIN)
    await gate.reached()
    await response.content.readuntil(b"more of them")
    response.close()
    plugin = plugin_of(chat)
    await until(lambda: plugin.shared is not None and not plugin.shared.leases.held)
    gate.open()
    assert (await refused(chat))[:2] == (
        429,
        "You have used up your quota. Try again in 24 hours.",
    )


# Turns at once


async def test_turns_at_once_count_in_all_processes(
    make: Make, model_server: ModelServer, redis: RedisServer
) -> None:
    agent, turns = served_by(model_server), {"limits": {"user": 1, "tenant": 2, "server": 3}}
    one, two = [await make(agent=agent, turns=turns) for _ in range(2)]
    gate = Gate()
    for _ in range(4):
        model_server.reply("One, ", gate, "two.")
    started = [await one.post(PLAIN, headers={"X-User": "acme/ann"})]
    acme = "Your organization has 2 answers running or waiting. Wait until one of them ends."
    mine = "You have 1 answer running or waiting. Wait until it ends."
    assert await refused(two, headers={"X-User": "acme/ann"}) == (429, mine, 5)
    started.append(await two.post(PLAIN, headers={"X-User": "acme/bob"}))
    assert await refused(one, headers={"X-User": "acme/carl"}) == (429, acme, 5)
    started.append(await one.post(PLAIN, headers={"X-User": "umbrella/ann"}))
    assert await refused(two, headers={"X-User": "other/ann"}) == (
        503,
        "The server is busy. Try again in a moment.",
        5,
    )
    assert [response.status for response in started] == [200] * 3
    await redis.holds("chatkit:turns:server:all", 3)
    gate.open()
    await asyncio.gather(*(response.read() for response in started))
    assert await redis.keys("*:turns:*") == [], "the client knows when the place is free"
    assert await text_of(two, "acme/ann") == "One, two."


async def test_a_message_takes_the_place_of_the_answer_that_it_interrupts_elsewhere(
    make: Make, model_server: ModelServer
) -> None:
    shares = Shares()
    agent, turns = served_by(model_server), {"limits": {"user": 1}, "stale": "800ms"}
    one, two = [await make(shares, agent=agent, turns=turns) for _ in range(2)]
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    running = asyncio.create_task(one.say("Count"))
    await gate.reached()
    [thread] = (await two.ask("threads.list"))["data"]
    assert (await refused(two))[0] == 429, "in another conversation"
    model_server.reply("Stopped.")
    assert (await two.say("Stop", thread["id"])).text == "Stopped."
    assert (await running).error is not None
    gate.open()


async def test_as_many_interrupt_as_the_server_lets(redis: RedisServer) -> None:
    """Of those that wait in one thread, the first takes the place of what runs."""
    settings = Settings.model_validate({"turns": {"limits": {"user": 2}}})
    async with redis.client() as client:
        held = leases.Leases(client, "p", settings)
        ann = who(User("ann"))
        for thread_id in ("thr_1", "thr_1", "thr_2"):
            await held.take(held.new(ann, thread_id, beside=False))
        for thread_id, beside in (("thr_1", False), ("thr_3", False), ("thr_2", True)):
            with pytest.raises(Exception, match="You have 2 answers"):
                await held.take(held.new(ann, thread_id, beside=beside))
        await held.take(held.new(ann, "thr_2", beside=False))
        await held.leave(*held.held)
        assert await client.keys("*") == []


async def test_one_dead_process_among_others(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE", 0.5)
    settings = Settings.model_validate({"turns": {"limits": {"user": 2}}})
    async with redis.client() as client:
        dead, alive = [leases.Leases(client, "p", settings) for _ in range(2)]
        ann = who(User("ann"))
        for number, process in enumerate((dead, alive)):
            await process.take(process.new(ann, f"thr_{number}", beside=False))
        third = alive.new(ann, "thr_3", beside=False)
        async with asyncio.timeout(20):
            while third not in alive.held:
                with suppress(TooManyRequests):
                    await alive.take(third)
                await alive.renew()
        assert len(alive.held) == 2, "its own place is held all the time"
        with pytest.raises(TooManyRequests):
            await alive.take(alive.new(ann, "thr_4", beside=False))


async def test_what_was_left_while_it_was_renewed_does_not_come_back(redis: RedisServer) -> None:
    settings = Settings()
    async with redis.client() as client:
        held = leases.Leases(client, "p", settings)
        lease = held.new(who(User("ann")), "thr_1", beside=False)
        await held.take(lease)
        renewing = asyncio.create_task(held.renew())
        await asyncio.sleep(0)
        held.held.discard(lease)
        await renewing
        assert await client.keys("*") == []


@pytest.fixture
def settings_file(tmp_path: Path, redis: RedisServer, model_server: ModelServer) -> Path:
    """A folder with the settings of a deployment of several processes."""
    sections = served_by(model_server)
    sections["plugins"] |= {
        "tortoise_store": {"url": f"sqlite://{tmp_path}/chat.db"},
        "anonymous_auth": None,
        "rate_limits": {"url": redis.url, "timeout": PATIENT, "requests": {"user": "3/hour"}},
    }
    sections["turns"] = {"limits": {"user": 1}}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(sections))
    return tmp_path


async def test_kill_9(settings_file: Path, model_server: ModelServer, redis: RedisServer) -> None:
    """A dead process holds its places for some seconds, and what it has counted stays."""
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    async with asyncio.TaskGroup() as group:
        stack = [group.create_task(_entered(settings_file)) for _ in range(2)]
    (one, end_one), (two, end_two) = [task.result() for task in stack]
    try:
        await one.process.line("counted for all processes, in Redis at redis://")
        response = await one.chat().post(PLAIN)
        assert response.status == 200
        await gate.reached()
        assert (await refused(two.chat()))[1].startswith("You have 1 answer running")
        await one.stop(signal.SIGKILL)
        assert (await refused(two.chat()))[0] == 429
        await redis.holds("chatkit:turns:server:all", 0)
        model_server.reply("Hello.")
        model_server.reply("Hello.")
        for _ in range(2):
            assert (await two.chat().plain("hello")).text == "Hello."
        assert (await refused(two.chat()))[1].startswith("You have sent as many messages")
    finally:
        gate.open()
        await asyncio.gather(end_one(), end_two())


async def _entered(folder: Path) -> tuple[Server, Callable[[], Any]]:
    context = running(folder)
    server = await context.__aenter__()
    return server, lambda: context.__aexit__(None, None, None)


# Without Redis


async def test_without_a_url_each_process_counts_alone_and_says_so(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    one, two = [await make(url="", requests={"user": "1/hour"}) for _ in range(2)]
    assert caplog.text.count("counted in each process alone") == 2
    for chat in (one, two):
        await chat.plain("hello")
        assert (await refused(chat))[0] == 429
    [finding] = await plugin_of(one).check(online=False)
    assert finding.level == "notice"
    assert "counted in each process alone" in finding.problem


async def test_while_redis_is_down_each_process_counts_alone(
    make: Make,
    model_server: ModelServer,
    redis: RedisServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chatkit_plugins.rate_limits.shared.RENEWAL", 0.02)
    caplog.set_level(logging.INFO)
    agent = served_by(model_server)
    chat = await make(agent=agent, requests={"user": "3/hour"}, tokens={"user": "9999/day"})
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    response = await chat.post(PLAIN)
    await gate.reached()
    await redis.stop()
    model_server.reply("Hello.")
    for _ in range(2):
        assert (await chat.plain("hello")).data[-1]["status"] == "completed"
        model_server.reply("Hello.")
    assert (await refused(chat))[0] == 429, "with what it counted before"
    assert caplog.text.count("does not answer: this process counts") == 1
    ready = await chat.client.get("/readyz?verbose")
    assert ready.status == 200
    state = (await ready.json())["parts"]["rate_limits"]["state"]
    assert state.startswith("degraded: Redis does not answer")
    await redis.start()
    await redis.holds("chatkit:turns:server:all", 1)
    await until(lambda: "answers again" in caplog.text)
    async with redis.client() as client:
        [key] = await client.keys("*tokens*")
        assert int(await client.get(key)) > 0, "it learns what was used meanwhile"
    ready = await chat.client.get("/readyz?verbose")
    gate.open()
    await response.read()
    assert await redis.keys("*:turns:*") == []


async def test_a_redis_that_is_silent_delays_one_turn_for_the_timeout(
    make: Make, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make(timeout="100ms", requests={"user": "9/hour"})
    await chat.plain("hello")
    redis.pause()
    began = time.monotonic()
    await chat.plain("hello")
    assert time.monotonic() - began < 30
    plugin = plugin_of(chat)
    assert plugin.shared is not None
    assert not plugin.shared.link.is_up
    assert "no answer within 0.1 s" in caplog.text
    await chat.plain("hello")
    redis.go_on()


async def test_a_redis_that_is_not_there_yet(
    make: Make, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatkit_plugins.rate_limits.shared.RENEWAL", 0.02)
    await redis.stop()
    chat = await make(requests={"user": "1/hour"})
    await chat.plain("hello")
    plugin = plugin_of(chat)
    [finding] = await plugin.check(online=True)
    assert finding.level == "error"
    await redis.start()
    await until(lambda: plugin.shared is not None and plugin.shared.link.is_up)
    [finding] = await plugin.check(online=True)
    assert finding == Finding(f"Redis at {redis.url} counts for all processes", level="ok")


async def test_a_redis_that_restarts_loses_counts_and_refuses_nobody(
    make: Make, redis: RedisServer
) -> None:
    chat = await make(requests={"user": "1/hour"})
    await chat.plain("hello")
    await redis.stop()
    await redis.start()
    assert (await chat.plain("hello")).data[-1]["status"] == "completed"
    assert (await refused(chat))[0] == 429
    plugin = plugin_of(chat)
    assert plugin.shared is not None
    assert plugin.shared.link.is_up, "it connects anew, at once"


# Mistakes


async def mistake(url: str) -> str:
    """Return what the start says of a URL that it refuses."""
    plugins = {"rate_limits": {"url": url}, "demo_model": None, "anonymous_auth": None}
    plugins["tortoise_store"] = {"url": "sqlite://:memory:"}
    runner = web.AppRunner(create_app(Settings.model_validate({"plugins": plugins})))
    try:
        with pytest.raises(SettingsError) as raised:
            await runner.setup()
    finally:
        await runner.cleanup()
    return str(raised.value)


async def test_a_wrong_password_stops_the_start() -> None:
    port = free_port()
    async with redis_server("--requirepass", "secret", port=port):
        for login in ("", ":wrong@"):
            told = await mistake(f"redis://{login}127.0.0.1:{port}")
            assert told.startswith("plugin rate_limits: url: redis://127.0.0.1:")
            assert "refuses the user or the password" in told
            assert "wrong" not in told
        told = await mistake(f"redis://:secret@127.0.0.1:{port}/99")
        assert "there is no such database" in told


async def test_tls_where_there_is_none(
    caplog: pytest.LogCaptureFixture, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis waits for the end of what to it is a command; others say so at once."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"-ERR Protocol error\r\n")
        writer.close()

    async with listening(answer) as port:
        assert "does not speak TLS" in await mistake(f"rediss://127.0.0.1:{port}")
    monkeypatch.setattr("chatkit_plugins.rate_limits.link.PATIENCE", 0.1)
    port = free_port()
    async with redis_server(port=port):
        chat = await make(url=f"rediss://127.0.0.1:{port}")
        assert "no answer within 0.1 s; if it has no TLS there, write redis://" in caplog.text
        await chat.client.close()


async def test_a_replica_stops_the_start() -> None:
    port = free_port()
    async with redis_server("--replicaof", "127.0.0.1", "1", port=port):
        assert "is a replica" in await mistake(f"redis://127.0.0.1:{port}")


async def test_what_is_not_redis_stops_the_start() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with listening(answer) as port:
        assert "is not Redis, or it wants TLS" in await mistake(f"redis://127.0.0.1:{port}")


@asynccontextmanager
async def listening(answer: Any, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


def certified(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return the TLS of a server on this machine, and the file of its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    pem = serialization.Encoding.PEM
    file.write_bytes(certificate.public_bytes(pem))
    key_file = folder / "key.pem"
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key_file.write_bytes(private)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file, key_file)
    return context, file


async def test_tls(make: Make, redis: RedisServer, tmp_path: Path) -> None:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_unix_connection(redis.socket)
        try:
            await asyncio.wait(
                [
                    asyncio.create_task(pass_on(reader, outer)),
                    asyncio.create_task(pass_on(inner, writer)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            outer.close()
            writer.close()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)

    context, file = certified(tmp_path)
    async with listening(relay, context) as port:
        told = await mistake(f"rediss://127.0.0.1:{port}")
        assert "is not trusted" in told
        assert "ssl_ca_certs=FILE" in told
        url = f"rediss://127.0.0.1:{port}?ssl_ca_certs={file}"
        chat = await make(url=url, requests={"user": "1/hour"})
        await chat.plain("hello")
        assert await redis.keys("*requests*")
        await chat.client.close()


async def test_sentinels(make: Make, tmp_path: Path) -> None:
    port, watch = free_port(), free_port()
    async with redis_server(port=port) as redis:
        watched = tmp_path / "sentinel.conf"
        watched.write_text(f"port {watch}\nsentinel monitor main 127.0.0.1 {port} 1\n")
        async with redis_server(port=watch, sentinel=watched):
            told = await mistake(f"redis+sentinel://127.0.0.1:{watch}/other")
            assert "know no master `other`" in told
            url = f"redis+sentinel://127.0.0.1:{watch},127.0.0.1:1/main"
            chat = await make(url=url, requests={"user": "1/hour"})
            await chat.plain("hello")
            assert await redis.keys("*requests*")
            await chat.client.close()


@pytest.mark.parametrize("limit", ["20", "20/fortnight", 20, "0/minute", True, "20/minute;"])
def test_limits_that_cannot_be_meant(limit: object) -> None:
    with pytest.raises(ValidationError, match=r"limit"):
        Config.model_validate({"requests": {"user": limit}})


def test_several_windows() -> None:
    limits = {"user": "20/minute; 500 per 2 days", "tenant": "", "server": None}
    config = Config.model_validate({"requests": limits})
    assert config.requests.user is not None
    assert (config.requests.tenant, config.requests.server) == (None, None)
    assert [str(item) for item in config.requests.user] == ["20 per 1 minute", "500 per 2 day"]


def test_without_its_packages_the_plugin_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name in [name for name in sys.modules if name.startswith("chatkit_plugins.rate_limits")]:
        monkeypatch.delitem(sys.modules, name)
    told = r"^not installed: limits, redis\. Run `pip install 'chatkit-server\[redis\]'`$"
    with pytest.raises(SettingsError, match=told):
        importlib.import_module("chatkit_plugins.rate_limits")


# Parts


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (1, "1 second."),
        (90, "90 seconds."),
        (91, "2 minutes."),
        (5400, "90 minutes."),
        (5401, "2 hours."),
        (172_800, "48 hours."),
        (172_801, "3 days."),
    ],
)
def test_when_to_try_again(seconds: int, told: str) -> None:
    error = used_up("tokens", "tenant", seconds)
    assert error.message == f"Your organization has used up its quota. Try again in {told}"
    assert error.headers == {"Retry-After": str(seconds)}


async def test_counts_in_memory_end_with_their_windows() -> None:
    counts = LocalCounts()
    for n in range(999):
        await counts.incr(f"short{n}", 0)
    assert len(counts) == 999
    assert await counts.get("short1") == 0
    assert await counts.incr("long", 60, amount=5) == 5
    assert len(counts) == 1, "ended windows are swept"
    assert await counts.incr("long", 60, amount=-2) == 3
    assert await counts.get_expiry("long") > time.time() + 50
    await counts.clear("long")
    assert (await counts.get("long"), await counts.reset(), await counts.check()) == (0, 0, True)


def test_redis_learns_no_names() -> None:
    assert who(User("ann", "acme")) != who(User("ann"))
    assert who(User("b", "a/")) != who(User("/b", "a"))
    assert "ann" not in json.dumps(dict(who(User("ann", "acme"))))
