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
from .plugin.hookspecs import hookimpl

if TYPE_CHECKING:
    from .agent.fast.direct import DirectModel, Out, ShortCut
    from .agent.timeouts import ModelTimeouts, Pieces, Watch
    from .settings.schema import Duration, Settings, Size
    from .turn import Outcome, StoreContext, ToolCall, ToolResult, Turn, User
    from .turns.store import Beat, MemoryTurnStore, Pulse, State, TurnRecord, TurnStore
    from .web.keys import HOOKS, SETTINGS, STORE, authenticate

__version__ = "0.1.0"

# The Agents SDK takes over a second to import; `chatkit-server --help` does without it.
_LAZY = {
    "DirectModel": "agent.fast.direct",
    "Out": "agent.fast.direct",
    "ShortCut": "agent.fast.direct",
    "HOOKS": "web.keys",
    "SETTINGS": "web.keys",
    "STORE": "web.keys",
    "authenticate": "web.keys",
    "Duration": "settings.schema",
    "Settings": "settings.schema",
    "Size": "settings.schema",
    "ModelTimeouts": "agent.timeouts",
    "Pieces": "agent.timeouts",
    "Watch": "agent.timeouts",
    "Beat": "turns.store",
    "MemoryTurnStore": "turns.store",
    "Pulse": "turns.store",
    "State": "turns.store",
    "TurnRecord": "turns.store",
    "TurnStore": "turns.store",
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
