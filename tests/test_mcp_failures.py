"""What is in place of an MCP server is said in one line, with what to do about it."""

from __future__ import annotations

import errno
import gc
import logging
import socket
import ssl
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import RedirectResponse

from chatkit_server.mcp.connection import ToolFailed
from chatkit_server.mcp.failures import describe, last_words, network_problem
from chatkit_server.mcp.manager import McpManager
from chatkit_server.mcp.timing import McpTiming
from tests.mcp_calls import invoke, until
from tests.mcp_faulty import Answer, certificate, faulty_server, response
from tests.mcp_http_server import HttpServer, http_server
from tests.plugins.test_mcp_servers import given, until_connected

JSON = "application/json"
ENDPOINT = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nevent: endpoint\r\ndata: %b\r\n\r\n"
)
ALERT = b"\x15\x03\x01\x00\x02\x02\x46"
NGINX = "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>"
PAGE = "<html><head><title>Sign in &amp; go</title></head></html>"


def elsewhere(head: bytes) -> bytes:
    """An address on the same server that is a login page."""
    if b" /login" in head:
        return response("200 OK", PAGE, content_type="text/html; charset=utf-8")
    return response("302 Found", location="/login?next=secret")


def only_get(answer: bytes) -> Answer:
    """What the older transport answers at its address."""
    return lambda head: answer if head.startswith(b"GET") else response("405 No")


async def told(servers: McpManager, words: dict[str, list[str]]) -> dict[str, str]:
    """Wait until the reasons have these words, and return them."""
    errors: dict[str, str] = {}

    def are_told() -> bool:
        errors.update({name: str(state["error"]) for name, state in servers.status().items()})
        return all(part in errors[name] for name, parts in words.items() for part in parts)

    try:
        await until(are_told)
    except TimeoutError:
        missing = {
            name: error
            for name, error in errors.items()
            if not all(part in error for part in words[name])
        }
        pytest.fail(f"{missing}")
    return errors


HTTP: dict[str, tuple[Answer | None, list[str]]] = {
    "silent": (None, ["accepted the connection, but did not answer in time"]),
    "closes": (b"", ["closed the connection without an answer", "HTTPS"]),
    "alert": (ALERT, ["not HTTP, probably TLS", "use `https://`"]),
    "nginx": (response("400 B", NGINX, content_type="text/html"), ["wants HTTPS", "`https://`"]),
    "loop": (response("307 R", location="/mcp"), ["redirects in a circle"]),
    "nowhere": (response("307 R", location="http://[::1"), ["redirects to what is no address"]),
    "other": (
        response("307 R", location="http://user:pw@example.com:81/login?token=abcdef"),
        ["redirects to another address, 'example.com'", "http://example.com:81 is right", "`url`"],
    ),
    "login": (elsewhere, ["redirects to '/login'", 'web page titled "Sign in & go"', "login page"]),
    "page": (
        response("403 F", "<title>Just a moment...</title>", content_type="text/html"),
        ["HTTP 403 (Forbidden), a web page", '"Just a moment..."'],
    ),
    "nobody": (response("401 U"), ["HTTP 401", "set `Authorization` in `headers`"]),
    "path": (response("404 N"), ["HTTP 404", "`/mcp`", "`transport: sse`"]),
    "nothing": (response("204 N"), ["HTTP 204 (No Content) in place of a message"]),
    "object": (response("200 OK", '{"a": 1}', content_type=JSON), ["no MCP message", '"{"a": 1}"']),
    "text": (response("200 OK", "hello", content_type=JSON), ['not JSON, though it says so: "he']),
    "empty": (response("200 OK", " ", content_type=JSON), ["an empty body"]),
    "broken": (response("200 OK", '{"jsonrpc": 1}', content_type=JSON), ["is no MCP message"]),
    "older": (only_get(ENDPOINT % b"/messages"), ["older HTTP+SSE transport", "transport: sse"]),
    "any-older": (ENDPOINT % b"/messages", ["older HTTP+SSE transport", "transport: sse"]),
    "no-http": (b"SSH-2.0-OpenSSH_9\r\n\r\n", ["not valid HTTP"]),
}
SSE: dict[str, tuple[Answer | None, list[str]]] = {
    "newer": (response("405 No"), ["HTTP 405", "remove `transport: sse`"]),
    "json": (response("200 OK", "{}", content_type=JSON), ["in place of an event stream"]),
    "away": (
        ENDPOINT % b"http://inside:8000/messages?key=abc",
        ["another address for messages, http://inside:8000;"],
    ),
    "other": (response("302 R", location="//example.com/"), ["redirects to another address"]),
}


