"""The order of a conversation's messages that every endpoint accepts."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..pairs import CALL_CUT_OFF
from .messages import Call, Message, Part, text_part

log = logging.getLogger(__name__)

BEGIN = "(The conversation begins.)"
GO_ON = "(Go on.)"
NO_ANSWER = "(No answer.)"


def paired(messages: Iterable[Message]) -> list[Message]:
    """Return the messages with each call's result in the call, and neighbours of one role joined.

    A result belongs to the newest call before it with its id, or else to one after it. A result
    without a call is left out, a call without a result gets one that says so.
    """
    return _Pairing().add_all(messages)


class _Pairing:
    """The messages as far as they have been taken."""

    def __init__(self) -> None:
        self._out: list[Message] = []
        self._open: dict[str, list[tuple[int, Call]]] = {}
        """Calls without a result, with the position of their message."""
        self._early: dict[str, list[list[Part]]] = {}
        self._answered = False
        """Whether a result came after the last message: it has all its calls."""
        self._thought: Message | None = None
        """Reasoning that belongs to the next message."""

    def add_all(self, messages: Iterable[Message]) -> list[Message]:
        for message in messages:
            if message.role == "tool":
                self._answer(message)
            elif message.role == "assistant":
                self._add_answer(message)
            elif message.parts:
                self._thought = None
                self._add(message)
        self._complete()
        return self._out

    def _answer(self, message: Message) -> None:
        waiting = self._open.get(message.call_id)
        if not waiting:
            self._early.setdefault(message.call_id, []).append(message.parts)
            return
        newest = waiting[-1][0]
        first = next(at for at, (position, _) in enumerate(waiting) if position == newest)
        _, call = waiting.pop(first)
        call.result = message.parts
        self._answered = True

    def _add_answer(self, message: Message) -> None:
        if self._thought is not None:
            message = _joined(self._thought, message)
        if not message.parts and not message.calls:
            self._thought = message
            return
        self._thought = None
        self._add(message)
        for call in message.calls:
            self._open.setdefault(call.id, []).append((len(self._out) - 1, call))

    def _add(self, message: Message) -> None:
        last = self._out[-1] if self._out else None
        if last is None or last.role != message.role or (last.calls and self._answered):
            self._out.append(message)
        else:
            self._out[-1] = _joined(last, message)
        self._answered = False

    def _complete(self) -> None:
        for message in self._out:
            for call in message.calls:
                if call.result is None:
                    early = self._early.get(call.id)
                    call.result = early.pop(0) if early else [text_part(CALL_CUT_OFF)]
        if any(self._early.values()):
            log.debug("results of unknown tool calls are left out: %.200s", list(self._early))


def _joined(first: Message, second: Message) -> Message:
    return Message(
        first.role,
        [*first.parts, *second.parts],
        [*first.calls, *second.calls],
        thought="\n".join(filter(None, (first.thought, second.thought))),
        details={
            name: [*first.details.get(name, ()), *second.details.get(name, ())]
            for name in {**first.details, **second.details}
        },
    )


def in_turn(messages: Iterable[Message], *, alternate: bool) -> Iterator[Message]:
    """Yield the messages, from a user's to one that can be answered.

    With `alternate`, a model's message comes between a tool's result and a user's message.
    """
    last: Message | None = None
    for message in messages:
        if message.role == "assistant" and (last is None or last.role in ("system", "developer")):
            yield Message("user", [text_part(BEGIN)])
        if alternate and message.role == "user" and last is not None and last.calls:
            yield Message("assistant", [text_part(NO_ANSWER)])
        yield message
        last = message
    if last is None or last.role in ("system", "developer"):
        yield Message("user", [text_part(BEGIN)])
    elif last.role == "assistant" and not last.calls:
        yield Message("user", [text_part(GO_ON)])


def calls_as_text(messages: Iterable[Message]) -> list[Message]:
    """Return the messages with calls and results as text."""
    told: list[Message] = []
    for message in messages:
        lines = [f"[I called {call.name} with {call.arguments}]" for call in message.calls]
        parts = [*message.parts, *map(text_part, lines)]
        told.append(Message(message.role, parts, thought=message.thought, details=message.details))
        told += [
            Message("user", [text_part(f"[What {call.name} returned:]"), *(call.result or ())])
            for call in message.calls
        ]
    return paired(told)


def calls_apart(messages: Iterable[Message]) -> Iterator[Message]:
    """Yield the messages, with each call and its result in a message of its own."""
    for message in messages:
        if len(message.calls) < 2:
            yield message
            continue
        first, *others = message.calls
        yield replace(message, calls=[first])
        for call in others:
            yield Message("assistant", calls=[call])
