"""What the example request at start must send to be let in by the `auth` hooks."""

from __future__ import annotations

from .calls import Hooks

_UNKNOWN = object()


def curl_credentials(hooks: Hooks) -> tuple[str, str | None]:
    """Return the `curl_credentials` of the first plugin that decides about a bare request.

    With them comes the name of a plugin that has an `auth` hook and does not say, if it decides.
    """
    for name, plugin in hooks.implementing("auth"):
        given = getattr(plugin, "curl_credentials", _UNKNOWN)
        if isinstance(given, str):
            return given, None
        if given is not None:
            return "", name
    return "", None
