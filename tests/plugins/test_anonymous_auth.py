"""The user without a password: one for all, one for each browser, or one that a header names."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from collections.abc import Awaitable, Callable
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from aiohttp import CookieJar, web
from aiohttp.test_utils import TestClient
from chatkit_plugins.anonymous_auth import (
    COOKIE,
    TENANT,
    Config,
    Plugin,
    create_secret,
    is_loopback,
)

from chatkit_server import (
    HOOKS,
    SETTINGS,
    ServerError,
    Settings,
    SettingsError,
    User,
    authenticate,
    hookimpl,
)
from chatkit_server.plugin.calls import Hooks
from chatkit_server.settings.load import validate
from chatkit_server.settings.source import Source
from chatkit_server.turnstile import Turnstile
from chatkit_server.web.keys import TURNSTILE

SECRET = "a-secret-of-this-test-of-32-chars-and-more"
PAGE = "https://app.example.com"

Client = TestClient[web.Request, web.Application]
MakeClient = Callable[..., Awaitable[Client]]


class OtherAuth:
    """Knows who sends `X-Token`, and passes on everyone else."""

    @hookimpl
    async def auth(self, request: web.Request) -> User | None:
        return User("known") if "X-Token" in request.headers else None


async def whoami(request: web.Request) -> web.StreamResponse:
    """Answer with the user, as a stream if asked to."""
    try:
        user = await authenticate(request)
    except ServerError as error:
        return web.json_response({"message": error.message}, status=error.status)
    if "stream" not in request.query:
        return web.json_response({"user": user.id, "tenant": user.tenant})
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(user.id.encode())
    return response


def application(
    *plugins: object, host: str = "127.0.0.1", origins: list[str] | None = None
) -> web.Application:
    app = web.Application()
    server: Any = {"host": host, "cors_origins": origins or [PAGE]}
    app[SETTINGS] = Settings(server=server)
    app[TURNSTILE] = Turnstile()
    hooks = app[HOOKS] = Hooks.of([(f"{type(p).__name__}_{i}", p) for i, p in enumerate(plugins)])
    for path in ("/api/chat", "/elsewhere"):
        app.router.add_route("*", path, whoami)
    hooks.boot_all("setup", app=app)
    return app


@pytest.fixture
def make_client(aiohttp_client: MakeClient) -> MakeClient:
    """Return a factory of clients, with the plugin's settings as keywords."""

    async def make(**config: Any) -> Client:
        app = application(Plugin(Config.model_validate(config)))
        return await aiohttp_client(app, cookie_jar=CookieJar(unsafe=True))

    return make


async def user_of(client: Client, path: str = "/api/chat", **request: Any) -> str:
    response = await client.post(path, **request)
    assert response.status == 200, await response.text()
    answer = await response.json()
    assert answer["tenant"] == ""
    return str(answer["user"])


async def refused(client: Client, status: int, **request: Any) -> str:
    response = await client.post("/api/chat", **request)
    assert response.status == status, await response.text()
    return str((await response.json())["message"])


# Everyone is `local`


async def test_everyone_is_the_same_user(make_client: MakeClient) -> None:
    client, other = await make_client(), await make_client()
    assert await user_of(client) == await user_of(client) == await user_of(other) == "local"
    response = await client.get("/api/chat")
    assert (await response.json())["user"] == "local"
    assert "Set-Cookie" not in response.headers


async def test_the_body_is_not_read(make_client: MakeClient) -> None:
    body = {"messages": [], "user_id": "anna"}
    assert await user_of(await make_client(), json=body) == "local"


# A header names the user


async def test_a_header_names_the_user(make_client: MakeClient) -> None:
    client = await make_client(user_header="X-User-Id")
    assert await user_of(client, headers={"x-user-id": " anna "}) == "anna"
    assert await user_of(client, headers={"X-User-Id": "ben"}) == "ben"


@pytest.mark.parametrize("headers", [{}, {"X-User-Id": ""}, {"X-User-Id": "  "}])
async def test_a_missing_or_empty_header(make_client: MakeClient, headers: dict[str, str]) -> None:
    client = await make_client(user_header="X-User-Id")
    message = await refused(client, 401, headers=headers, json={"messages": [], "user_id": "anna"})
    assert message == "Sign in first: the request needs the header X-User-Id, once."


async def test_a_header_sent_twice_is_refused(make_client: MakeClient) -> None:
    client = await make_client(user_header="X-User-Id")
    twice = [("X-User-Id", "anna"), ("X-User-Id", "ben")]
    assert "needs the header X-User-Id, once" in await refused(client, 401, headers=twice)


