"""`chatkit-server hooks`: every hook, and who implements it."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import SettingsError
from ..settings.problems import nearest
from .options import command, from_here, load_settings

if TYPE_CHECKING:
    from ..plugin.calls import Hooks


@command("hooks", "List the hooks, and in order the plugins that implement each.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def hooks(settings: Path, name: str | None, as_json: bool) -> int:
    loaded, problems = load_settings(settings)
    from ..app import create_app
    from ..plugin.checks import specs
    from ..web.keys import HOOKS

    if name is not None and name not in specs():
        known = ", ".join(specs())
        raise SettingsError(f"`{name}` is not a hook.{nearest(name, specs())} Hooks: {known}")

    async def create() -> Hooks:
        return create_app(loaded, problems=problems)[HOOKS]

    told = list(_told(asyncio.run(create()), name))
    if as_json:
        print(json.dumps(told, indent=2))
        return 0
    for hook in told:
        print(hook["signature"])
        for at, one in enumerate(hook["plugins"], 1):
            limit = f", {one['timeout']:g} s" if one["timeout"] is not None else ""
            skips = ", skipped if it fails" if one["policy"] == "skip" else ""
            print(f"  {at}. {one['plugin']}: {from_here(one['place'])}{limit}{skips}")
        if name is not None:
            print(f"\n{hook['help']}")
    return 0


def _told(hooks: Hooks, only: str | None) -> Iterator[dict[str, Any]]:
    from ..plugin.checks import specs
    from ..plugin.mistakes import place_of

    for name, spec in specs().items():
        if only not in (None, name):
            continue
        is_async = inspect.iscoroutinefunction(spec)
        signature = str(inspect.signature(spec)).replace("'", "")
        yield {
            "hook": name,
            "signature": f"{'async ' if is_async else ''}def {name}{signature}",
            "help": inspect.getdoc(spec),
            "plugins": [
                {
                    "plugin": plugin,
                    "place": place_of(function),
                    "timeout": hooks.terms(plugin, name).limit if is_async else None,
                    "policy": "skip" if hooks.terms(plugin, name).skips else "fail",
                }
                for plugin, function in hooks.functions(name)
            ],
        }
