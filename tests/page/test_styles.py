"""All parts of the element are in one shadow tree: none may style the classes of another."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "plugins/chat_page/src"
STYLES = SOURCES / "styles"
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


def test_the_parts_for_own_styles_are_documented() -> None:
    page = (ROOT / "docs/chat-page.md").read_text()
    table = page.partition("| part | what |")[2].partition("\n\n")[0]
    documented = {name for names in re.findall(r"`([a-z -]+)`", table) for name in names.split()}
    sources = "".join(file.read_text() for file in SOURCES.rglob("*.ts"))
    fixed = re.findall(r'part="([a-z -]+)"|part=\$\{`([a-z -]+) \$', sources)
    there = {name for names in fixed for name in " ".join(names).split()}
    assert len(there) > 50
    assert not there - documented
    # Some names are given to what makes a button
    assert not {each for each in documented if each.removeprefix("button-") not in sources}
