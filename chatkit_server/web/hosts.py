"""Which `Host` headers a server accepts that only this machine can reach.

A page on the internet can point its own name at 127.0.0.1, and its browser then takes the server
for that page's own. Such requests carry the page's name in `Host`.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable
from functools import lru_cache

from aiohttp import HttpVersion11, hdrs, web

from ..errors import BadRequest, Forbidden, SettingsError
from ..settings.schema import Settings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(\[[0-9A-Fa-f:.]+\]|{_NAME}\.?)(?::[0-9]{{1,5}})?")
_SETTING = re.compile(rf"\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[0-9A-Fa-f:.]+(?:%\w+)?|{_NAME}\.?|\*")
_LONGEST_SHOWN = 100


def check_hosts(settings: Settings) -> None:
    """Raise `SettingsError` for `server.hosts` that are not names or addresses."""
    where = settings.source.where(("server", "hosts"))
    wrong = [host for host in settings.server.hosts if not _SETTING.fullmatch(host)]
    if wrong:
        raise SettingsError(
            "\n".join(
                f"{where}: `{host}` is not the name of a host: write it without scheme, port and "
                "path, such as chat.example.com, or `*` to accept every name"
                for host in wrong
            )
        )


def refuse_other_hosts(app: web.Application, settings: Settings) -> None:
    """Answer 403 to requests for another host that come from this machine.

    Call this right after `handle_errors`, so that nothing else is done for such a request. A server
    that listens on every address has clients that name it in ways that it cannot know.
    """
    server = settings.server
    if "*" not in server.hosts and not is_wildcard(server.host):
        names = {_normal(host) for host in (server.host, *server.hosts)}
        app.middlewares.append(_OwnHosts(names).middleware)


class _OwnHosts:
    """Accepts the loopback addresses, `localhost`, and `names`.

    Who else can connect to a loopback address or a Unix socket is a proxy on this machine.
    """

    def __init__(self, names: set[str]) -> None:
        self._names = names

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check the request if it came to a loopback address or a Unix socket."""
        transport = request.transport
        address = transport.get_extra_info("sockname") if transport is not None else None
        if is_loopback(address[0]) if isinstance(address, tuple) else address:
            self._check(request)
        return await handler(request)

    def _check(self, request: web.Request) -> None:
        given = request.headers.getall(hdrs.HOST, [])
        if len(given) > 1 or (not given and request.version >= HttpVersion11):
            raise BadRequest("The header Host must be there once.")
        names = [(host, _name(host)) for host in given]
        if request.host not in given:
            # The request line has a whole URL, or there is no Host
            names.append((request.host, _normal(request.host)))
        for host, name in names:
            if name is None or not (name in self._names or is_loopback(name)):
                raise Forbidden(
                    f"This server does not answer for the host {host[:_LONGEST_SHOWN]}. If a proxy "
                    "on this machine sends it, add the name to `server.hosts`."
                )


def _name(host: str) -> str | None:
    """Return the name or address in a `Host` header, without its port; None if it is malformed."""
    match = _HOST.fullmatch(host)
    return _normal(match[1]) if match else None


def _normal(host: str) -> str:
    """Return a name or an address as others write it, an address without the zone of its link."""
    name = host.strip("[]").partition("%")[0].removesuffix(".").lower()
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether only this machine can be reached by an address, or the name `localhost`."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def is_wildcard(host: str) -> bool:
    """Whether a server at this address listens on every address of the machine."""
    try:
        # No look-up of names; it reads addresses in all the forms that listening does
        found = socket.getaddrinfo(host.strip("[]") or "0.0.0.0", None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return False
    return any(ipaddress.ip_address(entry[4][0]).is_unspecified for entry in found)
