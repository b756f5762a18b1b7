"""The events of an answer: complete, not empty, and text that can be written."""

from __future__ import annotations

import json
import secrets
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import openai
from agents.exceptions import ModelBehaviorError
from openai.types.responses import Response, ResponseOutputItemDoneEvent, ResponseStreamEvent

from chatkit_server.models import (
    ClosableStream,
    EventPace,
    HalfJoiner,
    RequestTimer,
    valid_values,
)

EMPTY = "the model gave no answer: no text, no call and no refusal"

_PER_SECOND = 1000
"""Events of an answer, those of its text too."""
_LAST = {"response.completed", "response.incomplete", "response.failed", "error"}
_TEXT = {
    "response.output_text.delta",
    "response.refusal.delta",
    "response.reasoning_text.delta",
    "response.reasoning_summary_text.delta",
}
_PREPARATIONS = {"reasoning", "compaction", "web_search_call", "file_search_call", "mcp_list_tools"}
"""Items that only lead to an answer."""
_CALLS = {"function_call", "custom_tool_call"}


async def complete(
    stream: ClosableStream[ResponseStreamEvent], timer: RequestTimer, call_ids: set[str]
) -> AsyncGenerator[ResponseStreamEvent]:
    """Yield the events of an answer up to its last one.

    A call gets another id than those in the history, `call_ids`. Raises `TimeoutError`,
    `ConnectionError` if the answer broke off, and `ModelBehaviorError` if it is not one, or empty.
    If the last event reports a failure, the SDK's model raises it.
    """
    last, pace, answer = "", EventPace(_PER_SECOND), _Answer(call_ids)
    async with aclosing(timer.chunks(stream)) as events:
        try:
            async for given in events:
                event = (
                    given if isinstance(getattr(given, "delta", None), str) else valid_values(given)
                )
                last = getattr(event, "type", None) or last
                if answer.takes(event):
                    for done in answer.untold:
                        yield done
                    yield event
                await pace.keep()
        except (ValueError, AttributeError, TypeError, RecursionError) as error:
            raise ModelBehaviorError(
                f"the endpoint sent something that is not an event: {type(error).__name__}: {error}"
            ) from error
    if not last:
        raise ModelBehaviorError("the endpoint answered with something other than an event stream")
    if last not in _LAST:
        raise ConnectionAbortedError("the stream ended without its last event")


def checked(response: Response, call_ids: set[str]) -> Response:
    """Return an answer that is not streamed; raise `ModelBehaviorError` if it is empty."""
    response = valid_values(response)
    _Answer(call_ids).ends(response)
    return response


class _Answer:
    """What has come of an answer."""

    def __init__(self, call_ids: set[str]) -> None:
        self._taken = call_ids
        self._call_ids: dict[tuple[int, Any], str] = {}
        self._items: dict[int, Any] = {}
        self._halves: defaultdict[tuple[Any, ...], HalfJoiner] = defaultdict(HalfJoiner)
        self.untold: list[ResponseStreamEvent] = []
        """Events that the last one stands for: some servers send that one alone."""

    def takes(self, event: Any) -> bool:
        """Mend an event; return whether there is something in it."""
        _check(event)
        delta = getattr(event, "delta", None)
        if isinstance(delta, int | float) and event.type in _TEXT:
            event.delta = delta = str(delta)
        if isinstance(delta, str):
            if self._halves or not delta.isascii():
                event.delta = self._joined(event, delta)
            return bool(event.delta) or not delta
        match getattr(event, "type", None):
            case None:
                return False
            case "response.output_item.added":
                self._identify(event.output_index, event.item)
            case "response.output_item.done":
                self._identify(event.output_index, event.item)
                self._items[event.output_index] = event.item
            case "response.completed":
                self.ends(event.response)
        return True

    def ends(self, response: Response) -> None:
        """Complete a response; raise `ModelBehaviorError` if it is no answer."""
        output = response.output or []
        if len(self._items) >= len(output):
            # Some servers do not repeat the items
            output = [self._items[index] for index in sorted(self._items)]
        for index, item in enumerate(output):
            if item not in self._items.values():
                self._identify(index, item)
                self.untold.append(_done(index, item))
        response.output = output
        if not any(map(_is_answer, output)):
            raise ModelBehaviorError(EMPTY)

    def _identify(self, index: int, item: Any) -> None:
        """Give a call an id that no other has: servers of open models count from 0 each time."""
        if item.type not in _CALLS:
            return
        if item.type == "function_call" and not isinstance(item.arguments, str):
            item.arguments = json.dumps(item.arguments or {})
        place = (index, item.call_id)
        if place not in self._call_ids:
            given = item.call_id
            if not isinstance(given, str) or not given or given in self._taken:
                given = f"call_{secrets.token_hex(12)}"
            self._call_ids[place] = given
            self._taken.add(given)
        item.call_id = self._call_ids[place]

    def _joined(self, event: Any, delta: str) -> str:
        """Return text whose last half of a surrogate pair waits for the other half."""
        names = ("type", "output_index", "content_index", "summary_index")
        place = tuple(getattr(event, name, None) for name in names)
        return self._halves[place].add(delta)


def _check(event: object) -> None:
    if not isinstance(event, openai.BaseModel):
        raise TypeError(f"expected an object, not a {type(event).__name__}")


def _done(index: int, item: Any) -> ResponseStreamEvent:
    return ResponseOutputItemDoneEvent.model_construct(
        type="response.output_item.done", output_index=index, sequence_number=0, item=item
    )


def _is_answer(item: Any) -> bool:
    if item.type != "message":
        return item.type not in _PREPARATIONS
    return any(
        (getattr(part, "text", None) or getattr(part, "refusal", None) or "").strip()
        for part in item.content
    )
