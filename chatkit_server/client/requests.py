"""What clients send, and what a refusal says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson


def message_input(
    content: Sequence[Mapping[str, Any]],
    *,
    attachments: Iterable[str] = (),
    model: str | None = None,
    tool: str | None = None,
    quoted_text: str | None = None,
) -> dict[str, Any]:
    """Return the `input` of a user's message; `attachments` are their ids."""
    inference: dict[str, Any] = {}
    if model is not None:
        inference["model"] = model
    if tool is not None:
        inference["tool_choice"] = {"id": tool}
    quoted = {} if quoted_text is None else {"quoted_text": quoted_text}
    return {
        "content": [*content],
        "attachments": [*attachments],
        "inference_options": inference,
        **quoted,
    }


def text_content(text: str) -> list[dict[str, Any]]:
    """Return the content of a message that is only text."""
    return [{"type": "input_text", "text": text}]


def submission(ids: Iterable[str], given: Mapping[str, str | Sequence[str]]) -> dict[str, Any]:
    """Return the `input` that answers questions, by their ids; those not given are skipped."""
    answers = {name: _answered(given.get(name)) for name in ids}
    return {"status": "answered" if given else "skipped", "answers": answers}


def _answered(answer: str | Sequence[str] | None) -> dict[str, Any]:
    if answer is None:
        return {"values": [], "skipped": True}
    return {"values": [answer] if isinstance(answer, str) else [*answer]}


def refusal(text: str) -> str:
    """Return the message in the body of a refusal, or the body if it has none."""
    try:
        return str(orjson.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text
