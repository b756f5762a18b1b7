"""One request to a model of LiteLLM. Importing this module imports LiteLLM."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import litellm
import openai
from agents import ModelSettings
from agents.extensions.models.litellm_model import LitellmModel

from chatkit_server.models import ModelTimeouts, OutputMeter, TextFastPath

from .answer import complete
from .errors import raise_original


class WatchedLitellmModel(LitellmModel):
    """A model with timeouts, whose answers are complete or an error."""

    def __init__(
        self,
        model: str,
        base_url: str | None,
        api_key: str | None,
        *,
        timeouts: ModelTimeouts,
        max_retries: int,
        fast_path: TextFastPath | None,
        meter: OutputMeter,
    ) -> None:
        super().__init__(model, base_url, api_key)
        self._timeouts = timeouts
        self._fast_path = fast_path
        self._meter = meter
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
            raise_original(error)
        if not isinstance(answer, tuple):
            return answer
        response, stream = answer
        return response, complete(stream, timer, self._meter, self._fast_path)

    def _include_usage(self, settings: ModelSettings) -> bool | None:
        if settings.include_usage is not None:
            return settings.include_usage
        known = litellm.get_supported_openai_params(model=self.model) or ()
        return True if "stream_options" in known else None
