"""Models of any server that speaks OpenAI's chat-completions protocol.

    compatible_models:
      endpoints:
        gemini: {api_key: "${GOOGLE_API_KEY}"}
        ollama:
        mine: {base_url: "https://llm.example.com/v1", api_key: "${LLM_KEY}"}

The endpoint's name is the prefix of its models: `gemini/gemini-2.5-flash`, `ollama/qwen3`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any

import httpx2
import openai
import orjson
from agents import Model, ModelProvider, ModelSettings, OpenAIChatCompletionsModel
from agents.exceptions import ModelBehaviorError
from agents.items import TResponseStreamEvent
from aiohttp import web
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall
from pydantic import BaseModel, BeforeValidator, Field, SecretStr, field_validator

from chatkit_server import DirectModel, ModelTimeouts, Out, ShortCut, Watch, hookimpl

Chunk = dict[str, Any]
"""A chat-completions chunk as it came."""


@dataclass(frozen=True)
class Preset:
    """What is known of a provider: `usage` is whether it takes `stream_options`."""

    base_url: str
    needs_key: bool = True
    usage: bool = True


PRESETS = {
    "anthropic": Preset("https://api.anthropic.com/v1/"),
    "cerebras": Preset("https://api.cerebras.ai/v1"),
    "deepseek": Preset("https://api.deepseek.com/v1"),
    "fireworks": Preset("https://api.fireworks.ai/inference/v1"),
    "gemini": Preset("https://generativelanguage.googleapis.com/v1beta/openai/"),
    "groq": Preset("https://api.groq.com/openai/v1"),
    "lmstudio": Preset("http://localhost:1234/v1", needs_key=False),
    # refuses stream_options, and tells the usage without being asked
    "mistral": Preset("https://api.mistral.ai/v1", usage=False),
    "ollama": Preset("http://localhost:11434/v1", needs_key=False),
    "openrouter": Preset("https://openrouter.ai/api/v1"),
    "perplexity": Preset("https://api.perplexity.ai", usage=False),
    "together": Preset("https://api.together.xyz/v1"),
    "vllm": Preset("http://localhost:8000/v1", needs_key=False),
    "xai": Preset("https://api.x.ai/v1"),
}


_LEFT_OUT = (openai.NotGiven, openai.Omit)
_BLANK = (b"\n", b"\r\n", b"\r")
_TEXT_KEYS = ("content", "role")
_LIMITS = httpx2.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=60)


class Endpoint(BaseModel):
    """One endpoint. What is left out comes from the preset of that name, if there is one.

    `stream_usage` is whether to ask for the number of tokens used; an endpoint that refuses
    unknown fields may need false. `max_retries` counts tries before anything was answered.
    """

    base_url: str | None = Field(None, pattern=r"^https?://")
    api_key: SecretStr | None = None
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    timeouts: ModelTimeouts = ModelTimeouts()
    max_retries: int = Field(2, ge=0)
    stream_usage: bool | None = None


def _nothing_is_empty(value: Any) -> Any:
    return {} if value is None else value


class Config(BaseModel):
    """`timeouts` are those of every endpoint that does not set its own."""

    endpoints: dict[str, Annotated[Endpoint, BeforeValidator(_nothing_is_empty)]] = Field(
        min_length=1
    )
    timeouts: ModelTimeouts = ModelTimeouts()

    @field_validator("endpoints")
    @classmethod
    def _complete(cls, endpoints: dict[str, Endpoint]) -> dict[str, Endpoint]:
        return {name: _completed(name, endpoint) for name, endpoint in endpoints.items()}


def _completed(name: str, endpoint: Endpoint) -> Endpoint:
    """Return the endpoint with what its preset knows; raises `ValueError` for what is missing."""
    if not name or "/" in name:
        raise ValueError(f"`{name}` cannot be the prefix of a model's name")
    preset = PRESETS.get(name)
    has_key = endpoint.api_key is not None and endpoint.api_key.get_secret_value()
    if endpoint.base_url is None:
        if preset is None:
            raise ValueError(
                f"{name}: add `base_url: https://...`; without it these work: {', '.join(PRESETS)}"
            )
        if preset.needs_key and not has_key:
            raise ValueError(
                f"{name}: add `api_key: ${{{name.upper()}_API_KEY}}`, and set that variable"
            )
        endpoint = endpoint.model_copy(update={"base_url": preset.base_url})
    if endpoint.stream_usage is None:
        usage = preset is None or preset.usage
        endpoint = endpoint.model_copy(update={"stream_usage": usage})
    return endpoint


class Plugin:
    """Serves each endpoint's models under its name."""

    def __init__(self, config: Config) -> None:
        self._providers = {
            name: EndpointModels(endpoint, config.timeouts.but(endpoint.timeouts))
            for name, endpoint in config.endpoints.items()
        }

    @hookimpl
    def model_providers(self) -> dict[str, ModelProvider]:
        return dict(self._providers)

    @hookimpl
    def setup(self, app: web.Application) -> None:
        app.cleanup_ctx.append(self._closed_at_the_end)

    async def _closed_at_the_end(self, _: web.Application) -> AsyncIterator[None]:
        yield
        for provider in self._providers.values():
            await provider.aclose()


