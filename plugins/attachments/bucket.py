"""Where the bytes are: a folder, or a bucket of S3 and the like."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotSupportedError
from obstore.store import LocalStore, MemoryStore, from_url

from chatkit_server import SettingsError, Unavailable, words

if TYPE_CHECKING:
    from obstore.store import ObjectStore

AWAY = words("The storage of attachments does not respond. Try again in a minute.")

CHUNK = 256 * 1024

_CLIENT = ("allow_http", "allow_invalid_certificates", "proxy_url", "connect_timeout", "timeout")
"""Options of the connection; all others are those of the kind of storage."""

_DEFAULTS = {"connect_timeout": "5s", "timeout": "60s"}

log = logging.getLogger(__name__)


class Bucket:
    """Objects by their path. While the storage is away, all methods raise `Unavailable`."""

    def __init__(self, store: ObjectStore, folder: Path | None = None) -> None:
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
            store = make(url, config=given, client_options=client, retry_config={"max_retries": 3})
        except (BaseError, ValueError, TypeError) as error:
            raise SettingsError(f"url, options: {_first_line(error)}") from None
        return cls(store)

    def open(self) -> None:
        """Make the folder if there is none. Raises `SettingsError`."""
        if self._folder is None:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._store = LocalStore(self._folder, automatic_cleanup=True)
        except (OSError, BaseError, ValueError) as error:
            text = f"url: cannot use the folder {self._folder}: {_first_line(error)}"
            raise SettingsError(text) from None

    async def put(self, path: str, data: bytes | Path) -> None:
        """Store an object, in place of one that is there."""
        with _named_outage():
            await obstore.put_async(self._store, path, data)

    async def create(self, path: str, data: bytes) -> bool:
        """Store an object unless there is one; return whether there was none."""
        with _named_outage():
            try:
                await obstore.put_async(self._store, path, data, mode="create")
            except AlreadyExistsError:
                return False
            except (NotSupportedError, NotImplementedError):
                # Some servers that speak S3 know no conditions: `conditional_put: disabled`
                if await self.read(path) is not None:
                    return False
                await self.put(path, data)
        return True

    async def read(self, path: str) -> bytes | None:
        """Return an object, None if there is none."""
        with _named_outage():
            try:
                found = await obstore.get_async(self._store, path)
                return bytes(await found.bytes_async())
            except FileNotFoundError:
                return None

    async def stream(self, path: str) -> AsyncGenerator[bytes, None]:
        """Yield an object in pieces. Raises `FileNotFoundError`."""
        with _named_outage():
            found = await obstore.get_async(self._store, path)
            async for piece in found.stream(min_chunk_size=CHUNK):
                yield bytes(piece)

    async def delete(self, path: str) -> None:
        """Delete an object, if there is one."""
        with _named_outage(), suppress(FileNotFoundError):
            await obstore.delete_async(self._store, path)

    async def paths(self, prefix: str) -> AsyncIterator[str]:
        """Yield the paths that begin with a folder, in no order."""
        with _named_outage():
            async for some in obstore.list(self._store, prefix):
                for found in some:
                    yield found["path"]


@contextmanager
def _named_outage() -> Iterator[None]:
    try:
        yield
    except (AlreadyExistsError, NotSupportedError, NotImplementedError, FileNotFoundError):
        raise
    except (BaseError, OSError) as error:
        log.warning("the storage of attachments failed: %s", _first_line(error))
        raise Unavailable(AWAY, retry_after=10) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:300]
