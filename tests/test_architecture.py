"""The imports point one way, and plugins know only what is offered to them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import chatkit_plugins
import pytest

import chatkit_server

CORE = Path(chatkit_server.__file__).parent
PLUGINS = Path(chatkit_plugins.__file__).parent

ORDER = [
    *("errors", "body", "ids", "tasks", "turn", "turn_store", "hookspecs", "settings", "timeouts"),
    *("plugins", "keys", "failures", "mcp_link", "mcp_kept", "mcp", "direct", "events", "wire"),
    *("sse", "recorder", "stream", "history", "opening", "agent", "partial", "recovery", "running"),
    *("keeper", "work", "engine", "turn_routes", "operations", "plain", "app", "serve", "cli"),
]
"""Each module imports only from those before it."""


def imports(file: Path) -> Iterator[tuple[str, int]]:
    """Yield `(module, level)` of what a file imports when it runs, not only for type checkers."""
    tree = ast.parse(file.read_text())
    checking = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in checking:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module:
                yield node.module, node.level
            else:
                yield from ((alias.name, node.level) for alias in node.names)


def test_every_core_module_has_its_place() -> None:
    modules = {file.stem for file in CORE.glob("*.py")} - {"__init__", "__main__"}
    assert modules == set(ORDER)


@pytest.mark.parametrize("module", ORDER)
def test_core_imports_point_one_way(module: str) -> None:
    before = ORDER[: ORDER.index(module)]
    for name, level in imports(CORE / f"{module}.py"):
        assert not name.startswith("chatkit_plugins")
        if level and name != "__version__":
            assert name in before, f"{module} imports {name}"


@pytest.mark.parametrize("file", sorted(PLUGINS.rglob("*.py")), ids=lambda f: f.stem)
def test_plugins_import_only_what_is_offered(file: Path) -> None:
    package = file.relative_to(PLUGINS).parent
    for name, level in imports(file):
        assert not name.startswith(("chatkit_server.", "plugins"))
        assert level <= len(package.parts), f"{file} reaches out of its own package"
        if name.startswith("chatkit_plugins"):
            own = ".".join(("chatkit_plugins", *package.parts))
            assert package.parts, f"{file} imports another plugin: {name}"
            assert name.startswith(own), f"{file} imports another plugin: {name}"
