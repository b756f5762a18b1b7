"""The chunks of an answer, to a complete end or an error."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import litellm
import openai
from agents.exceptions import ModelBehaviorError

from chatkit_server.models import EventPace, OutputMeter, RequestTimer, TextFastPath

from .errors import raise_original
from .fast_path import Chunks, TextFilter, insert_filter

_PER_SECOND = 500
"""Chunks besides text: pieces of reasoning, or of what is written for a tool."""


async def complete(
    stream: Chunks,
    timer: RequestTimer,
    meter: OutputMeter,
    fast_path: TextFastPath | None = None,
) -> AsyncGenerator[Any]:
    """Yield the chunks of an answer that ends as it should.

    With a fast path, text goes there instead, and is yielded as one chunk before the next chunk of
    another kind. LiteLLM makes up a finish reason where the provider gave none, which would hide
    that an answer broke off. Raises `TimeoutError`, `ConnectionError` if the answer broke off,
    `ModelBehaviorError` if it is not one or was cut off, `openai.ContentFilterFinishReasonError`,
    and `openai.APIError`.
    """
    pace = EventPace(_PER_SECOND)
    async with aclosing(timer.chunks(_chunks(stream, fast_path))) as chunks:
        try:
            async for chunk in chunks:
                if chunk is not None:
                    _count_calls(chunk, meter)
                    yield chunk
                    await pace.keep()
        except openai.APIError as error:
            raise_original(error)
    # LiteLLM does not accept Gemini's reasons as final, and keeps them in the second
    finish = stream.received_finish_reason or stream.intermittent_finish_reason
    if finish is None:
        raise ConnectionAbortedError("the stream ended without a finish reason")
    if finish == "content_filter":
        raise openai.ContentFilterFinishReasonError
    if finish == "length":
        raise ModelBehaviorError("Chat Completions stream terminated with finish_reason='length'")


def _count_calls(chunk: Any, meter: OutputMeter) -> None:
    """Count what is written for tools: the SDK may collect it before it tells of it."""
    for choice in getattr(chunk, "choices", None) or ():
        for call in getattr(choice.delta, "tool_calls", None) or ():
            function = call.function
            written = f"{function.name or ''}{function.arguments or ''}" if function else ""
            meter.arguments(call.index or 0, len(written))


async def _chunks(stream: Any, fast_path: TextFastPath | None) -> AsyncGenerator[Any]:
    """Yield the chunks that LiteLLM makes, and None for each that the fast path took from it."""
    text_filter: TextFilter | None = None
    try:
        text_filter = insert_filter(stream, fast_path)
        async for chunk in stream:
            yield chunk
            if getattr(stream, "sent_stream_usage", False) and _nobody_listens(stream):
                # What is left: LiteLLM assembles the answer again, for its logs
                return
            # Some providers' streams are made with their first chunk
            text_filter = text_filter or insert_filter(stream, fast_path)
            while text_filter is not None and await text_filter.take():
                yield None
    finally:
        if text_filter is not None:
            stream.completion_stream = text_filter.raw
        await stream.aclose()


def _nobody_listens(stream: Any) -> bool:
    """Tell whether LiteLLM has no callback to call at the end of the answer."""
    log = getattr(stream, "logging_obj", None)
    listeners = (
        litellm.callbacks,
        litellm.success_callback,
        litellm._async_success_callback,
        litellm.max_budget,
        getattr(log, "dynamic_success_callbacks", True),
        getattr(log, "dynamic_async_success_callbacks", True),
        getattr(log, "logger_fn", True),
    )
    return not any(listeners)
