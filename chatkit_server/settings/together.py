"""Settings that have no effect beside others."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

from .schema import Settings

_REACHED_FIRST = (
    ("requests.size", "server.max_body"),
    ("requests.audio", "server.max_body"),
    ("turns.limits.message", "requests.size"),
    ("turns.limits.tool", "turns.limits.turn"),
    ("turns.limits.silence", "turns.limits.turn"),
    ("turns.limits.user", "turns.limits.server"),
    ("turns.limits.user", "turns.limits.tenant"),
    ("turns.limits.tenant", "turns.limits.server"),
    ("turns.keep_size", "turns.keep_total"),
    ("hooks.timeout", "turns.limits.turn"),
)
"""Limits, each with another one that has to be larger, or else is reached first."""

_PROXIES = 60.0
"""Seconds of silence after which most proxies close a stream, unless they are told otherwise."""


def without_effect(settings: Settings) -> Iterator[str]:
    """Yield a line for each limit that was written down and that is never reached."""
    for name, other in _REACHED_FIRST:
        value, larger = _value(settings, name), _value(settings, other)
        if None not in (value, larger) and value > larger and _is_written(settings, name):
            where = settings.source.where(tuple(name.split(".")))
            yield f"{where}: this limit is never reached, because `{other}` is smaller"
    if settings.server.keep_alive >= _PROXIES and _is_written(settings, "server.keep_alive"):
        where = settings.source.where(("server", "keep_alive"))
        yield f"{where}: most proxies close a stream that is silent for 60s. Make it shorter"


def _value(settings: Settings, name: str) -> Any:
    return reduce(getattr, name.split("."), settings)


def _is_written(settings: Settings, name: str) -> bool:
    path = tuple(name.split("."))
    source = settings.source
    return path in source.lines or path in source.overrides
