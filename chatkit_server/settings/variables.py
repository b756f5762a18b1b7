"""`CHATKIT_…` variables that override nothing, although somebody wanted them to."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

ENV_PREFIX = "CHATKIT_"

_OF_KUBERNETES = re.compile(
    r"(.*_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?|ENV_\w+)"
)
"""What Kubernetes and Docker set for a service that is named `chatkit`, or begins so."""

_BY_VALUE = re.compile(r"(.*_)?PORT=(tcp|udp|sctp)://.*|(.*_)?NAME=/[^/]+/[^/]+")
"""What they also set, and what may be meant for the server if its value is another one."""


def is_override(name: str) -> bool:
    """Whether a variable overrides a key: it has the prefix, and two underscores between keys."""
    return name.startswith(ENV_PREFIX) and "__" in name.removeprefix(ENV_PREFIX)


def idle_variables(
    environ: Mapping[str, str],
    used: Collection[str],
    settings: type[BaseModel],
    data: Mapping[str, Any],
) -> Iterator[str]:
    """Yield a line for each variable that looks as if it were for the server, and is not read.

    `used` are those inside `${…}` in the file, `data` is what the file has.
    """
    overrides = filter(is_override, _overrides(settings, data))
    known = {key.replace("__", "_"): key for key in overrides}
    for name in sorted(environ):
        upper = name.upper().replace("-", "_").replace(".", "_")
        ours = upper.startswith(ENV_PREFIX) and not is_override(name)
        if not ours or name in used or _is_of_kubernetes(name, environ[name]):
            continue
        meant = _meant(upper, known, data)
        hint = f" Did you mean {meant}?" if meant else ""
        yield (
            f"{name}: this variable does nothing.{hint} Settings are overridden by variables such "
            "as CHATKIT_SERVER__PORT, in capitals, with two underscores between the keys"
        )


def _is_of_kubernetes(name: str, value: str) -> bool:
    rest = name.removeprefix(ENV_PREFIX)
    return bool(_OF_KUBERNETES.fullmatch(rest) or _BY_VALUE.fullmatch(f"{rest}={value}"))


def _overrides(model: type[BaseModel], data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the variables of all keys of the core, and of those that are in the file."""
    yield from _names(model, ENV_PREFIX)
    yield from _written(data, ENV_PREFIX)


def _names(model: type[BaseModel], start: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = field.alias or name
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _names(inner, f"{start}{key.upper()}__")
        else:
            yield f"{start}{key.upper()}"


def _written(data: Mapping[str, Any], start: str) -> Iterator[str]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _written(value, f"{start}{key.upper()}__")
        yield f"{start}{key.upper()}"


def _meant(name: str, known: Mapping[str, str], data: Mapping[str, Any]) -> str | None:
    """Return the variable that is most like this one: in its place, its end, or its letters."""
    squashed = re.sub("_+", "_", name)
    if squashed in known:
        return known[squashed]
    plugins = data.get("plugins")
    for plugin in plugins if isinstance(plugins, Mapping) else ():
        start = f"{ENV_PREFIX}PLUGINS_{plugin.upper()}_"
        if squashed.startswith(start) and squashed != start:
            return f"{ENV_PREFIX}PLUGINS__{plugin.upper()}__{squashed.removeprefix(start)}"
    end = squashed.removeprefix(ENV_PREFIX)
    for other, meant in known.items():
        if end and other.endswith(f"_{end}"):
            return meant
    close = difflib.get_close_matches(squashed, known, n=1, cutoff=0.8)
    return known[close[0]] if close else None
