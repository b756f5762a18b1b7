"""What every attachment store has to do."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from typing import Any, TypeVar

import pytest
from chatkit.store import AttachmentStore, NotFoundError
from chatkit.types import (
    Attachment,
    AttachmentCreateParams,
    FileAttachment,
    ImageAttachment,
)
from pydantic import TypeAdapter

from ...errors import ServerError
from ...ids import is_id
from ...known_errors import told_error
from ...plugin.mistakes import described
from ...turn import StoreContext
from ...uploads import FileStore
from .claims import Broken, claim, holds, same, shown
from .samples import ANN, STRANGERS
from .store_calls import who

Files = AttachmentStore[StoreContext]
T = TypeVar("T")

TEXT = b"Buy milk.\n"

ODD_NAMES = (
    "../../etc/passwd",
    "C:\\temp\\a.txt",
    "nul\0.txt",
    "x" * 3000,
    "Grüße 🦜.txt",
    "",
    ".",
    "a\r\nX: y.txt",
)
ODD_TYPES = ("", "nonsense", "text/html; charset=utf-8", "IMAGE/PNG", "x/" + "y" * 3000)

_ATTACHMENT: TypeAdapter[Attachment] = TypeAdapter(Attachment)


class AttachmentStoreContract:
    """Tests of a `chatkit.store.AttachmentStore`. Give them a fixture `attachment_store`.

    It returns a new one, without files. Override `upload` for the tests of files that have arrived.
    """

    pytestmark = pytest.mark.asyncio

    announced = AttachmentCreateParams(name="list.txt", size=len(TEXT), mime_type="text/plain")
    """A file that the store takes. Override it, and `content`, for one that takes no text."""

    content = TEXT

    async def upload(
        self, attachment_store: Files, attachment: Attachment, data: bytes, context: StoreContext
    ) -> bool:
        """Upload a file that was announced, as a page does, and return True.

        By default False: the tests that need it are skipped.
        """
        return False

    # Announcing a file

    @claim(
        "`create_attachment` returns an attachment with the name and type of the file",
        "the composer shows it, and sends the file to its address",
    )
    async def test_an_attachment_is_what_was_announced(self, attachment_store: Files) -> None:
        one = await self._create(attachment_store)
        given = self.announced
        same((one.name, one.mime_type), (given.name, given.mime_type), "create_attachment")
        again = _ATTACHMENT.validate_json(_ATTACHMENT.dump_json(one))
        same(again, one, "the attachment, once it was stored as JSON,")

    @claim(
        "Each attachment has an id of its own, of 1 to 200 printable characters",
        "a message that names it would get another file",
    )
    async def test_ids_are_new_each_time(self, attachment_store: Files) -> None:
        first = await self._create(attachment_store)
        made = [first, *await asyncio.gather(*(self._create(attachment_store) for _ in range(9)))]
        ids = [one.id for one in made]
        holds(all(one and is_id(one) for one in ids), f"create_attachment made the id {ids[0]!r}")
        holds(len(set(ids)) == len(ids), f"create_attachment made the ids {shown(ids)}")

    @claim(
        "An announced file has an address, and a method, to which its page sends it",
        "`create_attachment` is asked only for uploads in two phases",
    )
    async def test_an_attachment_says_where_to_send_the_file(self, attachment_store: Files) -> None:
        to = (await self._create(attachment_store)).upload_descriptor
        if to is None:
            raise Broken("`upload_descriptor` is None")
        holds(str(to.url.scheme) in ("http", "https"), f"its url is {to.url}")

    @claim(
        "A file with an odd name, type or size is taken, or refused with a `ServerError`",
        "clients send what they like, and the user reads why it was refused",
    )
    async def test_odd_files_are_taken_or_refused(self, attachment_store: Files) -> None:
        await self._create(attachment_store)
        given = self.announced
        odd: list[dict[str, Any]] = [{"name": name} for name in ODD_NAMES]
        odd += [{"mime_type": kind} for kind in ODD_TYPES]
        odd += [{"size": size} for size in (0, -1, 10**15)]
        for change in odd:
            params = AttachmentCreateParams.model_construct(**{**given.model_dump(), **change})
            what = f"create_attachment with {shown(change)}"
            made = await _unless_refused(attachment_store.create_attachment(params, ANN), what)
            if made is None:
                continue
            _check(made, what)
            holds(made.id and is_id(made.id), f"{what} made the id {shown(made.id)}")
            _ATTACHMENT.validate_json(_ATTACHMENT.dump_json(made))

    # Files that have arrived

    @claim(
        "A file is used once it was uploaded, and keeps its id and its thread",
        "the message is stored with what `use_attachment` returns",
    )
    async def test_an_uploaded_file_is_used(self, attachment_store: Files) -> None:
        files = _file_store(attachment_store)
        one = await self._uploaded(files)
        for thread_id in (None, "thr_1"):
            given = one.model_copy(update={"thread_id": thread_id})
            used = await files.use_attachment(given, ANN)
            _check(used, "use_attachment")
            same((used.id, used.thread_id), (one.id, thread_id), "`id` and `thread_id` of what use")

    @claim(
        "A file that was never uploaded, or was deleted, cannot be used",
        "the model would be asked about a file that is not there",
    )
    async def test_a_file_that_is_not_there_is_refused(self, attachment_store: Files) -> None:
        files = _file_store(attachment_store)
        one = await self._uploaded(files)
        announced = await self._create(files)
        await _refused(files.use_attachment(announced, ANN), "use_attachment before the upload")
        await files.delete_attachment(one.id, ANN)
        await _refused(files.use_attachment(one, ANN), "use_attachment after the deletion")

    @claim(
        "A file can be used by its owner only",
        "its id is in messages and logs, and anybody could read it through the model",
    )
    async def test_strangers_cannot_use_a_file(self, attachment_store: Files) -> None:
        files = _file_store(attachment_store)
        one = await self._uploaded(files)
        for stranger in STRANGERS:
            using = files.use_attachment(one, stranger)
            await _refused(using, f"use_attachment of Ann's file by {who(stranger)}")

    @claim(
        "A file that a stranger deletes is still there",
        "its id is in messages and logs",
    )
    async def test_strangers_delete_nothing(self, attachment_store: Files) -> None:
        files = _file_store(attachment_store)
        one = await self._uploaded(files)
        for stranger in STRANGERS:
            what = f"delete_attachment of Ann's file by {who(stranger)}"
            await _unless_refused(files.delete_attachment(one.id, stranger), what)
            try:
                await files.use_attachment(one, ANN)
            except Exception as error:
                raise Broken(f"after {what}, using it raised {described(error)}") from error

    @claim(
        "`delete_attachment` deletes one file",
        "the others may be in other messages",
    )
    async def test_deleting_a_file_deletes_it_alone(self, attachment_store: Files) -> None:
        files = _file_store(attachment_store)
        one, other = await self._uploaded(files), await self._uploaded(files)
        await files.delete_attachment(one.id, ANN)
        await _refused(files.use_attachment(one, ANN), "use_attachment of the deleted file")
        try:
            await files.use_attachment(other, ANN)
        except Exception as error:
            raise Broken(f"using another file raised {described(error)}") from error

    # Deleting and showing

    @claim(
        "Deleting what is not there does nothing, or raises `NotFoundError`",
        "a deletion that failed halfway is sent again",
    )
    async def test_deleting_twice_is_harmless(self, attachment_store: Files) -> None:
        one = await self._create(attachment_store)
        for attachment_id in (one.id, one.id, "absent", "../x", "x" * 200):
            what = f"delete_attachment of {shown(attachment_id)[:40]}"
            await _unless_refused(attachment_store.delete_attachment(attachment_id, ANN), what)

    @claim(
        "`show_attachment` is a plain function that returns the attachment, with its id and name",
        "it is called for each attachment whenever a page loads a message",
    )
    async def test_an_attachment_is_shown(self, attachment_store: Files) -> None:
        files = _file_store(attachment_store)
        one = await self._create(files)
        before = one.model_copy(deep=True)
        showing: Any = files.show_attachment(one, ANN)
        if inspect.iscoroutine(showing):
            showing.close()
            raise Broken("it is an `async def`")
        _check(showing, "show_attachment")
        same((showing.id, showing.name), (before.id, before.name), "`id` and `name` of what show")
        same(one, before, "the attachment that was given, after `show_attachment`,")

    async def _create(self, files: Files) -> Attachment:
        """Announce a file; skip the test of a store that takes none in two phases."""
        try:
            made = await files.create_attachment(self.announced, ANN)
        except NotImplementedError:
            pytest.skip("the store has no `create_attachment`: it takes no uploads in two phases")
        _check(made, "create_attachment")
        return made

    async def _uploaded(self, files: FileStore) -> Attachment:
        """Return a file of Ann's that has arrived."""
        one = await self._create(files)
        if not await self.upload(files, one, self.content, ANN):
            pytest.skip("override `upload` to try it")
        return one


def _file_store(files: Files) -> FileStore:
    if not isinstance(files, FileStore):
        pytest.skip("the store is no `FileStore`: it is not asked about files in messages")
    return files


def _check(made: object, what: str) -> None:
    if not isinstance(made, FileAttachment | ImageAttachment):
        raise Broken(f"{what} returned {shown(made)}, which is no Attachment of ChatKit")


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, ServerError | NotFoundError) or told_error(error) is not None


async def _unless_refused(call: Awaitable[T], what: str) -> T | None:
    """Await a call; return None if it was refused in words."""
    try:
        return await call
    except Exception as error:
        if not _is_refusal(error):
            raise Broken(f"{what} raised {described(error)}") from error
        return None


async def _refused(call: Awaitable[object], what: str) -> None:
    try:
        came = await call
    except Exception as error:
        if not _is_refusal(error):
            raise Broken(f"{what} raised {described(error)}") from error
        return
    raise Broken(f"{what} returned {shown(came)}, and was not refused")
