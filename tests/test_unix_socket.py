"""A server on a Unix socket: its file, its clients, and what cannot work."""

from __future__ import annotations

import re
import signal
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, UnixConnector

from chatkit_server.cli.main import main
from chatkit_server.settings.schema import ServerSettings
from chatkit_server.web.addresses import Proxies
from tests.processes import Process, environment, started

PLUGINS = """
agent: {model: demo/todo}
plugins:
  anonymous_auth:
  tortoise_store: {url: "sqlite://chatkit.db"}
  demo_model: {pace: 1ms}
  todo_mcp:
"""


@asynccontextmanager
async def listening(
    folder: Path, server: str, *arguments: str
) -> AsyncIterator[tuple[Process, ClientSession]]:
    """Run a server with this section; the session is for `chatkit.sock` in its folder."""
    (folder / "settings.yaml").write_text(f"server: {server}\n{PLUGINS}")
    async with started(folder, "run", *arguments, env=environment()) as process:
        await process.line("listens on the socket")
        connector = UnixConnector(str(folder / "chatkit.sock"))
        async with ClientSession("http://localhost", connector=connector) as session:
            yield process, session


async def test_a_life_on_a_socket(tmp_path: Path) -> None:
    path = tmp_path / "chatkit.sock"
    # One that a killed server left behind
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    async with listening(tmp_path, "{socket: chatkit.sock, hosts: chat.example.com}") as (
        process,
        session,
    ):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        line = await process.line("curl .*")
        assert line[0].startswith(f"curl -N --unix-socket {path} http://localhost/api/chat -d '")
        body = {"messages": [{"role": "user", "content": "add buy milk to my list"}]}
        async with session.post("/api/chat", json=body) as response:
            assert '"done":true' in await response.text()
        for host, status in (("chat.example.com", 200), ("evil.example.com", 403)):
            async with session.get("/healthz", headers={"Host": host}) as response:
                assert response.status == status

        second = await failed(tmp_path, "run")
        assert "cannot listen on chatkit.sock: the socket is in use. Stop what listens" in second
        assert await process.stop(signal.SIGTERM) == 0
    assert not path.exists()

    async with listening(tmp_path, "{host: '::1', port: 1}", "--socket", "chatkit.sock") as (
        process,
        session,
    ):
        async with session.get("/readyz") as response:
            assert response.status == 200
        # Another server's file is left alone
        path.unlink()
        path.touch()
        assert await process.stop(signal.SIGTERM) == 0
    assert path.exists()
    wrong = await failed(tmp_path, "run", "--socket", "chatkit.sock")
    assert "chatkit.sock is there already, and is no socket" in wrong
    both = await failed(tmp_path, "run", "--socket", "chatkit.sock", "--port", "1")
    assert "--socket is in place of --host and --port" in both


async def failed(folder: Path, *arguments: str) -> str:
    """Return what a command says that cannot work."""
    async with started(folder, *arguments, env=environment()) as process:
        assert await process.end() == 2
        (line,) = process.errors
        return line


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ("{socket: nowhere/c.sock}", "server.socket: there is no folder .*/nowhere. Create it"),
        (f"{{socket: {'x' * 108}}}", "server.socket: the path is too long"),
        ("{socket: settings.yaml}", "is there already, and is no socket"),
        ("{socket: 'unix:/run/c.sock'}", "server.socket: .*write the path alone"),
        ("{socket: c.sock, port: 1, host: h}", "`socket` is in place of `host` and `port`. Remove"),
        ("{socket: c.sock, socket_mode: 0660}", 'expected permissions in quotes, such as "0660"'),
    ],
)
def test_what_cannot_be_a_socket(
    server: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "settings.yaml").write_text(f"server: {server}\n{PLUGINS}")
    assert main(["check"]) == 2
    errors = capsys.readouterr().err
    assert re.search(f"settings.yaml:1: .*{told}", errors), errors
    assert len(errors.splitlines()) == 1


async def test_an_ipv6_address_may_have_brackets(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(f"server: {{host: '[::1]', port: 0}}\n{PLUGINS}")
    async with started(tmp_path, "run", env=environment()) as process:
        listens = await process.line(r"listens on (http://\[::1\]:\d+/api/chat)")
        async with ClientSession() as session, session.post(listens[1]) as response:
            # Its own address is a host that it knows
            assert response.status == 400


@pytest.mark.parametrize(("given", "mode"), [("0600", 0o600), ("660", 0o660), ("0o666", 0o666)])
def test_permissions(given: str, mode: int) -> None:
    assert ServerSettings(socket="c.sock", socket_mode=given).socket_mode == mode


def test_no_socket_is_written_in_two_ways() -> None:
    for nothing in (None, ""):
        assert ServerSettings(socket=nothing, port=1).socket is None


def test_who_connects_to_a_socket_is_a_proxy() -> None:
    proxies = Proxies(["127.0.0.0/8"], unix=True)
    assert proxies.trusts("")
    assert proxies.client("", ["192.0.2.1, 127.0.0.1"]) == "192.0.2.1"
    assert not Proxies(["127.0.0.0/8"]).trusts("")
