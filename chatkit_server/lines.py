"""Text from anywhere becomes a line of a log, which it can neither end nor make long."""

from __future__ import annotations

import re

INVISIBLE = (
    "\x00-\x1f\x7f-\x9f"  # control characters: newlines, ESC, and those of 8 bits (C1)
    "\u2028\u2029"  # line and paragraph separators
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # those that change the direction of text
    # Those that nobody sees: Default_Ignorable_Code_Point, with selectors of variants and joiners
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
    # The others of category Cf: signs that change how what follows is shown
    "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\ufff9-\ufffb\U000110bd\U000110cd"
    "\U00013430-\U0001343f"
    # Letters and signs that look like a space, and placeholders
    "\u2800\ufffc\U00013441\U00013442\U00016fe4\U0001d159"
    "\ud800-\udfff"  # half characters, which cannot be written
    "\ufdd0-\ufdef\ufffe\uffff"  # what is no character
)
"""Characters that a terminal or a reader would act on, and those that nobody sees."""

_PLAIN_NAME = re.compile(r"[\w.@+|:=~-]+")

_VARIABLE = re.compile(
    r"""
    `[^`]*` | "[^"]*" | (?<!\w)'[^']*'(?!\w)   # quoted
    | (?<=^Pages\ of\ ).*(?=\ may\ not\ use)     # an origin
    | ^.*(?=:\ unknown\ field)                   # the path of a field that the client made up
    | (?<=[A-Z]\ )(?<!SQL\ )/.*                  # the path of a request, not of a database
    | \w*\d\w*                                  # numbers and ids
    """,
    re.VERBOSE | re.DOTALL,
)

_UNSAFE = re.compile(f"[{INVISIBLE}]")


def escape(text: str) -> str:
    r"""Return text as one line: what a terminal or a reader would act on is shown as `\x1b`."""
    return text if is_plain(text) else _UNSAFE.sub(_as_python, text)


def is_plain(text: str) -> bool:
    """Whether a terminal shows every character of a text, and acts on none."""
    return text.isprintable() if text.isascii() else _UNSAFE.search(text) is None


def short(text: str, most: int = 200) -> str:
    """Return text as a part of a line: its first `most` characters, and `…` if there are more."""
    return f"{escape(text[:most])}…" if len(text) > most else escape(text)


def quoted(text: str, most: int = 200) -> str:
    """Return a name that a client chose, in quotes if they are needed to see where it ends.

    `…` after the quotes says that there are more than `most` characters.
    """
    if len(text) <= most and _PLAIN_NAME.fullmatch(text):
        return text
    told = text[:most].replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escape(told)}'{'…' if len(text) > most else ''}"


def user_name(tenant: str, user_id: str) -> str:
    """Return how lines name a user.

    A name may have a slash or a bracket in it, and must not read as another user's.
    """
    return "/".join(map(quoted, filter(None, (tenant, user_id))))


def fixed_words(reason: str) -> str:
    """Return a reason without what varies: quoted texts, numbers, ids, origins, field paths."""
    return _VARIABLE.sub("…", reason)


def _as_python(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def cut(text: str, size: int, removed: int = 0) -> str:
    """Return text of at most `size` bytes; its end says how much was left out.

    `removed` is how many characters were removed from it before.
    """
    if not removed and fits(text, size):
        return text
    kept = first_bytes(text, size - len(mark(len(text) + removed).encode()) - 1)
    return f"{kept} {mark(len(text) - len(kept) + removed)}"


def mark(count: int) -> str:
    """Return what stands where characters were left out."""
    return f"… [{count} characters left out]"


def fits(text: str, size: int) -> bool:
    """Return whether text is at most `size` bytes."""
    return len(text) <= size and (text.isascii() or len(_encoded(text)) <= size)


def first_bytes(text: str, size: int) -> str:
    """Return the beginning of text, whole characters of at most `size` bytes."""
    return _encoded(text[: max(size, 0)])[: max(size, 0)].decode(errors="ignore")


def last_bytes(text: str, size: int) -> str:
    """Return the end of text, whole characters of at most `size` bytes."""
    return _encoded(text[-size:])[-size:].decode(errors="ignore") if size > 0 else ""


def _encoded(text: str) -> bytes:
    return text.encode(errors="backslashreplace")