class EndpointModels(ModelProvider):
    """The models of one endpoint, which share one pool of connections."""

    def __init__(self, endpoint: Endpoint, timeouts: ModelTimeouts) -> None:
        self._usage = bool(endpoint.stream_usage)
        self._timeouts = timeouts
        key = endpoint.api_key.get_secret_value() if endpoint.api_key else ""
        # all other waiting is watched from outside
        timeout = httpx2.Timeout(None, connect=timeouts.connect)
        self._client = _Client(
            base_url=endpoint.base_url,
            api_key=key or "none",
            default_headers=endpoint.headers,
            max_retries=endpoint.max_retries,
            timeout=timeout,
            http_client=openai.DefaultAioHttpClient(timeout=timeout, limits=_LIMITS),
        )
        # read from OPENAI_* variables, and no business of this endpoint
        self._client.organization = self._client.project = None

    def get_model(self, model_name: str | None) -> Model:
        """Return the model that the endpoint knows under this name."""
        if not model_name:
            raise ValueError("an endpoint has no default model: name one, as in `ollama/qwen3`")
        return ChatModel(model_name, self._client, self._timeouts, usage=self._usage)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()


class _Client(openai.AsyncOpenAI):
    """OpenAI's client, without its walk through each request for keys to rename: ours has none."""

    @cached_property
    def chat(self) -> Any:
        return _Chat(self)


class _Chat:
    """What the Agents SDK uses of OpenAI's client: `client.chat.completions.create`."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self.completions = self
        self._client = client

    async def create(
        self,
        *,
        extra_headers: dict[str, str] | None = None,
        extra_query: dict[str, Any] | None = None,
        extra_body: dict[str, Any] | None = None,
        **body: Any,
    ) -> Any:
        """Ask for a chat completion; a stream if `body` says so."""
        given = {key: value for key, value in body.items() if not isinstance(value, _LEFT_OUT)}
        options: Any = {"headers": extra_headers or {}, "params": extra_query or {}}
        if "timeout" in given:
            options["timeout"] = given.pop("timeout")
        return await self._client.post(
            "/chat/completions",
            body={**given, **(extra_body or {})},
            options=options,
            cast_to=ChatCompletion,
            stream=bool(given.get("stream")),
            stream_cls=openai.AsyncStream[ChatCompletionChunk],
        )


class ChatModel(OpenAIChatCompletionsModel, DirectModel):
    """A model that is watched for timeouts, and whose answers are whole or an error."""

    _out: Out | None = None
    _short_cut: ShortCut | None = None

    def __init__(
        self, model: str, client: openai.AsyncOpenAI, timeouts: ModelTimeouts, *, usage: bool
    ) -> None:
        super().__init__(model, client)
        self._timeouts = timeouts
        self._usage = usage

    async def _fetch_response(
        self,
        system_instructions: Any,
        input: Any,
        model_settings: ModelSettings,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        if self._usage and model_settings.include_usage is None:
            model_settings = replace(model_settings, include_usage=True)
        watch = self._timeouts.watch()
        answer = await watch.answer(
            super()._fetch_response(system_instructions, input, model_settings, *args, **kwargs)
        )
        if isinstance(answer, ChatCompletion):
            return answer
        response, stream = answer
        return response, whole(stream, watch, self._short_cut)

    def to(self, out: Out) -> Model:
        """Return this model for one turn, which says its text there."""
        bound = copy(self)
        bound._out = out
        return bound

    async def stream_response(
        self, *args: Any, **kwargs: Any
    ) -> AsyncIterator[TResponseStreamEvent]:
        """Yield the answer's events, and say them to the turn if this model is bound to one."""
        events = super().stream_response(*args, **kwargs)
        if self._out is not None:
            self._short_cut = ShortCut(self._out)
            events = self._short_cut.events(events)
        async for event in events:
            yield event


