"""Recorded answers of model servers, on every way to a model: what is shown, stored and called.

Each case is a file of `tests/model_streams/`. After it, the thread goes on with every provider
whose rules `tests/strict_history.py` knows.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from chatkit_server.testing.model_server import plain_text
from chatkit_server.turns.failures import GENERAL
from tests.client import Streamed
from tests.recorded import STREAMS, Recorded, Step, Stream, sent
from tests.stage import FLAVOURS, PROVIDERS, WAYS, Stage, open_stage
from tests.strict_history import check

_FINE: list[Step] = [{"delta": {"content": "Fine."}}, {"finish": "stop"}, {"do": "done"}]
FINE = Recorded([{"raw": b"".join(map(sent, _FINE)).decode()}])
"""An answer to each message after a case, sent at once."""

PICTURE = "iVBORw0KGgo"
"""How the bytes of each PNG begin in base64."""

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:litellm"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    """One for all cases."""
    async with open_stage() as stage:
        yield stage


@dataclass
class Seen:
    """What came of a turn: as it was streamed, and as the thread has it."""

    streamed: Streamed
    stored: list[dict[str, Any]]
    calls: list[list[Any]]
    answers: list[str]
    """What the model was told of its calls."""
    log: list[logging.LogRecord]

    def texts(self, items: list[dict[str, Any]]) -> list[str]:
        """Return the texts of the assistant's messages that have one."""
        messages = [item for item in items if item["type"] == "assistant_message"]
        texts = ["".join(part["text"] for part in item["content"]) for item in messages]
        return [text for text in texts if text]

    @property
    def done(self) -> list[dict[str, Any]]:
        """The items that were streamed to their end."""
        events = self.streamed.data
        return [event["item"] for event in events if event.get("type") == "thread.item.done"]


async def _play(
    stage: Stage, stream: Stream, way: str, caplog: pytest.LogCaptureFixture, thread: str | None
) -> Seen:
    """Let the model server play a case, as the answer to a message."""
    before = await stage.items(thread) if thread else []
    model = WAYS[way]
    if way != "litellm" and "flavour" in stream.content:
        model = FLAVOURS[stream.content["flavour"]]
    stage.models.script.clear()
    stage.models.script.extend(stream.rounds)
    stage.models.requests.clear()
    stage.calls.clear()
    caplog.clear()
    streamed = await stage.say(way, "How is it?", thread, model)
    stored = (await stage.items(streamed.thread_id))[: -len(before) or None]
    last = stage.models.requests[-1].body["messages"] if stage.models.requests else []
    answers: list[str] = []
    for message in last:
        if message["role"] == "user":
            answers = []
        elif message["role"] == "tool":
            answers.append(plain_text(message["content"]))
    return Seen(streamed, stored, list(stage.calls), answers, list(caplog.records))


def _wrong(outcome: dict[str, Any], seen: Seen) -> list[str]:
    """Return how a turn differs from what has to come of it."""
    return [
        *_wrong_text(outcome["shown"], seen),
        *_wrong_thoughts(outcome.get("thoughts", ""), seen),
        *_wrong_media(outcome, seen),
        *_wrong_calls(outcome, seen),
        *_wrong_end(outcome["ends"], seen),
    ]


def _wrong_text(shown: Any, seen: Seen) -> list[str]:
    wrong = []
    stored = seen.texts(seen.stored)
    found = {
        "streamed": [seen.streamed.text],
        "done": seen.texts(seen.done),
        "stored": stored,
    }
    for where, texts in found.items():
        if isinstance(shown, list) and where != "streamed":
            right = texts == shown
        else:
            right = _fits("".join(texts), "".join(shown) if isinstance(shown, list) else shown)
        if not right:
            wrong.append(f"{where}: {texts!r}, not {shown!r}")
    return wrong


def _fits(text: str, right: Any) -> bool:
    """Whether a text is the right one, or like a pattern."""
    return bool(re.fullmatch(right["like"], text)) if isinstance(right, dict) else text == right


def _wrong_thoughts(thoughts: Any, seen: Seen) -> list[str]:
    wrong = []
    for where, items in (("done", seen.done), ("stored", seen.stored)):
        flows = [item["workflow"] for item in items if item["type"] == "workflow"]
        tasks = [task for flow in flows for task in flow["tasks"] if task["type"] == "thought"]
        found = "".join(task["content"] for task in tasks).strip()
        if not _fits(found, thoughts):
            wrong.append(f"thoughts {where}: {found!r}, not {thoughts!r}")
    return wrong


def _wrong_media(outcome: dict[str, Any], seen: Seen) -> list[str]:
    wrong = []
    images = [item for item in seen.stored if item["type"] == "generated_image"]
    if len(images) != outcome.get("images", 0):
        wrong.append(f"{len(images)} images")
    messages = [item for item in seen.stored if item["type"] == "assistant_message"]
    parts = [part for item in messages for part in item["content"]]
    cited = [one["source"]["url"] for part in parts for one in part.get("annotations") or ()]
    if cited != outcome.get("annotations", []):
        wrong.append(f"annotations: {cited}")
    return wrong


