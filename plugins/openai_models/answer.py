"""The events of an answer: complete, not empty, and text that can be written."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import openai
from agents.exceptions import ModelBehaviorError
from openai.types.responses import Response, ResponseStreamEvent

from chatkit_server.models import ClosableStream, EventPace, RequestTimer

EMPTY = "the model gave no answer: no text, no call and no refusal"

_PER_SECOND = 1000
"""Events of an answer, those of its text too."""
_LAST = {"response.completed", "response.incomplete", "response.failed", "error"}
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
            async for event in events:
                last = event.type
                if answer.takes(event):
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
    if _has_halves(response):
        _mend(response)
    _Answer(call_ids).ends(response)
    return response


class _Answer:
    """What has come of an answer."""

    def __init__(self, call_ids: set[str]) -> None:
        self._taken = call_ids
        self._call_ids: dict[tuple[int, Any], str] = {}
        self._items: list[Any] = []
        self._halves: dict[tuple[Any, ...], str] = {}

    def takes(self, event: Any) -> bool:
        """Mend an event; return whether there is something in it."""
        delta = getattr(event, "delta", None)
        if isinstance(delta, str):
            if self._halves or not delta.isascii():
                event.delta = self._joined(event, delta)
            return bool(event.delta) or not delta
        if _has_halves(event):
            _mend(event)
        match event.type:
            case "response.output_item.added":
                self._identify(event.output_index, event.item)
            case "response.output_item.done":
                self._identify(event.output_index, event.item)
                self._items.append(event.item)
            case "response.completed":
                self.ends(event.response)
        return True

    def ends(self, response: Response) -> None:
        """Complete a response; raise `ModelBehaviorError` if it is no answer."""
        repeated = response.output or []
        if len(self._items) >= len(repeated):
            # Some servers do not repeat the items
            response.output = self._items
        else:
            for index, item in enumerate(repeated):
                self._identify(index, item)
        if not any(map(_is_answer, response.output)):
            raise ModelBehaviorError(EMPTY)

    def _identify(self, index: int, item: Any) -> None:
        """Give a call an id that no other has: servers of open models count from 0 each time."""
        if item.type not in _CALLS:
            return
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
        text = self._halves.pop(place, "") + delta
        if "\ud800" <= text[-1:] <= "\udbff":
            self._halves[place] = text[-1]
            text = text[:-1]
        return _valid(text)


def _is_answer(item: Any) -> bool:
    if item.type != "message":
        return item.type not in _PREPARATIONS
    return any(
        (getattr(part, "text", None) or getattr(part, "refusal", None) or "").strip()
        for part in item.content
    )


def _valid(text: str) -> str:
    """Join surrogate pairs; what is left of one becomes U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _has_halves(model: openai.BaseModel) -> bool:
    try:
        model.model_dump_json(warnings=False)
    except ValueError:
        return True
    return False


def _mend(value: Any) -> Any:
    """Return a value in which all text can be written; models are changed in place."""
    if isinstance(value, str):
        return value if value.isascii() else _valid(value)
    if isinstance(value, dict):
        return {_mend(key): _mend(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_mend(inner) for inner in value]
    if isinstance(value, openai.BaseModel):
        for fields in (value.__dict__, value.__pydantic_extra__ or {}):
            fields.update({name: _mend(inner) for name, inner in fields.items()})
    return value
