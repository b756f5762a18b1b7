"""Files that are served from memory, packed, and without sign-in."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
from pathlib import Path

from aiohttp import hdrs, web

BUILT = Path(__file__).parent / "built"
SCHEMA = "options.schema.json"
"""What the options of the element have to be; of the built files, only the server reads it."""

TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
}
"""What is served, by the end of the name."""

_HASHED = re.compile(r"-[0-9A-Z]{8}\.\w+$")
"""The end of a name that changes with the file."""

_REVALIDATED = "no-cache"
_FOR_EVER = "public, max-age=31536000, immutable"
_SMALL = 1000
"""Bytes that are not worth packing."""


class StaticFile:
    """A file, as it is and packed. The end of its name says what it is."""

    def __init__(self, body: bytes, name: str) -> None:
        self.body = body
        self._content_type = TYPES[Path(name).suffix]
        self._cache = _FOR_EVER if _HASHED.search(name) else _REVALIDATED
        self._etag = hashlib.sha256(body).hexdigest()[:32]
        self._packed: bytes | None = None

    async def answer(self, request: web.Request) -> web.Response:
        """Answer with the file, or with 304 if the client has it already."""
        packs = len(self.body) > _SMALL and _accepts_gzip(request)
        etag = f"{self._etag}-gz" if packs else self._etag
        if any(known.value in (etag, "*") for known in request.if_none_match or ()):
            response = web.Response(status=304)
        else:
            response = web.Response(
                body=await self._pack() if packs else self.body,
                content_type=self._content_type,
                charset="utf-8",
            )
            if packs:
                response.headers[hdrs.CONTENT_ENCODING] = "gzip"
        response.etag = etag
        response.headers[hdrs.CACHE_CONTROL] = self._cache
        # The response names the origin that may read it
        response.headers[hdrs.VARY] = "Accept-Encoding, Origin"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    async def _pack(self) -> bytes:
        if self._packed is None:
            # Answers go on meanwhile: zlib releases the interpreter
            self._packed = await asyncio.to_thread(gzip.compress, self.body, 9, mtime=0)
        return self._packed


def files_of(folder: Path) -> dict[str, StaticFile]:
    """Return what a folder has to serve, by the path in it."""
    return {
        path.relative_to(folder).as_posix(): StaticFile(path.read_bytes(), path.name)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in TYPES
    }


def _accepts_gzip(request: web.Request) -> bool:
    for part in request.headers.get(hdrs.ACCEPT_ENCODING, "").lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
