"""The page with the results of a run."""

from __future__ import annotations

from tests.faults.audit import PATIENCE, RECOVERY
from tests.faults.kills import KILL
from tests.faults.losses import Report

_HEAD = """# What is lost when something breaks

`python -m tests.faults.matrix --write docs/faults.md` injects faults and writes this page. A
*strike* is one fault as it happens in production: a connection closes, a process gets `kill -9`, a
database goes away. One strike can hit the *turns* of several people, each at a different point.
*Cut* counts the turns that had not ended yet.

In each turn the model writes three texts, and calls a tool after the first and the second. An MCP
server that no strike touches counts the calls. After each strike, the thread has to accept another
message, or answer the last one again. Then the run compares everything in the store with everything
that the client had received. Every column from the sixth on has to be 0.
"""

_COLUMNS = """
- *acknowledged items lost*: the client had received `thread.item.done`, and the item is gone or
  changed.
- *items duplicated*: items, messages or texts that are stored twice, and answers that a retry
  should have replaced.
- *events missing or duplicated*: what a follower received, over all its connections, compared with
  the turn's complete log.
- *tools run twice*: one call of the model, executed twice, or more calls than requests to the
  model.
- *threads left locked*: the next message was refused, failed, or got no answer in time:
  {recovery:g} seconds after a process or a database died, {patience:g} seconds after other faults.
- *5xx after a write*: the server answered with a 5xx, although the message is stored.
- *shown text lost*: text of an unfinished answer that the client had received is not saved. After
  `kill -9` and database faults, this counts text received at least two seconds before.
- *wrong history for the model*: the model was sent a tool call without its result, a message or a
  call twice, or not all that the user had said.
- *other errors*: another outcome than the fault should have, such as a wrong exit status.
"""


def page(report: Report, seed: int, seconds: float) -> str:
    """Return the tables, their explanation, and a list of the losses."""
    kills = sum(count for (fault, _), count in report.strikes.items() if fault.startswith(KILL))
    losses = "\n".join(f"- `{line}`" for line in report.losses) or "None."
    return "\n".join(
        [
            _HEAD,
            f"This run: seed {seed}, {len(report.runs)} turns, {kills} processes killed with "
            f"`kill -9`, {seconds / 60:.0f} minutes.\n",
            "## What was lost\n",
            report.summary(),
            _COLUMNS.format(recovery=RECOVERY, patience=PATIENCE),
            "## Where in the turn the faults struck\n",
            "How many turns were hit at each point: what their clients had received by then.\n",
            *report.points(),
            "## Losses\n",
            losses,
            "",
        ]
    )
