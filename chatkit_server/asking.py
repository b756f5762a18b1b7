"""Questions to the user: how they are written, and how the tool that asks them ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from chatkit.agents import ClientToolCall
from chatkit.types import (
    StructuredInput,
    StructuredInputBase,
    StructuredInputFreeform,
    StructuredInputItem,
    StructuredInputMultipleChoice,
    StructuredInputMultipleChoiceOption,
)

Question = str | StructuredInput
"""A question with a free answer, or one of ChatKit's inputs."""


class Asked(BaseException):
    """Ends the tool or hook that asked the user. It is no `Exception`: `except Exception` lets it
    pass."""


@dataclass(slots=True)
class Wanted:
    """What a tool, or a hook that answers, wants of the user and of the client."""

    questions: list[StructuredInputItem] = field(default_factory=list)
    call: ClientToolCall | None = None


_WANTED: ContextVar[Wanted | None] = ContextVar("wanted", default=None)


@contextmanager
def collecting() -> Iterator[Wanted]:
    """Collect what is wanted in the block. Inside of another such block, that one collects it."""
    outer = _WANTED.get()
    if outer is not None:
        yield outer
        return
    wanted = Wanted()
    token = _WANTED.set(wanted)
    try:
        yield wanted
    finally:
        _WANTED.reset(token)


def collected() -> Wanted | None:
    """Return what was wanted in the block around the caller; None outside of such a block."""
    return _WANTED.get()


def inputs_of(
    given: Question | Sequence[Question],
    choices: Sequence[str],
    multiple: bool,
    description: str | None,
) -> list[StructuredInput]:
    """Return ChatKit's inputs for what `Turn.ask` was given.

    Raises `TypeError` or `ValueError` that says what is wrong with it.
    """
    questions = [given] if isinstance(given, str | StructuredInputBase) else list(given)
    if isinstance(choices, str):
        raise TypeError(f"ask: choices is the text {choices[:40]!r}, expected a list of texts")
    is_short = len(questions) == 1 and isinstance(questions[0], str)
    if (choices or multiple or description) and not is_short:
        raise ValueError("ask: choices, multiple and description are for one question in words")
    if multiple and not choices:
        raise ValueError("ask: multiple=True needs choices")
    if choices and description:
        raise ValueError("ask: ChatKit shows no description with choices: put it in the question")
    inputs = [
        _input(question, f"q{number}", choices, multiple, description)
        for number, question in enumerate(questions, 1)
    ]
    ids = [one.id for one in inputs]
    if not ids:
        raise ValueError("ask: no question was given")
    twice = next((one for one in ids if ids.count(one) > 1), None)
    if twice is not None:
        raise ValueError(f"ask: two questions have the id {twice!r}")
    return inputs


def _input(
    question: Question, own_id: str, choices: Sequence[str], multiple: bool, description: str | None
) -> StructuredInput:
    if isinstance(question, StructuredInputMultipleChoice | StructuredInputFreeform):
        # A copy: a module's constant may be asked many times
        return question.model_copy(update={"answer": None})
    if not isinstance(question, str):
        name = type(question).__name__
        raise TypeError(f"ask: got a {name}, expected a text or an input of chatkit.types")
    if choices:
        options = [
            StructuredInputMultipleChoiceOption(value=str(value))
            for value in dict.fromkeys(choices)
        ]
        return StructuredInputMultipleChoice(
            id=own_id, question=question, options=options, multiple=multiple
        )
    return StructuredInputFreeform(id=own_id, question=question, description=description)
