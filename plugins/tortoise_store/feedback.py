"""`chatkit-server feedback`: the thumbs of all users, as a table, JSON lines or CSV."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, TextIO, get_args

import click
from chatkit.types import FeedbackKind
from pydantic import TypeAdapter, ValidationError

from chatkit_server import Duration, SettingsError

from . import sql
from .database import Database
from .url import Address

Row = dict[str, str | None]

_AT_ONCE = 100
"""Rows that are read at once; with their texts, each may have some megabytes."""

_COLUMNS = {"time": 20, "kind": 8, "tenant": 10, "user": 16, "thread": 36, "item": 36}
"""The columns of a table, with their widths. What is longer is not cut."""

_TEXTS = ("question", "text")
_SHOWN = 200
"""Characters of a text that a table shows."""

_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""How a cell begins that a spreadsheet would run."""

_DURATION: TypeAdapter[float] = TypeAdapter(Duration)


def feedback_command(opened: Callable[[], AbstractAsyncContextManager[Database]]) -> click.Command:
    """Return the command; `opened` opens the database."""

    @click.command("feedback", help="List the feedback of all users.")
    @click.option(
        "--since", callback=_since, metavar="TIME", help="As 7d, 12h or 30m ago, or 2026-01-31."
    )
    @click.option("--kind", type=click.Choice(get_args(FeedbackKind)), help="Only this kind.")
    @click.option(
        "--format",
        "form",
        type=click.Choice(list(_WRITERS)),
        default="table",
        show_default=True,
        help="How to write it.",
    )
    @click.option("--text", is_flag=True, help="Add the answer, and the question before it.")
    async def feedback(since: float, kind: str | None, form: str, text: bool) -> None:
        _write_utf8(sys.stdout)
        async with opened() as database:
            rows = _rows(database, since, kind or "", text)
            async for line in _WRITERS[form](rows, [*_COLUMNS, *(_TEXTS if text else ())]):
                sys.stdout.write(line)
        sys.stdout.flush()

    return feedback


def _since(_context: click.Context, _option: click.Parameter, given: str | None) -> float:
    """Return a time in seconds since 1970, for a duration before now or a date; 0 for None."""
    if given is None:
        return 0.0
    try:
        return datetime.now(UTC).timestamp() - _DURATION.validate_python(given)
    except ValidationError:
        pass
    try:
        time = datetime.fromisoformat(given)
    except ValueError:
        raise click.BadParameter(
            f"expected a duration such as 7d or 12h, or a date such as 2026-01-31, not {given!r}"
        ) from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


async def _rows(database: Database, since: float, kind: str, text: bool) -> AsyncIterator[Row]:
    """Yield the rows in the order in which they were first given, a few at once."""
    statement = sql.list_feedback(texts=text)
    after = 0
    while True:
        values = (after, kind, since, _AT_ONCE)
        found = await database.rows(statement, values)
        for row in found:
            yield _as_row(row)
        if len(found) < _AT_ONCE:
            return
        after = found[-1]["seq"]


def _as_row(found: Mapping[str, Any]) -> Row:
    given = found["given"]
    row: Row = {name: found[name] for name in ("kind", "tenant", "user", "thread", "item")}
    row["time"] = None if given is None else f"{datetime.fromtimestamp(given, UTC):%FT%TZ}"
    return row | {name: _text(found[name]) for name in _TEXTS if name in found}


def _text(payload: str | None) -> str | None:
    """Return what a user sees of an item."""
    if payload is None:
        return None
    item = json.loads(payload)
    content = item.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return str(item.get("copy_text") or f"({item.get('type')})")


async def _as_table(rows: AsyncIterator[Row], names: list[str]) -> AsyncIterator[str]:
    columns = {name: width for name, width in _COLUMNS.items() if name in names}
    yield _line(columns, {name: name.upper() for name in columns})
    async for row in rows:
        yield _line(columns, row)
        for name in names:
            if name not in columns and row.get(name):
                yield f"    {name}: {_in_one_line(row[name] or '')[:_SHOWN]}\n"


def _line(columns: Mapping[str, int], row: Row) -> str:
    cells = [_in_one_line(row[name] or "-").ljust(width) for name, width in columns.items()]
    return "  ".join(cells).rstrip() + "\n"


def _in_one_line(text: str) -> str:
    """Return a text without what a terminal would obey."""
    return "".join(char if char.isprintable() else " " for char in text)


async def _as_json_lines(rows: AsyncIterator[Row], names: list[str]) -> AsyncIterator[str]:
    async for row in rows:
        yield json.dumps({name: row[name] for name in names}, ensure_ascii=False) + "\n"


async def _as_csv(rows: AsyncIterator[Row], names: list[str]) -> AsyncIterator[str]:
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\n")

    def written(cells: Iterator[str]) -> str:
        writer.writerow(cells)
        text = line.getvalue()
        line.seek(0)
        line.truncate()
        return text

    yield written(iter(names))
    async for row in rows:
        yield written(_as_cell(row[name]) for name in names)


def _as_cell(value: str | None) -> str:
    """Return a cell that a spreadsheet takes for text, whatever a user has written."""
    text = value or ""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _write_utf8(stream: TextIO) -> None:
    """Write what users said in any language, wherever the command runs."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="replace")


_WRITERS = {"table": _as_table, "jsonl": _as_json_lines, "csv": _as_csv}


def require_kept(address: Address) -> None:
    """Raise `SettingsError` if a SQLite database has nothing to list."""
    if address.is_sqlite and address.file is None:
        raise SettingsError("the database is in the memory of the server, and cannot be listed")
    if address.file is not None and not address.file.exists():
        raise SettingsError(f"there is no database {address.file}: start the server first")
