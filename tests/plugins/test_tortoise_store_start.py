"""Starting: migrations, other plugins' tables, and what keeps a server from starting."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import os
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tortoise.context import get_current_context
from tortoise.migrations.autodetector import MigrationAutodetector

from chatkit_server import Settings, SettingsError, hookimpl
from chatkit_server.app import create_app
from tests.databases import DATABASES, PASSWORD, QUOTED_PASSWORD, Front, empty_url, postgres
from tests.notes.models import Folder, Note
from tests.ports import free_port
from tests.stores import ANN, item, make_app, query, running, thread

OWN = tuple(
    f"tortoise_store.{name}"
    for name in (
        "0001_initial",
        "0002_turns",
        "0003_backends",
        "0004_probe",
        "0005_feedback_time",
        "0006_elsewhere",
        "0007_accepted",
        "0008_requests",
    )
)


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind, without tables."""
    return empty_url(request.param, tmp_path)


class Notes:
    """A plugin with tables of its own, which it reads and writes as Tortoise's guide has it."""

    def __init__(self, version: str = "v1", **changes: Any) -> None:
        self.app = {
            "models": ["tests.notes.models"],
            "migrations": f"tests.notes.{version}",
            **changes,
        }
        self.tasks: set[asyncio.Task[None]] = set()
        self.written = asyncio.Event()

    @hookimpl
    def tortoise_apps(self) -> Mapping[str, Mapping[str, Any]]:
        return {"notes": self.app}

    @hookimpl
    def setup(self, app: web.Application) -> None:
        app.router.add_post("/notes", self.add)
        app.router.add_get("/notes", self.all)

    async def add(self, request: web.Request) -> web.Response:
        """Write a note in the handler, and another in a task that outlives the request."""
        folder, _ = await Folder.get_or_create(name="inbox")
        text = await request.text()
        await Note.create(folder=folder, text=text)
        task = asyncio.create_task(self.later(folder, f"{text} later"))
        self.tasks.add(task)
        return web.Response()

    async def later(self, folder: Folder, text: str) -> None:
        await Note.create(folder=folder, text=text)
        self.written.set()

    async def all(self, request: web.Request) -> web.Response:
        return web.json_response([note.text for note in await Note.all().order_by("id")])


async def _names() -> list[str]:
    rows = await query("SELECT app, name FROM tortoise_migrations ORDER BY id")
    return [f"{row['app']}.{row['name']}" for row in rows]


async def _refused(url: str, *plugins: tuple[str, object], **settings: Any) -> str:
    """Fail to start, and return the message: one line, with no secret, and nothing left open."""
    tasks = asyncio.all_tasks()
    with pytest.raises(SettingsError) as caught:
        async with running(url, *plugins, **settings):
            pass
    message = str(caught.value)
    assert "\n" not in message
    assert PASSWORD not in message
    assert QUOTED_PASSWORD not in message
    # The other side of a connection needs a moment
    if left := asyncio.all_tasks() - tasks:
        _, left = await asyncio.wait(left, timeout=5)
    assert not left
    for worker in threading.enumerate():
        if "_connection_worker_thread" in worker.name:
            worker.join(5)
            assert not worker.is_alive()
    assert get_current_context() is None
    return message


async def test_migrations_are_applied_once(url: str) -> None:
    for _ in range(2):
        async with running(url):
            assert await _names() == list(OWN)


async def test_of_two_turns_of_a_request_the_newer_keeps_it(url: str) -> None:
    async with running(url):
        # As it was before: two processes could begin one each
        await query("DROP INDEX chatkit_turn_asked")
        await query("DELETE FROM tortoise_migrations WHERE name = '0008_requests'")
        for turn_id, state, request in (
            ("a", "running", "'key:1'"),
            ("b", "beside", "'key:1'"),
            ("c", "completed", "'key:1'"),
            ("d", "accepted", "'key:2'"),
            ("e", "running", "NULL"),
        ):
            await query(
                "INSERT INTO chatkit_turn (tenant, user_id, id, thread_id, operation, model, "
                "attempt, cancel, thread_deleted, beaten, state, request) "
                f"VALUES ('', 'ann', '{turn_id}', '{turn_id}', '', '', 1, false, false, 0, "
                f"'{state}', {request})"
            )
    async with running(url):
        rows = await query("SELECT id, request FROM chatkit_turn ORDER BY id")
        asked = {row["id"]: row["request"] for row in rows}
        assert asked == {"a": None, "b": "key:1", "c": "key:1", "d": "key:2", "e": None}


async def test_the_migrations_make_what_the_models_say(url: str) -> None:
    async with running(url):
        context = get_current_context()
        assert context is not None
        apps = {
            "tortoise_store": {
                "models": ["chatkit_plugins.tortoise_store.models"],
                "migrations": "chatkit_plugins.tortoise_store.migrations",
            }
        }
        assert context.apps is not None
        assert await MigrationAutodetector(context.apps, apps).changes() == []


