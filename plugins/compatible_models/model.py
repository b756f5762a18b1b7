"""A model of an endpoint, as the Agents SDK runs it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any, cast

import openai
from agents import ModelSettings, OpenAIChatCompletionsModel, Tool
from agents.models.chatcmpl_converter import Converter
from openai.types.responses import Response

from chatkit_server.models import (
    ChunkReader,
    ChunkSource,
    CompletionsModel,
    ModelTimeouts,
    TurnLimits,
)

from .body import ResponseBody
from .client import Client


class ChatModel(CompletionsModel, OpenAIChatCompletionsModel):
    """A model with timeouts, whose answers are complete or an error."""

    def __init__(
        self,
        model: str,
        client: Client,
        timeouts: ModelTimeouts,
        limits: TurnLimits,
        *,
        usage: bool,
        tags: bool = True,
    ) -> None:
        super().__init__(model, cast(openai.AsyncOpenAI, client))
        self.tags = tags
        self._body_limits = client.limits
        self.limits = limits
        self._timeouts = timeouts
        self._usage = usage

    async def request(self, *inputs: Any) -> tuple[Response, ChunkSource]:
        *given, span, tracing = inputs
        system_instructions, input, model_settings, *others = with_tools_converted(*given)
        if self._usage and model_settings.include_usage is None:
            # `replace` would validate all fields
            model_settings = copy(model_settings)
            model_settings.include_usage = True
        timer = self._timeouts.timer()
        fetch: Any = self._fetch_response
        response, stream = await timer.answer(
            fetch(system_instructions, input, model_settings, *others, span, tracing, stream=True)
        )
        return response, ChunkReader(ResponseBody(stream), timer, self._body_limits())


def with_tools_converted(
    system_instructions: Any,
    input: Any,
    model_settings: ModelSettings,
    tools: Sequence[Tool],
    output_schema: Any,
    handoffs: Sequence[Any],
) -> tuple[Any, ...]:
    """Return the inputs with the tools in the form that is sent: the SDK would copy all schemas.

    With handoffs, or with tools in the settings, the inputs are returned unchanged.
    """
    extra = model_settings.extra_args or {}
    sent: Sequence[Tool] = tools
    if tools and not handoffs and not extra.keys() & {"tools", "parallel_tool_calls"}:
        model_settings = copy(model_settings)
        converted: dict[str, Any] = {"tools": [Converter.tool_to_openai(tool) for tool in tools]}
        if model_settings.parallel_tool_calls is not None:
            converted["parallel_tool_calls"] = model_settings.parallel_tool_calls
        model_settings.extra_args = {**extra, **converted}
        sent = []
    return system_instructions, input, model_settings, sent, output_schema, handoffs
