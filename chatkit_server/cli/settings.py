"""`chatkit-server settings`: what the settings are in the end, and where each value came from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import yaml

from ..errors import SettingsError
from ..settings.merged import DEFAULT, Value, merged, origin_of
from ..settings.problems import Problems, nearest
from ..settings.schema import Settings
from .options import command, load_settings

_COLUMN = 48
"""Where the comments begin, if the values are not longer."""


@command("settings", "Show the settings in effect, and where each value came from.")
@click.argument("key", required=False)
@click.option("--changed", is_flag=True, help="Leave out what has its default.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def show_settings(settings: Path, key: str | None, changed: bool, as_json: bool) -> int:
    loaded, problems = load_settings(settings)
    values = [*_values(loaded, problems)]
    for line in problems.lines:
        click.echo(f"warning: {line}", err=True)
    if key is not None:
        values = _below(key, values)
    if changed:
        values = [each for each in values if each.origin != DEFAULT]
    if as_json:
        told = {each.key: {"value": each.value, "from": each.origin} for each in values}
        print(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for line in _as_yaml(values):
            print(line)
    return 1 if problems.lines else 0


def _values(settings: Settings, problems: Problems) -> Iterator[Value]:
    """Yield the values of the core and of the plugins, without those that are broken."""
    from ..plugin.load import configs

    source = settings.source
    for value in merged(settings, source):
        if value.path[0] not in ("plugins", "plugin_dirs"):
            yield value
    folders = [str(folder) for folder in settings.plugin_dirs]
    written = ("plugin_dirs",) in source.lines
    origin = (
        f"{source.file.name}:{source.lines[('plugin_dirs',)]}" if written and source.file else ""
    )
    yield Value(("plugin_dirs",), folders, origin or DEFAULT)
    for name, config in configs(settings, problems):
        path = ("plugins", name)
        inner = [] if config is None else [*merged(config, source, path)]
        yield from inner or [Value(path, None, origin_of(path, source))]


def _below(key: str, values: list[Value]) -> list[Value]:
    """Return the values of a key, or of the section of this name."""
    found = [each for each in values if f"{each.key}.".startswith(f"{key}.")]
    if not found:
        known = {".".join(map(str, v.path[:n])) for v in values for n in range(1, len(v.path) + 1)}
        raise SettingsError(f"there is no setting `{key}`.{nearest(key, sorted(known))}")
    return found


def _as_yaml(values: list[Value]) -> Iterator[str]:
    before: tuple[Any, ...] = ()
    for value in values:
        *sections, key = value.path
        for depth, section in enumerate(sections):
            if before[: depth + 1] != value.path[: depth + 1]:
                yield f"{'  ' * depth}{section}:"
        before = value.path
        line = f"{'  ' * len(sections)}{key}: {_scalar(value.value)}"
        yield f"{line:<{_COLUMN}}  # {value.origin}"


def _scalar(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    return text.removesuffix("...\n").strip()
