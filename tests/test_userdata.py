"""`export` and `erase`: all data of one user, and of no other."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from chatkit_server import User, hookimpl
from chatkit_server.cli.main import main
from chatkit_server.testing import ChatClient, open_client, script
from chatkit_server.testing.model_server import Gate, ModelServer
from chatkit_server.userdata.erase import Eraser
from chatkit_server.userdata.export import Exporter
from chatkit_server.userdata.output import opened
from tests.databases import DATABASES, DatabaseKind, new_url

Run = Callable[..., Any]

HOLDER = '''
from chatkit_server import UserFile, hookimpl

NOTES = {("acme", "ann"): ["one", "two"], ("", "ann"): ["other"]}


class Plugin:
    """Holds notes of users."""

    @hookimpl
    async def export(self, user):
        for note in NOTES.get((user.tenant, user.id), ()):
            yield {"note": note}
            yield UserFile("../" + note + "/?.txt", note.encode())

    @hookimpl
    async def erase(self, user):
        return {"notes": len(NOTES.pop((user.tenant, user.id), ()))}
'''


class Broken:
    """Cannot do what is asked of it."""

    @hookimpl
    async def export(self, user: User) -> None:
        raise RuntimeError("no disk")

    @hookimpl
    async def erase(self, user: User) -> Any:
        return "all"


@pytest.fixture(params=DATABASES)
def kind(request: pytest.FixtureRequest) -> DatabaseKind:
    found: DatabaseKind = request.param
    return found


@pytest.fixture
def file(kind: DatabaseKind, tmp_path: Path) -> Path:
    folder = tmp_path / "my_plugins"
    folder.mkdir()
    (folder / "holder.py").write_text(HOLDER)
    settings = {
        "plugin_dirs": ["my_plugins"],
        "agent": {"model": "demo/todo"},
        "plugins": {
            "anonymous_auth": None,
            "tortoise_store": {"url": new_url(kind, tmp_path)},
            "demo_model": {"pace": "1ms"},
            "todo_mcp": None,
            "attachments": {"url": str(tmp_path / "files")},
            "conversation_log": {"path": str(tmp_path / "turns.jsonl")},
            "holder": None,
        },
    }
    path = tmp_path / "settings.yaml"
    path.write_text(json.dumps(settings))
    return path


@pytest.fixture
def run(file: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    async def called(command: str, *options: str) -> tuple[int, str, str]:
        capfdbinary.readouterr()
        arguments = [command, "--settings", str(file), *options]
        status = await asyncio.to_thread(main, arguments)
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return status, out.decode(), err.decode()

    return called


ODD = "a/../b'; DROP\u2603 %_\\"


async def fill(client: ChatClient) -> ChatClient:
    used = await client.upload("secret of " + client.headers.get("x", ""), "my notes.txt")
    await client.say("See this", attachments=[used])
    await client.say("Add a task: buy milk")
    await client.upload("never sent", "other.txt")
    (answer,) = [item for item in await client.items() if item.type == "assistant_message"][-1:]
    thread = client.thread_id
    await client.ask("items.feedback", thread_id=thread, item_ids=[answer.id], kind="positive")
    return client


async def test_all_data_of_one_user_and_of_no_other(file: Path, run: Run, tmp_path: Path) -> None:
    async with open_client(file) as client:
        ann = await fill(client.as_user("ann", tenant="acme"))
        other = await fill(client.as_user("ann", tenant=""))
        odd = await fill(client.as_user(ODD, tenant="acme"))

        target = tmp_path / "ann.zip"
        status, out, err = await run(
            "export", "--user", "ann", "--tenant", "acme", "--output", str(target)
        )
        assert (status, out, err) == (0, "", "")
        assert target.stat().st_mode & 0o777 == 0o600
        packed = zipfile.ZipFile(target)
        data = json.loads(packed.read("data.json"))
        assert [each["id"] for each in data["conversations"]] == [ann.thread_id]
        assert "buy milk" in json.dumps(data["conversations"][0]["items"])
        (attachment,) = data["attachments"]
        held = data["plugins"]
        assert held["todo_mcp"] == [{"tasks": [{"number": 1, "title": "buy milk", "done": False}]}]
        assert held["tortoise_store"][0]["feedback"][0]["kind"] == "positive"
        assert len(held["tortoise_store"][0]["attachments"]) == 2
        assert len(held["conversation_log"]) == 2
        paths = [row["path"] for row in held["attachments"] if "path" in row]
        assert sorted(packed.read(path)[:6] for path in paths) == [b"never ", b"secret"]
        names = packed.namelist()
        assert len(names) == 5
        assert all(re.fullmatch(r"data.json|files/\w+/\d-[\w. ]+", name) for name in names)
        assert data["failed"] == {}
        assert attachment["id"] in [row.get("id") for row in held["attachments"]]

        before = await whole(run, "ann", "")
        _, told, _ = await run("erase", "--user", "ann", "--tenant", "acme", "--dry-run")
        assert "conversations (tortoise_store): 1 conversations, 5 items, 1 attachments" in told
        assert "todo_mcp: 1 tasks" in told
        assert len(await ann.threads()) == 1, "a dry run deletes nothing"
        status, told, err = await run("erase", "--user", "ann", "--tenant", "acme", "--yes")
        assert (status, err) == (0, "")
        assert told.splitlines() == [
            "conversations (tortoise_store): 1 conversations, 5 items, 1 attachments",
            "tortoise_store: 1 attachments",
            "todo_mcp: 1 tasks",
            "attachments: 1 files",
            "conversation_log: 2 lines",
            "holder: 2 notes",
        ]
        assert await ann.threads() == []
        status, told, err = await run("erase", "--user", "ann", "--tenant", "acme", "--yes")
        assert (status, err) == (0, "")
        assert "1" not in told, "again, and nothing is there"
        assert before == await whole(run, "ann", "")
        assert len(await other.threads()) == len(await odd.threads()) == 1
        status, told, _ = await run("erase", "--user", ODD, "--tenant", "acme", "--yes")
        assert "1 conversations" in told
        await other.say("The log goes on.")
    assert len((tmp_path / "turns.jsonl").read_text().splitlines()) == 3


async def whole(run: Run, user: str, tenant: str) -> dict[str, Any]:
    status, out, _ = await run("export", "--user", user, "--tenant", tenant)
    assert status == 0
    data: dict[str, Any] = json.loads(out)
    data.pop("exported")
    return data


def app_of(client: ChatClient) -> web.Application:
    app: web.Application | None = client.http.app
    assert app is not None
    return app


async def test_a_store_without_hooks_and_a_plugin_that_fails() -> None:
    settings = {"turns": {"stale": "3s"}}
    async with open_client(
        settings, [("broken", Broken())], model=script("One.", "Two.")
    ) as client:
        app, user = app_of(client), User("ann")
        ann, bob = client.as_user("ann"), client.as_user("bob")
        await ann.say("Hi")
        await bob.say("Hi")
        eraser = Eraser(app, user)
        told = dict([each async for each in eraser.erase()])
        assert list(told.values()) == ["1 conversations, 2 items"]
        assert list(eraser.failures) == ["broken"]
        assert "returned a str, expected a dict of names and counts" in eraser.failures["broken"]
        assert (await ann.threads(), len(await bob.threads())) == ([], 1)
        with opened(None) as output:
            failures = await Exporter(app, User("bob"), output).write()
            output.data.flush()
            written = json.loads((output.folder / "data.json").read_bytes())
        assert failures == {"broken": "RuntimeError: no disk"} == written["failed"]
        assert len(written["conversations"]) == 1


async def test_a_running_answer_is_stopped(model_server: ModelServer) -> None:
    settings = {"turns": {"stale": "3s"}}
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    async with open_client(settings, model=model_server) as client:
        ann = client.as_user("ann")
        answer = await ann.begin("Count")
        await answer.until("One, ")
        eraser = Eraser(app_of(client), User("ann"))
        told = dict([each async for each in eraser.erase()])
        assert "1 running answers stopped" in next(iter(told.values()))
        assert (await answer.end()).error == "The answer was stopped."
        assert await ann.threads() == []


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_where_an_export_goes(run: Run, tmp_path: Path, file: Path) -> None:
    there = tmp_path / "there.json"
    there.write_text("mine")
    status, _, err = await run("export", "--user", "ann", "--output", str(there))
    assert (status, there.read_text()) == (2, "mine")
    assert "exists already" in err
    target = tmp_path / "ann.json"
    status, _, err = await run("export", "--user", "ann", "--output", str(target))
    assert (status, err) == (0, "1 files are left out: --output FILE.zip has them\n")
    folder = tmp_path / "ann"
    assert (await run("export", "--user", "ann", "--output", str(folder)))[0] == 0
    data = json.loads((folder / "data.json").read_bytes())
    (path,) = [row["path"] for row in data["plugins"]["holder"] if "path" in row]
    assert (folder / path).read_bytes() == b"other"
    status, _, err = await run("erase", "--user", "", "--yes")
    assert (status, "the id of the user is empty" in err) == (2, True)
    status, _, err = await run("erase", "--user", "ann")
    assert status == 2
    assert "nobody can be asked here" in err
    status, told, _ = await run("erase", "--user", "\0", "--yes")
    assert (status, "1" in told) == (1, False), "the store says that there is no such user"
