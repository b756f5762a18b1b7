"""Authenticates without a password, for a server that only this machine can reach.

Everyone is the user `local`. With `per_browser`, each browser is a user, identified by a signed
cookie. With `user_header`, a header names the user. With neither, a `user_id` in the body of a
plain request is trusted.

Where another plugin knows users, such as `jwt_auth` with `required: false`, those of this plugin
are in a tenant of their own, so that nobody without a password can name one of them.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
import os
import secrets
import shlex
import stat
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import BaseModel, Field, SecretStr, model_validator

from chatkit_server import (
    HOOKS,
    NAME_USER,
    SETTINGS,
    Forbidden,
    SettingsError,
    Unauthorized,
    User,
    hookimpl,
    words,
)

COOKIE = "chatkit_user"
TENANT = "chatkit-server:anonymous"  # the server refuses it from any other plugin
COOKIE_SECONDS = 400 * 86_400  # browsers keep no cookie for longer
LONGEST_ID = 255
SHORTEST_SECRET = 32
LONGEST_SECRET = 10_000
ROOT = 0
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
    """Authenticates every request, so it must be the last `auth` plugin."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.tenant = ""
        self.secret = b""
        header = config.user_header
        self.curl_credentials = f"-H '{header}: somebody'" if header else ""

    @property
    def auth_tenants(self) -> set[str]:
        """The tenants of the users that this plugin returns."""
        return {self.tenant}

    @hookimpl
    def setup(self, app: web.Application) -> None:
        self._set_apart(app)
        refuse_every_origin(app)
        if self.config.per_browser:
            given = self.config.secret
            self.secret = given.get_secret_value().encode() if given else self._secret_from_file()
            app.on_response_prepare.append(self._set_cookie)

    @hookimpl
    async def auth(self, request: web.Request) -> User:
        refuse_other_pages(request)
        return User(self._user_id(request), self.tenant)

    def _user_id(self, request: web.Request) -> str:
        if self.config.per_browser:
            return self._browser(request)
        if self.config.user_header:
            return user_in_header(request, self.config.user_header)
        request[NAME_USER] = self._named
        return "local"

    def _named(self, user: str) -> User:
        """Return the user that a plain request names in its body."""
        return User(checked(user, "`user_id`"), self.tenant)

    def _set_apart(self, app: web.Application) -> None:
        """Take a tenant of its own if other plugins have users; refuse what cannot be safe."""
        plugins = app[HOOKS].implementing("auth")
        mine = next(i for i, (_, plugin) in enumerate(plugins) if plugin is self)
        earlier = [name for name, plugin in plugins[:mine] if knows_users(plugin)]
        later = [name for name, _ in plugins[mine + 1 :]]
        host = app[SETTINGS].server.host
        if not earlier and not is_loopback(host):
            instead = f"put {later[-1]} before it" if later else "enable one, such as jwt_auth"
            raise SettingsError(
                f"server.host is {host!r}, which other machines can reach, and no plugin before "
                f"this one authenticates them. Listen on 127.0.0.1, or {instead}. (This holds for "
                "`user_header` too: anyone who reaches the server can send the header, so the "
                "proxy that sets it must run on this machine.)"
            )
        if self.config.user_header and not is_loopback(host):
            raise SettingsError(
                f"user_header: server.host is {host!r}, which other machines can reach, and anyone "
                "who reaches the server can send the header. Listen on 127.0.0.1 behind the proxy "
                "that sets it, or leave `user_header` out"
            )
        if later:
            raise SettingsError(
                f"{later[0]} would never be called, because this plugin authenticates every "
                f"request: put {later[0]} before it"
            )
        if earlier:
            self.tenant = TENANT
        if not is_loopback(host):
            log.warning(
                "whoever reaches the server can use it without a password: %s passes such requests "
                "on to this plugin. To refuse them, remove it from `plugins`",
                ", ".join(earlier),
            )

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
            secret = read_secret(file).strip()
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"secret_file: cannot read or create {file}: {_reason(error, file)}. Use another "
                "file, or set `secret`."
            ) from None
        if len(secret) < SHORTEST_SECRET:
            raise SettingsError(
                f"secret_file: {file} has fewer than {SHORTEST_SECRET} characters. Delete it, and "
                "a new one is created; every browser is then a new user."
            )
        return secret


