"""Files for tests of attachments, and a page that attaches them."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientResponse, FormData
from PIL import Image

from tests.client import Chat, Streamed


def image(kind: str = "PNG", size: tuple[int, int] = (20, 10)) -> bytes:
    """Return an image of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, kind)
    return file.getvalue()


def large_image(size: int) -> bytes:
    """Return a PNG of 3400 times 2000 pixels with at least so many bytes, most of them a remark."""
    data = image(size=(3400, 2000))
    remark = b"teXt" + bytes(size)
    chunk = struct.pack(">I", size) + remark + struct.pack(">I", zlib.crc32(remark))
    end = data.rindex(b"IEND") - 4
    return data[:end] + chunk + data[end:]


def pdf(*pages: str) -> bytes:
    """Return a PDF with a line of text on each page."""
    return pdf_of(*(f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode() for text in pages))


def pdf_of(*pages: bytes, packed: bool = False) -> bytes:
    """Return a PDF with these content streams, one for each page."""
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Arial>>"
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"", font]
    kids = []
    how = b"/Filter/FlateDecode" if packed else b""
    for content in pages:
        head = b"<</Length %d%b>>" % (len(content), how)
        objects.append(b"%bstream\n%b\nendstream" % (head, content))
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R"
            b"/Resources<</Font<</F1 3 0 R>>>>>>" % len(objects)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<</Type/Pages/Kids[%b]/Count %d>>" % (b" ".join(kids), len(kids))
    return _file_of(objects)


def _file_of(objects: list[bytes]) -> bytes:
    data = b"%PDF-1.4\n"
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size, begin = len(objects) + 1, len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, table)
    return data + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, begin)


@dataclass
class Page:
    """Attaches files as a page does."""

    chat: Chat
    way: str = "direct"

    async def attach(self, data: bytes, name: str, kind: str = "") -> str:
        """Upload a file in the page's way; return its id."""
        response = await self.upload(data, name, kind)
        assert response.status == 200, await response.text()
        return str((await response.json())["id"])

    async def upload(self, data: bytes, name: str, kind: str = "") -> ClientResponse:
        """Upload a file, and return the answer to its bytes."""
        if self.way == "direct":
            return await self.send_form(data, name, kind)
        created = await self.create(name, len(data), kind)
        return await self.put(created, data)

    async def send_form(self, data: bytes, name: str, kind: str = "") -> ClientResponse:
        """Upload a file as the field `file` of a form."""
        form = FormData()
        form.add_field("file", io.BytesIO(data), filename=name, content_type=kind or None)
        path = f"{self.chat.path}/attachments"
        return await self.chat.client.post(path, data=form, headers=self.chat.headers)

    async def create(self, name: str, size: int, kind: str = "") -> dict[str, Any]:
        """Announce a file, and return its `Attachment`."""
        return await self.chat.ask("attachments.create", name=name, size=size, mime_type=kind)

    async def put(self, created: dict[str, Any], data: bytes, **kwargs: Any) -> ClientResponse:
        """Send the bytes to where they are wanted, without any credentials."""
        wanted = created["upload_descriptor"]
        path, content = local(wanted["url"]), io.BytesIO(data)
        return await self.chat.client.request(wanted["method"], path, data=content, **kwargs)

    async def say(self, *ids: str, thread_id: str | None = None) -> Streamed:
        """Send a message with attachments."""
        return await self.chat.say("Look", thread_id, attachments=list(ids))

    async def refused(self, *ids: str) -> tuple[int, str]:
        """Send a message with attachments that is to be refused."""
        content = [{"type": "input_text", "text": "Look"}]
        given = {"content": content, "attachments": list(ids), "inference_options": {}}
        return await self.chat.refused({"type": "threads.create", "params": {"input": given}})

    async def get(self, path: str, **kwargs: Any) -> ClientResponse:
        """Get an address of the server."""
        return await self.chat.client.get(path, **kwargs)

    async def download(self, file_id: str, **headers: str) -> ClientResponse:
        """Get a file as its owner, or as somebody else."""
        path = f"{self.chat.path}/attachments/{file_id}"
        return await self.chat.client.get(path, headers={**self.chat.headers, **headers})


def local(url: str) -> str:
    """Return an address without scheme and host, as clients of tests take it."""
    return "/" + url.partition("://")[2].partition("/")[2]


async def message_of(response: ClientResponse) -> tuple[int, str]:
    """Return the status and the message of a refusal."""
    return response.status, (await response.json())["message"]
