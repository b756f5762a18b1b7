"""ChatKit's attachment store: what is announced, used in messages, shown and deleted."""

from __future__ import annotations

import time

from chatkit.types import (
    Attachment,
    AttachmentCreateParams,
    FileAttachment,
    ImageAttachment,
)

from chatkit_server import BadRequest, words
from chatkit_server.storage import FileStore, StoreContext

from .addresses import Addresses
from .files import About, Files, Record, is_ours, new_id
from .intake import Intake
from .kinds import SHOWN, clean_name, clean_type


class Attachments(FileStore):
    """Announces files for uploads in two phases, and checks those that messages name."""

    def __init__(self, files: Files, intake: Intake, addresses: Addresses, orphans: float) -> None:
        self._files = files
        self._intake = intake
        self._addresses = addresses
        self._orphans = orphans

    def of(self, file_id: str, record: Record) -> Attachment:
        """Return a file that has arrived as an attachment."""
        given = {
            "id": file_id,
            "name": record.name,
            "mime_type": record.mime_type,
            "metadata": {"size": record.size},
        }
        if record.mime_type in SHOWN:
            return ImageAttachment(**given, preview_url=self._addresses.preview(file_id))
        return FileAttachment(**given)

    async def create_attachment(
        self, input: AttachmentCreateParams, context: StoreContext
    ) -> Attachment:
        user = context.user
        await self._intake.check_announced(user, input.size)
        about = About(
            tenant=user.tenant,
            user=user.id,
            name=clean_name(input.name),
            mime_type=clean_type(input.mime_type),
            size=input.size,
        )
        file_id = new_id()
        await self._files.announce(file_id, about)
        given = {
            "id": file_id,
            "name": about.name,
            "mime_type": about.mime_type,
            "upload_descriptor": self._addresses.upload(file_id),
        }
        if about.mime_type in SHOWN:
            return ImageAttachment(**given, preview_url=self._addresses.preview(file_id))
        return FileAttachment(**given)

    async def delete_attachment(self, attachment_id: str, context: StoreContext) -> None:
        if is_ours(attachment_id):
            await self._files.records_own(attachment_id, context.user)
            await self._files.delete(context.user, attachment_id)

    async def use_attachment(self, attachment: Attachment, context: StoreContext) -> Attachment:
        if not is_ours(attachment.id):
            return attachment
        record = await self._files.records_own(attachment.id, context.user)
        if record is None:
            raise BadRequest(
                words(
                    "A file of this message was not uploaded to its end. Remove it and attach it "
                    "again."
                )
            )
        if attachment.thread_id is None and record.created + self._orphans < time.time():
            raise BadRequest(
                words(
                    "A file of this message was uploaded too long ago. Remove it and attach it "
                    "again."
                )
            )
        found = self.of(attachment.id, record)
        return found.model_copy(update={"thread_id": attachment.thread_id})

    def show_attachment(self, attachment: Attachment, context: StoreContext) -> Attachment:
        if isinstance(attachment, ImageAttachment) and is_ours(attachment.id):
            return self._addresses.refreshed(attachment)
        return attachment
