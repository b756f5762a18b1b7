"""Models through LiteLLM: `litellm/gemini/gemini-2.5-flash`, `litellm/anthropic/...`.

    litellm_models:

LiteLLM also serves every prefix that no other plugin claims: `gemini/gemini-2.5-flash`. Keys come
from the variables that LiteLLM knows (`GOOGLE_API_KEY` or `GEMINI_API_KEY`, `ANTHROPIC_API_KEY`,
...), or from `providers:`.

- `provider`: the models, loaded on first use.
- `names`: the providers that LiteLLM knows.
- `library`: importing and closing LiteLLM. `guard`: what its requests may not do.
- `model`: one request to a model.
- `fitting`: requests that fit their provider.
- `answer`: the chunks of an answer, to a complete end or an error.
- `fast_path`: text that skips LiteLLM's handling of each chunk.
- `gemini`: what LiteLLM loses of Gemini.
- `errors`: the provider's errors behind LiteLLM's, and the models that are not offered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from agents import ModelProvider
from aiohttp import web

from chatkit_server import SETTINGS, SettingsError, hookimpl

from .errors import NOT_OFFERED, is_unguarded
from .provider import Config, LitellmModels

__all__ = ["Config", "Plugin"]


class Plugin:
    """Serves `litellm/` and every prefix that no other plugin serves."""

    def __init__(self, config: Config) -> None:
        self._provider = LitellmModels(config)

    @hookimpl
    def model_providers(self) -> dict[str, ModelProvider]:
        return {"litellm": self._provider, "": self._provider}

    @hookimpl
    def setup(self, app: web.Application) -> None:
        _check_provider(app[SETTINGS].agent.model_settings)
        self._provider.log_content = app[SETTINGS].log.content
        self._provider.limits = app[SETTINGS].turns.limits
        app.cleanup_ctx.append(self._close_at_the_end)

    async def _close_at_the_end(self, _: web.Application) -> AsyncIterator[None]:
        yield
        await self._provider.aclose()


def _check_provider(model_settings: Mapping[str, Any]) -> None:
    extra = model_settings.get("extra_args")
    if isinstance(extra, Mapping) and is_unguarded(extra.get("custom_llm_provider")):
        raise SettingsError(f"agent.model_settings.extra_args.custom_llm_provider: {NOT_OFFERED}")
