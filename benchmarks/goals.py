"""What this server is to reach, and whether it does."""

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
"""How much memory may grow and count as not growing."""


@dataclass(frozen=True)
class Goal:
    """A goal: `most` is the limit, `figure` what was measured, in the same unit.

    `why` says where the figure comes from, for the case that it is too much.
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


_TURN = "a turn's own cost is part of each of its tokens"
_WHY = {
    "CPU per token, tokens one by one: by the floor's": (
        f"{_TURN}, and the floor has no turns. Without it: the line above."
    ),
    "CPU per token, tokens at once: by the floor's": (
        f"{_TURN}, and the floor has no turns. Without it: the line above."
    ),
    "CPU per token, tokens one by one: by the official SDK's": (
        f"reading and writing sockets for each token costs what it costs the floor; {_TURN}."
    ),
    "CPU per token, tokens at once: by the official SDK's": (
        f"{_TURN}; below is what it consists of."
    ),
    "First token after the floor's, p50 of 50 chats at once": (
        "50 turns begin at the same moment and get on together, so that the first tokens come when "
        "nearly all of them have done what is before it: half of what a turn of one token costs."
    ),
    "Memory of an open, idle stream": (
        "two connections with their buffers, the tasks that follow them, and the turn itself."
    ),
    "Listening": ("importing the Agents SDK, with all that it imports, is two thirds of it."),
}


def _why(words: str) -> str:
    return _WHY.get(words, "")


Found = Iterator[tuple[str, float | None, float, str]]


def _tokens(results: Results) -> Found:
    for figure, when, most in ((PACED, "one by one", 1.5), (ONCE, "at once", 2.0)):
        further = ratio(
            results.per_further_token("ours", figure), results.per_further_token("floor", figure)
        )
        yield f"CPU per further token, tokens {when}: by the floor's", further, most, "times"
        ours = results.per_token("ours", figure)
        floor = ratio(ours, results.per_token("floor", figure))
        yield f"CPU per token, tokens {when}: by the floor's", floor, most, "times"
        official = ratio(ours, results.per_token("official", figure))
        yield f"CPU per token, tokens {when}: by the official SDK's", official, 1 / 6, "times"
    for figure, when in ((PACED, "one by one"), (ONCE, "at once")):
        litellm = ratio(
            results.per_token("ours-litellm", figure), results.per_token("official-litellm", figure)
        )
        words = f"CPU per token through LiteLLM, tokens {when}: by the official SDK's"
        yield words, litellm, 0.5, "times"


def _turns(results: Results) -> Found:
    one = results.median("ours", ONE)
    yield "CPU of a turn of one token", _times(one, 1e3), 6.0, "ms"
    official = ratio(one, results.median("official", ONE))
    yield "CPU of a turn of one token: by the official SDK's", official, 0.5, "times"
    long = ratio(results.median("ours", LONG), results.median("ours", SHORT))
    yield "CPU of a turn on a long thread: by one on a short thread", long, 1.2, "times"


def _waiting(results: Results) -> Found:
    for percent, most in ((50, 100.0), (99, 250.0)):
        ours = results.percentile("ours", FIRST, percent)
        floor = results.percentile("floor", FIRST, percent)
        later = None if ours is None or floor is None else (ours - floor) * 1e3
        yield f"First token after the floor's, p{percent} of 50 chats at once", later, most, "ms"
    pace = results.median("ours", PACE)
    yield "A turn's time by the model's own, many chats at 20 tokens/s", pace, 1.05, "times"
    yield "`chatkit-server --help`", results.median("ours", HELP), 0.3, "s"
    yield "Listening", results.median("ours", LISTEN), 2.0, "s"


def _memory(results: Results) -> Found:
    yield "Memory of an open, idle stream", _times(results.median("ours", STREAM), 1e-3), 60.0, "kB"
    resident = results.values("ours", RESIDENT)
    if resident:
        first, last = resident[0], resident[-1]
        yield "Memory after the first turns", first / 1e6, 160.0, "MB"
        yield "Memory after all turns: by that after the first ones", last / first, NOISE, "times"


def _times(figure: float | None, factor: float) -> float | None:
    return None if figure is None else figure * factor
