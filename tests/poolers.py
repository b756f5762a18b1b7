"""A real PgBouncer in front of the tests' PostgreSQL, where Debian's package is installed."""

from __future__ import annotations

import asyncio
import os
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.databases import PASSWORD, USER, postgres
from tests.ports import free_port

_NOBODY = 65534

_PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

needs_pgbouncer = pytest.mark.skipif(
    _PGBOUNCER is None and "CI" not in os.environ, reason="pgbouncer is not installed"
)


@asynccontextmanager
async def pgbouncer(
    folder: Path, url: str, *, behind: int | None = None, **settings: object
) -> AsyncIterator[str]:
    """Run a PgBouncer while the block runs; yields the URL of the same database through it.

    `behind` is the port of its PostgreSQL, if it isn't the tests' own.
    """
    assert _PGBOUNCER is not None, "install Debian's package pgbouncer"
    port = free_port()
    given = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "any",
        **settings,
    }
    lines = [f"{key} = {value}" for key, value in given.items()]
    place = f"host=127.0.0.1 port={behind or postgres().port} user={USER} password='{PASSWORD}'"
    file = folder / f"pgbouncer-{port}.ini"
    file.write_text("\n".join(["[databases]", f"* = {place}", "[pgbouncer]", *lines, ""]))
    # It refuses to run as root, and nobody else may look into the folder of a test
    source = os.open(file, os.O_RDONLY)
    user = _NOBODY if os.geteuid() == 0 else None
    process = await asyncio.create_subprocess_exec(
        _PGBOUNCER,
        f"/dev/fd/{source}",
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        pass_fds=[source],
        user=user,
    )
    os.close(source)
    assert process.stderr is not None
    try:
        async for line in process.stderr:
            if b"process up" in line:
                break
        else:
            raise AssertionError("pgbouncer does not start")
        reading = asyncio.create_task(process.stderr.read())
        yield url.replace(f":{postgres().port}/", f":{port}/")
        process.kill()
        await reading
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
