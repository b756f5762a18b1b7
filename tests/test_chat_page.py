"""The chat page as the server sends it: its files, its options, its policy."""

from __future__ import annotations

import gzip
import html
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, hdrs, web
from aiohttp.test_utils import TestClient
from chatkit.types import AudioInput
from chatkit_plugins.chat_page.plugin import BUILT
from yarl import URL

from chatkit_server import AsgiApp, BadRequest, SettingsError, Unauthorized, User, hookimpl
from chatkit_server.serve import _pages
from tests.serving import served_app

ROOT = Path(__file__).parents[1]

Client = TestClient[web.Request, web.Application]


class Closed:
    """Lets nobody in."""

    @hookimpl
    async def auth(self, request: web.Request) -> User:
        raise Unauthorized("Sign in.")


class Listens:
    """Takes recordings and thumbs."""

    @hookimpl
    async def transcribe(self, user: User, audio: AudioInput, context: Any) -> str:
        raise BadRequest("Nothing was said.")

    @hookimpl
    async def feedback(self, user: User, context: Any) -> bool:
        return True


def gunzipped(answer: ClientResponse, body: bytes) -> bytes:
    return gzip.decompress(body) if "Content-Encoding" in answer.headers else body


async def opened(
    aiohttp_client: Any, *plugins: object, chat_page: Any = None, **sections: Any
) -> Client:
    more = sections.pop("plugins", {})
    app, _ = served_app(
        *plugins, plugins={"demo_model": None, "chat_page": chat_page, **more}, **sections
    )
    client: Client = await aiohttp_client(app, auto_decompress=False)
    return client


async def settings_of(client: Client, path: str = "/") -> dict[str, Any]:
    """Return what the page gives its script."""
    text = await (await client.get(path, headers={"Accept-Encoding": "identity"})).text()
    (given,) = re.findall(r'data-settings="([^"]*)"', text)
    settings: dict[str, Any] = json.loads(html.unescape(given))
    return settings


async def test_the_page_and_its_files_need_no_sign_in(aiohttp_client: Any) -> None:
    client = await opened(aiohttp_client, Closed())
    assert (
        await client.post("/api/chat", json={"type": "threads.list", "params": {}})
    ).status == 401
    page = await client.get("/")
    assert page.status == 200
    assert page.content_type == "text/html"
    text = gzip.decompress(await page.read()).decode()
    names = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert {"open-chatkit.js", "page.js", "page.css", "icon.svg"} <= set(names)
    for name in names:
        assert (await client.get(f"/{name}")).status == 200, name


