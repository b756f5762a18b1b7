"""The settings as they are in the end, with where each value came from, and without secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, SecretBytes, SecretStr, WithJsonSchema
from pydantic.fields import FieldInfo

from ..masking import mask_secrets
from .secrets import is_hidden
from .source import KeyPath, Source, dotted
from .types import as_written

HIDDEN = "***"
DEFAULT = "default"


@dataclass(frozen=True)
class Value:
    """A value as it would be written, and where it came from: `settings.yaml:9`, a variable."""

    path: KeyPath
    value: Any
    origin: str

    @property
    def key(self) -> str:
        """The path with dots."""
        return dotted(self.path)


def merged(model: BaseModel, source: Source, path: KeyPath = ()) -> Iterator[Value]:
    """Yield the values of a section and of those in it, in their order."""
    fields = type(model).model_fields
    for name, value in model:
        field = fields.get(name)
        key = (field.alias if field else None) or name
        yield from _values(value, (*path, key), field, source)


def _values(value: Any, path: KeyPath, field: FieldInfo | None, source: Source) -> Iterator[Value]:
    if isinstance(value, BaseModel):
        yield from merged(value, source, path)
    elif isinstance(value, Mapping) and any(isinstance(v, BaseModel) for v in value.values()):
        for key, inner in value.items():
            yield from _values(inner, (*path, str(key)), None, source)
    else:
        yield Value(path, _shown(value, str(path[-1]), _format(field)), origin_of(path, source))


def origin_of(path: KeyPath, source: Source) -> str:
    """Return where the value at a path came from: a variable, a line of the file, a default."""
    for end in range(len(path), 0, -1):
        if variable := source.overrides.get(path[:end]):
            return variable
    starts = [p for p in source.lines if p[: len(path)] == path]
    if not starts:
        return DEFAULT
    line = source.lines.get(path) or min(source.lines[p] for p in starts)
    file = source.file.name if source.file else ""
    names = source.variables.get(path)
    return f"{file}:{line}" + (f", {names}" if names else "")


def _format(field: FieldInfo | None) -> str:
    """Return the format in which a value of a field is written, "" for others."""
    if field is None:
        return ""
    metadata = [*field.metadata, *_inner_metadata(field.annotation)]
    schemas = [each.json_schema for each in metadata if isinstance(each, WithJsonSchema)]
    return next((str(each["format"]) for each in schemas if each and "format" in each), "")


def _inner_metadata(annotation: Any) -> Iterator[Any]:
    """Yield the metadata of the types inside of a type, such as the values of a dict."""
    for inner in get_args(annotation):
        yield from getattr(inner, "__metadata__", ())
        yield from _inner_metadata(inner)


def _shown(value: Any, name: str, format: str) -> Any:
    if isinstance(value, SecretStr | SecretBytes):
        return HIDDEN
    if isinstance(value, bool) or value is None:
        return value
    if is_hidden(name, value):
        return HIDDEN
    if isinstance(value, int | float):
        return as_written(format, value) if format else value
    if isinstance(value, Mapping):
        return {str(key): _shown(inner, str(key), format) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(each, name, format) for each in value]
    if isinstance(value, BaseModel):
        return {key: _shown(inner, key, "") for key, inner in value}
    return mask_secrets(str(value))
