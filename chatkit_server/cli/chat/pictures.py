"""Pictures that come inside of an event: a terminal shows where they are kept."""

from __future__ import annotations

import base64
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote_to_bytes

from yarl import URL

from .widgets import short_url

_ENDS = {
    "image/gif": ".gif",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "image/webp": ".webp",
}


class Pictures:
    """Keeps pictures that have no address in a folder of their own."""

    def __init__(self, base: URL) -> None:
        self._base = base
        self._folder: Path | None = None
        self._count = 0

    def save(self, id: str, url: str) -> str:
        """Return the address of a picture, or the file to which its data were written."""
        if not url.startswith("data:"):
            with suppress(ValueError):
                return str(self._base.join(URL(url)))
            return url
        head, _, data = url[5:].partition(",")
        try:
            content = base64.b64decode(data) if head.endswith(";base64") else unquote_to_bytes(data)
            folder = self._folder = self._folder or Path(tempfile.mkdtemp(prefix="chatkit-"))
            # Nothing that a server says is part of the name
            self._count += 1
            file = folder / f"picture-{self._count}{_ENDS.get(head.partition(';')[0], '.bin')}"
            file.write_bytes(content)
        except (OSError, ValueError):
            return short_url(url)
        return str(file)
