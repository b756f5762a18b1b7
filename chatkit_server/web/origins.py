"""Origins of pages: what browsers send, and what somebody meant who wrote another text."""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from yarl import URL

NO_SITE = ("null", "file://")
"""What browsers and apps send for a page that no site has."""

_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://"
    r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[\w.~%!$&'()+,;=-]+))"
    r"(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_OF_PAGES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
"""The scheme of the page that was meant."""


def is_origin(text: str) -> bool:
    """Whether a text can be the origin of a page: a scheme, a host, and perhaps a port."""
    match = _ORIGIN.fullmatch(text)
    if match is None or int(match["port"] or 0) > 65535:
        return False
    try:
        return match["address"] is None or bool(ipaddress.IPv6Address(match["address"]))
    except ValueError:
        return False


def problem_of(text: str) -> str | None:
    """Return what is wrong with an origin in the settings, None if browsers send it like this."""
    scheme = text.partition("://")[0]
    # Of other schemes, a name is what an app makes it
    if scheme not in _OF_PAGES and "://" in text and is_origin(text):
        return None
    parts = re.split(r"[\s;|]+", text)
    if not all("://" in part for part in parts):
        parts = [re.sub(r"\s", "", text)]
    meant = [origin for part in parts if (origin := meant_origin(part))]
    if meant == [text]:
        return None
    wrong = f"`{text}` is not an origin as browsers write it"
    if text in NO_SITE:
        return f"{wrong} for one site: any file and any sandboxed frame sends that"
    if "*" in text:
        return f"{wrong}: `*` has no meaning in it. Name each origin"
    if meant:
        return f"{wrong}. Write {','.join(meant)}"
    return (
        f"{wrong}: scheme, host and port, such as https://app.example.com or "
        "http://localhost:3000, without a path"
    )


def meant_origin(text: str) -> str | None:
    """Return the origin of a page that a text stands for, None if it stands for none."""
    bare = text.strip(" \t\r\n\"'`<>")
    if bare.count("[") != bare.count("]") or (bare.startswith("[") and "://" in bare):
        bare = bare.strip("[]").strip("\"'")
    scheme, host = _scheme_of(bare)
    try:
        parts = urlsplit(f"//{host}")
        port = parts.port
        name = _canonical_host(parts.hostname or "")
    except (ValueError, UnicodeError):
        return None
    if scheme is None or not name:
        return None
    shown = "" if port is None or port == _DEFAULT_PORTS[scheme] else f":{port}"
    origin = f"{scheme}://{name}{shown}"
    return origin if is_origin(origin) else None


def _scheme_of(text: str) -> tuple[str | None, str]:
    """Return the scheme of the page, and the rest; without one, that of most pages there."""
    match = re.fullmatch(r"([A-Za-z][\w+.-]*):/+(.*)", text, re.DOTALL)
    if match:
        return _OF_PAGES.get(match[1].lower()), match[2]
    rest = text.lstrip("/")
    local = re.match(r"(localhost|127\.|\[::1\]|[\w-]+:)", rest, re.IGNORECASE)
    known = "." in rest or ":" in rest or local
    return ("http" if local else "https") if known else None, rest


def _canonical_host(name: str) -> str:
    """Return a host as browsers write it; raises `ValueError` for what is none."""
    if ":" in name:
        return f"[{ipaddress.IPv6Address(name)}]"
    if re.fullmatch(r"0x[0-9a-f]*|[0-9]+", name.rpartition(".")[2]):
        try:
            return socket.inet_ntoa(socket.inet_aton(name))
        except OSError:
            raise ValueError(name) from None
    host = URL.build(scheme="http", host=name).raw_host or "" if name else ""
    if not re.fullmatch(r"[a-z0-9._-]+", host):
        raise ValueError(name)
    return host
