"""Secrets that this process knows, and texts without them.

The log is the process's, so its secrets are too: what any application's settings name is hidden.
"""

from __future__ import annotations

import base64
import html
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from .lines import INVISIBLE

MASK = "***"

SHORTEST = 6
"""Characters. Shorter secrets are not hidden: they would be found inside of ordinary words."""

FEWEST = 4
"""Different characters: dots and dashes stand for a secret, and are none."""

_START = 8
"""As many characters of a secret are a part of it where a text was cut off."""

_LONG = 12
"""As many characters, and half of a secret, are a part of it whatever follows."""

_CUT_OFF = ("…", " …", "...", " ...", "*", "•")
"""What follows a text that was cut off."""

# Newlines and the like as Python, JSON and URLs write them
_ESCAPED = r"(?<!\\)\\{1,16}(?:[nrtvf]|x[0189][0-9a-fA-F]|u[0-9a-fA-F]{4})|%(?:0[aAdD9]|20)"
_ESCAPED_BREAK = re.compile(_ESCAPED)
_VISIBLE_BREAK = re.compile(rf"\s+|{_ESCAPED}")
_BREAK = re.compile(rf"[\s{INVISIBLE}]+|{_ESCAPED}")

_ORDINARY = re.compile(r"[a-z]+")

# Where secrets stand that nobody told us: hint, pattern, replacement
_ANYWHERE = (
    ("://", re.compile(r"(://[^\s/?#@:]{0,256}:)[^\s/]{1,256}@"), rf"\1{MASK}@"),
    (
        "=",
        re.compile(
            r"([?&][\w-]{0,40}?(?:key|token|secret|password|passwd|signature|sig)=)[^\s&#\"'<>]*[^\s&#\"'<>:]",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (
        "earer",
        re.compile(r"(\b[Bb]earer(?:\s+|%20))(?=\D{0,64}\d)[\w.~+/=%-]{8,}"),
        rf"\1{MASK}",
    ),
    (
        "asic",
        re.compile(r"(\b[Bb]asic(?:\s+|%20))(?=[^\s\d=]{0,64}[\d=])[\w+/=%-]{8,}"),
        rf"\1{MASK}",
    ),
    ("eyJ", re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), MASK),
)


_Groups = list[tuple[str, list[str]]]
"""Spellings by how they start."""


class Secrets:
    """Known secrets, in all spellings in which a text may have them."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know no secret anymore."""
        self._secrets: set[str] = set()
        self._words: set[str] = set()
        # None until the spellings of new secrets are there
        self._groups: _Groups | None = []
        self._unbroken: _Groups = []
        self.longest = 0
        """Characters of the longest spelling."""

    def add(self, secrets: Iterable[str], words: Iterable[str] = ()) -> None:
        """Hide these from now on.

        An ordinary word that is one of `words`, too, is no secret: a password `postgres` would be
        hidden in each `postgresql`.
        """
        known = len(self._secrets), len(self._words)
        self._secrets.update(
            secret
            for secret in map(str.strip, secrets)
            if len(secret) >= SHORTEST and len(set(secret)) >= FEWEST
        )
        self._words.update(words)
        if known != (len(self._secrets), len(self._words)):
            self._groups = None

    def mask(self, text: str) -> str:
        """Return text with `***` for each secret, also for one that is cut off or broken."""
        groups = self._groups if self._groups is not None else self._grouped()
        if self._unbroken:
            # First: of a broken secret, the beginning alone would be found
            text = _masked_across_breaks(text, self._unbroken)
        for start, spelled in groups:
            if start in text:
                text = _masked(text, start, spelled)
        for hint, pattern, instead in _ANYWHERE:
            if hint in text:
                text = pattern.sub(instead, text)
        return text

    def _grouped(self) -> _Groups:
        """Group all spellings by how they start, longest first."""
        hidden = {
            spelled
            for secret in self._secrets
            if not (_ORDINARY.fullmatch(secret) and secret in self._words)
            for spelled in spellings(secret)
        }
        unbroken = {_BREAK.sub("", spelled) for spelled in hidden}
        self.longest = max(map(len, hidden), default=0)
        # Shorter ones would be found in the ends and beginnings of words
        self._unbroken = _by_start(spelled for spelled in unbroken if len(spelled) >= _LONG)
        self._groups = _by_start(hidden)
        return self._groups


def _by_start(hidden: Iterable[str]) -> _Groups:
    groups: dict[str, list[str]] = {}
    for spelled in sorted(hidden, key=len, reverse=True):
        groups.setdefault(spelled[:_START], []).append(spelled)
    return list(groups.items())


def _masked(text: str, start: str, spelled: list[str]) -> str:
    parts: list[str] = []
    done = 0
    for at, end in _found(text, start, spelled):
        parts += (text[done:at], MASK)
        done = end
    return "".join((*parts, text[done:]))


def _found(text: str, start: str, spelled: list[str]) -> Iterator[tuple[int, int]]:
    """Yield where secrets of a group start and end."""
    at = text.find(start)
    while at >= 0:
        end = _end_of_secret(text, at, spelled)
        if end:
            yield at, end
        at = text.find(start, max(end, at + 1))


def _end_of_secret(text: str, at: int, spelled: list[str]) -> int:
    """Return where the secret that starts at `at` ends, 0 if there is none."""
    for secret in spelled:
        if text.startswith(secret, at):
            return at + len(secret)
    for secret in spelled:
        length = _common(text[at : at + len(secret)], secret)
        end = at + length
        is_long = length >= max(_LONG, len(secret) / 2)
        if is_long or end == len(text) or text.startswith(_CUT_OFF, end):
            return end
    return 0


def _masked_across_breaks(text: str, groups: _Groups) -> str:
    """Return text without the secrets that newlines or spaces break into pieces."""
    unbroken, breaks = _without_breaks(text)
    if len(unbroken) == len(text):
        return text
    # One that is cut off early may be a word of the text, such as a name that keys begin with
    found = sorted(
        (at, end)
        for start, spelled in groups
        if start in unbroken
        for at, end in _found(unbroken, start, spelled)
        if end - at >= _LONG
    )
    if not found:
        return text
    parts: list[str] = []
    done = 0
    places = _Places(breaks.finditer(text))
    for at, end in found:
        first, last = places.of(at), places.of(end - 1) + 1
        if first >= done:
            parts += (text[done:first], MASK)
        done = max(done, last)
    return "".join((*parts, text[done:]))


def _without_breaks(text: str) -> tuple[str, re.Pattern[str]]:
    """Return text without breaks, and the pattern of those."""
    unbroken = _ESCAPED_BREAK.sub("", text) if "\\" in text or "%" in text else text
    unbroken = "".join(unbroken.split())
    if unbroken.isprintable():
        return unbroken, _VISIBLE_BREAK
    return _BREAK.sub("", text), _BREAK


class _Places:
    """Where the characters of a text are, counted without breaks."""

    def __init__(self, breaks: Iterator[re.Match[str]]) -> None:
        self._starts = [0]
        self._moved = [0]
        moved = 0
        for match in breaks:
            self._starts.append(match.start() - moved)
            moved += match.end() - match.start()
            self._moved.append(moved)

    def of(self, at: int) -> int:
        """Return the place in the text of the character `at`."""
        return at + self._moved[bisect_right(self._starts, at) - 1]


def _common(one: str, other: str) -> int:
    """Return how many characters two texts have in common at the start."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def spellings(secret: str) -> set[str]:
    """Return a secret as it is, and as it is in URLs, JSON, Python, HTML and Basic auth."""
    data = secret.encode("utf-8", "surrogatepass")
    quoted = {quote(data, safe=""), quote(data), quote_plus(data)}
    quoted |= {re.sub("%..", lambda match: match[0].lower(), text) for text in quoted}
    escaped = {
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        repr(data)[2:-1],
    }
    # PHP writes `/` as `\/`
    escaped |= {text.replace("/", "\\/") for text in escaped}
    # An error may quote what another one quoted
    escaped |= {again for text in escaped for again in (repr(text)[1:-1], json.dumps(text)[1:-1])}
    found = {secret, html.escape(secret), *quoted, *escaped, *_in_base64(data)}
    lines = secret.splitlines()
    if len(lines) > 1:
        # Of a key in PEM format
        found.update(line for line in lines if len(line) >= 16 and not line.startswith("-----"))
    return {text for text in found if len(text) >= SHORTEST}


def _in_base64(data: bytes) -> Iterator[str]:
    """Yield what encoded data has of a secret inside of it, whatever stands around it."""
    for before in range(3):
        for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
            text = encode(bytes(before) + data).decode().rstrip("=")
            # The first and last character may depend on what stands around it
            first, end = -(-before * 8 // 6), (before + len(data)) * 8 // 6
            yield text[first:end]


SECRETS = Secrets()


def add_secret(secret: str) -> None:
    """Hide a secret in the logs that the plugin has from elsewhere than its `Config`.

    The server knows those in the settings, and the environment variables that are named like one.
    """
    SECRETS.add([secret])


def mask_secrets(text: str) -> str:
    """Return text with `***` for each secret of the settings, for a file or a service of yours."""
    return SECRETS.mask(text)


def in_one_line(text: str, most: int) -> str:
    """Return text in one line, without secrets and of at most `most` characters and `…`."""
    # A secret is masked before it is cut, so that its beginning is not taken for another word
    masked = mask_secrets(text[: 4 * most])
    shown = " ".join("".join(char if char.isprintable() else " " for char in masked).split())
    return shown if len(shown) <= most else f"{shown[:most]}…"
