"""Models of other libraries: each of their calls gets an id of its own, and arguments as text.

Many model servers give every call the same id, or none. The Agents SDK takes two calls with one id
for the same call, and makes it once.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, cast

from agents import Model, ModelResponse
from agents.items import TResponseStreamEvent

from ..ids import new_id
from ..text import valid_text
from .pairs import is_sound_id
from .tools import arguments_of, is_object, output_text

_ITEMS = ("response.output_item.added", "response.output_item.done")
_ENDS = ("response.completed", "response.incomplete", "response.failed")


def with_own_ids(model: Model, known: set[str] | None = None) -> Model:
    """Return a copy of a model for one turn whose calls have different ids, none of them `known`.

    Its answers come from the model itself, which may count them.
    """
    used = set() if known is None else known

    async def get_response(*args: Any, **kwargs: Any) -> ModelResponse:
        response = await model.get_response(*args, **kwargs)
        response.output = _Answer(used).whole(response.output)
        return response

    async def stream_response(*args: Any, **kwargs: Any) -> AsyncIterator[TResponseStreamEvent]:
        answer = _Answer(used)
        stream = cast(AsyncGenerator[TResponseStreamEvent], model.stream_response(*args, **kwargs))
        async with aclosing(stream) as events:
            async for event in events:
                yield answer.event(event)

    copied = copy.copy(model)
    vars(copied).update(get_response=get_response, stream_response=stream_response)
    return copied


class _Answer:
    """The ids of the calls in one answer."""

    def __init__(self, used: set[str]) -> None:
        self._used = used
        self._at: dict[int, str] = {}
        self._given: defaultdict[Any, list[str]] = defaultdict(list)

    def event(self, event: Any) -> Any:
        """Return an event with the calls in it changed."""
        if event.type in _ITEMS:
            item = self._item(event.item, event.output_index)
            return event if item is event.item else event.model_copy(update={"item": item})
        if event.type in _ENDS:
            output = self.whole(event.response.output)
            if output is not event.response.output:
                response = event.response.model_copy(update={"output": output})
                return event.model_copy(update={"response": response})
        return event

    def whole(self, output: list[Any]) -> list[Any]:
        """Return all items of the answer; calls that came before have the ids that they got."""
        given = {call_id: iter(ids) for call_id, ids in self._given.items()}
        found = [self._named(item, given) if _is_call(item) else item for item in output]
        return found if any(a is not b for a, b in zip(found, output, strict=True)) else output

    def _named(self, item: Any, given: dict[Any, Any]) -> Any:
        known = next(given.get(item.call_id, iter(())), None)
        return _with(item, known or self._new(item.call_id))

    def _item(self, item: Any, index: int) -> Any:
        if not _is_call(item):
            return item
        if index not in self._at:
            self._at[index] = self._new(item.call_id)
        if self._at[index] not in self._given[item.call_id]:
            self._given[item.call_id].append(self._at[index])
        return _with(item, self._at[index])

    def _new(self, given: Any) -> str:
        call_id = given if is_sound_id(given) and given not in self._used else new_id("call")
        self._used.add(call_id)
        return call_id


def _is_call(item: Any) -> bool:
    return getattr(item, "type", None) == "function_call"


def _with(item: Any, call_id: str) -> Any:
    changes: dict[str, Any] = {}
    if item.call_id != call_id:
        changes["call_id"] = call_id
    if (name := valid_text(str(item.name))) != item.name:
        changes["name"] = name
    if not is_object(item.arguments):
        # The Agents SDK wants text, and cannot take halves of characters in it
        found = arguments_of(item.arguments)
        given = item.arguments if found is None else found
        changes["arguments"] = valid_text(output_text(given))
    return item.model_copy(update=changes) if changes else item
