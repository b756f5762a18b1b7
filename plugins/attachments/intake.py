"""From the bytes of an upload to a file that a message can have."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from chatkit_server import (
    BadRequest,
    Conflict,
    NotFound,
    ServerError,
    TooLarge,
    TooManyRequests,
    Unavailable,
    UploadedFile,
    User,
    image_for_models,
    words,
)

from .extracting import Extract, Extractor
from .files import GONE, About, Files, Record, owner_name
from .kinds import SHOWN, is_allowed, is_text, kind_of


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be attached. `unused` counts a user's files that are in no message."""

    types: list[str]
    max_size: int
    unused: int


Scan = Callable[[UploadedFile], Awaitable[None]]

_BUFFER = 1024 * 1024
_FOLDER = "chatkit-upload-"
_OLD = 86_400.0
TWICE = words("This file was uploaded already.")
EMPTY = words("The file is empty.")

_UPLOADS_AT_ONCE = 6
"""Uploads of one user that may arrive at the same time in this process."""

_IMAGES_AT_ONCE = 2
"""Images that are decoded at the same time in this process; others wait on the disk."""

log = logging.getLogger(__name__)


class WrongType(ServerError):
    """The content of a file is of a type that may not be attached."""

    status = 415


class Intake:
    """Receives, checks and keeps files.

    `scan` raises for a file that is refused, `max_side` and `max_image` are the pixels and bytes of
    images for models: they are set before the server starts.
    """

    scan: Scan
    max_side: int
    max_image: int

    def __init__(self, files: Files, limits: Limits, extractor: Extractor) -> None:
        self._files = files
        self._limits = limits
        self._extractor = extractor
        self._arriving: Counter[str] = Counter()
        self._images = asyncio.Semaphore(_IMAGES_AT_ONCE)

    async def check_announced(self, user: User, size: int | None) -> None:
        """Raise for a file that is not worth sending."""
        if size is not None and size <= 0:
            raise BadRequest(EMPTY)
        self.check_size(size or 0)
        if await self._files.unused(user) >= self._limits.unused:
            raise TooManyRequests(
                words(
                    "You attached {count} files that are in no message yet. Send or remove some of "
                    "them first.",
                    count=self._limits.unused,
                )
            )

    def check_size(self, size: int) -> None:
        """Raise `TooLarge` for more bytes than a file may have."""
        most = self._limits.max_size
        if size > most:
            shown = f"{most // 1_000_000} MB" if most >= 1_000_000 else f"{most} bytes"
            raise TooLarge(words("The file is too large. The limit is {limit}.", limit=shown))

    async def keep(self, file_id: str, about: About, pieces: AsyncIterator[bytes]) -> Record:
        """Receive a file, check it, and make it usable; return what it is.

        Nothing of a file that is refused stays but its announcement: it gets the same answer again.
        """
        with self._place(about.owner):
            async with self._spooled(pieces, about.size) as (path, size):
                record = await self._keep(file_id, about, path, size)
        if await self._files.about(file_id) is None:
            # It was deleted meanwhile
            await self._files.delete(about.owner, file_id)
            raise NotFound(GONE)
        return record

    async def _keep(self, file_id: str, about: About, path: Path, size: int) -> Record:
        kind, image, is_too_large = await self._checked(about, path, size)
        # A scan may have taken something out of it
        size = (await asyncio.to_thread(path.stat)).st_size
        extract = await self._extract(path, kind)
        key = secrets.token_hex(8)
        record = Record(
            owner=owner_name(about.owner),
            key=key,
            name=about.name,
            mime_type=kind,
            size=size,
            created=about.created,
            has_image=bool(image),
            is_too_large=is_too_large,
            has_text=bool(extract.text),
            note=extract.note,
            pages=extract.pages,
        )
        place = f"files/{file_id}/{key}"
        objects: dict[str, Path | bytes] = {place: path}
        if image:
            objects[f"{place}.image"] = image
        if extract.text:
            objects[f"{place}.text"] = extract.text.encode(errors="replace")
        return await self._stored(file_id, record, objects)

    async def _checked(self, about: About, path: Path, size: int) -> tuple[str, bytes, bool]:
        """Return what a file is, and what `_image` returns of it; raise to refuse the file."""
        kind = await asyncio.to_thread(kind_of, path, about.mime_type)
        if not is_allowed(kind, self._limits.types):
            allowed = ", ".join(self._limits.types)
            raise WrongType(
                words(
                    "This file cannot be attached: its content is {kind}. Allowed are {allowed}.",
                    kind=kind,
                    allowed=allowed,
                )
            )
        await self.scan(UploadedFile(about.name, kind, size, about.owner, path))
        if kind not in SHOWN:
            return kind, b"", False
        async with self._images:
            return kind, *await self._image(path)

    async def _stored(
        self, file_id: str, record: Record, objects: dict[str, Path | bytes]
    ) -> Record:
        completed = False
        try:
            for place, data in objects.items():
                await self._files.bucket.put(place, data)
            completed = await self._files.complete(file_id, record)
        finally:
            if not completed:
                for place in objects:
                    await self._files.bucket.delete(place)
        if not completed:
            raise Conflict(TWICE)
        return record

    async def _image(self, path: Path) -> tuple[bytes, bool]:
        """Return a smaller image if one is needed, and whether it is but cannot be made."""
        data = await asyncio.to_thread(path.read_bytes)
        try:
            made = await image_for_models(data, self.max_side, self.max_image)
        except ValueError:
            text = words("This file cannot be attached: the image is broken.")
            raise WrongType(text) from None
        return (b"", False) if made is data else (made or b"", made is None)

    async def _extract(self, path: Path, kind: str) -> Extract:
        if kind == "application/pdf":
            return await self._extractor.pdf(path)
        return await self._extractor.text(path) if is_text(kind) else Extract()

    @contextmanager
    def _place(self, user: User) -> Iterator[None]:
        owner = owner_name(user)
        if self._arriving[owner] >= _UPLOADS_AT_ONCE:
            raise TooManyRequests(
                words("You upload too many files at once. Wait for some to finish.")
            )
        self._arriving[owner] += 1
        try:
            yield
        finally:
            self._arriving[owner] -= 1
            if not self._arriving[owner]:
                del self._arriving[owner]

    @asynccontextmanager
    async def _spooled(
        self, pieces: AsyncIterator[bytes], stated: int | None
    ) -> AsyncIterator[tuple[Path, int]]:
        """Write an upload to a file on this machine, which is deleted at the end of the block."""
        with ExitStack() as stack:
            with _named_disk_error():
                # A scanner may move a file out of the folder
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=_FOLDER))
                file = stack.enter_context(tempfile.NamedTemporaryFile(dir=folder, delete=False))
            size = await self._write(cast(BinaryIO, file), pieces, stated)
            if not size:
                raise BadRequest(EMPTY)
            if stated is not None and size < stated:
                raise BadRequest(
                    words(
                        "The file is not whole: {size} of {stated} bytes arrived.",
                        size=size,
                        stated=stated,
                    )
                )
            yield Path(file.name), size

    async def _write(self, file: BinaryIO, pieces: AsyncIterator[bytes], stated: int | None) -> int:
        size = 0
        buffer: list[bytes] = []
        async for piece in pieces:
            size += len(piece)
            self.check_size(size)
            if stated is not None and size > stated:
                raise TooLarge(
                    words(
                        "The file is larger than the {stated} bytes that were announced.",
                        stated=stated,
                    )
                )
            buffer.append(piece)
            if sum(map(len, buffer)) >= _BUFFER:
                await asyncio.to_thread(_write_all, file, buffer)
                buffer = []
        await asyncio.to_thread(_write_all, file, buffer)
        return size


def _write_all(file: BinaryIO, pieces: list[bytes]) -> None:
    with _named_disk_error():
        file.writelines(pieces)
        file.flush()


def remove_leftovers() -> None:
    """Remove what uploads have left on this machine whose process was killed."""
    oldest = time.time() - _OLD
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        with suppress(OSError):
            made = folder.lstat()
            if made.st_uid == os.getuid() and made.st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _named_disk_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        log.error("an upload cannot be written to %s: %s", tempfile.gettempdir(), error.strerror)
        text = words("The server has no room for the file. Try again later.")
        raise Unavailable(text) from None
