"""The broken deployments of `docs/checks.md`, and the servers that they meet."""

from __future__ import annotations

import asyncio
import re
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from tests.databases import new_url, postgres

DOC = Path(__file__).parent.parent / "docs" / "checks.md"
FOLDER = "/srv/chat"
MODELS = "127.0.0.1:9000"
POSTGRES = "postgresql://postgres:secret@127.0.0.1:5432/chat"

READER = "postgresql://reader:a-password@127.0.0.1:5432/chat"

_COMMAND = re.compile(r"`chatkit-server (check(?: --online)?)`, exit status (\d):")
_BLOCK = re.compile(
    r"(?:`(?P<file>[\w/]+\.py)`:\n\n)?```(?P<kind>\w+)[^\n]*\n(?P<text>.*?)```", re.DOTALL
)


@dataclass
class Deployment:
    """What `docs/checks.md` says of one."""

    settings: str
    command: list[str]
    status: int
    says: list[str]
    files: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)


def _deployment(text: str) -> Deployment:
    blocks = list(_BLOCK.finditer(text))
    command = _COMMAND.search(text)
    assert command is not None, text
    return Deployment(
        settings=next(block["text"] for block in blocks if block["kind"] == "yaml"),
        command=command[1].split(),
        status=int(command[2]),
        says=next(block["text"] for block in blocks if block["kind"] == "text").splitlines(),
        files={block["file"]: block["text"] for block in blocks if block["file"]},
        variables=dict(re.findall(r"variable `(\w+)=(\w+)`", text)),
    )


def _deployments() -> dict[str, Deployment]:
    _, text = DOC.read_text(encoding="utf-8").split("\n## Broken deployments\n")
    _, *sections = text.split("\n### ")
    split = (section.partition("\n") for section in sections)
    return {title: _deployment(rest) for title, _, rest in split}


DEPLOYMENTS = _deployments()


# What they meet

PUBLIC_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "kid": "1",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}
"""That of RFC 7517."""

_ERRORS = {
    "401": (401, "Incorrect API key provided: sk-12345678", "invalid_api_key"),
    "404": (404, "The model `large` does not exist", "model_not_found"),
    "429": (429, "Rate limit reached for requests", None),
    "quota": (429, "You exceeded your current quota", "insufficient_quota"),
}


async def answer(request: web.Request) -> web.StreamResponse:
    """Answer as a server that is broken in the way that the path names."""
    kind = request.match_info["kind"]
    if kind in _ERRORS:
        status, message, code = _ERRORS[kind]
        error = {"error": {"message": message, "code": code}}
        # A client that retried would wait for so many seconds
        return web.json_response(error, status=status, headers={"Retry-After": "20"})
    if kind == "page":
        return web.Response(text="<html>Welcome</html>", content_type="text/html")
    if kind == "hangs":
        await asyncio.sleep(60)
    if kind == "keys":
        return web.json_response({"keys": [PUBLIC_KEY]})
    date = {"Date": "Tue, 01 Jan 2030 00:00:00 GMT"} if kind == "late" else {}
    return web.json_response({"keys": []}, headers=date)


@contextmanager
def broken_server() -> Iterator[str]:
    """The host and port of a server that is broken in all ways, in a thread of its own."""
    loop = asyncio.new_event_loop()
    app = web.Application()
    app.router.add_route("*", "/{kind}{rest:.*}", answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)

    async def start() -> int:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return int(runner.addresses[0][1])

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{asyncio.run_coroutine_threadsafe(start(), loop).result(10)}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


_CHANGES = {
    "was made by a newer version": (
        "INSERT INTO tortoise_migrations (app, name, applied_at) "
        "VALUES ('tortoise_store', '0099_future', '2030-01-01')"
    ),
    "A table is missing": "DROP TABLE chatkit_item",
}
"""What has happened to a SQLite file."""


def _changed(folder: Path, change: str) -> None:
    new_url("sqlite", folder)
    connection = sqlite3.connect(folder / "chatkit.db")
    with connection:
        connection.execute(change)
    connection.close()


def _for_reader(url: str) -> str:
    postgres().psql("DROP ROLE IF EXISTS reader")
    postgres().psql("CREATE ROLE reader LOGIN PASSWORD 'a-password'")
    return f"postgresql://reader:a-password@{url.rpartition('@')[2]}"


def _read_only() -> str:
    url = postgres().empty_url()
    name = url.rpartition("/")[2]
    postgres().psql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    return url


_LONG_LISTS = {
    "Known: anonymous_auth": r"\. Plugin",
    r"\(tortoise_store.0001_initial": r"\)",
    "Known here: cors_credentials": r"\n",
}
"""How lists begin that grow with the server, with what comes after them."""


@dataclass
class Place:
    """Where deployments are laid out, and what stands for the addresses in the docs."""

    folder: Path
    broken: str
    busy: int

    def lay_out(self, title: str, deployment: Deployment) -> Path:
        """Write the files of a deployment, and return that of its settings."""
        for name, text in {**deployment.files, "notes.txt": "Remember the milk\n"}.items():
            file = self.folder / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        for told, change in _CHANGES.items():
            if told in title:
                _changed(self.folder, change)
        text = deployment.settings.replace(FOLDER, str(self.folder)).replace(MODELS, self.broken)
        text = text.replace("port: 8000}", f"port: {self.busy}}}")
        if "127.0.0.1:5432" in text:
            url = self._database(title)
            text = text.replace(READER, _for_reader(url) if READER in text else "")
            text = text.replace(POSTGRES, url)
            text = text.replace(POSTGRES.replace("secret", "guess"), url.replace("a%3A", "b%3A"))
        file = self.folder / "settings.yaml"
        file.write_text(text)
        return file

    def _database(self, title: str) -> str:
        if "read-only" in title:
            return _read_only()
        return new_url("postgresql", self.folder) if "pool" in title else postgres().empty_url()

    def told(self, text: str) -> list[str]:
        """Return what was said, as the docs have it."""
        text = text.replace(str(self.folder), FOLDER).replace(self.broken, MODELS)
        text = text.replace(f"port {self.busy} ", "port 8000 ")
        text = re.sub(r"127\.0\.0\.1:\d+/test_\d+_\d+", "127.0.0.1:5432/chat", text)
        text = re.sub(r"test_\d+_\d+", "chat", text)
        text = re.sub(r"\d{6,} s (ahead of|behind)", r"3600 s \1", text)
        # Lists that grow with the server
        for first, end in (
            ("anonymous_auth", r"\. Plugin"),
            ("tortoise_store.0001_initial", r"\)"),
        ):
            text = re.sub(rf"({first}), [^)\n]*?(?={end})", r"\1, …", text)
        text = re.sub(r"(cors_credentials), .*", r"\1, …", text)
        text = text.replace("within 0.1 s", "within 9 s").replace("within 0.4 s", "within 10 s")
        text = re.sub(r"\d+ migrations are", "5 migrations are", text)
        return re.sub(r" \(_ssl\.c:\d+\)", "", text).splitlines()


@contextmanager
def busy_port() -> Iterator[int]:
    """Listen on a port, and answer nothing."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        yield int(busy.getsockname()[1])
