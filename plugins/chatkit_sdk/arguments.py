"""How methods of stores are called: as the SDK does it, whatever the author has named things."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from chatkit.store import Store


def in_sdk(name: str) -> inspect.Signature:
    """Return how the SDK knows a store's method, without `self`."""
    return inspect.signature(getattr(Store, name).__get__(object()))


def by_sdks_names(
    known: inspect.Signature, original: Callable[..., Any], args: Any, kwargs: dict[str, Any]
) -> dict[str, Any] | None:
    """Return a call's arguments by the SDK's names, with the author's defaults.

    None if it has others: only the author's method understands them.
    """
    own = inspect.signature(original)
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in own.parameters.values()):
        own = known
    try:
        bound = own.bind(*args, **kwargs)
    except TypeError:
        return None
    passed = set(bound.arguments)
    bound.apply_defaults()
    # Those that the SDK passes by position may have other names
    renamed = [name for name in known.parameters if name not in own.parameters]
    others = [name for name in own.parameters if name not in known.parameters]
    if len(renamed) > len(others) or passed.intersection(others[len(renamed) :]):
        return None
    names = dict(zip(renamed, others, strict=False))
    return {name: bound.arguments[names.get(name, name)] for name in known.parameters}
