"""Find plugins: installed packages and files in plugin folders."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from zlib import crc32

from ..errors import SettingsError

ENTRY_POINTS = "chatkit_server"

_FOLDER_PACKAGE = "chatkit_plugin_file"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FoundPlugin:
    """A plugin that could be enabled: its name, where it is, and how to import it."""

    name: str
    file: Path | None
    module: str
    folder: bool = False

    def load(self) -> ModuleType:
        """Import the plugin's module, once per process."""
        if not self.folder:
            return importlib.import_module(self.module)
        if self.module in sys.modules:
            return sys.modules[self.module]
        assert self.file is not None
        search = [str(self.file.parent)] if self.file.name == "__init__.py" else None
        spec = importlib.util.spec_from_file_location(
            self.module, self.file, submodule_search_locations=search
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[self.module] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[self.module]
            raise
        return module


def discover(directories: list[Path]) -> dict[str, FoundPlugin]:
    """Return the plugins that can be enabled, by name.

    They come from the entry-point group `chatkit_server` and from `directories`. A file in a
    directory that is also an installed plugin is that plugin; another file of the same name takes
    the installed one's place, and one in a later directory that of an earlier one.
    """
    found = {
        entry.name: FoundPlugin(entry.name, None, entry.module)
        for entry in entry_points(group=ENTRY_POINTS)
    }
    for directory in directories:
        if not directory.is_dir():
            raise SettingsError(f"plugin_dirs: {directory} is not a folder")
        for name, file in _plugins_in(directory):
            other = found.get(name)
            if other and not other.folder and _file_of(other.module) == file.resolve():
                continue
            identity = f"{_FOLDER_PACKAGE}_{crc32(str(file.resolve()).encode()):08x}_{name}"
            found[name] = FoundPlugin(name, file, identity, folder=True)
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
