"""`chatkit-server check`: broken deployments, and what it says of each.

`docs/checks.md` has their settings, their plugins, and all that is said.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from agents.mcp import MCPServer

from chatkit_server import Finding, hookimpl
from chatkit_server.checking import models, port, probes
from chatkit_server.checking.clock import check_clock
from chatkit_server.checking.lines import finding_of, what_to_do
from chatkit_server.checking.mcp import check_mcp_servers
from chatkit_server.cli.main import main
from chatkit_server.probe import Probe
from chatkit_server.testing import make_app
from tests.broken import DEPLOYMENTS, Deployment, Place, broken_server, busy_port
from tests.databases import new_url
from tests.mcp_calls import until
from tests.processes import environment
from tests.stores import opened
from tests.test_cli import ended
from tests.test_mcp import InProcess


@pytest.fixture(scope="module")
def broken() -> Iterator[str]:
    """The host and port of a server that is broken in all ways."""
    with broken_server() as address:
        yield address


@pytest.fixture
def place(tmp_path: Path, broken: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(port, "PATIENCE", 0.1)
    # Something may listen on this machine's default port
    monkeypatch.setenv("CHATKIT_SERVER__PORT", "0")
    with busy_port() as busy:
        yield Place(tmp_path, broken, busy)


@pytest.mark.parametrize("title", DEPLOYMENTS)
def test_what_is_said_of_a_broken_deployment(
    title: str, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = DEPLOYMENTS[title]
    for name, value in deployment.variables.items():
        monkeypatch.setenv(name, value)
    if "port" in title:
        monkeypatch.delenv("CHATKIT_SERVER__PORT")
    monkeypatch.setattr(models, "PATIENCE", 0.1 if "does not answer" in title else 9.0)
    monkeypatch.setattr(probes, "LIMIT", 0.4 if "does not end" in title else 10.0)
    file = place.lay_out(title, deployment)
    assert main([*deployment.command, "--settings", str(file)]) == deployment.status
    out, err = capsys.readouterr()
    assert place.told(err) == deployment.says
    assert ("OK. Plugins: " in out) == (deployment.status < 2)
    assert "sk-12345678" not in out + err


def test_each_of_them_is_told_once() -> None:
    assert len(DEPLOYMENTS) > 30
    lines = [line for deployment in DEPLOYMENTS.values() for line in deployment.says]
    assert all(re.match("chatkit-server: |error: |warning: ", line) for line in lines)


def test_json_has_all_of_it_and_nothing_else(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    title = "MCP servers that refuse, or do not run"
    file = place.lay_out(title, DEPLOYMENTS[title])
    assert main(["check", "--online", "--json", "--settings", str(file)]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    told = json.loads(out)
    assert told["settings"] == str(file)
    assert told["status"] == 1
    assert told["plugins"] == ["anonymous_auth", "demo_model", "tortoise_store", "mcp_servers"]
    assert told["findings"][0] == {
        "level": "error",
        "where": "MCP server mail",
        "problem": "refused the connection",
        "todo": "Check whether it runs, and the port in `url`",
    }
    assert [each["level"] for each in told["findings"]] == ["error", "warning", "warning"]
    assert "model demo/todo" in [each["where"] for each in told["works"]]


@pytest.mark.parametrize("title", ["The YAML cannot be read", "A weak secret for tokens"])
def test_json_of_what_cannot_start(
    title: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    file = place.lay_out(title, DEPLOYMENTS[title])
    assert main(["check", "--json", "--settings", str(file)]) == 2
    out, err = capsys.readouterr()
    assert err == ""
    [finding] = json.loads(out)["findings"]
    assert finding["where"].startswith(f"{file}:")
    assert finding["todo"]
    assert main(["check", "--json", "--settings", f"{place.folder}/no.yaml"]) == 2
    [finding] = json.loads(capsys.readouterr().out)["findings"]
    assert finding["where"] == f"{place.folder}/no.yaml"
    assert finding["todo"].startswith("Name the settings with --settings FILE")


def test_what_is_allowed_and_may_surprise_is_a_notice(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    file = place.folder / "settings.yaml"
    plugins = (
        f"anonymous_auth: , demo_model: , {STORE}, rate_limits: {{requests: {{user: 1/hour}}}}"
    )
    file.write_text(f"plugins: {{{plugins}}}\n")
    assert main(["check", "--settings", str(file)]) == 0
    out, err = capsys.readouterr()
    assert "OK. Plugins: " in out
    [line] = err.splitlines()
    assert line.startswith("notice: rate_limits: turns, requests and tokens are counted in each ")
    assert main(["check", "--json", "--settings", str(file)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [finding["level"] for finding in told["findings"]] == ["notice"]
    # It is nothing that /readyz would call degraded
    assert not Finding("", level="notice").is_wrong


WORKING = """
server: {port: 0, cors_origins: ["http://localhost:3000", "https://shop.example"]}
plugins:
  jwt_auth: {jwks_url: "http://127.0.0.1:9000/keys"}
  demo_model:
  tortoise_store: {url: "sqlite:///srv/chat/chatkit.db"}
  attachments: {url: /srv/chat/files}
  titles: {by: model, model: demo/titles}
  todo_mcp:
"""


def test_what_works_is_told(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    new_url("sqlite", place.folder)
    file = place.lay_out("all works", Deployment(WORKING, [], 0, []))
    url = f"http://{place.broken}/401"
    assert main(["check", "--online", "--url", url, "--settings", str(file)]) == 1
    out, err = capsys.readouterr()
    works = re.sub(r"\d+(\.\d)? (s|GB)\b", r"1.0 \2", "\n".join(place.told(out))).splitlines()
    assert sorted(works[:-1]) == [
        "ok: MCP server todo: 5 tools in 1.0 s: add_task, list_tasks, complete_task, update_task, "
        "delete_task",
        "ok: SQLite /srv/chat/chatkit.db: reached in 1.0 s, takes writes, its tables are up to "
        "date",
        "ok: attachments: /srv/chat/files can be used, 1.0 GB are free",
        "ok: clock: 1.0 s from that of 127.0.0.1",
        "ok: keys at http://127.0.0.1:9000/keys: 1 for ES256, fetched in 1.0 s",
        "ok: model demo/titles: answered in 1.0 s",
        "ok: model demo/todo: answered in 1.0 s",
        "ok: pages of http://localhost:3000: a browser lets them call the server",
        "ok: pages of https://shop.example: a browser lets them call the server",
        "ok: port 0 of 127.0.0.1: free to listen on",
    ]
    first, second = place.told(err)
    assert first.startswith(
        "error: pages of http://localhost:3000 at http://127.0.0.1:9000/401: a browser does not "
        "let them call the server: the preflight is refused (HTTP 401"
    )
    assert second.startswith("error: pages of https://shop.example at http://127.0.0.1:9000/401")


STORE = "tortoise_store: {url: 'sqlite://:memory:'}"


def test_one_that_hangs_keeps_no_other_from_being_shown(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(probes, "LIMIT", 2.0)
    title = "A plugin's check does not end"
    hangs = DEPLOYMENTS[title]
    hangs = Deployment(hangs.settings, [], 1, [], {**hangs.files, "my_plugins/good.py": GOOD})
    file = place.lay_out(title, hangs)
    file.write_text(f"{file.read_text()}  good:\n")
    assert main(["check", "--online", "--settings", str(file)]) == 1
    out, err = capsys.readouterr()
    assert "ok: model demo/todo: answered" in out
    assert "ok: good: the shop answers" in out
    assert "plugin slow: no answer within" in err
    assert "warning: the till: is empty. Fill it" in err


GOOD = """
from chatkit_server import Finding, hookimpl

@hookimpl
async def check(online: bool):
    assert online
    return [
        Finding("the shop answers", level="ok"),
        Finding("is empty", "Fill it", where="the till"),
    ]
