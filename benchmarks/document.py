"""The page that a full run writes, docs/performance.md, and its chart."""

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

This page compares the cost of a token and of a turn with the official SDK, and with the least \
that any server could do. `python -m benchmarks` measures it and writes this page.

![CPU time per token by server]({chart})

## Comparison

{comparison}

- A turn has {tokens} tokens. *At once*: 16 chats, and the model sends its whole answer \
immediately. *One by one*: 50 chats start at the same moment, and the model sends a token every \
50 ms.
- *Token* is the CPU time of the server process during a turn, user and system, divided by the \
turn's tokens. It includes the cost of the turn itself. *By floor* divides it by the floor's.
- *Extra* leaves that out: it is the cost of a turn of {tokens} tokens minus that of a one-token \
turn, divided by the other tokens.
- *First* is the time from the request to the first token, when tokens come one by one.

## Many chats, and memory

{many}

- {paced} concurrent chats, each at one token every 50 ms. The server, the model and the clients \
share one machine. *Turn ÷ model time* is how long a turn took, divided by how long the model \
took. The p99 is over turns.
- *Open stream* is a stream that waits for its model: the memory that each of {streams} adds.
- *Memory* is measured after {first_turns} turns and after {all_turns} turns of {tokens} tokens \
each.

## Goals

{goals}

A long thread has {long} items, a short one {short}. Missed goals:

{unreached}

## What was compared

- *The floor*: aiohttp reads the model's lines from a connection pool, parses each, and writes one \
ChatKit event. It has no agent, no store, no users and no error handling.
- *This server*: `chatkit-server run` with the default plugins, SQLite on disk, and a plugin that \
implements every hook. Its model comes from `compatible_models` or `litellm_models`. The answers \
are only text, so no turn needs a run of the Agents SDK. *A run for each turn* forces one in every \
turn, as a tool call would.
- *The official SDK*: `openai-chatkit`'s `ChatKitServer` in FastAPI, as its documentation shows \
it, on uvicorn with uvloop and httptools, without access log and tracing, with an in-memory store. \
Its model is the Agents SDK's class for chat completions, or its LiteLLM extension.

All servers were measured in the same run, in {rounds} rounds; the figures are medians. The model \
server is a separate process that sends chunks encoded in advance. The clients are another process \
and check every stream to its last byte.

Measured on {machine}; the load average at the start was {load:.2f}. {versions}.

## Run the benchmarks

On Linux:

```sh
pip install -e '.[bench]'
python -m benchmarks                                  # everything; writes this page
python -m benchmarks --quick                          # a first impression
python -m benchmarks tokens --server ours floor       # one part, some servers
python -m benchmarks tokens --server ours --profile   # where the time goes
```
"""


@dataclass(frozen=True)
class Profiled:
    """A section of the page that shows where the time goes."""

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
        unreached=unreached(results) or "- None.",
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
