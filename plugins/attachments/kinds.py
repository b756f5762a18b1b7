"""What a file is, by its content; and names that are safe to show and to save."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

import puremagic

UNKNOWN = "application/octet-stream"
TEXT = "text/plain"

SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""What a page shows as an image, and models read."""

_LONGEST_NAME = 200
_HEAD = 64 * 1024
_PIECE = 1024 * 1024

_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""In this order: UTF-32 begins as UTF-16 does."""

_NOT_TEXT = bytes([*range(9), 11, *range(14, 27), *range(28, 32), 127])

_TEXT_TYPES = re.compile(
    r"text/[\w.+-]+|application/(?:[\w.-]+\+)?(?:json|xml|yaml|toml)|application/"
    r"(?:x-yaml|javascript|x-javascript|ecmascript|typescript|x-sh|sql|x-ndjson|jsonl|rtf|x-tex)",
    re.ASCII,
)
"""Types of texts, which nothing in the content tells apart: what the client says is believed."""

_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)

_PROLOG = rb"(?>\s|<\?.*?\?>|<!--.*?-->|<!doctype\s+svg[^>]*>)*+"
_MARKUP = (
    (re.compile(_PROLOG + rb"<svg[\s>/]", re.IGNORECASE | re.DOTALL), "image/svg+xml"),
    (
        re.compile(
            _PROLOG + rb"<(?:!doctype\s+html|html|head|body|script|iframe)[\s>]",
            re.IGNORECASE | re.DOTALL,
        ),
        "text/html",
    ),
)
"""How texts begin that a browser would run: they are known whatever the client calls them."""

_PACKED = (
    (b"word/document", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (b"xl/workbook", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (
        b"ppt/presentation",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ),
)
"""Office files are ZIP archives; the names in them are at their end."""

_OPEN_DOCUMENT = re.compile(rb"mimetype(application/[\w.+-]+?)(?=PK)", re.ASCII)
_USUAL = {
    "image/x-ms-bmp": "image/bmp",
    "audio/wave": "audio/wav",
    "application/x-gzip": "application/gzip",
}


def kind_of(path: Path, stated: str) -> str:
    """Return the MIME type of a file by its content. What the client `stated` tells texts apart.

    It reads the whole file: call it in a thread.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    # Some programs write an empty line or a mark before it, and all readers take that
    if head.lstrip(b"\xef\xbb\xbf\0\t\n\f\r ").startswith(b"%PDF-"):
        return "application/pdf"
    if encoding_of(path) is not None:
        return _kind_of_text(head, stated)
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_archive(path, head)
    try:
        found = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return UNKNOWN
    best = next((match.mime_type for match in found[:1]), "") or UNKNOWN
    return UNKNOWN if _TEXT_TYPES.fullmatch(best) else _USUAL.get(best, best)


def is_text(kind: str) -> bool:
    """Whether a type, as `kind_of` returns it, is that of a text."""
    return kind == "image/svg+xml" or _TEXT_TYPES.fullmatch(kind) is not None


def is_allowed(kind: str, patterns: Iterable[str]) -> bool:
    """Whether a type is one of those in the settings. `text/*` stands for all texts."""
    return any(
        fnmatchcase(kind, pattern) or (pattern == "text/*" and is_text(kind))
        for pattern in patterns
    )


def encoding_of(path: Path) -> str | None:
    """Return the encoding of a text, None for what is no text.

    Without a mark at its beginning it is UTF-8, or else Windows-1252, which any bytes can be that
    have no control characters.
    """
    with path.open("rb") as file:
        start = file.read(4)
        encoding = next((name for bom, name in _BOMS.items() if start.startswith(bom)), None)
        file.seek(0)
        decoder = codecs.getincrementaldecoder(encoding or "utf-8")()
        is_valid = True
        while piece := file.read(_PIECE):
            if encoding is None and piece != piece.translate(None, _NOT_TEXT):
                return None
            try:
                is_valid = is_valid and decoder.decode(piece) is not None
            except UnicodeDecodeError:
                is_valid = False
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            is_valid = False
    if encoding is not None:
        return encoding if is_valid else None
    return "utf-8" if is_valid else "cp1252"


def _kind_of_text(head: bytes, stated: str) -> str:
    # As it is without a mark at its beginning, and in UTF-16 and UTF-32 too
    plain = head.lstrip(b"\xef\xbb\xbf\xff\xfe").replace(b"\0", b"")
    for pattern, kind in _MARKUP:
        if pattern.match(plain):
            return kind
    is_known = _TEXT_TYPES.fullmatch(stated) and stated != "text/html"
    return stated if is_known else TEXT


def _kind_of_archive(path: Path, head: bytes) -> str:
    if match := _OPEN_DOCUMENT.match(head, 30):
        return match[1].decode()
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - _HEAD))
        names = head + file.read()
    return next((kind for name, kind in _PACKED if name in names), "application/zip")


def clean_type(stated: str) -> str:
    """Return a MIME type as a client states it, without parameters; a general one for no type."""
    kind = stated.partition(";")[0].strip().lower()
    return kind if len(kind) <= _LONGEST_NAME and _TYPE.fullmatch(kind) else UNKNOWN


def clean_name(name: str) -> str:
    """Return the last part of a path, without what a file system or a reader trips over."""
    name = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    shown = (c for c in name if unicodedata.category(c) != "Cf")
    kept = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in shown)
    kept = re.sub(r'[<>:"|?*]', "_", " ".join(kept.split())).strip(". ")
    if len(kept) > _LONGEST_NAME:
        stem, dot, ending = kept.rpartition(".")
        ending = dot + ending if stem and len(ending) <= 10 else ""
        kept = kept[: _LONGEST_NAME - len(ending)] + ending
    return kept or "file"