async def test_what_answers_in_place_of_a_server(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        entries: list[dict[str, Any]] = []
        words = {"refused": ["refused the connection", "whether it runs"], "dns": ["DNS", "`url`"]}
        for answers, more in ((HTTP, {}), (SSE, {"transport": "sse"})):
            for name, (answer, parts) in answers.items():
                port = await stack.enter_async_context(faulty_server(answer))
                name = f"{name}-{more.get('transport', 'http')}"
                url = f"http://127.0.0.1:{port}/mcp?key=hidden-key"
                limit = "2s" if answer is None else "20s"
                entries.append({"name": name, "url": url, "connect_timeout": limit, **more})
                words[name] = parts
        entries.append({"name": "refused", "url": "http://127.0.0.1:1/mcp"})
        entries.append({"name": "dns", "url": "http://no-such-host.invalid/mcp"})
        servers = given(tmp_path, *entries)
        async with servers.run():
            errors = await told(servers, words)
    assert not [error for error in errors.values() if "\n" in error or len(error) > 400]
    for secret in ("hidden-key", "abcdef", "user:pw", "key=abc", "next=secret"):
        assert secret not in str(errors)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
async def test_tls_that_is_not_as_it_should_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {name: tmp_path / f"{name}.pem" for name in ("own", "old", "foreign")}
    contexts = {
        "own": certificate(files["own"]),
        "old": certificate(files["old"], days=-1),
        "foreign": certificate(files["foreign"], host="other.example"),
    }
    (tmp_path / "known.pem").write_bytes(files["old"].read_bytes() + files["foreign"].read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "known.pem"))
    words = {
        "own": ["its TLS certificate is self-signed"],
        "old": ["its TLS certificate has expired"],
        "foreign": ["its TLS certificate is for another host name"],
        "plain": ["did not answer in TLS", "use `http://`"],
        "silent": ["did not complete the TLS handshake in time", "use `http://`"],
        "tls": ["closed the connection without an answer", "HTTPS"],
    }
    async with AsyncExitStack() as stack:
        run = stack.enter_async_context
        ports = {name: await run(faulty_server(b"", context)) for name, context in contexts.items()}
        ports["plain"] = await run(faulty_server(response("400 Bad Request"), at_once=True))
        ports["silent"] = await run(faulty_server(None))
        entries = [
            {"name": name, "url": f"https://localhost:{port}/mcp", "connect_timeout": "2s"}
            for name, port in ports.items()
        ]
        entries.append({"name": "tls", "url": f"http://localhost:{ports['own']}/mcp"})
        servers = given(tmp_path, *entries)
        async with servers.run():
            await told(servers, words)
    # The HTTP library does not close the socket of a handshake that is given up
    gc.collect()


COMMANDS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "missing": ({"command": "no-such-command"}, ["the command was not found", "`command`"]),
    "no-folder": ({"command": "true", "cwd": "/no/such"}, ["its folder does not exist", "`cwd`"]),
    "no-program": ({"command": "{folder}/text"}, ["the command is not executable"]),
    "a-folder": ({"command": "{folder}"}, ["the command is a folder"]),
    "no-shebang": ({"command": "{folder}/script"}, ["no program for this machine"]),
    "bad-shebang": ({"command": "{folder}/lost"}, ["its first line (`#!`) names was not found"]),
    "exits": (
        {"command": "sh", "args": ["-c", "echo starting >&2; printf 'KeyError: KEY' >&2; exit 3"]},
        ["exited with status 3", '"KeyError: KEY"'],
    ),
    "usage": ({"command": "echo", "args": ["usage: x"]}, ["exited with status 0", '"usage: x"']),
    "killed": ({"command": "sh", "args": ["-c", "kill -9 $$"]}, ["was killed by SIGKILL"]),
    "hangs": (
        {"command": "sh", "args": ["-c", "echo 'no database' >&2; while read line; do :; done"]},
        ["did not answer in time", '"no database"'],
    ),
    "chats": (
        {"command": "sh", "args": ["-c", "echo 'Listening on 3000'; while read line; do :; done"]},
        ["wrote no MCP message to its standard output", '"Listening on 3000"'],
    ),
    "closes": (
        {"command": "sh", "args": ["-c", "exec >&-; while read line; do :; done"]},
        ["closed its standard output"],
    ),
}


