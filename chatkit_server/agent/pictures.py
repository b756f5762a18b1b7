"""Pictures: what their first bytes say, and smaller ones in place of large ones."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import re
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger(__name__)

MOST_PIXELS = 40_000_000
"""Of a picture that is scaled down: a small file may be a picture of any size."""

MOST_PIXELS_IN_LINES = 89_000_000
"""Of a JPEG as cameras write it, which is decoded line by line to fewer pixels at once."""

_READ_BY_MODELS = ("image/png", "image/jpeg", "image/gif", "image/webp")
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
"""What is decoded: no other decoder of the library is let near the bytes of a server."""

_QUALITIES = (85, 60)
_ROUNDS = 3
_SEGMENTS = 1000
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
"""What ends the pixels of a JPEG, or a part of them."""

_BEGINNING = 400_000
"""Characters of a data URL in which the size is looked for."""

_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="pictures")


@dataclass(frozen=True, slots=True)
class Head:
    """What a picture's first bytes say: its MIME type, and its size in pixels.

    `in_lines` is true for a JPEG whose pixels come line by line, and not in ever finer scans.
    """

    kind: str
    width: int
    height: int
    in_lines: bool = False

    @property
    def is_too_large(self) -> bool:
        """Whether it has too many pixels to be decoded."""
        most = MOST_PIXELS_IN_LINES if self.in_lines else MOST_PIXELS
        return self.width * self.height > most

    @property
    def is_read_by_models(self) -> bool:
        """Whether model providers take this format, and a picture of this size at all."""
        return self.has_known_format and self.width > 0 and self.height > 0

    @property
    def has_known_format(self) -> bool:
        """Whether model providers take this format."""
        return self.kind in _READ_BY_MODELS


def read_head(data: bytes) -> Head | None:
    """Return what the first bytes say, None if they are not those of a picture."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
            return Head("image/png", *struct.unpack_from(">II", data, 16))
        if data.startswith((b"GIF87a", b"GIF89a")):
            return Head("image/gif", *struct.unpack_from("<HH", data, 6))
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp(data)
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data.startswith(b"BM"):
            width, height = struct.unpack_from("<ii", data, 18)
            return Head("image/bmp", abs(width), abs(height))
    except (struct.error, IndexError):
        pass
    return None


def _webp(data: bytes) -> Head | None:
    match data[12:16]:
        case b"VP8X":
            width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
        case b"VP8L":
            [bits] = struct.unpack_from("<I", data, 21)
            width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 ":
            width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
        case _:
            return None
    return Head("image/webp", width, height)


def _jpeg(data: bytes) -> Head | None:
    at = 2
    for _ in range(_SEGMENTS):
        if data[at] != 0xFF:
            return None
        kind = data[at + 1]
        if kind == 0xFF:
            at += 1
        elif 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return Head("image/jpeg", width, height, in_lines=kind in (0xC0, 0xC1))
        elif kind == 0x01 or 0xD0 <= kind <= 0xD9:
            at += 2
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def data_of(url: str, most: int | None = None) -> bytes | None:
    """Return the bytes of a Base64 data URL, None for others; at least its beginning for `most`.

    Some tools write a whole data URL where Base64 belongs: it is read too.
    """
    start = _start_of_data(url, 0)
    if start is not None and url.startswith("data:", start):
        start = _start_of_data(url, start)
    if start is None:
        return None
    text = url[start:] if most is None else url[start : start + most // 4 * 4]
    try:
        return base64.b64decode(text, validate=most is None)
    except (binascii.Error, ValueError):
        return None


def _start_of_data(url: str, at: int) -> int | None:
    """Return where the Base64 starts in a data URL that starts at `at`."""
    head, comma, _ = url[at : at + 200].partition(",")
    is_base64 = comma and head.startswith("data:") and head.endswith(";base64")
    return at + len(head) + 1 if is_base64 else None


def data_url(kind: str, data: bytes) -> str:
    """Return bytes as a data URL."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def picture_name(url: str) -> str:
    """Return what to call a picture in a note, with its size if its URL has its bytes."""
    data = data_of(url, _BEGINNING)
    return head_name(read_head(data) if data is not None else None)


def head_name(head: Head | None) -> str:
    """Return what to call a picture in a note."""
    if head is None:
        return "an image"
    return f"an image of {head.width}\N{MULTIPLICATION SIGN}{head.height}"


async def is_whole(data: bytes) -> bool:
    """Whether the bytes of a picture go on to its end.

    Providers refuse a whole request for a picture that breaks off. It is decoded in a thread if the
    package Pillow is installed.
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_THREADS, _is_whole, data)


def _is_whole(data: bytes) -> bool:
    return _has_end(data) and (not _has_pillow() or _can_be_loaded(data))


