"""Files are uploaded in both ways, to a folder and to S3; the model and their owner get them."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from chatkit.types import Attachment
from chatkit_plugins.attachments.plugin import Plugin
from chatkit_plugins.attachments.sweep import Sweep
from PIL import Image

from chatkit_server import (
    HOOKS,
    STORE,
    BadRequest,
    StoreContext,
    Turn,
    UploadedFile,
    User,
    hookimpl,
)
from chatkit_server.testing.memory_store import MemoryStorePlugin
from chatkit_server.testing.model_server import ModelServer
from tests.conftest import MakeChat
from tests.plugins.attached import Page, image, large_image, local, message_of, pdf
from tests.s3_server import new_bucket
from tests.serving import served_by

WAYS = ("direct", "two_phase")
PLACES = ("folder", "s3")

MakePage = Callable[..., Awaitable[Page]]


def place(kind: str, folder: Path) -> dict[str, Any]:
    return {"url": str(folder / "files")} if kind == "folder" else new_bucket()


@pytest.fixture
def make_page(make_chat: MakeChat, model_server: ModelServer, tmp_path: Path) -> MakePage:
    """Return a factory: `await make_page(plugin, ..., way="direct", text=100)`."""

    async def make(*given: object, way: str = "direct", where: str = "folder", **own: Any) -> Page:
        sections = served_by(model_server)
        sections["plugins"]["attachments"] = {**place(where, tmp_path), **own}
        return Page(await make_chat(*given, **sections), way)

    return make


def told(server: ModelServer) -> list[dict[str, Any]]:
    """Return the parts of the newest message that the model got."""
    content = server.requests[-1].body["messages"][-1]["content"]
    assert isinstance(content, list), content
    return content


def told_text(server: ModelServer) -> str:
    """Return the text that the model got."""
    content = server.requests[-1].body["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(p.get("text", "") for p in content)


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("way", WAYS)
async def test_a_large_image_is_uploaded_and_the_model_gets_a_smaller_one(
    make_page: MakePage, model_server: ModelServer, way: str, where: str
) -> None:
    page = await make_page(way=way, where=where)
    data = large_image(20_000_000)
    file_id = await page.attach(data, "large.png", "image/png")
    said = await page.say(file_id)
    [attachment] = said.done("user_message")[0]["attachments"]
    assert (attachment["type"], attachment["mime_type"]) == ("image", "image/png")
    assert "upload_descriptor" not in attachment
    [url] = [part["image_url"]["url"] for part in told(model_server) if "image_url" in part]
    seen = base64.b64decode(url.partition(",")[2])
    with Image.open(io.BytesIO(seen)) as opened:
        assert max(opened.size) == 1568
    assert len(seen) <= 3_000_000
    preview = await page.get(local(attachment["preview_url"]))
    assert await preview.read() == seen
    assert await (await page.download(file_id)).read() == data


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("way", WAYS)
async def test_the_model_reads_a_pdf(
    make_page: MakePage, model_server: ModelServer, way: str, where: str
) -> None:
    page = await make_page(way=way, where=where)
    file_id = await page.attach(pdf("Seven elephants", "pay 42 EUR"), "in.pdf", "text/plain")
    said = await page.say(file_id)
    [attachment] = said.done("user_message")[0]["attachments"]
    assert (attachment["type"], attachment["mime_type"]) == ("file", "application/pdf")
    text = told_text(model_server)
    assert "in.pdf (application/pdf, 2 pages" in text
    assert "Seven elephants\npay 42 EUR" in text
    # In later turns, too
    await page.chat.say("And?", said.thread_id)
    assert "Seven elephants" in json.dumps(model_server.requests[-1].body)


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("data", "name", "stated", "kind"),
    [
        (b"MZ" + bytes(300), "holiday.png", "image/png", "application/octet-stream"),
        (b"PK\x03\x04" + bytes(60), "paper.pdf", "application/pdf", "application/zip"),
    ],
)
async def test_a_file_of_another_type_than_its_name_says_is_refused(
    make_page: MakePage, way: str, where: str, data: bytes, name: str, stated: str, kind: str
) -> None:
    page = await make_page(way=way, where=where)
    status, words = await message_of(await page.upload(data, name, stated))
    assert status == 415
    assert words == (
        f"This file cannot be attached: its content is {kind}. Allowed are image/png, image/jpeg, "
        "image/gif, image/webp, application/pdf, text/*."
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"", 400, "The file is empty."),
        (b"x" * 1001, 413, "The file is too large. The limit is 1000 bytes."),
        (b"\x89PNG\r\n\x1a\n" + image()[8:40], 415, "This file cannot be attached: the image is"),
    ],
)
async def test_a_file_that_cannot_be_used_is_refused_and_none_of_it_is_kept(
    make_page: MakePage, tmp_path: Path, way: str, data: bytes, status: int, words: str
) -> None:
    page = await make_page(way=way, max_size="1000B")
    if way == "two_phase" and status != 415:
        params = {"name": "a", "size": len(data), "mime_type": "text/plain"}
        body = {"type": "attachments.create", "params": params}
        assert await page.chat.refused(body) == (status, words)
        return
    found = await message_of(await page.upload(data, "a", "text/plain"))
    assert found[0] == status
    assert found[1].startswith(words)
    kept = {path.name for path in (tmp_path / "files" / "files").glob("*/*")}
    assert kept == (set() if way == "direct" else {"about"})


async def test_an_upload_has_the_size_that_was_announced(make_page: MakePage) -> None:
    page = await make_page()
    created = await page.create("a.txt", 5, "text/plain")
    long, short = await page.put(created, b"123456"), await page.put(created, b"1234")
    assert await message_of(long) == (
        413,
        "The file is larger than the 5 bytes that were announced.",
    )
    assert await message_of(short) == (400, "The file is not whole: 4 of 5 bytes arrived.")
    assert (await page.put(created, b"12345")).status == 200


async def test_an_address_is_for_one_upload_of_one_file_and_for_a_while(
    make_page: MakePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await make_page()
    one, other = await page.create("a.txt", 2, "text/plain"), await page.create("b.txt", 2)
    url = one["upload_descriptor"]["url"]
    for wrong in (
        url.replace(one["id"], other["id"]),
        url.replace("until=1", "until=2"),
        f"{url[:-1]}{'0' if url[-1] != '0' else '1'}",
        url.partition("&")[0],
        url.replace("/upload?", "/preview?"),
    ):
        changed = {"upload_descriptor": {"url": wrong, "method": "PUT"}}
        status = 405 if "preview" in wrong else 403
        assert (await page.put(changed, b"hi")).status == status
    now = time.time()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now + 601)
        status, words = await message_of(await page.put(one, b"hi"))
        assert (status, words.partition(",")[0]) == (403, "This address is not valid")
    assert (await page.put(one, b"hi")).status == 200
    assert await message_of(await page.put(one, b"ho")) == (409, "This file was uploaded already.")
    assert await (await page.download(one["id"])).read() == b"hi"


async def test_a_message_names_only_files_that_were_uploaded(make_page: MakePage) -> None:
    page = await make_page()
    created = await page.create("a.txt", 2, "text/plain")
    status, words = await page.refused(created["id"])
    assert (status, words) == (
        400,
        "A file of this message was not uploaded to its end. Remove it and attach it again.",
    )
    await page.put(created, b"hi")
    assert (await page.say(created["id"])).error is None


async def test_a_refusal_is_in_the_users_language(make_page: MakePage) -> None:
    page = await make_page()
    page.chat.headers = {"Accept-Language": "de-AT"}
    assert await message_of(await page.send_form(b"", "a.txt")) == (400, "Die Datei ist leer.")


async def test_bytes_may_come_as_a_form_to_a_signed_address(make_page: MakePage) -> None:
    page = await make_page()
    created = await page.create("a.txt", 2, "text/plain")
    form = FormData()
    form.add_field("purpose", "chat")
    form.add_field("file", b"hi", filename="a.txt")
    url = local(created["upload_descriptor"]["url"])
    assert (await page.chat.client.post(url, data=form)).status == 200
    assert await (await page.download(created["id"])).read() == b"hi"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"hi", "Send the file as `multipart/form-data`, in the field `file`."),
        (FormData({"other": "x"}), "Send the file as `multipart/form-data`"),
    ],
)
async def test_a_direct_upload_is_a_form(make_page: MakePage, data: Any, words: str) -> None:
    page = await make_page()
    response = await page.chat.client.post(f"{page.chat.path}/attachments", data=data)
    status, message = await message_of(response)
    assert status == 400
    assert message.startswith(words)


async def test_a_file_is_its_owners(make_page: MakePage) -> None:
    page = await make_page(way="two_phase")
    page.chat.headers = {"X-User": "t/ann"}
    file_id = await page.attach(b"<script>alert(1)</script>", '../x"\r\n ü\u202e.html')
    mine = await page.download(file_id)
    assert await mine.read() == b"<script>alert(1)</script>"
    assert mine.headers["Content-Disposition"] == (
        "attachment; filename=\"x_ _.html\"; filename*=UTF-8''x_%20%C3%BC.html"
    )
    assert mine.headers["X-Content-Type-Options"] == "nosniff"
    assert mine.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert mine.headers["Cache-Control"] == "private, no-store"
    for user in ("t/bob", "u/ann", "ann"):
        theirs = await page.download(file_id, **{"X-User": user})
        assert await message_of(theirs) == (404, "Attachment not found.")
        page.chat.headers = {"X-User": user}
        assert (await page.refused(file_id))[0] == 400
        body = {"type": "attachments.delete", "params": {"attachment_id": file_id}}
        assert (await page.chat.refused(body))[0] == 404
    for unknown in ("atc_" + "0" * 32, "..%2f..%2fsecret", "secret", "atc_", "%00"):
        assert (await page.download(unknown)).status == 404


async def test_html_and_svg_are_never_shown_as_images(make_page: MakePage) -> None:
    page = await make_page(types="*/*")
    data = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script/></svg>'
    response = await page.send_form(data, "a.png", "image/png")
    attachment = await response.json()
    assert (attachment["type"], attachment["mime_type"]) == ("file", "image/svg+xml")


async def test_a_preview_needs_its_address_and_gets_a_new_one_with_the_thread(
    make_page: MakePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await make_page()
    file_id = await page.attach(image(), "a.png")
    said = await page.say(file_id)
    first = local(said.done("user_message")[0]["attachments"][0]["preview_url"])
    shown = await page.get(first, headers={"Origin": "https://cdn.example.com"})
    assert (shown.status, shown.content_type) == (200, "image/png")
    assert shown.headers["Access-Control-Allow-Origin"] == "https://cdn.example.com"
    assert shown.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert (await page.get(first.partition("?")[0])).status == 403
    now = time.time()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now + 10 * 86_400)
        assert (await page.get(first)).status == 403
        items = await page.chat.ask("items.list", thread_id=said.thread_id)
        thread = await page.chat.ask("threads.get_by_id", thread_id=said.thread_id)
        for data in (items["data"], thread["items"]["data"]):
            url = next(item for item in data if item["type"] == "user_message")
            again = local(url["attachments"][0]["preview_url"])
            assert again != first
            assert (await page.get(again)).status == 200


@pytest.mark.parametrize(
    ("own", "headers", "base"),
    [
        (
            {},
            {"X-Forwarded-Proto": "https", "Host": "chat.example.com"},
            "https://chat.example.com",
        ),
        ({"public_url": "https://example.com/ai/"}, {}, "https://example.com/ai"),
        ({"public_url": "https://example.com", "path": "/files"}, {}, "https://example.com"),
    ],
)
async def test_addresses_are_those_that_the_client_can_reach(
    make_page: MakePage, own: dict[str, Any], headers: dict[str, str], base: str
) -> None:
    page = await make_page(**own)
    page.chat.headers = headers
    if "Host" in headers:
        page.chat.headers = {**headers, "Host": "localhost:99"}
        base = "https://localhost:99"
    created = await page.create("a.png", 2, "image/png")
    path = own.get("path", "/api/chat/attachments")
    for url in (created["preview_url"], created["upload_descriptor"]["url"]):
        assert url.startswith(f"{base}{path}/{created['id']}/")


async def test_any_page_may_use_a_signed_address_and_only_those_of_the_settings_upload_directly(
    make_page: MakePage,
) -> None:
    page = await make_page()
    created = await page.create("a.txt", 2, "text/plain")
    url = local(created["upload_descriptor"]["url"])
    asked = {
        "Origin": "https://cdn.example.com",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type",
    }
    allowed = await page.chat.client.options(url, headers=asked)
    assert allowed.status == 204
    assert allowed.headers["Access-Control-Allow-Headers"] == "content-type"
    refused = await page.chat.client.options(f"{page.chat.path}/attachments", headers=asked)
    assert refused.status == 403
    # A page can read why its upload is refused
    failed = await page.put(created, b"123", headers={"Origin": "https://cdn.example.com"})
    assert (failed.status, failed.headers["Access-Control-Allow-Origin"]) == (
        413,
        "https://cdn.example.com",
    )


class Scanner:
    """Refuses files with a word in them."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.seen: list[UploadedFile] = []

    @hookimpl
    async def scan(self, file: UploadedFile) -> None:
        self.seen.append(file)
        if b"EICAR" in file.path.read_bytes():
            raise self.error


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (BadRequest("This file has a virus."), (400, "This file has a virus.")),
        (RuntimeError("secret"), (422, "The file could not be checked. Try again later.")),
    ],
)
async def test_a_scan_refuses_a_file(
    make_page: MakePage, way: str, error: Exception, answer: tuple[int, str]
) -> None:
    scanner = Scanner(error)
    page = await make_page(scanner, way=way)
    page.chat.headers = {"X-User": "t/ann"}
    await page.attach(b"hello", "a.txt")
    assert await message_of(await page.upload(b"hello EICAR", "b.txt")) == answer
    assert [(file.name, file.mime_type, file.size) for file in scanner.seen] == [
        ("a.txt", "text/plain", 5),
        ("b.txt", "text/plain", 11),
    ]
    assert [(file.user.tenant, file.user.id) for file in scanner.seen] == [("t", "ann")] * 2
    assert not any(file.path.exists() for file in scanner.seen)


