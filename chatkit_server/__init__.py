"""What a plugin imports."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    ServerError,
    SettingsError,
    TakenOver,
    TooLarge,
    TooManyRequests,
    TurnFailed,
    Unauthorized,
    Unavailable,
    Unprocessable,
)
from .hookspecs import hookimpl

if TYPE_CHECKING:
    from .direct import DirectModel, Out, ShortCut
    from .keys import HOOKS, SETTINGS, STORE, authenticate
    from .settings import Duration, Settings, Size
    from .timeouts import ModelTimeouts, Pieces, Watch
    from .turn import Outcome, StoreContext, ToolCall, ToolResult, Turn, User
    from .turn_store import Beat, MemoryTurnStore, Pulse, State, TurnRecord, TurnStore

__version__ = "0.1.0"

# The Agents SDK takes over a second to import; `chatkit-server --help` does without it.
_LAZY = {
    "DirectModel": "direct",
    "Out": "direct",
    "ShortCut": "direct",
    "HOOKS": "keys",
    "SETTINGS": "keys",
    "STORE": "keys",
    "authenticate": "keys",
    "Duration": "settings",
    "Settings": "settings",
    "Size": "settings",
    "ModelTimeouts": "timeouts",
    "Pieces": "timeouts",
    "Watch": "timeouts",
    "Beat": "turn_store",
    "MemoryTurnStore": "turn_store",
    "Pulse": "turn_store",
    "State": "turn_store",
    "TurnRecord": "turn_store",
    "TurnStore": "turn_store",
    "Outcome": "turn",
    "StoreContext": "turn",
    "ToolCall": "turn",
    "ToolResult": "turn",
    "Turn": "turn",
    "User": "turn",
}

__all__ = [
    "HOOKS",
    "SETTINGS",
    "STORE",
    "BadRequest",
    "Beat",
    "Conflict",
    "DirectModel",
    "Duration",
    "Forbidden",
    "MemoryTurnStore",
    "ModelTimeouts",
    "NotFound",
    "Out",
    "Outcome",
    "Pieces",
    "Pulse",
    "ServerError",
    "Settings",
    "SettingsError",
    "ShortCut",
    "Size",
    "State",
    "StoreContext",
    "TakenOver",
    "TooLarge",
    "TooManyRequests",
    "ToolCall",
    "ToolResult",
    "Turn",
    "TurnFailed",
    "TurnRecord",
    "TurnStore",
    "Unauthorized",
    "Unavailable",
    "Unprocessable",
    "User",
    "Watch",
    "authenticate",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value
    return value
