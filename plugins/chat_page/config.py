"""The settings of the plugin."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    WithJsonSchema,
    field_validator,
)

from chatkit_server import UrlPath

from .files import BUILT, SCHEMA

_HOST = re.compile(r"(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::[0-9]{1,5})?", re.IGNORECASE)
_LOCALE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
_SCHEMES = ("", "http", "https")
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


def _locale(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(_LOCALE, value):
        raise ValueError("write a language, such as de, or de-AT with a country")
    return value


def _page_address(value: str) -> str:
    if not value or re.search(r"[\s\\]", value) or urlsplit(value).scheme not in _SCHEMES:
        raise ValueError("write a path such as /login, or an address with https://")
    return value


PageAddress = Annotated[str, AfterValidator(_page_address)]
Hosts = Annotated[
    list[Annotated[str, AfterValidator(_host)]],
    BeforeValidator(_comma_separated),
]
Sites = Annotated[
    list[Annotated[str, AfterValidator(_site)]],
    BeforeValidator(_comma_separated),
]


def _options_schema() -> dict[str, Any]:
    """Return the JSON Schema of the element's options, which is built with it."""
    file = BUILT / SCHEMA
    schema: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"type": "object"}
    return schema


def _option_problem(options: dict[str, Any], schema: dict[str, Any]) -> str | None:
    """Return which option is wrong, and how."""
    # This import takes megabytes, and few settings need it
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    problem = best_match(Draft202012Validator(schema).iter_errors(options))
    if problem is None:
        return None
    return f"{problem.json_path.removeprefix('$.')}: {problem.message}".removeprefix("$: ")


_OPTIONS = _options_schema()


class Prompt(BaseModel):
    """A message to begin with. `icon` is a name of ChatKit's, or `lucide:NAME`."""

    label: str
    prompt: str
    icon: str | None = None


class Config(BaseModel):
    """Where the page is, and what it shows.

    `path` is that of the page; its files are below it. `sign_in` is the address of a page where
    users sign in, for servers that know them by a cookie; `{url}` in it is where it should lead
    back to. Without it, users who are not known are asked for a token. `sign_out` is where they
    sign out. `image_domains` may have their pictures shown, and `frame_ancestors` may show
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
    locale: Annotated[str | None, BeforeValidator(_locale)] = Field(None, pattern=_LOCALE)
    sign_in: PageAddress | None = None
    sign_out: PageAddress | None = None
    image_domains: Hosts = Field(default_factory=list)
    upload_domains: Hosts = Field(default_factory=list)
    frame_ancestors: Sites = Field(default_factory=lambda: ["self"])
    options: Annotated[dict[str, Any], WithJsonSchema(_OPTIONS)] = Field(default_factory=dict)

    @field_validator("options")
    @classmethod
    def _known_to_the_element(cls, options: dict[str, Any]) -> dict[str, Any]:
        if "allowedImageDomains" in options:
            raise ValueError("set `image_domains` instead: the page's policy has to know them, too")
        if options and (problem := _option_problem(options, _OPTIONS)):
            raise ValueError(problem)
        return options
