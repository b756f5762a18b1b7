"""SQLite's file is deleted, replaced or damaged while the server runs, or its disk is full."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from chatkit.store import NotFoundError, Store
from chatkit_plugins.tortoise_store import Config, Plugin, guard, health, watch
from chatkit_plugins.tortoise_store.presence import present

from chatkit_server import Unavailable
from chatkit_server.storage import StoreContext
from chatkit_server.testing.model_server import Gate, ModelServer, Text
from chatkit_server.web import health as web_health
from tests.client import Chat
from tests.conftest import MakeChat
from tests.databases import new_url
from tests.disks import fill
from tests.serving import served_by
from tests.stores import ANN, query, running, thread

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT count(*) FROM chatkit_thread").fetchall()
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "PAUSE", 0.01)
    monkeypatch.setattr(web_health, "KEPT", 0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database without rows, in a folder of its own."""
    folder = tmp_path / "data"
    folder.mkdir()
    new_url("sqlite", folder)
    return folder / "chatkit.db"


@asynccontextmanager
async def opened(file: Path, **settings: Any) -> AsyncIterator[tuple[Plugin, Store[StoreContext]]]:
    """Open a database, and save the thread `old`."""
    async with running(f"sqlite://{file}", **settings) as plugin:
        store = plugin.store()
        await store.save_thread(thread("old"), ANN)
        yield plugin, store


def backup(file: Path) -> Path:
    """Make a backup, as the documents say."""
    copy = file.parent.parent / "backup.db"
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


