"""`chatkit-server init`: write settings and an example plugin to start from."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from ..errors import SettingsError
from .schema import write_schema
from .templates import write

_FILES = ("settings.yaml", "my_plugins/hello.py", "tests/test_hello.py")

_TEST_SETTINGS = "pytest.ini"
_OTHERS = (_TEST_SETTINGS, "pyproject.toml", "tox.ini", "setup.cfg")
"""Where a project may have its settings of pytest."""

_NEXT = """\
Wrote {written}.
Next:
  {enter}chatkit-server run      # starts the server and prints a request to try
  chatkit-server check    # tells what is wrong with the settings, and starts nothing
  pytest                  # tests the plugin, after: pip install 'chatkit-server[dev]'
  chatkit-server new-plugin NAME    # writes a plugin of your own, with a test
Change the model in settings.yaml; your own plugins go into my_plugins/."""


@click.command("init", help="Write a commented settings.yaml, and an example plugin with its test.")
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
def init(folder: Path) -> int:
    with_tests = not any((folder / name).exists() for name in _OTHERS)
    files = [*_FILES, *[_TEST_SETTINGS] * with_tests]
    try:
        write(folder, {name: f"project/{name}" for name in files})
    except SettingsError as error:
        if "already has" not in str(error):
            raise
        raise SettingsError(f"{error}. Choose another folder: chatkit-server init FOLDER") from None
    write_schema(folder / "settings.yaml")
    enter = "" if folder == Path() else f"cd {shlex.quote(str(folder))}\n  "
    *most, last = [str(folder / name) for name in _FILES]
    print(_NEXT.format(written=f"{', '.join(most)} and {last}", enter=enter))
    return 0
