"""What every plugin imports. `chatkit_server.models` and `chatkit_server.storage` have the rest.

The folders behind it are private: they may change with each version.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    BadRequest,
    Conflict,
    EndTurn,
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
from .plugin.hookspecs import hookimpl
from .version import API_VERSION
from .words import words, words_n

if TYPE_CHECKING:
    from .agent.pictures import image_for_models
    from .settings.schema import Settings
    from .settings.types import Duration, Size
    from .settings.urls import Url, UrlPath
    from .transcript import transcript
    from .turn import Outcome, StoreContext, ToolCall, ToolResult, Turn, TurnRequest, User
    from .uploads import UploadedFile
    from .user_file import UserFile
    from .web.asgi import AsgiApp, http_scope
    from .web.keys import (
        HOOKS,
        MODELS,
        NAME_USER,
        PAGES,
        SETTINGS,
        STORE,
        authenticate,
        store_context,
    )
    from .web.posting import post_message
    from .web.starting import StartedTurn, TurnResult, start_turn

__version__ = "0.1.0"

# The Agents SDK takes over a second to import; `chatkit-server --help` does without it.
_LAZY = {
    "AsgiApp": "web.asgi",
    "HOOKS": "web.keys",
    "MODELS": "web.keys",
    "MODEL_NAMES": "web.keys",
    "NAME_USER": "web.keys",
    "PAGES": "web.keys",
    "SETTINGS": "web.keys",
    "STORE": "web.keys",
    "StartedTurn": "web.starting",
    "TurnResult": "web.starting",
    "authenticate": "web.keys",
    "post_message": "web.posting",
    "start_turn": "web.starting",
    "http_scope": "web.asgi",
    "image_for_models": "agent.pictures",
    "store_context": "web.keys",
    "UploadedFile": "uploads",
    "UserFile": "user_file",
    "transcript": "transcript",
    "Duration": "settings.types",
    "Settings": "settings.schema",
    "Size": "settings.types",
    "Finding": "finding",
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
    "API_VERSION",
    "HOOKS",
    "MODELS",
    "MODEL_NAMES",
    "NAME_USER",
    "PAGES",
    "SETTINGS",
    "STORE",
    "AsgiApp",
    "BadRequest",
    "Conflict",
    "Duration",
    "EndTurn",
    "Finding",
    "Forbidden",
    "NotFound",
    "Outcome",
    "RequestNeeded",
    "ServerError",
    "Settings",
    "SettingsError",
    "Size",
    "StartedTurn",
    "StoreContext",
    "TooLarge",
    "TooManyRequests",
    "ToolCall",
    "ToolResult",
    "Turn",
    "TurnFailed",
    "TurnRequest",
    "TurnResult",
    "Unauthorized",
    "Unavailable",
    "Unprocessable",
    "UploadedFile",
    "Url",
    "UrlPath",
    "User",
    "UserFile",
    "add_secret",
    "authenticate",
    "hookimpl",
    "http_scope",
    "image_for_models",
    "is_plain",
    "mask_secrets",
    "post_message",
    "start_turn",
    "store_context",
    "transcript",
    "words",
    "words_n",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