def threads_in(file: Path) -> list[str]:
    """Return the threads in a file without its log, which must be sound."""
    with closing(sqlite3.connect(f"file:{file}?immutable=1", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [id for (id,) in connection.execute("SELECT id FROM chatkit_thread ORDER BY seq")]


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    while True:
        if await holds():
            return
        await asyncio.sleep(0.01)


def move(file: Path, there: Path) -> None:
    """Rename a file, whatever is there."""
    file.rename(there)


def size(file: Path) -> int:
    """Return the size of a file, -1 if there is none."""
    return file.stat().st_size if file.exists() else -1


def link(file: Path, there: Path) -> None:
    """Make a file a link to another one."""
    file.symlink_to(there)


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Have another process use a database."""
    command = [sys.executable, "-c", HOLDER, str(file)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        yield
        holder.communicate("")


async def lost(plugin: Plugin, reason: str) -> None:
    """Wait until the plugin is not ready for this reason, and look that nothing is saved."""

    async def told() -> bool:
        return reason in (await plugin.ready() or "")

    await until(told)
    with pytest.raises(Unavailable, match="not available right now"):
        await plugin.store().save_thread(thread("lost"), ANN)
    with pytest.raises(Unavailable):
        await plugin.store().load_thread("old", ANN)
    with pytest.raises(Unavailable):
        await query("SELECT 1")


async def sound(plugin: Plugin) -> None:
    """Wait until the plugin is ready, and look that all its connections work."""

    async def is_ready() -> bool:
        return await plugin.ready() is None

    await until(is_ready)
    store = plugin.store()
    await store.save_thread(thread("new"), ANN)
    assert await query("SELECT id FROM chatkit_thread WHERE id = 'new'") == [{"id": "new"}]
    await store.delete_thread("new", ANN)
    await store.load_thread("old", ANN)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the log says of the file, without its path."""
    names = ("chatkit_plugins.tortoise_store.watch", "chatkit_plugins.tortoise_store.database")
    return [r.getMessage().split(": ", 1)[-1] for r in caplog.records if r.name in names]


async def test_a_file_that_was_moved_away_may_come_back(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with opened(file) as (plugin, _):
        caplog.clear()
        for here in (file, file.parent):
            away = here.with_name("away")
            move(here, away)
            await lost(plugin, "chatkit.db was deleted or moved")
            with pytest.raises(Unavailable):
                plugin._database.execute_apart("SELECT 1", ())
            assert size(file) == -1, "an empty one would be opened"

            async def is_told() -> bool:
                return bool(told(caplog))

            await until(is_told)
            move(away, here)
            await sound(plugin)
        assert told(caplog)[0] == (
            "chatkit.db was deleted or moved: turns are refused until the file, or a backup of "
            "it, is moved there"
        )
    assert threads_in(file) == ["old"]


@pytest.mark.parametrize("log", ["left", "deleted"])
async def test_a_backup_in_place_of_the_file_is_opened(file: Path, log: str) -> None:
    async with opened(file) as (plugin, store):
        copy = backup(file)
        await store.save_thread(thread("later"), ANN)
        before = file.with_name("before.db")
        move(file, before)
        if log == "deleted":
            file.with_name("chatkit.db-wal").unlink()
            file.with_name("chatkit.db-shm").unlink()
        await lost(plugin, "chatkit.db was deleted or moved")
        move(copy, file)
        await sound(plugin)
        with pytest.raises(NotFoundError):
            await store.load_thread("later", ANN)
        assert threads_in(before) == ["old", "later"], "all of it, also what was in its log"
    assert threads_in(file) == ["old"]


async def test_a_backup_waits_until_no_other_process_uses_the_file_before(file: Path) -> None:
    async with opened(file) as (plugin, _):
        copy = backup(file)
        with held(file):
            move(copy, file)
            problem = await plugin._database.reopen("It is another one")
            assert problem == "It is another one, and another process uses the old one"
            await lost(plugin, "")
        await sound(plugin)
    assert threads_in(file) == ["old"]


async def test_another_programs_file_is_not_opened(file: Path) -> None:
    async with opened(file) as (plugin, _):
        copy = backup(file)
        half = copy.read_bytes()[: copy.stat().st_size // 2]
        foreign = file.with_name("foreign")
        with closing(sqlite3.connect(foreign)) as connection:
            connection.execute("CREATE TABLE t (n)")
        for content in (b"", b"hello", half, foreign.read_bytes()):
            other = file.with_name("other")
            other.write_bytes(content)
            other.rename(file)
            await lost(plugin, "chatkit.db was replaced by another file")
            assert await plugin._database.reopen("") not in ("", None)
            assert size(file) == len(content), "untouched"
        move(copy, file)
        await sound(plugin)


async def test_a_deleted_log_takes_nothing_along(file: Path) -> None:
    async with opened(file) as (plugin, store):
        for number in range(3):
            await store.save_thread(thread(f"thread {number}"), ANN)
            file.with_name("chatkit.db-wal").unlink()
            await sound(plugin)
    assert threads_in(file) == ["old", "thread 0", "thread 1", "thread 2"]


async def test_others_see_a_process_whose_lock_file_was_deleted(file: Path) -> None:
    lock = file.with_name("chatkit.db-lock")
    async with opened(file):
        lock.unlink()

        async def is_back() -> bool:
            return size(lock) == 0

        await until(is_back)

        async def is_seen() -> bool:
            with present(file) as alone_at:
                return alone_at is None

        await until(is_seen)


async def test_a_file_that_moved_behind_a_link_is_opened_there(file: Path, tmp_path: Path) -> None:
    async with opened(file) as (plugin, store):
        await store.save_thread(thread("later"), ANN)
        there = tmp_path / "there.db"
        move(file, there)
        link(file, there)
        await sound(plugin)
        assert size(file.with_name("chatkit.db-wal")) == -1
        assert size(tmp_path / "there.db-wal") > 0
    assert threads_in(there) == ["old", "later"]


async def test_a_truncated_file_is_used_no_more(file: Path) -> None:
    async with opened(file) as (plugin, _):
        copy = backup(file)
        shutil.copy(copy, file.with_name("restored"))
        await sound(plugin)
        with file.open("rb+") as opened_too:
            opened_too.truncate(5000)
            await lost(plugin, "chatkit.db was truncated or overwritten")
        file.with_name("restored").rename(file)
        await sound(plugin)


async def test_a_file_may_shrink_with_its_database(file: Path) -> None:
    async with opened(file) as (plugin, store):
        await store.save_thread(thread("large", title="x" * 1_000_000), ANN)
        await sound(plugin)
        with closing(sqlite3.connect(file)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        large = size(file)
        await sound(plugin)
        await store.delete_thread("large", ANN)
        with closing(sqlite3.connect(file)) as other:
            other.execute("VACUUM")
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert size(file) < large
        await sound(plugin)


# A full disk


async def served(make_chat: MakeChat, server: ModelServer, file: Path) -> tuple[Chat, Plugin]:
    """Return a client of a whole server on a file, and its plugin."""
    plugin = Plugin(Config(url=f"sqlite://{file}"))
    return await make_chat(plugin, turns={"stale": "400ms"}, **served_by(server)), plugin


async def ready(chat: Chat) -> tuple[bool, str]:
    body = await (await chat.client.get("/readyz")).json()
    return body["ready"], body["store"]


async def until_ready(chat: Chat) -> None:
    async def is_ready() -> bool:
        return (await ready(chat))[0]

    await until(is_ready)


async def refused(chat: Chat, thread_id: str | None = None) -> str:
    """Look that a turn is refused and that nothing of it is saved, and return the message."""
    before = [await chat.ask("threads.list", limit=9)]
    if thread_id is not None:
        before.append(await chat.ask("items.list", thread_id=thread_id))
    said = {"messages": [{"role": "user", "content": "Lost?"}], "thread_id": thread_id}
    status, message = await chat.refused({k: v for k, v in said.items() if v is not None})
    assert status == 503
    after = [await chat.ask("threads.list", limit=9)]
    if thread_id is not None:
        after.append(await chat.ask("items.list", thread_id=thread_id))
    assert before == after
    return message


async def test_a_turn_needs_room_on_the_disk(
    make_chat: MakeChat, model_server: ModelServer, disk: Path
) -> None:
    new_url("sqlite", disk)
    chat, _ = await served(make_chat, model_server, disk / "chatkit.db")
    gate = Gate()
    model_server.reply("Before.")
    model_server.reply("Under ", gate, Text("way " * 50_000))
    first = await chat.say("Hello")
    assert await ready(chat) == (True, "ok")
    running_turn = asyncio.create_task(chat.say("Go on", first.thread_id))
    await gate.reached()
    filler = fill(disk)
    full = "the disk of chatkit.db has less than 1 MB left (min_free)"
    assert await ready(chat) == (False, full)
    assert "disk is full" in await refused(chat)
    gate.open()
    ended = await running_turn
    assert ended.error is not None, "its answer could not be saved"
    saved = await chat.ask("items.list", thread_id=first.thread_id)
    assert "Before." in str(saved)
    assert "Under way" not in str(saved)
    filler.unlink()
    await until_ready(chat)
    model_server.reply("After.")
    assert (await chat.say("Again", first.thread_id)).text == "After."


async def test_what_cannot_grow_takes_no_new_turns(
    make_chat: MakeChat, model_server: ModelServer, file: Path
) -> None:
    # As under a quota: nobody can ask how much is left
    chat, plugin = await served(make_chat, model_server, file)
    model_server.reply("Before.")
    first = await chat.say("Hello")
    files = plugin._database._files
    (pages,) = files[0].execute("PRAGMA page_count").fetchone()
    for connection in files:
        connection.execute(f"PRAGMA max_page_count = {pages}")
    model_server.reply(Text("way " * 50_000))
    assert (await chat.say("Go on", first.thread_id)).error is not None
    told = "chatkit.db takes no writes: database or disk is full"
    assert await ready(chat) == (False, told)
    assert "disk is full" in await refused(chat, first.thread_id)
    for connection in files:
        connection.execute("PRAGMA max_page_count = 1000000")
    await until_ready(chat)
    model_server.reply("After.")
    assert (await chat.say("Again", first.thread_id)).text == "After."


async def test_a_turn_does_not_go_on_in_a_deleted_file(
    make_chat: MakeChat, model_server: ModelServer, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What was saved a moment before must not count as a look
    monkeypatch.setattr(guard, "_FRESH", 0.0)
    chat, _ = await served(make_chat, model_server, file)
    gate = Gate()
    model_server.reply("Under ", gate, "way.")
    running_turn = asyncio.create_task(chat.say("Hello"))
    await gate.reached()
    away = file.with_name("away")
    move(file, away)
    # A look at the file is good for a moment
    await asyncio.sleep(2 * guard._FRESH)
    gate.open()
    ended = await running_turn
    assert ended.error is not None
    assert not ended.done("assistant_message"), "it was not saved"
    said = {"messages": [{"role": "user", "content": "Lost?"}]}
    message = "The conversations are not available right now. Try again in a moment."
    assert await chat.refused(said) == (503, message)
    assert await ready(chat) == (False, "chatkit.db was deleted or moved")
    move(away, file)
    await until_ready(chat)
    model_server.reply("After.")
    assert (await chat.say("Again")).text == "After."


async def test_readiness_is_a_write_and_not_more_often_than_it_helps(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(url) as plugin:
        written = "SELECT written FROM chatkit_probe"
        assert await plugin.ready() is None
        first = await query(written)
        assert len(first) == 1
        for _ in range(20):
            assert await plugin.ready() is None
        assert await query(written) == first
        monkeypatch.setattr(health, "WRITE_EVERY", 0)
        assert await plugin.ready() is None
        assert await query(written) != first
        await query("DROP TABLE chatkit_probe")
        problem = await plugin.ready()
        assert problem is not None
        assert problem.startswith("takes no writes: ")


@pytest.mark.parametrize("table", ["thread", "item", "turn", "attachment"])
async def test_a_server_without_a_table_of_its_turns_is_not_ready(url: str, table: str) -> None:
    async with running(url) as plugin:
        await query(f"ALTER TABLE chatkit_{table} RENAME TO elsewhere")
        assert str(await plugin.ready()).startswith("takes no writes: ")


async def test_a_request_that_fails_is_known_to_the_next_probe(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(url) as plugin:
        assert await plugin.ready() is None
        await query("ALTER TABLE chatkit_probe RENAME TO elsewhere")
        assert await plugin.ready() is None
        error = sqlite3.OperationalError if url.startswith("sqlite") else ConnectionError
        with pytest.raises(Unavailable), plugin._database._answers:
            raise error
        assert await plugin.ready() is not None


async def test_a_probe_does_not_wait_for_the_disk_in_the_event_loop(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(file) as (plugin, _):
        statements = plugin._database._statements
        # Nothing runs in the event loop then
        monkeypatch.setattr(statements, "_run", None)
        assert await plugin.ready() is None
