"""`chatkit-server new-plugin`: write a plugin that works, with a test that passes."""

from __future__ import annotations

import keyword
import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from ..errors import SettingsError
from ..plugin.discovery import discover
from ..settings.editing import enable_plugin
from ..settings.load import PLUGIN_DIRS
from ..settings.problems import Problems
from ..settings.schema import Settings
from .options import command, load_settings
from .schema import FILE, write_schema
from .templates import write

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PLACEHOLDER = "my_plugin"
_FOLDER = "my_plugins"

_PACKAGE = {
    "pyproject.toml": "package/pyproject.toml",
    "README.md": "package/README.md",
    ".gitignore": "package/gitignore",
    "src/{name}/__init__.py": "plugin/my_plugin.py",
    "src/{name}/py.typed": "package/py.typed",
    "tests/test_{name}.py": "package/tests/test_my_plugin.py",
}

_NEXT = """\
Wrote {file} and {test}.
{enabled}
Next:
  chatkit-server run      # say /{name} to the server
  pytest {test}    # after: pip install 'chatkit-server[dev]'"""

_NEXT_PACKAGE = """\
Wrote {folder}: pyproject.toml, README.md, src/{name}, tests.
Next:
  pip install -e '{folder}[test]'
  pytest {folder}
Then enable it in settings.yaml, below `plugins:`
  {name}:"""


@command("new-plugin", "Write a plugin that works, with a test, and enable it in the settings.")
@click.argument("name")
@click.option("--package", is_flag=True, help="Write a package to install and publish.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Where to write it: a plugin folder, or the folder around the package.",
)
def new_plugin(settings: Path, name: str, package: bool, folder: Path | None) -> int:
    name = _name(name)
    if package:
        _refuse_taken(name, [])
        return _write_package(name, folder or Path())
    if not settings.is_file():
        raise SettingsError(
            f"{settings.absolute()}: no such file. Run `chatkit-server init` first, or name the "
            "settings with --settings FILE; --package needs none"
        )
    loaded, problems = load_settings(settings)
    problems.raise_any()
    plugins = folder or _plugin_folder(loaded, settings.parent)
    _refuse_taken(name, [*loaded.plugin_dirs, *([plugins] if plugins.is_dir() else [])])
    if name in loaded.plugins:
        raise SettingsError(f"{settings}: plugins.{name} is there already; choose another name")
    _write_file(name, settings, plugins)
    return 0


def _name(given: str) -> str:
    """Return the name as that of a module: `My Plugin` is `my_plugin`."""
    name = re.sub(r"[\s-]+", "_", given.strip()).lower()
    if "/" in name or "\\" in name or name.endswith(".py"):
        raise SettingsError(f"{given!r} is a path: give a name, and its place with --folder FOLDER")
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise SettingsError(
            f"{given!r} is no name for a plugin: use small letters, digits and underscores, and "
            "begin with a letter, such as `opening_hours`"
        )
    return name


def _refuse_taken(name: str, folders: list[Path]) -> None:
    if name in discover(folders, Problems()):
        raise SettingsError(f"there is a plugin `{name}` already; choose another name")
    if name in sys.stdlib_module_names or find_spec(name) is not None:
        raise SettingsError(f"`{name}` is the name of an installed module; choose another name")


def _plugin_folder(settings: Settings, beside: Path) -> Path:
    """Return the folder where own plugins go: the last of the settings, or the usual one."""
    usual = [beside / name for name in PLUGIN_DIRS]
    own = [folder for folder in settings.plugin_dirs if folder not in usual]
    return own[-1] if own else beside / _FOLDER


def _write_file(name: str, settings: Path, plugins: Path) -> None:
    root = settings.parent
    file, test = _below(root, plugins / f"{name}.py"), f"tests/test_{name}.py"
    folder = Path(file).parent.as_posix()
    write(
        root,
        {file: "plugin/my_plugin.py", test: "plugin/test_my_plugin.py"},
        {_FOLDER: folder, _PLACEHOLDER: name},
    )
    try:
        enabled = f"Enabled it in {settings}, line {enable_plugin(settings, name)}."
        if (settings.parent / FILE).exists():
            write_schema(settings)
    except SettingsError as error:
        enabled = str(error)
    print(_NEXT.format(file=root / file, test=root / test, name=name, enabled=enabled))


def _write_package(name: str, around: Path) -> int:
    dashed = name.replace("_", "-")
    given = {file.format(name=name): template for file, template in _PACKAGE.items()}
    names = {_PLACEHOLDER: name, _PLACEHOLDER.replace("_", "-"): dashed}
    write(around / dashed, given, names)
    print(_NEXT_PACKAGE.format(folder=around / dashed, name=name))
    return 0


def _below(root: Path, file: Path) -> str:
    return Path(os.path.relpath(file, root)).as_posix()
