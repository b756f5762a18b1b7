"""Answers that no model server sends: cut, doubled, out of order, with values of wrong types.

Whatever comes, the turn ends with an answer or in words, and the next message gets its answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from chatkit.types import Thread
from hypothesis import given
from hypothesis import strategies as st

from chatkit_server.turns.failures import GENERAL
from tests.recorded import STREAMS, Recorded, Stream, chunk_of
from tests.stage import WAYS, Stage, open_stage
from tests.strict_history import check
from tests.test_fuzz import JUNK, NUMBERS, ODD_TEXT, places_in, some

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:litellm")

ROUNDS: list[list[Any]] = [Stream.load(name).content["rounds"] for name in STREAMS]
SHORT = st.one_of(st.none(), st.booleans(), NUMBERS, ODD_TEXT)


class Tracebacks(logging.Handler):
    """Keeps what is logged with a traceback."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.records.append(record)


class Target:
    """The servers, asked from outside of their event loop."""

    def __init__(self, runner: asyncio.Runner, stage: Stage, log: Tracebacks) -> None:
        self.runner, self.stage, self.log = runner, stage, log

    def play(self, way: str, rounds: list[Any]) -> None:
        """Answer a message with these rounds, and the next one as the model server does."""
        self.runner.run(self._play(way, [Recorded(steps) for steps in rounds]))

    async def _play(self, way: str, rounds: list[Recorded]) -> None:
        models = self.stage.models
        models.script.clear()
        models.script.extend(rounds)
        models.requests.clear()
        self.log.records.clear()
        streamed = await self.stage.say(way, "How is it?", None, WAYS[way])
        assert streamed.error is None or streamed.error["message"] != GENERAL
        models.script.clear()
        again = await self.stage.say(way, "And now?", streamed.thread_id, WAYS[way])
        assert again.error is None
        assert again.text.endswith("And now?")
        for request in models.requests:
            assert check("openai", request.body) == []
        thread = await self.stage.chats[way].ask("threads.get_by_id", thread_id=again.thread_id)
        Thread.model_validate(thread)
        assert [record.getMessage() for record in self.log.records] == []


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    """Servers for all examples."""
    log = Tracebacks()
    logging.getLogger().addHandler(log)
    with asyncio.Runner() as runner:
        stage = open_stage()
        yield Target(runner, runner.run(stage.__aenter__()), log)
        runner.run(stage.__aexit__(None, None, None))
    logging.getLogger().removeHandler(log)


@st.composite
def changed_streams(draw: Callable[..., Any]) -> list[Any]:
    """The rounds of a case, changed in up to three places."""
    rounds: list[Any] = deepcopy(draw(st.sampled_from(ROUNDS)))
    for _ in range(draw(st.integers(1, 3))):
        steps = draw(st.sampled_from(rounds))
        if isinstance(steps, dict):
            steps["body"] = steps["body"][: draw(st.integers(0, len(steps["body"])))]
        elif steps:
            _change(draw, steps)
    return rounds


def _change(draw: Callable[..., Any], steps: list[dict[str, Any]]) -> None:
    at = draw(st.integers(0, len(steps) - 1))
    match draw(
        st.sampled_from(["value", "value", "value", "cut", "double", "move", "drop", "raw"])
    ):
        case "cut":
            del steps[at:]
        case "double":
            steps.insert(draw(st.integers(0, len(steps))), deepcopy(steps[at]))
        case "move":
            steps.insert(draw(st.integers(0, len(steps) - 1)), steps.pop(at))
        case "drop":
            del steps[at]
        case "raw":
            data = draw(st.sampled_from(_RAW))
            steps.insert(at, {"raw": data})
        case "value" if steps[at].keys() & {"data", "delta", "finish", "usage"}:
            chunk = deepcopy(chunk_of(steps[at]))
            spots = list(places_in(chunk))
            if spots:
                container, key = draw(st.sampled_from(spots))
                _change_value(draw, container, key)
            steps[at] = {"data": chunk}


def _change_value(draw: Callable[..., Any], container: Any, key: Any) -> None:
    match draw(st.sampled_from(["short", "short", "junk", "drop", "wrap", "add"])):
        case "short":
            container[key] = draw(SHORT)
        case "junk":
            container[key] = draw(JUNK)
        case "drop":
            del container[key]
        case "wrap":
            container[key] = [container[key]]
        case "add" if isinstance(container, dict):
            container[draw(st.sampled_from(_FIELDS))] = draw(JUNK)


_RAW = [
    "data: null\n\n",
    "data: {}\n\n",
    "data: [[]]\n\n",
    "data: {\n\n",
    "data: 1e999\n\n",
    'data: {"choices": 1}\n\n',
    'data: {"choices": [null]}\n\n',
    'data: {"error": null, "choices": []}\n\n',
    'data: {"error": [[{"message": 1}]]}\n\n',
    "event: error\ndata: overloaded\n\n",
    "data: [DONE]\n\n",
    "\udcef\udcbb\udcbf",
    "\r\r\n",
    "\udcff\udcfe",
]
_FIELDS = [
    "content",
    "delta",
    "message",
    "error",
    "refusal",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "thinking",
    "tool_calls",
    "function_call",
    "images",
    "audio",
    "annotations",
    "citations",
    "extra_content",
    "finish_reason",
    "usage",
]


def test_a_stream_that_is_not_changed(target: Target) -> None:
    for way in WAYS:
        target.play(way, Stream.load("t-normal").content["rounds"])


@some(200)
@given(st.sampled_from(list(WAYS)), changed_streams())
def test_any_stream_leaves_a_thread_that_goes_on(
    target: Target, way: str, rounds: list[Any]
) -> None:
    target.play(way, rounds)
