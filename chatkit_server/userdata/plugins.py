"""What plugins hold of a user, by their hooks."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..errors import RequestNeeded, ServerError, SettingsError
from ..masking import mask_secrets
from ..plugin.answers import wrong_answer
from ..plugin.calls import Hooks
from ..turn import User
from ..user_file import UserFile

Held = Mapping[str, Any] | UserFile


def exporting(
    hooks: Hooks, user: User, only: str | None = None
) -> Iterator[tuple[str, AsyncIterator[Held]]]:
    """Yield each plugin that can export, or `only` this one, and what it holds of the user."""
    for plugin, call in hooks.calls("export", user=user):
        if only in (None, plugin):
            yield plugin, _held(call())


async def _held(answer: Any) -> AsyncIterator[Held]:
    """Yield what a hook `export` has returned, or yields."""
    found = await answer if inspect.isawaitable(answer) else answer
    if wrong := wrong_answer("export", found):
        raise TypeError(wrong)
    if not hasattr(found, "__aiter__"):
        if found is not None:
            yield found
        return
    async for part in found:
        if not isinstance(part, Mapping | UserFile):
            raise TypeError(f"yielded a {type(part).__name__}, expected a dict or a UserFile")
        yield part


def erasing(
    hooks: Hooks, user: User, only: str | None = None
) -> Iterator[tuple[str, Awaitable[Mapping[str, int]]]]:
    """Yield each plugin that can erase, or `only` this one, and what does it, with the counts."""
    for plugin, call in hooks.calls("erase", user=user):
        if only in (None, plugin):
            yield plugin, _erased(call())


async def _erased(answer: Any) -> Mapping[str, int]:
    found = await answer
    if wrong := wrong_answer("erase", found):
        raise TypeError(wrong)
    return found or {}


class Failures(dict[str, str]):
    """Which parts have failed, and why: the others go on."""

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Note an error of a part, in place of raising it."""
        try:
            yield
        except Exception as error:
            self[part] = reason(error)


def reason(error: Exception) -> str:
    """Return what an operator is told of an error."""
    if isinstance(error, RequestNeeded):
        return "this store works for requests of signed-in users alone: use its own tools"
    known = isinstance(error, ServerError | SettingsError)
    text = str(error) if known else f"{type(error).__name__}: {error}"
    return mask_secrets(text)
