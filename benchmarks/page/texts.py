"""Answers of many tokens, in Markdown. The same number gives the same text."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

WORDS = (
    "tea water leaf cup kettle brewing temperature minutes green black oolong garden spring",
    "harvest mountain river clay porcelain taste sweet bitter floral smoke ceremony morning",
    "trade ship harbour letter winter light shadow story house table window",
)
ALL = " ".join(WORDS).split()

Block = Callable[[random.Random], Iterator[str]]


def sentence(chance: random.Random, words: int = 14) -> Iterator[str]:
    """Yield the tokens of a sentence, with some emphasis, code and links."""
    for number in range(words):
        word = chance.choice(ALL)
        kind = chance.random()
        if kind < 0.03:
            word = f"**{word}**"
        elif kind < 0.05:
            word = f"`{word}`"
        elif kind < 0.06:
            word = f"[{word}](https://example.com/{word})"
        yield f" {word}" if number else word.capitalize()
    yield ". "


def paragraph(chance: random.Random) -> Iterator[str]:
    for _ in range(chance.randint(2, 5)):
        yield from sentence(chance)
    yield "\n\n"


def heading(chance: random.Random) -> Iterator[str]:
    yield "## "
    yield from sentence(chance, 4)
    yield "\n\n"


def bullets(chance: random.Random) -> Iterator[str]:
    for _ in range(5):
        yield "- "
        yield from sentence(chance, 8)
        yield "\n"
    yield "\n"


def code(chance: random.Random) -> Iterator[str]:
    yield "```python\n"
    for number in range(8):
        yield from (f"def {chance.choice(ALL)}", f"_{number}", "(cup: int)", " -> str:\n")
        yield from ("    return ", f'"{chance.choice(ALL)}"', " * cup", "  # warm\n")
    yield "```\n\n"


def table(chance: random.Random) -> Iterator[str]:
    yield from ("| tea ", "| minutes ", "| taste |\n", "|---", "|---:", "|---|\n")
    for _ in range(6):
        yield from row(chance)
    yield "\n"


def row(chance: random.Random) -> Iterator[str]:
    yield from (f"| {chance.choice(ALL)} ", f"| {chance.randint(1, 9)} ")
    yield f"| {chance.choice(ALL)} |\n"


def maths(chance: random.Random) -> Iterator[str]:
    yield from ("$$\n", "t", " = \\frac", "{a}{b}", f" + {chance.randint(1, 9)}", "^2", "\n$$\n\n")


def mixed(chance: random.Random) -> Iterator[str]:
    """What models write: paragraphs, lists, code, tables, some mathematics."""
    while True:
        yield from heading(chance)
        for block in chance.choices(
            [paragraph, bullets, code, table, maths], weights=[8, 3, 2, 1, 1], k=8
        ):
            yield from block(chance)


def one_paragraph(chance: random.Random) -> Iterator[str]:
    while True:
        yield from sentence(chance)


def one_list(chance: random.Random) -> Iterator[str]:
    while True:
        yield "- "
        yield from sentence(chance, 8)
        yield "\n"


def one_table(chance: random.Random) -> Iterator[str]:
    yield from ("| tea ", "| minutes ", "| taste |\n", "|---", "|---:", "|---|\n")
    while True:
        yield from row(chance)


def one_code(chance: random.Random) -> Iterator[str]:
    yield "```python\n"
    while True:
        yield from (f"def {chance.choice(ALL)}", "(cup: int)", " -> str:\n")
        yield from ("    return ", f'"{chance.choice(ALL)}"', " * cup", "  # warm\n")


KINDS: dict[str, Block] = {
    "mixed": mixed,
    "paragraph": one_paragraph,
    "list": one_list,
    "table": one_table,
    "code": one_code,
}
"""Answers of one block are the worst of an incremental renderer, which keeps what is finished."""


def tokens(kind: str, count: int, seed: int = 1) -> Iterator[str]:
    """Yield so many tokens of an answer."""
    source = KINDS[kind](random.Random(seed))
    for _ in range(count):
        yield next(source)
