"""How an answer ended: its finish reason, or the error that came in its place."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import openai
from agents.exceptions import ModelBehaviorError

log = logging.getLogger(__name__)

_COMPLETE = {
    "stop",
    "eos",
    "eos_token",
    "end",
    "end_turn",
    "stop_sequence",
    "stop_token",
    "pause_turn",
    "tool_calls",
    "tool_call",
    "tool_use",
    "function_call",
    "function_calls",
    "complete",
    "completed",
    "finished",
    "done",
    "normal",
    "success",
}
_CUT_OFF = {
    "length",
    "max_tokens",
    "max_output_tokens",
    "max_length",
    "model_length",
    "token_limit",
}
_FAILED = re.compile(
    "error|abort|cancel|fail|timeout|overload|insufficient_system_resource|unavailable"
)
_BAD_CALL = re.compile(
    "malformed|function_call_filter|tool_call_filter|unexpected_tool|too_many_tool"
)
_FILTERED = re.compile(
    "content_?filter|safety|recitation|blocklist|prohibited|spii|sensitive|guardrail|refusal"
    "|moderation|image_other|language"
)

NO_ANSWER = "the model gave no answer"
WEB_PAGE = "the endpoint answered with a web page"
BAD_CALL = "the model wrote a malformed tool call"


@contextmanager
def malformed_is_model_error() -> Iterator[None]:
    """Raise `ModelBehaviorError` if the block fails on a malformed chunk."""
    try:
        yield
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError) as error:
        raise ModelBehaviorError(f"the endpoint sent a malformed chunk: {error!r}") from error


def check_ending(reason: str, *, said: bool) -> None:
    """Raise what a finish reason means, if the answer is not complete.

    An unknown reason ends an answer that says something, and is logged. Raises
    `ModelBehaviorError` and `openai.ContentFilterFinishReasonError`.
    """
    name = reason.strip().lower()
    if not name or name in _COMPLETE:
        return
    if name in _CUT_OFF:
        raise ModelBehaviorError("Chat Completions stream terminated with finish_reason='length'")
    if _BAD_CALL.search(name):
        raise ModelBehaviorError(f"{BAD_CALL}: finish_reason={reason!r}")
    if _FILTERED.search(name):
        raise openai.ContentFilterFinishReasonError
    if _FAILED.search(name):
        raise ModelBehaviorError(
            f"Chat Completions stream terminated with a server_error: {reason!r}"
        )
    if not said:
        raise ModelBehaviorError(f"{NO_ANSWER}: finish_reason={reason!r}")
    log.warning("a model ended its answer for a reason that is not known: %.100r", reason)


def error_in(chunk: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the error that a chunk or an answer has or is, with a `message`; None if it is none.

    Its `code`, as text, and its `type` are kept, if the provider gives any.
    """
    if error := chunk.get("error") or chunk.get("errors"):
        return _described(error)
    choices = chunk.get("choices")
    if isinstance(choices, list) and choices:
        error = choices[0].get("error") if isinstance(choices[0], dict) else None
        return _described(error) if error else None
    if chunk.get("object") == "error" or chunk.get("type") == "error":
        return _described(chunk)
    base = chunk.get("base_resp")
    if isinstance(base, dict) and base.get("status_code"):
        return {"message": str(base.get("status_msg")), "code": str(base["status_code"])}
    if "choices" in chunk or "usage" in chunk or "delta" in chunk:
        return None
    told = next(
        (chunk[key] for key in ("detail", "message", "msg", "title") if chunk.get(key)), None
    )
    return _described(chunk) if told is not None and not chunk.get("id") else None


def _described(error: Any) -> Mapping[str, Any]:
    """Return an error of whatever shape as `message`, `type` and `code`."""
    while isinstance(error, list) and error:
        error = error[0]
    if not isinstance(error, dict):
        return {"message": str(error)}
    inner = error.get("error")
    if isinstance(inner, Mapping | list):
        return _described(inner)
    words = (error.get(key) for key in ("message", "detail", "msg", "title", "error", "reason"))
    found = next((word for word in words if word), None) or error
    kind = next((error[key] for key in ("type", "status") if isinstance(error.get(key), str)), None)
    code = next((error[key] for key in ("code", "status_code", "status") if error.get(key)), None)
    described = {"message": str(found)}
    if kind is not None:
        described["type"] = kind
    if isinstance(code, int | str):
        described["code"] = str(code)
    return described
