"""Which client a request comes from, as far as limits count: its address, or its network."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_MOST_ENTRIES = 20
"""Entries of `X-Forwarded-For` that are looked at, from the last on."""


class Proxies:
    """The reverse proxies whose `X-Forwarded-For` is believed.

    With `unix`, those are also trusted that have no address: they connect to a Unix socket.
    """

    def __init__(self, trusted: Iterable[str], *, unix: bool = False) -> None:
        self._unix = unix
        self._networks = [ipaddress.ip_network(network, strict=False) for network in trusted]
        self.trusts = lru_cache(4096)(self._trusts)

    def _trusts(self, address: str) -> bool:
        """Whether the address is a proxy's."""
        if not address:
            return self._unix
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._networks)

    def client(self, proxy: str, forwarded: Sequence[str]) -> str | None:
        """Return what a request counts as that came through a trusted proxy.

        None for a request of the proxy's own.
        """
        address = self.address(proxy, forwarded)
        return None if address is None else network_of(address)

    def address(self, proxy: str, forwarded: Sequence[str]) -> str | None:
        """Return the address of the client for whom a trusted proxy asks.

        That is the last one in the `X-Forwarded-For` headers that is no trusted proxy. It is the
        proxy if the headers are malformed, and None for a request of the proxy's own.
        """
        entries = ",".join(forwarded).rsplit(",", _MOST_ENTRIES)[-_MOST_ENTRIES:]
        for entry in reversed(entries):
            address = _without_port(entry.strip())
            if network_of(address) is None:
                return proxy if any(forwarded) else None
            if not self.trusts(address):
                return address
        return None


@lru_cache(4096)
def network_of(address: str) -> str | None:
    """Return what an address counts as: an IPv6 address as its /64 network, which one client has.

    None if it is no address.
    """
    parsed = _parsed(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return None if parsed is None else str(parsed)


def _parsed(address: str) -> IPAddress | None:
    try:
        # Without the zone of a link-local address
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed


def _without_port(entry: str) -> str:
    """Return the address of `192.0.2.1:80` or `[2001:db8::1]:80`."""
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    host, _, port = entry.partition(":")
    return host if port.isdigit() else entry