def _wrong_calls(outcome: dict[str, Any], seen: Seen) -> list[str]:
    wrong = []
    if seen.calls != outcome.get("calls", []):
        wrong.append(f"calls: {seen.calls}, not {outcome.get('calls', [])}")
    told = outcome.get("told")
    if told is not None and not (
        len(told) == len(seen.answers)
        and all(re.search(words, answer) for words, answer in zip(told, seen.answers, strict=True))
    ):
        wrong.append(f"the model was told {seen.answers}, not {told}")
    return wrong


def _wrong_end(ends: Any, seen: Seen) -> list[str]:
    wrong = [f"traceback: {r.getMessage()[:300]}" for r in seen.log if r.exc_info]
    error = seen.streamed.error
    if error is not None and error["message"] == GENERAL:
        wrong.append(f"nobody foresaw it: {[r.getMessage() for r in seen.log]}"[:500])
    if ends == "done":
        if error is not None:
            wrong.append(f"error: {error['message']} {_told(seen)}")
        return wrong
    if error is None:
        return [*wrong, f"no error, instead of {ends['error']!r}"]
    if not re.search(ends["error"], error["message"]):
        wrong.append(f"error: {error['message']!r}, not {ends['error']!r}")
    if "retry" in ends and bool(error.get("allow_retry")) != ends["retry"]:
        wrong.append(f"retry is {error.get('allow_retry')}")
    if "log" in ends and not re.search(ends["log"], _told(seen)):
        wrong.append(f"{ends['log']!r} is not in the log: {_told(seen)}")
    return wrong


def _told(seen: Seen) -> str:
    return " | ".join(r.getMessage() for r in seen.log if r.levelno >= logging.WARNING)[:500]


def _wrong_history(outcome: dict[str, Any], body: dict[str, Any], flavour: str) -> list[str]:
    """Return what is wrong with the next request, for this provider and in itself."""
    wrong = check(flavour, body)
    if not plain_text(body["messages"][-1].get("content")).endswith("And now?"):
        wrong.append(f"{flavour}: the message itself is not there")
    if any(PICTURE in plain_text(message.get("content")) for message in body["messages"]):
        wrong.append(f"{flavour}: base64 in the text of the history")
    if not isinstance(outcome["shown"], dict):
        said = [m.get("content") for m in body["messages"] if m["role"] == "assistant"]
        text = "".join(map(plain_text, said))
        shown = outcome["shown"]
        # Where calls are told as text, they come between the texts
        told = shown if isinstance(shown, list) else [shown]
        if not re.search(".*".join(map(re.escape, told)), text, re.DOTALL):
            wrong.append(f"{flavour}: the history has {text!r}, not {outcome['shown']!r}")
        thoughts = outcome.get("thoughts")
        if isinstance(thoughts, str) and thoughts in text:
            wrong.append(f"{flavour}: thoughts in the text of the history")
    return wrong


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", STREAMS)
async def test_stream(stage: Stage, name: str, way: str, caplog: pytest.LogCaptureFixture) -> None:
    stream = Stream.load(name)
    outcome = stream.outcome(way)
    thread = None
    if "after" in outcome:
        first = await _play(stage, Stream.load(outcome["after"]), way, caplog, None)
        thread = first.streamed.thread_id
    seen = await _play(stage, stream, way, caplog, thread)
    wrong = _wrong(outcome, seen)
    flavour = "openai" if way == "litellm" else outcome.get("flavour", "openai")
    for request in list(stage.models.requests)[1:]:
        wrong += [f"in the turn: {problem}" for problem in check(flavour, request.body)]
    if stage.models.script and outcome["ends"] == "done":
        wrong.append(f"{len(stage.models.script)} rounds were not asked for")
    stage.models.script.clear()
    wrong += await _go_on(stage, way, seen.streamed.thread_id, outcome)
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


async def _go_on(stage: Stage, way: str, thread_id: str, outcome: dict[str, Any]) -> list[str]:
    """Send more messages in the thread; return what is wrong with them."""
    wrong = []
    models = {"test": WAYS[way]}
    # All ways store the same
    if way == "fast" and stage.is_new_history(thread_id):
        models |= PROVIDERS
    for flavour, model in models.items():
        stage.models.requests.clear()
        stage.models.script.append(FINE)
        streamed = await stage.say(way, "And now?", thread_id, model)
        if streamed.text != "Fine." or streamed.error is not None:
            wrong.append(f"{flavour}: the next message gets {streamed.text!r}, {streamed.error}")
        for request in stage.models.requests:
            rules = flavour if flavour in PROVIDERS else "openai"
            wrong += _wrong_history(outcome, request.body, rules)
        stage.models.script.clear()
    return wrong
