"""The attachment store, and the bytes of the files."""

from __future__ import annotations

from typing import Any

from chatkit.store import AttachmentStore, NotFoundError
from chatkit.types import (
    Attachment,
    AttachmentCreateParams,
    AttachmentUploadDescriptor,
    FileAttachment,
    ImageAttachment,
)
from fastapi import HTTPException

from ..memory_store import MemoryStore

MOST_BYTES = 1000


class LocalFiles(AttachmentStore[dict[str, Any]]):
    """Keeps files in memory."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.files: dict[str, bytes] = {}

    def generate_attachment_id(self, mime_type: str, context: dict[str, Any]) -> str:
        kind = mime_type.partition("/")[0]
        return super().generate_attachment_id(mime_type, context).replace("atc", kind)

    async def create_attachment(
        self, input: AttachmentCreateParams, context: dict[str, Any]
    ) -> Attachment:
        self._check_size(input.size)
        if not input.mime_type.startswith(("image/", "text/")):
            raise HTTPException(400, "Only images and texts, please.")
        request = context["request"]
        attachment_id = self.generate_attachment_id(input.mime_type, context)
        is_image = input.mime_type.startswith("image/")
        route = "upload_image" if is_image else "upload_text"
        described = AttachmentUploadDescriptor(
            url=str(request.url_for(route, attachment_id=attachment_id)),
            method="POST" if is_image else "PUT",
            headers={"X-Upload": "yes"},
        )
        fields: dict[str, Any] = {
            "id": attachment_id,
            "name": input.name,
            "mime_type": input.mime_type,
            "upload_descriptor": described,
            "metadata": {"owner": request.headers.get("x-team")},
        }
        if not is_image:
            return FileAttachment(**fields)
        preview = str(request.url_for("download", attachment_id=attachment_id))
        return ImageAttachment(**fields, preview_url=preview)

    async def delete_attachment(self, attachment_id: str, context: dict[str, Any]) -> None:
        self.files.pop(attachment_id, None)

    async def write(self, attachment_id: str, data: bytes) -> Attachment:
        """Keep the bytes of an attachment; from now on it is uploaded."""
        self._check_size(len(data))
        try:
            attachment = await self.store.load_attachment(attachment_id, {})
        except NotFoundError:
            raise HTTPException(404, f"No attachment {attachment_id}.") from None
        attachment = attachment.model_copy(update={"upload_descriptor": None})
        self.files[attachment_id] = data
        await self.store.save_attachment(attachment, {})
        return attachment

    def _check_size(self, size: int) -> None:
        if size > MOST_BYTES:
            raise HTTPException(413, f"At most {MOST_BYTES} bytes, please.")
