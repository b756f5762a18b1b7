"""The types of settings: durations, sizes, lists with commas."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, get_args

from chatkit.icons import IconName
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from ..workers import MOST_WORKERS, Workers
from .problems import nearest

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_SIZE = re.compile(r"(\d+)\s*(B|kB|MB|GB)")

_MODE = re.compile(r"(?:0o?)?([0-7]{3})")

_BYTES = {"B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3}


_OTHER_UNITS = {
    "ms": "ms|msecs?|millis|milliseconds?",
    "s": "s|secs?|seconds?",
    "m": "m?ins?|minutes?",
    "h": "h|hrs?|hours?",
    "d": "d|days?",
    "B": "b|bytes?",
    "kB": "ki?b?",
    "MB": "mi?b",
    "GB": "gi?b?",
}
"""What else people write, in any case, for each unit."""


def _duration(value: Any) -> Any:
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"expected a duration such as 250ms, 10s or 5m{_meant(value)}")
        return float(match[1]) * _SECONDS[match[2]]
    raise ValueError("expected a duration with its unit, such as 250ms, 10s or 5m")


def _meant(value: str) -> str:
    """Return a hint at the right unit, for one that is written in another way."""
    for unit, pattern in _OTHER_UNITS.items():
        if match := re.fullmatch(rf"(\d+(?:\.\d+)?)\s*(?:{pattern})", value.strip(), re.IGNORECASE):
            return f". Did you mean {match[1]}{unit}?"
    return ""


def _size(value: Any) -> Any:
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"expected a size such as 64kB or 16MB{_meant(value)}")
        return int(match[1]) * _BYTES[match[2]]
    raise ValueError("expected a size with its unit, such as 64kB or 16MB")


def as_written(format: str, value: float) -> str:
    """Return a duration in seconds, a size in bytes or a mode as settings have it: `30s`."""
    if format == "mode":
        return f"{int(value):04o}"
    units = _SECONDS if format == DURATION else {unit: float(n) for unit, n in _BYTES.items()}
    whole = [u for u, n in units.items() if value >= n and float(value / n).is_integer()]
    unit = max(whole, key=lambda u: units[u], default=next(iter(units)))
    return f"{value / units[unit]:g}{unit}"


def nothing_is_empty(value: Any) -> Any:
    return {} if value is None else value


def no_is_off(value: Any) -> Any:
    """Return what was meant: YAML reads the word `off` as False."""
    return "off" if value is False else value


Words = Annotated[str | dict[str, str], BeforeValidator(nothing_is_empty)]
"""Words for users, or such words by language; without any, the server's own are used."""


def _icon(value: Any) -> Any:
    names = get_args(get_args(IconName)[0])
    if isinstance(value, str) and value not in names and not value.startswith(_OTHER_ICONS):
        raise ValueError(
            f"no icon of ChatKit.{nearest(value, names)} Those of Lucide are written "
            "`lucide:NAME`. ChatKit's own: " + ", ".join(names)
        )
    return value


_OTHER_ICONS = ("vendor:", "lucide:")

ToolIcon = Annotated[IconName, BeforeValidator(_icon), WithJsonSchema({"type": "string"})]
"""The name of an icon that ChatKit has."""


def _comma_separated(value: Any) -> Any:
    if value is None:
        return []
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _named(value: str) -> str:
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*", value):
        raise ValueError("expected `module:attribute`, such as my_app.agents:triage")
    return value


def _networks(values: list[str]) -> list[str]:
    values = [without_brackets(value) for value in values]
    for value in values:
        try:
            ipaddress.ip_network(value, strict=False)
        except ValueError:
            raise ValueError(
                f"expected addresses or networks such as 192.0.2.7 or 10.0.0.0/8, not `{value}`"
            ) from None
    return values


