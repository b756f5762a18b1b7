"""Delete what is held of a user."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping

from aiohttp import web

from ..turn import User
from ..user_file import UserFile
from ..web.keys import HOOKS, STORE_PLUGIN
from .conversations import Conversations, Counts
from .plugins import Failures, Held, erasing, exporting

STORE = "conversations"
"""What the part is called that the store has."""


class Eraser:
    """Deletes the data of one user, part by part. One that fails does not keep the others."""

    def __init__(self, app: web.Application, user: User) -> None:
        self.failures = Failures()
        self._app = app
        self._hooks = app[HOOKS]
        self._user = user
        self._conversations = Conversations(app, user)

    async def held(self) -> AsyncIterator[tuple[str, str]]:
        """Yield each part, and what it holds: what `erase` would delete. Nothing is changed."""
        with self.failures.of(self._store):
            yield self._store, told(await self._conversations.count())
        can_tell = dict(exporting(self._hooks, self._user))
        for plugin, _ in self._hooks.implementing("erase"):
            if plugin not in can_tell:
                yield plugin, "cannot say what it holds: it has no hook `export`"
                continue
            with self.failures.of(plugin):
                yield plugin, told(await _counted(can_tell.pop(plugin)))
        for plugin, held in can_tell.items():
            with self.failures.of(plugin):
                if what := await _counted(held):
                    yield plugin, f"{told(what)}: stays, as it has no hook `erase`"

    async def erase(self) -> AsyncIterator[tuple[str, str]]:
        """Delete everything; yield each part, and what was deleted of it."""
        counts = Counts()
        with self.failures.of(self._store):
            await self._conversations.erase(counts)
        yield self._store, told(counts)
        for plugin, erased in erasing(self._hooks, self._user):
            with self.failures.of(plugin):
                yield plugin, told(await erased)

    @property
    def _store(self) -> str:
        return f"{STORE} ({self._app[STORE_PLUGIN]})"


async def _counted(held: AsyncIterator[Held]) -> Counts:
    """Count what a hook `export` tells: the entries of its lists, and files."""
    counts: Counts = Counter()
    async for part in held:
        if isinstance(part, UserFile):
            counts["files"] += 1
        elif all(isinstance(rows, list | tuple) for rows in part.values()):
            counts.update({name: len(rows) for name, rows in part.items()})
        else:
            counts["entries"] += 1
    return counts


def told(counts: Mapping[str, int]) -> str:
    """Return counts in words."""
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing"
