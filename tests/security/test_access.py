"""Who may reach the server, from which pages, under which names, and as which users."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestClient
from chatkit_plugins import anonymous_auth

from chatkit_server import (
    HOOKS,
    SETTINGS,
    ServerError,
    Settings,
    SettingsError,
    User,
    authenticate,
)
from chatkit_server.app import create_app
from chatkit_server.cli.main import main
from chatkit_server.plugin.answers import wrong_answer
from chatkit_server.plugin.calls import Hooks
from chatkit_server.plugin.tenants import RESERVED, wrong_tenant
from chatkit_server.web.hosts import is_loopback, is_wildcard
from tests.client import Chat
from tests.processes import running

SECRET = "a-secret-of-these-tests-that-is-long-enough-for-hs256"
JWT = {"secret": SECRET}
OPTIONAL = {"secret": SECRET, "required": False}

MakeClient = Callable[..., Awaitable[TestClient[Any, Any]]]


def sections(auth: dict[str, Any], folder: Path, **server: Any) -> dict[str, Any]:
    """Return settings with these `auth` plugins, in order."""
    return {
        "server": server,
        "plugin_dirs": [str(folder)],
        "plugins": {
            **auth,
            "tortoise_store": {"url": f"sqlite://{folder / 'chatkit.db'}"},
            "demo_model": {"pace": "1ms"},
            "todo_mcp": None,
        },
    }


def bearer(**claims: Any) -> dict[str, str]:
    """Return the header of a user who is signed in."""
    given = {"sub": "anna", "exp": int(time.time()) + 600, **claims}
    return {"Authorization": f"Bearer {jwt.encode(given, SECRET, 'HS256')}"}


@pytest.fixture
def make(aiohttp_client: MakeClient, tmp_path: Path) -> Callable[..., Awaitable[Chat]]:
    """Return a factory of servers with `auth` plugins from their settings."""

    async def make(auth: dict[str, Any], **server: Any) -> Chat:
        settings = Settings.model_validate(sections(auth, tmp_path, **server))
        return Chat(await aiohttp_client(create_app(settings)))

    return make


Make = Callable[..., Awaitable[Chat]]


async def titles(chat: Chat, headers: dict[str, str]) -> list[str]:
    """Return what the threads of a user say first."""
    response = await chat.post(
        {"type": "threads.list", "params": {"limit": 100, "order": "asc"}}, headers=headers
    )
    assert response.status == 200, await response.text()
    return [thread["id"] for thread in (await response.json())["data"]]


async def say(chat: Chat, headers: dict[str, str], **body: Any) -> str:
    """Begin a thread in the plain protocol, and return its id."""
    given = {"messages": [{"role": "user", "content": "hello"}], **body}
    return str((await chat.read(await chat.post(given, headers=headers))).data[0]["thread_id"])


# Users of different plugins


STRANGERS = {
    "a user_id in the body": ({}, {}, {"user_id": "anna"}),
    "a header": ({"user_header": "X-User"}, {"X-User": "anna"}, {}),
    "a browser": ({"per_browser": True, "secret": SECRET}, {}, {}),
}


@pytest.mark.parametrize("how", STRANGERS)
@pytest.mark.parametrize("claim", ["", "anna", RESERVED + "anonymous "])
async def test_a_stranger_is_nobody_who_signs_in(make: Make, how: str, claim: str) -> None:
    config, headers, body = STRANGERS[how]
    tenant = {"tenant_claim": "org"} if claim else {}
    chat = await make({"jwt_auth": {**OPTIONAL, **tenant}, "anonymous_auth": config})
    signed_in = bearer(org=claim)
    if claim.startswith(RESERVED):
        request = {"type": "threads.list", "params": {}}
        assert (await chat.refused(request, headers=signed_in))[0] == 401
        signed_in = bearer(org="acme")
    hers = await say(chat, signed_in)
    strangers = await say(chat, headers, **body)
    assert await titles(chat, signed_in) == [hers]
    named = {"messages": [{"role": "user", "content": "hello"}], "thread_id": hers, **body}
    assert (await chat.refused(named, headers=headers))[0] == 404
    turn = {"messages": named["messages"], "thread_id": strangers}
    assert (await chat.refused(turn, headers=signed_in))[0] == 404


async def test_every_id_of_a_token_is_apart_from_anonymous_ones(make: Make) -> None:
    chat = await make({"jwt_auth": OPTIONAL, "anonymous_auth": None})
    theirs = await say(chat, {})
    for user in ("local", "browser_1", anonymous_auth.TENANT, f"{anonymous_auth.TENANT}/local"):
        assert await titles(chat, bearer(sub=user)) == []
    assert theirs in await titles(chat, {})


async def test_without_another_plugin_users_stay_who_they_are(make: Make) -> None:
    chat = await make({"anonymous_auth": None})
    seen = await say(chat, {}, user_id="anna")
    assert seen not in await titles(chat, {})
    chat = await make({"jwt_auth": JWT})  # as it was before, and as operators know it
    assert await titles(chat, bearer()) == [seen]


GUARD = """
from chatkit_server import Forbidden, hookimpl
auth_tenants = ()
@hookimpl
async def auth(request):
    if "X-Bad" in request.headers:
        raise Forbidden("No.")
