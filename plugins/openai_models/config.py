"""The settings."""

from __future__ import annotations

import os

from pydantic import BaseModel, Field, SecretStr, field_validator

from chatkit_server import Size
from chatkit_server.models import BaseUrl, ModelTimeouts


def _key_from_environment() -> SecretStr:
    return SecretStr(os.environ.get("OPENAI_API_KEY", ""))


class Config(BaseModel):
    """`max_retries` counts retries before the answer begins.

    `max_event` is the largest event of a stream, `max_answer` the largest answer, as it is sent.
    With `store`, OpenAI keeps the answers for its dashboard; the history never depends on that.
    """

    api_key: SecretStr = Field(default_factory=_key_from_environment, validate_default=True)
    base_url: BaseUrl = "https://api.openai.com/v1"
    organization: str | None = None
    project: str | None = None
    store: bool = False
    timeouts: ModelTimeouts = ModelTimeouts()
    max_retries: int = Field(2, ge=0)
    max_event: Size = Field(16_000_000, ge=1000)
    max_answer: Size = Field(200_000_000, ge=1000)

    @field_validator("api_key")
    @classmethod
    def _not_empty(cls, key: SecretStr) -> SecretStr:
        if not key.get_secret_value():
            raise ValueError("set the variable OPENAI_API_KEY, or `api_key` here")
        return key
