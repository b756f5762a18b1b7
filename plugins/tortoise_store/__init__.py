"""Stores conversations in SQLite or PostgreSQL, through Tortoise ORM.

```yaml
plugins:
  tortoise_store:
    url: ${DATABASE_URL:-sqlite://chatkit.db}
```

Other plugins add their tables to the same database with the hook `tortoise_apps`.

- `url`: a database URL becomes Tortoise's credentials.
- `database`: the connection; `failures`: the drivers' exceptions; `files`: who may read SQLite's.
- `sqlite_client`, `postgres_client`: Tortoise's connections, with limits. `sqlite`: statements in a
  thread. `apart`: a statement while the event loop is late.
- `postgres_connection`, `postgres_watch`: a server that has gone silent. `postgres_start`: one that
  cannot be used.
- `opening`: what keeps it from being opened.
- `health`: whether it takes writes. `guard`, `watch`: SQLite's file is lost, or its disk is full.
- `checking`: what `chatkit-server check` finds out.
- `models`, `migrations`: the tables. `schema`: which migrations are pending, and applying them.
- `store`, `sql`, `payloads`, `identities`: threads, items, attachments, feedback.
- `feedback`: the command that lists it.
- `of_user`: what there is of one user beside conversations.
- `turn_store`, `turn_sql`, `presence`: turns in progress, and whose process is gone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import click
from aiohttp import web
from chatkit.store import Store
from chatkit.types import FeedbackKind
from pydantic import BaseModel, Field, field_validator

from chatkit_server import HOOKS, SETTINGS, Duration, Finding, SettingsError, Size, User, hookimpl
from chatkit_server.storage import StoreContext, TurnStore

from .checking import check_database
from .database import Database
from .feedback import feedback_command, require_kept
from .health import Health
from .of_user import erase_user, export_user
from .presence import present
from .store import TortoiseStore
from .turn_store import TortoiseTurnStore
from .url import Address, Limits, parse
from .watch import Watch

_OWN = "tortoise_store"
_OWN_APP = {"models": [f"{__name__}.models"], "migrations": f"{__name__}.migrations"}


class Config(BaseModel):
    """The settings.

    `url` is `sqlite://FILE`, `sqlite://:memory:` or `postgresql://user:password@host/database`
    with libpq's parameters. `pool_size` limits the connections to PostgreSQL. `acquire_timeout` is
    how long to wait for a free connection, `statement_timeout` how long for one statement. A page
    of threads or items ends when it has `page_size` bytes. While the disk of a SQLite file has less
    than `min_free` bytes left, no new turn begins.
    """

    url: str = Field("sqlite://chatkit.db", repr=False)
    pool_size: int = Field(10, ge=1)
    auto_migrate: bool = True
    connect_timeout: Duration = 10.0
    acquire_timeout: Duration = 5.0
    statement_timeout: Duration = 8.0
    page_size: Size = 1_000_000
    min_free: Size = 1_000_000

    @field_validator("url")
    @classmethod
    def _readable(cls, url: str) -> str:
        parse(url, Limits())
        return url

    @property
    def address(self) -> Address:
        """The parsed URL."""
        limits = Limits(
            self.pool_size, self.connect_timeout, self.acquire_timeout, self.statement_timeout
        )
        return parse(self.url, limits)


class Plugin:
    """The store, and the database with its tables and those of other plugins."""

    def __init__(self, config: Config) -> None:
        self._auto_migrate = config.auto_migrate
        self._database = Database(config.address, config.min_free)
        self._health = Health(self._database)
        self._store = TortoiseStore(self._database, config.page_size)
        self._turn_store = TortoiseTurnStore(self._database)

    @hookimpl
    def setup(self, app: web.Application) -> None:
        """Open the database when the server starts, and close it when it stops.

        Raises `SettingsError` for one in memory, of which each of several workers had its own.
        """
        address = self._database.address
        in_memory = address.is_sqlite and not address.file
        if in_memory and app[SETTINGS].server.workers not in (None, 1):
            raise SettingsError(
                "url: a database in memory belongs to one process, and server.workers asks for "
                "several. Use sqlite://FILE or PostgreSQL"
            )
        self._database.add(_collect(app[HOOKS].boot_all("tortoise_apps")))
        app.cleanup_ctx.append(self._while_running)

    @hookimpl
    def store(self) -> Store[StoreContext]:
        """Return the store; it works once the server has started."""
        return self._store

    @hookimpl
    def turn_store(self) -> TurnStore:
        """Return the turn store, in the same database.

        If another plugin brings the turn store, this is not called, and the store does not check
        turns when it writes.
        """
        self._store.guard_turns()
        return self._turn_store

    @hookimpl
    async def feedback(
        self, user: User, thread_id: str, item_ids: list[str], kind: FeedbackKind
    ) -> bool:
        """Store thumbs up and down in the table `chatkit_feedback`."""
        await self._store.save_feedback(user, thread_id, item_ids, kind)
        return True

    @hookimpl
    def cli(self, commands: click.Group) -> None:
        """Add the command `feedback`, which lists it."""
        commands.add_command(feedback_command(self._to_read))

    @hookimpl
    async def ready(self) -> str | None:
        """Say why nothing can be saved, after a real write now and then."""
        return await self._health.problem()

    @hookimpl
    async def check(self, online: bool) -> list[Finding]:
        """Say why the database cannot be used, and online also what is wrong with it."""
        found = check_database(self._database, online=online, auto_migrate=self._auto_migrate)
        return [finding async for finding in found]

    @hookimpl
    async def migrate(self) -> list[str]:
        """Apply the pending migrations of all apps."""
        async with self._open() as database:
            names = await database.migrate()
        where = self._database.address.name
        return [f"{where}: applied {name}" for name in names] or [f"{where}: up to date"]

    @hookimpl
    async def export(self, user: User) -> dict[str, list[Any]]:
        """Return what there is beside conversations: feedback, turns, all attachments."""
        require_kept(self._database.address)
        return await export_user(self._database, user)

    @hookimpl
    async def erase(self, user: User) -> dict[str, int]:
        """Delete what is left of a user when the conversations are gone."""
        require_kept(self._database.address)
        return await erase_user(self._database, user)

    async def _while_running(self, _app: web.Application) -> AsyncIterator[None]:
        async with self._open() as database:
            if self._auto_migrate:
                await database.migrate()
            else:
                await database.refuse_if_pending()
            if not database.address.file or database.guard is None:
                yield
                return
            with present(database.address.file) as alone_at:
                if alone_at is not None:
                    await self._turn_store.abandon(alone_at)
                async with Watch(database, database.guard).run():
                    yield

    @asynccontextmanager
    async def _to_read(self) -> AsyncIterator[Database]:
        """Open the database for a command, beside a server that may run."""
        require_kept(self._database.address)
        database = self._database.without_limits(_OWN)
        await database.open()
        try:
            await database.refuse_if_pending()
            yield database
        finally:
            await database.close()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Database]:
        await self._database.open()
        try:
            yield self._database
        finally:
            await self._database.close()


def _collect(answers: Iterable[tuple[str, Mapping[str, Mapping[str, Any]]]]) -> dict[str, Any]:
    """Return the store's own Tortoise app and those of other plugins, by label."""
    apps: dict[str, Mapping[str, Any]] = {_OWN: _OWN_APP}
    for plugin, answer in answers:
        for label, app in answer.items():
            if label in apps:
                raise SettingsError(
                    f"plugin {plugin}: tortoise_apps: the label {label!r} is taken; choose another"
                )
            missing = [key for key in ("models", "migrations") if not app.get(key)]
            if missing:
                raise SettingsError(
                    f"plugin {plugin}: tortoise_apps: {label!r} has no {missing[0]!r}: give both "
                    "`models`, a list of modules, and `migrations`, a package"
                )
            apps[label] = app
    return apps