async def _migrate(url: str, *plugins: tuple[str, object]) -> list[str]:
    _, plugin = make_app(url, *plugins, auto_migrate=False)
    lines: list[str] = await plugin.migrate()
    return lines


async def test_without_auto_migrate_the_command_must_be_run_first(url: str) -> None:
    message = await _refused(url, auto_migrate=False)
    assert all(name in message for name in OWN)
    assert "`chatkit-server migrate`" in message
    first, second = await _migrate(url), await _migrate(url)
    assert [line.partition(": applied ")[2] for line in first] == list(OWN)
    assert len(second) == 1
    assert second[0].endswith(": up to date")
    assert PASSWORD not in first[0]
    assert QUOTED_PASSWORD not in first[0]
    async with running(url, auto_migrate=False) as plugin:
        await plugin.store().save_thread(thread(), ANN)


async def test_tables_of_other_plugins_are_migrated_too(url: str) -> None:
    plugin = ("notes", Notes("v2"))
    lines = await _migrate(url, plugin)
    assert {line.rpartition(" ")[2] for line in lines} == {
        *OWN,
        "notes.0001_initial",
        "notes.0002_longer_names",
    }
    async with running(url, plugin, auto_migrate=False):
        await query(f"INSERT INTO folders (name) VALUES ('{'x' * 200}')")


async def test_changing_a_table_keeps_the_rows_that_refer_to_it(url: str) -> None:
    async with running(url, ("notes", Notes("v1"))) as plugin:
        folder = await Folder.create(name="inbox")
        await Note.create(folder=folder, text="buy milk")
        await plugin.store().save_thread(thread(), ANN)
        await plugin.store().add_thread_item("thr_1", item("msg"), ANN)
    async with running(url, ("notes", Notes("v2"))) as plugin:
        note = await Note.get().select_related("folder")
        assert (note.text, note.folder.name) == ("buy milk", "inbox")
        assert await plugin.store().load_item("thr_1", "msg", ANN) == item("msg")
        # foreign keys are on again
        await folder.delete()
        assert await Note.all().count() == 0


async def test_a_migration_that_fails_changes_nothing(url: str) -> None:
    async with running(url, ("notes", Notes("v1"))):
        pass
    message = await _refused(url, ("notes", Notes("broken")))
    assert "no_such_table" in message
    async with running(url, ("notes", Notes("v2"))):
        assert (await _names())[-1] == "notes.0002_longer_names"
        assert "colour" not in (await query("SELECT * FROM notes") or [{}])[0]
        await Note.create(folder=await Folder.create(name="inbox"), text="it works")
        assert "colour" not in (await query("SELECT * FROM notes"))[0]


async def test_migrations_are_applied_all_or_none(url: str) -> None:
    await _refused(url, ("notes", Notes("broken")))
    assert len(await _migrate(url, ("notes", Notes("v1")))) == len(OWN) + 1


async def test_a_database_of_a_newer_version_is_refused(url: str) -> None:
    async with running(url, ("notes", Notes("v2"))):
        pass
    for settings in ({}, {"auto_migrate": False}):
        message = await _refused(url, ("notes", Notes("v1")), **settings)
        assert "created by a newer version" in message
        assert "notes.0002_longer_names" in message
    with pytest.raises(SettingsError, match="newer version"):
        await _migrate(url, ("notes", Notes("v1")))
    # what a plugin left that is no longer enabled is nobody's business
    async with running(url):
        pass


