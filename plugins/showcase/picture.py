"""A picture that is made in code, as a model would make one."""

from __future__ import annotations

import base64
import struct
import zlib

SIZE = 64


def sunset(rows: int = SIZE) -> str:
    """Return a sunset as the data URL of a PNG. Only its first rows are painted."""
    lines = b"".join(b"\0" + bytes(_colour(y) if y < rows else GREY) * SIZE for y in range(SIZE))
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)
    chunks = [_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(lines)), _chunk(b"IEND", b"")]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


GREY = (220, 220, 220)


def _colour(y: int) -> tuple[int, int, int]:
    """Return the colour of a row: from orange to violet."""
    return 255 - 2 * y, 140 - y, 60 + 2 * y


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