def without_brackets(host: str) -> str:
    """Return an address that may be written as in a URL, `[::1]`, as it is without a port."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def listening_host(value: str) -> str:
    """Return an address or a name to listen on, without brackets.

    Raises `ValueError` for what no machine has as its name: a URL, a port, `*`.
    """
    host = without_brackets(value)
    if host == "*":
        raise ValueError("write 0.0.0.0 to listen on all addresses, or :: with those of IPv6")
    if not re.fullmatch(r"[\w.-]*", host) and not _is_address(host):
        raise ValueError(
            "expected an address or a name, such as 127.0.0.1 or ::1: no scheme, no path, and the "
            "port in `port`"
        )
    return host


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _socket_path(value: Any) -> Any:
    if value in (None, ""):
        return None
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("a path has no null characters")
        if value.startswith("unix:"):
            raise ValueError("write the path alone, such as /run/chatkit/chatkit.sock")
    return value


def _file_mode(value: Any) -> Any:
    if isinstance(value, str) and (match := _MODE.fullmatch(value)):
        return int(match[1], 8)
    # YAML reads 0660 as 432, and 660 as itself
    raise ValueError('expected permissions in quotes, such as "0660"')


DURATION = "duration"
SIZE = "size"

Duration = Annotated[
    float,
    BeforeValidator(_duration),
    Field(gt=0),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$", "format": DURATION}),
]
"""Seconds as a float; written `250ms`, `10s`, `5m`, `2h` or `1d`."""

Size = Annotated[
    int,
    BeforeValidator(_size),
    Field(gt=0),
    WithJsonSchema({"type": "string", "pattern": f"^{_SIZE.pattern}$", "format": SIZE}),
]
"""Bytes as an int; written `512B`, `64kB`, `16MB` or `1GB`, in powers of 1000."""

_TEXTS = {"type": ["array", "string", "null"], "items": {"type": "string"}}

CommaList = Annotated[list[str], BeforeValidator(_comma_separated), WithJsonSchema(_TEXTS)]
"""A list, or a string with commas."""

Chosen = Annotated[list[str] | None, BeforeValidator(_comma_separated), WithJsonSchema(_TEXTS)]
"""The same, of names and patterns; None, which cannot be written, is all."""

Named = Annotated[str, AfterValidator(_named)]
"""An object in a module, as `module:attribute`."""

NetworkList = Annotated[CommaList, AfterValidator(_networks)]
"""IP addresses and networks, as a list or a string with commas."""

Host = Annotated[str, AfterValidator(listening_host)]
"""An address or a name to listen on; an IPv6 address may have brackets."""


def worker_count(value: Any) -> Workers:
    """Return a number of workers as settings and options write it. Raises `ValueError`."""
    if value == "auto":
        return "auto"
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_WORKERS:
        return value
    raise ValueError(f"expected a number from 1 to {MOST_WORKERS}, or auto")


def _worker_setting(value: Any) -> Workers | None:
    return None if value in ("", None) else worker_count(value)


WorkerCount = Annotated[
    Workers | None,
    BeforeValidator(_worker_setting),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MOST_WORKERS},
                {"enum": ["auto", None]},
            ]
        }
    ),
]
"""How many worker processes there are: `auto` is one for each core, empty is no setting."""

SocketPath = Annotated[
    Path | None, BeforeValidator(_socket_path), WithJsonSchema({"type": ["string", "null"]})
]
"""The path of a Unix socket; empty is none."""

FileMode = Annotated[
    int,
    BeforeValidator(_file_mode),
    WithJsonSchema({"type": "string", "pattern": f"^{_MODE.pattern}$", "format": "mode"}),
]
"""Permissions of a file; written in octal, in quotes."""

_NUMBERS = (int, int | None)


class Section(BaseModel):
    """A part of the settings: no unknown keys, no changes after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _only_a_heading(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return nothing_is_empty(data)
        # Pydantic would read `true` as 1
        numbers = {name for name, f in cls.model_fields.items() if f.annotation in _NUMBERS}
        return {
            key: str(value).lower() if isinstance(value, bool) and key in numbers else value
            for key, value in data.items()
        }
