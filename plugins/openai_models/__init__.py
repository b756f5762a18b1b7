"""OpenAI's own models through its Responses API: `openai/gpt-5`.

    openai_models: {api_key: "${OPENAI_API_KEY}"}

The key is optional if the variable `OPENAI_API_KEY` is set.

- `config`: the settings.
- `client`: the HTTP client, with its limits.
- `model`: a model as the Agents SDK runs it.
- `history`: the conversation, as the API takes it without having stored any of it.
- `parameters`: which parameters a model takes.
- `answer`: the events of an answer, complete and valid.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import httpx2
import openai
from agents import Model, ModelProvider
from aiohttp import web

from chatkit_server import hookimpl
from chatkit_server.models import is_probe

from .client import GuardedClient
from .config import Config
from .model import ResponsesModel
from .parameters import Parameters

__all__ = ["Config", "Plugin"]

_LIMITS = httpx2.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=60)
_REPORTS = ("Error streaming response", "Error getting response")
MOST_MODELS = 1000
"""Models of which is remembered what they refuse; their names may come from clients."""


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
        self._config = config
        self._parameters: dict[str, Parameters] = {}
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
        parameters = self._parameters.get(model_name) or Parameters(model_name, self._config.store)
        if len(self._parameters) < MOST_MODELS:
            self._parameters[model_name] = parameters
        client = self._client.with_options(max_retries=0) if is_probe() else self._client
        return ResponsesModel(model_name, client, self._config.timeouts, parameters)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()


def _is_no_report(record: logging.LogRecord) -> bool:
    """Drop the SDK's report of a failed request: the core logs the failure with the turn's id."""
    return not record.getMessage().startswith(_REPORTS)
