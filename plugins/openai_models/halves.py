"""Halves of surrogate pairs: JSON may have them, and no text can be written with them."""

from __future__ import annotations

from typing import Any

import openai


def valid(text: str) -> str:
    """Join surrogate pairs; what is left of one becomes U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def has_halves(model: openai.BaseModel) -> bool:
    """Whether a model cannot be written as JSON."""
    try:
        model.model_dump_json(warnings=False)
    except ValueError:
        return True
    return False


def mend(value: Any) -> Any:
    """Return a value in which all text is valid; models are changed in place."""
    if isinstance(value, str):
        return valid(value)
    if isinstance(value, dict):
        return {mend(key): mend(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [mend(inner) for inner in value]
    if isinstance(value, openai.BaseModel):
        for fields in (value.__dict__, value.__pydantic_extra__ or {}):
            fields.update({name: mend(inner) for name, inner in fields.items()})
    return value
