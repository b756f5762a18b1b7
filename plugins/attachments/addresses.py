"""The addresses that pages get: of uploads and previews, signed."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

from aiohttp import web
from chatkit.types import AttachmentUploadDescriptor, ImageAttachment
from pydantic import AnyUrl

from .signing import Signer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_ASKED_AT: ContextVar[str] = ContextVar("asked_at", default="")
"""Where the client of the running request finds the server."""


class Addresses:
    """Makes addresses of `public_url`, or else of the host that a request names.

    `path` is that of the routes; it is set before the server starts.
    """

    def __init__(
        self, signer: Signer, public_url: str | None, upload: float, preview: float
    ) -> None:
        self.path = ""
        self._signer = signer
        self._public = public_url.rstrip("/") if public_url else None
        self._upload = round(upload)
        self._preview = max(1, round(preview))

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Note where the client finds the server, for what is answered to it."""
        if self._public is None:
            # A client can only change its own addresses with these headers
            scheme = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip()
            scheme = scheme if scheme in ("http", "https") else request.scheme
            _ASKED_AT.set(f"{scheme}://{request.host}")
        return await handler(request)

    def upload(self, file_id: str) -> AttachmentUploadDescriptor:
        """Return where and how the bytes of a file are to be sent."""
        url = self._signed("upload", file_id, int(time.time()) + self._upload)
        return AttachmentUploadDescriptor(url=AnyUrl(url), method="PUT")

    def preview(self, file_id: str) -> AnyUrl:
        """Return where a page finds a file as an image.

        It is the same for a while, so that browsers keep the image, and good for at least
        `preview` seconds more.
        """
        until = (int(time.time()) // self._preview + 2) * self._preview
        return AnyUrl(self._signed("preview", file_id, until))

    def refreshed(self, attachment: ImageAttachment) -> ImageAttachment:
        """Return an attachment with a new address of its preview, if that is one of ours."""
        old = attachment.preview_url
        if not (old.path or "").endswith(f"/{attachment.id}/preview"):
            return attachment
        return attachment.model_copy(update={"preview_url": self.preview(attachment.id)})

    def _signed(self, purpose: str, file_id: str, until: int) -> str:
        base = self._public or _ASKED_AT.get() or "http://localhost"
        signature = self._signer.sign(purpose, file_id, until)
        return f"{base}{self.path}/{file_id}/{purpose}?until={until}&signature={signature}"
