"""Files that are served from memory, packed, and without sign-in."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from aiohttp import hdrs, web

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


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file, as it is and packed."""

    body: bytes
    packed: bytes | None
    content_type: str
    cache: str
    etag: str

    @classmethod
    def of(cls, body: bytes, name: str) -> StaticFile:
        """Make one of its bytes. The end of its name says what it is."""
        packed = gzip.compress(body, 9, mtime=0)
        return cls(
            body,
            packed if len(body) > _SMALL and len(packed) < len(body) else None,
            TYPES[Path(name).suffix],
            _FOR_EVER if _HASHED.search(name) else _REVALIDATED,
            hashlib.sha256(body).hexdigest()[:32],
        )

    def answer(self, request: web.Request) -> web.Response:
        """Answer with the file, or with 304 if the client has it already."""
        accepted = request.headers.get(hdrs.ACCEPT_ENCODING, "")
        packed = self.packed if _accepts_gzip(accepted) else None
        etag = f"{self.etag}-gz" if packed else self.etag
        known = request.if_none_match or ()
        if any(each.value in (etag, "*") for each in known):
            response = web.Response(status=304)
        else:
            response = web.Response(
                body=packed or self.body, content_type=self.content_type, charset="utf-8"
            )
            if packed:
                response.headers[hdrs.CONTENT_ENCODING] = "gzip"
        response.etag = etag
        response.headers[hdrs.CACHE_CONTROL] = self.cache
        # The response names the origin that may read it
        response.headers[hdrs.VARY] = "Accept-Encoding, Origin"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def files_of(folder: Path) -> dict[str, StaticFile]:
    """Return what a folder has to serve, by the path in it."""
    return {
        path.relative_to(folder).as_posix(): StaticFile.of(path.read_bytes(), path.name)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in TYPES
    }


def _accepts_gzip(accepted: str) -> bool:
    for part in accepted.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
