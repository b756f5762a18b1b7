"""The tasks of one user, in the database."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import IntegrityError
from tortoise.queryset import QuerySet

from .models import Task

_ATTEMPTS = 30


class NoTask(Exception):
    """The user has no task of that number."""


@dataclass(frozen=True)
class TaskList:
    """The tasks of one user; every query filters by the owner."""

    connection: BaseDBAsyncClient
    tenant: str
    user_id: str

    @property
    def _own(self) -> QuerySet[Task]:
        return Task.filter(tenant=self.tenant, user_id=self.user_id).using_db(self.connection)

    async def all(self, done: bool | None = None, limit: int | None = None) -> list[Task]:
        """Return tasks, open ones first; `done` filters them."""
        tasks = self._own if done is None else self._own.filter(done=done)
        ordered = tasks.order_by("done", "number")
        return await (ordered if limit is None else ordered.limit(limit))

    async def count(self, done: bool | None = None) -> int:
        """Return the number of tasks."""
        return await (self._own if done is None else self._own.filter(done=done)).count()

    async def add(self, title: str) -> Task:
        """Add a task, numbered one more than the user's last."""
        for attempt in range(_ATTEMPTS):
            last = await self._own.order_by("-number").first()
            try:
                return await Task.create(
                    using_db=self.connection,
                    tenant=self.tenant,
                    user_id=self.user_id,
                    number=1 if last is None else last.number + 1,
                    title=title,
                )
            except IntegrityError:
                # Another tab or another server took the number
                await asyncio.sleep(random.uniform(0, 0.005 * (attempt + 1)))
        raise RuntimeError(f"no free number for a task after {_ATTEMPTS} attempts")

    async def complete(self, number: int) -> tuple[Task, bool]:
        """Mark a task as done; return it, and whether it was open before."""
        changed = await self._own.filter(number=number, done=False).update(done=True)
        return await self._get(number), changed > 0

    async def rename(self, number: int, title: str) -> Task:
        """Change the title of a task, and return it."""
        await self._own.filter(number=number).update(title=title)
        return await self._get(number)

    async def delete(self, number: int) -> Task:
        """Delete a task, and return it."""
        task = await self._get(number)
        if not await self._own.filter(number=number).delete():
            raise NoTask(number)
        return task

    async def delete_all(self) -> int:
        """Delete all tasks, and return how many there were."""
        return await self._own.delete()

    async def _get(self, number: int) -> Task:
        task = await self._own.filter(number=number).first()
        if task is None:
            raise NoTask(number)
        return task
