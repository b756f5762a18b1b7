"""Files that users attach: what a store of them may do beside ChatKit's own interface."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chatkit.store import AttachmentStore
from chatkit.types import Attachment

from .turn import StoreContext, User


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file that has arrived and that nobody can use yet.

    `mime_type` is what the content is, not what the client says. `path` is a copy on this machine
    that is there until the hook returns; read it in a thread. What it is after the hooks is kept.
    """

    name: str
    mime_type: str
    size: int
    user: User
    path: Path


class FileStore(AttachmentStore[StoreContext]):
    """An attachment store that knows which files are there, and where a page finds them.

    The conversation's store keeps what is known of an attachment; this one keeps the bytes.
    """

    async def use_attachment(self, attachment: Attachment, context: StoreContext) -> Attachment:
        """Return an attachment that a new message names, as it is to be stored with the message.

        Raise `BadRequest` if it cannot be used, such as one that was never uploaded.
        """
        return attachment

    def show_attachment(self, attachment: Attachment, context: StoreContext) -> Attachment:
        """Return an attachment as the page gets it now, such as with a new address of its preview.

        Called whenever a page loads a message with attachments.
        """
        return attachment
