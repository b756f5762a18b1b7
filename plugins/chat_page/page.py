"""The page: its HTML with the options of the element, its policy, its manifest."""

from __future__ import annotations

import html
import json
import posixpath
from typing import Any

from aiohttp import web

from .config import Config
from .files import StaticFile
from .options import element_options

_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
}
_SCHEMES = ("light", "dark")


class Page:
    """The page with what the server can do, which all plugins have to be there for."""

    def __init__(self, template: str, config: Config, app: web.Application) -> None:
        self._template = template
        self._config = config
        self._app = app
        self._file: StaticFile | None = None
        self._headers = {"Content-Security-Policy": policy(config), **_HEADERS}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer with the page. Its addresses are relative: a proxy may add a prefix."""
        if self._file is None:
            self._file = StaticFile(self._rendered().encode(), "page.html")
        response = await self._file.answer(request)
        response.headers.update(self._headers)
        return response

    def _rendered(self) -> str:
        config = self._config
        options = element_options(config, self._app)
        settings = {"options": options, "signIn": config.sign_in, "signOut": config.sign_out}
        values = {
            "base": f"{posixpath.basename(config.path)}/" if config.path else "",
            "lang": options.get("locale") or "en",
            "scheme": _scheme(options.get("theme")),
            "title": config.title,
            "settings": json.dumps(settings, ensure_ascii=False),
        }
        text = self._template
        for name, value in values.items():
            text = text.replace(f"{{{{{name}}}}}", html.escape(value))
        return text


def policy(config: Config) -> str:
    """Return the Content-Security-Policy: nothing runs and nothing is asked but this server."""
    images = " ".join(f"https://{host}" for host in config.image_domains)
    uploads = " ".join(f"https://{host}" for host in config.upload_domains)
    frames = " ".join("'self'" if site == "self" else site for site in config.frame_ancestors)
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": f"'self' data: blob: {images}",
        "media-src": "'self' blob:",
        "font-src": "'self'",
        "connect-src": f"'self' {uploads}",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": frames or "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "lit-html dompurify",
    }
    return "; ".join(f"{name} {value.strip()}" for name, value in rules.items())


def manifest(config: Config) -> bytes:
    """Return what a phone needs to keep the page as an app. Addresses begin at its own."""
    start = f"../{posixpath.basename(config.path)}" if config.path else "./"
    app = {
        "name": config.title,
        "start_url": start,
        "scope": start,
        "display": "standalone",
        "icons": [{"src": "icon.svg", "sizes": "any", "type": "image/svg+xml"}],
    }
    return json.dumps(app, ensure_ascii=False).encode()


def _scheme(theme: Any) -> str:
    chosen = theme.get("colorScheme") if isinstance(theme, dict) else theme
    return chosen if chosen in _SCHEMES else "light dark"