class Reader:
    """Tells the model of sounds in its own way."""

    @hookimpl
    async def attachment_input(
        self, turn: Turn, attachment: Attachment
    ) -> list[dict[str, Any]] | None:
        if not attachment.name.endswith(".txt"):
            return None
        words = f"{turn.user.id} attached {attachment.name}"
        return [{"type": "input_text", "text": words}, {"type": "input_text", "text": "!"}]


async def test_a_plugin_tells_the_model_of_a_file(
    make_page: MakePage, model_server: ModelServer
) -> None:
    page = await make_page(Reader())
    ids = [await page.attach(b"a text", "a.txt"), await page.attach(b"a text", "b.md")]
    await page.say(*ids)
    text = told_text(model_server)
    assert "somebody attached a.txt\n\n!" in text
    assert "[attached file: b.md (text/plain, 6 bytes)]\na text\n[end of b.md]" in text


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("Käse".encode(), "Käse"),
        ("Käse".encode("utf-16"), "Käse"),
        ("Käse".encode("cp1252"), "Käse"),
        ("x" * 99 + "Käse" + "y" * 200, "x" * 99 + "K\n[cut off here: the file goes on]"),
    ],
)
async def test_the_model_reads_texts_in_any_encoding_up_to_a_limit(
    make_page: MakePage, model_server: ModelServer, data: str | bytes, expected: str
) -> None:
    page = await make_page(text=100)
    given = data.encode() if isinstance(data, str) else data
    await page.say(await page.attach(given, "a.txt"))
    assert f"]\n{expected}\n[end of a.txt]" in told_text(model_server)


