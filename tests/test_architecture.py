"""The imports point one way, and plugins know only what is offered to them."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import chatkit_plugins
import pytest

import chatkit_server

CORE = Path(chatkit_server.__file__).parent
PLUGINS = Path(chatkit_plugins.__file__).parent

LAYERS = (
    {
        "asking",
        "bad_http",
        "errors",
        "finding",
        "ids",
        "interim",
        "known_errors",
        "languages",
        "lines",
        "local_times",
        "masking",
        "outgoing",
        "paging",
        "probe",
        "records",
        "repeats",
        "shutdown",
        "store_ids",
        "tasks",
        "text",
        "transcript",
        "turn",
        "turn_events",
        "turn_items",
        "turn_workflows",
        "turnstile",
        "uploads",
        "user_file",
        "version",
        "words",
        "workers",
    },
    {"client", "settings"},
    {"plugin"},
    {"mcp", "events"},
    {"agent"},
    {"turns"},
    {"elsewhere"},
    {"web"},
    {"app", "logs"},
    {"reload"},
    {"serve"},
    {"checking", "userdata"},
    {"cli"},
    {"testing"},
)
"""Each file or folder imports only from those in layers before its own, and from itself."""

DOORS = {"__init__", "__main__", "models", "redis", "storage"}
"""Files that offer what others define; nothing in the core imports them."""


OFFERED = (
    "chatkit_server",
    "chatkit_server.models",
    "chatkit_server.redis",
    "chatkit_server.storage",
)
"""What plugins may import."""


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


def top(file: Path) -> str:
    """Return the file or folder at the top of the core that a file is in."""
    return file.relative_to(CORE).parts[0].removesuffix(".py")


def test_every_core_module_has_its_layer() -> None:
    tops = {top(file) for file in CORE.rglob("*.py")} - DOORS
    assert tops == set().union(*LAYERS)


@pytest.mark.parametrize(
    "file",
    [file for file in sorted(CORE.rglob("*.py")) if top(file) not in DOORS],
    ids=lambda f: ".".join(f.relative_to(CORE).with_suffix("").parts),
)
def test_core_imports_point_one_way(file: Path) -> None:
    own = top(file)
    at = next(number for number, layer in enumerate(LAYERS) if own in layer)
    allowed = set().union(LAYERS[0], *LAYERS[:at], {own})
    depth = len(file.relative_to(CORE).parts)
    for name, level in imports(file):
        assert not name.startswith("chatkit_plugins")
        if level == depth and name != "__version__":
            imported = name.partition(".")[0]
            assert imported in allowed, f"{own} imports {imported}"


@pytest.mark.parametrize("file", sorted(PLUGINS.rglob("*.py")), ids=lambda f: f.stem)
def test_plugins_import_only_what_is_offered(file: Path) -> None:
    package = file.relative_to(PLUGINS).parent
    for name, level in imports(file):
        assert not name.startswith("plugins")
        if name.startswith("chatkit_server"):
            assert name in OFFERED, f"{file} imports {name}, which is private"
        assert level <= len(package.parts), f"{file} reaches out of its own package"
        if name.startswith("chatkit_plugins"):
            own = ".".join(("chatkit_plugins", *package.parts))
            assert package.parts, f"{file} imports another plugin: {name}"
            assert name.startswith(own), f"{file} imports another plugin: {name}"


@pytest.mark.parametrize(
    "file",
    [f for f in sorted(CORE.rglob("*.py")) if top(f) not in {"events", *DOORS}],
    ids=lambda f: f.stem,
)
def test_only_events_knows_which_event_log_it_is(file: Path) -> None:
    assert "MemoryEventLog" not in file.read_text()


def test_every_package_is_installed() -> None:
    """An editable install has them without being told."""
    listed = tomllib.loads((CORE.parent / "pyproject.toml").read_text())
    packages = {
        ".".join((name, *init.parent.relative_to(root).parts))
        for name, root in (("chatkit_server", CORE), ("chatkit_plugins", PLUGINS))
        for init in root.rglob("__init__.py")
    }
    assert packages <= set(listed["tool"]["setuptools"]["packages"])
