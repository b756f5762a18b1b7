"""What is refused before a request is looked at, whoever sends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from ..errors import NotFound, TooManyRequests
from ..turnstile import Turnstile
from ..words import words
from .addresses import Proxies
from .errors import Refusal
from .keys import PROXIES, SETTINGS

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_FORWARDED = "X-Forwarded-For"


def check_admission(app: web.Application) -> None:
    """Refuse packed bodies, addresses with ids nobody has, and too many requests of one client."""
    server = app[SETTINGS].server
    app[PROXIES] = Proxies(server.trusted_proxies, unix=server.socket is not None)
    app.middlewares.append(_Admission(app).middleware)


class _Admission:
    def __init__(self, app: web.Application) -> None:
        server = app[SETTINGS].server
        self._proxies = app[PROXIES]
        self._most = server.limits.address
        self._running: Counter[str] = Counter()
        self._turnstile = Turnstile()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse the request, or count it until it is answered."""
        refuse_packed(request)
        if not all(_is_id(value) for value in request.match_info.values()):
            raise NotFound(words("Not found."))
        remote = request.remote or ""
        client = self._client(request, remote)
        if client is not None or not self._proxies.trusts(remote):
            await self._turnstile.enter(client or remote)
        if client is None:
            return await handler(request)
        if self._running[client] >= self._most:
            raise TooManyRequests(
                words("Your address has too many requests running. Wait until some have ended.")
            )
        self._running[client] += 1
        try:
            return await handler(request)
        finally:
            self._running[client] -= 1
            if not self._running[client]:
                del self._running[client]

    def _client(self, request: web.Request, remote: str) -> str | None:
        """Return what a request counts as that came through a proxy, None for others."""
        if _FORWARDED not in request.headers or not self._proxies.trusts(remote):
            return None
        return self._proxies.client(remote, request.headers.getall(_FORWARDED))


def refuse_packed(request: web.Request) -> None:
    """Raise for a packed body: a small one can unpack to any size, and ChatKit sends none."""
    packed = request.headers.get(hdrs.CONTENT_ENCODING, "").strip().lower()
    if packed not in ("", "identity"):
        raise Refusal(
            415,
            "Content-Encoding: send the body unpacked.",
            headers={hdrs.ACCEPT_ENCODING: "identity"},
        )


def _is_id(text: str) -> bool:
    """Whether a store can look for this, which a path contains."""
    return "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)