async def test_every_built_file_is_served(aiohttp_client: Any) -> None:
    client = await opened(aiohttp_client)
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    of_the_server = ("page.html", "options.schema.json")
    files = [p for p in BUILT.rglob("*") if p.is_file() and p.name not in of_the_server]
    assert files
    for path in files:
        name = path.relative_to(BUILT).as_posix()
        answer = await client.get(f"/{name}", headers={"Accept-Encoding": "identity"})
        assert await answer.read() == path.read_bytes(), name
        assert answer.content_type == kinds.get(path.suffix, answer.content_type)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_files_are_packed_and_asked_for_again(aiohttp_client: Any) -> None:
    client = await opened(aiohttp_client)
    script = (BUILT / "open-chatkit.js").read_bytes()
    packed = await client.get("/open-chatkit.js", headers={"Accept-Encoding": "br, gzip;q=0.8"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(await packed.read()) == script
    for refusing in ("identity", "br", "gzip;q=0"):
        plain = await client.get("/open-chatkit.js", headers={"Accept-Encoding": refusing})
        assert await plain.read() == script
        assert "Content-Encoding" not in plain.headers
    assert plain.headers["ETag"] != packed.headers["ETag"]
    assert packed.headers["Cache-Control"] == "no-cache"
    again = await client.get("/open-chatkit.js", headers={"If-None-Match": packed.headers["ETag"]})
    assert (again.status, await again.read()) == (304, b"")
    head = await client.head("/open-chatkit.js")
    assert (head.status, await head.read()) == (200, b"")


async def test_only_names_that_change_with_the_file_are_kept(aiohttp_client: Any) -> None:
    client = await opened(aiohttp_client)
    chunk = next(path.name for path in (BUILT / "open-chatkit").iterdir())
    kept = await client.get(f"/open-chatkit/{chunk}")
    assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for name in ("", "page.js", "page.css", "manifest.webmanifest"):
        assert (await client.get(f"/{name}")).headers["Cache-Control"] == "no-cache", name
    for missing in ("other.js", "..%2fpage.html", "..%2f..%2fplugin.py", "%2e%2e%2fpage.js"):
        assert (await client.get(f"/open-chatkit/{missing}")).status == 404, missing


@pytest.mark.parametrize("path", ["/", "/apps/chat"])
async def test_a_phone_can_keep_the_page(aiohttp_client: Any, path: str) -> None:
    client = await opened(aiohttp_client, chat_page={"path": path, "title": "Acme “chat”"})
    page = client.make_url(path)
    text = await (await client.get(path, headers={"Accept-Encoding": "identity"})).text()
    (found,) = re.findall(r'rel="manifest" href="([^"]+)"', text)
    address = page.join(URL(found))
    answer = await client.get(address.path)
    assert answer.content_type == "application/manifest+json"
    manifest = json.loads(gunzipped(answer, await answer.read()))
    assert manifest["name"] == "Acme “chat”"
    assert address.join(URL(manifest["start_url"])) == page
    icon = address.join(URL(manifest["icons"][0]["src"]))
    assert (await client.get(icon.path)).status == 200


async def test_nothing_else_is_served(aiohttp_client: Any) -> None:
    client = await opened(aiohttp_client)
    for path in ("/page.html", "/page.ts", "/package.json", "/src/element.ts", "/..%2fplugin.py"):
        assert (await client.get(path)).status == 404, path
    assert (await client.post("/")).status == 405


async def test_the_policy_lets_in_what_the_settings_name(aiohttp_client: Any) -> None:
    client = await opened(aiohttp_client)
    policy = (await client.get("/")).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "connect-src 'self';" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    client = await opened(
        aiohttp_client,
        chat_page={
            "image_domains": "*.example.com, pics.test",
            "upload_domains": ["bucket.test"],
            "frame_ancestors": ["https://app.example.com"],
        },
    )
    policy = (await client.get("/")).headers["Content-Security-Policy"]
    assert "img-src 'self' data: blob: https://*.example.com https://pics.test;" in policy
    assert "connect-src 'self' https://bucket.test;" in policy
    assert "frame-ancestors https://app.example.com;" in policy
    assert (await settings_of(client))["options"]["allowedImageDomains"] == [
        "*.example.com",
        "pics.test",
    ]


@pytest.mark.parametrize("host", ["'unsafe-inline'", "a b", "*", "x; script-src *", "https:"])
def test_no_setting_widens_the_policy_by_accident(host: str) -> None:
    for key in ("image_domains", "upload_domains", "frame_ancestors"):
        with pytest.raises(SettingsError, match=key):
            served_app(plugins={"chat_page": {key: [host]}})


async def test_the_page_knows_what_the_server_can_do(aiohttp_client: Any) -> None:
    options = (await settings_of(await opened(aiohttp_client)))["options"]
    assert options["api"] == {
        "url": "api/chat",
        "domainKey": "",
        "uploadStrategy": {"type": "two_phase"},
    }
    assert options["composer"]["attachments"] == {"enabled": False}
    assert options["composer"]["dictation"] == {"enabled": False}
    assert options["threadItemActions"]["feedback"] is False
    assert "models" not in options["composer"]


async def test_the_page_offers_what_plugins_bring(aiohttp_client: Any, tmp_path: Any) -> None:
    client = await opened(
        aiohttp_client,
        Listens(),
        agent={"model": "demo/todo", "models": ["demo/other"]},
        plugins={"attachments": {"url": str(tmp_path)}},
    )
    options = (await settings_of(client))["options"]
    assert options["api"]["uploadStrategy"] == {
        "type": "direct",
        "uploadUrl": "api/chat/attachments",
    }
    assert options["composer"]["attachments"] == {
        "enabled": True,
        "maxSize": 25_000_000,
        "maxCount": 20,
    }
    assert options["composer"]["dictation"] == {"enabled": True}
    assert options["threadItemActions"]["feedback"] is True
    assert options["composer"]["models"] == [
        {"id": "demo/todo", "label": "todo", "default": True},
        {"id": "demo/other", "label": "other", "default": False},
    ]


async def test_the_settings_give_the_page_its_words(aiohttp_client: Any) -> None:
    hostile = '"><script>alert(1)</script>'
    client = await opened(
        aiohttp_client,
        chat_page={
            "title": hostile,
            "greeting": hostile,
            "prompts": [{"label": "Hi", "prompt": "Hello", "icon": "bolt"}],
            "disclaimer": "It may be *wrong*.",
            "theme": "dark",
            "locale": "de-AT",
            "sign_in": "/login",
            "options": {"history": {"showDelete": False}, "header": {"enabled": False}},
        },
    )
    text = await (await client.get("/", headers={"Accept-Encoding": "identity"})).text()
    assert "<script>alert" not in text
    assert '<html lang="de-AT">' in text
    assert f"<title>{html.escape(hostile)}</title>" in text
    settings = await settings_of(client)
    assert settings["signIn"] == "/login"
    options = settings["options"]
    assert options["startScreen"] == {
        "greeting": hostile,
        "prompts": [{"label": "Hi", "prompt": "Hello", "icon": "bolt"}],
    }
    assert options["disclaimer"] == {"text": "It may be *wrong*."}
    assert (options["theme"], options["locale"]) == ("dark", "de-AT")
    assert options["history"] == {"enabled": True, "showDelete": False, "showRename": True}
    assert options["header"] == {"enabled": False}


@pytest.mark.parametrize(
    ("path", "api", "base", "url"),
    [
        ("/", "/v1/chatkit", "", "v1/chatkit"),
        ("/chat", "/api/chat", "chat/", "api/chat"),
        ("/tools/chat", "/tools/api", "chat/", "api"),
        ("/tools/chat", "/api/chat", "chat/", "../api/chat"),
    ],
)
async def test_the_page_may_be_anywhere(
    aiohttp_client: Any, path: str, api: str, base: str, url: str
) -> None:
    client = await opened(aiohttp_client, chat_page={"path": path}, server={"path": api})
    text = await (await client.get(path, headers={"Accept-Encoding": "identity"})).text()
    assert f'src="{base}open-chatkit.js"' in text
    assert (await settings_of(client, path))["options"]["api"]["url"] == url
    folder = path.rpartition("/")[0]
    assert (await client.get(f"{folder}/{base}open-chatkit.js")).status == 200
    if path != "/":
        slash = await client.get(f"{path}/", allow_redirects=False)
        assert (slash.status, slash.headers[hdrs.LOCATION]) == (308, "../chat")
        assert (await client.get(f"{path}/")).status == 200
        asked = await client.get(f"{path}/?thread=thr_1", allow_redirects=False)
        assert asked.headers[hdrs.LOCATION] == "../chat?thread=thr_1"


async def test_a_page_of_another_origin_may_import_the_element(aiohttp_client: Any) -> None:
    origin = "https://app.example.com"
    client = await opened(aiohttp_client, server={"cors_origins": [origin]})
    answer = await client.get("/open-chatkit.js", headers={"Origin": origin})
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"sign_in": "javascript:alert(1)"}, "sign_in"),
        ({"sign_out": "data:text/html,hi"}, "sign_out"),
        ({"sign_in": "/log in"}, "sign_in"),
        ({"options": {"allowedImageDomains": ["a.test"]}}, "image_domains"),
        ({"options": {"theme": {"density": "huge"}}}, "theme.density: 'huge' is not one of"),
        ({"options": {"startscreen": {}}}, "startscreen"),
        ({"options": {"startScreen": {"prompts": [{"label": "Hi"}]}}}, r"prompts\[0\]: 'prompt'"),
        ({"locale": "de_DE"}, "locale: write a language, such as de"),
        ({"prompts": [{"label": "Hi"}]}, "prompt"),
    ],
)
def test_mistakes_in_the_settings_are_told(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        served_app(plugins={"chat_page": settings})


async def test_an_app_beside_the_chat_leaves_the_page_its_paths(aiohttp_client: Any) -> None:
    class Beside:
        @hookimpl
        def setup(self, app: web.Application) -> None:
            asgi = AsgiApp(answers)
            app.cleanup_ctx.append(asgi.run)
            asgi.serve_rest(app)

    async def answers(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"the app"})

    client = await opened(aiohttp_client, Beside())
    assert (await client.get("/")).content_type == "text/html"
    assert (await client.get("/open-chatkit.js")).content_type == "text/javascript"
    assert await (await client.get("/other")).read() == b"the app"