def knows_users(plugin: object) -> bool:
    """Whether an `auth` plugin can return users: one that only refuses requests declares none."""
    declared = getattr(plugin, "auth_tenants", None)
    return declared is None or bool(declared)


def _reason(error: Exception, file: Path) -> str:
    """Say why a file cannot be used, without the name of the draft that it is made from."""
    if isinstance(error, FileNotFoundError):
        return f"there is no folder {file.parent}"
    return getattr(error, "strerror", None) or str(error)


def create_secret(file: Path) -> None:
    """Create a file with a random secret, unless another process was faster."""
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.fchmod(descriptor, 0o600)  # whatever the umask is
        with os.fdopen(descriptor, "w") as out:
            out.write(f"{secrets.token_urlsafe(48)}\n")
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def read_secret(file: Path) -> bytes:
    """Return what is in a file that only its owner can read and write.

    Raises `SettingsError` for any other file: who can read it can be every user, and who can write
    it too.
    """
    # A pipe would wait for somebody who writes
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as opened:
        found = os.fstat(descriptor)  # of what a symbolic link points at
        if not stat.S_ISREG(found.st_mode):
            raise SettingsError(f"secret_file: {file} is not a file. Use another one.")
        if found.st_uid not in (os.geteuid(), ROOT):
            raise SettingsError(
                f"secret_file: {file} belongs to another user, who can read and change it. Delete "
                "it, and a new one is created; every browser is then a new user."
            )
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise SettingsError(
                f"secret_file: others can read or change {file}, and with it be any user. Run "
                f"`chmod 600 {shlex.quote(str(file))}`. If somebody may have read it, delete it "
                "instead; every browser is then a new user."
            )
        secret = opened.read(LONGEST_SECRET + 1)
    if len(secret) > LONGEST_SECRET or not secret.isascii():
        raise ValueError(f"expected text in ASCII of at most {LONGEST_SECRET} characters")
    return secret


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach this host, an address or a name."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def refuse_every_origin(app: web.Application) -> None:
    """Raise `SettingsError` if pages of every site may call the server."""
    if "*" in app[SETTINGS].server.cors_origins:
        raise SettingsError(
            "server.cors_origins has `*`, and this plugin needs no password: any web page that is "
            "open in a browser here could act as its user. Name the origins of your pages, such "
            "as http://localhost:3000"
        )


def refuse_other_pages(request: web.Request) -> None:
    """Raise `Forbidden` for a page of another site, open in a browser on this machine.

    The server's pages and those of `server.cors_origins` are allowed. Programs send no `Origin`.
    """
    origins = request.headers.getall("Origin", [])
    server = request.app[SETTINGS].server
    for origin in origins:
        own = len(origins) == 1 and _is_own(origin, request.headers.get("Host"), server.hosts)
        if not own and origin not in server.cors_origins:
            raise Forbidden(
                f"Pages of {origin[:LONGEST_ID]} may not use this server. To allow them, add the "
                "origin to `server.cors_origins`."
            )


def _is_own(origin: str, host: str | None, hosts: list[str]) -> bool:
    """Whether a page is the server's own: of this machine, or of a host in `server.hosts`."""
    scheme, _, netloc = origin.partition("://")
    if scheme not in ("http", "https") or netloc != host:
        return False
    try:
        name = urlsplit(origin).hostname or ""
    except ValueError:
        return False
    return is_loopback(name) or name in (host.strip("[]").lower() for host in hosts)


def user_in_header(request: web.Request, header: str) -> str:
    """Return the user that the header names; it must be there once."""
    values = request.headers.getall(header, [])
    if len(values) != 1 or not values[0].strip():
        raise Unauthorized(
            words("Sign in first: the request needs the header {header}, once.", header=header)
        )
    return checked(values[0].strip(), words("the header {header}", header=header))


def checked(user: str, source: str) -> str:
    """Return a user's id; raises `Unauthorized` if it cannot be stored and shown."""
    if not user.strip() or len(user) > LONGEST_ID or not user.isprintable():
        raise Unauthorized(
            words(
                "Sign in first: {source} must be 1 to {limit} printable characters.",
                source=source,
                limit=LONGEST_ID,
            )
        )
    return user