async def whole(
    stream: openai.AsyncStream[ChatCompletionChunk], watch: Watch, short_cut: ShortCut | None = None
) -> AsyncGenerator[ChatCompletionChunk]:
    """Yield the chunks of an answer that ends as it should.

    With a short cut, text goes there instead, and comes in one chunk before the next other one.
    Raises `TimeoutError`, `ConnectionError` if the answer broke off, `ModelBehaviorError` if it
    is not one or was cut off, and `openai.ContentFilterFinishReasonError`.
    """
    response = stream.response
    if "event-stream" not in response.headers.get("content-type", "event-stream"):
        await stream.aclose()
        raise ModelBehaviorError("the endpoint answered with something other than a stream")
    finish: str | None = None
    numbers = _CallNumbers()
    async with aclosing(stream), aclosing(watch.pieces(_events(response))) as events:
        try:
            async for data in _without_text(events, short_cut):
                chunk = ChatCompletionChunk.construct(**data)
                for choice in chunk.choices or ():
                    finish = choice.finish_reason or finish
                    numbers.correct(choice.delta.tool_calls if choice.delta else None)
                yield chunk
        except (ValueError, AttributeError, TypeError) as error:
            raise ModelBehaviorError(f"the endpoint sent what is no chunk: {error!r}") from error
    if finish is None:
        raise ConnectionAbortedError("the stream ended without a finish reason")
    if finish == "content_filter":
        raise openai.ContentFilterFinishReasonError
    if finish == "length":
        raise ModelBehaviorError("Chat Completions stream terminated with finish_reason='length'")


async def _without_text(
    events: AsyncIterator[Chunk], short_cut: ShortCut | None
) -> AsyncGenerator[Chunk]:
    """Yield the chunks, those of text put together where the short cut took them."""
    last: Chunk = {}
    async for data in events:
        if short_cut is not None:
            text = _only_text(data)
            if text and short_cut.take(text):
                last = data
                continue
            if held := short_cut.held():
                yield _with_text(last, held)
        yield data
    if short_cut is not None and (held := short_cut.held()):
        yield _with_text(last, held)


def _only_text(chunk: Chunk) -> str | None:
    """Return the text of a chunk that has nothing else."""
    choices = chunk.get("choices")
    if not choices or len(choices) != 1 or chunk.get("usage"):
        return None
    choice = choices[0]
    if choice.get("finish_reason") or choice.get("index") or choice.get("logprobs"):
        return None
    delta = choice.get("delta")
    if not delta:
        return None
    text = delta.get("content")
    if len(delta) > 1 and any(v for k, v in delta.items() if k not in _TEXT_KEYS):
        return None
    return text if isinstance(text, str) else None


def _with_text(chunk: Chunk, text: str) -> Chunk:
    [choice] = chunk["choices"]
    return {**chunk, "choices": [{**choice, "delta": {**choice["delta"], "content": text}}]}


async def _events(response: httpx2.Response) -> AsyncGenerator[Chunk]:
    """Yield the JSON objects of a stream of server-sent events, until `[DONE]`.

    Raises `openai.APIError` for an error that is told inside the stream.
    """
    rest = b""
    data = b""
    async for block in response.aiter_bytes():
        lines = (rest + block).splitlines(keepends=True)
        # A line that ends in a carriage return may go on with a line feed
        rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        for line in lines:
            if line.startswith(b"data:"):
                data += line[5:]
            elif data and line in _BLANK:
                if data.strip() == b"[DONE]":
                    return
                yield _parsed(data, response)
                data = b""


def _parsed(data: bytes, response: httpx2.Response) -> Chunk:
    chunk = orjson.loads(data)
    if not isinstance(chunk, dict):
        raise TypeError(f"not an object: {chunk!r}")
    if error := chunk.get("error"):
        message = error.get("message") if isinstance(error, dict) else None
        raise openai.APIError(
            message or "An error occurred during streaming", request=response.request, body=error
        )
    return chunk


class _CallNumbers:
    """Gives each tool call of an answer an index of its own.

    Gemini and some proxies send each call in one piece with the index 0, which would make one call
    of them all. Another id at a known index is another call.
    """

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._current: dict[int, int] = {}

    def correct(self, calls: list[ChoiceDeltaToolCall] | None) -> None:
        """Correct the indexes in place."""
        for call in calls or ():
            given = call.index or 0
            known = self._current.get(given)
            if known is None or (call.id and self._ids[known] not in ("", call.id)):
                self._current[given] = known = len(self._ids)
                self._ids.append("")
            self._ids[known] = call.id or self._ids[known]
            call.index = known
