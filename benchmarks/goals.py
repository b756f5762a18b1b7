"""The goals for this server's speed, and whether it reaches them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .results import (
    FIRST,
    HELP,
    LISTEN,
    LONG,
    ONCE,
    ONE,
    PACE,
    PACED,
    RESIDENT,
    SHORT,
    STREAM,
    Results,
    ratio,
)

NOISE = 1.03
"""Memory that grows by up to this factor counts as not growing."""


@dataclass(frozen=True)
class Goal:
    """A goal: `most` is the limit, `figure` the measured value, in the same unit.

    `why` explains the figure, in case it is over the limit.
    """

    words: str
    figure: float
    most: float
    unit: str = "times"
    why: str = ""

    @property
    def reached(self) -> bool:
        """Whether the figure is within the limit."""
        return self.figure <= self.most


def goals(results: Results) -> list[Goal]:
    """Return the goals whose figures were measured."""
    found = [*_tokens(results), *_turns(results), *_waiting(results), *_memory(results)]
    return [
        Goal(words, figure, most, unit, _why(words))
        for words, figure, most, unit in found
        if figure is not None
    ]


_TURN = "the cost of the turn itself is divided among its tokens"
_WHY = {
    "CPU per token, one by one, relative to the floor": (
        f"{_TURN}, and the floor has no turns. The line above leaves it out."
    ),
    "CPU per token, at once, relative to the floor": (
        f"{_TURN}, and the floor has no turns. The line above leaves it out."
    ),
    "CPU per token, one by one, relative to the official SDK": (
        f"reading and writing sockets costs the same for every server; {_TURN}."
    ),
    "CPU per token, at once, relative to the official SDK": (
        f"{_TURN}; the profile below shows where it goes."
    ),
    "First token later than the floor's, p50 of 50 chats": (
        "50 turns begin at the same moment and share one core. The first tokens come when nearly "
        "all turns have done the work before it: about half the cost of a one-token turn."
    ),
    "Memory of an open, idle stream": (
        "two connections with their buffers, the tasks that serve them, and the turn itself."
    ),
    "Start, until it listens": "two thirds of it is importing the Agents SDK and what it needs.",
}


def _why(words: str) -> str:
    return _WHY.get(words, "")


Found = Iterator[tuple[str, float | None, float, str]]


def _tokens(results: Results) -> Found:
    for figure, when, most in ((PACED, "one by one", 1.5), (ONCE, "at once", 2.0)):
        further = ratio(
            results.per_further_token("ours", figure), results.per_further_token("floor", figure)
        )
        yield f"CPU per extra token, {when}, relative to the floor", further, most, "times"
        ours = results.per_token("ours", figure)
        floor = ratio(ours, results.per_token("floor", figure))
        yield f"CPU per token, {when}, relative to the floor", floor, most, "times"
        official = ratio(ours, results.per_token("official", figure))
        yield f"CPU per token, {when}, relative to the official SDK", official, 1 / 6, "times"
    for figure, when in ((PACED, "one by one"), (ONCE, "at once")):
        litellm = ratio(
            results.per_token("ours-litellm", figure), results.per_token("official-litellm", figure)
        )
        words = f"CPU per token through LiteLLM, {when}, relative to the official SDK"
        yield words, litellm, 0.5, "times"


def _turns(results: Results) -> Found:
    one = results.median("ours", ONE)
    yield "CPU of a one-token turn", _times(one, 1e3), 6.0, "ms"
    official = ratio(one, results.median("official", ONE))
    yield "CPU of a one-token turn, relative to the official SDK", official, 0.5, "times"
    long = ratio(results.median("ours", LONG), results.median("ours", SHORT))
    yield "CPU of a turn on a long thread, relative to a short one", long, 1.2, "times"


def _waiting(results: Results) -> Found:
    for percent, most in ((50, 100.0), (99, 250.0)):
        ours = results.percentile("ours", FIRST, percent)
        floor = results.percentile("floor", FIRST, percent)
        later = None if ours is None or floor is None else (ours - floor) * 1e3
        yield f"First token later than the floor's, p{percent} of 50 chats", later, most, "ms"
    pace = results.median("ours", PACE)
    yield "Turn time relative to the model's, many chats at 20 tokens/s", pace, 1.05, "times"
    yield "`chatkit-server --help`", results.median("ours", HELP), 0.3, "s"
    yield "Start, until it listens", results.median("ours", LISTEN), 2.0, "s"


def _memory(results: Results) -> Found:
    yield "Memory of an open, idle stream", _times(results.median("ours", STREAM), 1e-3), 60.0, "kB"
    resident = results.values("ours", RESIDENT)
    if resident:
        first, last = resident[0], resident[-1]
        yield "Memory after the first turns", first / 1e6, 160.0, "MB"
        yield "Memory after all turns, relative to the first ones", last / first, NOISE, "times"


def _times(figure: float | None, factor: float) -> float | None:
    return None if figure is None else figure * factor