async def test_a_header_that_cannot_be_a_user(make_client: MakeClient) -> None:
    client = await make_client(user_header="X-User-Id")
    assert "1 to 255" in await refused(client, 401, headers={"X-User-Id": "x" * 256})


async def test_a_body_is_not_believed_where_a_header_is(make_client: MakeClient) -> None:
    client = await make_client(user_header="X-User-Id")
    body = {"messages": [], "user_id": "ben"}
    assert await user_of(client, headers={"X-User-Id": "anna"}, json=body) == "anna"


# Each browser is a user


async def test_each_browser_is_a_user(make_client: MakeClient) -> None:
    client = await make_client(per_browser=True, secret=SECRET)
    first = await user_of(client)
    assert first.startswith("browser_")
    assert await user_of(client) == first
    assert await user_of(client, json={"messages": [], "user_id": "anna"}) == first
    client.session.cookie_jar.clear()
    assert await user_of(client) != first


async def test_a_stream_brings_the_cookie_too(make_client: MakeClient) -> None:
    client = await make_client(per_browser=True, secret=SECRET)
    response = await client.post("/api/chat?stream")
    assert await user_of(client) == await response.text()


async def test_the_cookie_is_only_for_the_server(make_client: MakeClient) -> None:
    client = await make_client(per_browser=True, secret=SECRET)
    cookie = SimpleCookie((await client.post("/api/chat")).headers["Set-Cookie"])[COOKIE]
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == "/"
    assert int(cookie["max-age"]) >= 30 * 86_400
    assert not cookie["secure"]


async def test_the_cookie_is_secure_where_the_page_is(make_client: MakeClient) -> None:
    client = await make_client(per_browser=True, secret=SECRET)
    response = await client.post("/api/chat", headers={"X-Forwarded-Proto": "https"})
    assert SimpleCookie(response.headers["Set-Cookie"])[COOKIE]["secure"] is True


async def test_the_cookie_is_renewed_with_every_answer(make_client: MakeClient) -> None:
    client = await make_client(per_browser=True, secret=SECRET)
    first = await client.post("/api/chat")
    second = await client.post("/api/chat")
    assert first.headers["Set-Cookie"] == second.headers["Set-Cookie"]


async def test_a_refused_request_gets_no_cookie(make_client: MakeClient) -> None:
    client = await make_client(per_browser=True, secret=SECRET)
    response = await client.post("/api/chat", headers={"Origin": "https://evil.example"})
    assert response.status == 403
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    "forge",
    [
        lambda user, signature: f"local.{signature}",
        lambda user, signature: f"{user}x.{signature}",
        lambda user, signature: f"{user}.{'0' * len(signature)}",
        lambda user, signature: f"{user}.",
        lambda user, signature: f".{signature}",
        lambda user, signature: user,
        lambda user, signature: f"{user}.{signature}é",
    ],
)
async def test_a_forged_cookie_is_a_new_user(
    make_client: MakeClient, forge: Callable[[str, str], str]
) -> None:
    client = await make_client(per_browser=True, secret=SECRET)
    user = await user_of(client)
    (cookie,) = [c for c in client.session.cookie_jar if c.key == COOKIE]
    forged = forge(*cookie.value.rsplit(".", 1))
    client.session.cookie_jar.clear()
    got = await user_of(client, headers={"Cookie": f"{COOKIE}={forged}"})
    assert got.startswith("browser_")
    assert got != user


async def test_a_browser_stays_the_same_user_after_a_restart(
    make_client: MakeClient, tmp_path: Path
) -> None:
    file = tmp_path / ".chatkit-secret"
    before = await make_client(per_browser=True, secret_file=file)
    user = await user_of(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [".chatkit-secret"]
    (cookie,) = before.session.cookie_jar
    after = await make_client(per_browser=True, secret_file=file)
    assert await user_of(after, headers={"Cookie": f"{COOKIE}={cookie.value}"}) == user
    stranger = await make_client(per_browser=True, secret=SECRET)
    assert await user_of(stranger, headers={"Cookie": f"{COOKIE}={cookie.value}"}) != user


async def test_servers_that_start_together_keep_one_secret(tmp_path: Path) -> None:
    file = tmp_path / ".chatkit-secret"
    plugins = [Plugin(Config(per_browser=True, secret_file=file)) for _ in range(8)]
    await asyncio.gather(*(asyncio.to_thread(application, plugin) for plugin in plugins))
    assert len({plugin.secret for plugin in plugins}) == 1
    assert os.listdir(tmp_path) == [".chatkit-secret"]


def test_a_secret_that_another_process_made_meanwhile_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    create_secret(file)
    first = file.read_text()
    create_secret(file)
    assert file.read_text() == first
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 64])
def test_a_secret_file_that_is_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(
        SettingsError, match=r"secret_file: (.*secret has fewer|cannot read or create .*secret)"
    ):
        application(Plugin(Config(per_browser=True, secret_file=file)))
    assert file.read_bytes() == content


