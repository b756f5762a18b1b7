"""Find what is secret in settings, in a plugin's `Config` and in the environment.

- What is named like a secret: `api_key`, `GITHUB_TOKEN`, `--password`.
- Headers, except those that are never secret, such as `Accept`.
- Variables for a child process (`env`, and `-e` in its arguments) whatever their name: `FOO` may
  have one. Values shorter than eight characters stay, and those that are plainly ordinary: words,
  numbers, paths, host names, locales, time zones, lists of these, and what a variable such as
  `LOG_LEVEL` or `CONFIG_PATH` has. Without them, the log could not be read.
- Passwords in URLs, and parameters that are named like a secret.
- In JSON inside of these, the same.

Text is no secret because it comes from `${NAME}`: most of it is not. If `NAME` is named like a
secret, its value is one, wherever the settings use it.
"""

from __future__ import annotations

import base64
import binascii
import json
import os.path
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from pydantic import BaseModel, SecretBytes, SecretStr

from ..masking import SECRETS

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

_ENDS = {
    *("key", "keys", "apikey", "apikeys", "accesskey", "secretkey", "privatekey", "salt"),
    *("tokens", "secrets", "passwords", "pass", "pwd", "pat", "authorization"),
    *("cookie", "cookies", "credential", "credentials"),
}
"""Last words of the names of secrets: `api_key`, `GITHUB_TOKEN`, `clientSecret`, `X-Api-Key`."""

_END = ("token", "secret", "password", "passwd", "passphrase")
"""Ends of those words: `sslpassword`."""

_SURE = {"secret", "password", "passwd", "passphrase"}
"""Words that are somewhere in the names of secrets: `SECRET_VALUE`."""

_NO_SECRET = {
    *("file", "path", "dir", "url", "uri", "name", "id", "type", "header", "claim", "variable"),
    *("env", "length", "size", "age", "ttl", "timeout", "algorithm", "algorithms", "prefix"),
}
"""Last words of names that only tell about a secret: `secret_file`."""

_NEVER = {"public", "max", "min"}
"""Words that are in no name of a secret: `public_key`, `MAX_TOKENS`."""

_VARIABLES = ("env", "environ", "environment")
"""Names of sections with the variables of a child process, and of its option for them."""

_PLAIN_VARIABLES = {
    *("level", "mode", "host", "hosts", "port", "region", "zone", "model", "locale", "language"),
    *("lang", "tz", "debug", "version", "endpoint", "origin", "origins", "home", "shell", "term"),
    *(
        "format",
        "encoding",
        "timezone",
        "environment",
        "stage",
        "title",
        "label",
        "user",
        "username",
    ),
}
"""Last words of the names of variables that are no secrets, whatever their value."""

_SHORTEST_VALUE = 8
"""Characters of a variable's value that may be a secret, if its name does not say so."""

_ORDINARY_VALUE = re.compile(
    r"""
    [A-Za-z]?[a-z]{1,19} | [A-Z]{1,20}        # a word
    | [-+]?\d[\d.,:/_TZ+-]*[A-Za-z%]{0,3}     # a number, a date, a size, an address
    | (?:[a-z\d-]+\.)+[a-z]{2,}(?::\d+)?      # a host
    | localhost:\d+
    | [a-z]{2,3}_[A-Z]{2}(?:\.[\w-]+)?        # a locale
    | [A-Z][a-z]+/[A-Z][A-Za-z_]+             # a time zone
    | (?:~|\.{1,2}|[A-Za-z]:)[/\\].*           # a path
    """,
    re.VERBOSE | re.DOTALL,
)

_PLAIN_HEADERS = re.compile(
    r"(?i)accept.*|content-.*|user-agent|(http-)?referer|origin|x-title|.*version|x-request-id"
)

_PASSWORD = re.compile(r"://[^\s/?#@:]*:([^\s@]+)@")
_WITH_AT = re.compile(r"://[^\s/?#@:]*:(\S+)@")
_USER = re.compile(r"://([a-z]+)[:@]")

_PARAMETER = re.compile(r"(?:^|[?&;\s])([\w.-]+)=([^&;#\s]+)")

_RATE = re.compile(r"[\s;,]*(?:\d{1,9} *(?:/|per ) *(?:\d{1,4} *)?[a-z]{3,7}[\s;,]*)+")
"""A limit such as `1000/day; 5 per 2 hours`, which is no secret."""

_OPTION = re.compile(r"--?([\w-]+)(?:=(.+))?", re.DOTALL)


def is_secret(name: str) -> bool:
    """Return whether a key, a header or a variable of this name has a secret."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or words[-1] in _NO_SECRET or not _NEVER.isdisjoint(words):
        return False
    return words[-1] in _ENDS or words[-1].endswith(_END) or not _SURE.isdisjoint(words)


def is_hidden(name: str, value: Any) -> bool:
    """Return whether a value of this name is not to be shown; a number of `tokens` is a count."""
    is_count = isinstance(value, int | float) and name.lower().endswith("tokens")
    return bool(value) and not is_count and is_secret(name)


def _may_be_secret(name: str, value: str) -> bool:
    """Return whether a variable of a child process may have a secret; see above."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if words and (words[-1] in _NO_SECRET | _PLAIN_VARIABLES or not _NEVER.isdisjoint(words)):
        return False
    return len(value) >= _SHORTEST_VALUE and not _is_ordinary(value)


