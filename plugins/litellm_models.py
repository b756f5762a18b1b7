"""Models through LiteLLM: `litellm/gemini/gemini-2.5-flash`, `litellm/anthropic/...`.

    litellm_models:

Every prefix that no other plugin claims is LiteLLM's too: `gemini/gemini-2.5-flash`. Keys come from
the variables that LiteLLM knows (`GOOGLE_API_KEY` or `GEMINI_API_KEY`, `ANTHROPIC_API_KEY`, ...),
or from `providers:`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing
from copy import copy
from dataclasses import replace
from functools import cache
from json import JSONDecodeError
from typing import Any, NoReturn, Protocol

import openai
from agents import Model, ModelProvider, ModelResponse, ModelSettings
from agents.exceptions import ModelBehaviorError
from agents.items import TResponseStreamEvent
from aiohttp import web
from openai.types.chat import ChatCompletionChunk
from pydantic import BaseModel, Field, SecretStr

from chatkit_server import hookimpl
from chatkit_server.models import (
    ClosableStream,
    EventSink,
    FastPathModel,
    ModelTimeouts,
    RequestTimer,
    TextFastPath,
)

# LiteLLM would fetch these lists over the network when it is imported.
_OFFLINE = ("LITELLM_LOCAL_MODEL_COST_MAP", "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS")

# What LiteLLM's exceptions hide: those of openai and httpx. The name has to do for the latter, as
# LiteLLM is what imports it.
_ORIGINAL = {"OpenAIError", "TransportError"}

# What LiteLLM makes of a line of a stream that has no data
_NOTHING = (
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


class Provider(BaseModel):
    """What to use instead of LiteLLM's own settings for one provider."""

    api_key: SecretStr | None = None
    base_url: str | None = Field(None, pattern=r"^https?://")
    timeouts: ModelTimeouts = ModelTimeouts()


class Config(BaseModel):
    """`providers` by LiteLLM's prefix; `max_retries` counts tries before anything was answered."""

    providers: dict[str, Provider] = Field(default_factory=dict)
    timeouts: ModelTimeouts = ModelTimeouts()
    max_retries: int = Field(2, ge=0)


class Plugin:
    """Serves `litellm/` and what nobody else serves."""

    def __init__(self, config: Config) -> None:
        self._provider = LitellmModels(config)

    @hookimpl
    def model_providers(self) -> dict[str, ModelProvider]:
        return {"litellm": self._provider, "": self._provider}

    @hookimpl
    def setup(self, app: web.Application) -> None:
        app.cleanup_ctx.append(self._closed_at_the_end)

    async def _closed_at_the_end(self, _: web.Application) -> AsyncIterator[None]:
        yield
        await self._provider.aclose()


class LitellmModels(ModelProvider):
    """LiteLLM's models; it keeps one pool of connections per endpoint itself."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._model_class: Any = None

    def get_model(self, model_name: str | None) -> Model:
        """Return the model of LiteLLM's name, such as `gemini/gemini-2.5-flash`."""
        if not model_name:
            raise ValueError("name a model, as in `litellm/gemini/gemini-2.5-flash`")
        return LazyModel(self, model_name)

    async def load(self, name: str, fast_path: TextFastPath | None = None) -> Model:
        """Import LiteLLM if need be, which takes seconds, and return the model.

        The import runs in a thread, so that other turns go on meanwhile.
        """
        if self._model_class is None:
            self._model_class = await asyncio.to_thread(_model_class)
        provider = self._config.providers.get(name.partition("/")[0], Provider())
        key = provider.api_key.get_secret_value() if provider.api_key else None
        model: Model = self._model_class(
            name,
            provider.base_url,
            key,
            timeouts=self._config.timeouts.but(provider.timeouts),
            max_retries=self._config.max_retries,
            fast_path=fast_path,
        )
        return model

    async def aclose(self) -> None:
        """Close LiteLLM's connections, if it was used."""
        if self._model_class is not None:
            await _close_litellm()


class LazyModel(FastPathModel):
    """A model that is made when it is first asked."""

    _sink: EventSink | None = None

    def __init__(self, provider: LitellmModels, name: str) -> None:
        self._provider = provider
        self._name = name

    def bind(self, sink: EventSink) -> Model:
        """Return this model for one turn, which says its text there."""
        bound = copy(self)
        bound._sink = sink
        return bound

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        model = await self._provider.load(self._name)
        return await model.get_response(*args, **kwargs)

    async def stream_response(
        self, *args: Any, **kwargs: Any
    ) -> AsyncGenerator[TResponseStreamEvent]:
        """Yield the answer's events, and say them to the turn if this model is bound to one."""
        fast_path = TextFastPath(self._sink) if self._sink is not None else None
        model = await self._provider.load(self._name, fast_path)
        events: Any = model.stream_response(*args, **kwargs)
        async with aclosing(events):
            async for event in fast_path.events(events) if fast_path else events:
                yield event


