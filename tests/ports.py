"""Ports for servers that a test starts, or does not."""

from __future__ import annotations

from chatkit_server.testing.ports import ReservedPort

_reserved: list[ReservedPort] = []


def free_port() -> int:
    """Return a port on which nothing listens but what is told to, as long as the tests run."""
    port = ReservedPort()
    _reserved.append(port)
    return port.number