async def test_models_of_the_same_name_are_told_apart(aiohttp_client: Any) -> None:
    client = await opened(
        aiohttp_client, agent={"model": "demo/todo", "models": ["demo/a/todo", "demo/other"]}
    )
    models = (await settings_of(client))["options"]["composer"]["models"]
    assert [model["label"] for model in models] == ["demo/todo", "demo/a/todo", "other"]


def test_the_start_prints_what_a_browser_can_open(tmp_path: Path) -> None:
    for server, page, line in (
        ({"host": "127.0.0.1"}, {}, "Open http://127.0.0.1:8123/\n"),
        ({"host": "0.0.0.0"}, {}, "Open http://127.0.0.1:8123/\n"),
        ({"host": "::"}, {"path": "/apps/chat"}, "Open http://[::1]:8123/apps/chat\n"),
        ({"socket": str(tmp_path / "chat.sock")}, {}, ""),
    ):
        app, _ = served_app(plugins={"demo_model": None, "chat_page": page}, server=server)
        assert _pages(app, str(server.get("host", "")), 8123) == line


def test_the_built_files_are_in_the_package() -> None:
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert "chatkit_plugins.chat_page" in about["packages"]
    patterns = about["package-data"]["chatkit_plugins.chat_page"]
    folder = BUILT.parent
    packed = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    assert packed == {path for path in BUILT.rglob("*") if path.is_file()}
