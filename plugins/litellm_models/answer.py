"""The chunks of an answer, from the bytes that LiteLLM's request got, or from LiteLLM's stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import httpx
import httpx2
import litellm
import openai

from chatkit_server.models import Chunk, EventPace, RequestTimer

from .errors import raise_original
from .fast_path import LitellmStream, TextFilter, fields_of, insert_filter
from .gemini import finish_reason

_PER_SECOND = 500
"""Chunks besides text: pieces of reasoning, or of what is written for a tool."""


class HttpBody:
    """The body of a response of httpx, which LiteLLM has not begun to read."""

    failures = (httpx.TransportError, httpx2.TransportError, httpx.StreamError)

    def __init__(self, response: Any, stream: Any) -> None:
        self._response = response
        self._stream = stream
        self._blocks: AsyncIterator[bytes] = response.aiter_bytes()

    async def read(self) -> bytes:
        """Return the bytes that have come; none at the end."""
        return await anext(self._blocks, b"")

    def failed(self, failure: Exception) -> Exception:
        """Return a failure of the connection as `openai` calls it."""
        return openai.APIConnectionError(request=httpx2.Request("POST", str(self._response.url)))

    def rest(self) -> bytes:
        """Return nothing: httpx gives out all that it has received."""
        return b""

    async def aclose(self) -> None:
        """Close the response, and what LiteLLM made of it."""
        await self._response.aclose()
        await self._stream.aclose()


class LitellmChunks:
    """The chunks that LiteLLM makes of a provider's own protocol.

    LiteLLM makes up a finish reason where the provider gave none, which would hide that an answer
    broke off. So the reasons are taken from what it has received.
    """

    def __init__(self, stream: LitellmStream, timer: RequestTimer) -> None:
        self._stream = stream
        self._timer = timer

    @property
    def done(self) -> bool:
        """Never: only the finish reason tells that the answer is complete."""
        return False

    async def chunks(self, take: Callable[[str], bool]) -> AsyncGenerator[Chunk]:
        """Yield the chunks, except those with only text that `take` took."""
        pace = EventPace(_PER_SECOND)
        finish_reason.set(None)
        async with aclosing(self._timer.chunks(_chunks(self._stream, take))) as chunks:
            try:
                async for chunk in chunks:
                    if chunk is not None:
                        yield chunk
                        await pace.keep()
            except openai.APIError as error:
                # When all has been told, LiteLLM assembles the answer again, for its logs
                if not getattr(self._stream, "sent_last_chunk", False):
                    raise_original(error)
        # LiteLLM does not accept Gemini's reasons as final, and keeps them in the second
        known = self._stream.received_finish_reason or self._stream.intermittent_finish_reason
        finish = finish_reason.get() or known
        yield {"choices": [{"delta": {}, "finish_reason": finish}]}


async def _chunks(stream: Any, take: Callable[[str], bool]) -> AsyncGenerator[Chunk | None]:
    """Yield the chunks that LiteLLM makes, and None for each that `take` took from it."""
    text_filter: TextFilter | None = None
    try:
        text_filter = insert_filter(stream, take)
        async for chunk in stream:
            if text_filter is not None and text_filter.usage is not None:
                yield {"choices": [], "usage": fields_of(text_filter.usage)}
            yield _without_finish(chunk.model_dump(), text_filter)
            if getattr(stream, "sent_stream_usage", False) and nobody_listens(stream):
                # What is left: LiteLLM assembles the answer again, for its logs
                return
            # Some providers' streams are made with their first chunk
            text_filter = text_filter or insert_filter(stream, take)
            while text_filter is not None and await text_filter.take():
                yield None
    finally:
        if text_filter is not None:
            stream.completion_stream = text_filter.raw
        await stream.aclose()


def _without_finish(chunk: dict[str, Any], text_filter: TextFilter | None) -> dict[str, Any]:
    for choice in chunk.get("choices") or ():
        choice["finish_reason"] = None
        delta = choice.get("delta") or {}
        if text_filter is not None and text_filter.was_taken(delta.get("content")):
            delta["content"] = None
    return chunk


def nobody_listens(stream: Any) -> bool:
    """Tell whether LiteLLM has no callback to call at the end of the answer."""
    log = getattr(stream, "logging_obj", None)
    callbacks = (
        *litellm.callbacks,
        *litellm.success_callback,
        *litellm._async_success_callback,
        *(getattr(log, "dynamic_success_callbacks", None) or ()),
        *(getattr(log, "dynamic_async_success_callbacks", None) or ()),
    )
    # LiteLLM adds its cache itself, also where there is none
    listeners = [one for one in callbacks if one != "cache" or litellm.cache is not None]
    return not (listeners or litellm.max_budget or getattr(log, "logger_fn", None))
