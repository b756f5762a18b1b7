"""What a contract asks in one test, and how a failure is told."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import pytest
from chatkit.types import WidgetItem
from pydantic import BaseModel

from ...plugin.mistakes import described
from ..running import Unfinished

PATIENCE = 10.0
"""Seconds that a test may take. A contract's attribute `patience` changes it."""

_HERE = str(Path(__file__).parent)

_LONGEST = 160

_MANY = 20
"""Lists that are longer are not shown."""

P = ParamSpec("P")
T = TypeVar("T")

Test = Callable[P, Awaitable[None]]


class Broken(Exception):
    """A contract is broken. Its text says what came, in place of what."""


def claim(asks: str, why: str) -> Callable[[Test[P]], Test[P]]:
    """Have a test say, where it fails, what the contract asks, why, and what came.

    The sentence is "{asks}, because {why}; but {what came}". An exception of the code under test
    comes with its traceback.
    """

    def decorate(test: Test[P]) -> Test[P]:
        @wraps(test)
        async def told(*args: P.args, **kwargs: P.kwargs) -> None:
            came = await _broken(test(*args, **kwargs), getattr(args[0], "patience", PATIENCE))
            if came is not None:
                pytest.fail(f"{asks}, because {why}; but {came}", pytrace=False)

        return told

    return decorate


async def _broken(test: Awaitable[None], patience: float) -> str | None:
    """Await a test; return what came where it fails, None if it passes."""
    try:
        async with asyncio.timeout(patience) as clock:
            await test
    except Broken as broken:
        return f"{broken}."
    except TimeoutError as error:
        if clock.expired():
            return f"it did not end within {patience:g} s{_waiting(error)}."
        return _raised(error)
    except Unfinished as error:
        return f"{error}."
    except Exception as error:
        return _raised(error)
    return None


def _waiting(error: BaseException) -> str:
    """Return where a test waited that was cancelled, as far as that is known."""
    cancelled = error.__context__ or error
    frames = traceback.extract_tb(cancelled.__traceback__)
    lines = [frame.line for frame in frames if frame.name.startswith("test_") and frame.line]
    return f", but waited at `{lines[-1]}`" if lines else ""


def _raised(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(_HERE)]
    return f"it raised {described(error)}.\n\n{''.join(traceback.format_list(own))}".rstrip()


def holds(condition: object, came: str) -> None:
    """Go on if something is so; else `came` says what is."""
    if not condition:
        raise Broken(came)


def same(came: Any, wanted: Any, call: str) -> None:
    """Go on if a call returned what was wanted. Models are compared by their fields."""
    if isinstance(wanted, BaseModel):
        _same_model(came, wanted, call)
    elif came != wanted:
        if isinstance(came, list) and isinstance(wanted, list) and len(wanted) > _MANY:
            raise Broken(f"{call} returned {_difference(came, wanted)}")
        raise Broken(f"{call} returned {shown(came)}, not {shown(wanted)}")


def _difference(came: list[Any], wanted: list[Any]) -> str:
    missing = [each for each in wanted if each not in came]
    surplus = [each for at, each in enumerate(came) if each in came[:at] or each not in wanted]
    found = []
    if missing:
        found.append(f"{len(missing)} of {len(wanted)} are missing, such as {missing[0]!r}")
    if surplus:
        found.append(f"{len(surplus)} came twice or are others, such as {surplus[0]!r}")
    return f"a list where {' and '.join(found) or 'the order is another'}"


def _same_model(came: Any, wanted: BaseModel, call: str) -> None:
    kind = type(wanted).__name__
    if not isinstance(came, BaseModel):
        raise Broken(f"{call} returned {shown(came)}, not a {kind}")
    was, is_now = fields(wanted), fields(came)
    for name, value in was.items():
        if name not in is_now:
            raise Broken(f"{call} returned a {type(came).__name__} without `{name}`")
        if is_now[name] != value:
            got = shown(is_now[name])
            raise Broken(f"{call} returned a {kind} with `{name}` {got}, not {shown(value)}")


def fields(model: BaseModel) -> dict[str, Any]:
    """Return the fields of a model, to compare.

    A time without a zone is local, and stores may keep times in milliseconds. A widget is what its
    JSON says: reading that, ChatKit's own types fill in defaults.
    """
    if isinstance(model, WidgetItem):
        model = WidgetItem.model_validate_json(model.model_dump_json())
    values = model.model_dump()
    created = getattr(model, "created_at", None)
    if created is not None:
        values["created_at"] = round(created.timestamp() * 1000)
    return values


def shown(value: object) -> str:
    """Return a value as text that fits into a sentence."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


async def returns(call: Awaitable[Any], wanted: Any, what: str) -> None:
    """Go on if a call returns what was wanted; `what` names the call."""
    try:
        came = await call
    except Exception as error:
        raise Broken(f"{what} raised {described(error)}") from error
    same(came, wanted, what)


async def raises(kind: type[Exception], call: Awaitable[object], what: str) -> None:
    """Go on if a call raises this kind of error; `what` names the call."""
    try:
        came = await call
    except kind:
        return
    except Exception as error:
        raise Broken(f"{what} raised {described(error)}, not {kind.__name__}") from error
    raise Broken(f"{what} returned {shown(came)}, and did not raise {kind.__name__}")


async def may_raise(kinds: tuple[type[Exception], ...], call: Awaitable[T]) -> T | None:
    """Await a call that may raise such an error; return None then."""
    try:
        return await call
    except kinds:
        return None
