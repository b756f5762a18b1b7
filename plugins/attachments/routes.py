"""The routes: upload (`direct`, and to a signed address), download and preview."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import cast
from urllib.parse import quote

from aiohttp import BodyPartReader, MultipartReader, hdrs, web
from aiohttp.http_exceptions import BadHttpMessage
from chatkit.store import NotFoundError
from chatkit.types import Attachment
from pydantic import BaseModel

from chatkit_server import (
    STORE,
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    TooLarge,
    Unavailable,
    authenticate,
    store_context,
    words,
)

from .files import GONE, About, Files, Record, is_ours, new_id
from .intake import TWICE, Intake
from .kinds import SHOWN, clean_name, clean_type
from .signing import Signer
from .store import Attachments

_CHUNK = 64 * 1024
_MOST_ELSE = 100_000
"""Bytes of a form beside the file."""

_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
}


class Routes:
    """Serves files below a path. The signed addresses need no other credentials."""

    def __init__(
        self, files: Files, intake: Intake, signer: Signer, attachments: Attachments
    ) -> None:
        self._files = files
        self._intake = intake
        self._signer = signer
        self._attachments = attachments

    def add_to(self, app: web.Application, path: str) -> None:
        """Add the routes to an application."""
        app.router.add_post(path, self.upload_directly)
        app.router.add_get(f"{path}/{{id}}", self.download, allow_head=False)
        upload = app.router.add_resource(f"{path}/{{id}}/upload")
        preview = app.router.add_resource(f"{path}/{{id}}/preview")
        for method in (hdrs.METH_PUT, hdrs.METH_POST):
            upload.add_route(method, self.upload_to_address)
        preview.add_route(hdrs.METH_GET, self.preview)
        signed = {upload, preview}
        for resource in signed:
            resource.add_route(hdrs.METH_OPTIONS, _preflight)

        async def allow_any_page(request: web.Request, response: web.StreamResponse) -> None:
            """The signature is what counts here: ChatKit's frame has an origin of its own."""
            origin = request.headers.get(hdrs.ORIGIN)
            if origin is not None and request.match_info.route.resource in signed:
                response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
                response.headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"
                response.headers.add(hdrs.VARY, hdrs.ORIGIN)

        app.on_response_prepare.append(allow_any_page)

    async def upload_directly(self, request: web.Request) -> web.StreamResponse:
        """Store the file of a form, and answer its `Attachment`."""
        user = await authenticate(request)
        context = await store_context(request, user)
        self._intake.check_size((request.content_length or 0) - _MOST_ELSE)
        await self._intake.check_announced(user, None)
        form, part = await _form_of(request)
        about = About(
            tenant=user.tenant,
            user=user.id,
            name=clean_name(part.filename or ""),
            mime_type=clean_type(part.headers.get(hdrs.CONTENT_TYPE, "")),
        )
        file_id = new_id()
        await self._files.announce(file_id, about)
        try:
            record = await self._intake.keep(file_id, about, _pieces(form, part))
            attachment = self._attachments.of(file_id, record)
            await request.app[STORE].save_attachment(attachment, context)
        except Exception:
            with suppress(Exception):
                await self._files.delete(user, file_id)
            raise
        return _json(attachment)

    async def upload_to_address(self, request: web.Request) -> web.StreamResponse:
        """Store the bytes of a file that was announced, once."""
        file_id = self._signed_id(request, "upload")
        self._intake.check_size((request.content_length or 0) - _MOST_ELSE)
        about = await self._files.about(file_id)
        if about is None:
            raise NotFound(GONE)
        if await self._files.record(file_id) is not None:
            raise Conflict(TWICE)
        if request.content_type.startswith("multipart/"):
            pieces = _pieces(*await _form_of(request))
        else:
            pieces = request.content.iter_chunked(_CHUNK)
        record = await self._intake.keep(file_id, about, pieces)
        return _json(self._attachments.of(file_id, record))

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Send a file to its owner, to be saved and not to be opened by the browser."""
        user = await authenticate(request)
        context = await store_context(request, user)
        file_id = _id_of(request)
        try:
            await request.app[STORE].load_attachment(file_id, context)
        except NotFoundError:
            raise NotFound(GONE) from None
        record = await self._files.records_own(file_id, user)
        if record is None:
            raise NotFound(GONE)
        name = quote(record.name, safe="")
        plain = "".join(c if c.isascii() and c not in '"\\' else "_" for c in record.name)
        disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{name}"
        headers = {"Content-Disposition": disposition, "Cache-Control": "private, no-store"}
        content = self._files.content(file_id, record)
        return await _stream(request, record, content, headers)

    async def preview(self, request: web.Request) -> web.StreamResponse:
        """Send a file as an image, to whoever has its signed address."""
        file_id = self._signed_id(request, "preview")
        record = await self._files.record(file_id)
        if record is None or record.mime_type not in SHOWN:
            raise NotFound(GONE)
        headers = {
            "Cache-Control": "private, max-age=86400",
            "Content-Disposition": "inline",
            # The frame that shows it is of another site
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        if not record.has_image:
            content = self._files.content(file_id, record)
            return await _stream(request, record, content, headers)
        data = await self._files.image(file_id, record)
        if data is None:
            raise NotFound(GONE)
        kind = image_kind(data)
        return web.Response(body=data, content_type=kind, headers={**_SAFE, **headers})

    def _signed_id(self, request: web.Request, purpose: str) -> str:
        file_id = _id_of(request)
        until = request.query.get("until", "")
        if not self._signer.allows(purpose, file_id, until, request.query.get("signature", "")):
            raise Forbidden(
                words(
                    "This address is not valid, or its time is over. Load the page, or attach the "
                    "file again."
                )
            )
        return file_id


def image_kind(data: bytes) -> str:
    """Return the type of an image that was made smaller: those are PNG or JPEG."""
    return "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"


async def _stream(
    request: web.Request,
    record: Record,
    content: AsyncGenerator[bytes, None],
    headers: dict[str, str],
) -> web.StreamResponse:
    response = web.StreamResponse(headers={**_SAFE, **headers})
    response.content_type = record.mime_type
    response.content_length = record.size
    async with aclosing(content):
        try:
            # Read before the answer begins: until then an error has its status
            piece = await anext(content, b"")
        except FileNotFoundError:
            raise NotFound(GONE) from None
        await response.prepare(request)
        try:
            while piece:
                await response.write(piece)
                piece = await anext(content, b"")
        except (Unavailable, ConnectionResetError):
            # No second answer may follow: the client sees that it breaks off
            if request.transport is not None:
                request.transport.abort()
    return response


async def _preflight(request: web.Request) -> web.Response:
    asked = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "")
    headers = {
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, PUT, POST",
        hdrs.ACCESS_CONTROL_ALLOW_HEADERS: asked,
        hdrs.ACCESS_CONTROL_MAX_AGE: "600",
    }
    return web.Response(status=204, headers=headers)


def _id_of(request: web.Request) -> str:
    file_id = request.match_info["id"]
    if not is_ours(file_id):
        raise NotFound(GONE)
    return file_id


async def _form_of(request: web.Request) -> tuple[MultipartReader, BodyPartReader]:
    """Return a form and its part `file`, before the bytes of that are read."""
    if not request.content_type.startswith("multipart/"):
        raise BadRequest("Send the file as `multipart/form-data`, in the field `file`.")
    left = _MOST_ELSE
    with _named_mistake():
        form = await request.multipart()
        while (part := await form.next()) is not None:
            if isinstance(part, BodyPartReader) and part.name == "file":
                return form, part
            while isinstance(part, BodyPartReader) and (piece := await part.read_chunk(_CHUNK)):
                left -= len(piece)
                if left < 0:
                    raise TooLarge("The form has too much beside the field `file`.")
    raise BadRequest("The form has no field `file`.")


async def _pieces(form: MultipartReader, part: BodyPartReader) -> AsyncIterator[bytes]:
    packed = part.headers.get(hdrs.CONTENT_TRANSFER_ENCODING, "binary").lower()
    if packed not in ("binary", "8bit", "7bit") or hdrs.CONTENT_ENCODING in part.headers:
        raise BadRequest("Send the file in the form as it is, neither packed nor encoded.")
    with _named_mistake():
        while piece := await part.read_chunk(_CHUNK):
            yield bytes(piece)
        # It fails if the form breaks off in the file
        await form.next()


@contextmanager
def _named_mistake() -> Iterator[None]:
    try:
        yield
    except (ValueError, AssertionError, BadHttpMessage) as error:
        reason = " ".join(str(error).split())[:150]
        raise BadRequest(f"The body is no valid form: {reason}") from None


def _json(attachment: Attachment) -> web.Response:
    text = cast(BaseModel, attachment).model_dump_json(
        by_alias=True, exclude_none=True, context={"exclude_metadata": True}
    )
    return web.Response(text=text, content_type="application/json")
