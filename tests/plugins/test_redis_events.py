"""Events of turns through a real Redis: what arrives, and what does not when Redis fails."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from chatkit_plugins.redis_events import Config, Plugin, RedisEventLog
from chatkit_plugins.redis_events import link as redis_link
from chatkit_plugins.redis_events import writer as redis_writer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chatkit_server.storage import Part
from tests.mcp_calls import until
from tests.redis_server import RedisServer, redis_server

TURN = "turn_1"


def event(number: int, size: int = 0) -> tuple[int, bytes]:
    data = b"x" * size
    return number, b"id: %b:%d\ndata: {%b}\n\n" % (TURN.encode(), number, data)


@pytest.fixture
async def server() -> AsyncIterator[RedisServer]:
    async with redis_server() as server:
        yield server


@asynccontextmanager
async def connected(url: str, **settings: object) -> AsyncIterator[RedisEventLog]:
    """Return the event log of one process."""
    log = RedisEventLog(Config.model_validate({"url": url, **settings}))
    async with log.run(lambda turn, word: None):
        yield log


class Follower:
    """Follows a turn; `heard` are the numbers of its events."""

    def __init__(self, log: RedisEventLog, after: int = 0) -> None:
        self.parts: list[Part] = []
        self.idle = 0
        self.task = asyncio.create_task(self._follow(log, after))

    async def _follow(self, log: RedisEventLog, after: int) -> None:
        async with aclosing(log.follow(TURN, after)) as parts:
            async for part in parts:
                if part is None:
                    self.idle += 1
                else:
                    self.parts.append(part)

    @property
    def heard(self) -> list[tuple[int, int]]:
        """The first and the last number of each part with events."""
        return [(part.first, part.last) for part in self.parts if part.frames]

    async def until(self, last: int) -> None:
        """Wait until this event has come."""
        await until(lambda: any(part.last >= last for part in self.parts))

    async def end(self) -> str | None:
        """Wait until the turn has ended, and return how."""
        async with asyncio.timeout(20):
            await self.task
        return self.parts[-1].status


async def test_events_that_come_together_are_one_entry(server: RedisServer) -> None:
    async with connected(server.url) as one, connected(server.url) as other:
        for number in range(1, 6):
            one.append(TURN, 1, [event(number)])
        follower = Follower(other)
        await follower.until(5)
        assert follower.heard == [(1, 5)]
        assert follower.parts[0].frames == b"".join(event(n)[1] for n in range(1, 6))
        assert await server.command("XLEN", f"chatkit:turn:{TURN}") == 1
        one.end(TURN, 1, "completed")
        assert await follower.end() == "completed"


async def test_one_connection_reads_all_turns_for_all_followers(server: RedisServer) -> None:
    async with connected(server.url) as one, connected(server.url) as other:
        one.append(TURN, 1, [event(1)])
        followers = [Follower(other) for _ in range(20)]
        for follower in followers:
            await follower.until(1)
        clients = str(await server.command("CLIENT", "LIST"))
        assert clients.count("cmd=xread") <= 1
        one.append(TURN, 1, [event(2)])
        for follower in followers:
            await follower.until(2)
        one.end(TURN, 1, "completed")
        for follower in followers:
            assert await follower.end() == "completed"
        assert not other._reader._turns


async def test_keys_end_after_their_time_and_keep_the_newest_events(server: RedisServer) -> None:
    async with connected(server.url, ttl="60s", max_events=100) as one:
        for number in range(1, 2001):
            one.append(TURN, 1, [event(number)])
            if number % 20 == 0:
                await asyncio.sleep(0.001)
        key = f"chatkit:turn:{TURN}"

        async def newest() -> int:
            rows = await server.command("XREVRANGE", key, "+", "-", "COUNT", 1)
            return int(rows[0][0].partition(b"-")[2]) // 4 if rows else 0

        async with asyncio.timeout(20):
            while await newest() < 2000:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert 0 < int(await server.command("PTTL", key)) <= 60_000
        follower = Follower(one)
        await follower.until(2000)
        first, last = follower.heard[0][0], follower.heard[-1][1]
        assert last == 2000
        # Redis trims whole blocks of entries
        assert 1 <= first <= 1901
        one.end(TURN, 1, "completed")
        await follower.end()


async def test_a_redis_that_is_away_costs_nothing_but_time(server: RedisServer) -> None:
    async with connected(server.url) as one, connected(server.url) as other:
        follower = Follower(other)
        one.append(TURN, 1, [event(1)])
        await follower.until(1)
        await server.stop()
        one.append(TURN, 1, [event(2)])
        await until(lambda: one.problem is not None and other.problem is not None)
        assert not one.is_live
        assert not await one.signal(TURN, "cancel")
        idle = follower.idle
        await until(lambda: follower.idle > idle)
        await server.start()
        one.append(TURN, 1, [event(3)])
        await follower.until(3)
        assert follower.heard[-1][1] == 3
        assert [first for first, _ in follower.heard][:2] == [1, 2]
        await until(lambda: one.is_live and other.is_live)
        one.end(TURN, 1, "completed")
        assert await follower.end() == "completed"


async def test_a_connection_that_the_server_closed_is_no_outage(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(server.url) as one:

        async def written(number: int) -> None:
            one.append(TURN, 1, [event(number)])
            async with asyncio.timeout(20):
                while await server.command("XLEN", f"chatkit:turn:{TURN}") < number:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

        await written(1)
        await server.command("CLIENT", "KILL", "TYPE", "normal")
        await asyncio.sleep(redis_link.IDLE + 0.1)
        await written(2)
        assert one.is_live
        assert not caplog.records


async def test_a_connection_that_was_closed_before_somebody_follows_is_no_outage(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(server.url) as one, connected(server.url) as other:
        for number in (1, 2, 3):
            one.append(TURN, 1, [event(number)])
            follower = Follower(other)
            await follower.until(number)
            follower.task.cancel()
            await asyncio.gather(follower.task, return_exceptions=True)
            await server.command("CLIENT", "KILL", "TYPE", "normal")
            # The writer's own connection, which it may have just used, is looked at after a while
            await asyncio.sleep(redis_link.IDLE + 0.1)
        assert other.is_live
        assert not caplog.records


async def test_what_a_silent_redis_did_not_acknowledge_comes_once(server: RedisServer) -> None:
    async with connected(server.url, timeout="200ms") as one, connected(server.url) as other:
        one.append(TURN, 1, [event(1)])
        follower = Follower(other)
        await follower.until(1)
        server.pause()
        one.append(TURN, 1, [event(2)])
        await until(lambda: one.problem is not None)
        one.append(TURN, 1, [event(3)])
        server.go_on()
        await follower.until(3)
        one.end(TURN, 1, "completed")
        assert await follower.end() == "completed"
        assert [first for first, _ in follower.heard] == [1, 2, 3]


@pytest.mark.parametrize("is_closed", [False, True])
async def test_many_writes_are_acknowledged_together(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch, is_closed: bool
) -> None:
    """Also where the connection is closed before most answers are read: then they come again."""
    counts = {"sent": 0, "read": 0}
    send, answers = redis_link.Link.send, redis_link.Link.answers
    everything = 40

    async def counted_send(link: redis_link.Link, commands: bytes, count: int) -> None:
        await send(link, commands, count)
        if b"EVALSHA" in commands:
            counts["sent"] += 1
            if counts["sent"] < everything:
                # There is always more to write
                one.append(TURN, 1, [event(counts["sent"] + 1)])
            if is_closed and counts["sent"] == 25:
                await server.command("CLIENT", "KILL", "TYPE", "normal")

    async def counted_answers(link: redis_link.Link) -> Any:
        counts["read"] += 1
        return await answers(link)

    monkeypatch.setattr(redis_link.Link, "send", counted_send)
    monkeypatch.setattr(redis_link.Link, "answers", counted_answers)
    async with connected(server.url, flush="1ms") as one:
        one.append(TURN, 1, [event(1)])
        await until(lambda: counts["sent"] >= everything)
        follower = Follower(one)
        one.end(TURN, 1, "completed")
        assert await follower.end() == "completed"
    heard = [number for first, last in follower.heard for number in range(first, last + 1)]
    assert heard == list(range(1, len(heard) + 1))
    assert len(heard) >= everything - is_closed
    # Where each is read by itself, there are more than forty
    assert counts["read"] <= 12


async def test_what_was_flushed_is_a_gap_that_can_be_seen(server: RedisServer) -> None:
    async with connected(server.url) as one, connected(server.url) as other:
        follower = Follower(other)
        for number in (1, 2, 3):
            one.append(TURN, 1, [event(number)])
            await follower.until(number)
        await server.command("FLUSHALL")
        await server.command("SCRIPT", "FLUSH")
        one.append(TURN, 1, [event(4)])
        await follower.until(4)
        late = Follower(other)
        await late.until(4)
        assert late.heard == [(4, 4)]
        one.end(TURN, 1, "completed")
        assert await follower.end() == await late.end() == "completed"


async def test_a_full_redis_leaves_events_out(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(server.url) as one, connected(server.url) as other:
        one.append(TURN, 1, [event(1)])
        follower = Follower(other)
        await follower.until(1)
        await server.command("CONFIG", "SET", "maxmemory", "1")
        one.append(TURN, 1, [event(2)])
        await until(lambda: "refuses writes: it is full" in caplog.text)
        silent = follower.idle
        # What can be read says nothing of what can be written
        await until(lambda: follower.idle > silent)
        assert one.problem is not None
        assert one.problem.startswith("Redis refuses writes: it is full")
        assert "does not answer" not in caplog.text
        await server.command("CONFIG", "SET", "maxmemory", "0")
        one.append(TURN, 1, [event(3)])
        await follower.until(3)
        await until(lambda: one.problem is None)
        one.end(TURN, 1, "completed")
        assert await follower.end() == "completed"


async def test_a_stop_at_any_moment_of_the_start_is_a_stop(server: RedisServer) -> None:
    for moments in range(60):
        async with asyncio.timeout(5):
            async with connected(server.url) as one:
                one.watch("place", lambda news: None)
                for _ in range(moments):
                    await asyncio.sleep(0)


async def test_what_waits_for_redis_has_a_limit(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_writer, "MOST_WAITING", 100_000)
    async with connected(server.url) as one, connected(server.url) as other:
        one.append(TURN, 1, [event(1)])
        follower = Follower(other)
        await follower.until(1)
        await server.stop()
        for number in range(2, 1000):
            one.append(TURN, 1, [event(number, 1000)])
            assert one._writer._size <= 101_100
        await until(lambda: not one.is_live)
        one.end(TURN, 1, "completed")
        await server.start()
        assert await follower.end() == "completed"
        assert follower.parts[-1].last == 999


async def test_an_older_attempt_is_refused(server: RedisServer) -> None:
    async with connected(server.url) as old, connected(server.url) as new:
        old.append(TURN, 1, [event(1)])
        follower = Follower(new)
        await follower.until(1)
        new.end(TURN, 2, "interrupted")
        assert await follower.end() == "interrupted"
        old.append(TURN, 1, [event(2)])
        old.end(TURN, 1, "completed")
        await old.signal(TURN, "look")
        other = Follower(new)
        assert await other.end() == "interrupted"
        assert other.heard == [(1, 1)]


async def test_watchers_are_told_that_they_may_have_missed_something(server: RedisServer) -> None:
    async with connected(server.url) as one, connected(server.url) as other:
        heard: list[str] = []
        near: list[str] = []
        other.watch("place", heard.append)
        one.watch("place", near.append)

        def tell() -> bool:
            one.tell("place", "hello")
            return "hello" in heard

        await until(tell)
        await server.stop()
        one.tell("place", "lost")
        assert near[-1] == "lost", "those of this process hear it at once"
        heard.clear()
        await server.start()
        await until(lambda: "" in heard)
        await until(tell)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for this machine, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_file, key_file


@asynccontextmanager
async def tls_front(target: int, certificate: tuple[Path, Path]) -> AsyncIterator[int]:
    """Pass TLS connections on to a port; return the port that takes them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(pipe(reader, behind[1]), pipe(behind[0], writer))

    front = await asyncio.start_server(serve, "localhost", 0, ssl=context)
    try:
        yield int(front.sockets[0].getsockname()[1])
    finally:
        front.close()


