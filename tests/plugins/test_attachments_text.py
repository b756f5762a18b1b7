"""What a file is by its content, and its text: whatever somebody has put into it."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from chatkit_plugins.attachments import extracting
from chatkit_plugins.attachments.config import PdfLimits
from chatkit_plugins.attachments.extracting import Extract, Extractor
from chatkit_plugins.attachments.kinds import clean_name, clean_type, is_allowed, kind_of

from tests.plugins.attached import image, pdf, pdf_of

OFFICE = "application/vnd.openxmlformats-officedocument."


def archive(*names: str, first: str = "", content: str = "") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        if first:
            made.writestr(first, content)
        for name in names:
            made.writestr(name, "x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "stated", "kind"),
    [
        (image("PNG"), "text/plain", "image/png"),
        (image("JPEG"), "", "image/jpeg"),
        (image("GIF"), "", "image/gif"),
        (image("WEBP"), "", "image/webp"),
        (image("BMP"), "", "image/bmp"),
        (image("TIFF"), "image/png", "image/tiff"),
        (pdf("a"), "image/png", "application/pdf"),
        (b"%PDF-1.7 all of it text", "", "application/pdf"),
        (b"\xef\xbb\xbf\r\n" + pdf("a"), "", "application/pdf"),
        (b"The format begins with %PDF-1.7", "", "text/plain"),
        # Polyglots and words that look like the beginning of another file
        (b"GIF89a=1;alert(1)//", "image/gif", "text/plain"),
        (b"BM is a maker of cars", "", "text/plain"),
        (b"PK and MZ are letters", "", "text/plain"),
        (b"a,b\n1,2\n", "text/csv", "text/csv"),
        (b'{"a": 1}', "application/json", "application/json"),
        (b"# Title", "text/markdown; charset=utf-8", "text/markdown"),
        (b"a: 1", "application/octet-stream", "text/plain"),
        (b"a: 1", "image/png", "text/plain"),
        ("Käse".encode("utf-16"), "text/csv", "text/csv"),
        ("Käse".encode("utf-32"), "", "text/plain"),
        ("Käse".encode("cp1252"), "", "text/plain"),
        (b"<!DOCTYPE html><p>", "text/plain", "text/html"),
        (b"# About <svg> and <script>", "text/markdown", "text/markdown"),
        (b"# About", "text/html", "text/plain"),
        (b"<!-- a --> " * 5000 + b"<p>", "text/css", "text/css"),
        (b"<!DOCTYPE html><p>", "image/png", "text/html"),
        (b"  <SCRIPT>1</SCRIPT>", "text/css", "text/html"),
        (b"<svg onload=alert(1)>", "text/plain", "image/svg+xml"),
        (b'<?xml version="1.0"?>\n<!-- a -->\n<svg/>', "application/xml", "image/svg+xml"),
        (b'<?xml version="1.0"?>\n<a/>', "application/xml", "application/xml"),
        ('<?xml version="1.0"?><svg >'.encode("utf-16"), "image/png", "image/svg+xml"),
        (archive("[Content_Types].xml", "word/document.xml"), "", f"{OFFICE}wordprocessingml"),
        (archive("[Content_Types].xml", "xl/workbook.xml"), "", f"{OFFICE}spreadsheetml"),
        (archive("[Content_Types].xml", "ppt/presentation.xml"), "", f"{OFFICE}presentationml"),
        (archive("a"), "application/pdf", "application/zip"),
        (
            archive("a", first="mimetype", content="application/epub+zip"),
            "",
            "application/epub+zip",
        ),
        (b"MZ" + bytes(100), "image/png", "application/octet-stream"),
        (b"\x7fELF" + bytes(100), "", "application/octet-stream"),
        (bytes(range(256)), "text/plain", "application/octet-stream"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(30), "image/png", "image/heif"),
        (b"\x1f\x8b\x08" + bytes(30), "text/plain", "application/gzip"),
        (b"hello\0world", "text/plain", "application/octet-stream"),
    ],
)
def test_a_file_is_what_its_content_says(
    tmp_path: Path, data: bytes, stated: str, kind: str
) -> None:
    file = tmp_path / "file.png"
    file.write_bytes(data)
    assert kind_of(file, clean_type(stated)).startswith(kind)


@pytest.mark.parametrize(
    ("kind", "patterns", "allowed"),
    [
        ("image/png", ["image/*"], True),
        ("image/png", ["application/pdf", "image/jpeg"], False),
        ("application/json", ["text/*"], True),
        ("image/svg+xml", ["text/*"], True),
        ("application/zip", ["text/*", "image/*"], False),
        ("application/octet-stream", ["*/*"], True),
        ("text/csv", ["text/plain"], False),
    ],
)
def test_types_are_patterns(kind: str, patterns: list[str], allowed: bool) -> None:
    assert is_allowed(kind, patterns) is allowed


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ann\\cv.pdf", "cv.pdf"),
        ("..", "file"),
        ("", "file"),
        ("a\r\nSet-Cookie: x", "a Set-Cookie_ x"),
        ("exe\u202efdp.txt", "exefdp.txt"),
        ("  .hidden. ", "hidden"),
        ('say "hi"?.txt', "say _hi__.txt"),
        ("\ud800a.txt", "a.txt"),
        ("u\u0308ber.txt", "\u00fcber.txt"),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
    ],
)
def test_a_name_is_safe(name: str, clean: str) -> None:
    assert clean_name(name) == clean


@pytest.mark.parametrize(
    ("stated", "clean"),
    [
        ("Text/CSV; charset=utf-8", "text/csv"),
        ("", "application/octet-stream"),
        ("a/b\r\nX: y", "application/octet-stream"),
        ("\udcff/x", "application/octet-stream"),
        ("x/" + "y" * 300, "application/octet-stream"),
    ],
)
def test_a_stated_type_is_safe(stated: str, clean: str) -> None:
    assert clean_type(stated) == clean


async def read(tmp_path: Path, data: bytes, characters: int = 1000, **limits: Any) -> Extract:
    file = tmp_path / "file.pdf"
    file.write_bytes(data)
    given = {"time": "5s", "memory": "300MB", **limits}
    return await Extractor(characters, PdfLimits.model_validate(given)).pdf(file)


async def test_a_pdf_is_read_up_to_its_limits(tmp_path: Path) -> None:
    data = pdf("first", "second", "third")
    assert await read(tmp_path, data) == Extract("first\nsecond\nthird", "", 3)
    assert await read(tmp_path, data, pages=2) == Extract(
        "first\nsecond", "only the first 2 pages were read", 3
    )
    cut = await read(tmp_path, data, characters=8)
    assert cut.text == "first\nse\n[cut off here: the file goes on]"
    assert cut.note == "only its beginning is given"
    empty = await read(tmp_path, pdf(""))
    assert empty == Extract("", "it has no text, only pictures perhaps", 1)


@pytest.mark.parametrize(
    ("data", "note", "pages"),
    [
        (b"%PDF-1.4\n" + bytes(100), "it is broken", None),
        # Little that unpacks to much, and a page that fills the memory
        (pdf_of(zlib.compress(bytes(300_000_000)), packed=True), "it cannot be read", 1),
        (pdf_of(zlib.compress(b"q " * 20_000_000), packed=True), "it cannot be read", 1),
    ],
)
async def test_a_pdf_that_is_a_bomb_costs_a_note(
    tmp_path: Path, data: bytes, note: str, pages: int | None
) -> None:
    assert await read(tmp_path, data) == Extract("", note, pages)


@pytest.mark.parametrize(
    ("ending", "note"),
    [
        ("os.abort()", "it cannot be read"),
        ("os.kill(os.getpid(), signal.SIGXCPU)", "it takes too long"),
        ("time.sleep(60)", "it takes too long"),
        ("sys.exit(3)", "it is protected by a password"),
        ("sys.stdout.buffer.write(b'x' * 100 + b'\\xff'); os.abort()", "it cannot be read"),
    ],
)
async def test_a_reader_that_crashes_or_hangs_is_killed_and_what_it_wrote_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, note: str
) -> None:
    script = tmp_path / "reader.py"
    script.write_text(
        "import os, signal, sys, time\n"
        "assert not [name for name in os.environ if 'SECRET' in name]\n"
        "print('{\"pages\": 7}\\nthe first page', flush=True)\n"
        f"{ending}\n"
    )
    monkeypatch.setattr(extracting, "_SCRIPT", script)
    monkeypatch.setenv("SOME_SECRET", "x")
    found = await read(tmp_path, pdf("a"), time="1s")
    assert found.pages == 7
    assert found.text.startswith("the first page")
    assert found.note == f"not all of it could be read: {note}"
