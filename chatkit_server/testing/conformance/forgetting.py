"""Whether a plugin gives out and deletes the data of one user, and of no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from ...errors import ServerError, SettingsError
from ...plugin.calls import Hooks
from ...plugin.mistakes import described
from ...turn import User
from ...userdata.plugins import erasing, exporting

_BEHIND = 0.1
"""Seconds for what a plugin writes when the answer has ended."""


class Forgetting:
    """Calls the hooks `export` and `erase` of one plugin, as the commands do."""

    def __init__(self, hooks: Hooks, plugin: str) -> None:
        self._hooks = hooks
        self._plugin = plugin

    async def wrong(self, ann: User, bob: User, secret: str, other: str) -> list[str]:
        """Return what is wrong. Ann has said the one secret, and Bob the other."""
        try:
            return [line async for line in self._wrong(ann, bob, secret, other)]
        except (ServerError, SettingsError):
            return []
        except Exception as error:
            return [f"`export` or `erase` raised {described(error)}"]

    async def _wrong(self, ann: User, bob: User, secret: str, other: str) -> AsyncIterator[str]:
        # What is written behind the answers is there by then
        await asyncio.sleep(_BEHIND)
        if any(other in each for each in await self._export(ann)):
            yield "`export` of one user has what another one said"
        before = await self._export(bob)
        # Twice: an operator repeats it if another plugin has failed
        for _ in range(2):
            for _, erased in erasing(self._hooks, ann, self._plugin):
                await erased
        if any(secret in each for each in await self._export(ann)):
            yield "`erase` leaves what `export` still finds"
        if set(before) - set(await self._export(bob)):
            yield "`erase` of one user deletes what is another one's"

    async def _export(self, user: User) -> list[str]:
        return [
            str(part).lower()
            for _, held in exporting(self._hooks, user, self._plugin)
            async for part in held
        ]