async def test_many_texts_of_a_message_share_its_room(
    make_page: MakePage, model_server: ModelServer
) -> None:
    page = await make_page(text=100)
    ids = [await page.attach(b"x" * 150, f"{number}.txt") for number in range(8)]
    await page.say(*ids)
    assert told_text(model_server).count("x" * 50) == 8
    assert "x" * 51 not in told_text(model_server)
    await page.say(*ids[:2])
    assert told_text(model_server).count("x" * 100) == 2


async def sweep(page: Page, now: float) -> int:
    """Look for orphans in the server of a page, as if at another time; return how many go."""
    app = page.chat.client.app
    assert app is not None
    plugin = next(plugin for _, plugin in app[HOOKS].plugins if isinstance(plugin, Plugin))
    removed: int = await Sweep(plugin.files, app[STORE], 86_400).sweep(now)
    return removed


@pytest.mark.parametrize("where", PLACES)
async def test_files_in_no_message_are_removed_after_a_day(
    make_page: MakePage, tmp_path: Path, where: str
) -> None:
    store = MemoryStorePlugin()
    page = await make_page(store, where=where)
    used, unused = await page.attach(b"a", "a.txt"), await page.attach(b"b", "b.txt")
    never = await page.create("c.txt", 1)
    assert [(await page.put(never, b"\0")).status for _ in range(2)] == [415, 415]
    said = await page.say(used)
    now = time.time()
    assert await sweep(page, now + 80_000) == 0
    assert await sweep(page, now + 90_000) == 2
    assert await sweep(page, now + 90_000) == 0
    assert await (await page.download(used)).read() == b"a"
    for gone in (unused, never["id"]):
        assert (await page.download(gone)).status == 404
        assert (await page.refused(gone))[0] == 400
    assert list(store.memory.attachments[("", "somebody")]) == [used]
    # With its thread, a file goes too
    await page.chat.ask("threads.delete", thread_id=said.thread_id)
    assert store.memory.attachments[("", "somebody")] == {}
    if where == "folder":
        left = [path.name for path in (tmp_path / "files").rglob("*") if path.is_file()]
        assert left == ["secret"]


