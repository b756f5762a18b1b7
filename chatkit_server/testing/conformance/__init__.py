"""What every store, event log and plugin has to do, as tests that authors run.

Subclass a contract in your tests, and give it a fixture that returns a new, empty one:

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self) -> Store[StoreContext]:
            return MyStore()

- `StoreContract`: the fixture `store`, a `chatkit.store.Store`.
- `TurnStoreContract`: `turn_store`, a `TurnStore`.
- `EventLogContract`: `event_log`, a function that makes the `EventLog` of one more process.
- `AttachmentStoreContract`: `attachment_store`, a `chatkit.store.AttachmentStore`.
- `PluginContract`: `plugin`, an object, a class, a module, or the name of a plugin.

A test that fails says in a sentence what the contract asks, why, and what came.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .attachment_stores import AttachmentStoreContract
    from .event_logs import EventLogContract
    from .plugins import PluginContract
    from .stores import StoreContract
    from .turn_stores import TurnStoreContract

_LAZY = {
    "AttachmentStoreContract": "attachment_stores",
    "EventLogContract": "event_logs",
    "PluginContract": "plugins",
    "StoreContract": "stores",
    "TurnStoreContract": "turn_stores",
}

__all__ = [
    "AttachmentStoreContract",
    "EventLogContract",
    "PluginContract",
    "StoreContract",
    "TurnStoreContract",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
