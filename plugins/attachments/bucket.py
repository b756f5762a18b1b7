"""Where the bytes are: a folder, or a bucket of S3 and the like."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotSupportedError
from obstore.store import LocalStore, MemoryStore, from_url

from chatkit_server import SettingsError, Unavailable, words

if TYPE_CHECKING:
    from obstore.store import ObjectStore

AWAY = words("The storage of attachments does not respond. Try again in a minute.")

NO_BUCKET = "there is no such bucket"

CHUNK = 256 * 1024

_CLIENT = ("allow_http", "allow_invalid_certificates", "proxy_url", "connect_timeout", "timeout")
"""Options of the connection; all others are those of the kind of storage."""

_DEFAULTS = {"connect_timeout": "5s", "timeout": "60s"}
_RETRIES: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=10)}

_SMALL = 100_000
"""Bytes that are stored in no longer than anything is read."""

log = logging.getLogger(__name__)


class Bucket:
    """Objects by their path. While the storage is away, all methods raise `Unavailable`.

    `patience` is for how many seconds a storage may say nothing, which takes connections and does
    not answer; storing a large object may take longer.
    """

    def __init__(self, store: ObjectStore, folder: Path | None = None) -> None:
        self.patience = 4.0
        self._store = store
        self._folder = folder

    @classmethod
    def of(cls, url: str, options: Mapping[str, Any]) -> Bucket:
        """Take a folder, or a URL such as `s3://bucket/prefix`. Raises `SettingsError`."""
        if "://" not in url or url.startswith("file://"):
            if options:
                raise SettingsError("options: a folder has none; they are for s3:// and the like")
            folder = Path(url.removeprefix("file://")).absolute()
            # Made when the server starts, and not by `chatkit-server check`
            return cls(MemoryStore(), folder)
        client = {**_DEFAULTS, **{k: v for k, v in options.items() if k in _CLIENT}}
        given = {k: v for k, v in options.items() if k not in _CLIENT}
        make = cast(Any, from_url)  # typed by the kind of storage, which is known from the URL
        try:
            store = make(url, config=given, client_options=client, retry_config=_RETRIES)
        except (BaseError, ValueError, TypeError) as error:
            raise SettingsError(f"url, options: {first_line(error)}") from None
        return cls(store)

    def open(self) -> None:
        """Make the folder if there is none. Raises `SettingsError`."""
        if self._folder is None:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._store = LocalStore(self._folder, automatic_cleanup=True)
        except (OSError, BaseError, ValueError) as error:
            text = f"url: cannot use the folder {self._folder}: {first_line(error)}"
            raise SettingsError(text) from None

    async def problem(self) -> str | None:
        """Return why objects cannot be kept here, None if nothing speaks against it."""
        if self._folder is not None:
            there = _existing(self._folder)
            is_usable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
            return None if is_usable else f"no folder can be made or used at {self._folder}"
        try:
            async with aclosing(self.paths("unused/")) as paths:
                await anext(paths, None)
        except Unavailable as error:
            cause = error.__cause__ or error
            return NO_BUCKET if "NoSuchBucket" in str(cause) else first_line(cause)
        return None

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of this machine."""
        return self._folder is not None

    def room(self) -> int | None:
        """Return how many bytes are free on the disk of a folder."""
        if self._folder is None:
            return None
        return shutil.disk_usage(_existing(self._folder)).free

    async def put(self, path: str, data: bytes | Path) -> None:
        """Store an object, in place of one that is there."""
        is_large = isinstance(data, Path) or len(data) > _SMALL
        async with self._patient(is_large=is_large):
            await self._put(path, data)

    async def create(self, path: str, data: bytes) -> bool:
        """Store an object unless there is one; return whether there was none."""
        async with self._patient():
            try:
                await self._put(path, data, mode="create")
            except AlreadyExistsError:
                return False
            except (NotSupportedError, NotImplementedError):
                # Some servers that speak S3 know no conditions: `conditional_put: disabled`
                if await self.read(path) is not None:
                    return False
                await self._put(path, data)
        return True

    async def read(self, path: str) -> bytes | None:
        """Return an object, None if there is none."""
        async with self._patient():
            try:
                found = await obstore.get_async(self._store, path)
                return bytes(await found.bytes_async())
            except FileNotFoundError:
                return None

    async def stream(self, path: str) -> AsyncGenerator[bytes, None]:
        """Yield an object in pieces. Raises `FileNotFoundError`."""
        async with self._patient():
            found = await obstore.get_async(self._store, path)
        with _named_outage():
            async for piece in found.stream(min_chunk_size=CHUNK):
                yield bytes(piece)

    async def delete(self, path: str) -> None:
        """Delete an object, if there is one."""
        async with self._patient():
            with suppress(FileNotFoundError):
                await obstore.delete_async(self._store, path)

    async def paths(self, prefix: str) -> AsyncGenerator[str, None]:
        """Yield the paths that begin with a folder, in no order."""
        pages = obstore.list(self._store, prefix)
        while True:
            async with self._patient():
                some = await anext(pages, None)
            if some is None:
                return
            for found in some:
                yield found["path"]

    async def _put(
        self, path: str, data: bytes | Path, mode: Literal["create"] | None = None
    ) -> None:
        try:
            await obstore.put_async(self._store, path, data, mode=mode)
        except FileNotFoundError:
            raise OSError(NO_BUCKET) from None

    @asynccontextmanager
    async def _patient(self, *, is_large: bool = False) -> AsyncIterator[None]:
        with _named_outage():
            try:
                async with asyncio.timeout(None if is_large else self.patience):
                    yield
            except TimeoutError:
                raise OSError(f"no answer within {self.patience:g} s") from None


@contextmanager
def _named_outage() -> Iterator[None]:
    try:
        yield
    except (AlreadyExistsError, NotSupportedError, NotImplementedError, FileNotFoundError):
        raise
    except (BaseError, OSError) as error:
        log.warning("the storage of attachments failed: %s", first_line(error))
        raise Unavailable(AWAY, retry_after=10) from error


def first_line(error: BaseException) -> str:
    """Return the beginning of an error's message, or else its type."""
    return next(iter(str(error).splitlines()), type(error).__name__)[:300]


def _existing(folder: Path) -> Path:
    """Return a folder, or the nearest one around it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())
