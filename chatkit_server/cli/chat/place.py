"""Which server is talked to, and as whom."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import click
from yarl import URL

from ...errors import SettingsError
from ...settings.address import local_url
from ...settings.problems import Problems
from ...settings.schema import Settings
from ..options import load_settings

SOMEBODY = "somebody"
"""Stands for the name of a user in `curl_credentials` of a plugin."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What no header may have in it."""


@dataclass(frozen=True)
class Place:
    """Where a server is: `url` is that of its chat endpoint, reached by `socket` if there is one.

    `settings` are those that it should run with, None if they are not known.
    """

    url: URL
    socket: Path | None = None
    settings: Settings | None = None
    headers: dict[str, str] = field(default_factory=dict)


def find_place(file: Path, url: str | None, socket: Path | None) -> Place:
    """Return the server that the options name, or else the one of the settings."""
    settings = None
    if url is None or file.is_file():
        try:
            settings, _ = load_settings(file)
        except SettingsError as error:
            if url is None and socket is None:
                raise SettingsError(
                    f"{error}\nTo talk to a server elsewhere: --url http://HOST:PORT/api/chat"
                ) from None
    path = settings.server.path if settings is not None else "/api/chat"
    if url is not None:
        return Place(_url(url, path), socket, settings)
    at = socket or (None if settings is None else settings.server.socket)
    if at is not None:
        return Place(URL(f"http://localhost{path}"), Path(at), settings)
    assert settings is not None
    return Place(URL(f"{local_url(settings)}{path}"), None, settings)


def _url(text: str, path: str) -> URL:
    if "://" not in text:
        text = f"http://{text}"
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise click.BadParameter(
            f"expected http://HOST:PORT/api/chat, not {text!r}", param_hint="--url"
        )
    return url.with_path(path) if url.path in ("", "/") else url.with_path(url.path.rstrip("/"))


def headers_of(given: Sequence[str], token: str | None) -> dict[str, str]:
    """Return the headers that the options name."""
    headers = {}
    for text in given:
        name, colon, value = text.partition(":")
        if not colon or not name.strip() or _CONTROL.search(text):
            raise click.BadParameter(
                f"expected 'NAME: VALUE', not {name.strip()!r}", param_hint="--header"
            )
        headers[name.strip()] = value.strip()
    if token:
        if _CONTROL.search(token.strip()):
            raise click.BadParameter("a token is one line, without control characters")
        headers["Authorization"] = f"Bearer {token.strip()}"
    return headers


def user_header(settings: Settings | None, user: str) -> dict[str, str]:
    """Return the header by which a client names its user, where an `auth` plugin believes one.

    Raises `click.UsageError` where none does.
    """
    if _CONTROL.search(user):
        raise click.UsageError("--user: a header cannot have line breaks or control characters")
    for option, value in pairwise(_words(_credentials(settings)[0])):
        name, _, inner = value.partition(":")
        if option == "-H" and inner.strip() == SOMEBODY:
            return {name.strip(): user}
    raise click.UsageError(
        "--user: the settings have no `auth` plugin that believes a header with the user's name, "
        "such as `anonymous_auth: {user_header: X-User}`. Use --token or --header to sign in"
    )


def sign_in_hint(settings: Settings | None) -> str:
    """Return what to do after a 401, by what the plugins of the settings say."""
    credentials, unknown = _credentials(settings)
    how = "Sign in with --token TOKEN (or the variable CHATKIT_TOKEN), or --header 'NAME: VALUE'"
    if SOMEBODY in credentials:
        return f"Say who you are by --user NAME. For curl, the settings' plugin says: {credentials}"
    if credentials:
        return f"{how}. For curl, the settings' plugin says: {credentials}"
    if unknown:
        return f"{how}. The plugin {unknown} finds out who asks"
    return how


def _credentials(settings: Settings | None) -> tuple[str, str | None]:
    if settings is None:
        return "", None
    # The plugins may take long to import, and this is only for those who are not let in
    from ...plugin.credentials import curl_credentials
    from ...plugin.load import collect_plugins

    with suppress(SettingsError):
        hooks, _ = collect_plugins(settings, Problems())
        return curl_credentials(hooks)
    return "", None


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return []
