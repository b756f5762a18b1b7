"""The hooks that no request calls: `turn_store` at boot, others by the command line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from chatkit_server import User, hookimpl
from chatkit_server.cli.main import main
from chatkit_server.storage import MemoryTurnStore, TurnStore
from tests.conftest import MakeChat

NOBODY_ELSE = User("somebody", name="Somebody")


class KeepsTurns:
    """Brings a turn store."""

    def __init__(self) -> None:
        self.turns = MemoryTurnStore()

    @hookimpl
    def turn_store(self) -> TurnStore:
        return self.turns


async def test_turns_are_written_down_where_the_first_plugin_says(make_chat: MakeChat) -> None:
    first, second = KeepsTurns(), KeepsTurns()
    chat = await make_chat(first, second)
    streamed = await chat.say("hello")
    turn_id = streamed.response.headers["X-Turn-Id"]
    record = await first.turns.find(turn_id, NOBODY_ELSE)
    assert record is not None
    assert (record.state, record.thread_id) == ("completed", streamed.thread_id)
    assert await second.turns.find(turn_id, NOBODY_ELSE) is None


MIGRATES = """
    from chatkit_server import SettingsError, hookimpl

    class Plugin:
        @hookimpl
        async def migrate(self) -> list[str] | None:
            {does}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with settings for three plugins that migrate, and a store."""
    names = ["first", "silent", "last"]
    plugins = "".join(f"  {name}:\n" for name in names)
    store = "  tortoise_store: {url: 'sqlite://:memory:'}\n"
    settings = f"plugins:\n{plugins}{store}  anonymous_auth:\n  demo_model:\n"
    (tmp_path / "settings.yaml").write_text(settings)
    (tmp_path / "my_plugins").mkdir()
    for name, does in zip(
        names, ("return ['one', 'two']", "return None", "return ['three']"), strict=True
    ):
        (tmp_path / "my_plugins" / f"{name}.py").write_text(dedent(MIGRATES.format(does=does)))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("chatkit_plugin_file"):
            del sys.modules[name]


def test_migrate_calls_all_plugins_in_order(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["migrate", "--settings", str(folder / "settings.yaml")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["first: one", "first: two", "last: three"]
    assert all(line.startswith("tortoise_store: ") for line in lines[3:])


def test_an_error_ends_migrate(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    does = "raise SettingsError('the tables are locked')"
    (folder / "my_plugins" / "silent.py").write_text(dedent(MIGRATES.format(does=does)))
    assert main(["migrate", "--settings", str(folder / "settings.yaml")]) == 2
    out, err = capsys.readouterr()
    assert out.splitlines() == ["first: one", "first: two"]
    assert err == "chatkit-server: plugin silent: the tables are locked\n"


@pytest.mark.parametrize(
    ("does", "told"),
    [
        ("return {}[1]", "migrate: {file}:7: KeyError: 1"),
        ("return 'done'", "migrate: returned a str, expected a list of str, or None"),
    ],
)
def test_a_mistake_in_migrate_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], does: str, told: str
) -> None:
    file = folder / "my_plugins" / "silent.py"
    file.write_text(dedent(MIGRATES.format(does=does)))
    assert main(["migrate", "--settings", str(folder / "settings.yaml")]) == 2
    told = told.format(file=file)
    assert capsys.readouterr().err == f"chatkit-server: plugin silent: {told}\n"


COMMAND = """
    import click

    from chatkit_server import NotFound, SettingsError, hookimpl

    class Plugin:
        @hookimpl
        def cli(self, commands: click.Group) -> None:
            @commands.command({name!r}, help="Count.")
            @click.option("--to", default=1)
            async def count(to: int):
                {does}
