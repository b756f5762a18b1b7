"""Turns that turn stores are tried with, and how their records are compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from ...turn import User
from ...turns.store import HeartbeatReply, TurnRecord, TurnState
from .claims import holds, same

ANN = User("ann", "acme")
STRANGERS = (User("bob", "acme"), User("ann", "umbrella"), User("ann"))
ODD_IDS = ("", "absent", "nul\0", "half \ud83e", "x" * 5000, "'\"; -- $1 ?1")
ENDINGS: tuple[TurnState, ...] = tuple(
    state for state in get_args(TurnState) if state not in ("accepted", "running")
)

PARTIAL = '{"text": "Grüße \\u0000 \\ud83e"}'.encode()


def record(turn_id: str = "turn_1", thread_id: str = "thr_1", **rest: Any) -> TurnRecord:
    """Return the record of a new turn of Ann's."""
    given: dict[str, Any] = {"user": ANN, "operation": "threads.create", "model": "test/model"}
    return TurnRecord(turn_id, thread_id, **{**given, **rest})


def same_turn(came: TurnRecord | None, wanted: TurnRecord, call: str) -> None:
    """Compare records by what a store has to keep of them."""
    holds(isinstance(came, TurnRecord), f"{call} returned {came!r}, not the turn {wanted.id!r}")
    assert came is not None  # For type checkers
    for name in TurnRecord.__slots__:
        kept, value = getattr(came, name), getattr(wanted, name)
        if name == "user":
            kept, value = (kept.tenant, kept.id), (value.tenant, value.id)
        elif name == "beside" and wanted.state != "running":
            continue
        same(kept, value, f"the `{name}` of the turn that {call}")


def same_replies(came: Mapping[str, HeartbeatReply], wanted: Mapping[str, HeartbeatReply]) -> None:
    """Compare what `beat` says."""
    same(dict(came), dict(wanted), "beat")


def user_name(user: User) -> str:
    """Return a user as text."""
    return f"User({user.id!r}, tenant={user.tenant!r})"