@cache
def _model_class() -> Any:
    """Import LiteLLM, quiet and offline, and return the class of its models."""
    for variable in _OFFLINE:
        os.environ.setdefault(variable, "True")

    import httpx
    import litellm
    from agents.extensions.models.litellm_model import LitellmModel

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.WARNING)

    class WatchedLitellmModel(LitellmModel):
        """A model that is watched for timeouts, and whose answers are whole or an error."""

        def __init__(
            self,
            model: str,
            base_url: str | None,
            api_key: str | None,
            *,
            timeouts: ModelTimeouts,
            max_retries: int,
            fast_path: TextFastPath | None,
        ) -> None:
            super().__init__(model, base_url, api_key)
            self._timeouts = timeouts
            self._fast_path = fast_path
            longest = max(timeouts.first_byte, timeouts.silence)
            timeout = httpx.Timeout(longest, connect=timeouts.connect)
            self._extra_args = {"timeout": timeout, "max_retries": max_retries}

        async def _fetch_response(
            self,
            system_instructions: Any,
            input: Any,
            model_settings: ModelSettings,
            *args: Any,
            **kwargs: Any,
        ) -> Any:
            settings = replace(
                model_settings,
                include_usage=self._include_usage(model_settings),
                extra_args={**self._extra_args, **(model_settings.extra_args or {})},
            )
            timer = self._timeouts.timer()
            request = super()._fetch_response(system_instructions, input, settings, *args, **kwargs)
            try:
                answer = await timer.answer(request)
            except openai.APIError as error:
                _raise_original(error)
            if not isinstance(answer, tuple):
                return answer
            response, stream = answer
            return response, whole(stream, timer, self._fast_path)

        def _include_usage(self, settings: ModelSettings) -> bool | None:
            if settings.include_usage is not None:
                return settings.include_usage
            known = litellm.get_supported_openai_params(model=self.model) or ()
            return True if "stream_options" in known else None

    return WatchedLitellmModel


class Chunks(ClosableStream[Any], Protocol):
    """LiteLLM's stream, which remembers what the provider said of the answer's end."""

    received_finish_reason: str | None
    intermittent_finish_reason: str | None


async def whole(
    stream: Chunks, timer: RequestTimer, fast_path: TextFastPath | None = None
) -> AsyncGenerator[Any]:
    """Yield the chunks of an answer that ends as it should.

    With a short cut, text goes there instead, and comes in one chunk before the next other one.
    LiteLLM makes up a finish reason where the provider gave none, and so hides that an answer
    broke off. Raises `TimeoutError`, `ConnectionError` if the answer broke off,
    `ModelBehaviorError` if it is not one or was cut off, `openai.ContentFilterFinishReasonError`,
    and `openai.APIError`.
    """
    async with aclosing(timer.chunks(_pieces(stream, fast_path))) as chunks:
        try:
            async for chunk in chunks:
                if chunk is not None:
                    yield chunk
        except openai.APIError as error:
            _raise_original(error)
    # LiteLLM never takes Gemini's reasons for the last word, and keeps them in the latter
    finish = stream.received_finish_reason or stream.intermittent_finish_reason
    if finish is None:
        raise ConnectionAbortedError("the stream ended without a finish reason")
    if finish == "content_filter":
        raise openai.ContentFilterFinishReasonError
    if finish == "length":
        raise ModelBehaviorError("Chat Completions stream terminated with finish_reason='length'")


async def _pieces(stream: Any, fast_path: TextFastPath | None) -> AsyncGenerator[Any]:
    """Yield the chunks that LiteLLM makes, and None for each that the short cut took from it."""
    source: _Source | None = None
    try:
        source = _tapped(stream, fast_path)
        async for chunk in stream:
            yield chunk
            if getattr(stream, "sent_stream_usage", False) and _unlogged(stream):
                # all that is left is that LiteLLM puts the answer together again, for its logs
                return
            # some providers' streams are made with their first chunk
            source = source or _tapped(stream, fast_path)
            while source is not None and await source.take():
                yield None
    finally:
        if source is not None:
            stream.completion_stream = source.raw
        await stream.aclose()


def _tapped(stream: Any, fast_path: TextFastPath | None) -> _Source | None:
    """Put a short cut before LiteLLM's stream, if that does nothing with text but pass it on."""
    import litellm
    from litellm import constants

    raw = getattr(stream, "completion_stream", None)
    if (
        fast_path is None
        or not isinstance(raw, AsyncIterable)
        or litellm.post_call_rules
        or getattr(constants, "LITELLM_MAX_STREAMING_DURATION_SECONDS", None) is not None
        or getattr(stream, "merge_reasoning_content_in_choices", True)
    ):
        return None
    stream.completion_stream = source = _Source(stream, raw, fast_path)
    return source


def _unlogged(stream: Any) -> bool:
    """Tell whether nobody is told by LiteLLM of answers that have ended."""
    import litellm

    log = getattr(stream, "logging_obj", None)
    listening = (
        litellm.callbacks,
        litellm.success_callback,
        litellm._async_success_callback,
        litellm.max_budget,
        getattr(log, "dynamic_success_callbacks", True),
        getattr(log, "dynamic_async_success_callbacks", True),
        getattr(log, "logger_fn", True),
    )
    return not any(listening)