def _is_ordinary(value: str) -> bool:
    return (
        "://" in value
        or all(_ORDINARY_VALUE.fullmatch(part.strip()) for part in value.split(","))
        or all(map(_is_path, value.split(":")))
    )


def _is_path(text: str) -> bool:
    """Return whether text is a path in a folder that exists; a key may begin with `/`, too."""
    return text.startswith("/") and os.path.isdir("/" + text.split("/")[1])


def remember_secrets(value: Any, name: str = "") -> None:
    """Hide the secrets in a value of the settings, or in a plugin's `Config`, from logs."""
    finder = _Finder()
    finder.look(value, name)
    SECRETS.add(finder.secrets, finder.words)


def remember_environment(environ: Mapping[str, str]) -> None:
    """Hide variables such as `OPENAI_API_KEY`, and passwords in URLs, from logs."""
    finder = _Finder()
    for name, value in environ.items():
        # PWD is the working directory; the path of a file leads to a secret
        if name in ("PWD", "OLDPWD") or os.path.exists(value):
            continue
        if is_secret(name):
            finder.found(value)
        elif "://" in value:
            finder.look_in_text(value)
    SECRETS.add(finder.secrets)


class _Finder:
    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self.words: set[str] = set()
        self._seen: set[tuple[int, bool]] = set()

    def look(self, value: Any, name: str = "", secret: bool = False) -> None:
        """Look through a value; everything inside of one that is secret is secret, too."""
        secret = secret or is_secret(name)
        if isinstance(value, SecretStr | SecretBytes):
            given = value.get_secret_value()
            self.found(given if isinstance(given, str) else given.decode(errors="replace"))
        elif isinstance(value, str):
            if secret:
                self.found(value)
            else:
                self.look_in_text(value)
        elif (id(value), secret) not in self._seen:
            # An object may be inside of itself
            self._seen.add((id(value), secret))
            if isinstance(value, BaseModel):
                self._look_in_model(value, secret)
            elif isinstance(value, Mapping):
                self._look_in_section(value, name, secret)
            elif isinstance(value, list | tuple | set | frozenset):
                self._look_in_list(value, secret)

    def _look_in_model(self, model: BaseModel, secret: bool) -> None:
        fields = type(model).model_fields
        for name, value in model:
            default = fields[name].default if name in fields else None
            if not (isinstance(value, str) and value == default):
                self.look(value, name, secret)

    def _look_in_section(self, section: Mapping[Any, Any], name: str, secret: bool) -> None:
        headers = name.lower().endswith("headers")
        for key, value in section.items():
            self.words.update(re.findall("[a-z]+", str(key)))
            hidden = headers and not _PLAIN_HEADERS.fullmatch(str(key))
            self.look(value, str(key), secret or hidden)
            if name.lower() in _VARIABLES:
                self._look_in_variable(str(key), value)

    def _look_in_variable(self, name: str, value: Any) -> None:
        if not isinstance(value, str):
            return
        if value.lstrip()[:1] in ("{", "["):
            with suppress(ValueError, RecursionError):
                self.look(json.loads(value), name)
        if _may_be_secret(name, value):
            self.found(value)

    def _look_in_list(self, values: Iterable[Any], secret: bool) -> None:
        """Look through a list; in arguments of a program, options name what follows them."""
        before = ""
        for value in values:
            option = _OPTION.fullmatch(value) if isinstance(value, str) else None
            if option and option[2]:
                self.look(option[2], option[1], secret)
            else:
                self.look(value, before, secret)
            given = option[2] if option and option[2] else value
            option_name = option[1] if option else before
            if option_name in ("e", *_VARIABLES) and isinstance(given, str):
                variable, _, text = given.partition("=")
                self._look_in_variable(variable, text)
            before = option[1] if option else ""

    def look_in_text(self, text: str) -> None:
        """Find passwords in URLs; the other words of a text are no secrets."""
        rest = _PASSWORD.sub("://", _PARAMETER.sub("", text))
        self.words.update(re.findall("[a-z]+", rest), _USER.findall(text))
        for pattern in (_PASSWORD, _WITH_AT):
            for password in pattern.findall(text):
                self.found(password)
        for name, value in _PARAMETER.findall(text):
            if is_secret(name):
                self.found(value)

    def found(self, secret: str) -> None:
        if _RATE.fullmatch(secret):
            # Of `tokens`, for example
            return
        self.secrets |= {secret, unquote(secret)}
        scheme, _, rest = secret.strip().partition(" ")
        if rest and scheme.lower() in ("bearer", "basic", "token", "apikey", "digest"):
            self.found(rest)
            if scheme.lower() == "basic":
                self._found_basic(rest)
        if "://" in secret:
            self.look_in_text(secret)

    def _found_basic(self, encoded: str) -> None:
        try:
            decoded = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return
        self.secrets.add(decoded.partition(":")[2])
