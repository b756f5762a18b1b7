"""Read `settings.yaml` and `CHATKIT_*` variables, and validate them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import (
    BaseModel,
    ValidationError,
)

from ..errors import SettingsError
from .problems import explain
from .reader import Reader
from .schema import Settings
from .source import KeyPath, Source, dotted

ENV_PREFIX = "CHATKIT_"

M = TypeVar("M", bound=BaseModel)


def load(file: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and validate a settings file; variables come from `environ`.

    Raises `SettingsError` with the file, the line, the path of the key, and what was expected.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"{file.absolute()}: no such file. Pass the settings with --settings FILE, or run "
            "where settings.yaml is."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read: {error}") from None
    reader = Reader(file, environ)
    data = reader.read(text)
    source = Source(file, reader.lines, reader.variables, _override(data, environ))
    settings = validate(Settings, data, source)
    if "plugin_dirs" in data:
        directories = [file.parent / directory for directory in settings.plugin_dirs]
    else:
        directories = [d for d in (file.parent / "my_plugins",) if d.is_dir()]
    loaded = settings.model_copy(update={"plugin_dirs": directories})
    loaded._source = source
    return loaded


def validate(model: type[M], data: Mapping[str, Any], source: Source, base: KeyPath = ()) -> M:
    """Validate the section at `base` against its model.

    Unknown keys are refused, except where the model says `extra` itself. Raises `SettingsError`
    with one line for each thing that is wrong.
    """
    try:
        return model.model_validate(data, extra=model.model_config.get("extra", "forbid"))
    except ValidationError as error:
        problems = [explain(problem, model, data, source, base) for problem in error.errors()]
        raise SettingsError("\n".join(dict.fromkeys(problems))) from None


def _override(data: dict[str, Any], environ: Mapping[str, str]) -> dict[KeyPath, str]:
    """Put `CHATKIT_SERVER__PORT=9000` and the like into the data read from the file.

    Returns the variable's name for each key it gave, the sections it made included.
    """
    given: dict[KeyPath, str] = {}
    for variable in sorted(environ):
        keys = variable.removeprefix(ENV_PREFIX).lower().split("__")
        if not variable.startswith(ENV_PREFIX) or len(keys) < 2:
            continue
        section: Any = data
        for depth, key in enumerate(keys[:-1], 1):
            if key not in section:
                given[tuple(keys[:depth])] = variable
            if section.get(key) is None:
                section[key] = {}
            section = section[key]
            if not isinstance(section, dict):
                raise SettingsError(f"{variable}: `{dotted(tuple(keys[:depth]))}` is no section")
        section[keys[-1]] = environ[variable] or None
        given[tuple(keys)] = variable
    return given
