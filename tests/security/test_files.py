"""The files of a database are for their owner, whatever the umask and whoever made them."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from chatkit_plugins.tortoise_store.files import make_private

from tests.processes import MODULE, environment, started
from tests.stores import ANN, running, thread

ENDS = ("", "-wal", "-shm", "-lock")


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """Let every new file be readable and writable for all."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.glob("*.db*")}


async def test_new_files_are_private(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(f"sqlite://{tmp_path}/chatkit.db") as plugin:
        await plugin.store().save_thread(thread(), ANN)
        assert modes(tmp_path) == {f"chatkit.db{end}": 0o600 for end in ENDS}
    assert set(modes(tmp_path).values()) == {0o600}
    assert caplog.messages == []


async def test_files_behind_a_link_are_private(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "chatkit.db").symlink_to(tmp_path / "real" / "other.db")
    async with running(f"sqlite://{tmp_path}/chatkit.db") as plugin:
        await plugin.store().save_thread(thread(), ANN)
        assert {f"other.db{end}" for end in ENDS[:3]} <= modes(tmp_path / "real").keys()
        assert set(modes(tmp_path / "real").values()) == {0o600}
        assert modes(tmp_path)["chatkit.db-lock"] == 0o600


async def test_open_files_are_closed_to_others_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite://{tmp_path}/chatkit.db"
    async with running(url) as plugin:
        await plugin.store().save_thread(thread(), ANN)
    other = sqlite3.connect(tmp_path / "chatkit.db")
    assert other.execute("SELECT count(*) FROM chatkit_thread").fetchone() == (1,)
    for name in modes(tmp_path):
        (tmp_path / name).chmod(0o644)
    (tmp_path / "chatkit.db-journal").touch(0o666)
    async with running(url) as plugin:
        assert await plugin.store().load_thread("thr_1", ANN) == thread()
        assert set(modes(tmp_path).values()) == {0o600}
    other.close()
    [line] = caplog.messages
    assert "now only the owner can" in line
    assert all(f"chatkit.db{end}" in line for end in (*ENDS, "-journal"))
    caplog.clear()
    async with running(url):
        pass
    assert caplog.messages == []


async def test_files_of_somebody_else_are_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "chatkit.db"
    file.touch(0o644)

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    # root may change every file
    monkeypatch.setattr(Path, "chmod", refused)
    make_private(file)
    [line] = caplog.messages
    assert f"Run: chmod 600 {file}" in line
    assert modes(tmp_path) == {"chatkit.db": 0o644}


async def test_the_locks_of_an_open_database_are_kept(tmp_path: Path) -> None:
    """Closing a file releases all locks that the process has on it."""
    url = f"sqlite://{tmp_path}/chatkit.db"
    async with running(url):
        holder = sqlite3.connect(tmp_path / "chatkit.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        make_private(tmp_path / "chatkit.db")
        script = f"import sqlite3; sqlite3.connect({str(tmp_path / 'chatkit.db')!r}, timeout=0)"
        script += ".execute('BEGIN IMMEDIATE')"
        command = (MODULE[0], "-c", script)
        async with started(tmp_path, env=environment(), command=command) as process:
            assert await process.end() != 0
        assert "locked" in process.said
        holder.close()


async def test_the_command_migrate_makes_private_files(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(
        "plugins: {anonymous_auth: , demo_model: , tortoise_store: {url: 'sqlite://chatkit.db'}}"
    )
    async with started(tmp_path, "migrate", env=environment()) as process:
        assert await process.end() == 0
    assert modes(tmp_path)["chatkit.db"] == 0o600
    assert set(modes(tmp_path).values()) == {0o600}


def test_a_folder_that_takes_no_files_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"chatkit\.db"):
        make_private(tmp_path / "missing" / "chatkit.db")
