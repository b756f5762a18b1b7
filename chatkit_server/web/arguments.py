"""What plugins give to functions of the server: mistakes in their code, told as such."""

from __future__ import annotations

from typing import get_args

from chatkit.types import ThreadItem, UserMessageInput

from ..turn import User

_ITEMS = get_args(get_args(ThreadItem)[0])

_USER = "expected a chatkit_server.User, such as `turn.user` in a hook"


def require_user(function: str, user: object) -> None:
    """Raise `TypeError` if this is no user."""
    _require(isinstance(user, User), function, "user", user, _USER)


def require_thread_id(function: str, thread_id: object) -> None:
    """Raise `TypeError` if this is no text."""
    expected = "expected the id of a conversation as a str"
    _require(isinstance(thread_id, str), function, "thread_id", thread_id, expected)


def require_message(function: str, message: object) -> None:
    """Raise `TypeError` if this is neither a text nor what a user can write."""
    expected = "expected a str, or a chatkit.types.UserMessageInput"
    is_known = isinstance(message, str | UserMessageInput)
    _require(is_known, function, "message", message, expected)


def require_item(function: str, item: object) -> None:
    """Raise `TypeError` if this is neither a text nor an item of a thread."""
    expected = "expected a str, or an item of chatkit.types such as AssistantMessageItem"
    _require(isinstance(item, (str, *_ITEMS)), function, "item", item, expected)


def require_text(function: str, name: str, value: object) -> None:
    """Raise `TypeError` if this is neither a text nor None."""
    _require(value is None or isinstance(value, str), function, name, value, "expected a str")


def _require(is_known: bool, function: str, name: str, value: object, expected: str) -> None:
    if not is_known:
        raise TypeError(f"{function}: {name} is of the type {type(value).__name__}, {expected}")