async def test_servers_may_start_at_the_same_time(url: str) -> None:
    async def start() -> list[str]:
        async with running(url, ("notes", Notes("v2"))):
            return await _names()

    found = await asyncio.gather(*(start() for _ in range(4)))
    assert found == [found[0]] * 4
    assert len(found[0]) == len(set(found[0])) == len(OWN) + 2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"migrations": None}, "plugin notes: tortoise_apps: 'notes' has no 'migrations'"),
        ({"models": []}, "plugin notes: tortoise_apps: 'notes' has no 'models'"),
        ({"models": ["no.such"]}, '`tortoise_apps`: Module "no.such" not found'),
        ({"migrations": "no.such"}, "`tortoise_apps`: No module named 'no'"),
    ],
)
async def test_apps_that_cannot_be_used(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    message = await _refused(empty_url("sqlite", tmp_path), ("notes", Notes(**changes)))
    assert told in message


async def test_a_label_belongs_to_one_plugin(tmp_path: Path) -> None:
    class SameLabel:
        @hookimpl
        def tortoise_apps(self) -> Mapping[str, Mapping[str, Any]]:
            return Notes().tortoise_apps()

    plugins = [("one", Notes()), ("two", SameLabel())]
    message = await _refused(empty_url("sqlite", tmp_path), *plugins)
    assert "plugin two: tortoise_apps: the label 'notes' is taken" in message


async def test_plain_queries_reach_the_database_of_the_application(url: str) -> None:
    notes = Notes()
    app, _ = make_app(url, ("notes", notes))
    async with TestClient(TestServer(app)) as client:
        await client.post("/notes", data="milk")
        await notes.written.wait()
        assert await (await client.get("/notes")).json() == ["milk", "milk later"]


async def test_tasks_that_began_before_the_start_reach_it_too(tmp_path: Path) -> None:
    ready = asyncio.Event()

    async def count() -> int:
        await ready.wait()
        return await Folder.all().count()

    early = asyncio.create_task(count())
    async with running(empty_url("sqlite", tmp_path), ("notes", Notes())):
        await Folder.create(name="inbox")
        ready.set()
        assert await early == 1


async def test_two_applications_each_have_their_own_database(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        clients = []
        for name in ("one", "two"):
            notes = Notes()
            app, plugin = make_app(f"sqlite://{tmp_path / name}.db", ("notes", notes))
            client = await stack.enter_async_context(TestClient(TestServer(app)))
            clients.append((name, client, plugin, notes))
        for name, client, plugin, notes in clients:
            await client.post("/notes", data=name)
            await notes.written.wait()
            await plugin.store().save_thread(thread(title=name), ANN)
        for name, client, plugin, _ in clients:
            assert await (await client.get("/notes")).json() == [name, f"{name} later"]
            assert (await plugin.store().load_thread("thr_1", ANN)).title == name


@pytest.mark.parametrize("workers", [2, "auto"])
def test_workers_do_not_share_a_database_in_memory(workers: object) -> None:
    plugins = {"tortoise_store": {"url": "sqlite://:memory:"}, "anonymous_auth": None}
    settings = Settings.model_validate({"plugins": plugins, "server": {"workers": workers}})
    with pytest.raises(SettingsError, match="url: a database in memory belongs to one process"):
        create_app(settings)


async def test_the_database_in_memory(tmp_path: Path) -> None:
    async with running("sqlite://:memory:") as plugin:
        await plugin.store().save_thread(thread(), ANN)
        assert await plugin.store().load_thread("thr_1", ANN) == thread()


async def test_sqlite_is_set_up_for_a_server(tmp_path: Path) -> None:
    async with running(empty_url("sqlite", tmp_path)):
        pragmas = ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        found = [(await query(f"PRAGMA {name}"))[0].popitem()[1] for name in pragmas]
        assert found == ["wal", 1, 1, 8_000]


async def test_postgresql_is_asked_no_more_than_needed() -> None:
    async with running(postgres().empty_url(), pool_size=3) as plugin:
        calls = [plugin.store().load_threads(1, None, "desc", ANN) for _ in range(40)]
        await asyncio.gather(*calls)
        rows = await query(
            "SELECT query FROM pg_stat_activity WHERE application_name = 'chatkit-server' "
            "AND datname = current_database()"
        )
        assert len(rows) == 3
        # the pool has sent nothing of its own after them
        assert all(
            "pg_stat_activity" in row["query"] or "chatkit_thread" in row["query"] for row in rows
        )


# What keeps a server from starting.


async def test_the_folder_is_missing(tmp_path: Path) -> None:
    message = await _refused(f"sqlite://{tmp_path}/data/chatkit.db")
    assert f"there is no folder {tmp_path}/data." in message
    assert message.endswith("Check plugins.tortoise_store.url")


async def test_the_file_is_a_folder(tmp_path: Path) -> None:
    assert "this is a folder. Name a file in it" in await _refused(f"sqlite://{tmp_path}")


async def test_the_file_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "chatkit.db").write_text("Dear diary, " * 1000)
    message = await _refused(f"sqlite://{tmp_path / 'chatkit.db'}")
    assert "file is not a database" in message
    assert str(tmp_path / "chatkit.db") in message


async def test_the_file_cannot_be_written(tmp_path: Path) -> None:
    url = empty_url("sqlite", tmp_path)
    async with running(url):
        pass
    with _read_only(tmp_path):
        message = await _refused(url, ("notes", Notes()))
    assert message.startswith(f"cannot use SQLite {tmp_path / 'chatkit.db'}: ")
    assert "readonly database" in message


@contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    """Let this process read in the folder, and not write; root can do both, so it must go."""
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    for parent in takewhile(_is_of_pytest, folder.parents):
        parent.chmod(parent.stat().st_mode | 0o055)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o755)


def _is_of_pytest(folder: Path) -> bool:
    return folder.name.startswith(("pytest-", "popen-"))


