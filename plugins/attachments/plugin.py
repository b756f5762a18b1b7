"""The hooks of the plugin, and its parts put together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from aiohttp import web
from chatkit.types import Attachment, ThreadItem, UserMessageItem

from chatkit_server import (
    HOOKS,
    SETTINGS,
    STORE,
    Finding,
    ServerError,
    SettingsError,
    Turn,
    Unavailable,
    Unprocessable,
    UploadedFile,
    User,
    UserFile,
    hookimpl,
    words,
)

from .addresses import Addresses
from .bucket import Bucket, first_line
from .config import Config
from .extracting import Extractor
from .files import Files, is_ours
from .intake import Intake, Limits, remove_leftovers
from .routes import Routes
from .signing import Signer
from .store import Attachments
from .sweep import Sweep
from .telling import Telling

UNCHECKED = words("The file could not be checked. Try again later.")

_FEW = 10
"""Files of `max_size` that a disk should have room for."""

log = logging.getLogger(__name__)


class Plugin:
    """Stores what users attach, and tells the model what is in it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.bucket = Bucket.of(config.url, config.options)
        self.files = Files(self.bucket)
        given = config.secret
        self.signer = Signer(given.get_secret_value().encode() if given else None)
        self.addresses = Addresses(
            self.signer, config.public_url, config.upload_time, config.preview_time
        )
        limits = Limits(config.types, config.max_size, config.unused)
        self.intake = Intake(self.files, limits, Extractor(config.text, config.pdf))
        self.attachments = Attachments(self.files, self.intake, self.addresses, config.orphans)
        self.telling = Telling(self.files, config.text)
        self.max_upload = config.max_size
        self.upload_path: str | None = None

    @hookimpl
    def attachment_store(self) -> Attachments:
        return self.attachments

    @hookimpl
    def setup(self, app: web.Application) -> None:
        settings = app[SETTINGS]
        path = self.config.path or f"{settings.server.path}/attachments"
        images = settings.agent.images
        name = next(name for name, plugin in app[HOOKS].plugins if plugin is self)
        # The user is told why before a hook ends
        self.bucket.patience = 0.8 * app[HOOKS].terms(name, "attachment_input").limit
        if self.config.max_size > settings.requests.attachment:
            log.warning(
                "attachments: `max_size` is larger than `requests.attachment`: larger files than "
                "that cannot be announced for uploads in two phases. Raise `requests.attachment`"
            )
        self.addresses.path = self.upload_path = path
        self.intake.max_side, self.intake.max_image = images.max_side, images.max_size
        self.intake.scan = Scans(app).scan
        Routes(self.files, self.intake, self.signer, self.attachments).add_to(app, path)
        app.middlewares.append(self.addresses.middleware)
        app.cleanup_ctx.append(self._run)

    async def _run(self, app: web.Application) -> AsyncIterator[None]:
        self.bucket.open()
        if (problem := await self.bucket.problem()) is not None:
            raise SettingsError(self._unusable(problem))
        try:
            await self.signer.start(self.bucket)
        except Unavailable as error:
            raise SettingsError(self._unusable(first_line(error.__cause__ or error))) from None
        await asyncio.to_thread(remove_leftovers)
        sweep = Sweep(self.files, app[STORE], self.config.orphans)
        task = asyncio.create_task(sweep.run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    @hookimpl
    async def check(self, online: bool) -> list[Finding] | None:
        """Say why no files can be kept, and whether there is room for them."""
        if not (online or self.bucket.is_folder):
            return None
        if (problem := await self.bucket.problem()) is not None:
            raise SettingsError(self._unusable(problem))
        if (free := self.bucket.room()) is None:
            return [Finding(f"{self.config.url} can be used", level="ok")]
        told = f"{self.config.url} can be used, {free / 1e9:.1f} GB are free"
        if free < _FEW * self.config.max_size:
            todo = "Make room, or choose another folder: a few files of `max_size` fill it"
            return [Finding(told, todo)]
        return [Finding(told, level="ok")]

    def _unusable(self, reason: str) -> str:
        return f"url: cannot use {self.config.url}: {reason}"

    @hookimpl
    async def export(self, user: User) -> AsyncIterator[dict[str, Any] | UserFile]:
        """Yield the user's files, also those that are in no message."""
        async for file_id, about in self.files.all_of(user):
            record = await self.files.record(file_id)
            yield {"id": file_id} | (record or about).model_dump(exclude={"owner", "key"})
            if record is not None:
                yield UserFile(about.name, self.files.content(file_id, record))

    @hookimpl
    async def erase(self, user: User) -> dict[str, int]:
        """Delete the user's files, also those that are in no message."""
        found = [file_id async for file_id, _ in self.files.all_of(user)]
        for file_id in found:
            await self.files.delete(user, file_id)
        return {"files": len(found)}

    @hookimpl
    async def attachment_input(
        self, turn: Turn, attachment: Attachment
    ) -> list[dict[str, Any]] | None:
        return await self.telling.parts(turn, attachment)

    @hookimpl
    async def persist(self, turn: Turn, item: ThreadItem) -> None:
        if not isinstance(item, UserMessageItem):
            return
        for attachment in item.attachments:
            if is_ours(attachment.id):
                # If it fails, the sweep sees in the store that a message has it
                with suppress(Unavailable):
                    await self.files.use(turn.user, attachment.id)


class Scans:
    """Lets all plugins look at a file."""

    def __init__(self, app: web.Application) -> None:
        self._hooks = app[HOOKS]

    async def scan(self, file: UploadedFile) -> None:
        """Call the hooks `scan`. Raises what they raise, with a status that is final for a page."""
        try:
            await self._hooks.each("scan", file=file)
        except ServerError as error:
            if error.status < 500 or isinstance(error, Unavailable):
                raise
            raise Unprocessable(UNCHECKED) from error
        if not file.path.is_file():
            log.warning("a plugin's `scan` removed an uploaded file: it is refused")
            raise Unprocessable(UNCHECKED)
