"""The settings of the plugin."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, model_validator

from chatkit_server import Duration, Size, Url, UrlPath


def _comma_separated(value: Any) -> Any:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


class PdfLimits(BaseModel):
    """What reading a PDF may take. `memory` is that of the child process, with its libraries."""

    pages: int = Field(200, ge=1)
    time: Duration = 10.0
    memory: Size = Field(1_000_000_000, ge=200_000_000)


class Config(BaseModel):
    """Where files are, what may be attached, and for how long addresses are good.

    `url` is a folder, or `s3://bucket/prefix`, `gs://…`, `az://…` with `options`. `path` is that of
    the routes; without it, they are below the chat's own. `public_url` is where clients find the
    server, if a proxy hides it. Addresses are signed with `secret`, or else with a key that is kept
    beside the files. `text` is how many characters of a file the model gets. `unused` counts the
    files of a user that are in no message; these are removed after `orphans`.
    """

    url: str = "attachments"
    options: dict[str, Any] = Field(default_factory=dict)
    path: UrlPath | None = None
    public_url: Url | None = None
    secret: SecretStr | None = Field(None, min_length=32)
    types: Annotated[list[str], BeforeValidator(_comma_separated)] = Field(
        default_factory=lambda: [
            "image/png",
            "image/jpeg",
            "image/gif",
            "image/webp",
            "application/pdf",
            "text/*",
        ]
    )
    max_size: Size = 25_000_000
    text: int = Field(50_000, ge=1)
    pdf: PdfLimits = PdfLimits()
    unused: int = Field(50, ge=1)
    orphans: Duration = 86_400.0
    upload_time: Duration = 600.0
    preview_time: Duration = 86_400.0

    @model_validator(mode="after")
    def _check_times(self) -> Config:
        if self.orphans < 2 * self.upload_time:
            raise ValueError("`orphans` must be at least twice `upload_time`")
        return self
