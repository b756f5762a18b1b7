"""Authenticates without a password, for a server that only this machine can reach.

Everyone is the user `local`. With `per_browser`, each browser is a user, identified by a signed
cookie. With `user_header`, a header names the user. With neither, a `user_id` in the body of a
plain request is trusted.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import logging
import os
import secrets
from collections.abc import Callable
from functools import partial
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import BaseModel, Field, SecretStr, model_validator

from chatkit_server import (
    HOOKS,
    SETTINGS,
    Forbidden,
    SettingsError,
    Unauthorized,
    User,
    hookimpl,
)

COOKIE = "chatkit_user"
COOKIE_SECONDS = 400 * 86_400  # browsers keep no cookie for longer
LONGEST_ID = 255
SHORTEST_SECRET = 32
BROWSER = web.RequestKey("browser", str)

log = logging.getLogger(__name__)


class Config(BaseModel):
    """How users are told apart. Without settings there is one user, `local`.

    `per_browser` signs its cookies with `secret` (32 characters or more), or else with the secret
    in `secret_file`. The file is created if it does not exist, readable by its owner only. With a
    new secret, every browser is a new user.
    """

    per_browser: bool = False
    user_header: str | None = Field(None, pattern=r"^[A-Za-z0-9-]+$")
    secret: SecretStr | None = Field(None, min_length=SHORTEST_SECRET)
    secret_file: Path = Path(".chatkit-secret")

    @model_validator(mode="after")
    def _check_one_method(self) -> Config:
        if self.per_browser and self.user_header:
            raise ValueError("set `per_browser` or `user_header`, not both")
        return self


class Plugin:
    """Authenticates every request, so an `auth` plugin after this one is never called."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.secret = b""
        header = config.user_header
        self.curl_credentials = f"-H '{header}: somebody'" if header else ""

    @hookimpl
    def setup(self, app: web.Application) -> None:
        self._refuse_public_host(app)
        if self.config.per_browser:
            given = self.config.secret
            self.secret = given.get_secret_value().encode() if given else self._secret_from_file()
            app.on_response_prepare.append(self._set_cookie)

    @hookimpl
    async def auth(self, request: web.Request) -> User:
        refuse_other_pages(request)
        if self.config.per_browser:
            return User(self._browser(request))
        if self.config.user_header:
            return User(user_in_header(request, self.config.user_header))
        return User(await user_in_body(request) or "local")

    def _refuse_public_host(self, app: web.Application) -> None:
        calls = list(app[HOOKS].calls("auth", request=None))
        names = [name for name, _ in calls]
        mine = next(i for i, (_, call) in enumerate(calls) if _function(call) == self.auth)
        earlier, later = names[:mine], names[mine + 1 :]
        host = app[SETTINGS].server.host
        if not earlier and not is_loopback(host):
            instead = f"put {later[-1]} before it" if later else "enable one, such as jwt_auth"
            raise SettingsError(
                f"server.host is {host!r}, which other machines can reach, and no plugin before "
                f"this one authenticates them. Listen on 127.0.0.1, or {instead}. (This holds for "
                "`user_header` too: anyone who reaches the server can send the header, so the "
                "proxy that sets it must run on this machine.)"
            )
        if not is_loopback(host):
            log.warning("requests that %s passes on need no password", ", ".join(earlier))
        if later:
            log.warning("%s is never called: %s authenticates every request", later[0], names[mine])

    def _browser(self, request: web.Request) -> str:
        """Return the cookie's user, or a new one if the cookie is missing or forged."""
        if BROWSER not in request:
            user, _, signature = request.cookies.get(COOKIE, "").rpartition(".")
            known = user and hmac.compare_digest(signature.encode(), self._sign(user).encode())
            request[BROWSER] = user if known else f"browser_{secrets.token_hex(16)}"
        return request[BROWSER]

    async def _set_cookie(self, request: web.Request, response: web.StreamResponse) -> None:
        """Send the cookie with every response, streams too, so that it does not expire."""
        if BROWSER not in request:
            return
        user = request[BROWSER]
        forwarded = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip()
        cookie = SimpleCookie({COOKIE: f"{user}.{self._sign(user)}"})[COOKIE]
        cookie.update({"path": "/", "max-age": str(COOKIE_SECONDS), "samesite": "Lax"})
        cookie["httponly"] = True
        cookie["secure"] = request.secure or forwarded == "https"
        # aiohttp has already written the response's cookies into its headers
        response.headers.add("Set-Cookie", cookie.OutputString())

    def _sign(self, user: str) -> str:
        return hmac.new(self.secret, f"{COOKIE}:{user}".encode(), hashlib.sha256).hexdigest()

    def _secret_from_file(self) -> bytes:
        file = self.config.secret_file
        try:
            if not file.exists():
                create_secret(file)
            secret = file.read_text("ascii").strip().encode()
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"secret_file: cannot read or create {file}: {error}. Use another file, or set "
                "`secret`."
            ) from None
        if len(secret) < SHORTEST_SECRET:
            raise SettingsError(
                f"secret_file: {file} has fewer than {SHORTEST_SECRET} characters. Delete it, and "
                "a new one is created; every browser is then a new user."
            )
        return secret


def _function(call: Callable[[], Any]) -> object:
    return call.func if isinstance(call, partial) else call


def create_secret(file: Path) -> None:
    """Create a file with a random secret, unless another process was faster."""
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as out:
            out.write(f"{secrets.token_urlsafe(48)}\n")
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach this host, an address or a name."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def refuse_other_pages(request: web.Request) -> None:
    """Raise `Forbidden` for a page of another site, open in a browser on this machine.

    The server's pages and those of `server.cors_origins` are allowed. Programs send no `Origin`.
    """
    origin = request.headers.get("Origin")
    allowed = request.app[SETTINGS].server.cors_origins
    if origin is None or origin in allowed or "*" in allowed:
        return
    netloc = urlsplit(origin).netloc
    if netloc == request.host and is_loopback(urlsplit(origin).hostname or ""):
        return
    raise Forbidden(
        f"Pages of {origin} may not use this server. To allow them, add the origin to "
        "`server.cors_origins`."
    )


def user_in_header(request: web.Request, header: str) -> str:
    """Return the user that the header names; it must be there once."""
    values = request.headers.getall(header, [])
    if len(values) != 1 or not values[0].strip():
        raise Unauthorized(f"Sign in first: the request needs the header {header}, once.")
    return checked(values[0].strip(), f"the header {header}")


async def user_in_body(request: web.Request) -> str | None:
    """Return the `user_id` of a request in the plain protocol, None if it has none."""
    if request.method != "POST" or request.path != request.app[SETTINGS].server.path:
        return None
    text = await request.read()
    if b'"user_id"' not in text:
        return None
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None  # the core reports what is wrong with it
    if not isinstance(body, dict) or "messages" not in body or "type" in body:
        return None
    user = body.get("user_id")
    if user is None:
        return None
    if not isinstance(user, str):
        raise Unauthorized("`user_id` must be text.")
    return checked(user, "`user_id`")


def checked(user: str, source: str) -> str:
    """Return a user's id; raises `Unauthorized` if it cannot be stored and shown."""
    if not user.strip() or len(user) > LONGEST_ID or not user.isprintable():
        raise Unauthorized(
            f"Sign in first: {source} must be 1 to {LONGEST_ID} printable characters."
        )
    return user
