"""The files of users as objects: what was announced, the bytes, and what was made of them.

files/ID/about      who announced it, and as what
files/ID/record     what it is, once it has arrived: a `Record`, which names its other objects
files/ID/KEY        the bytes as they came
files/ID/KEY.image  smaller, for models and pages
files/ID/KEY.text   what models read of it
unused/OWNER/ID     a copy of `about`, until a message has the file
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator

from pydantic import BaseModel, Field

from chatkit_server import NotFound, User, words

from .bucket import Bucket

_ID = re.compile(r"atc_[0-9a-f]{32}")
_REMEMBERED = 32_000_000

GONE = words("Attachment not found.")


class About(BaseModel):
    """A file as it was announced. `size` is None if the client does not say."""

    tenant: str
    user: str
    name: str
    mime_type: str
    size: int | None = None
    created: float = Field(default_factory=time.time)

    @property
    def owner(self) -> User:
        """Whose it is."""
        return User(self.user, self.tenant)


class Record(BaseModel):
    """A file that has arrived: its objects, and what it is by its content.

    `is_too_large` says that models cannot have the image, and that no smaller one could be made.
    """

    owner: str
    key: str
    name: str
    mime_type: str
    size: int
    created: float
    has_image: bool = False
    is_too_large: bool = False
    has_text: bool = False
    note: str = ""
    pages: int | None = None


def new_id() -> str:
    """Return an id that nobody can guess."""
    return f"atc_{secrets.token_hex(16)}"


def is_ours(file_id: str) -> bool:
    """Whether an id is one of this plugin's; another one is never part of a path."""
    return _ID.fullmatch(file_id) is not None


def owner_name(user: User) -> str:
    """Return what stands for a user in paths: an id may have any characters, and any length."""
    return hashlib.sha256(f"{len(user.tenant)}:{user.tenant}:{user.id}".encode()).hexdigest()[:32]


class Files:
    """Reads and writes the objects of files. What was made of files is remembered for a while."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self._remembered: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0

    async def announce(self, file_id: str, about: About) -> None:
        """Keep what is said of a file that is to come."""
        data = about.model_dump_json().encode()
        # In this order: what is not in `unused` would never be removed
        await self.bucket.put(_unused(about.owner, file_id), data)
        await self.bucket.put(f"files/{file_id}/about", data)

    async def about(self, file_id: str) -> About | None:
        """Return how a file was announced, None if it was not or is deleted."""
        data = await self.bucket.read(f"files/{file_id}/about")
        return None if data is None else About.model_validate_json(data)

    async def record(self, file_id: str) -> Record | None:
        """Return what a file is, None if it has not arrived or is deleted."""
        # Read each time: another process may have deleted the file
        data = await self.bucket.read(f"files/{file_id}/record")
        return None if data is None else Record.model_validate_json(data)

    async def records_own(self, file_id: str, user: User) -> Record | None:
        """Return what a user's file is. Raises `NotFound` if it belongs to somebody else."""
        record = await self.record(file_id)
        if record is not None and record.owner != owner_name(user):
            raise NotFound(GONE)
        return record

    async def complete(self, file_id: str, record: Record) -> bool:
        """Make a file usable, once; return False if it is already."""
        data = record.model_dump_json().encode()
        return await self.bucket.create(f"files/{file_id}/record", data)

    async def image(self, file_id: str, record: Record) -> bytes | None:
        """Return the smaller image of a file, or else its bytes."""
        return await self._read(_place(file_id, record, ".image" if record.has_image else ""))

    async def text(self, file_id: str, record: Record) -> str:
        """Return what models read of a file."""
        data = await self._read(_place(file_id, record, ".text")) if record.has_text else None
        return (data or b"").decode(errors="replace")

    def content(self, file_id: str, record: Record) -> AsyncGenerator[bytes, None]:
        """Return the bytes of a file as they came, in pieces."""
        return self.bucket.stream(_place(file_id, record, ""))

    async def use(self, user: User, file_id: str) -> None:
        """Note that a message has the file: it is then no orphan."""
        await self.bucket.delete(_unused(user, file_id))

    async def unused(self, user: User) -> int:
        """Return how many files of a user are in no message."""
        return len([path async for path in self.bucket.paths(f"unused/{owner_name(user)}/")])

    async def all_unused(self) -> AsyncIterator[tuple[str, About]]:
        """Yield the files that are in no message, as they were announced."""
        async for path in self.bucket.paths("unused/"):
            data = await self.bucket.read(path)
            file_id = path.rpartition("/")[2]
            if data is not None and is_ours(file_id):
                yield file_id, About.model_validate_json(data)

    async def all_of(self, user: User) -> AsyncIterator[tuple[str, About]]:
        """Yield all files of a user, as they were announced. It reads what is known of each file.

        Nothing lists those that are in messages.
        """
        for path in [path async for path in self.bucket.paths("files/")]:
            file_id = path.split("/")[1]
            if path != f"files/{file_id}/about" or (about := await self.about(file_id)) is None:
                continue
            if about.owner == user:
                yield file_id, about

    async def delete(self, user: User, file_id: str) -> None:
        """Delete everything of a file, what says that it exists first."""
        self._forget(file_id)
        await self.bucket.delete(f"files/{file_id}/record")
        for path in [path async for path in self.bucket.paths(f"files/{file_id}/")]:
            await self.bucket.delete(path)
        await self.use(user, file_id)

    async def _read(self, path: str) -> bytes | None:
        """Return an object that never changes, and remember it."""
        if path in self._remembered:
            self._remembered.move_to_end(path)
            return self._remembered[path]
        data = await self.bucket.read(path)
        if data is not None:
            self._remember(path, data)
        return data

    def _remember(self, path: str, data: bytes) -> None:
        if path in self._remembered or len(data) > _REMEMBERED // 4:
            return
        self._remembered[path] = data
        self._size += len(data)
        while self._size > _REMEMBERED:
            self._size -= len(self._remembered.popitem(last=False)[1])

    def _forget(self, file_id: str) -> None:
        prefix = f"files/{file_id}/"
        for path in [path for path in self._remembered if path.startswith(prefix)]:
            self._size -= len(self._remembered.pop(path))


def _place(file_id: str, record: Record, ending: str) -> str:
    return f"files/{file_id}/{record.key}{ending}"


def _unused(user: User, file_id: str) -> str:
    return f"unused/{owner_name(user)}/{file_id}"
