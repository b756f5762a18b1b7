"""What another user, another tenant's user and a stranger get of the plugin `attachments`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from chatkit_server import Settings
from chatkit_server.app import create_app
from chatkit_server.plugin.load import load_plugins
from tests.client import Chat
from tests.plugins.attached import Page, image
from tests.security.test_isolation import OTHERS, SECRET, STRANGERS, VICTIM, bearer

FILES = "/api/chat/attachments"
FILE = f"{FILES}/{{id}}"

WITH_CREDENTIALS = {("POST", FILES), ("GET", FILE)}
"""The routes that ask who the user is."""

SIGNED = {("GET", f"{FILE}/preview"), ("PUT", f"{FILE}/upload"), ("POST", f"{FILE}/upload")}
"""The routes that ask for a signature, and tell nothing in their answers to `OPTIONS`."""


async def test_others_get_nothing_of_files(tmp_path: Path) -> None:
    plugins: dict[str, Any] = {
        "jwt_auth": {"secret": SECRET, "tenant_claim": "org"},
        "tortoise_store": {"url": f"sqlite://{tmp_path / 'a.db'}"},
        "attachments": {"url": str(tmp_path / "files")},
        "demo_model": None,
    }
    settings = Settings.model_validate({"plugins": plugins})
    app = create_app(settings, load_plugins(settings))
    routes = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.resource.canonical.startswith(FILES)
    }
    options = {("OPTIONS", path) for _, path in SIGNED}
    assert routes == WITH_CREDENTIALS | SIGNED | options
    async with TestClient(TestServer(app)) as client:
        page = Page(Chat(client), "two_phase")
        page.chat.headers = bearer(VICTIM)
        hers = await page.create("a.png", len(image()))
        assert (await page.put(hers, image())).status == 200
        path = FILE.format(id=hers["id"])
        for user in OTHERS.values():
            assert (await client.get(path, headers=bearer(user))).status == 404
            page.chat.headers = bearer(user)
            theirs = await page.create("b.png", len(image()))
            uploaded = await (await page.put(theirs, image())).json()
            for method, route in SIGNED:
                # The signatures of their own file
                for signed in (uploaded["preview_url"], theirs["upload_descriptor"]["url"]):
                    query = URL(signed).query
                    response = await client.request(
                        method, route.format(id=hers["id"]), params=query, headers=bearer(user)
                    )
                    assert response.status == 403, (user, method, route)
        for headers in STRANGERS.values():
            for method, route in WITH_CREDENTIALS:
                response = await client.request(
                    method, route.format(id=hers["id"]), headers=headers
                )
                assert response.status == 401, (headers, method, route)
            for method, route in SIGNED:
                response = await client.request(
                    method, route.format(id=hers["id"]), headers=headers
                )
                assert response.status == 403, (headers, method, route)
        mine = await client.get(path, headers=bearer(VICTIM))
        assert await mine.read() == image()
