"""The settings of the plugin."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from chatkit_server import UrlPath

_HOST = re.compile(r"(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::[0-9]{1,5})?", re.IGNORECASE)
_SOURCE = re.compile(rf"(?:https?://)?{_HOST.pattern}", re.IGNORECASE)


def _comma_separated(value: Any) -> Any:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise ValueError("write a host, such as images.example.com or *.example.com")
    return value.lower()


def _site(value: str) -> str:
    if value != "self" and not _SOURCE.fullmatch(value):
        raise ValueError("write `self`, or an origin such as https://app.example.com")
    return value


Hosts = Annotated[
    list[Annotated[str, AfterValidator(_host)]],
    BeforeValidator(_comma_separated),
]
Sites = Annotated[
    list[Annotated[str, AfterValidator(_site)]],
    BeforeValidator(_comma_separated),
]


class Prompt(BaseModel):
    """A message to begin with. `icon` is a name of ChatKit's, or `lucide:NAME`."""

    label: str
    prompt: str
    icon: str | None = None


class Config(BaseModel):
    """Where the page is, and what it shows.

    `path` is that of the page; its files are below it. `sign_in` is the address of a page where
    users sign in, for servers that know them by a cookie; without it, users who are not known are
    asked for a token. `image_domains` may have their pictures shown, and `frame_ancestors` may show
    the page in a frame: `self` or origins, or none. `upload_domains` are where files go, if a
    plugin sends them to another host. `options` are ChatKit's, as far as JSON can say them: they
    win over all else.
    """

    path: Annotated[
        UrlPath | None, BeforeValidator(lambda value: None if value == "/" else value)
    ] = None
    title: str = "Chat"
    greeting: str | None = None
    prompts: list[Prompt] = Field(default_factory=list)
    disclaimer: str | None = None
    theme: Literal["system", "light", "dark"] = "system"
    locale: str | None = Field(None, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
    sign_in: str | None = None
    image_domains: Hosts = Field(default_factory=list)
    upload_domains: Hosts = Field(default_factory=list)
    frame_ancestors: Sites = Field(default_factory=lambda: ["self"])
    options: dict[str, Any] = Field(default_factory=dict)
