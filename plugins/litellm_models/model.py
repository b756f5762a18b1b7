"""One request to a model of LiteLLM. Importing this module imports LiteLLM."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import litellm
import openai
from agents import ModelSettings
from agents.extensions.models.litellm_model import LitellmModel
from litellm.llms.openai.chat.gpt_transformation import OpenAIChatCompletionStreamingHandler
from litellm.llms.openrouter.chat.transformation import OpenRouterChatCompletionStreamingHandler
from litellm.llms.ovhcloud.chat.transformation import OVHCloudChatCompletionStreamingHandler
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import Response

from chatkit_server.models import (
    BodyLimits,
    ChunkReader,
    ChunkSource,
    CompletionsModel,
    ModelTimeouts,
    RequestTimer,
    TurnLimits,
)

from .answer import HttpBody, LitellmChunks, nobody_listens
from .errors import raise_original
from .fast_path import passes_text_on
from .guard import responses_of

_SAME_PROTOCOL = (
    OpenAIChatCompletionStreamingHandler,
    OpenRouterChatCompletionStreamingHandler,
    OVHCloudChatCompletionStreamingHandler,
)
"""LiteLLM's readers of streams that are chat-completions chunks on the wire."""


class WatchedLitellmModel(CompletionsModel, LitellmModel):
    """A model with timeouts, whose answers are complete or an error."""

    def __init__(
        self,
        model: str,
        base_url: str | None,
        api_key: str | None,
        *,
        timeouts: ModelTimeouts,
        max_retries: int,
        max_event: int,
        max_answer: int,
        limits: TurnLimits,
        tags: bool,
    ) -> None:
        super().__init__(model, base_url, api_key)
        self.tags = tags
        self._timeouts = timeouts
        self.limits = limits
        self._max = (max_event, max_answer)
        longest = max(timeouts.first_byte, timeouts.silence)
        timeout = httpx.Timeout(longest, connect=timeouts.connect)
        self._extra_args = {"timeout": timeout, "max_retries": max_retries}

    async def request(self, *inputs: Any) -> tuple[Response, ChunkSource]:
        system_instructions, input, model_settings, *others = inputs
        settings = replace(
            model_settings,
            include_usage=self._include_usage(model_settings),
            extra_args={**self._extra_args, **(model_settings.extra_args or {})},
        )
        timer = self._timeouts.timer()
        fetch: Any = self._fetch_response
        with responses_of() as responses:
            request = fetch(system_instructions, input, settings, *others, stream=True)
            try:
                response, stream = await timer.answer(request)
            except openai.APIError as error:
                raise_original(error)
        return response, self._source(stream, responses, timer)

    def _source(self, stream: Any, responses: list[Any], timer: RequestTimer) -> ChunkSource:
        """Return the chunks of an answer, past LiteLLM's reading of them where that is possible."""
        body = _unread(getattr(stream, "completion_stream", None), responses)
        if body is None or not passes_text_on(stream) or not nobody_listens(stream):
            return LitellmChunks(stream, timer)
        return ChunkReader(HttpBody(body, stream), timer, BodyLimits(*self._max))

    def _include_usage(self, settings: ModelSettings) -> bool | None:
        if settings.include_usage is not None:
            return settings.include_usage
        known = litellm.get_supported_openai_params(model=self.model) or ()
        return True if "stream_options" in known else None


def _unread(raw: Any, responses: list[Any]) -> Any:
    """Return the response whose body is chat-completions chunks; None if it is something else."""
    if isinstance(raw, openai.AsyncStream):
        same = getattr(raw, "_cast_to", None) is ChatCompletionChunk
        return raw.response if same else None
    if isinstance(raw, _SAME_PROTOCOL) and responses and not responses[-1].is_stream_consumed:
        return responses[-1]
    return None