class _Source:
    """A provider's chunks on their way into LiteLLM's stream, without the text that was taken.

    LiteLLM makes several objects of each chunk, whose text is the same in the end.
    """

    def __init__(self, stream: Chunks, raw: AsyncIterable[Any], fast_path: TextFastPath) -> None:
        self.raw = raw
        self._stream = stream
        self._fast_path = fast_path
        self._dicts = _left_as_dicts(raw)
        self._chunks = aiter(raw)
        self._waiting: deque[Any] = deque()
        self._last: Any = None
        self._text: str | None = None

    def __aiter__(self) -> _Source:
        return self

    async def __anext__(self) -> Any:
        chunk = self._waiting.popleft() if self._waiting else await anext(self._chunks)
        if isinstance(chunk, Exception):
            raise chunk
        if self._dicts and isinstance(chunk, dict):
            return ChatCompletionChunk.construct(**chunk)
        return chunk

    async def take(self) -> bool:
        """Wait for a chunk; tell whether it was text and was taken. If not, LiteLLM gets it next.

        What the provider raises comes the same way, for LiteLLM to make its own errors of.
        """
        if self._waiting:
            return False
        chunk = await self._next()
        text = _only_text(chunk)
        if text and not self._repeats(text) and self._fast_path.take(text):
            self._last = chunk
            return True
        if held := self._fast_path.held():
            self._waiting.append(_with_text(self._last, held))
        self._waiting.append(chunk)
        return False

    async def _next(self) -> Any:
        """Return the next chunk, or what was raised instead of it.

        Chunks that say nothing are left out, as LiteLLM does, unless it has seen the finish.
        """
        try:
            while True:
                chunk = await anext(self._chunks)
                if chunk not in _NOTHING or self._stream.received_finish_reason is not None:
                    return chunk
        except Exception as error:
            return error

    def _repeats(self, text: str) -> bool:
        """Tell whether this text came just before: LiteLLM ends a stream that repeats for long."""
        last, self._text = self._text, text
        return last == text and len(text) > 2


def _left_as_dicts(stream: Any) -> bool:
    """Keep OpenAI's client from making an object of each chunk, which costs more than the rest."""
    known = isinstance(stream, openai.AsyncStream)
    if not known or getattr(stream, "_cast_to", None) is not ChatCompletionChunk:
        return False
    stream._cast_to = object
    return True


def _only_text(chunk: Any) -> str | None:
    """Return the text of a chunk that has nothing else."""
    fields = _fields(chunk)
    if fields.get("usage") or fields.get("provider_specific_fields"):
        return None
    match fields.get("choices"):
        case None:
            text = _alone("text", fields)
        case [choice]:
            text = _alone("content", _fields(_alone("delta", _fields(choice))))
        case _:
            return None
    return text if isinstance(text, str) else None


def _fields(value: Any) -> dict[str, Any]:
    if isinstance(value, BaseModel):
        return {**vars(value), **(value.model_extra or {})}
    return value if isinstance(value, dict) else {}


def _alone(name: str, fields: dict[str, Any]) -> Any:
    """Return this field if no other says anything, except whose message it is."""
    if any(value for key, value in fields.items() if key not in (name, "role")):
        return None
    return fields.get(name)


def _with_text(chunk: Any, text: str) -> Any:
    """Return a chunk of nothing but text with another text."""
    if isinstance(chunk, BaseModel):
        chunk.choices[0].delta.content = text  # type: ignore[attr-defined]
        return chunk
    if "choices" not in chunk:
        return {**chunk, "text": text}
    [choice] = chunk["choices"]
    return {**chunk, "choices": [{**choice, "delta": {**choice["delta"], "content": text}}]}


def _raise_original(error: openai.APIError) -> NoReturn:
    """Raise what LiteLLM made `error` of, where that tells more.

    LiteLLM drops the provider's code and headers, and gives failures of the network and answers
    that cannot be parsed one class, with the status 500.
    """
    link: BaseException | None = error
    while link is not None:
        names = {kind.__name__ for kind in type(link).__mro__}
        if names & _ORIGINAL and not type(link).__module__.startswith("litellm"):
            raise link
        if isinstance(link, JSONDecodeError | UnicodeDecodeError | AttributeError):
            raise ModelBehaviorError(f"the provider sent what is no answer: {link!r}")
        link = getattr(link, "original_exception", None) or link.__cause__ or link.__context__
    raise error


async def _close_litellm() -> None:
    """Close the clients that LiteLLM cached for this event loop, and stop its log worker."""
    import litellm
    from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER

    await GLOBAL_LOGGING_WORKER.stop()
    clients = litellm.in_memory_llm_clients_cache.cache_dict
    ours = f"-{id(asyncio.get_running_loop())}"
    for key in [key for key in clients if key.endswith(ours)]:
        client = clients.pop(key)
        close = getattr(client, "aclose", None) or getattr(client, "close", None)
        if close is not None and asyncio.iscoroutinefunction(close):
            await close()
        # LiteLLM would go on to use this one
        if vars(litellm).get("module_level_aclient") is client:
            del litellm.module_level_aclient
