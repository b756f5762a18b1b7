"""This server's store, for the author's code."""

from __future__ import annotations

import logging
from typing import Any

from chatkit.store import Store
from chatkit.types import Page, ThreadMetadata

from chatkit_server import StoreContext
from chatkit_server.storage import StoreView, in_local_time

from .arguments import by_sdks_names, in_sdk
from .calls import CALLER, call_with

log = logging.getLogger(__name__)


def _async(name: str) -> Any:
    known = in_sdk(name)

    async def method(self: OurStore, *args: Any, **kwargs: Any) -> Any:
        replaced = getattr(self.replaced, name, None)
        given = None if replaced is None else by_sdks_names(known, replaced, args, kwargs)
        if given is not None:
            args, kwargs = (), given
        return _as_in_sdk(await getattr(self.view(*args, **kwargs), name)(*args, **kwargs))

    return method


def _as_in_sdk(answer: Any) -> Any:
    if isinstance(answer, Page):
        return answer.model_copy(update={"data": [in_local_time(one) for one in answer.data]})
    return in_local_time(answer) if hasattr(answer, "created_at") else answer


def _sync(name: str) -> Any:
    def method(self: OurStore, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.view(*args, **kwargs), name)(*args, **kwargs)

    return method


class OurStore(Store[Any]):
    """This server's store for the author's code, for the user for whom that runs.

    Its methods take the author's context, and are called as those of the author's own store that is
    `replaced`, with its names for arguments and its defaults.
    """

    def __init__(self) -> None:
        self._store: Store[StoreContext] | None = None
        self.replaced: Store[Any] | None = None

    def replace(self, store: Store[Any]) -> None:
        """Stand in for a store of the author's, and warn of what only that one can do."""
        self.replaced = store
        own = [
            name
            for name in dir(type(store))
            if not name.startswith("_") and not hasattr(Store, name)
        ]
        if own:
            names = ", ".join(f"`{name}`" for name in own)
            what = "`store: ours` has no"
            log.warning("chatkit_sdk: %s %s of %s", what, names, type(store).__name__)

    def connect(self, store: Store[StoreContext]) -> None:
        """Use this store from now on."""
        self._store = store

    def view(self, *args: Any, **kwargs: Any) -> Store[Any]:
        """Return the store as the code may see it that calls a method with these arguments."""
        context = kwargs["context"] if "context" in kwargs else args[-1] if args else None
        call, caller = call_with(context), CALLER.get()
        if call is not None and not call.over:
            return call.turn.store
        if call is not None:
            caller = call.caller
        if self._store is None or caller is None:
            raise RuntimeError(
                "chatkit_sdk: `store: ours` finds no user here. It works in the methods of your "
                "server, and in routes of `app` whose request an `auth` plugin accepts"
            )
        return StoreView(self._store, caller)

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        """Save a thread, unless it was deleted: a task may save it long after its turn."""
        call, view = call_with(context), self.view(context)
        if call is not None and call.over and call.turn.thread.id == thread.id:
            await view.load_thread(thread.id, context)
        await view.save_thread(thread, context)

    generate_thread_id = _sync("generate_thread_id")
    generate_item_id = _sync("generate_item_id")
    load_thread = _async("load_thread")
    load_threads = _async("load_threads")
    delete_thread = _async("delete_thread")
    load_thread_items = _async("load_thread_items")
    add_thread_item = _async("add_thread_item")
    save_item = _async("save_item")
    load_item = _async("load_item")
    delete_thread_item = _async("delete_thread_item")
    save_attachment = _async("save_attachment")
    load_attachment = _async("load_attachment")
    delete_attachment = _async("delete_attachment")
