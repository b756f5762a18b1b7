"""Requests that fit the providers behind LiteLLM. Importing this module imports LiteLLM."""

from __future__ import annotations

from typing import Any

import litellm
from agents.extensions.models import litellm_model
from litellm.exceptions import BadRequestError
from litellm.llms.ollama.chat.transformation import OllamaChatConfig

from chatkit_server.models import FittedRequests, fitted

from .gemini import keep_what_gemini_says
from .model import WatchedLitellmModel


class FittedLitellmModel(FittedRequests, WatchedLitellmModel):
    """A model whose requests fit its provider."""

    @staticmethod
    def parted(name: str) -> tuple[str, str]:
        """Return LiteLLM's prefix and the provider's own name of a model."""
        prefix, _, rest = name.partition("/")
        if rest:
            return prefix, rest
        try:
            model, provider, *_ = litellm.get_llm_provider(name)
        except BadRequestError:
            return "", name
        return provider, model


class _FittingLitellm:
    """LiteLLM as the Agents SDK's model calls it; requests are made to fit before."""

    def __getattr__(self, name: str) -> Any:
        return getattr(litellm, name)

    async def acompletion(self, **arguments: Any) -> Any:
        return await litellm.acompletion(**fitted(arguments))


_ollama_request = OllamaChatConfig.transform_request


def _with_calls(
    self: Any, model: str, messages: list[Any], *others: Any, **more: Any
) -> dict[str, Any]:
    """Return the request to Ollama, with the tool calls that LiteLLM reads and does not send."""
    copies: list[Any] = [dict(message) for message in messages]
    request: dict[str, Any] = _ollama_request(self, model, copies, *others, **more)
    names: dict[str, str] = {}
    for given, read, sent in zip(messages, copies, request["messages"], strict=True):
        for call in given.get("tool_calls") or ():
            names[call["id"]] = call["function"]["name"]
            sent["tool_calls"] = read["tool_calls"]
        if (name := names.get(given.get("tool_call_id", ""))) is not None:
            sent["tool_name"] = name
    return request


def fit_requests() -> None:
    """Let the Agents SDK and LiteLLM send requests as they are made to fit."""
    setattr(litellm_model, "litellm", _FittingLitellm())  # noqa: B010
    setattr(OllamaChatConfig, "transform_request", _with_calls)  # noqa: B010
    keep_what_gemini_says()
