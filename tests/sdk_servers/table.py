"""The table in the docs: which backends were compared, and how the sides differ."""

from __future__ import annotations

from collections.abc import Iterator

from .cases import CASES
from .differences import Difference

_FOLDER = "../tests/sdk_servers/backends"
_INTRODUCTION = """\
The tests run these backends on the SDK's own set-up, FastAPI on uvicorn, and on this server, with
the same scripted model. A page has the same conversation with both. Every event, every answer and
everything that the model is told must be equal, but for the differences that are named. The code is
in [`tests/sdk_servers/`](../tests/sdk_servers/__init__.py)."""


def whole_section() -> str:
    """Return the section of the docs, without its heading."""
    return "\n\n".join([_INTRODUCTION, "\n".join(_table()), "\n".join(_reasons())])


def _table() -> Iterator[str]:
    yield "| backend | shows | store | differs in |"
    yield "|---|---|---|---|"
    for case in CASES:
        link = f"[`{case.name}`]({_FOLDER}/{case.name}/)"
        stores = ", ".join(f"`{store}`" for store in case.stores)
        names = ", ".join(difference.name for difference in case.differences)
        yield f"| {link} | {case.shows} | {stores} | {names} |"


def _reasons() -> Iterator[str]:
    yield "| difference | |"
    yield "|---|---|"
    for difference in _all_differences():
        yield f"| {difference.name} | {difference.why} |"


def _all_differences() -> list[Difference]:
    return list(dict.fromkeys(each for case in CASES for each in case.differences))
