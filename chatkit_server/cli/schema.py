"""`chatkit-server schema`: the JSON Schema of the settings, for editors."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ..errors import SettingsError
from ..settings.load import collect_settings
from ..settings.problems import Problems
from ..settings.schema import Settings
from .options import command, load_settings

FILE = "settings.schema.json"
"""The file beside the settings that their first line names."""


@command("schema", "Write the JSON Schema of the settings, with the part of every plugin.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write; without it, standard output.",
)
def schema(settings: Path, output: Path | None) -> int:
    loaded = Settings()
    problems = Problems()
    if settings.is_file():
        loaded, problems = load_settings(settings)
    for line in problems.lines:
        click.echo(f"warning: {line}", err=True)
    text = schema_text(loaded)
    if output is None:
        sys.stdout.write(text)
        return 0
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"cannot write {output.absolute()}: {error.strerror}") from None
    print(f"Wrote {output}. Name it in the first line of {settings.name}:")
    print(f"# yaml-language-server: $schema={output}")
    return 0


def write_schema(settings: Path) -> None:
    """Write the schema beside a settings file, for its first line to name."""
    text = schema_text(collect_settings(settings, Problems()))
    (settings.parent / FILE).write_text(text, encoding="utf-8")


def schema_text(settings: Settings) -> str:
    """Return the schema as text, the same for the same plugins."""
    from ..plugin.config_schema import settings_schema

    return json.dumps(settings_schema(settings), indent=1, ensure_ascii=False) + "\n"
