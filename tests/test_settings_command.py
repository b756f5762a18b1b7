"""`chatkit-server settings`: every value, where it came from, and no secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from chatkit_server.cli.main import main

SETTINGS = """\
server:
  port: ${MY_PORT:-8000}
  cors_origins: http://a.example, http://b.example
turns: {limits: {turn: 90s}}
hooks: {timeouts: {todo_mcp: 20s}}
agents:
  billing: {instructions: You know invoices.}
plugins:
  anonymous_auth:
  tortoise_store: {url: "postgresql://ann:hunter22@localhost/chat"}
  demo_model:
  todo_mcp:
  jwt_auth: {secret: "0123456789abcdef0123456789abcdef"}
"""


@pytest.fixture(autouse=True)
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MY_PORT", "9000")
    monkeypatch.setenv("CHATKIT_SERVER__DRAIN", "5s")
    file = tmp_path / "settings.yaml"
    file.write_text(SETTINGS)
    return file


def test_every_value_and_where_it_came_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    shown = {" ".join(line.split()) for line in out.splitlines()}
    assert {
        "port: 9000 # settings.yaml:2, MY_PORT",
        "cors_origins: ['http://a.example', 'http://b.example'] # settings.yaml:3",
        "drain: 5s # CHATKIT_SERVER__DRAIN",
        "max_body: 16MB # default",
        "cors_credentials: true # default",
        "socket_mode: '0660' # default",
        "turn: 90s # settings.yaml:4",
        "timeouts: {todo_mcp: 20s} # settings.yaml:5",
        "instructions: You know invoices. # settings.yaml:7",
        "secret: '***' # settings.yaml:13",
        "pace: 20ms # default",
        "tokens: 32000 # default",
    } <= shown, out
    assert "hunter22" not in out
    assert "0123456789abcdef" not in out
    # It is YAML that another server could start with, but for the secrets
    data = yaml.safe_load(out)
    assert data["server"]["port"] == 9000
    assert data["agents"]["billing"]["instructions"] == "You know invoices."
    assert list(data["plugins"])[:2] == ["anonymous_auth", "tortoise_store"]


def test_a_section_what_was_changed_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "server", "--changed", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "server.port": {"value": 9000, "from": "settings.yaml:2, MY_PORT"},
        "server.cors_origins": {
            "value": ["http://a.example", "http://b.example"],
            "from": "settings.yaml:3",
        },
        "server.drain": {"value": "5s", "from": "CHATKIT_SERVER__DRAIN"},
    }
    assert main(["settings", "turns.limits.turn"]) == 0
    line = " ".join(capsys.readouterr().out.split())
    assert line == "turns: limits: turn: 90s # settings.yaml:4"
    assert main(["settings", "server.prot"]) == 2
    assert "no setting `server.prot`. Did you mean `server.port`?" in capsys.readouterr().err


def test_what_can_be_told_of_broken_settings(
    deployment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment.write_text(
        "server: {port: many, path: /chat}\nplugins: {nothing_such: , demo_model: {pase: 1}}\n"
    )
    assert main(["settings", "--changed"]) == 1
    out, err = capsys.readouterr()
    assert "path: /chat" in out
    assert "server.port" in err
    assert "plugins.nothing_such: unknown plugin" in err
    assert "plugins.demo_model.pase: unknown key" in err
