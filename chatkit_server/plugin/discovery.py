"""Find plugins: installed packages and files in plugin folders."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from ..errors import SettingsError
from ..settings.problems import Problems
from .folders import import_plugin

ENTRY_POINTS = "chatkit_server"


@dataclass(frozen=True)
class FoundPlugin:
    """A plugin that could be enabled: an installed module, or a file in a plugin folder."""

    name: str
    module: str = ""
    folder: Path | None = None

    def load(self) -> ModuleType:
        """Import the plugin's module, once per process."""
        if self.folder is not None:
            return import_plugin(self.folder, self.name)
        return importlib.import_module(self.module)

    def __str__(self) -> str:
        return self.module or str(self.folder)


def discover(directories: list[Path], problems: Problems) -> dict[str, FoundPlugin]:
    """Return the plugins that can be enabled, by name.

    They come from the entry-point group `chatkit_server` and from `directories`. A file in a
    directory that is also an installed plugin is that plugin. Another file of the same name
    overrides the installed plugin, and a later directory overrides an earlier one.
    """
    found = {
        entry.name: FoundPlugin(entry.name, entry.module)
        for entry in entry_points(group=ENTRY_POINTS)
    }
    for directory in directories:
        if not directory.is_dir():
            with problems.collect():
                raise SettingsError(f"plugin_dirs: {directory} is not a folder")
            continue
        for name, file in _plugins_in(directory):
            other = found.get(name)
            if other and not other.folder and _file_of(other.module) == file.resolve():
                continue
            found[name] = FoundPlugin(name, folder=directory)
    return found


def _file_of(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except Exception:  # this imports the package around the module, which may fail in any way
        return None
    return Path(spec.origin).resolve() if spec and spec.origin else None


def _plugins_in(directory: Path) -> Iterator[tuple[str, Path]]:
    for entry in sorted(directory.iterdir()):
        if entry.name.startswith(("_", ".")):
            continue
        if entry.suffix == ".py":
            yield entry.stem, entry
        elif (entry / "__init__.py").is_file():
            yield entry.name, entry / "__init__.py"
