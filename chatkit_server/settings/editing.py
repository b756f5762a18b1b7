"""Add to a settings file without changing what somebody wrote there."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

import yaml

from ..errors import SettingsError


def enable_plugin(file: Path, name: str) -> int:
    """Add `name:` at the end of `plugins:`, and return the number of its line.

    Raises `SettingsError` if that cannot be done safely; the file is as before then.
    """
    text = file.read_bytes().decode()
    changed, line = _with_plugin(text, name)
    if changed is None or not _adds_only(changed, text, name):
        raise SettingsError(
            f"{file} was not changed, since its `plugins:` is written in an unusual way. Add this "
            f"below `plugins:`:\n  {name}:"
        )
    _replace(file, changed)
    return line


def _with_plugin(text: str, name: str) -> tuple[str | None, int]:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    lines = text.splitlines(keepends=True)
    found = next(((key, value) for key, value in pairs if key.value == "plugins"), None)
    if found is None:
        if not isinstance(root, yaml.MappingNode) or root.flow_style:
            return None, 0
        at, added = len(lines), f"\nplugins:\n  {name}:\n"
    else:
        key, value = found
        if isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
            at = _last_line(value) + 1
            indent = value.value[0][0].start_mark.column
        elif isinstance(value, yaml.ScalarNode) and not value.value:
            at, indent = key.start_mark.line + 1, key.start_mark.column + 2
        else:
            return None, 0
        added = f"{' ' * indent}{name}:\n"
    if at and at <= len(lines) and not lines[at - 1].endswith("\n"):
        lines[at - 1] += "\n"
    if "\r\n" in text:
        added = added.replace("\n", "\r\n")
    return "".join([*lines[:at], added, *lines[at:]]), at + added.rstrip().count("\n") + 1


def _last_line(node: yaml.Node) -> int:
    """Return the number of the last line with something of this node, from 0."""
    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        if isinstance(last, tuple):
            key, value = last
            return max(int(key.end_mark.line), _last_line(value))
        return _last_line(last)
    mark = node.end_mark
    if node.start_mark.line == mark.line or not isinstance(node, yaml.ScalarNode):
        return int(mark.line)
    # A block of text ends at the beginning of the next line
    return int(mark.line) - (mark.column == 0)


def _adds_only(changed: str, text: str, name: str) -> bool:
    """Whether the values of two texts differ in this plugin alone."""
    try:
        after, before = (yaml.safe_load(each) or {} for each in (changed, text))
    except yaml.YAMLError:
        return False
    plugins = dict(before.get("plugins") or {})
    added = {**plugins, name: None}
    return (
        name not in plugins
        and list(added) == list(after["plugins"])
        and after
        == {
            **before,
            "plugins": added,
        }
    )


def _replace(file: Path, text: str) -> None:
    """Write the file whole or not at all, with the mode that it has."""
    real = file.resolve()
    with NamedTemporaryFile(dir=real.parent, delete=False) as out:
        out.write(text.encode())
    os.chmod(out.name, real.stat().st_mode)
    os.replace(out.name, real)
