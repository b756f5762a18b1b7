"""Every private name of a library that is used is in one list, and is still where it was."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import CodeType, ModuleType
from typing import Any

import chatkit_plugins
import pytest

import chatkit_server
from tests.library_names import LIBRARY_NAMES, LibraryName

PACKAGES: tuple[ModuleType, ...] = (chatkit_server, chatkit_plugins)
FILES = [
    file
    for package in PACKAGES
    for file in sorted(Path(str(package.__file__)).parent.rglob("*.py"))
]
LISTED = {name.last for name in LIBRARY_NAMES}

DOCUMENTED = {
    "_current_frames": "a function of the standard library, in `sys`",
    "_exit": "os._exit is a function of the standard library",
    "_impl": "the end of the attribute in which pluggy keeps what `HookimplMarker` was given",
    "_meta": "a field of MCP's messages",
    "_spec": "the same of `HookspecMarker`",
}
"""Names that only look private."""

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:litellm")


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def has(owner: Any, name: str) -> bool:
    """Whether an object has an attribute, or instances of a class do."""
    if isinstance(owner, CodeType):
        return name in (*owner.co_freevars, *owner.co_cellvars, *owner.co_varnames)
    if hasattr(owner, name) or not inspect.isclass(owner):
        return hasattr(owner, name)
    return any(_sets(kind, name) for kind in owner.__mro__ if kind is not object)


def _sets(kind: type, name: str) -> bool:
    if name in vars(kind).get("__annotations__", {}) or name in vars(kind).get("__slots__", ()):
        return True
    functions = (value for value in vars(kind).values() if inspect.isfunction(value))
    return any(name in function.__code__.co_names for function in functions)


def inner(function: Any, name: str) -> CodeType | None:
    """Return the code of a function that a function makes."""
    constants = inspect.unwrap(function).__code__.co_consts
    return next((c for c in constants if isinstance(c, CodeType) and c.co_name == name), None)


def is_there(name: LibraryName) -> bool:
    owner: Any = import_module(name.module)
    *parts, last = name.path.split(".")
    while parts:
        part = parts.pop(0)
        if part == "<locals>":
            continue
        code = inner(owner, part) if inspect.isfunction(owner) else None
        owner = code if code is not None else getattr(owner, part, None)
        if owner is None:
            return False
    return has(owner, last)


@pytest.mark.parametrize("name", LIBRARY_NAMES, ids=str)
def test_the_name_is_where_it_was(name: LibraryName) -> None:
    assert is_there(name), f"{name} is gone from the installed version. Needed: {name.reason}"


@pytest.mark.parametrize(
    "name",
    [
        LibraryName("agents", "Agent.nothing_like_this", ""),
        LibraryName("agents", "NothingLikeThis.anything", ""),
        LibraryName("agents.agent", "Agent.as_tool.<locals>._run_agent_impl.nothing_like_this", ""),
        LibraryName("agents.agent", "Agent.as_tool.<locals>.nothing_like_this.self", ""),
        LibraryName("aiohttp_sse", "EventSourceResponse._nothing_like_this", ""),
    ],
    ids=str,
)
def test_a_name_that_is_gone_is_missed(name: LibraryName) -> None:
    assert not is_there(name)


def private_names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield private attributes and imports, and strings that may name one, with their lines."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, lineno=line) if is_private(name):
                yield name, line
            case ast.Constant(value=str(name), lineno=line):
                if is_private(name) and name.isidentifier():
                    yield name, line
            case ast.ImportFrom(module=module, names=names, lineno=line):
                parts = [*(module or "").split("."), *(alias.name for alias in names)]
                yield from ((part, line) for part in parts if is_private(part))


def defined(tree: ast.Module) -> Iterator[str]:
    """Yield what a file defines: names, and attributes of `self`."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                yield name


def test_no_other_private_name_is_used() -> None:
    trees = {file: ast.parse(file.read_text()) for file in FILES}
    own = {name for tree in trees.values() for name in defined(tree)}
    used = {
        f"{file.name}:{line}: {name}"
        for file, tree in trees.items()
        for name, line in private_names(tree)
        if name not in own | LISTED | DOCUMENTED.keys()
    }
    assert not used, "add these to tests/library_names.py, or do without them"


def modules() -> Iterator[ModuleType]:
    for package in PACKAGES:
        for found in walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                yield import_module(found.name)


def overridden(kind: type) -> Iterator[str]:
    """Yield the private names of a class that it has in place of a library's."""
    ours = tuple(package.__name__ for package in PACKAGES)
    foreign = [base for base in kind.__mro__ if not base.__module__.startswith(ours)]
    # Python, and Tortoise's metaclass, give these to every class
    given = {"_abc_impl", "_is_protocol", "_is_runtime_protocol", "_meta"}
    for name in vars(kind).keys() - given:
        if is_private(name) and any(name in vars(base) for base in foreign):
            yield name


def test_no_other_private_method_is_overridden() -> None:
    kinds = {
        value
        for module in modules()
        for value in vars(module).values()
        if inspect.isclass(value) and value.__module__ == module.__name__
    }
    assert kinds
    unlisted = {
        f"{kind.__module__}.{kind.__name__}.{name}"
        for kind in kinds
        for name in overridden(kind)
        if name not in LISTED
    }
    assert not unlisted, "add these to tests/library_names.py, or do without them"


def test_unlisted_names_are_seen() -> None:
    source = textwrap.dedent(
        """
        from library import _thing
        from library._inner import other
        getattr(library, "_hidden")
        library.object._attribute
        """
    )
    names = [name for name, _ in private_names(ast.parse(source))]
    assert sorted(names) == ["_attribute", "_hidden", "_inner", "_thing"]
