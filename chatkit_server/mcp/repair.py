"""Repairs JSON from an MCP server that the client libraries would not parse.

They drop the whole message, and with it a list of tools of which one is broken.
"""

from __future__ import annotations

import re

from ..text import without_lone_escapes

DEPTH = 150
"""Levels of a message. The libraries parse 200."""

_STRING = rb'"(?:[^"\\]|\\.)*"'
_STRINGS = re.compile(_STRING, re.DOTALL)
_BRACKETS = re.compile(_STRING + rb"|[\[{]|[\]}]", re.DOTALL)
_LEVELS = bytes.maketrans(b"[{]}", b"(())")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def repaired(data: bytes) -> bytes:
    """Return a message that can be parsed, if it is JSON.

    What is nested deeper than `DEPTH` becomes `null`. Half characters, and bytes that are none,
    become replacement characters.
    """
    try:
        data.decode()
    except UnicodeDecodeError:
        data = data.decode(errors="replace").encode()
    data = without_lone_escapes(data)
    return _without_depths(data) if _is_deep(data) else data


def _is_deep(data: bytes) -> bool:
    if data.count(b"{") + data.count(b"[") <= DEPTH:
        return False
    levels = _STRINGS.sub(b"", data).translate(_LEVELS, _NO_BRACKETS)
    # Each round removes the innermost level
    for _ in range(DEPTH):
        inner = levels.replace(b"()", b"")
        if len(inner) == len(levels):
            break
        levels = inner
    return bool(levels)


def _without_depths(data: bytes) -> bytes:
    parts: list[bytes] = []
    done = depth = 0
    for match in _BRACKETS.finditer(data):
        bracket = match[0]
        if bracket in b"[{":
            depth += 1
            if depth == DEPTH + 1:
                parts.append(data[done : match.start()])
                done = match.start()
        elif bracket in b"]}":
            depth -= 1
            if depth == DEPTH:
                parts.append(b"null")
                done = match.end()
    return b"".join((*parts, data[done:]))
