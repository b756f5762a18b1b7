"""What LiteLLM loses of Gemini: why an answer ended, a call made twice, and one without arguments.

Importing this module imports LiteLLM.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import httpx2
import openai
from litellm.llms.vertex_ai.gemini import transformation
from litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini import (
    ModelResponseIterator,
    VertexGeminiConfig,
)

from chatkit_server.models import error_in

finish_reason: ContextVar[str | None] = ContextVar("finish_reason", default=None)
"""The last reason that Gemini gave in an answer which this task reads."""

_mapped_reason = VertexGeminiConfig._check_finish_reason


def _reason(message: Any, reason: str | None) -> Any:
    """Return LiteLLM's name of a reason; None if Gemini gave none, in place of `stop`."""
    if not reason:
        return None
    finish_reason.set(reason)
    return _mapped_reason(message, reason)


_parsed_chunk = ModelResponseIterator.chunk_parser


def _with_arguments(self: Any, chunk: Any) -> Any:
    """Parse a chunk, in which a call need not have arguments; raise the error that it may be."""
    if (error := error_in(chunk)) is not None:
        raise openai.APIError(error["message"], httpx2.Request("POST", "/"), body=error)
    for candidate in chunk.get("candidates") or ():
        for part in (candidate.get("content") or {}).get("parts") or ():
            if call := part.get("functionCall"):
                call.setdefault("args", {})
    return _parsed_chunk(self, chunk)


def _is_told(*_: Any, **__: Any) -> bool:
    """Tell that no call is in a message already: two calls may be the same."""
    return False


def keep_what_gemini_says() -> None:
    """Let LiteLLM keep Gemini's reasons and calls."""
    setattr(VertexGeminiConfig, "_check_finish_reason", staticmethod(_reason))  # noqa: B010
    setattr(ModelResponseIterator, "chunk_parser", _with_arguments)  # noqa: B010
    setattr(transformation, "check_if_part_exists_in_parts", _is_told)  # noqa: B010
