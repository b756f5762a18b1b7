"""Ids of threads and items: a store may make its own, which are used then, and checked."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from chatkit.store import Store, StoreItemType
from chatkit.types import ThreadMetadata

from .ids import MAX_ID_LENGTH, is_id, new_id

PREFIXES: Mapping[StoreItemType, str] = {
    "thread": "thr",
    "message": "msg",
    "tool_call": "tc",
    "task": "tsk",
    "workflow": "wf",
    "attachment": "atc",
    "sdk_hidden_context": "shcx",
}


def new_thread_id(store: Store[Any], context: Any) -> str:
    """Return an id for a new thread: the store's own, if its class makes ids.

    Raises `TypeError` or `ValueError` that names the store if that is no id.
    """
    if _is_stock(store, "generate_thread_id"):
        return new_id(PREFIXES["thread"])
    return checked_new_id(store.generate_thread_id(context), store, "generate_thread_id")


def new_item_id(
    store: Store[Any], kind: StoreItemType, thread: ThreadMetadata, context: Any
) -> str:
    """Return an id for something new in a thread, as `new_thread_id` does."""
    if _is_stock(store, "generate_item_id"):
        return new_id(PREFIXES[kind])
    made = store.generate_item_id(kind, thread, context)
    return checked_new_id(made, store, "generate_item_id")


def _is_stock(store: Store[Any], method: str) -> bool:
    """Whether a store has ChatKit's own method, whose ids have 32 random bits."""
    return getattr(getattr(store, method), "__func__", None) is getattr(Store, method)


def checked_new_id(made: Any, maker: object, method: str) -> str:
    """Return an id that a store has made. Raises an error that names it for what is no id."""
    where = f"{type(maker).__name__}.{method} returned"
    if not isinstance(made, str):
        if inspect.iscoroutine(made):
            made.close()
            raise TypeError(f"{where} a coroutine: write `def`, it must not be async")
        raise TypeError(f"{where} {made!r:.40}, expected a str")
    if not made or not is_id(made):
        raise ValueError(
            f"{where} {made[:40]!r}: an id has 1 to {MAX_ID_LENGTH} printable characters"
        )
    return made
