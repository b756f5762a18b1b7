"""OpenAI's own models through its Responses API: `openai/gpt-5`.

    openai_models: {api_key: "${OPENAI_API_KEY}"}

The key is optional if the variable `OPENAI_API_KEY` is set.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from functools import cache
from typing import Any, cast, get_args

import httpx2
import openai
from agents import Model, ModelProvider, OpenAIResponsesModel
from agents.exceptions import ModelBehaviorError
from aiohttp import web
from openai.types import responses
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, Field, SecretStr, field_validator

from chatkit_server import Size, hookimpl
from chatkit_server.models import (
    UNPACKED,
    BodyLimits,
    ClosableStream,
    EventPace,
    ModelTimeouts,
    RequestTimer,
    guard_client,
    refused,
)

_LIMITS = httpx2.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=60)
_WIRE = ("content-encoding", "content-length", "transfer-encoding")
"""Headers that describe the bytes on the wire."""

_REPORTS = ("Error streaming response", "Error getting response")
_PER_SECOND = 1000
"""Events of an answer, those of its text too."""
_LAST = {"response.completed", "response.incomplete", "response.failed", "error"}


def _key_from_environment() -> SecretStr:
    return SecretStr(os.environ.get("OPENAI_API_KEY", ""))


class Config(BaseModel):
    """`max_retries` counts retries before the answer begins.

    `max_event` is the largest event of a stream, `max_answer` the largest answer, as it is sent.
    """

    api_key: SecretStr = Field(default_factory=_key_from_environment, validate_default=True)
    base_url: str = Field("https://api.openai.com/v1", pattern=r"^https?://")
    organization: str | None = None
    project: str | None = None
    timeouts: ModelTimeouts = ModelTimeouts()
    max_retries: int = Field(2, ge=0)
    max_event: Size = Field(16_000_000, ge=1000)
    max_answer: Size = Field(200_000_000, ge=1000)

    @field_validator("api_key")
    @classmethod
    def _not_empty(cls, key: SecretStr) -> SecretStr:
        if not key.get_secret_value():
            raise ValueError("set the variable OPENAI_API_KEY, or `api_key` here")
        return key


class Plugin:
    """Serves OpenAI's models under `openai/`."""

    def __init__(self, config: Config) -> None:
        self._provider = ResponsesModels(config)

    @hookimpl
    def model_providers(self) -> dict[str, ModelProvider]:
        return {"openai": self._provider}

    @hookimpl
    def setup(self, app: web.Application) -> None:
        app.cleanup_ctx.append(self._close_at_the_end)

    async def _close_at_the_end(self, _: web.Application) -> AsyncIterator[None]:
        yield
        await self._provider.aclose()


class ResponsesModels(ModelProvider):
    """OpenAI's models, which share one pool of connections."""

    def __init__(self, config: Config) -> None:
        logging.getLogger("openai.agents").addFilter(_is_no_report)
        self._timeouts = config.timeouts
        # ModelTimeouts limit all other waiting
        timeout = httpx2.Timeout(None, connect=config.timeouts.connect)
        self._client = openai.AsyncOpenAI(
            api_key=config.api_key.get_secret_value(),
            base_url=config.base_url,
            organization=config.organization,
            project=config.project,
            max_retries=config.max_retries,
            timeout=timeout,
            http_client=GuardedClient(config, timeout=timeout, limits=_LIMITS),
        )

    def get_model(self, model_name: str | None) -> Model:
        """Return the model that OpenAI knows under this name."""
        if not model_name:
            raise ValueError("name a model, as in `openai/gpt-5`")
        return ResponsesModel(model_name, self._client, self._timeouts)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()


@cache
def _types() -> frozenset[str]:
    """Return the types that OpenAI's client knows."""
    named = [getattr(responses, name) for name in dir(responses)]
    models = [m for m in named if isinstance(m, type) and issubclass(m, openai.BaseModel)]
    fields = [model.model_fields["type"] for model in models if "type" in model.model_fields]
    names = [name for field in fields for name in get_args(field.annotation)]
    return frozenset(name for name in names if isinstance(name, str))


class GuardedClient(httpx2.AsyncClient):
    """A client that follows no redirects, and reads only so much of an answer."""

    def __init__(self, config: Config, **options: Any) -> None:
        super().__init__(**options)
        guard_client(self)
        self._max = (config.max_event, config.max_answer)

    async def send(
        self, request: httpx2.Request, *, stream: bool = False, **options: Any
    ) -> httpx2.Response:
        """Send a request; a redirect is returned as an error."""
        request.headers.update(UNPACKED)
        options["follow_redirects"] = False
        response = await super().send(request, stream=True, **options)
        try:
            error = await refused(response.status_code, response.headers, response.aiter_raw())
        except BaseException:
            await response.aclose()
            raise
        if error is None:
            response.stream = _LimitedBody(response, BodyLimits(*self._max, types=_types()))
            if not stream:
                await response.aread()
            return response
        await response.aclose()
        headers = [(k, v) for k, v in response.headers.items() if k.lower() not in _WIRE]
        return httpx2.Response(
            response.status_code, headers=headers, content=error, request=request
        )


class _LimitedBody(httpx2.AsyncByteStream):
    def __init__(self, response: httpx2.Response, limits: BodyLimits) -> None:
        self._source = response.stream
        self._pieces = limits.stream(
            response.headers.get("content-type", ""), cast(httpx2.AsyncByteStream, self._source)
        )

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces

    async def aclose(self) -> None:
        await cast(httpx2.AsyncByteStream, self._source).aclose()


def _is_no_report(record: logging.LogRecord) -> bool:
    """Drop the SDK's report of a failed request: the core logs the failure with the turn's id."""
    return not record.getMessage().startswith(_REPORTS)


class ResponsesModel(OpenAIResponsesModel):
    """A model with timeouts, whose answers are complete or an error."""

    def __init__(self, model: str, client: openai.AsyncOpenAI, timeouts: ModelTimeouts) -> None:
        super().__init__(model, client)
        self._timeouts = timeouts

    async def _fetch_response(self, *args: Any, **kwargs: Any) -> Any:
        timer = self._timeouts.timer()
        answer = await timer.answer(super()._fetch_response(*args, **kwargs))
        return answer if isinstance(answer, Response) else complete(answer, timer)


async def complete(
    stream: ClosableStream[ResponseStreamEvent], timer: RequestTimer
) -> AsyncGenerator[ResponseStreamEvent]:
    """Yield the events of an answer up to its last one.

    Raises `TimeoutError`, `ConnectionError` if the answer broke off, and `ModelBehaviorError` if it
    is not one. If the last event reports a failure, the SDK's model raises it.
    """
    last, pace = "", EventPace(_PER_SECOND)
    async with aclosing(timer.chunks(stream)) as events:
        try:
            async for event in events:
                last = event.type
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
