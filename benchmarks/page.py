"""The page that a whole run writes: docs/performance.md, and its chart beside it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from .machine import described
from .parts import Size
from .report import chart, comparison, goal_table, many, unreached
from .results import Results

CHART = "performance.svg"
LIBRARIES = (
    "chatkit-server",
    "aiohttp",
    "openai-agents",
    "openai-chatkit",
    "litellm",
    "fastapi",
    "uvicorn",
    "uvloop",
)

_PAGE = """\
# Performance

What one token costs, and one turn, beside the official SDK and beside the least that any server \
could do. `python -m benchmarks` measured this and wrote this page.

![Processor time of a token by server]({chart})

## Side by side

{comparison}

- A turn has {tokens} tokens. *At once*: 16 chats, whose model says everything as soon as it is \
asked. *One by one*: 50 chats that begin at the same moment, one token every 50 ms.
- The first columns are the processor time of the server's process in a turn, user and system, by \
the turn's tokens: what the turn costs itself is part of it. *Further* is a token beyond the \
first, without that: the cost of a turn of {tokens} tokens less that of a turn of one, by the \
other tokens.
- *First* is the time from the request to the first token, of the chats that come one by one.

## Many chats, and memory

{many}

- {paced} chats at any time, one token every 50 ms each, with the server, the model and the \
clients on one machine: a turn's time by the time that the model took for it. The p99 is of turns.
- An open stream waits for its model: {streams} of them, each by what it adds to the first.
- Memory after {first_turns} turns and after {all_turns} turns, of {tokens} tokens each.

## Goals

{goals}

A long thread has {long} items, a short one {short}. Where a goal is not reached:

{unreached}

## The servers

- *The floor*: aiohttp reads the model's lines from one pool of connections, parses each, and \
writes one ChatKit event. It has no agent, no store, no users and no errors.
- *This server*: `chatkit-server run` with the default plugins, SQLite on disk, and a plugin that \
implements every hook. Its model is one of `compatible_models`, or of `litellm_models`. The \
answers are nothing but text, so its turns are over before a run of the Agents SDK begins. *A run \
for each turn* is the same with such a run in every turn, as in turns that call tools.
- *The official SDK*: `openai-chatkit`'s `ChatKitServer` in FastAPI, as its documentation builds \
it, on uvicorn with uvloop and httptools, without access log and tracing, its store in memory. \
Its model is the Agents SDK's own class for chat completions, or its extension for LiteLLM.

All of them were asked in turn in the same run, {rounds} rounds one after the other; the figures \
are medians. The model server is a process of its own that writes chunks encoded beforehand, the \
clients are another, and they check every stream to its last byte.

Measured on {machine}; the load average was {load:.2f} when it began. {versions}.

## Measure it yourself

On Linux:

```sh
pip install -e '.[bench]'
python -m benchmarks                                  # everything, and writes this page
python -m benchmarks --quick                          # a first impression
python -m benchmarks tokens --server ours floor       # one part, some servers
python -m benchmarks tokens --server ours --profile   # where the time goes
```
"""


@dataclass(frozen=True)
class Profiled:
    """A section of the page that says where the time goes."""

    head: str
    text: str


def write_page(
    file: Path, results: Results, size: Size, load: float, profiled: list[Profiled], tokens: int
) -> None:
    """Write the page and its chart."""
    text = _PAGE.format(
        chart=CHART,
        comparison=comparison(results),
        many=many(results),
        goals=goal_table(results),
        unreached=unreached(results) or "- All are reached.",
        tokens=tokens,
        paced=size.paced_chats,
        streams=f"{size.streams:,}",
        first_turns=f"{size.growth[0]:,}",
        all_turns=f"{size.growth[1]:,}",
        long=f"{size.long:,}",
        short=size.short,
        rounds=size.rounds,
        machine=described(),
        load=load,
        versions=", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    )
    sections = [f"\n## {one.head}\n\n{one.text}\n" for one in profiled]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "".join(sections), "utf-8")
    file.with_name(CHART).write_text(chart(results), "utf-8")