async def test_commands_that_are_no_servers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (tmp_path / "text").write_text("x")
    for name, text in (("script", "echo"), ("lost", "#!/no/such/program\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    entries = []
    for name, (entry, _) in COMMANDS.items():
        command = entry["command"].replace("{folder}", str(tmp_path))
        entries.append({"name": name, "connect_timeout": "1s", **entry, "command": command})
    servers = given(tmp_path, *entries)
    async with servers.run():
        await told(servers, {name: words for name, (_, words) in COMMANDS.items()})
    assert "MCP server exits writes: starting" in caplog.messages
    # Without an end of line
    assert "MCP server exits writes: KeyError: KEY" in caplog.messages


async def test_a_server_that_ends_says_why_and_hides_secrets(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    dies = "import os, sys; sys.stderr.write('Error: wrong key sesame-12345\\n'); os._exit(4)"
    code = f"import threading; threading.Timer(3600, print); {dies}"
    entry = {
        "name": "web",
        "command": sys.executable,
        "args": ["-c", code],
        "env": {"KEY": "sesame-12345"},
    }
    servers = given(tmp_path, entry)
    async with servers.run():
        errors = await told(servers, {"web": ["exited with status 4"]})
    assert errors["web"] == 'exited with status 4; it wrote: "Error: wrong key ***"'


# Redirects that are followed


class Moved(HttpServer):
    """A server that has moved: each of its addresses redirects once, with `status`."""

    status = 307

    def _guarded(self, app: Any) -> Any:
        inner = super()._guarded(app)

        async def guard(scope: Any, receive: Any, send: Any) -> None:
            query = scope.get("query_string", b"").decode()
            if scope["type"] != "http" or "moved" in query:
                await inner(scope, receive, send)
                return
            there = scope["path"].replace("/old", "/sse" if self.older else "/mcp")
            moved = RedirectResponse(f"{there}?{query}&moved=1", self.status)
            await moved(scope, receive, send)

        return guard


@pytest.mark.parametrize(
    ("older", "statuses"), [(False, (301, 302, 303, 307, 308)), (True, (302, 308))]
)
async def test_redirects_within_the_server_keep_the_message(
    older: bool, statuses: tuple[int, ...], tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        entries = []
        for status in statuses:
            server = Moved(older=older, token="Bearer sesame")
            server.status = status
            await server.start()
            stack.push_async_callback(server.stop)
            entries.append(
                {
                    "name": f"s{status}",
                    "prefix": f"s{status}",
                    "url": f"http://127.0.0.1:{server.port}/old",
                    "headers": {"Authorization": "Bearer sesame"},
                    "transport": "sse" if older else "http",
                }
            )
        servers = given(tmp_path, *entries)
        async with servers.run():
            tools = await until_connected(servers)
            for status in statuses:
                assert await invoke(tools[f"s{status}_echo"], text="hi") == "hi"


async def test_a_redirect_that_is_not_followed_is_told_to_the_model(tmp_path: Path) -> None:
    async with http_server() as server:
        entry = {"name": "web", "url": server.url}
        servers = given(tmp_path, entry, timing=McpTiming(call=0.5))
        async with servers.run():
            tools = await until_connected(servers)
            server.answer = RedirectResponse("https://example.com/login", 302)
            server.answered = ("POST",)
            with pytest.raises(ToolFailed, match="redirects to another address"):
                await invoke(tools["echo"], text="hi")


# Without a server


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EHOSTUNREACH, "no route to the host"),
        (errno.ENETUNREACH, "no route to its network"),
        (errno.EACCES, "does not allow the connection"),
        (errno.ETIMEDOUT, "did not accept a connection in time"),
        (errno.EMFILE, "too many open files"),
    ],
)
def test_errors_of_the_network(number: int, words: str) -> None:
    several = ExceptionGroup("all failed", [OSError(number, "x"), OSError(number, "y")])
    error = OSError("All connection attempts failed")
    error.__cause__ = several
    assert words in (network_problem(error, "connect") or "")
    assert words in describe(ExceptionGroup("outer", [ExceptionGroup("inner", [error])]))


def test_a_name_that_cannot_be_looked_up() -> None:
    error = socket.gaierror(socket.EAI_AGAIN, "Temporary failure")
    assert "the DNS does not answer" in (network_problem(error) or "")


def test_a_handshake_that_fails() -> None:
    error = ssl.SSLError(1, "x")
    error.reason = "TLSV1_ALERT_PROTOCOL_VERSION"
    assert "failed: tlsv1 alert protocol version" in (network_problem(error, "tls") or "")
    assert "closed the connection during" in (network_problem(ConnectionResetError(), "tls") or "")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (["Traceback", "  File", "KeyError: 'KEY'"], "KeyError: 'KEY'"),
        (["Error: no key", "    at main (x.js:1)", "", "Node.js v20.1.0"], "Error: no key"),
        (["npm error 404 x", "npm error A complete log of this run"], "npm error 404 x"),
        (["starting", "bye"], "bye"),
        (["fatal: no config", "shutting down"], "fatal: no config"),
        ([], ""),
    ],
)
def test_the_line_that_says_why(output: list[str], said: str) -> None:
    assert last_words(output) == said
