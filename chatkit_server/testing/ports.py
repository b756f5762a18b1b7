"""Ports of loopback that stay one's own."""

from __future__ import annotations

import socket
import weakref


class ReservedPort:
    """A port of 127.0.0.1 that the system gives to nobody else while this object lives.

    `number` is the port. Servers may listen there, stop, and listen again, if they set
    `SO_REUSEADDR`, as most do; between them, connections are refused. A port that is only
    remembered could become the local end of any connection meanwhile.
    """

    def __init__(self) -> None:
        held = socket.socket()
        weakref.finalize(self, held.close)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        self.number: int = held.getsockname()[1]

    def listen(self) -> socket.socket:
        """Return a socket that listens here; there is one at a time."""
        return socket.create_server(("127.0.0.1", self.number))
