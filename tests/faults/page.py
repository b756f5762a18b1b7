"""The page with the results of a run."""

from __future__ import annotations

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
- *acknowledged items lost*: the client had received their `thread.item.done`, and they are gone or
  changed.
- *items doubled*: items, messages or texts that exist twice, and answers that a newer answer should
  have replaced.
- *events missing or doubled*: the events that a client received over all its connections, compared
  with the turn's event log.
- *tools run twice*: one tool call, executed twice; or more calls than the model made.
- *threads left locked*: the next message was refused, failed, or got no answer in time (15 seconds
  after a process or a database died, 7.5 seconds after other faults).
- *5xx after a write*: the server answered with a 5xx although it had stored the message.
- *shown text lost*: text of an unfinished answer that the client had received was not saved. After
  `kill -9` and without a database, this counts text received at least two seconds earlier.
- *model misled*: the model received a tool call without its result, a message or a call twice, or
  a history that lacks something the user had said.
- *otherwise wrong*: any other unexpected outcome, such as a wrong exit status.
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
            _COLUMNS,
            "## Where in the turn the faults struck\n",
            "How many turns were hit at each point: what their clients had received by then.\n",
            *report.points(),
            "## Losses\n",
            losses,
            "",
        ]
    )
