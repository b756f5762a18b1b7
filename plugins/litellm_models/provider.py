"""LiteLLM's models, loaded when the first one is used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from copy import copy
from typing import TYPE_CHECKING, Annotated, Any

from agents import Model, ModelProvider, ModelResponse
from agents.items import TResponseStreamEvent
from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from chatkit_server import SettingsError, Size, TurnFailed, Url
from chatkit_server.models import (
    BaseUrl,
    EndpointLog,
    EventSink,
    FastPathModel,
    ModelTimeouts,
    Profile,
    TurnLimits,
    is_probe,
    profile_of,
)

from .errors import NOT_OFFERED, is_unguarded
from .library import close_litellm, load_model_class
from .names import warn_of_unknown

if TYPE_CHECKING:
    from .fitting import FittedLitellmModel


class Provider(BaseModel):
    """Settings of one provider, in place of LiteLLM's own.

    `profile` is what its models accept, where that differs from the presets.
    """

    api_key: SecretStr | None = None
    base_url: Url | None = None
    timeouts: ModelTimeouts = ModelTimeouts()
    profile: Profile = Profile()


def _none_is_empty(value: Any) -> Any:
    return {} if value is None else value


class Config(BaseModel):
    """`providers` by LiteLLM's prefix; `max_retries` counts retries before the answer begins.

    `max_event` is the largest event of a stream, `max_answer` the largest answer, as it is sent.
    """

    providers: dict[str, Annotated[Provider, BeforeValidator(_none_is_empty)]] = Field(
        default_factory=dict
    )
    timeouts: ModelTimeouts = ModelTimeouts()
    max_retries: int = Field(2, ge=0)
    max_event: Size = Field(16_000_000, ge=1000)
    max_answer: Size = Field(200_000_000, ge=1000)

    @model_validator(mode="after")
    def _check_openai(self) -> Config:
        openai = self.providers.get("openai")
        if openai is not None and openai.base_url is not None:
            # Of other providers, LiteLLM takes the whole address as well
            try:
                TypeAdapter(BaseUrl).validate_python(openai.base_url)
            except ValidationError as error:
                told = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise ValueError(f"providers.openai.base_url: {told}") from None
        return self


class LitellmModels(ModelProvider):
    """LiteLLM's models; LiteLLM keeps a connection pool per endpoint."""

    def __init__(self, config: Config) -> None:
        warn_of_unknown(config.providers)
        self.log_content = False
        self.limits = TurnLimits()
        self._config = config
        self._logs: dict[str, EndpointLog] = {}
        self._model_class: type[FittedLitellmModel] | None = None

    def get_model(self, model_name: str | None) -> Model:
        """Return the model with LiteLLM's name, such as `gemini/gemini-2.5-flash`."""
        if not model_name:
            raise ValueError("name a model, as in `litellm/gemini/gemini-2.5-flash`")
        if is_unguarded(model_name):
            raise TurnFailed(NOT_OFFERED, allow_retry=False)
        return LazyModel(self, model_name)

    def check_model(self, model_name: str) -> None:
        """Raise `SettingsError` for a model that `get_model` refuses."""
        if is_unguarded(model_name):
            raise SettingsError(NOT_OFFERED)

    def profile(self, prefix: str, model_name: str) -> Profile:
        """Return what a model behind LiteLLM accepts."""
        provider = self._provider(prefix)
        # LiteLLM's name for any server of the protocol, at an address of its own
        unknown = prefix == "openai" and provider.base_url is not None
        return profile_of("" if unknown else prefix, model_name, provider.profile, litellm=True)

    def _provider(self, prefix: str) -> Provider:
        return self._config.providers.get(prefix, Provider())

    async def load(self, name: str) -> FittedLitellmModel:
        """Import LiteLLM if that has not happened yet, and return the model.

        The import takes seconds, so it runs in a thread: other turns go on meanwhile.
        """
        if self._model_class is None:
            self._model_class = await asyncio.to_thread(
                load_model_class,
                log_content=self.log_content,
                max_event=self._config.max_event,
                max_answer=self._config.max_answer,
            )
        provider = self._provider(name.partition("/")[0])
        prefix, model_name = self._model_class.parted(name)
        profile = self.profile(prefix, model_name)
        path = ("plugins", "litellm_models", "providers", prefix)
        model = self._model_class(
            name,
            provider.base_url,
            provider.api_key.get_secret_value() if provider.api_key else None,
            timeouts=self._config.timeouts.but(provider.timeouts),
            max_retries=0 if is_probe() else self._config.max_retries,
            max_event=self._config.max_event,
            max_answer=self._config.max_answer,
            limits=self.limits,
            tags=profile.think_tags,
        )
        return model.fit_to(profile, self._logs.setdefault(prefix, EndpointLog(path)))

    async def aclose(self) -> None:
        """Close LiteLLM's connections, if it was used."""
        if self._model_class is not None:
            await close_litellm()


class LazyModel(FastPathModel):
    """A model that is loaded when it is first called."""

    _sink: EventSink | None = None

    def __init__(self, provider: LitellmModels, name: str) -> None:
        self._provider = provider
        self._name = name
        prefix, _, model_name = name.partition("/")
        self.max_tools = provider.profile(prefix, model_name or name).max_tools

    def bind(self, sink: EventSink) -> Model:
        """Return this model for one turn; it sends its text to `sink`."""
        bound = copy(self)
        bound._sink = sink
        return bound

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        model = await self._provider.load(self._name)
        return await model.get_response(*args, **kwargs)

    async def stream_response(
        self, *args: Any, **kwargs: Any
    ) -> AsyncGenerator[TResponseStreamEvent]:
        """Yield the answer's events, and send them to the turn if this model is bound to one."""
        loaded = await self._provider.load(self._name)
        model = loaded.bind(self._sink) if self._sink is not None else loaded
        events: Any = model.stream_response(*args, **kwargs)
        # They would stay in memory as long as the answer takes
        del args, kwargs
        async with aclosing(events):
            async for event in events:
                yield event
