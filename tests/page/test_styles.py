"""All parts of the element are in one shadow tree: none may style the classes of another."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

STYLES = Path(__file__).parents[2] / "plugins/chat_page/src/styles"
OF_ALL = {"base", "frame"}
"""Styles that other parts may add to."""
PARTS = ("composer", "markdown", "widget")


def part(file: Path) -> str:
    return next((each for each in PARTS if file.stem.startswith(each)), "items")


def test_no_class_is_styled_by_two_parts() -> None:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for file in STYLES.rglob("*.ts"):
        if file.stem not in OF_ALL:
            for name in re.findall(r"\.(ock-[\w-]+)", file.read_text()):
                found[name].add(part(file))
    assert len(found) > 50
    found.pop("ock-icon")  # of all parts
    assert not {name: parts for name, parts in found.items() if len(parts) > 1}
