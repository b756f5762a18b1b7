"""The backends, with their conversations."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from fastapi import FastAPI

from . import conversations
from .differences import ERROR_LAST, IN_WORDS, LISTS, NOT_OPEN, REFUSED, Difference
from .official import official_app
from .page import Page

_BACKENDS = f"{__package__}.backends"


@dataclass(frozen=True)
class Case:
    """A backend: where its parts are, as the settings name them, and what is said to it."""

    name: str
    talk: Callable[[Page], Awaitable[None]]
    server: str = "server:create_server"
    context: str | None = None
    app: str | None = None
    stores: tuple[str, ...] = ("theirs",)
    differences: tuple[Difference, ...] = ()

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
    Case("pantry", conversations.pantry, "server:create_chatkit_server"),
    Case("desk", conversations.desk, "server:DeskServer", stores=_BOTH),
    Case("atlas", conversations.atlas, "server:AtlasServer", stores=_BOTH, differences=(LISTS,)),
    Case(
        "darkroom",
        conversations.darkroom,
        "main:server",
        app="main:app",
        differences=(REFUSED,),
    ),
    Case(
        "helpline",
        conversations.helpline,
        "server:HelplineServer",
        stores=_BOTH,
        differences=(NOT_OPEN,),
    ),
    Case("menu", conversations.menu, "server:MenuServer", stores=_BOTH, differences=(LISTS,)),
    Case("ledger", conversations.ledger, "server:LedgerServer", differences=(LISTS,)),
    Case(
        "guarded",
        conversations.guarded,
        "server:GuardedServer",
        stores=_BOTH,
        differences=(REFUSED, IN_WORDS, ERROR_LAST),
    ),
    Case("studio", conversations.studio, "server:StudioServer", stores=_BOTH),
    Case("steps", conversations.steps, "server:StepsServer", stores=_BOTH),
    Case(
        "tenants",
        conversations.tenants,
        "main:server",
        context="context:get_context",
        app="main:app",
        differences=(REFUSED,),
    ),
    Case("parrot", conversations.parrot, "server:ParrotServer", stores=_BOTH, differences=(LISTS,)),
)
