"""How much processor time work takes, on a machine that does other work too.

What else runs delays some rounds, and never makes one faster: the least of several counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_ROUNDS = 7

Work = Callable[[], object]


def takes_less(work: Work, seconds: float) -> bool:
    """Return whether any of several rounds takes less processor time."""
    return any(_seconds(work) < seconds for _ in range(_ROUNDS))


def times_as_long(work: Work, other: Work, enough: float) -> float:
    """Return how many times as long as the other one work takes.

    The rounds alternate, and end as soon as the result is less than `enough`.
    """
    longest = shortest = float("inf")
    for _ in range(_ROUNDS):
        shortest = min(shortest, _seconds(other))
        longest = min(longest, _seconds(work))
        if longest < enough * shortest:
            break
    return longest / shortest


def _seconds(work: Work) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began
