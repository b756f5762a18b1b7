"""Read `settings.yaml` and `CHATKIT_*` variables, and validate them."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..errors import SettingsError
from .problems import Problems, explain, path_of
from .reader import Reader
from .schema import Settings
from .secrets import remember_environment, remember_secrets
from .source import KeyPath, Source, dotted
from .together import without_effect
from .variables import ENV_PREFIX, idle_variables, is_override

PLUGIN_DIRS = ("plugins", "my_plugins")
"""The plugin folders beside the settings file, where it names none; the last one wins."""

M = TypeVar("M", bound=BaseModel)


def load(file: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and validate a settings file; variables come from `environ`.

    Raises `SettingsError` with a line for each problem: the file, the line, the path of the key,
    and what was expected.
    """
    problems = Problems()
    settings = collect_settings(file, problems, environ)
    problems.raise_any()
    return settings


def collect_settings(
    file: Path,
    problems: Problems,
    environ: Mapping[str, str] = os.environ,
    text: str | None = None,
) -> Settings:
    """Do as `load`, but collect what is wrong, and return the settings with the rest.

    `text` is that of the file if it was read before. Raises `SettingsError` for a file that cannot
    be read at all.
    """
    reader = Reader(file, environ, problems)
    data = reader.read(text_of(file) if text is None else text)
    if reader.is_torn:
        # Without its colon, a section is part of the one before
        reader.broken |= {(name,) for name in Settings.model_fields if name not in data}
    used = {name for names in reader.variables.values() for name in names.split(", ")}
    problems.warnings += idle_variables(environ, used, Settings, data)
    overrides = _override(data, environ, problems)
    remember_secrets(_without_own_names(data))
    remember_environment(environ)
    source = Source(file, reader.lines, reader.variables, overrides, reader.broken)
    settings = _valid_settings(data, source, problems)
    if "plugin_dirs" in data:
        directories = [file.parent / directory for directory in settings.plugin_dirs]
    else:
        directories = [d for d in (file.parent / name for name in PLUGIN_DIRS) if d.is_dir()]
    loaded = settings.model_copy(update={"plugin_dirs": directories})
    loaded._source = source
    problems.warnings += without_effect(loaded)
    return loaded


def validate(model: type[M], data: Mapping[str, Any], source: Source, base: KeyPath = ()) -> M:
    """Validate the section at `base` against its model.

    Unknown keys are refused, except where the model says `extra` itself. Raises `SettingsError`
    with one line for each thing that is wrong.
    """
    try:
        return model.model_validate(data, extra=model.model_config.get("extra", "forbid"))
    except ValidationError as error:
        lines = [line for _, line in _explained(error, model, data, source, base)]
        raise SettingsError("\n".join(dict.fromkeys(lines))) from None


def _without_own_names(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data without the names of agents and guardrails: `passwords` has no password."""
    named = {key: data[key] for key in ("agents", "guardrails") if isinstance(data.get(key), dict)}
    return {**data, **{key: list(section.values()) for key, section in named.items()}}


def text_of(file: Path) -> str:
    """Return the text of a settings file. Raises `SettingsError`."""
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"{file.absolute()}: no such file. Name the settings with --settings FILE, run the "
            "command in the folder of settings.yaml, or write one with `chatkit-server init`"
        ) from None
    except IsADirectoryError:
        raise SettingsError(f"{file}: this is a folder. Name the file in it") from None
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{file}: not UTF-8, from byte {error.start + 1} on. Save the file as UTF-8"
        ) from None
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror or error}") from None


def _explained(
    error: ValidationError,
    model: type[BaseModel],
    data: Mapping[str, Any],
    source: Source,
    base: KeyPath,
) -> Iterator[tuple[KeyPath, str]]:
    """Yield the path of each key that is wrong, and a line about it."""
    for problem in error.errors():
        path = path_of(problem, data)
        if not source.is_broken((*base, *path)):
            yield path, explain(problem, model, (*base, *path), source)


def _valid_settings(data: dict[str, Any], source: Source, problems: Problems) -> Settings:
    """Validate the settings; keys that are wrong are reported, and get their defaults."""
    given = copy.deepcopy(data)
    for path in source.broken:
        _remove(given, path)
    while True:
        try:
            return Settings.model_validate(given)
        except ValidationError as error:
            wrong = [path_of(problem, given) for problem in error.errors()]
            for path, line in list(_explained(error, Settings, given, source, ())):
                problems.lines.append(line)
                source.broken.add(path)
            if not any(_remove(given, path) for path in wrong):
                return Settings()


def _remove(data: Any, path: KeyPath) -> bool:
    """Remove the key at `path`, or the list that it is in; return whether it was there."""
    end = next((i for i, part in enumerate(path) if isinstance(part, int)), len(path))
    if end == 0:
        return False
    *sections, key = path[:end]
    for part in sections:
        data = data.get(part) if isinstance(data, dict) else None
    if not isinstance(data, dict) or key not in data:
        return False
    del data[key]
    return True


def _override(
    data: dict[str, Any], environ: Mapping[str, str], problems: Problems
) -> dict[KeyPath, str]:
    """Put `CHATKIT_SERVER__PORT=9000` and the like into the data read from the file.

    Returns the variable's name for each key it gave, the sections it made included.
    """
    given: dict[KeyPath, str] = {}
    for variable in sorted(environ):
        keys = tuple(variable.removeprefix(ENV_PREFIX).lower().split("__"))
        if is_override(variable):
            with problems.collect():
                _set(data, keys, variable, environ[variable] or None, given)
    return given


def _set(
    data: dict[str, Any],
    keys: tuple[str, ...],
    variable: str,
    value: str | None,
    given: dict[KeyPath, str],
) -> None:
    section: Any = data
    for depth, key in enumerate(keys[:-1], 1):
        if key not in section:
            given[keys[:depth]] = variable
        if section.get(key) is None:
            section[key] = {}
        section = section[key]
        if not isinstance(section, dict):
            raise SettingsError(f"{variable}: `{dotted(keys[:depth])}` is not a section")
    section[keys[-1]] = value
    given[keys] = variable
