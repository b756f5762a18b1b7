"""Models of any server that speaks OpenAI's chat-completions protocol.

    compatible_models:
      endpoints:
        gemini: {api_key: "${GOOGLE_API_KEY}"}
        ollama:
        mine: {base_url: "https://llm.example.com/v1", api_key: "${LLM_KEY}"}

The endpoint's name is the prefix of its models: `gemini/gemini-2.5-flash`, `ollama/qwen3`.

- `endpoint`: the settings of an endpoint, and presets for well-known providers.
- `client`: requests to an endpoint, with retries.
- `model`: a model as the Agents SDK runs it.
- `body`: the body of an answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from agents import Model, ModelProvider
from aiohttp import web
from pydantic import BaseModel, BeforeValidator, Field, field_validator

from chatkit_server import SETTINGS, hookimpl
from chatkit_server.models import (
    EndpointLog,
    FittedRequests,
    ModelTimeouts,
    Profile,
    TurnLimits,
)

from .client import Client
from .endpoint import PRESETS, Endpoint, with_preset
from .model import ChatModel

__all__ = ["PRESETS", "Config", "Plugin"]


def _none_is_empty(value: Any) -> Any:
    return {} if value is None else value


class Config(BaseModel):
    """`timeouts` apply to every endpoint that sets none."""

    endpoints: dict[str, Annotated[Endpoint, BeforeValidator(_none_is_empty)]] = Field(min_length=1)
    timeouts: ModelTimeouts = ModelTimeouts()

    @field_validator("endpoints")
    @classmethod
    def _complete(cls, endpoints: dict[str, Endpoint]) -> dict[str, Endpoint]:
        return {name: with_preset(name, endpoint) for name, endpoint in endpoints.items()}


class Plugin:
    """Serves each endpoint's models under the endpoint's name."""

    def __init__(self, config: Config) -> None:
        self._providers = {
            name: EndpointModels(name, endpoint, config.timeouts.but(endpoint.timeouts))
            for name, endpoint in config.endpoints.items()
        }

    @hookimpl
    def model_providers(self) -> dict[str, ModelProvider]:
        return dict(self._providers)

    @hookimpl
    def setup(self, app: web.Application) -> None:
        settings = app.get(SETTINGS)
        for provider in self._providers.values():
            provider.limits = settings.turns.limits if settings is not None else TurnLimits()
        app.cleanup_ctx.append(self._close_at_the_end)

    async def _close_at_the_end(self, _: web.Application) -> AsyncIterator[None]:
        yield
        for provider in self._providers.values():
            await provider.aclose()


_MOST_PROFILES = 1000


class FittedModel(FittedRequests, ChatModel):
    """A model whose requests fit its endpoint."""


class EndpointModels(ModelProvider):
    """The models of one endpoint, which share one connection pool."""

    def __init__(self, name: str, endpoint: Endpoint, timeouts: ModelTimeouts) -> None:
        self.limits = TurnLimits()
        self._name = name
        self._endpoint = endpoint
        self._log = EndpointLog(("plugins", "compatible_models", "endpoints", name))
        self._timeouts = timeouts
        self._profiles: dict[str, Profile] = {}
        self._client = Client(endpoint, timeouts.connect)

    def get_model(self, model_name: str | None) -> Model:
        """Return the model that the endpoint knows under this name."""
        if not model_name:
            raise ValueError("an endpoint has no default model: name one, as in `ollama/qwen3`")
        profile = self._profiles.get(model_name)
        if profile is None:
            # To make one takes a tenth of a millisecond
            profile = self._endpoint.profile_for(self._name, model_name)
            if len(self._profiles) < _MOST_PROFILES:
                self._profiles[model_name] = profile
        model = FittedModel(
            model_name,
            self._client,
            self._timeouts,
            self.limits,
            usage=profile.stream_options,
            tags=profile.think_tags,
        )
        return model.fit_to(profile, self._log)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
