"""The hook of the plugin: the page with its options and its policy, and the files."""

from __future__ import annotations

import html
import json
import posixpath
from pathlib import Path
from typing import Any

from aiohttp import web

from chatkit_server import HOOKS, PAGES, SETTINGS, SettingsError, hookimpl

from .config import Config
from .files import StaticFile, files_of

BUILT = Path(__file__).parent / "built"
PAGE = "page.html"

_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
}


class Plugin:
    """Serves the page and the element."""

    def __init__(self, config: Config) -> None:
        self.config = config

    @hookimpl
    def setup(self, app: web.Application) -> None:
        files = files_of(BUILT)
        page = files.pop(PAGE, None)
        if page is None:
            raise SettingsError(
                f"chat_page: {BUILT} has no {PAGE}: run `npm ci && npm run build` in "
                f"{BUILT.parent}, or remove chat_page from `plugins`"
            )
        path = self.config.path or ""
        for name, file in files.items():
            app.router.add_get(f"{path}/{name}", _answer(file))
        template = Template(page.body.decode(), self.config, app)
        app.router.add_get(path or "/", template.answer)
        if path:
            app.router.add_get(f"{path}/", _without_slash)
        app[PAGES].append(path or "/")


class Template:
    """The page with what the server can do, which all plugins have to be there for."""

    def __init__(self, text: str, config: Config, app: web.Application) -> None:
        self._text = text
        self._config = config
        self._app = app
        self._file: StaticFile | None = None
        self._headers = {"Content-Security-Policy": policy(config), **_HEADERS}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer with the page. Its addresses are relative: a proxy may add a prefix."""
        if self._file is None:
            self._file = StaticFile.of(self._rendered().encode(), PAGE)
        response = self._file.answer(request)
        response.headers.update(self._headers)
        return response

    def _rendered(self) -> str:
        config = self._config
        settings = {
            "options": page_options(config, self._app),
            "signIn": config.sign_in,
        }
        values = {
            "base": f"{posixpath.basename(config.path)}/" if config.path else "",
            "lang": config.locale or "en",
            "scheme": "light dark" if config.theme == "system" else config.theme,
            "title": config.title,
            "settings": json.dumps(settings, ensure_ascii=False),
        }
        text = self._text
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


def page_options(config: Config, app: web.Application) -> dict[str, Any]:
    """Return the element's options: what the server can do, what the settings say, `options`."""
    api = _relative(app[SETTINGS].server.path, config.path or "/")
    hooks, models = app[HOOKS], app[SETTINGS].agent.models
    options: dict[str, Any] = {
        "api": {"url": api, "domainKey": "", "uploadStrategy": _upload_strategy(api, app)},
        "theme": config.theme,
        "history": {"enabled": True, "showDelete": True, "showRename": True},
        "threadItemActions": {"feedback": hooks.implemented("feedback"), "retry": True},
        "thread": {"autoScroll": True},
        "startScreen": _start_screen(config),
        "allowedImageDomains": config.image_domains,
        "composer": {
            "attachments": {"enabled": hooks.implemented("attachment_store")},
            "dictation": {"enabled": hooks.implemented("transcribe")},
            **({"models": _models(app)} if models else {}),
        },
    }
    if config.locale:
        options["locale"] = config.locale
    if config.disclaimer:
        options["disclaimer"] = {"text": config.disclaimer}
    return _merged(options, config.options)


def _start_screen(config: Config) -> dict[str, Any]:
    prompts = [prompt.model_dump(exclude_none=True) for prompt in config.prompts]
    greeting = {"greeting": config.greeting} if config.greeting else {}
    return {**greeting, **({"prompts": prompts} if prompts else {})}


def _models(app: web.Application) -> list[dict[str, Any]]:
    agent = app[SETTINGS].agent
    names = dict.fromkeys([agent.model, *agent.models])
    return [
        {"id": name, "label": name.rpartition("/")[2], "default": name == agent.model}
        for name in names
    ]


def _upload_strategy(api: str, app: web.Application) -> dict[str, str]:
    """Return the way of the plugin `attachments` that also works behind a proxy with a prefix."""
    path = f"{app[SETTINGS].server.path}/attachments"
    if any(resource.canonical == path for resource in app.router.resources()):
        return {"type": "direct", "uploadUrl": f"{api}/attachments"}
    return {"type": "two_phase"}


def _relative(path: str, page: str) -> str:
    """Return a path of the server as the page at another path names it."""
    return posixpath.relpath(path, posixpath.dirname(page))


def _merged(options: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    merged = dict(options)
    for key, value in more.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _answer(file: StaticFile) -> Any:
    async def answer(request: web.Request) -> web.StreamResponse:
        return file.answer(request)

    return answer


async def _without_slash(request: web.Request) -> web.StreamResponse:
    # Relative, so that it is right behind a proxy with a prefix
    name = posixpath.basename(request.path.rstrip("/"))
    raise web.HTTPPermanentRedirect(f"../{name}")
