"""Measured values by server and figure, and what is computed from them."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable

ONCE = "processor seconds of a turn of 100 tokens that come at once"
PACED = "processor seconds of a turn of 100 tokens that come one by one"
ONE = "processor seconds of a turn of 1 token"
FIRST = "seconds to the first token"
PACE = "a turn's time by the model's own"
PACE_LATE = "a slow turn's time by the model's own"
BUSY = "share of a core at that pace"
STREAM = "bytes of an open stream"
RESIDENT = "resident bytes in the course of turns"
LONG = "processor seconds of a turn on a long thread"
SHORT = "processor seconds of a turn on a short thread"
HELP = "seconds of --help"
LISTEN = "seconds to listen"
ALONE = "seconds to the first token before an attack"
BESIDE = "seconds to the first token beside an attack"
LARGEST = "the largest resident bytes beside an attack"

TOKENS = 100
"""The tokens per turn when CPU time is measured."""


class Results:
    """Values by server and figure; a figure has one for each round, or for each turn."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], list[float]] = defaultdict(list)

    def add(self, server: str, figure: str, values: Iterable[float]) -> None:
        """Add values."""
        self._values[server, figure].extend(values)

    def values(self, server: str, figure: str) -> list[float]:
        """Return the values, in the order in which they were added."""
        return self._values.get((server, figure), [])

    def median(self, server: str, figure: str) -> float | None:
        """Return the median, None without values."""
        values = self.values(server, figure)
        return statistics.median(values) if values else None

    def percentile(self, server: str, figure: str, percent: int) -> float | None:
        """Return a percentile of all values, None if there are too few."""
        values = self.values(server, figure)
        if len(values) < 2:
            return None
        return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]

    def per_token(self, server: str, figure: str) -> float | None:
        """Return the CPU seconds per token: those of a turn, divided by its tokens."""
        turn = self.median(server, figure)
        return None if turn is None else turn / TOKENS

    def per_further_token(self, server: str, figure: str) -> float | None:
        """Return the CPU seconds of each token after the first, without the cost of the turn."""
        turn, one = self.median(server, figure), self.median(server, ONE)
        return None if turn is None or one is None else (turn - one) / (TOKENS - 1)


def ratio(one: float | None, other: float | None) -> float | None:
    """Return a figure divided by another, None if one is missing."""
    return None if one is None or not other else one / other
