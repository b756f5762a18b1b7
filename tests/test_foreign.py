"""Models of other libraries: the ids of their calls, and arguments that are no text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from agents import Model, ModelResponse, Usage
from openai.types.responses import ResponseFunctionToolCall

from chatkit_server.agent.foreign import with_own_ids


class Event:
    """An event of a response, as much of it as matters here."""

    def __init__(self, type: str, **fields: Any) -> None:
        self.type = type
        self.__dict__.update(fields)

    def model_copy(self, update: dict[str, Any]) -> Event:
        return Event(**{**self.__dict__, **update})


class Server(Model):
    """A model that sends these calls in each answer, as events of all kinds."""

    def __init__(self, *calls: Any, added: bool = True) -> None:
        self.calls = calls
        self.added = added
        self.answers = 0

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        return ModelResponse(output=list(self.calls), usage=Usage(), response_id=None)

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        self.answers += 1
        for index, call in enumerate(self.calls):
            if self.added:
                yield Event("response.output_item.added", item=call, output_index=index)
                yield Event("response.function_call_arguments.delta", output_index=index)
            yield Event("response.output_item.done", item=call, output_index=index)
        response = Event("response", output=list(self.calls))
        yield Event("response.completed", response=response)


def call(call_id: Any, arguments: Any = "{}") -> Any:
    fields = {"call_id": call_id, "name": "add", "arguments": arguments}
    return ResponseFunctionToolCall.model_construct(type="function_call", **fields)


async def answered(model: Model) -> tuple[list[Any], list[Any]]:
    """Return the calls of one answer, as they came and as they were told at its end."""
    events = [event async for event in model.stream_response()]  # type: ignore[call-arg]
    done = [event.item for event in events if event.type == "response.output_item.done"]
    return done, events[-1].response.output  # type: ignore[union-attr]


@pytest.mark.parametrize("added", [True, False])
@pytest.mark.parametrize("ids", [("a", "b"), ("a", "a"), ("", ""), (None, "x" * 99), ("a", "")])
async def test_each_call_has_one_id_in_all_events(ids: tuple[Any, ...], added: bool) -> None:
    model = with_own_ids(Server(*map(call, ids), added=added))
    seen: set[str] = set()
    for _ in range(3):
        done, whole = await answered(model)
        found = [item.call_id for item in done]
        assert found == [item.call_id for item in whole]
        assert not seen & set(found)
        assert len(set(found)) == len(found)
        seen |= set(found)
    assert ("a" in seen) is ("a" in ids), "an id that can stay stays"


async def test_sound_answers_pass_unchanged() -> None:
    server = Server(call("a"), call("b"))
    done, whole = await answered(with_own_ids(server))
    assert all(a is b for a, b in zip(done + whole, server.calls * 2, strict=True))


async def test_the_model_itself_answers() -> None:
    server = Server(call("a"))
    for _ in range(2):
        await answered(with_own_ids(server))
    assert server.answers == 2
    response = await with_own_ids(Server(call("a"), call("a"))).get_response()  # type: ignore[call-arg]
    first, second = [item.call_id for item in response.output]  # type: ignore[union-attr]
    assert first != second


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (None, "{}"),
        ({"a": 1}, '{"a": 1}'),
        ('{"a": "\\ud83d"}', '{"a": "\ufffd"}'),
        ('{"a', '{"a'),
        ("\ud83d", "\ufffd"),
    ],
)
async def test_arguments_are_text(given: Any, text: str) -> None:
    done, whole = await answered(with_own_ids(Server(call("a", given))))
    assert [item.arguments for item in done + whole] == [text, text]