def _has_end(data: bytes) -> bool:
    match data[:4]:
        case b"\x89PNG":
            return data.rfind(b"IEND") >= 0
        case b"GIF8":
            return data.rstrip(b"\0").endswith(b";")
        case b"RIFF":
            return len(data) >= 8 + int.from_bytes(data[4:8], "little")
    return _jpeg_has_end(data)


def _jpeg_has_end(data: bytes) -> bool:
    """Whether a JPEG has its end. Phones add a film after it, and a preview inside has its own."""
    at = 2
    for _ in range(_SEGMENTS):
        marker = _MARKER.search(data, at)
        if marker is None or len(data) < marker.end() + 2:
            return marker is not None and marker[0] == b"\xff\xd9"
        kind = marker[0][1]
        if kind == 0xD9:
            return True
        at = marker.end()
        if kind not in (0x01, 0xD8):
            at += struct.unpack_from(">H", data, at)[0]
    return False


def _can_be_loaded(data: bytes) -> bool:
    from PIL import Image

    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as opened:
            if _is_too_large(opened):
                return False
            opened.draft(None, (opened.width // 8 or 1, opened.height // 8 or 1))
            opened.load()
    except Exception as error:
        # Pillow raises errors of many types for what it cannot read
        log.debug("an image could not be read: %s", type(error).__name__)
        return False
    return True


def _is_too_large(opened: Image) -> bool:
    """Whether a picture has too many pixels; it may be another one than its first bytes say."""
    in_lines = opened.format in ("JPEG", "MPO") and not opened.info.get("progressive")
    return opened.width * opened.height > (MOST_PIXELS_IN_LINES if in_lines else MOST_PIXELS)


async def image_for_models(data: bytes, max_side: int, max_size: int) -> bytes | None:
    """Return an image as models take it: as it is, or scaled down to these pixels and bytes.

    None if that is not possible: it is far too large, or the package Pillow is not installed.
    Raises `ValueError` for an image that is broken, or of a format that is not known.
    """
    head = read_head(data)
    if head is None:
        raise ValueError("not an image of a known format")
    if head.is_too_large:
        return None
    fits = max(head.width, head.height) <= max_side and len(data) <= max_size
    if head.has_known_format and not await is_whole(data):
        raise ValueError("the image is broken, or not whole")
    # Some models read no GIF, others none that moves: they get its first picture
    moves = head.kind == "image/gif" and _has_pillow()
    if head.is_read_by_models and fits and not moves:
        return data
    return await scaled(data, max_side, max_size)


async def scaled(data: bytes, max_side: int, max_size: int) -> bytes | None:
    """Return a picture with sides of at most `max_side` pixels, in at most `max_size` bytes.

    None if it cannot be read or made so small, or if the package Pillow is not installed. It is
    decoded in a thread.
    """
    if not _has_pillow():
        _ask_for_pillow()
        return None
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_THREADS, _scaled, data, max_side, max_size)


@cache
def _has_pillow() -> bool:
    # This import takes megabytes, and few deployments need it
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        return False
    return True


@cache
def _ask_for_pillow() -> None:
    log.warning(
        "an image is larger than `agent.images` allows, or of a format that models do not "
        "read, and they get a note in its place: to have such images made over, install "
        "`chatkit-server[images]`"
    )


def _scaled(data: bytes, max_side: int, max_size: int) -> bytes | None:
    from PIL import Image, ImageOps

    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as opened:
            if _is_too_large(opened):
                return None
            # A JPEG is decoded to fewer pixels at once, but to enough to be made smaller well
            steps = max(1, max(opened.size) // (2 * max_side))
            opened.draft(None, (opened.width // steps or 1, opened.height // steps or 1))
            opened.thumbnail((max_side, max_side))
            return _written(ImageOps.exif_transpose(opened), max_size)
    except Exception as error:
        # Pillow raises errors of many types for what it cannot read
        log.debug("an image could not be scaled down: %s", type(error).__name__)
        return None


def _written(image: Image, max_size: int) -> bytes | None:
    is_photo = image.format == "JPEG" or image.mode in ("CMYK", "YCbCr")
    image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    for _ in range(_ROUNDS):
        if not is_photo and len(written := _as_png(image)) <= max_size:
            return written
        for quality in _QUALITIES:
            if len(written := _as_jpeg(image, quality)) <= max_size:
                return written
        image.thumbnail((image.width // 2, image.height // 2))
    return None


def _as_png(image: Image) -> bytes:
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _as_jpeg(image: Image, quality: int) -> bytes:
    if image.mode == "RGBA":
        from PIL import Image as images

        white = images.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        image = white
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()
