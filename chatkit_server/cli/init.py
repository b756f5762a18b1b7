"""`chatkit-server init`: write settings and an example plugin to start from."""

from __future__ import annotations

import shlex
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from ..errors import SettingsError

_FILES = ("settings.yaml", "my_plugins/hello.py")

_NEXT = """\
Wrote {written}.
Next:
  {enter}chatkit-server run      # starts the server and prints a request to try
  chatkit-server check    # tells what is wrong with the settings, and starts nothing
Change the model in settings.yaml; your own plugins go into my_plugins/."""


@click.command("init", help="Write a commented settings.yaml and a folder with an example plugin.")
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
def init(folder: Path) -> int:
    existing = [name for name in _FILES if (folder / name).exists()]
    if existing:
        raise SettingsError(
            f"{folder.absolute()} already has {' and '.join(existing)}; nothing was written. "
            "Choose another folder: chatkit-server init FOLDER"
        )
    try:
        for name in _FILES:
            _write(folder / name, _template() / name)
    except OSError as error:
        raise SettingsError(f"cannot write into {folder.absolute()}: {error}") from None
    enter = "" if folder == Path() else f"cd {shlex.quote(str(folder))}\n  "
    written = " and ".join(str(folder / name) for name in _FILES)
    print(_NEXT.format(written=written, enter=enter))
    return 0


def _template() -> Traversable:
    return files("chatkit_server.cli") / "template"


def _write(file: Path, template: Traversable) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    # Mode x never overwrites, whatever happened since the check
    with file.open("x", encoding="utf-8") as out:
        out.write(template.read_text(encoding="utf-8"))
