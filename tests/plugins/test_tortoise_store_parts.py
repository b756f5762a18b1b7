"""Parts of the storage plugin: what can be an id, payloads, and who uses a SQLite file."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    ThreadMetadata,
    WidgetItem,
)
from chatkit.widgets import Card, DynamicWidgetRoot, Text
from chatkit_plugins.tortoise_store.identities import as_text, storable
from chatkit_plugins.tortoise_store.payloads import (
    dump_item,
    dump_thread,
    load_item,
    load_thread,
)
from chatkit_plugins.tortoise_store.presence import present
from chatkit_plugins.tortoise_store.sqlite import connect

from chatkit_server import SettingsError

BASE: dict[str, Any] = {
    "id": "i",
    "thread_id": "t",
    "created_at": datetime(2026, 3, 1, 12, tzinfo=UTC),
}
ODD = ["x" * 256, "a\0b", "\0", "\ud83e", "é\udfffé", "\ud800"]


@pytest.mark.parametrize("identity", ["", "x", "x" * 255, "é" * 255, "🎈", "\ud7ff\ue000"])
def test_what_can_be_an_id(identity: str) -> None:
    assert storable(identity)


@pytest.mark.parametrize("identity", ODD)
def test_what_cannot_be_an_id(identity: str) -> None:
    assert not storable(identity)


def test_text_keeps_all_that_both_databases_can_hold() -> None:
    assert as_text("Grüße 🎈\n") == "Grüße 🎈\n"
    assert as_text("a\0b\ud83ec\0") == "a?b?c?"


def test_a_widget_of_a_known_class_keeps_it() -> None:
    item = WidgetItem(widget=Card(children=[Text(value="é")]), **BASE)
    read = load_item(dump_item(item))
    assert read == item
    assert isinstance(read, WidgetItem)
    assert isinstance(read.widget, Card)


def test_a_widget_with_unknown_fields_keeps_them() -> None:
    widget = DynamicWidgetRoot.model_validate({"type": "Card", "children": [], "later": [1]})
    read = load_item(dump_item(WidgetItem(widget=widget, **BASE)))
    assert isinstance(read, WidgetItem)
    assert read.widget.model_dump() == widget.model_dump()
    assert read.id == "i"


@pytest.mark.parametrize("text", [None, 5, ["x"]])
def test_what_could_not_be_read_again_is_not_written(text: Any) -> None:
    """One such item would keep its whole thread from being loaded."""
    item = AssistantMessageItem(content=[AssistantMessageContent(text="secret")], **BASE)
    assert load_item(dump_item(item)) == item
    item.content[0].text = text
    with pytest.raises(TypeError, match=r"content\.0\.text") as caught:
        dump_item(item)
    assert "secret" not in str(caught.value)


def test_a_widget_that_is_a_dict_can_be_written() -> None:
    widget: Any = {"type": "Card", "children": []}
    read = load_item(dump_item(WidgetItem.model_construct(type="widget", widget=widget, **BASE)))
    assert isinstance(read, WidgetItem)


def test_a_thread_keeps_its_metadata() -> None:
    thread = ThreadMetadata(id="t", created_at=BASE["created_at"], metadata={"é": [1, {"a": None}]})
    assert load_thread(dump_thread(thread)) == thread


def test_a_process_alone_with_a_file_knows_since_when(tmp_path: Path) -> None:
    file = tmp_path / "chatkit.db"
    before = time.time()
    with present(file) as alone_at:
        assert alone_at is not None
        assert before <= alone_at <= time.time()
        # Another file of the same process counts as another process
        with present(file) as second:
            assert second is None
        with present(tmp_path / "other.db") as other:
            assert other is not None
    with present(file) as again:
        assert again is not None
        assert again >= alone_at
    assert [path.name for path in tmp_path.iterdir()].count("chatkit.db-lock") == 1


def test_others_may_read_the_lock_file(tmp_path: Path) -> None:
    file = tmp_path / "chatkit.db"
    with present(file):
        mode = (tmp_path / "chatkit.db-lock").stat().st_mode & 0o777
    assert mode & 0o444


def test_a_lock_file_that_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "chatkit.db-lock").mkdir()
    file = tmp_path / "gone" / "chatkit.db"
    with pytest.raises(SettingsError, match=r"chatkit\.db-lock.*No such file"), present(file):
        raise AssertionError("it may not be taken for alone")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "chatkit.db"


def test_a_connection_has_its_pragmas_and_names_its_columns(file: Path) -> None:
    connection = connect(file, {"journal_mode": "WAL", "foreign_keys": "ON"})
    [row] = connection.execute("SELECT 1 AS one").fetchall()
    assert dict(row) == {"one": 1}
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    assert connection.isolation_level is None, "each statement is a transaction"
    used: list[Any] = []
    thread = threading.Thread(target=lambda: used.extend(connection.execute("SELECT 2")))
    thread.start()
    thread.join()
    assert [tuple(row) for row in used] == [(2,)]
    connection.close()


@pytest.fixture
def locked(file: Path) -> Iterator[sqlite3.Connection]:
    """A new file that another process has locked."""
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    yield other
    other.close()


def test_a_file_that_stays_locked_is_given_up(file: Path, locked: sqlite3.Connection) -> None:
    started = time.monotonic()
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        connect(file, {"busy_timeout": 50, "journal_mode": "WAL"})
    assert time.monotonic() - started >= 0.05


def test_a_file_that_is_locked_for_a_moment_is_waited_for(
    file: Path, locked: sqlite3.Connection
) -> None:
    unlocking = threading.Timer(0.05, locked.execute, ["COMMIT"])
    unlocking.start()
    connection = connect(file, {"busy_timeout": 20_000, "journal_mode": "WAL"})
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    connection.close()
    unlocking.join()


def test_what_is_no_database_is_not_waited_for(file: Path) -> None:
    file.write_bytes(b"no database" * 1000)
    started = time.monotonic()
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        connect(file, {"busy_timeout": 60_000, "journal_mode": "WAL"})
    assert time.monotonic() - started < 30
