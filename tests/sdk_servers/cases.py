"""The backends, with their conversations."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from fastapi import FastAPI

from . import conversations
from .differences import (
    ERROR_LAST,
    IDS,
    IN_WORDS,
    LISTS,
    NOT_OPEN,
    OWN_IDS,
    PARTIAL,
    REFUSED,
    TIMES,
    Difference,
)
from .official import official_app
from .page import Page

_BACKENDS = f"{__package__}.backends"


@dataclass(frozen=True)
class Case:
    """A backend: where its parts are, as the settings name them, and what is said to it.

    With `has_models`, it finds its models by itself, and this server's settings name none. With
    `database`, `store: ours` is one, and not in memory.
    """

    name: str
    talk: Callable[[Page], Awaitable[None]]
    server: str
    stores: tuple[str, ...] = ("theirs",)
    differences: tuple[Difference, ...] = ()
    context: str | None = None
    app: str | None = None
    has_models: bool = False
    database: bool = False

    @property
    def shows(self) -> str:
        """What is special about the backend, in its own words."""
        package = import_module(f"{_BACKENDS}.{self.name}")
        return inspect.cleandoc(package.__doc__ or "")

    def path(self, name: str) -> str:
        """Return the whole path of an object of the backend."""
        return f"{_BACKENDS}.{self.name}.{name}"

    def official_app(self) -> FastAPI:
        """Return the application of the official side."""
        self.forget()
        if self.app is not None:
            app: FastAPI = self._load(self.app)
            return app
        return official_app(self._load(self.server)(), lambda request: {"request": request})

    def settings(self, store: str) -> dict[str, Any]:
        """Return the plugin's settings."""
        self.forget()
        parts = {"server": self.server, "context": self.context, "app": self.app}
        named = {key: self.path(name) for key, name in parts.items() if name is not None}
        return {**named, "store": store}

    def forget(self) -> None:
        """Have the backend imported anew, without what an earlier run left in it."""
        package = f"{_BACKENDS}.{self.name}"
        for name in [n for n in sys.modules if f"{n}.".startswith(f"{package}.")]:
            del sys.modules[name]

    def _load(self, name: str) -> Any:
        module, _, attribute = self.path(name).partition(":")
        return getattr(import_module(module), attribute)


_BOTH = ("theirs", "ours")
CASES = (
    Case("pantry", conversations.pantry, "server:create_chatkit_server", differences=(TIMES, IDS)),
    Case("desk", conversations.desk, "server:DeskServer", _BOTH, (TIMES, IDS)),
    Case("atlas", conversations.atlas, "server:AtlasServer", _BOTH, (TIMES, IDS, LISTS)),
    Case(
        "darkroom",
        conversations.darkroom,
        "main:server",
        differences=(TIMES, IDS, REFUSED),
        app="main:app",
        has_models=True,
    ),
    Case(
        "helpline",
        conversations.helpline,
        "server:HelplineServer",
        _BOTH,
        (TIMES, IDS, LISTS, NOT_OPEN),
    ),
    Case("menu", conversations.menu, "server:MenuServer", _BOTH, (TIMES, IDS, LISTS)),
    Case("ledger", conversations.ledger, "server:LedgerServer", differences=(TIMES, LISTS)),
    Case(
        "guarded",
        conversations.guarded,
        "server:GuardedServer",
        _BOTH,
        (TIMES, IDS, REFUSED, IN_WORDS, ERROR_LAST),
    ),
    Case("studio", conversations.studio, "server:StudioServer", _BOTH, (TIMES, IDS)),
    Case("steps", conversations.steps, "server:StepsServer", _BOTH, (TIMES, IDS)),
    Case(
        "tenants",
        conversations.tenants,
        "main:server",
        differences=(TIMES, REFUSED),
        context="context:get_context",
        app="main:app",
    ),
    Case(
        "bare", conversations.bare, "server:create_server", _BOTH, (TIMES, IDS, REFUSED, IN_WORDS)
    ),
    Case(
        "gateway",
        conversations.gateway,
        "server:GatewayServer",
        _BOTH,
        (TIMES, IDS, LISTS, OWN_IDS),
        has_models=True,
    ),
    Case("memo", conversations.memo, "server:MemoServer", _BOTH, (TIMES, IDS), database=True),
    Case(
        "parrot",
        conversations.parrot,
        "server:ParrotServer",
        _BOTH,
        (TIMES, IDS, LISTS, IN_WORDS, PARTIAL),
    ),
)
