"""Server processes of one deployment behind a proxy, which are killed or replaced one by one."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import urlsplit

import yaml
from aiohttp import ClientSession

from tests.databases import DatabaseKind, new_url
from tests.faults.fleet import COUNT, plugins
from tests.faults.kills import SAVED_EVERY
from tests.faults.person import Person
from tests.faults.round_robin import RoundRobin
from tests.faults.world import Backstage, client
from tests.processes import Process, running

CARRIED = 0.5
"""Seconds after which Redis has what a process has shown."""


@dataclass
class Cluster:
    """Processes that run in one folder; `front` is the proxy before them, and `saved_every` the
    seconds after which what is shown outlives its process."""

    stage: Backstage
    kind: DatabaseKind
    folder: Path
    front: RoundRobin
    session: ClientSession
    saved_every: float
    processes: dict[int, tuple[Process, AsyncExitStack]] = field(default_factory=dict)

    async def start(self) -> None:
        """Start one more, and have it asked."""
        stack = AsyncExitStack()
        server = await stack.enter_async_context(running(self.folder))
        port = urlsplit(server.url).port
        assert port is not None
        self.processes[port] = server.process, stack
        self.front.targets.append(port)

    async def end(self, port: int, number: signal.Signals) -> tuple[int, str]:
        """Send one a signal; return its exit status, and what it said."""
        process, stack = self.processes.pop(port)
        status = await process.stop(number)
        self.front.targets.remove(port)
        await stack.aclose()
        return status, process.said

    def person(self) -> Person:
        """Return a new user."""
        return self.stage.person(self.session, "/api/chat")


@asynccontextmanager
async def cluster(
    stage: Backstage, kind: DatabaseKind, where: Path, redis: str | None
) -> AsyncIterator[Cluster]:
    """Run a deployment while the block runs."""
    folder = Path(mkdtemp(dir=where))
    url = new_url(kind, folder)
    sections = stage.sections(url)
    auth = {"anonymous_auth": {"user_header": "X-User"}}
    sections["plugins"] = {**auth, **plugins(stage, url, redis)}
    sections["server"] = {"drain": "50s"}
    sections["turns"] = {"disconnect": {"policy": "continue"}}
    sections["log"] = {"level": "warning"}
    (folder / "settings.yaml").write_text(yaml.safe_dump(sections))
    async with RoundRobin() as front, client(front.url, force_close=True) as session:
        made = Cluster(stage, kind, folder, front, session, CARRIED if redis else SAVED_EVERY)
        try:
            await asyncio.gather(*(made.start() for _ in range(COUNT[kind])))
            yield made
        finally:
            for _, stack in made.processes.values():
                await stack.aclose()
