"""Where a plugin comes from: its file, its package, and the version of that."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions, version
from types import ModuleType


@dataclass(frozen=True)
class Origin:
    """`package` and `version` are None for a file in a plugin folder."""

    file: str
    package: str | None = None
    version: str | None = None


def origin_of(plugin: object) -> Origin:
    """Return where the module or the class of a plugin was found."""
    module = plugin if isinstance(plugin, ModuleType) else inspect.getmodule(type(plugin))
    name = "" if module is None else module.__name__
    file = getattr(module, "__file__", None) or name
    for package in packages().get(name.partition(".")[0], ()):
        return Origin(file, package, version(package))
    return Origin(file)


@cache
def packages() -> dict[str, list[str]]:
    """Return the distributions by the top module that they install: to look takes a while."""
    return {name: list(found) for name, found in packages_distributions().items()}