def test_a_secret_file_that_cannot_be_made(tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "secret"
    with pytest.raises(SettingsError, match=r"no folder \S+nowhere\. .*or set `secret`"):
        application(Plugin(Config(per_browser=True, secret_file=file)))


def test_no_secret_is_made_without_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    application(Plugin(Config()))
    application(Plugin(Config.model_validate({"per_browser": True, "secret": SECRET})))
    assert list(tmp_path.iterdir()) == []


# Settings


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"per_browser": True, "user_header": "X-User"}, "not both"),
        ({"user_header": "X User"}, "p.user_header: String should match pattern"),
        ({"secret": "short-secret"}, "p.secret: "),
        ({"per_browsr": True}, "Did you mean `per_browser`?"),
    ],
)
def test_settings_that_are_refused(config: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError) as error:
        validate(Config, config, Source(), ("plugins", "p"))
    assert told in str(error.value)
    assert "short-secret" not in str(error.value)


# Who can reach the server


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)
    application(Plugin(Config()), host=host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "chat.example.com"])
@pytest.mark.parametrize(
    "config", [{}, {"user_header": "X-User"}, {"per_browser": True, "secret": SECRET}]
)
def test_another_host_is_refused(host: str, config: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as error:
        application(Plugin(Config.model_validate(config)), host=host)
    assert f"server.host is {host!r}, which other machines can reach" in str(error.value)
    assert "Listen on 127.0.0.1, or enable one, such as jwt_auth" in str(error.value)


def test_a_header_is_not_believed_from_other_machines() -> None:
    with pytest.raises(SettingsError, match="user_header: server"):
        application(OtherAuth(), Plugin(Config(user_header="X-User")), host="0.0.0.0")


async def test_another_host_with_another_auth_before_it(
    aiohttp_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    app = application(OtherAuth(), Plugin(Config()), host="0.0.0.0")
    [warning] = caplog.messages
    assert "OtherAuth_0 passes such requests on to this plugin" in warning
    client = await aiohttp_client(app)
    assert await user_of(client, headers={"X-Token": "t"}) == "known"
    response = await client.get("/api/chat")
    assert await response.json() == {"user": "local", "tenant": TENANT}


def test_another_auth_after_it_is_refused() -> None:
    with pytest.raises(SettingsError, match="or put OtherAuth_1 before it"):
        application(Plugin(Config()), OtherAuth(), host="0.0.0.0")
    with pytest.raises(SettingsError, match=r"OtherAuth_1 would never be called.* before it"):
        application(Plugin(Config()), OtherAuth())


def test_nothing_is_said_where_all_is_well(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    application(Plugin(Config()))
    application(OtherAuth(), Plugin(Config()))
    assert caplog.messages == []


# Pages of other sites


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:1", "https://app.example.com.evil"]
)
async def test_a_page_of_another_site_is_refused(make_client: MakeClient, origin: str) -> None:
    message = await refused(await make_client(), 403, headers={"Origin": origin})
    assert f"Pages of {origin} may not use this server" in message


async def test_pages_that_may(make_client: MakeClient) -> None:
    client = await make_client()
    own = f"http://{client.host}:{client.port}"
    assert await user_of(client, headers={"Origin": PAGE}) == "local"
    assert await user_of(client, headers={"Origin": own}) == "local"


async def test_a_name_that_was_pointed_at_this_machine_is_refused(make_client: MakeClient) -> None:
    headers = {"Host": "evil.example:8000", "Origin": "http://evil.example:8000"}
    await refused(await make_client(), 403, headers=headers)


def test_pages_of_every_site_are_refused_at_start() -> None:
    with pytest.raises(SettingsError, match="any web page that is open in a browser here"):
        application(Plugin(Config()), origins=["*"])
    with pytest.raises(SettingsError, match="any web page"):
        application(OtherAuth(), Plugin(Config()), origins=[PAGE, "*"])
