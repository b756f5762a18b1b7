"""What every plugin imports. `chatkit_server.models` and `chatkit_server.storage` have the rest.

The folders behind it are private: they may change with each version.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    RequestNeeded,
    ServerError,
    SettingsError,
    TooLarge,
    TooManyRequests,
    TurnFailed,
    Unauthorized,
    Unavailable,
    Unprocessable,
)
from .lines import is_plain
from .masking import add_secret, mask_secrets
from .plugin.commands import Command
from .plugin.hookspecs import hookimpl

if TYPE_CHECKING:
    from .settings.schema import Settings
    from .settings.types import Duration, Size
    from .settings.urls import Url, UrlPath
    from .turn import Outcome, StoreContext, ToolCall, ToolResult, Turn, TurnRequest, User
    from .web.asgi import AsgiApp, http_scope
    from .web.keys import HOOKS, MODELS, NAME_USER, SETTINGS, STORE, authenticate

__version__ = "0.1.0"

# The Agents SDK takes over a second to import; `chatkit-server --help` does without it.
_LAZY = {
    "AsgiApp": "web.asgi",
    "HOOKS": "web.keys",
    "MODELS": "web.keys",
    "NAME_USER": "web.keys",
    "SETTINGS": "web.keys",
    "STORE": "web.keys",
    "authenticate": "web.keys",
    "http_scope": "web.asgi",
    "Duration": "settings.types",
    "Settings": "settings.schema",
    "Size": "settings.types",
    "Outcome": "turn",
    "StoreContext": "turn",
    "ToolCall": "turn",
    "ToolResult": "turn",
    "Turn": "turn",
    "TurnRequest": "turn",
    "Url": "settings.urls",
    "UrlPath": "settings.urls",
    "User": "turn",
}

__all__ = [
    "HOOKS",
    "MODELS",
    "NAME_USER",
    "SETTINGS",
    "STORE",
    "AsgiApp",
    "BadRequest",
    "Command",
    "Conflict",
    "Duration",
    "Forbidden",
    "NotFound",
    "Outcome",
    "RequestNeeded",
    "ServerError",
    "Settings",
    "SettingsError",
    "Size",
    "StoreContext",
    "TooLarge",
    "TooManyRequests",
    "ToolCall",
    "ToolResult",
    "Turn",
    "TurnFailed",
    "TurnRequest",
    "Unauthorized",
    "Unavailable",
    "Unprocessable",
    "Url",
    "UrlPath",
    "User",
    "add_secret",
    "authenticate",
    "hookimpl",
    "http_scope",
    "is_plain",
    "mask_secrets",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
