"""Attachment stores with one mistake each: the contract finds it, and says so in a sentence."""

from __future__ import annotations

from typing import Any

import pytest
from chatkit.types import (
    Attachment,
    AttachmentCreateParams,
    AttachmentUploadDescriptor,
    FileAttachment,
)

from chatkit_server import BadRequest, NotFound
from chatkit_server.storage import FileStore, StoreContext
from chatkit_server.testing.conformance import AttachmentStoreContract
from tests.conformance import told


class Files(FileStore):
    """Keeps files in memory, and does what the contract asks."""

    def __init__(self) -> None:
        self.owners: dict[str, tuple[str, str]] = {}
        self.files: dict[str, bytes] = {}

    async def create_attachment(
        self, input: AttachmentCreateParams, context: StoreContext
    ) -> Attachment:
        file_id = self.generate_attachment_id(input.mime_type, context)
        self.owners[file_id] = context.user.tenant, context.user.id
        to = AttachmentUploadDescriptor(url=f"https://files.example.com/{file_id}", method="PUT")
        return FileAttachment(
            id=file_id, name=input.name, mime_type=input.mime_type, upload_descriptor=to
        )

    async def delete_attachment(self, attachment_id: str, context: StoreContext) -> None:
        self.check_owner(attachment_id, context)
        self.files.pop(attachment_id, None)

    async def use_attachment(self, attachment: Attachment, context: StoreContext) -> Attachment:
        self.check_owner(attachment.id, context)
        if attachment.id not in self.files:
            raise BadRequest("The file was not uploaded.")
        return attachment

    def check_owner(self, file_id: str, context: StoreContext) -> None:
        if self.owners.get(file_id) != (context.user.tenant, context.user.id):
            raise NotFound("File not found.")


class Contract(AttachmentStoreContract):
    async def upload(
        self, attachment_store: Any, attachment: Attachment, data: bytes, context: StoreContext
    ) -> bool:
        attachment_store.files[attachment.id] = data
        return True


class Renames(Files):
    async def create_attachment(
        self, input: AttachmentCreateParams, context: StoreContext
    ) -> Attachment:
        made = await super().create_attachment(input, context)
        return made.model_copy(update={"name": "file"})


class ReturnsADict(Files):
    async def create_attachment(self, input: AttachmentCreateParams, context: StoreContext) -> Any:
        return (await super().create_attachment(input, context)).model_dump()


class NamesIdsLikeFiles(Files):
    def generate_attachment_id(self, mime_type: str, context: StoreContext) -> str:
        return "list.txt"


class HasNoAddress(Files):
    async def create_attachment(
        self, input: AttachmentCreateParams, context: StoreContext
    ) -> Attachment:
        made = await super().create_attachment(input, context)
        return made.model_copy(update={"upload_descriptor": None})


class LooksUpTheType(Files):
    async def create_attachment(
        self, input: AttachmentCreateParams, context: StoreContext
    ) -> Attachment:
        _, _kind = input.mime_type.split("/")
        return await super().create_attachment(input, context)


class MovesToNoThread(Files):
    async def use_attachment(self, attachment: Attachment, context: StoreContext) -> Attachment:
        used = await super().use_attachment(attachment, context)
        return used.model_copy(update={"thread_id": None})


class BelievesThePage(Files):
    async def use_attachment(self, attachment: Attachment, context: StoreContext) -> Attachment:
        self.check_owner(attachment.id, context)
        return attachment


class KnowsNoOwners(Files):
    async def use_attachment(self, attachment: Attachment, context: StoreContext) -> Attachment:
        if attachment.id not in self.files:
            raise BadRequest("The file was not uploaded.")
        return attachment


class KnowsNoTenants(Files):
    def check_owner(self, file_id: str, context: StoreContext) -> None:
        if self.owners.get(file_id, ("", ""))[1] != context.user.id:
            raise NotFound("File not found.")


class DeletesForAnybody(Files):
    async def delete_attachment(self, attachment_id: str, context: StoreContext) -> None:
        self.files.pop(attachment_id, None)


class DeletesAllOfAUser(Files):
    async def delete_attachment(self, attachment_id: str, context: StoreContext) -> None:
        self.check_owner(attachment_id, context)
        self.files.clear()


class DeletesOnce(Files):
    async def delete_attachment(self, attachment_id: str, context: StoreContext) -> None:
        del self.owners[attachment_id]


class KeepsDeletedFiles(Files):
    async def delete_attachment(self, attachment_id: str, context: StoreContext) -> None:
        self.check_owner(attachment_id, context)


class ChangesWhatIsShown(Files):
    def show_attachment(self, attachment: Attachment, context: StoreContext) -> Attachment:
        attachment.upload_descriptor = None
        return attachment


class ShowsLater(Files):
    async def show_attachment(  # type: ignore[override]
        self, attachment: Attachment, context: StoreContext
    ) -> Attachment:
        return attachment


BROKEN: list[tuple[type[Files], str, str]] = [
    (Renames, "an_attachment_is_what_was_announced", "('file', 'text/plain'), not ('list.txt'"),
    (ReturnsADict, "an_attachment_is_what_was_announced", "which is no Attachment of ChatKit"),
    (NamesIdsLikeFiles, "ids_are_new_each_time", "create_attachment made the ids ['list.txt'"),
    (HasNoAddress, "an_attachment_says_where_to_send_the_file", "`upload_descriptor` is None"),
    (LooksUpTheType, "odd_files_are_taken_or_refused", "ValueError: not enough values to unpack"),
    (MovesToNoThread, "an_uploaded_file_is_used", "None), not ("),
    (BelievesThePage, "a_file_that_is_not_there_is_refused", "use_attachment before the upload"),
    (KnowsNoOwners, "strangers_cannot_use_a_file", "use_attachment of Ann's file by User('bob'"),
    (KnowsNoTenants, "strangers_cannot_use_a_file", "by User('ann'"),
    (DeletesForAnybody, "strangers_delete_nothing", "after delete_attachment of Ann's file by U"),
    (DeletesAllOfAUser, "deleting_a_file_deletes_it_alone", "using another file raised"),
    (DeletesOnce, "deleting_twice_is_harmless", "KeyError: "),
    (KeepsDeletedFiles, "a_file_that_is_not_there_is_refused", "use_attachment after the deletion"),
    (ChangesWhatIsShown, "an_attachment_is_shown", "the attachment that was given, after"),
    (ShowsLater, "an_attachment_is_shown", "it is an `async def`"),
]


@pytest.mark.parametrize(("broken", "test", "came"), BROKEN)
async def test_a_broken_attachment_store_is_told(broken: type[Files], test: str, came: str) -> None:
    sentence = await told(Contract(), f"test_{test}", broken())
    assert came in sentence
    assert ", because " in sentence
    assert "; but " in sentence


@pytest.mark.parametrize("test", [name for name in dir(Contract) if name.startswith("test_")])
async def test_a_sound_attachment_store_is_left_alone(test: str) -> None:
    assert await told(Contract(), test, Files()) == ""
