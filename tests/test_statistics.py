"""What hooks cost: figures of each, a line for each call, and the commands that show them."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from chatkit_server import Forbidden, Turn, hookimpl
from chatkit_server.cli.main import main
from chatkit_server.logs import HOOKS_TRACED
from chatkit_server.plugin.call import trace
from chatkit_server.testing import ChatClient, Refused, open_client

FAILURES = {"fail": ValueError("a secret"), "forbid": Forbidden("No."), "": None}


class Moody:
    """Does in `pre_turn` what the user says."""

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        assert turn.message is not None
        said = "".join(part.text for part in turn.message.content)
        error = FAILURES.get(said)
        if error is not None:
            raise error


async def figures(client: ChatClient, **headers: str) -> dict[str, Any] | None:
    response = await client.http.get("/readyz?verbose", headers=headers)
    found: dict[str, Any] | None = (await response.json()).get("hooks")
    return found


async def test_calls_failures_and_times_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, HOOKS_TRACED)
    assert trace.name == HOOKS_TRACED
    async with open_client(plugins=[("moody", Moody())]) as client:
        await client.say("hello")
        for said in ("fail", "forbid"):
            with pytest.raises(Refused):
                await client.say(said)
        told = await figures(client)
        assert told is not None
        at = told["moody"]["pre_turn"]
        assert (at["calls"], at["failures"]) == (3, 1)
        assert 0 < at["mean_ms"] <= at["max_ms"]
        # A proxy may ask for anybody
        assert await figures(client, **{"X-Forwarded-For": "192.0.2.1"}) is None
    lines = [r.getMessage() for r in caplog.records if r.name == HOOKS_TRACED]
    of_moody = [line.split("moody: ")[1] for line in lines if "moody" in line]
    assert [line.rpartition(" after ")[0] for line in of_moody] == [
        "pre_turn: returned nothing",
        "pre_turn: failed",
        "pre_turn: refused",
    ]
    assert "a secret" not in "".join(lines)


SETTINGS = """\
server: {port: PORT}
plugins:
  anonymous_auth:
  tortoise_store: {url: "sqlite://:memory:"}
  demo_model:
  conversation_log: {path: log.jsonl}
  brief: {api_key: sk-very-secret, answers: {first: "Yes."}}
"""

BRIEF = """
from pydantic import BaseModel
from chatkit_server import hookimpl

class Config(BaseModel):
    api_key: str
    answers: dict[str, str]
    tone: str = "kind"

class Plugin:
    hook_timeouts = {"pre_turn": 2.5}

    def __init__(self, config: Config) -> None: ...

    @hookimpl
    async def pre_turn(self) -> None: ...
"""


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_plugins").mkdir()
    (tmp_path / "my_plugins" / "brief.py").write_text(BRIEF)
    file = tmp_path / "settings.yaml"
    file.write_text(SETTINGS.replace("PORT", "1"))
    return file


def test_the_plugins_of_a_deployment(deployment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "--json", "--available"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["running"] is False
    assert "jwt_auth" in told["available"]
    named = {plugin["name"]: plugin for plugin in told["plugins"]}
    assert list(named) == [
        "anonymous_auth",
        "tortoise_store",
        "demo_model",
        "conversation_log",
        "brief",
    ]
    brief = named["brief"]
    assert brief["file"] == str(deployment.parent / "my_plugins" / "brief.py")
    assert brief["version"] is None
    assert brief["hooks"] == ["pre_turn"]
    assert brief["settings"] == {"api_key": "***", "answers": {"first": "Yes."}}
    assert named["tortoise_store"]["package"] == "chatkit-server"
    assert main(["plugins", "--json", "--all"]) == 0
    told = json.loads(capsys.readouterr().out)
    brief = told["plugins"][-1]
    assert brief["settings"] == {"api_key": "***", "answers": {"first": "Yes."}, "tone": "kind"}
    assert main(["plugins"]) == 0
    out = capsys.readouterr().out
    assert "No server answers at http://127.0.0.1:1: " in out
    assert "started with --host, --port or --socket, give the same here" in out
    assert "sk-very-secret" not in out


@pytest.mark.usefixtures("deployment")
async def test_the_figures_of_a_server_that_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with open_client(plugins=[("brief", Moody())]) as client:
        await client.say("hello")
        server = client.http.server
        assert isinstance(server, TestServer)
        with monkeypatch.context() as given:
            given.setenv("CHATKIT_SERVER__PORT", str(server.port))
            assert await asyncio.to_thread(main, ["plugins"]) == 0
        assert "  pre_turn: 1 calls, 0 failed, mean " in capsys.readouterr().out
        # As `run` was started
        options = ["--host", "127.0.0.1", "--port", str(server.port)]
        assert await asyncio.to_thread(main, ["plugins", *options]) == 0
        assert "  pre_turn: 1 calls, 0 failed, mean " in capsys.readouterr().out


@pytest.mark.usefixtures("deployment")
def test_the_hooks_of_a_deployment(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hooks"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("async def pre_turn(turn: Turn) -> None")
    assert lines[at + 1] == "  1. brief: my_plugins/brief.py:16, 2.5 s"
    assert main(["hooks", "post_turn", "--json"]) == 0
    [hook] = json.loads(capsys.readouterr().out)
    assert hook["help"].startswith("Look back on a turn")
    assert [one["plugin"] for one in hook["plugins"]] == ["conversation_log"]
    assert main(["hooks", "perist"]) == 2
    assert "`perist` is not a hook. Did you mean `persist`?" in capsys.readouterr().err