async def test_nobody_listens() -> None:
    port = free_port()
    message = await _refused(f"postgresql://u:{QUOTED_PASSWORD}@127.0.0.1:{port}/d")
    assert message.startswith(f"cannot use PostgreSQL 127.0.0.1:{port}/d: ")
    assert "Connect call failed" in message


async def test_the_host_does_not_exist() -> None:
    message = await _refused(f"postgresql://u:{QUOTED_PASSWORD}@no-such-host.invalid/d")
    assert message.startswith("cannot use PostgreSQL no-such-host.invalid:5432/d: ")


async def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        url = f"postgresql://u:{QUOTED_PASSWORD}@127.0.0.1:{port}/d"
        assert "no answer within connect_timeout" in await _refused(url, connect_timeout="100ms")


async def test_the_password_is_wrong() -> None:
    url = postgres().url("postgres").replace(QUOTED_PASSWORD, "wr0ng")
    message = await _refused(url)
    assert "wrong user or password for 'postgres': password authentication failed" in message
    assert "wr0ng" not in message


async def test_there_is_no_such_database() -> None:
    message = await _refused(postgres().url("nowhere"))
    assert 'the database does not exist; create it first: database "nowhere" does not' in message


async def test_the_server_does_not_know_a_parameter() -> None:
    message = await _refused(postgres().url("postgres", "?schemes=public"))
    assert 'unrecognized configuration parameter "schemes"' in message


async def test_the_user_may_not_make_tables() -> None:
    real = postgres()
    url = real.empty_url()
    database = url.rpartition("/")[2]
    real.psql(f"CREATE ROLE reader_{database} LOGIN PASSWORD 'abc'")
    url = url.replace(f"postgres:{QUOTED_PASSWORD}", f"reader_{database}:abc")
    assert "permission denied for schema public" in await _refused(url)


async def test_the_server_knows_no_tls() -> None:
    message = await _refused(postgres().url("postgres", "?sslmode=require"))
    assert "rejected SSL upgrade" in message


def _certificate(folder: Path, name: x509.GeneralName) -> tuple[ssl.SSLContext, Path]:
    """Return what a server with a self-signed certificate needs, and the certificate's file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(public + private)
    root = folder / "root.pem"
    root.write_bytes(public)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context, root


async def test_tls_as_the_url_asks_for_it(tmp_path: Path) -> None:
    real = postgres()
    this_host = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    context, root = _certificate(tmp_path, this_host)
    database = real.empty_url().rpartition("/")[2]
    async with Front(real.port, context) as front:
        for parameters in (
            "sslmode=require&channel_binding=require",
            f"sslmode=verify-ca&sslrootcert={root}",
            f"sslmode=verify-full&sslrootcert={root}",
        ):
            url = real.url(database, f"?{parameters}").replace(f":{real.port}/", f":{front.port}/")
            before = front.encrypted
            async with running(url) as plugin:
                await plugin.store().save_thread(thread(), ANN)
            assert front.encrypted > before
        url = url.replace(f"sslrootcert={root}", "sslrootcert=system")
        assert "certificate" in (await _refused(url)).lower()


async def test_a_server_may_ask_for_a_certificate_of_ours(tmp_path: Path) -> None:
    real = postgres()
    context, root = _certificate(tmp_path, x509.DNSName("db.example.com"))
    # The same certificate serves both sides
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(root)
    ours, key = tmp_path / "server.pem", tmp_path / "key.pem"
    blocks = ours.read_text().partition("-----BEGIN PRIVATE KEY")
    key.write_text(blocks[1] + blocks[2])
    database = real.empty_url().rpartition("/")[2]
    async with Front(real.port, context) as front:

        def url(parameters: str) -> str:
            given = real.url(database, f"?sslmode=verify-ca&sslrootcert={root}{parameters}")
            return given.replace(f":{real.port}/", f":{front.port}/")

        for parameters in (f"&sslcert={ours}", f"&sslcert={root}&sslkey={key}"):
            async with running(url(parameters)) as plugin:
                await plugin.store().save_thread(thread(), ANN)
        await _refused(url(""))
    with pytest.raises(ValueError, match="a certificate of the URL cannot be used"):
        await _refused(url(f"&sslcert={root}"))


async def test_certificates_of_another_host_are_refused_where_the_host_counts(
    tmp_path: Path,
) -> None:
    real = postgres()
    context, root = _certificate(tmp_path, x509.DNSName("db.example.com"))
    database = real.empty_url().rpartition("/")[2]
    async with Front(real.port, context) as front:
        for mode in ("verify-ca", "verify-full"):
            parameters = f"?sslmode={mode}&sslrootcert={root}"
            url = real.url(database, parameters).replace(f":{real.port}/", f":{front.port}/")
            if mode == "verify-ca":
                async with running(url):
                    pass
            else:
                assert "certificate verify failed" in await _refused(url)
