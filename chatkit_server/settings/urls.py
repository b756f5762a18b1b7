"""Types of settings that are addresses: of servers, of models, and paths of this server."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

_ADDED = re.compile(
    r"(?:/(?:chat/)?completions|/responses|/embeddings|/messages|(?<=/v\d)/chat|"
    r"(?:(?<=/v\d)|(?<=/v1beta)|(?<=/openai))/models)/*$",
    re.IGNORECASE,
)
"""What belongs to a request. `https://NAME.services.ai.azure.com/models` is a base URL of Azure."""

_DOUBLED = re.compile(r"/(v\d\w*)/+\1/*$")
_PATH = re.compile(r"(?:/[\w.~!$&'()*+,;=:@-]+)+", re.ASCII)
_TAKEN = ("/healthz", "/readyz")


def _url(value: str) -> str:
    """Check an address without quoting it: there may be a secret in it, or it may be one."""
    if value != value.strip(" \t\r\n\"'") or re.search(r"\s", value):
        raise ValueError("remove the spaces and quotes that are in the address or around it")
    scheme, found, rest = value.partition("://")
    if not found:
        raise ValueError("an address begins with https:// or http://: write that before it")
    if scheme.lower() not in ("http", "https"):
        raise ValueError("an address begins with https:// or http://, and not with another scheme")
    try:
        parts = urlsplit(value)
        known = parts.hostname and parts.port is not False
    except ValueError:
        raise ValueError("the host or the port of the address is not valid") from None
    if not known:
        raise ValueError("the address has no host: write https://host/path")
    if parts.fragment:
        raise ValueError("remove the `#` and what follows it: it is never sent")
    return f"{scheme.lower()}://{rest}"


def _base_url(value: str) -> str:
    if added := _ADDED.search(value.partition("?")[0]):
        raise ValueError(
            f"remove `{added[0]}` from the end: this is the base URL, to which the server adds it"
        )
    if doubled := _DOUBLED.search(value):
        raise ValueError(f"it ends in /{doubled[1]} twice: keep one")
    if "?" in value:
        raise ValueError("remove the `?` and what follows it: the server adds a path at the end")
    if "//" in value.partition("://")[2]:
        raise ValueError("write one slash in place of two")
    return value


def _url_path(value: Any) -> Any:
    if not isinstance(value, str) or _PATH.fullmatch(value):
        if value in _TAKEN:
            raise ValueError(f"{value} is a health check of the server. Use another path")
        if isinstance(value, str) and {".", ".."} & set(value.split("/")):
            raise ValueError("remove `.` and `..` from the path: clients do not send them")
        return value
    if re.search(r"[?#]", value):
        raise ValueError("a path has no `?` and no `#`")
    without_host = re.sub(r"^\w+://[^/]*", "", value.strip(" \t\"'"))
    meant = "/" + re.sub("/+", "/", without_host).strip("/")
    hint = f". Write {meant}" if meant != value and _PATH.fullmatch(meant) else ""
    raise ValueError(
        "expected a path such as /api/chat: letters, digits, `-`, `_`, `.` and `/`, with a slash "
        f"at the beginning and none at the end{hint}"
    )


Url = Annotated[str, AfterValidator(_url)]
"""An address that begins with http:// or https://."""

BaseUrl = Annotated[Url, AfterValidator(_base_url)]
"""The address of an API, to whose end `/chat/completions` or the like is added."""

UrlPath = Annotated[str, BeforeValidator(_url_path)]
"""A path of this server: without a slash at its end, and without variable parts."""
