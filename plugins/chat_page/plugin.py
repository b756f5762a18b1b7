"""The hook of the plugin: the routes of the page and of its files."""

from __future__ import annotations

import posixpath
from collections.abc import Awaitable, Callable

from aiohttp import web

from chatkit_server import PAGES, SettingsError, hookimpl

from .config import Config
from .files import BUILT, SCHEMA, StaticFile, files_of
from .page import Page, manifest

PAGE = "page.html"
MANIFEST = "manifest.webmanifest"
CHUNKS = "open-chatkit"
"""The folder of what the element loads when it is first needed."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


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
        files.pop(SCHEMA, None)
        files[MANIFEST] = StaticFile(manifest(self.config), MANIFEST)
        path = self.config.path or ""
        app.router.add_get(path or "/", Page(page.body.decode(), self.config, app).answer)
        if path:
            app.router.add_get(f"{path}/", _without_slash)
        for name, file in files.items():
            if "/" not in name:
                app.router.add_get(f"{path}/{name}", file.answer)
        app.router.add_get(f"{path}/{CHUNKS}/{{name}}", _chunks(files))
        app[PAGES].append(path or "/")


def _chunks(files: dict[str, StaticFile]) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        file = files.get(f"{CHUNKS}/{request.match_info['name']}")
        if file is None:
            raise web.HTTPNotFound
        return await file.answer(request)

    return answer


async def _without_slash(request: web.Request) -> web.StreamResponse:
    # Relative, so that it is right behind a proxy with a prefix
    name = posixpath.basename(request.path.rstrip("/"))
    query = f"?{request.query_string}" if request.query_string else ""
    raise web.HTTPPermanentRedirect(f"../{name}{query}")