async def passes(url: str) -> None:
    """Check that events pass through this Redis."""
    async with connected(url) as one, connected(url) as other:
        follower = Follower(other)
        one.append(TURN, 1, [event(1)])
        one.end(TURN, 1, "completed")
        assert await follower.end() == "completed"
        assert follower.heard == [(1, 1)]


async def test_tls(server: RedisServer, certificate: tuple[Path, Path]) -> None:
    async with tls_front(server.port, certificate) as port:
        trusted = f"rediss://localhost:{port}/0?ssl_ca_certs={certificate[0]}"
        await passes(trusted)
        [found] = await Plugin(Config(url=f"rediss://localhost:{port}/0")).check(online=True) or []
        assert "the certificate of" in str(found)


async def test_sentinel(server: RedisServer, tmp_path: Path) -> None:
    settings = tmp_path / "sentinel.conf"
    settings.write_text(f"sentinel monitor main 127.0.0.1 {server.port} 1\n")
    async with redis_server(sentinel=settings) as sentinel:
        await passes(f"redis+sentinel://127.0.0.1:{sentinel.port}/main")
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/other"
        [found] = await Plugin(Config(url=url)).check(online=True) or []
        assert "know no master `other`" in str(found)


async def test_what_check_says(server: RedisServer) -> None:
    async def said(url: str) -> str:
        [found] = await Plugin(Config(url=url)).check(online=True) or []
        return str(found)

    assert "takes writes" in await said(server.url)
    assert await Plugin(Config(url=server.url)).check(online=False) is None
    await server.command("CONFIG", "SET", "requirepass", "sesame")
    assert "refuses the user or the password" in await said(server.url)
    wrong = await said(server.url.replace("127", "u:wrong@127"))
    assert "password" in wrong
    assert "u:wrong" not in wrong
    assert "takes writes" in await said(server.url.replace("127", ":sesame@127"))
    await server.stop()
    assert "cannot be reached" in await said(server.url)


async def test_the_server_is_ready_without_redis(server: RedisServer) -> None:
    plugin = Plugin(Config(url=server.url))
    async with plugin.events.run(lambda turn, word: None):
        assert await plugin.ready() is None
        await server.stop()
        plugin.events.append(TURN, 1, [event(1)])
        await until(lambda: plugin.events.problem is not None)
        found = await plugin.ready()
        assert found is not None
        assert found.level == "warning"
        assert "Redis does not answer" in found.problem
