"""`chatkit-server init`: what it writes runs as it is, also after a plain `pip install`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml

import chatkit_server
from chatkit_server.cli.init import _FILES, _TEST_SETTINGS
from chatkit_server.cli.main import main
from chatkit_server.settings.load import load
from tests.processes import environment, running

TEMPLATE = Path(chatkit_server.__file__).parent / "cli" / "template" / "project"


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Run in an empty folder; forget the plugins that were imported from it."""
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("chatkit_plugin_file"):
            del sys.modules[name]


def test_everything_in_the_template_is_written() -> None:
    files = {str(file.relative_to(TEMPLATE)) for file in TEMPLATE.rglob("*") if file.is_file()}
    assert {name for name in files if "__pycache__" not in name} == {*_FILES, _TEST_SETTINGS}


def test_it_says_what_it_wrote_and_what_to_do_next(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["init", "my chat"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "Wrote my chat/settings.yaml, my chat/my_plugins/hello.py and my chat/tests/test_hello.py."
    )
    assert lines[2:4] == [
        "  cd 'my chat'",
        "  chatkit-server run      # starts the server and prints a request to try",
    ]
    assert load(tmp_path / "my chat" / "settings.yaml", {}).plugins["hello"] == {"tone": "friendly"}


@pytest.mark.parametrize("name", ["pyproject.toml", "pytest.ini"])
def test_a_project_keeps_its_settings_of_pytest(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    assert main(["init"]) == 0
    assert (tmp_path / name).read_text() == "mine"
    assert (tmp_path / "pytest.ini").exists() == (name == "pytest.ini")


def test_editors_know_its_settings(tmp_path: Path) -> None:
    assert main(["init"]) == 0
    settings = (tmp_path / "settings.yaml").read_text()
    first = settings.partition("\n")[0]
    schema = json.loads((tmp_path / first.rpartition("=")[2]).read_text())
    jsonschema.validate(yaml.safe_load(settings), schema)
    assert schema["properties"]["plugins"]["properties"]["hello"]["anyOf"]


def test_it_writes_here_without_a_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["init"]) == 0
    assert "cd " not in capsys.readouterr().out
    assert main(["check"]) == 0
    assert capsys.readouterr().out.endswith("demo_model, todo_mcp, chat_page, hello\n")


@pytest.mark.parametrize("name", _FILES)
def test_it_never_overwrites(capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    assert main(["init"]) == 2
    assert capsys.readouterr().err == (
        f"chatkit-server: {tmp_path} already has {name}; nothing was written. Choose another "
        "folder: chatkit-server init FOLDER\n"
    )
    assert file.read_text() == "mine"
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == [file]


def test_a_folder_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["init", "file"]) == 2
    assert "cannot write into" in capsys.readouterr().err


async def test_what_it_writes_runs_and_its_plugin_works(tmp_path: Path) -> None:
    assert main(["init", "x"]) == 0
    async with running(tmp_path / "x", env=environment()) as server:
        answer = await server.chat().plain("add buy milk to my list")
        assert answer.data[-1]["done"] is True
        turn_id = answer.response.headers["X-Turn-Id"]
        await server.process.line(rf"INFO hello: turn {turn_id} completed after")
        assert await server.stop() == 0
    assert (tmp_path / "x" / "chatkit.db").is_file()
