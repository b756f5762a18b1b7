"""For whom, and in which turn, the author's code runs."""

from __future__ import annotations

from collections import defaultdict
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from chatkit_server import StoreContext, Turn


@dataclass
class Call:
    """A method of the author's that works for a turn; `over` when it has returned.

    A task that it began and did not wait for may still use the store, as the turn's user.
    """

    turn: Turn
    over: bool = False

    @property
    def caller(self) -> StoreContext:
        """For whom tasks run that outlive the turn, by whose record nothing is written any more."""
        return StoreContext(self.turn.user, context=self.turn.request_context)


CALL: ContextVar[Call | None] = ContextVar("chatkit_sdk_call", default=None)
"""The call in which the author's code runs."""

_CALLS: defaultdict[int, list[Call]] = defaultdict(list)
"""The calls that have not returned, by the `id` of the author's context that they were given."""


def begin(turn: Turn) -> Call:
    """Begin a call for a turn."""
    call = Call(turn)
    _CALLS[id(turn.request_context)].append(call)
    return call


def end(call: Call) -> None:
    """Say that a call has returned."""
    call.over = True
    key = id(call.turn.request_context)
    _CALLS[key].remove(call)
    if not _CALLS[key]:
        del _CALLS[key]


def call_with(context: Any) -> Call | None:
    """Return the call for which code works that was given this context.

    That is the one in which it runs. But a task that a call has begun may work for later ones, too,
    as one that takes jobs from a queue does: it is known by the context of the job, unless several
    calls have the same.
    """
    own = CALL.get()
    if isinstance(context, _CONSTANTS) or (own is None and CALLER.get() is not None):
        return own
    if own is not None and context is own.turn.request_context:
        return own
    calls = _CALLS.get(id(context), [])
    return calls[0] if len(calls) == 1 else own


_CONSTANTS = (str, bytes, int, float, tuple, frozenset, type(None))
"""What may be the same object in code that has nothing to do with each other."""

CALLER: ContextVar[StoreContext | None] = ContextVar("chatkit_sdk_caller", default=None)
"""For whom the author's code runs outside a turn."""

NOTHING = object()
"""Stands for a context of the author's that is None: for this server, None is no context."""


def wrapped(context: Any) -> Any:
    """Return a context of the author's as this server keeps it."""
    return NOTHING if context is None else context


def unwrapped(context: Any) -> Any:
    """Return what this server keeps as the author's context."""
    return None if context is NOTHING else context
