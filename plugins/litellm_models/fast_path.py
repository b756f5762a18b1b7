"""Text that goes from a provider's stream to the turn, past LiteLLM.

LiteLLM makes several objects of each chunk, and in the end the text is the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, Callable
from typing import Any, Protocol

import litellm
from litellm import constants
from pydantic import BaseModel

from chatkit_server.models import ClosableStream, valid_text

# What LiteLLM makes of a line of a stream that has no data
_EMPTY = (
    None,
    {
        "text": "",
        "is_finished": False,
        "finish_reason": "",
        "usage": None,
        "index": 0,
        "tool_use": None,
    },
)


class LitellmStream(ClosableStream[Any], Protocol):
    """LiteLLM's stream, which keeps the provider's finish reason."""

    completion_stream: Any
    received_finish_reason: str | None
    intermittent_finish_reason: str | None


def passes_text_on(stream: Any) -> bool:
    """Whether LiteLLM does nothing with an answer's text but pass it on."""
    return not (
        litellm.post_call_rules
        or getattr(constants, "LITELLM_MAX_STREAMING_DURATION_SECONDS", None) is not None
        or getattr(stream, "merge_reasoning_content_in_choices", True)
    )


def insert_filter(stream: Any, take: Callable[[str], bool]) -> TextFilter | None:
    """Put a filter before LiteLLM's stream, if that only passes text on."""
    raw = getattr(stream, "completion_stream", None)
    if not isinstance(raw, AsyncIterable) or not passes_text_on(stream):
        return None
    stream.completion_stream = text_filter = TextFilter(stream, raw, take)
    return text_filter


class TextFilter:
    """A provider's chunks on their way into LiteLLM's stream, without the text that was taken.

    LiteLLM gets that text back in one piece before the next chunk of another kind, because it may
    have to count its tokens.
    """

    def __init__(
        self, stream: LitellmStream, raw: AsyncIterable[Any], take: Callable[[str], bool]
    ) -> None:
        self.raw = raw
        self._stream = stream
        self._take = take
        self._chunks = aiter(raw)
        self._waiting: deque[Any] = deque()
        self._last: Any = None
        self._text: str | None = None
        self._held: list[str] = []
        self._given_back: str | None = None
        self.usage: Any = None
        """The tokens so far, if the last chunk told them: LiteLLM tells them at the end."""

    def was_taken(self, text: Any) -> bool:
        """Whether a text of LiteLLM's is what it got back; true once for each."""
        if text is None or text != self._given_back:
            return False
        self._given_back = None
        return True

    def __aiter__(self) -> TextFilter:
        return self

    async def __anext__(self) -> Any:
        chunk = self._waiting.popleft() if self._waiting else await anext(self._chunks)
        if isinstance(chunk, Exception):
            raise chunk
        self.usage = fields_of(chunk).get("usage")
        return chunk

    async def take(self) -> bool:
        """Wait for a chunk; return whether it was text and was taken.

        If not, LiteLLM gets it next. It also gets what the provider's stream raises, and makes its
        own errors of that.
        """
        if self._waiting:
            return False
        chunk = await self._next()
        text = _only_text(chunk)
        if text and not self._repeats(text) and valid_text(text) == text and self._take(text):
            self._last = chunk
            self._held.append(text)
            return True
        if self._held:
            self._given_back, self._held = "".join(self._held), []
            self._waiting.append(_with_text(self._last, self._given_back))
        self._waiting.append(chunk)
        return False

    async def _next(self) -> Any:
        """Return the next chunk, or what was raised instead of it.

        Empty chunks are left out, as LiteLLM does until it has seen the finish reason.
        """
        try:
            while True:
                chunk = await anext(self._chunks)
                if chunk not in _EMPTY or self._stream.received_finish_reason is not None:
                    return chunk
        except Exception as error:
            return error

    def _repeats(self, text: str) -> bool:
        """Tell whether this text came just before: LiteLLM ends a stream that repeats for long."""
        last, self._text = self._text, text
        return last == text and len(text) > 2


def _only_text(chunk: Any) -> str | None:
    """Return the text of a chunk that has nothing else."""
    fields = fields_of(chunk)
    if fields.get("usage") or fields.get("provider_specific_fields"):
        return None
    match fields.get("choices"):
        case None:
            text = _only("text", fields)
        case [choice]:
            text = _only("content", fields_of(_only("delta", fields_of(choice))))
        case _:
            return None
    return text if isinstance(text, str) else None


def fields_of(value: Any) -> dict[str, Any]:
    """Return the fields of an object of whatever kind."""
    if isinstance(value, BaseModel):
        return {**vars(value), **(value.model_extra or {})}
    return value if isinstance(value, dict) else {}


def _only(name: str, fields: dict[str, Any]) -> Any:
    """Return this field if no other has a value, except the role."""
    if any(value for key, value in fields.items() if key not in (name, "role")):
        return None
    return fields.get(name)


def _with_text(chunk: Any, text: str) -> Any:
    """Return a chunk that is only text with another text."""
    if isinstance(chunk, BaseModel):
        chunk.choices[0].delta.content = text  # type: ignore[attr-defined]
        return chunk
    if "choices" not in chunk:
        return {**chunk, "text": text}
    [choice] = chunk["choices"]
    return {**chunk, "choices": [{**choice, "delta": {**choice["delta"], "content": text}}]}
