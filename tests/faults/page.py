"""The page that tells what a run of the matrix has shown."""

from __future__ import annotations

from tests.faults.kills import KILL
from tests.faults.losses import Report

_HEAD = """# What is lost when something breaks

This page is written by `python -m tests.faults.matrix --write docs/faults.md`. Each *strike* is a
fault that really happens: a connection that is closed, a process that gets `kill -9`, a database
that is gone. One strike may hit the *turns* of several people, each at a point of its own; *cut*
are those that had not ended yet. In each turn the model writes three texts and calls a tool after
the first and the second; an MCP server outside of everything that is struck counts the calls. After
each strike the thread must take another message, or answer the last one again, and everything is
compared with what the client had been told. All columns from the sixth on must read 0.
"""

_COLUMNS = """
- *acknowledged items lost*: their `thread.item.done` had reached the client, and they are gone or
  changed.
- *items doubled*: items, messages or texts that are there twice, and answers beside the one that
  replaced them.
- *events missing or doubled*: what a follower heard, over all its connections, against the turn's
  whole log.
- *tools run twice*: one call of the model, executed twice; or more calls than the model was asked
  for.
- *threads left locked*: the next message was refused, failed, or got no answer in time: 15 seconds
  after a process or a database died, and 7.5 seconds after the rest.
- *5xx after a write*: the server answered with a 5xx, and the message is stored.
- *shown text lost*: text of an unfinished answer that the client had seen is not saved; after
  `kill -9` and without a database, text that was seen two seconds before.
- *model misled*: the model was sent a tool call without its result, a message or a call twice, or
  not what the user had said before.
- *otherwise wrong*: another outcome than the fault should have, such as an exit status.
"""


def page(report: Report, seed: int, seconds: float) -> str:
    """Return the tables with their explanation, and each loss."""
    kills = sum(count for (fault, _), count in report.strikes.items() if fault.startswith(KILL))
    losses = "\n".join(f"- `{line}`" for line in report.losses) or "None."
    return "\n".join(
        [
            _HEAD,
            f"This run: seed {seed}, {len(report.runs)} turns, {kills} processes killed with "
            f"`kill -9`, {seconds / 60:.0f} minutes.\n",
            "## What was lost\n",
            report.summary(),
            _COLUMNS,
            "## At which points of a turn\n",
            "The number of turns that were hit at each point, as their clients knew it.\n",
            *report.points(),
            "## Each loss\n",
            losses,
            "",
        ]
    )
