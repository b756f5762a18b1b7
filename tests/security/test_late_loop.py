"""A process whose event loop is late, or whose database was, is not taken for a dead one."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Sequence
from contextvars import copy_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from chatkit_server import User
from chatkit_server.settings.schema import TurnSettings
from chatkit_server.storage import HeartbeatSignal, MemoryTurnStore, TurnRecord
from chatkit_server.testing.model_server import Gate, ModelServer
from chatkit_server.turns.heartbeat import Heartbeat, HeartbeatTiming
from chatkit_server.turns.pulse import HUNG, Pulse
from chatkit_server.turns.registry import TurnRegistry
from tests.databases import DATABASES, new_url
from tests.processes import Server
from tests.processes import running as running_process
from tests.replicas import begin, request
from tests.serving import served_by
from tests.stores import query, running

STALE = 1.5

BLOCKING = """
import time

from aiohttp import web

from chatkit_server import hookimpl


async def block(request: web.Request) -> web.Response:
    time.sleep(float(request.query["seconds"]))
    return web.Response()


@hookimpl
def setup(app: web.Application) -> None:
    app.router.add_post("/block", block)
"""


def folder(where: Path, url: str, model_server: ModelServer) -> Path:
    """Write the settings of a server whose event loop can be blocked."""
    (where / "plugins").mkdir(parents=True)
    (where / "plugins" / "blocking.py").write_text(BLOCKING)
    sections = served_by(model_server)
    sections["plugins"] |= {
        "tortoise_store": {"url": url},
        "anonymous_auth": None,
        "blocking": None,
    }
    sections |= {"plugin_dirs": ["plugins"], "turns": {"stale": f"{STALE}s"}}
    (where / "settings.yaml").write_text(yaml.safe_dump(sections))
    return where


async def block(server: Server, seconds: float) -> None:
    """Block the event loop of a server."""
    async with server.session.post("/block", params={"seconds": str(seconds)}) as response:
        assert response.status == 200


@pytest.mark.parametrize("kind", DATABASES)
async def test_a_blocked_event_loop_loses_no_turn(
    kind: Any, tmp_path: Path, model_server: ModelServer
) -> None:
    url = new_url(kind, tmp_path)
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    async with (
        running_process(folder(tmp_path / "late", url, model_server)) as late,
        running_process(folder(tmp_path / "other", url, model_server)) as other,
    ):
        begun = await begin(late.chat(), request("Count"), "One, ")
        await block(late, 3 * STALE)
        status, turn = await other.get(f"/api/chat/turns/{begun.turn_id}")
        assert (status, turn["state"]) == (200, "running")
        gate.open()
        rest = await begun.rest()
        assert (rest.text, rest.error) == ("One, two.", None)
        assert "recovered turn" not in other.process.said + late.process.said


def timing(stale: float) -> tuple[float, float]:
    pace = HeartbeatTiming.of(stale)
    return pace.beat, pace.stale


def turns(*ids: str) -> Any:
    """Stand for a registry with these turns."""
    return SimpleNamespace(alive=[SimpleNamespace(id=id, attempt=1) for id in ids])


async def test_an_event_loop_that_hangs_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    happened: list[str] = []

    def note(record: logging.LogRecord) -> bool:
        happened.append(record.getMessage())
        return True

    caplog.handler.addFilter(note)

    class Noting(MemoryTurnStore):
        def keep_alive(self, beats: Sequence[HeartbeatSignal]) -> None:
            happened.append(",".join(beat.turn_id for beat in beats))

    stale = 0.1
    with Pulse(turns("turn_1", "turn_2"), Noting(), *timing(stale)).run():
        time.sleep(1.5 * HUNG * stale)  # noqa: ASYNC251
    assert happened[0] == "turn_1,turn_2"
    assert "the event loop hangs" in happened[-1]
    assert len([text for text in happened if "hangs" in text]) == 1


async def test_heartbeats_that_come_in_time_are_sent_once() -> None:
    class Never(MemoryTurnStore):
        def keep_alive(self, beats: Sequence[HeartbeatSignal]) -> None:
            raise AssertionError(beats)

    registry = TurnRegistry(TurnSettings())
    keeper = Heartbeat(registry, Never(), None, 600, HeartbeatTiming.of(3600))  # type: ignore[arg-type]
    async with keeper.run():
        await asyncio.sleep(0.1)


async def test_a_turn_that_has_just_begun_is_kept_alive(url: str) -> None:
    ann = User("ann")
    async with running(url) as plugin:
        store = plugin.turn_store()
        assert await store.begin(TurnRecord("turn_1", "thr_1", ann, "threads.create", "m")) is None
        await store.begin(TurnRecord("turn_2", "thr_1", ann, "threads.create", "m"))
        await store.begin(TurnRecord("turn_3", "thr_3", ann, "threads.create", "m"))
        await store.end("turn_3", 1, "completed", None)
        await query("UPDATE chatkit_turn SET beaten = beaten - 1000")
        await asyncio.to_thread(store.keep_alive, [HeartbeatSignal("turn_2", 1)])
        assert await store.stale(60) == []
        # Now the others know of it
        await store.beat([HeartbeatSignal("turn_1", 1)])
        await query("UPDATE chatkit_turn SET beaten = beaten - 1000")
        await asyncio.to_thread(store.keep_alive, [])
        assert [record.id for record in await store.stale(60)] == ["turn_1"]
        # and it belongs to somebody else
        assert await store.take_over("turn_1", 1, 60)
        await query("UPDATE chatkit_turn SET beaten = beaten - 1000")
        await asyncio.to_thread(store.keep_alive, [HeartbeatSignal("turn_1", 1)])
        assert [record.id for record in await store.stale(60)] == ["turn_1"]


async def test_a_heartbeat_waits_for_no_connection_of_the_loop() -> None:
    url = new_url("postgresql", Path())
    async with running(url, pool_size=1) as plugin:
        store = plugin.turn_store()
        await store.begin(TurnRecord("turn_1", "thr_1", User("ann"), "threads.create", "m"))
        [before] = await query("SELECT beaten FROM chatkit_turn")
        async with plugin._database.transaction() as run:
            await asyncio.to_thread(store.keep_alive, [HeartbeatSignal("turn_1", 1)])
            [after] = await run("SELECT beaten, backend FROM chatkit_turn", ())
    assert after["beaten"] > before["beaten"]
    assert after["backend"] is None, "a short connection that ends is no process that ends"


async def test_a_turn_that_somebody_has_locked_keeps_no_other_from_living() -> None:
    url = new_url("postgresql", Path())
    async with running(url) as plugin:
        store = plugin.turn_store()
        for number in (1, 2):
            record = TurnRecord(
                f"turn_{number}", f"thr_{number}", User("ann"), "threads.create", "m"
            )
            await store.begin(record)
        await query("UPDATE chatkit_turn SET beaten = beaten - 1000")
        others = copy_context()
        async with plugin._database.transaction() as run:
            await run("SELECT 1 FROM chatkit_turn WHERE id = 'turn_1' FOR SHARE", ())
            await asyncio.to_thread(store.keep_alive, [])
            assert [record.id for record in await store.stale(60)] == ["turn_1"]
            taking = asyncio.create_task(store.take_over("turn_1", 1, 60), context=others)
            assert not await taking
        assert await store.take_over("turn_1", 1, 60)


class Slow(MemoryTurnStore):
    """A database that nobody could write to for a while, with a turn of another process."""

    def __init__(self, registry: TurnRegistry) -> None:
        super().__init__()
        self.writable = asyncio.Event()
        self.taken: list[float] = []

    async def prune(self, seconds: float) -> None:
        await self.writable.wait()

    async def stale(self, seconds: float) -> list[TurnRecord]:
        return [TurnRecord("turn_1", "thr_1", User("ann"), "threads.create", "m")]

    async def take_over(self, turn_id: str, attempt: int, seconds: float) -> bool:
        self.taken.append(asyncio.get_running_loop().time())
        return False


async def test_a_database_that_was_locked_for_all_says_nothing_about_others() -> None:
    registry = TurnRegistry(TurnSettings())
    store = Slow(registry)
    pace = HeartbeatTiming.of(2)
    keeper = Heartbeat(registry, store, None, 600, pace)  # type: ignore[arg-type]
    loop = asyncio.get_running_loop()
    sweep = asyncio.create_task(keeper.sweep())
    loop.call_later(1.2 * pace.slow, store.writable.set)
    await sweep
    freed = loop.time()
    assert store.taken == []
    while not store.taken:
        await keeper.sweep()
        await asyncio.sleep(pace.beat)
    assert store.taken[0] - freed >= pace.stale / 2


async def test_a_process_that_has_just_started_gives_others_time() -> None:
    asked: list[float] = []

    class Noting(MemoryTurnStore):
        async def stale(self, seconds: float) -> list[TurnRecord]:
            asked.append(seconds)
            return []

    pace = HeartbeatTiming.of(0.5)
    registry = TurnRegistry(TurnSettings())
    keeper = Heartbeat(registry, Noting(), None, 600, pace)  # type: ignore[arg-type]
    async with keeper.run():
        while pace.stale not in asked:  # noqa: ASYNC110
            await asyncio.sleep(pace.beat)
    assert asked[0] > pace.stale
    assert asked == sorted(asked, reverse=True)


async def test_nobody_is_judged_while_a_file_is_locked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A program that locks the file keeps all from writing; what they read looks stale."""
    caplog.set_level(logging.INFO)
    url = new_url("sqlite", tmp_path)
    async with running(url, statement_timeout="100ms") as plugin:
        store = plugin.turn_store()
        await store.begin(TurnRecord("turn_1", "thr_1", User("ann"), "threads.create", "m"))
        await query("UPDATE chatkit_turn SET beaten = beaten - 1000")
        registry = TurnRegistry(TurnSettings())
        keeper = Heartbeat(registry, store, None, 600, HeartbeatTiming.of(2))  # type: ignore[arg-type]
        other = sqlite3.connect(tmp_path / "chatkit.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Exception, match="not available"):
            await keeper.sweep()
        other.execute("ROLLBACK")
        other.close()
        assert [record.attempt for record in await store.stale(60)] == [1]