"""


def brings(folder: Path, name: str, does: str, plugin: str = "silent") -> Path:
    """Give a plugin a command that does this."""
    file = folder / "my_plugins" / f"{plugin}.py"
    file.write_text(dedent(COMMAND.format(name=name, does=does)))
    return file


def test_a_plugin_brings_a_command(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    brings(folder, "count", "print(list(range(to))); return to - 1")
    settings = str(folder / "settings.yaml")
    assert main(["count", "--settings", settings, "--to", "3"]) == 2
    assert capsys.readouterr().out == "[0, 1, 2]\n"
    monkeypatch.chdir(folder)
    assert main(["count"]) == 0
    assert capsys.readouterr().out == "[0]\n"
    assert main(["count", f"--settings={settings}", "--to=4"]) == 3
    assert main(["count", "--help"]) == 0
    assert "--to INTEGER" in capsys.readouterr().out


GROUP = """
    import click

    from chatkit_server import hookimpl

    @hookimpl
    def cli(commands: click.Group) -> None:
        @commands.group(help="Look after files.")
        def files():
            pass

        @files.command()
        @click.argument("name")
        async def find(name):
            if name == "none":
                raise click.ClickException("there is no such file")
            click.echo(f"found {name}")
"""


def test_a_plugin_brings_commands_in_a_group(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "my_plugins" / "silent.py").write_text(dedent(GROUP))
    settings = str(folder / "settings.yaml")
    assert main(["files", "find", "a.txt", "--settings", settings]) == 0
    assert capsys.readouterr().out == "found a.txt\n"
    assert main(["files", "--settings", settings, "find", "none"]) == 1
    assert capsys.readouterr().err == "Error: there is no such file\n"


@pytest.mark.parametrize(
    ("name", "does", "told"),
    [
        ("count", "{}[1]", "count: {file}:12: KeyError: 1"),
        ("count", "raise SettingsError('no numbers')", "no numbers"),
        ("count", "raise NotFound('No numbers.')", "No numbers."),
        ("run", "pass", "cli: `run` is taken; choose another name"),
        ("feedback", "pass", "cli: `feedback` is taken; choose another name"),
        ("Ä", "pass", "cli: 'Ä' is no name for a command"),
    ],
)
def test_a_mistake_in_a_command_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, does: str, told: str
) -> None:
    file = brings(folder, name, does)
    assert main(["count", "--settings", str(folder / "settings.yaml")]) == 2
    told = told.format(file=file)
    [line] = capsys.readouterr().err.splitlines()
    plugin = "tortoise_store" if name == "feedback" else "silent"
    assert line.startswith(f"chatkit-server: plugin {plugin}: {told}")


def test_an_unknown_command_is_told_with_those_of_the_plugins(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    brings(folder, "count", "pass")
    assert main(["cuont", "--settings", str(folder / "settings.yaml")]) == 2
    told = capsys.readouterr().err
    assert "No such command 'cuont'" in told
    assert "migrate, count, feedback" in told
    monkeypatch.chdir(folder / "my_plugins")
    assert main(["cuont"]) == 2
    told = capsys.readouterr().err
    assert (
        "`cuont` is none of init, new-plugin, run, chat, check, plugins, hooks, settings, schema, "
        "export, erase, migrate" in told
    )
    assert f"{folder}/my_plugins/settings.yaml: no such file" in told


CHECKS = """
    from chatkit_server import hookimpl

    @hookimpl
    async def check() -> list[str] | None:
        {does}
"""


def test_check_shows_what_plugins_find(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    does = "return ['the disk is full', 'and slow']"
    (folder / "my_plugins" / "silent.py").write_text(dedent(CHECKS.format(does=does)))
    assert main(["check", "--settings", str(folder / "settings.yaml")]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told == ["warning: silent: the disk is full", "warning: silent: and slow"]


def test_an_error_ends_check(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "my_plugins" / "silent.py"
    file.write_text(dedent(CHECKS.format(does="return {}[1]")))
    assert main(["check", "--settings", str(folder / "settings.yaml")]) == 2
    told = f"chatkit-server: plugin silent: check: {file}:6: KeyError: 1\n"
    assert capsys.readouterr().err == told
