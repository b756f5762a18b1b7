"""Routes that are never called, because another one has their path."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from aiohttp import hdrs
from aiohttp.web import AbstractResource, AbstractRoute, Application

_SAMPLE = "~"


def hidden_routes(app: Application, owners: Mapping[AbstractRoute, str]) -> Iterator[str]:
    """Yield a line for each route that another one hides; `owners` are the plugins of routes."""
    routes = [route for route in app.router.routes() if route.resource is not None]
    for place, route in enumerate(routes):
        resource = route.resource
        assert resource is not None
        path = _sample(resource)
        if route.method == hdrs.METH_HEAD or not _serves(resource, path):
            continue
        for earlier, other in enumerate(routes):
            by = other.resource
            assert by is not None
            # The server looks for the longest fixed path first, then in the order of registration
            first = (-_fixed(by), earlier) < (-_fixed(resource), place)
            if by is not resource and first and _share_a_method(route, other) and _serves(by, path):
                yield _told(route, resource, owners.get(route), by, owners.get(other))
                break


def _told(
    route: AbstractRoute,
    resource: AbstractResource,
    owner: str | None,
    by: AbstractResource,
    other: str | None,
) -> str:
    whose = f"plugin {owner}: " if owner else ""
    taken = f"plugin {other} has" if other else "the server has"
    change = "it" if owner and other else "it, or `server.path`"
    return (
        f"{whose}{route.method} {resource.canonical} would never be called, because {taken} a "
        f"route there, {by.canonical}. Change {change}"
    )


def _share_a_method(route: AbstractRoute, other: AbstractRoute) -> bool:
    return hdrs.METH_ANY in (route.method, other.method) or route.method == other.method


def _sample(resource: AbstractResource) -> str:
    """Return a path that the resource serves, as far as it takes any text for its parts."""
    info = resource.get_info()
    if "prefix" in info:
        return f"{info['prefix']}/{_SAMPLE}"
    return info.get("path") or re.sub(r"\{\w+\}", _SAMPLE, info.get("formatter", ""))


def _serves(resource: AbstractResource, path: str) -> bool:
    info = resource.get_info()
    if "prefix" in info:
        return path.startswith(f"{info['prefix']}/")
    pattern = info.get("pattern")
    return info.get("path") == path or (pattern is not None and bool(pattern.fullmatch(path)))


def _fixed(resource: AbstractResource) -> int:
    """Return how long the part of a path is before what varies."""
    start, varies, _ = resource.canonical.partition("{")
    return len(start.rpartition("/")[0] if varies else start.rstrip("/"))
