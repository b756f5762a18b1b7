"""`chatkit-server plugins`: what is enabled, from where, and how it does in a running server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from ..settings.address import local_url
from ..settings.schema import Settings
from .listening import listening_options, with_address
from .options import command, from_here, load_settings

if TYPE_CHECKING:
    from ..plugin.calls import Hooks
    from ..plugin.discovery import FoundPlugin

_PATIENCE = 3.0
"""Seconds that a running server has to answer."""

_HIDDEN = "***"


@command("plugins", "List the enabled plugins, and how they do where a server runs.")
@click.option("--available", is_flag=True, help="List those that could be enabled, too.")
@click.option(
    "--all", "whole", is_flag=True, help="Show the settings that have their defaults, too."
)
@listening_options
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def plugins(settings: Path, available: bool, whole: bool, as_json: bool, **listening: Any) -> int:
    loaded, problems = load_settings(settings)
    running = with_address(loaded, listening)
    from ..app import create_app
    from ..plugin.discovery import discover
    from ..web.keys import HOOKS

    async def ask() -> tuple[Hooks, dict[str, Any] | None]:
        hooks = create_app(loaded, problems=problems)[HOOKS]
        return hooks, await _figures(running)

    hooks, figures = asyncio.run(ask())
    found = discover(loaded.plugin_dirs, problems)
    told = [_told(name, hooks, loaded, figures) for name in hooks.names]
    if whole:
        for plugin in told:
            plugin["settings"] = _with_defaults(plugin["name"], found, loaded)
    others = sorted(set(found) - set(hooks.names)) if available else []
    if as_json:
        more = {"available": others} if available else {}
        print(json.dumps({"running": figures is not None, "plugins": told, **more}, indent=2))
        return 0
    for plugin in told:
        _print(plugin)
    if figures is None:
        print(
            f"No server answers at {_place(running)}: there are no calls to count. If yours was "
            "started with --host, --port or --socket, give the same here."
        )
    if others:
        print("Could be enabled:")
    for name in others:
        print(f"  {name}: {found[name]}")
    return 0


def _place(settings: Settings) -> str:
    path = settings.server.socket
    return local_url(settings) if path is None else f"the socket {path}"


def _told(
    name: str, hooks: Hooks, settings: Settings, figures: Mapping[str, Any] | None
) -> dict[str, Any]:
    from ..plugin.origin import origin_of

    plugin = dict(hooks.plugins)[name]
    origin = origin_of(plugin)
    return {
        "name": name,
        "file": origin.file,
        "package": origin.package,
        "version": origin.version,
        "settings": _hidden(settings.plugins.get(name) or {}),
        "hooks": hooks.implemented_by(name),
        "calls": (figures or {}).get(name, {}),
    }


def _with_defaults(name: str, found: Mapping[str, FoundPlugin], settings: Settings) -> Any:
    """Return the settings that a plugin has in the end, without its secrets."""
    from ..plugin.discovery import FoundPlugin
    from ..settings.load import validate

    module = found.get(name, FoundPlugin(name, name)).load()
    model = getattr(module, "Config", None)
    if model is None:
        return {}
    config = validate(model, settings.plugins.get(name) or {}, settings.source, ("plugins", name))
    return _hidden(config.model_dump(mode="json", by_alias=True, fallback=str))


def _hidden(section: Mapping[str, Any]) -> Any:
    """Return a section without its secrets."""
    from ..masking import mask_secrets
    from ..settings.secrets import is_hidden

    def hidden(value: Any, name: str) -> Any:
        if is_hidden(name, value):
            return _HIDDEN
        if isinstance(value, Mapping):
            return {key: hidden(inner, str(key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [hidden(inner, name) for inner in value]
        return mask_secrets(value) if isinstance(value, str) else value

    return hidden(section, "")


def _print(plugin: Mapping[str, Any]) -> None:
    package = f"{plugin['package']} {plugin['version']}" if plugin["package"] else ""
    print(f"{plugin['name']}  {package or from_here(plugin['file'])}")
    print(f"  hooks: {', '.join(plugin['hooks']) or 'none'}")
    if plugin["settings"]:
        text = yaml.safe_dump(plugin["settings"], sort_keys=False, allow_unicode=True)
        print("  settings:", *text.splitlines(), sep="\n    ")
    for hook, at in plugin["calls"].items():
        print(
            f"  {hook}: {at['calls']} calls, {at['failures']} failed, "
            f"mean {at['mean_ms']:g} ms, longest {at['max_ms']:g} ms{_trouble(at)}"
        )


def _trouble(at: Mapping[str, Any]) -> str:
    told = ""
    if count := at.get("failed_in_a_row"):
        told = f"; failed {count} times in a row, since {at['failing_since']}"
    if at.get("breaker", "closed") != "closed":
        told += f"; its breaker is {at['breaker']}"
    return told


async def _figures(settings: Settings) -> dict[str, Any] | None:
    """Return the figures of the server that runs with these settings, None if none does."""
    import aiohttp

    path = settings.server.socket
    connector = None if path is None else aiohttp.UnixConnector(str(path))
    timeout = aiohttp.ClientTimeout(_PATIENCE)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.get(f"{local_url(settings)}/readyz?verbose") as response,
        ):
            figures: dict[str, Any] | None = (await response.json()).get("hooks")
            return figures
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, AttributeError):
        return None
