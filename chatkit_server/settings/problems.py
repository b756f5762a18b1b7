"""What pydantic finds wrong becomes one line: where, what was expected, the nearest known name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from ..errors import SettingsError
from .source import KeyPath, Source

_SECRET = re.compile(
    r"key|secret|token|pass|pwd|authorization|headers|cookie|credential|salt|url|dsn",
    re.IGNORECASE,
)


class Problems:
    """Collects what is wrong, so that all of it is reported at once.

    `warnings` keep nothing from starting.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.warnings: list[str] = []

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Keep the lines of a `SettingsError` that the block raises, and go on after it."""
        try:
            yield
        except SettingsError as error:
            self.lines += str(error).splitlines()

    def raise_any(self) -> None:
        """Raise one `SettingsError` with everything that was collected, if anything was."""
        if self.lines:
            raise SettingsError("\n".join(dict.fromkeys(self.lines)))


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint at the known name that looks most like `name`, or an empty string."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean `{matches[0]}`?" if matches else ""


def path_of(problem: ErrorDetails, data: Mapping[str, Any]) -> KeyPath:
    """Return the path of the key that a problem is about, within `data`.

    It has no names of types, which pydantic adds for unions.
    """
    location, missing = problem["loc"], problem["type"] == "missing"
    value: Any = data
    path: list[str | int] = []
    for position, part in enumerate(location, 1):
        keys = range(len(value)) if isinstance(value, list) else value
        if isinstance(keys, Mapping | range) and part in keys:
            value = value[part]
        elif not (missing and position == len(location)):
            continue
        path.append(part)
    return tuple(path)


def explain(problem: ErrorDetails, model: type[BaseModel], path: KeyPath, source: Source) -> str:
    """Return one line about a problem of the key at `path`, which is in a section of `model`."""
    kind, location, given = problem["type"], problem["loc"], problem["input"]
    where = source.where(path)
    if kind == "extra_forbidden":
        known = _fields_at(model, location[:-1])
        hint = nearest(str(location[-1]), known)
        return f"{where}: unknown key.{hint} Known here: {', '.join(sorted(known))}"
    if kind == "missing":
        return f"{where}: this key is required"
    if kind in ("dict_type", "model_type"):
        dash = " Write `name:` without a dash before it" if isinstance(given, list) else ""
        return f"{where}: expected a section with keys{', and not a list.' if dash else ''}{dash}"
    message = problem["msg"].removeprefix("Value error, ")
    if kind == "string_type" and isinstance(given, bool | int | float):
        return f"{where}: {message}{_shown(given, path, source)}. Put it in quotes"
    told, question, meant = message.partition(". Did you mean")
    return f"{where}: {told}{_shown(given, path, source)}{question}{meant}"


def _shown(given: Any, path: KeyPath, source: Source) -> str:
    """Return what was given instead, unless it may be a secret."""
    starts = [path[:end] for end in range(len(path), 0, -1)]
    if any(start in source.overrides for start in starts):
        return ", but the variable is empty" if given is None else ""
    for start in starts:
        if start in source.variables:
            return f" (the value comes from the variable {source.variables[start]})"
    if given is None:
        return ", but it is empty"
    secret = any(_SECRET.search(str(part)) for part in path)
    if secret or not isinstance(given, str | int | float | bool):
        return ""
    return f", not {given!r}"


def _fields_at(model: type[BaseModel], location: KeyPath) -> list[str]:
    """Return the names of the keys that the models at `location` take."""
    models = [model]
    for part in location:
        named = [f for m in models for n, f in m.model_fields.items() if part in (n, f.alias)]
        if named:
            models = [inner for f in named for inner in _models_in(f.annotation)]
        else:
            models = [m for m in models if m.__name__ == part] or models
    names = [f.alias or name for m in models for name, f in m.model_fields.items()]
    return list(dict.fromkeys(names))


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
