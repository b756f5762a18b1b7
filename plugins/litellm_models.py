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
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from functools import cache
from json import JSONDecodeError
from typing import Any, NoReturn, Protocol

import openai
from agents import Model, ModelProvider, ModelResponse, ModelSettings
from agents.exceptions import ModelBehaviorError
from agents.items import TResponseStreamEvent
from aiohttp import web
from pydantic import BaseModel, Field, SecretStr

from chatkit_server import ModelTimeouts, Pieces, Watch, hookimpl

# LiteLLM would fetch these lists over the network when it is imported.
_OFFLINE = ("LITELLM_LOCAL_MODEL_COST_MAP", "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS")

# What LiteLLM's exceptions hide: those of openai and httpx. The name has to do for the latter, as
# LiteLLM is what imports it.
_ORIGINAL = {"OpenAIError", "TransportError"}


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
        self._used = False

    def get_model(self, model_name: str | None) -> Model:
        """Return the model of LiteLLM's name, such as `gemini/gemini-2.5-flash`."""
        if not model_name:
            raise ValueError("name a model, as in `litellm/gemini/gemini-2.5-flash`")
        return LazyModel(self, model_name)

    async def load(self, name: str) -> Model:
        """Import LiteLLM if need be, which takes seconds, and return the model.

        The import runs in a thread, so that other turns go on meanwhile.
        """
        self._used = True
        model_class = await asyncio.to_thread(_model_class)
        provider = self._config.providers.get(name.partition("/")[0], Provider())
        key = provider.api_key.get_secret_value() if provider.api_key else None
        model: Model = model_class(
            name,
            provider.base_url,
            key,
            timeouts=self._config.timeouts.but(provider.timeouts),
            max_retries=self._config.max_retries,
        )
        return model

    async def aclose(self) -> None:
        """Close LiteLLM's connections, if it was used."""
        if self._used:
            await _close_litellm()


class LazyModel(Model):
    """A model that is made when it is first asked."""

    def __init__(self, provider: LitellmModels, name: str) -> None:
        self._provider = provider
        self._name = name

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        model = await self._provider.load(self._name)
        return await model.get_response(*args, **kwargs)

    async def stream_response(
        self, *args: Any, **kwargs: Any
    ) -> AsyncGenerator[TResponseStreamEvent]:
        model = await self._provider.load(self._name)
        events: Any = model.stream_response(*args, **kwargs)
        async with aclosing(events):
            async for event in events:
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
        ) -> None:
            super().__init__(model, base_url, api_key)
            self._timeouts = timeouts
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
            watch = self._timeouts.watch()
            request = super()._fetch_response(system_instructions, input, settings, *args, **kwargs)
            try:
                answer = await watch.answer(request)
            except openai.APIError as error:
                _raise_original(error)
            if not isinstance(answer, tuple):
                return answer
            response, stream = answer
            return response, whole(stream, watch)

        def _include_usage(self, settings: ModelSettings) -> bool | None:
            if settings.include_usage is not None:
                return settings.include_usage
            known = litellm.get_supported_openai_params(model=self.model) or ()
            return True if "stream_options" in known else None

    return WatchedLitellmModel


class Chunks(Pieces[Any], Protocol):
    """LiteLLM's stream, which remembers what the provider said of the answer's end."""

    received_finish_reason: str | None


async def whole(stream: Chunks, watch: Watch) -> AsyncGenerator[Any]:
    """Yield the chunks of an answer that ends as it should.

    LiteLLM makes up a finish reason where the provider gave none, and so hides that an answer
    broke off. Raises `TimeoutError`, `ConnectionError` if the answer broke off,
    `ModelBehaviorError` if it is not one or was cut off, `openai.ContentFilterFinishReasonError`,
    and `openai.APIError`.
    """
    async with aclosing(watch.pieces(stream)) as chunks:
        try:
            async for chunk in chunks:
                yield chunk
        except openai.APIError as error:
            _raise_original(error)
    finish = stream.received_finish_reason
    if finish is None:
        raise ConnectionAbortedError("the stream ended without a finish reason")
    if finish == "content_filter":
        raise openai.ContentFilterFinishReasonError
    if finish == "length":
        raise ModelBehaviorError("Chat Completions stream terminated with finish_reason='length'")


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
