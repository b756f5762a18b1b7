"""Where clients on the server's machine find it."""

from __future__ import annotations

import ipaddress

from .schema import Settings


def local_url(settings: Settings) -> str:
    """Return the URL at which a client on this machine finds a running server, without a path.

    With a Unix socket, the client connects to that.
    """
    server = settings.server
    if server.socket is not None:
        return "http://localhost"
    return f"http://{reachable_host(server.host)}:{server.port}"


def reachable_host(host: str) -> str:
    """Return the host of a URL for a server that listens on `host`."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host or "localhost"
    if address.is_unspecified:
        return "[::1]" if address.version == 6 else "127.0.0.1"
    # The zone of a link-local address is marked by %25 in a URL
    return f"[{host.replace('%', '%25')}]" if address.version == 6 else host
