"""The page with the results of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.faults.audit import PATIENCE, RECOVERY
from tests.faults.kills import KILL
from tests.faults.losses import Report
from tests.faults.world import Answering

_HEAD = """# What is lost when something breaks

`python -m tests.faults.matrix --write docs/faults.md` injects faults and writes this page. A
*strike* is one fault as it happens in production: a connection closes, a process gets `kill -9`, a
database goes away. One strike can hit the *turns* of several people, each at a different point.
*Cut* counts the turns that had not ended yet.

In each turn the model writes three texts, and calls a tool after the first and the second. An MCP
server that no strike touches counts the calls. After each strike, the thread has to accept another
message, or answer the last one again. Then the run compares everything in the store with everything
that the client had received. Every column from the sixth on has to be 0.

The faults strike three kinds of servers: one that answers with its own agent, and two that host a
server written with ChatKit's SDK, by the plugin `chatkit_sdk`. That server runs the agent in its
`respond`, with a tool of its own that posts its calls to the same place. With `store: ours`, it
keeps its conversations in this server's store. With `store: theirs`, it keeps them in a SQLite file
of its own, and this server keeps only its records of the turns.
"""

_HEADING = "# Deployments of several processes\n"

_SEVERAL = f"""{_HEADING}
`python -m tests.faults.matrix --only elsewhere carriers owners rolling --write docs/faults.md`
writes this part. Its deployments have two processes on SQLite, and three on PostgreSQL. A proxy in
front sends each request of a user to another process than the one before. All this runs with the
plugin `redis_events`, and without it:

- A connection is cut after each event of a turn, and the stream goes on at another process. An
  answer is stopped from another process after each event, while a page follows it at a third one.
- The process of a turn gets `kill -9` after each of its events. Its user and a second page go on at
  other processes, and learn there how the turn ended.
- All processes are replaced one after the other while users chat. Nobody may notice anything.
- PostgreSQL goes away for up to two seconds. Redis is killed and started, emptied, filled, and
  silenced.

What each page shows at the end, with every event taken strictly, must be what is stored.
"""

_OF = {
    "agent": "The server's own agent",
    "ours": "A server written with ChatKit's SDK, `store: ours`",
    "theirs": "A server written with ChatKit's SDK, `store: theirs`",
}

_HOSTED = """
What cannot hold for a server written with ChatKit's SDK:

- Its model is told what ChatKit's `ThreadItemConverter` makes of the stored items: texts, and no
  tool calls. After a crash, and in any later turn, it does not know which tools have run, and may
  call them again.
- A tool that runs in a thread (`asyncio.to_thread`) goes on after Stop until it returns. The turn
  ends at once, and the result is not used.
- With `store: theirs`, a process that was suspended for longer than `turns.stale` may still save an
  item when it goes on, before it notices. This server's own store does not take that.
- With `store: theirs`, a `context` that raises without a request delays the recovery of a turn
  until its user has sent one.
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
  `kill -9` and database faults, this counts text received at least two seconds before; where Redis
  carries the events of a process that is killed, half a second.
- *wrong history for the model*: the model was sent a tool call without its result, a message or a
  call twice, or not all that the user had said.
- *other errors*: another outcome than the fault should have, such as a wrong exit status.
"""


def page(whole: str, reports: Mapping[Answering, Report], seed: int, seconds: float) -> str:
    """Return a page that begins with these reports; what it has of several processes stays."""
    notes = _COLUMNS.format(recovery=RECOVERY, patience=PATIENCE).lstrip(), _HOSTED.lstrip()
    _, heading, several = whole.partition(_HEADING)
    kept = f"\n{heading}{several}" if heading else ""
    return _part(_HEAD, notes, reports, seed, seconds) + kept


def with_several(whole: str, reports: Mapping[Answering, Report], seed: int, seconds: float) -> str:
    """Return a page whose last part is about these reports of deployments of several processes."""
    before = whole.partition(_HEADING)[0].rstrip()
    return f"{before}\n\n{_part(_SEVERAL, (), reports, seed, seconds)}".lstrip()


def _part(
    head: str,
    notes: Iterable[str],
    reports: Mapping[Answering, Report],
    seed: int,
    seconds: float,
) -> str:
    whole = list(reports.values())
    strikes = [strike for report in whole for strike in report.strikes.items()]
    kills = sum(count for (fault, _), count in strikes if fault.startswith(KILL))
    turns = sum(len(report.runs) for report in whole)
    losses = [f"- `{of}: {line}`" for of, report in reports.items() for line in report.losses]
    named = [(f"### {_OF[of]}\n", report) for of, report in reports.items()]
    return "\n".join(
        [
            head,
            f"This run: seed {seed}, {turns} turns, {kills} processes killed with `kill -9`, "
            f"{seconds / 60:.0f} minutes.\n",
            "## What was lost\n",
            *(line for title, report in named for line in (title, report.summary(), "")),
            *notes,
            "## Where in the turn the faults struck\n",
            "How many turns were hit at each point: what their clients had received by then.\n",
            *(line for title, report in named for line in (title, *report.points())),
            "## Losses\n",
            *(losses or ["None."]),
            "",
        ]
    )