"""


async def test_a_plugin_that_only_refuses_changes_no_users(make: Make, tmp_path: Path) -> None:
    (tmp_path / "guard.py").write_text(GUARD)
    alone = await make({"anonymous_auth": None})
    mine = await say(alone, {})
    guarded = await make({"guard": None, "anonymous_auth": None})
    assert await titles(guarded, {}) == [mine]
    assert (await guarded.refused({}, headers={"X-Bad": "1"}))[0] in (400, 403)
    with pytest.raises(SettingsError, match="no plugin before this one authenticates"):
        create_app(
            Settings.model_validate(
                sections({"guard": None, "anonymous_auth": None}, tmp_path, host="0.0.0.0")
            )
        )


THIRD = """
from chatkit_server import User, hookimpl
{declared}
@hookimpl
async def auth(request):
    name = request.headers.get("X-Third")
    return None if name is None else User(*name.split("/")[::-1])
"""


def third(folder: Path, declared: str = "", name: str = "third") -> None:
    (folder / f"{name}.py").write_text(THIRD.format(declared=declared))


async def test_a_plugin_of_others_cannot_return_an_anonymous_user(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    third(tmp_path)
    chat = await make({"third": None, "anonymous_auth": None})
    theirs = await say(chat, {})
    request = {"type": "threads.list", "params": {}}
    for tenant in (anonymous_auth.TENANT, f"{RESERVED}x"):
        status, message = await chat.refused(request, headers={"X-Third": f"{tenant}/local"})
        assert (status, message) == (401, "Could not verify who you are. Sign in again.")
    assert "third: auth returned a User in a tenant that begins with" in caplog.messages[-2]
    assert await titles(chat, {"X-Third": "/local"}) == []
    assert await titles(chat, {}) == [theirs]


async def test_a_plugin_keeps_to_the_tenants_that_it_declares(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    third(tmp_path, "auth_tenants = {'staff'}")
    chat = await make({"third": None, "jwt_auth": OPTIONAL, "anonymous_auth": None})
    hers = await say(chat, bearer())
    assert await titles(chat, {"X-Third": "staff/anna"}) == []
    request = {"type": "threads.list", "params": {}}
    assert (await chat.refused(request, headers={"X-Third": "/anna"}))[0] == 401
    assert "returned a User in a tenant not in its `auth_tenants`" in caplog.text
    assert await titles(chat, bearer()) == [hers]


ISSUER = {"secret": SECRET, "tenant_claim": "iss"}

INSEPARABLE: dict[str, tuple[dict[str, Any], str]] = {
    "a plugin of others, then tokens": ({"third": None, "jwt_auth": JWT}, ""),
    "tokens, then a plugin of others": ({"jwt_auth": OPTIONAL, "third": None}, ""),
    "tokens with tenants, then a plugin of others": (
        {"jwt_auth": {**OPTIONAL, "tenant_claim": "org"}, "third": None},
        "",
    ),
    "two plugins of others": ({"third": None, "fourth": None}, ""),
    "two, and anonymous users": ({"third": None, "fourth": None, "anonymous_auth": None}, ""),
    "the same tenant": ({"third": None, "fourth": None}, "auth_tenants = {'a', 'b'}"),
    "the tenant of tokens": ({"third": None, "jwt_auth": JWT}, "auth_tenants = ['']"),
    "anonymous users' tenant": (
        {"third": None, "anonymous_auth": None},
        f"auth_tenants = {{{anonymous_auth.TENANT!r}}}",
    ),
    "tokens twice": ({"jwt_auth": OPTIONAL, "chatkit_plugins.jwt_auth": JWT}, ""),
    "tokens with any tenants twice": (
        {"jwt_auth": {**ISSUER, "required": False}, "chatkit_plugins.jwt_auth": ISSUER},
        "",
    ),
    "the same issuer twice": (
        {
            "jwt_auth": {**ISSUER, "issuer": ["a", "b"], "required": False},
            "chatkit_plugins.jwt_auth": {**ISSUER, "issuer": "b"},
        },
        "",
    ),
}


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("case", INSEPARABLE)
def test_users_that_cannot_be_told_apart_are_refused_at_start(
    tmp_path: Path, case: str, host: str
) -> None:
    auth, declared = INSEPARABLE[case]
    third(tmp_path, declared)
    third(tmp_path, declared, "fourth")
    with pytest.raises(SettingsError, match=r"may both return the same user.*auth_tenants"):
        create_app(Settings.model_validate(sections(auth, tmp_path, host=host)))


@pytest.mark.parametrize("declared", ["'staff'", "5", "[5]", "{'a': 1, 2: 3}"])
def test_a_declaration_that_is_none(tmp_path: Path, declared: str) -> None:
    third(tmp_path, f"auth_tenants = {declared}")
    with pytest.raises(SettingsError, match=r"plugin third: `auth_tenants` must be a set of str"):
        create_app(Settings.model_validate(sections({"third": None}, tmp_path)))


SEPARABLE: dict[str, tuple[dict[str, Any], str]] = {
    "a plugin of others, then anonymous users": ({"third": None, "anonymous_auth": None}, ""),
    "declared": ({"third": None, "jwt_auth": JWT}, "auth_tenants = {'staff'}"),
    "issuers": (
        {
            "jwt_auth": {**ISSUER, "issuer": "a", "required": False},
            "chatkit_plugins.jwt_auth": {**ISSUER, "issuer": ["b", "c"]},
        },
        "",
    ),
    "all of it": (
        {"third": None, "jwt_auth": OPTIONAL, "anonymous_auth": None},
        "auth_tenants = {'staff'}",
    ),
}


@pytest.mark.parametrize("case", SEPARABLE)
def test_users_that_are_apart(tmp_path: Path, case: str) -> None:
    auth, declared = SEPARABLE[case]
    third(tmp_path, declared)
    create_app(Settings.model_validate(sections(auth, tmp_path)))


@pytest.mark.parametrize("order", [("anonymous_auth", "jwt_auth"), ("anonymous_auth", "third")])
def test_a_plugin_that_is_never_asked_is_refused(tmp_path: Path, order: tuple[str, str]) -> None:
    third(tmp_path)
    auth = {name: JWT if name == "jwt_auth" else None for name in order}
    with pytest.raises(SettingsError, match=f"put {order[1]} before it"):
        create_app(Settings.model_validate(sections(auth, tmp_path)))


def test_what_an_auth_hook_returns() -> None:
    assert wrong_answer("auth", User("local", anonymous_auth.TENANT)) is None
    assert wrong_tenant(object(), "chatkit-serverx") is None
    assert wrong_tenant(object(), RESERVED)
    assert wrong_tenant(anonymous_auth.Plugin(anonymous_auth.Config()), RESERVED)


# The commands


CANNOT_START: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a plugin of others and tokens": (
        {"third": None, "jwt_auth": OPTIONAL},
        {"host": "0.0.0.0"},
        "third and jwt_auth may both return the same user",
    ),
    "strangers from other machines": (
        {"anonymous_auth": None},
        {"host": "0.0.0.0"},
        "which other machines can reach",
    ),
    "pages of every site": (
        {"anonymous_auth": None},
        {"cors_origins": ["*"], "cors_credentials": False},
        "server.cors_origins has `*`",
    ),
    "an origin that is none": (
        {"anonymous_auth": None},
        {"cors_origins": ["http://[::1"]},
        "`http://[::1` is not an origin",
    ),
    "a host that is none": (
        {"anonymous_auth": None},
        {"hosts": ["https://chat.example.com/"]},
        "`https://chat.example.com/` is not the name of a host",
    ),
    "a secret that others read": (
        {"anonymous_auth": {"per_browser": True, "secret_file": "open"}},
        {},
        "chmod 600 open",
    ),
}


@pytest.mark.parametrize("auth", [{"anonymous_auth": None}, {"jwt_auth": JWT}], ids=str)
def test_the_advice_about_pages_of_every_site_can_be_followed(
    auth: dict[str, Any],
    tmp_path: Path,
    kept_process: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    def told(origin: str) -> str:
        text = yaml.safe_dump(sections(auth, tmp_path, cors_origins=[origin]), sort_keys=False)
        (tmp_path / "settings.yaml").write_text(text)
        main(["check"])
        return capsys.readouterr().err

    refusal = told("*")
    assert "server.cors_origins: with `*`, any page could act as the user" in refusal
    assert "cors_credentials" not in refusal
    advised = refusal.split("such as ")[1].split()[0]
    assert told(advised) == ""


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("case", CANNOT_START)
def test_check_refuses_what_run_refuses(
    tmp_path: Path,
    case: str,
    command: str,
    kept_process: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    auth, server, told = CANNOT_START[case]
    monkeypatch.chdir(tmp_path)
    third(tmp_path)
    (tmp_path / "open").write_text("x" * 64)
    (tmp_path / "open").chmod(0o644)
    (tmp_path / "settings.yaml").write_text(
        yaml.safe_dump(sections(auth, tmp_path, **server), sort_keys=False)
    )
    assert main([command, *(["--port", "0"] if command == "run" else [])]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert "Traceback" not in err


async def test_the_host_of_the_command_line_counts(tmp_path: Path) -> None:
    settings = sections({"jwt_auth": JWT}, tmp_path, host="0.0.0.0")
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    evil = {"Host": "evil.example"}
    # On every address any name is taken, so a server that heeds only the settings answers 200
    async with (
        running(tmp_path, "--host", "127.0.0.1") as server,
        server.session.get("/healthz", headers=evil) as got,
    ):
        assert got.status == 403


# The name of the server


@asynccontextmanager
async def connected(chat: Chat) -> AsyncIterator[Callable[[bytes], Awaitable[bytes]]]:
    """Return how to send a request as it is and get the head of its answer."""
    host, port = chat.client.host, chat.client.port

    async def send(request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(request)
        async with asyncio.timeout(30):
            answer = await reader.readuntil(b"\r\n\r\n")
            answer += await reader.read(200)
        writer.close()
        await writer.wait_closed()
        return answer

    yield send


PATHS = ("/readyz", "/healthz", "/api/chat", "/api/mcp", "/api/chat/client.js", "/nothing", "/")

OURS = (
    *("localhost", "LocalHost:1", "localhost.", "localhost.:80", "127.0.0.1", "127.0.0.1:99"),
    *("127.8.9.1", "[::1]", "[::1]:8000", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]"),
    *("chat.example.com", "CHAT.example.com.", "chat.example.com:443", "192.168.7.7:1"),
)
NOT_OURS = (
    *("evil.com", "127.0.0.1.evil.com", "localhost.evil.com", "evil.com:127", "localhost@evil.com"),
    *("evil@localhost", "evil.localhost", "notlocalhost", "localhost..", "..", ".", "localhost:"),
    *("localhost:x", "localhost:123456", "localhost/", "localhost/evil", "localhost#", "a b"),
    *("0.0.0.0", "[::]", "[::2]", "[::1", "::1", "::1]", "[::1]x", "[::1%25lo]", "128.0.0.1"),
    *("2130706433", "0x7f.1", "0177.0.0.1", "127.1", "127.0.0.1,evil.com", "localhost, evil.com"),
    *(
        "\uff4cocalhost",
        "localhos\u0131",
        "localhost\\evil",
        "*",
        "null",
        "_",
        "evil.chat.example.com",
    ),
    *("", " ", "'", "\xff", "localhost\xff", "xn--evil", "a.chat.example.com"),
)


@pytest.fixture
async def guarded(make: Make) -> Chat:
    """A server that knows the name `chat.example.com` and an address."""
    return await make({"anonymous_auth": None}, hosts=["Chat.Example.com", "192.168.7.7"])


async def test_names_that_are_not_ours_are_refused_everywhere(guarded: Chat) -> None:
    rest = b"\r\nContent-Length: 1000000\r\nContent-Type: application/json\r\n\r\n"
    async with connected(guarded) as send:
        for host in NOT_OURS:
            given = host.encode("latin-1" if host.isascii() or "\xff" in host else "utf-8")
            # Every path for the first name, and every name for one
            for path in PATHS if host == NOT_OURS[0] else PATHS[:1]:
                for method in (b"GET ", b"POST ", b"OPTIONS "):
                    line = method + path.encode() + b" HTTP/1.1\r\nHost: "
                    answer = await send(line + given + rest)
                    assert answer.startswith(b"HTTP/1.1 403 "), (host, answer)
                    assert b'{"message": "This server does not answer for the host' in answer


async def test_our_names_are_answered(guarded: Chat) -> None:
    for host in OURS:
        response = await guarded.client.get("/healthz", headers={"Host": host})
        assert response.status == 200, host
        assert await titles(guarded, {"Host": host}) == []


REQUEST_LINES = (
    ("GET /healthz HTTP/1.0", "", 200),  # a health check; browsers always name the host
    ("GET /healthz HTTP/1.1", "", 400),
    ("GET /healthz HTTP/1.0", "Host: evil.com\r\n", 403),
    ("GET /healthz HTTP/1.1", "Host: localhost\r\nHost: localhost\r\n", 400),
    ("GET /healthz HTTP/1.1", "Host: localhost\r\nHost: evil.com\r\n", 400),
    ("GET /healthz HTTP/1.1", "Host: evil.com\r\nX-Forwarded-Host: localhost\r\n", 403),
    ("GET /healthz HTTP/1.1", "Host: localhost\r\nX-Forwarded-Host: evil.com\r\n", 200),
    ("GET http://evil.com/healthz HTTP/1.1", "Host: localhost\r\n", 403),
    ("GET http://localhost/healthz HTTP/1.1", "Host: evil.com\r\n", 403),
    ("GET http://localhost@evil.com/healthz HTTP/1.1", "Host: localhost\r\n", 403),
    ("GET http://evil.com/healthz HTTP/1.0", "", 403),
    ("GET http://localhost:8/healthz HTTP/1.1", "Host: localhost:8\r\n", 200),
    ("GET http://[::1]:8/healthz HTTP/1.1", "Host: [::1]:8\r\n", 200),
    ("GET //evil.com/healthz HTTP/1.1", "Host: localhost\r\n", 404),
    ("CONNECT evil.com:443 HTTP/1.1", "Host: localhost\r\n", 403),
    ("OPTIONS * HTTP/1.1", "Host: evil.com\r\n", 403),
)


async def test_ways_to_name_the_host(guarded: Chat) -> None:
    async with connected(guarded) as send:
        for request_line, headers, status in REQUEST_LINES:
            answer = await send(f"{request_line}\r\n{headers}\r\n".encode())
            assert answer.split()[1] == str(status).encode(), (request_line, headers, answer)


async def test_another_name_is_refused_before_anything_else(
    guarded: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    head = b"POST /api/chat HTTP/1.1\r\nHost: evil.com\r\nContent-Length: 99\r\n"
    async with connected(guarded) as send:
        # The body never comes, and the page's origin would be refused too
        assert b" 403 " in await send(head + b"Origin: http://evil.com\r\n\r\n")
    [line] = [line for line in caplog.messages if "refused" in line]
    assert "does not answer for the host evil.com" in line


async def test_every_name_where_the_settings_say_so(make: Make) -> None:
    chat = await make({"anonymous_auth": None}, hosts="*")
    assert (await chat.client.get("/healthz", headers={"Host": "evil.com"})).status == 200
    headers = {"Host": "evil.com", "Origin": "http://evil.com"}
    assert (await chat.post({}, headers=headers)).status == 403


async def test_a_page_of_the_name_that_a_proxy_passes_on(guarded: Chat) -> None:
    headers = {"Host": "chat.example.com", "Origin": "https://chat.example.com"}
    assert await titles(guarded, headers) == []
    headers["Origin"] = "https://other.example.com"
    assert (await guarded.refused({}, headers=headers))[0] == 403


async def test_on_every_address_any_name_is_taken(make: Make) -> None:
    chat = await make({"jwt_auth": JWT}, host="0.0.0.0")
    assert (await chat.client.get("/healthz", headers={"Host": "pod-7.cluster"})).status == 200


def test_what_listens_where() -> None:
    assert all(map(is_wildcard, ("", "0.0.0.0", "::", "[::]", "0", "0x0", "0.0", "000.0.0.0")))
    assert not any(map(is_wildcard, ("127.0.0.1", "::1", "localhost", "example.com", "\xff" * 99)))
    assert all(map(is_loopback, ("127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1")))
    assert not any(map(is_loopback, ("::ffff:10.0.0.1", "10.0.0.1", "0.0.0.0", "evil", "")))


@pytest.mark.parametrize(
    "host",
    ["https://a.example", "a/b", "a b", "*.example.com", "a.example:80", "-", "[::1", "evil@a", ""],
)
def test_hosts_in_the_settings_that_are_none(tmp_path: Path, host: str) -> None:
    settings = sections({"jwt_auth": JWT}, tmp_path, hosts=["chat.example.com", host])
    with pytest.raises(SettingsError, match="is not the name of a host"):
        create_app(Settings.model_validate(settings))


# The origin of pages


MALFORMED = (
    *("http://[::1", "http://[", "http://]", "http://[]", "http://[::1]]", "http://[::g]"),
    *("http://[abc]", "http://[::1]x", "http://[1::2::3]", "http://", "http:", "http", "://a"),
    *("//a", "a", "http://a:b", "http://a:99999", "http://a:123456", "http://a:-1", "http://a:"),
    *("http://a/", "http://a/b", "http://a?b", "http://a#b", "http://b@a", "http://a b"),
    *("http://a, http://b", "http://a http://b", "null, null", "NULL", "http://\u2100", "\xff"),
    *("http://\xff", "http://a\xff", "http://a\\b", "http://<a>", "'", '"', "*", "", " ", "%"),
    *("http://[v1.a]", "http://[::1%25lo]", "http://[::ffff:999.0.0.1]", "-://a", "1http://a"),
)


@pytest.mark.parametrize(
    ("auth", "server"),
    [
        ({"anonymous_auth": None}, {}),
        ({"jwt_auth": OPTIONAL, "anonymous_auth": None}, {"cors_origins": ["https://a.example"]}),
        ({"jwt_auth": JWT}, {"cors_origins": ["*"], "cors_credentials": False}),
    ],
)
async def test_what_no_browser_sends_as_an_origin(
    make: Make,
    caplog: pytest.LogCaptureFixture,
    auth: dict[str, Any],
    server: dict[str, Any],
) -> None:
    chat = await make(auth, **server)
    paths = ("/api/chat", "/api/mcp", "/readyz", "/nothing")
    async with connected(chat) as send:
        for number, origin in enumerate(MALFORMED):
            path = paths[number % len(paths)]
            given = origin.encode("utf-8" if "\u2100" in origin else "latin-1")
            for method in (b"POST", b"GET", b"OPTIONS"):
                head = method + b" " + path.encode() + b" HTTP/1.1\r\nHost: localhost\r\n"
                head += b"Access-Control-Request-Method: POST\r\nOrigin: " + given
                answer = await send(head + b"\r\nContent-Length: 100000\r\n\r\n")
                assert answer.startswith(b"HTTP/1.1 403 "), (origin, answer)
                assert b"Access-Control-Allow-Origin" not in answer
    assert not [record for record in caplog.records if record.exc_info]


async def test_two_origins_are_none(make: Make) -> None:
    page = "https://a.example"
    chat = await make({"anonymous_auth": None}, cors_origins=[page])
    for origins in ((page, page), (page, "https://evil.com"), ("https://evil.com", page)):
        headers: Sequence[tuple[str, str]] = [("Origin", origin) for origin in origins]
        response = await chat.client.post("/api/chat", data=b"{}", headers=headers)
        assert response.status == 403


WELL_FORMED = (
    *("https://app.example.com", "http://localhost:3000", "http://[::1]:80", "null", "file://"),
    *("chrome-extension://abcdefgh", "capacitor://localhost", "app://obsidian.md"),
    *("moz-extension://1b2c3d4e-0000", "vscode-webview://1a2b3c", "http://xn--mnchen-3ya.de"),
)


async def test_what_browsers_send_as_an_origin_is_left_to_cors(make: Make) -> None:
    chat = await make({"jwt_auth": JWT})
    for origin in WELL_FORMED:
        assert await titles(chat, {**bearer(), "Origin": origin}) == []


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "http://[::1",
            "http://a:b",
            "http://a:99999",
            "http://*.example.com",
            "http://A.example",
        ),
        *("https://a.example:443", "http://a.example:80", "null", "http://b@a", "http://[abc]"),
        *("HTTP://a", "http://a\u2100", "http://münchen.de", "file://", "https://a.example/"),
    ],
)
def test_origins_in_the_settings_that_no_browser_sends(tmp_path: Path, origin: str) -> None:
    settings = sections({"jwt_auth": JWT}, tmp_path, cors_origins=["https://a.example", origin])
    with pytest.raises(SettingsError, match="is not an origin as browsers write it"):
        create_app(Settings.model_validate(settings))


@pytest.mark.parametrize(
    "origin", ["https://a.example", "http://a.example:443", "http://[::1]:3000", "capacitor://X"]
)
def test_origins_in_the_settings(tmp_path: Path, origin: str) -> None:
    settings = sections({"jwt_auth": JWT}, tmp_path, cors_origins=[origin])
    create_app(Settings.model_validate(settings))


async def test_a_page_of_another_site_is_refused_before_its_body(
    aiohttp_client: MakeClient,
) -> None:
    async def user(request: web.Request) -> web.Response:
        try:
            await authenticate(request)
        except ServerError as error:
            return web.json_response(error.message, status=error.status)
        return web.json_response("read it")

    app = web.Application()
    app[SETTINGS] = Settings()
    app[HOOKS] = Hooks.of([("auth", anonymous_auth.Plugin(anonymous_auth.Config()))])
    app.router.add_post("/api/chat", user)
    chat = Chat(await aiohttp_client(app))
    head = b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
    async with connected(chat) as send:
        assert b" 403 " in await send(head + b"Origin: https://evil.example\r\n\r\n")


@pytest.mark.parametrize("user", ["", "  ", "x" * 256, "a\nb"])
async def test_a_user_id_that_cannot_be_one(make: Make, user: str) -> None:
    chat = await make({"jwt_auth": OPTIONAL, "anonymous_auth": None})
    body = {"messages": [{"role": "user", "content": "hello"}], "user_id": user}
    status, message = await chat.refused(body)
    assert (status, "`user_id` must be" in message) == (401, True)


@pytest.mark.parametrize("user", [5, ["anna"], {}, True])
async def test_a_user_id_that_is_no_text(make: Make, user: object) -> None:
    chat = await make({"anonymous_auth": None})
    body = {"messages": [{"role": "user", "content": "hello"}], "user_id": user}
    assert (await chat.refused(body))[0] == 400


@pytest.mark.parametrize(
    ("config", "headers"),
    [({"user_header": "X-User"}, {"X-User": "ben"}), ({"per_browser": True, "secret": SECRET}, {})],
)
async def test_a_user_id_is_not_believed_where_something_else_is(
    make: Make, config: dict[str, Any], headers: dict[str, str]
) -> None:
    chat = await make({"anonymous_auth": config})
    body = {"messages": [{"role": "user", "content": "hello"}], "user_id": "anna"}
    status, message = await chat.refused(body, headers=headers)
    assert (status, "Leave `user_id` out" in message) == (400, True)


async def test_a_body_that_is_dear_to_read_is_refused_before_it_is_parsed(make: Make) -> None:
    chat = await make({"anonymous_auth": None})
    for values in ("[]," * 200_000, "1.5," * 200_000, '"",' * 200_000):
        body = f'{{"user_id": "anna", "messages": [{values} 0]}}'.encode()
        assert (await chat.post(body)).status == 413


# The secret of cookies


def per_browser(file: Path) -> web.Application:
    """Return an application that signs cookies with the secret in a file."""
    settings = Settings.model_validate(
        sections({"anonymous_auth": {"per_browser": True, "secret_file": str(file)}}, file.parent)
    )
    return create_app(settings)


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o640, 0o620, 0o644, 0o666, 0o777, 0o601, 0o660])
def test_a_secret_that_others_can_read_or_change(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "the secret"
    file.write_text("x" * 64)
    file.chmod(mode)
    with pytest.raises(SettingsError, match=r"chmod 600 '.*/the secret'"):
        per_browser(file)
    link = tmp_path / "link"
    link.symlink_to(file)
    with pytest.raises(SettingsError, match="others can read or change"):
        per_browser(link)
    file.chmod(0o600)
    per_browser(link)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o377, 0o777])
def test_a_new_secret_is_for_its_owner_alone(tmp_path: Path, umask: int) -> None:
    file = tmp_path / "secret"
    before = os.umask(umask)
    try:
        anonymous_auth.create_secret(file)
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o7777 == 0o600
    per_browser(file)


def test_a_secret_of_another_user(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    file = tmp_path / "secret"
    file.write_text("x" * 64)
    file.chmod(0o600)
    os.chown(file, 12345, 12345)
    with pytest.raises(SettingsError, match="belongs to another user"):
        per_browser(file)


@pytest.mark.parametrize("kind", ["pipe", "folder", "dangling", "huge", "device"])
def test_a_secret_file_that_is_no_file(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "secret"
    if kind == "pipe":
        os.mkfifo(file, 0o600)
    elif kind == "folder":
        file.mkdir(mode=0o700)
    elif kind == "dangling":
        file.symlink_to(tmp_path / "nowhere")
    elif kind == "huge":
        file.write_text("x" * 1_000_000)
        file.chmod(0o600)
    else:
        file.symlink_to("/dev/zero")
    with pytest.raises(SettingsError, match="secret_file: "):
        per_browser(file)
