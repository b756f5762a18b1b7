"""Import the modules of plugin folders, each folder apart from all others.

A folder becomes a package with a name of its own, so its modules import each other with
`from .shared import x`. `import shared` finds the module beside the plugin too, if no installed
module has that name. Nothing is added to `sys.path`: two folders may have modules of the same name.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Sequence
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any
from zlib import crc32

_PREFIX = "chatkit_plugin_file_"


def package_of(directory: Path) -> str:
    """Return the name of the package that stands for a folder."""
    return f"{_PREFIX}{crc32(str(directory.resolve()).encode()):08x}"


def import_plugin(directory: Path, name: str) -> ModuleType:
    """Import the plugin of this name in a folder, once per process."""
    package = package_of(directory)
    if package not in sys.modules:
        module = ModuleType(package, f"The plugin folder {directory}.")
        module.__path__ = [str(directory)]
        sys.modules[package] = module
    return importlib.import_module(f"{package}.{name}")


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None or not fullname.startswith(_PREFIX):
            return None
        for directory in path:
            # A new one looks at the folder as it is now
            spec = FileFinder(directory, (_Loader, SOURCE_SUFFIXES)).find_spec(fullname)
            if spec is not None:
                return spec
        return None


class _Loader(SourceFileLoader):
    """Runs a module with an `__import__` that looks into the module's plugin folder last."""

    def exec_module(self, module: ModuleType) -> None:
        package = module.__name__.partition(".")[0]
        vars(module)["__builtins__"] = {
            **vars(builtins),
            "__import__": partial(_import_beside, package),
        }
        super().exec_module(module)


def _import_beside(
    package: str,
    name: str,
    globals: dict[str, Any] | None = None,
    locals: dict[str, Any] | None = None,
    fromlist: Sequence[str] = (),
    level: int = 0,
) -> Any:
    top = name.partition(".")[0]
    try:
        return builtins.__import__(name, globals, locals, fromlist, level)
    except ModuleNotFoundError as error:
        if level or error.name != top or find_spec(f"{package}.{top}") is None:
            raise
    found = builtins.__import__(f"{package}.{name}", globals, locals, fromlist)
    return found if fromlist else sys.modules[f"{package}.{top}"]


sys.meta_path.insert(0, _Finder())
