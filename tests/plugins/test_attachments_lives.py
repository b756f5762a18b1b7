"""Attachments where things end or fail: processes, storages, packages; on real databases."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml
from aiohttp import ClientError
from aiohttp.web import AppRunner
from chatkit_plugins.attachments.bucket import Bucket
from chatkit_plugins.attachments.files import Files
from chatkit_plugins.attachments.plugin import Plugin
from chatkit_plugins.attachments.sweep import Sweep

from chatkit_server import (
    HOOKS,
    STORE,
    Settings,
    SettingsError,
    Unavailable,
    UploadedFile,
    hookimpl,
)
from chatkit_server.plugin.load import load_plugins
from chatkit_server.testing.model_server import ModelServer
from tests.conftest import MakeChat
from tests.mcp_calls import until
from tests.plugins.attached import Page, image, local, message_of
from tests.processes import running
from tests.s3_server import new_bucket
from tests.serving import served_app, served_by

SECRET = "a secret of the tests, long enough for HS256"

AWAY = {
    "url": "s3://bucket/x",
    "options": {
        "endpoint": "http://127.0.0.1:9",
        "region": "us-east-1",
        "access_key_id": "a",
        "secret_access_key": "b",
        "allow_http": True,
    },
}


def plugin_of(page: Page) -> Any:
    app = page.chat.client.app
    assert app is not None
    return next(plugin for _, plugin in app[HOOKS].plugins if isinstance(plugin, Plugin))


def left_in(folder: Path) -> list[str]:
    """Return the names of the files in a folder of attachments."""
    return [path.name for path in folder.rglob("*") if path.is_file()]


async def new_page(make_chat: MakeChat, server: ModelServer, *given: object, **own: Any) -> Page:
    sections = served_by(server)
    database = own.pop("database", None)
    sections["plugins"] |= {"tortoise_store": {"url": database}} if database else {}
    sections["plugins"]["attachments"] = own
    return Page(await make_chat(*given, **sections))


async def test_a_file_lives_with_its_thread_on_each_database(
    make_chat: MakeChat, model_server: ModelServer, tmp_path: Path, url: str
) -> None:
    folder = tmp_path / "files"
    page = await new_page(make_chat, model_server, url=str(folder), database=url)
    used, orphan = await page.attach(b"used", "a.txt"), await page.attach(b"orphan", "b.txt")
    created = await page.create("c.png", 3, "image/png")
    said = await page.say(used)
    app = page.chat.client.app
    assert app is not None
    sweep = Sweep(plugin_of(page).files, app[STORE], 86_400)
    assert await sweep.sweep(time.time() + 90_000) == 2
    assert (await page.download(orphan)).status == 404
    assert (await page.put(created, b"abc")).status == 404
    again = await page.say(used, thread_id=said.thread_id)
    # It has moved on to another thread, and outlives the first
    other = await page.say(used)
    await page.chat.ask("threads.delete", thread_id=again.thread_id)
    assert await (await page.download(used)).read() == b"used"
    # And it goes back when the newest one is deleted
    newest = await page.say(used)
    await page.chat.ask("threads.delete", thread_id=newest.thread_id)
    assert await (await page.download(used)).read() == b"used"
    await page.chat.say("And?", other.thread_id)
    assert "used" in str(model_server.requests[-1].body)
    await page.chat.ask("threads.delete", thread_id=other.thread_id)
    assert (await page.download(used)).status == 404
    assert left_in(folder) == ["secret"]


async def test_an_upload_goes_on_after_a_kill_and_a_restart(tmp_path: Path) -> None:
    settings = {
        "plugins": {
            "anonymous_auth": None,
            "tortoise_store": {"url": f"sqlite://{tmp_path}/chatkit.db"},
            "demo_model": None,
            "attachments": {"url": "files"},
        }
    }
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    async with running(tmp_path) as server:
        created = await Page(server.chat()).create("a.txt", 5, "text/plain")
        assert created["upload_descriptor"]["url"].startswith(server.url)
        await server.stop(signal.SIGKILL)
    async with running(tmp_path) as server:
        page = Page(server.chat())
        path = local(created["upload_descriptor"]["url"])
        async with server.session.put(path, data=b"hello") as response:
            assert response.status == 200
        said = await page.say(created["id"])
        assert said.error is None
        path = f"{server.path}/attachments/{created['id']}"
        async with server.session.get(path) as response:
            assert await response.read() == b"hello"


async def test_with_tokens_only_signed_addresses_need_none(
    make_chat: MakeChat, model_server: ModelServer, tmp_path: Path
) -> None:
    sections = served_by(model_server)
    sections["plugins"] |= {
        "jwt_auth": {"secret": SECRET, "algorithms": ["HS256"]},
        "attachments": {"url": str(tmp_path / "files")},
    }
    page = Page(await make_chat(**sections))
    stranger = await page.send_form(image(), "a.png")
    assert (stranger.status, left_in(tmp_path / "files")) == (401, ["secret"])
    token = jwt.encode({"sub": "ann", "exp": time.time() + 60}, SECRET, "HS256")
    page.chat.headers = {"Authorization": f"Bearer {token}"}
    created = await page.create("a.png", len(image()), "image/png")
    assert (await page.put(created, image())).status == 200
    assert (await page.get(local(created["preview_url"]))).status == 200
    assert (await page.download(created["id"], Authorization="")).status == 401
    assert await (await page.download(created["id"])).read() == image()


class Slow:
    """Holds a file until it is let go."""

    def __init__(self) -> None:
        self.has_begun, self.may_end = asyncio.Event(), asyncio.Event()

    @hookimpl
    async def scan(self, file: UploadedFile) -> None:
        self.has_begun.set()
        await self.may_end.wait()


async def test_a_file_that_is_deleted_while_it_arrives_is_gone(
    make_chat: MakeChat, model_server: ModelServer, tmp_path: Path
) -> None:
    slow = Slow()
    page = await new_page(make_chat, model_server, slow, url=str(tmp_path / "files"))
    created = await page.create("a.txt", 1, "text/plain")
    upload = asyncio.create_task(page.put(created, b"a"))
    await slow.has_begun.wait()
    await page.chat.ask("attachments.delete", attachment_id=created["id"])
    slow.may_end.set()
    assert await message_of(await upload) == (404, "Attachment not found.")
    assert left_in(tmp_path / "files") == ["secret"]


@pytest.mark.parametrize("where", ["folder", "s3"])
async def test_of_two_uploads_to_one_address_one_counts(
    make_chat: MakeChat, model_server: ModelServer, tmp_path: Path, where: str
) -> None:
    slow = Slow()
    own = {"url": str(tmp_path / "files")} if where == "folder" else new_bucket()
    page = await new_page(make_chat, model_server, slow, **own)
    created = await page.create("a.txt", 1, "text/plain")
    uploads = [asyncio.create_task(page.put(created, data)) for data in (b"a", b"b")]
    await slow.has_begun.wait()
    slow.may_end.set()
    found = {data: (await upload).status for data, upload in zip(b"ab", uploads, strict=True)}
    assert sorted(found.values()) == [200, 409]
    kept = await (await page.download(created["id"])).read()
    assert found[kept[0]] == 200
    files = plugin_of(page).files
    objects = [path async for path in files.bucket.paths(f"files/{created['id']}")]
    # `about`, `record`, the bytes and the text
    assert len(objects) == 4


async def test_nothing_is_left_of_a_client_that_goes_away(
    make_chat: MakeChat, model_server: ModelServer, tmp_path: Path
) -> None:
    page = await new_page(make_chat, model_server, url=str(tmp_path / "files"))
    has_begun = asyncio.Event()

    async def broken() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello'
        has_begun.set()
        raise OSError("gone")

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    path = f"{page.chat.path}/attachments"
    with pytest.raises((ClientError, OSError)):
        await page.chat.client.post(path, data=broken(), headers=headers)
    assert has_begun.is_set()
    await until(lambda: left_in(tmp_path / "files") == ["secret"])


async def test_while_the_storage_is_away_old_files_are_named_and_new_ones_wait(
    make_chat: MakeChat, model_server: ModelServer, tmp_path: Path
) -> None:
    page = await new_page(make_chat, model_server, url=str(tmp_path / "files"))
    ids = [await page.attach(image(), "a.png"), await page.attach(b"b", "b.txt")]
    said = await page.say(ids[0])
    plugin = plugin_of(page)
    bucket, plugin.files.bucket = plugin.files.bucket, Bucket.of(**AWAY)
    assert (await page.refused(ids[1]))[0] == 503
    again = await page.chat.say("And?", said.thread_id)
    assert again.error is None
    sent = str(model_server.requests[-1].body)
    assert "[attached file: a.png, which cannot be read right now]" in sent
    assert (await page.send_form(b"c", "c.txt")).status == 503
    body = {"type": "threads.delete", "params": {"thread_id": said.thread_id}}
    assert (await page.chat.refused(body))[0] == 503
    plugin.files.bucket = bucket
    assert await page.chat.ask("threads.delete", thread_id=said.thread_id) == {}


class Cleaner:
    """Takes something out of files, or the files themselves."""

    @hookimpl
    async def scan(self, file: UploadedFile) -> None:
        data = file.path.read_bytes()
        if b"virus" in data:
            file.path.unlink()
        else:
            file.path.write_bytes(data.replace(b"macro", b""))


async def test_a_scan_may_change_or_remove_a_file(
    make_chat: MakeChat, model_server: ModelServer, tmp_path: Path
) -> None:
    page = await new_page(make_chat, model_server, Cleaner(), url=str(tmp_path / "files"))
    file_id = await page.attach(b"text and macro", "a.txt")
    assert await (await page.download(file_id)).read() == b"text and "
    answer = await message_of(await page.send_form(b"virus", "b.txt"))
    assert answer == (422, "The file could not be checked. Try again later.")


async def test_a_storage_that_says_nothing_is_waited_for_once_in_a_turn(
    make_chat: MakeChat, model_server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await new_page(make_chat, model_server, url=str(tmp_path / "files"))
    ids = [await page.attach(b"a", f"{number}.txt") for number in range(4)]
    said = await page.say(*ids[:3])
    bucket = plugin_of(page).files.bucket
    assert bucket.patience == 4
    asked: list[str] = []

    async def silent(store: object, path: str) -> None:
        asked.append(path)
        await asyncio.Event().wait()

    monkeypatch.setattr(bucket, "patience", 0.05)
    monkeypatch.setattr("obstore.get_async", silent)
    again = await page.chat.say("And?", said.thread_id)
    assert again.error is None
    sent = str(model_server.requests[-1].body)
    assert sent.count("which cannot be read right now]") == 3
    assert len(asked) == 1
    assert (await page.refused(ids[3]))[0] == 503
    assert (await page.download(ids[0])).status == 503


async def test_what_a_killed_process_left_of_uploads_is_removed_after_a_day(
    make_chat: MakeChat, model_server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    old, new = tmp_path / "chatkit-upload-old", tmp_path / "chatkit-upload-new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "file").write_bytes(b"x")
    os.utime(old, (0, time.time() - 90_000))
    await new_page(make_chat, model_server, url=str(tmp_path / "files"))
    assert (old.exists(), new.exists()) == (False, True)


async def test_a_download_that_breaks_off_is_seen_to(
    make_chat: MakeChat, model_server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await new_page(make_chat, model_server, url=str(tmp_path / "files"))
    file_id = await page.attach(b"x" * 100_000, "a.txt")

    async def broken(path: str) -> AsyncIterator[bytes]:
        yield b"x" * 50_000
        raise Unavailable("gone")

    monkeypatch.setattr(plugin_of(page).files.bucket, "stream", broken)
    response = await page.download(file_id)
    with pytest.raises(ClientError):
        await response.read()


async def test_the_server_does_not_start_without_its_storage(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for own, words in (
        (AWAY, r"plugin attachments: .*url: cannot use s3://bucket/x"),
        (
            new_bucket() | {"url": "s3://nowhere"},
            r"cannot use s3://nowhere: there is no such bucket$",
        ),
        ({"url": str(tmp_path / "file")}, r"url: cannot use the folder .*file"),
    ):
        app, _ = served_app(plugins={"demo_model": None, "attachments": own})
        runner = AppRunner(app)
        with pytest.raises(SettingsError, match=words):
            await runner.setup()
        await runner.cleanup()


async def test_check_says_why_files_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    bucket = new_bucket()
    for own, told in (
        (bucket, "fine"),
        (bucket | {"url": "s3://nowhere", "secret": SECRET}, "no such bucket"),
        (AWAY, "url: cannot use s3://bucket/x: "),
        ({"url": str(tmp_path / "a" / "b")}, "fine"),
        ({"url": str(tmp_path / "file")}, "no folder can be made or used"),
    ):
        settings = Settings.model_validate({"plugins": {"attachments": own}})
        loaded: Any = load_plugins(settings).plugins
        [(_, plugin)] = loaded
        try:
            [found] = await plugin.check(online=True)
            problem = "fine" if found.level == "ok" else found.problem
        except SettingsError as error:
            problem = str(error)
        assert told in problem
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"url": "ftp://somewhere/files"}, "url, options: "),
        ({"url": "s3://bucket", "options": {"regoin": "x"}}, "url, options: .*regoin"),
        ({"options": {"region": "x"}}, "options: a folder has none"),
        ({"secret": "short"}, "secret"),
        ({"orphans": "10m"}, "`orphans` must be at least twice `upload_time`"),
        ({"typs": "image/*"}, "types"),
    ],
)
def test_wrong_settings_stop_the_start(own: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load_plugins(Settings.model_validate({"plugins": {"attachments": own}}))


def test_without_its_packages_the_start_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("chatkit_plugins.attachments")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    told = r"^plugins.attachments: not installed: obstore, .*\[attachments\]'`$"
    with pytest.raises(SettingsError, match=told):
        load_plugins(Settings.model_validate({"plugins": {"attachments": None}}))


async def test_of_several_processes_one_sweeps(tmp_path: Path) -> None:
    bucket = Bucket.of(str(tmp_path), {})
    bucket.open()
    sweeps = [Sweep(Files(bucket), None, 86_400) for _ in range(3)]
    first = [await sweep._is_mine() for sweep in sweeps]
    assert sorted(first) == [False, False, True]


async def test_a_server_without_conditions_creates_what_is_not_there() -> None:
    given = new_bucket()
    given["options"]["conditional_put"] = "disabled"
    bucket = Bucket.of(**given)
    assert [await bucket.create("a", data) for data in (b"1", b"2")] == [True, False]
    assert await bucket.read("a") == b"1"


async def test_what_was_made_of_a_file_is_remembered_within_a_limit(tmp_path: Path) -> None:
    bucket = Bucket.of(str(tmp_path), {})
    bucket.open()
    files = Files(bucket)
    for number in range(10):
        await bucket.put(f"files/{number}/x", bytes(6_000_000))
        assert await files._read(f"files/{number}/x") is not None
    assert files._size <= 32_000_000
    assert sum(map(len, files._remembered.values())) == files._size