"""


def test_a_server_that_runs_at_the_port_is_no_mistake(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port, "PATIENCE", 5.0)
    monkeypatch.delenv("CHATKIT_SERVER__PORT")

    async def healthz(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n"
        writer.write(f'{head}{{"status": "ok"}}'.encode())
        await writer.drain()
        writer.close()

    async def checked() -> int:
        server = await asyncio.start_server(healthz, "127.0.0.1", 0)
        number = server.sockets[0].getsockname()[1]
        file = place.folder / "settings.yaml"
        file.write_text(
            f"server: {{port: {number}}}\nplugins: {{anonymous_auth: , demo_model: , {STORE}}}\n"
        )
        arguments = ["check", "--online", "--settings", str(file)]
        async with server:
            return await asyncio.to_thread(main, arguments)

    assert asyncio.run(checked()) == 0
    assert "a chatkit-server listens there already" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "where", "problem", "todo"),
    [
        (
            "/a b/settings.yaml:3: server.prot: unknown key. Did you mean `port`? Known: a",
            "/a b/settings.yaml:3: server.prot",
            "unknown key",
            "Did you mean `port`? Known: a",
        ),
        (
            "settings.yaml:3: not valid YAML: found character",
            "settings.yaml:3",
            "not valid YAML: found character",
            "",
        ),
        (
            "CHATKIT_SERVER__PORT: server.port: too large",
            "CHATKIT_SERVER__PORT: server.port",
            *("too large", ""),
        ),
        (
            "plugin a.b: setup: /x.py:3: KeyError: 1",
            "plugin a.b",
            "setup: /x.py:3: KeyError: 1",
            "",
        ),
        ("MCP server my shop: is away. Start it", "MCP server my shop", "is away", "Start it"),
        ("Anything at all", "", "Anything at all", ""),
    ],
)
def test_a_line_becomes_a_finding(line: str, where: str, problem: str, todo: str) -> None:
    finding = finding_of(line)
    assert (finding.where, finding.problem, finding.todo) == (where, problem, todo)
    assert str(finding) == line
    assert what_to_do(finding)


@pytest.mark.parametrize(
    ("skews", "level"),
    [({"a": 2.0}, "ok"), ({"a": -31.0}, "warning"), ({"a": 0.1, "b": 0.3, "c": 90.0}, "ok")],
)
def test_one_wrong_clock_among_many_is_not_ours(skews: dict[str, float], level: str) -> None:
    finding = check_clock(Probe(skews))
    assert finding is not None
    assert finding.level == level
    assert check_clock(Probe()) is None


async def test_tools_are_named_as_the_server_will_name_them() -> None:
    """Which of two servers keeps a name does not depend on which answers first."""
    slow, fast, bare = InProcess("slow", "add"), InProcess("fast", "add"), InProcess("bare")
    slow.connect_gate.clear()

    class Servers:
        @hookimpl
        def mcp_servers(self) -> list[MCPServer]:
            return [slow, fast, bare]

    app = make_app(plugins=[Servers()])
    found: list[Finding] = []
    check = asyncio.create_task(check_mcp_servers(app, found.append))
    await until(lambda: bool(fast.lists and bare.lists))
    slow.connect_gate.set()
    await check
    told = [re.sub(r" in [0-9.]+ s", "", str(finding)) for finding in found]
    assert told[0] == "MCP server slow: 1 tool: add"
    assert told[1] == "MCP server fast: 1 tool: fast_add (its `add`)"
    assert told[2].startswith(
        "MCP server bare: is connected, and has no tools that agents may use."
    )
    assert [finding.level for finding in found] == ["ok", "ok", "warning"]


def test_findings_are_read_as_lines() -> None:
    assert str(Finding("is away", "Start it", "error", "x")) == "x: is away. Start it"
    assert str(Finding("is away")) == "is away"


STUCK = """
import asyncio, time
from chatkit_server import hookimpl

@hookimpl
async def check(online):
    asyncio.get_running_loop().run_in_executor(None, time.sleep, 600)
    await asyncio.sleep(0)
"""


async def test_beside_a_server_it_disturbs_nothing_and_waits_for_no_thread(tmp_path: Path) -> None:
    (tmp_path / "my_plugins").mkdir()
    (tmp_path / "my_plugins" / "stuck.py").write_text(STUCK)
    url = f"sqlite://{tmp_path}/chatkit.db"
    (tmp_path / "settings.yaml").write_text(
        f"server: {{port: 0}}\nplugins: {{anonymous_auth: , demo_model: , stuck: , "
        f"tortoise_store: {{url: '{url}'}}}}\n"
    )
    # With migrations, for which it is opened twice
    async with opened(url):
        log = (tmp_path / "chatkit.db-wal").stat().st_ino
        check = await ended(tmp_path, "check", "--online", env=environment())
        assert (check.status, check.errors) == (0, [])
        assert any("takes writes, its tables are up to date" in line for line in check.output)
        assert (tmp_path / "chatkit.db-wal").stat().st_ino == log
