"""docs/chat-page.md names every option, method and event of the published types."""

from __future__ import annotations

import re

from tests.documents import rows, section
from tests.page.published import Published


def table(heading: str) -> list[list[str]]:
    return list(rows(section("chat-page.md", heading)))


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_option_is_in_the_table_and_no_other() -> None:
    described = {name: set(named(row[2])) for row in table("### Options") for name in named(row[0])}
    options = Published().options()
    for path in options:
        parent, _, name = path.rpartition(".")
        assert path in described or name in described.get(parent, ()), path
    for name in described:
        assert any(f"{path}.".startswith(f"{name}.") for path in options), name


def test_every_method_and_event_is_in_its_table_and_no_other() -> None:
    published = Published()
    for heading, names in ("### Methods", published.methods()), ("### Events", published.events()):
        described = {name for row in table(heading) for name in named(row[0])}
        assert described == names


def test_what_is_left_out_has_a_reason() -> None:
    for heading in ("### Options", "### Methods", "### Events"):
        for _, mark, what in table(heading):
            assert mark == "✓" or what