async def test_a_message_cannot_name_a_file_that_is_about_to_be_removed(
    make_page: MakePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await make_page()
    file_id = await page.attach(b"a", "a.txt")
    now = time.time()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now + 86_401)
        status, words = await page.refused(file_id)
    assert (status, words.partition(".")[0]) == (
        400,
        "A file of this message was uploaded too long ago",
    )


@pytest.mark.parametrize("way", WAYS)
async def test_a_file_that_is_removed_from_the_composer_is_deleted(
    make_page: MakePage, tmp_path: Path, way: str
) -> None:
    page = await make_page(way=way)
    file_id = await page.attach(b"a", "a.txt")
    await page.chat.ask("attachments.delete", attachment_id=file_id)
    assert (await page.download(file_id)).status == 404
    left = [path.name for path in (tmp_path / "files").rglob("*") if path.is_file()]
    assert left == ["secret"]


async def test_a_user_has_so_many_files_in_no_message(make_page: MakePage) -> None:
    page = await make_page(unused=2)
    first = await page.attach(b"a", "a.txt")
    await page.create("b.txt", 1)
    params = {"name": "c", "size": 1, "mime_type": "text/plain"}
    body = {"type": "attachments.create", "params": params}
    assert (await page.chat.refused(body))[0] == 429
    assert (await page.send_form(b"a", "c.txt")).status == 429
    await page.say(first)
    assert (await page.send_form(b"a", "c.txt")).status == 200


async def test_several_processes_sign_with_one_key(make_page: MakePage, tmp_path: Path) -> None:
    one, other = await make_page(), await make_page()
    created = await one.create("a.txt", 2, "text/plain")
    assert (await other.put(created, b"hi")).status == 200
    assert (tmp_path / "files").stat().st_mode & 0o77 == 0


async def test_the_owner_of_a_file_is_the_user_of_the_store(make_page: MakePage) -> None:
    store = MemoryStorePlugin()
    page = await make_page(store)
    page.chat.headers = {"X-User": "t/ann"}
    file_id = await page.attach(image(), "a.png")
    kept = await store.memory.load_attachment(file_id, StoreContext(User("ann", "t")))
    assert kept.metadata == {"size": len(image())}
