"""How requests to other servers leave this machine: by which proxy, and whom they trust."""

from __future__ import annotations

import ssl
from functools import cache
from urllib.request import getproxies, proxy_bypass

import certifi
from yarl import URL


def proxy_of(url: URL) -> str | None:
    """Return the proxy of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` for this address."""
    if url.host is None or proxy_bypass(url.host):
        return None
    return getproxies().get(url.scheme)


@cache
def certificates() -> ssl.SSLContext:
    """Return the certificates that the system and that browsers trust."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
