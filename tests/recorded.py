"""Answers of model servers as they were recorded, and the right outcome of each.

A file of `tests/model_streams/` is one such case; its README says what is in it.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from aiohttp import web

FOLDER = Path(__file__).parent / "model_streams"
STREAMS = {file.stem: file for file in sorted(FOLDER.glob("*.json"))}

KEYS = {
    "shown",
    "thoughts",
    "images",
    "annotations",
    "calls",
    "told",
    "ends",
    "flavour",
    "after",
    "fast",
    "slow",
    "litellm",
    "rounds",
}

Step = dict[str, Any]

_HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "m"}


@dataclass(frozen=True)
class Recorded:
    """One response: the steps of a stream, or a `status` with `headers` and a `body`."""

    steps: list[Step] | dict[str, Any]

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Answer the request with it."""
        if isinstance(self.steps, dict):
            body = _bytes(self.steps["body"])
            whole = web.Response(status=self.steps["status"], body=body)
            whole.headers.update(self.steps["headers"])
            return whole
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for step in self.steps:
            if "wait" in step:
                await asyncio.sleep(step["wait"])
            elif step.get("do") == "abort":
                assert request.transport is not None
                request.transport.abort()
                break
            else:
                await response.write(sent(step))
        return response


def sent(step: Step) -> bytes:
    """Return the bytes that a step sends."""
    if "raw" in step:
        return _bytes(step["raw"])
    if step.get("do") == "done":
        return b"data: [DONE]\n\n"
    return b"data: " + json.dumps(chunk_of(step)).encode() + b"\n\n"


def chunk_of(step: Step) -> Any:
    """Return the chunk that a step with `data`, `delta`, `finish` or `usage` stands for."""
    if "data" in step:
        return step["data"]
    if "usage" in step:
        return {**_HEAD, "choices": [], "usage": step["usage"]}
    choice = {"index": 0, "delta": step.get("delta", {}), "finish_reason": step.get("finish")}
    return {**_HEAD, "choices": [choice]}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Stream:
    """One case: the rounds of a turn, and what has to come of them."""

    name: str
    content: dict[str, Any]

    @classmethod
    def load(cls, name: str) -> Stream:
        """Read the file of this case."""
        content = json.loads(STREAMS[name].read_text(encoding="utf-8"))
        assert {"shown", "ends", "rounds"} <= content.keys() <= KEYS
        return cls(name, content)

    @cached_property
    def rounds(self) -> list[Recorded]:
        """What the model server answers, request by request."""
        return [Recorded(steps) for steps in self.content["rounds"]]

    def outcome(self, way: str) -> dict[str, Any]:
        """Return what has to come of it on this way to the model."""
        return {**self.content, **self.content.get(way, {})}
