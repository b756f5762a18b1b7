"""Requests that only try whether something works: `chatkit-server check --online`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime


@dataclass
class Probe:
    """What the requests of a check have met on their way.

    `skews` has, by server, how many seconds its clock is ahead of this machine's.
    """

    skews: dict[str, float] = field(default_factory=dict)


_PROBE: ContextVar[Probe | None] = ContextVar("probe", default=None)


@contextmanager
def probing() -> Iterator[Probe]:
    """Have requests in the block, and in tasks that it starts, be tried once."""
    probe = Probe()
    token = _PROBE.set(probe)
    try:
        yield probe
    finally:
        _PROBE.reset(token)


def is_probe() -> bool:
    """Whether a request only tries if something works: then the first failure is the answer."""
    return _PROBE.get() is not None


def note_date(server: str, date: str | None) -> None:
    """Note the header `Date` of an answer that has just come."""
    probe = _PROBE.get()
    if probe is None or date is None:
        return
    try:
        probe.skews[server] = parsedate_to_datetime(date).timestamp() - time.time()
    except ValueError:
        return
