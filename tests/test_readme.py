"""What the README shows is what happens."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from chatkit_server.app import create_app
from chatkit_server.settings.load import load
from tests.client import Chat
from tests.documents import README, ROOT, Fence, fences

MakeClient = Callable[..., Awaitable[TestClient[web.Request, web.Application]]]
Start = Callable[[str], Awaitable[Chat]]

TEXT = README.read_text("utf-8")
QUESTION = "add buy milk to my list"


def of_readme(*languages: str) -> Iterator[Fence]:
    return (fence for fence in fences(*languages) if fence.document == README)


def plugin() -> Fence:
    """Return the plugin that the README shows."""
    [shown] = [f for f in of_readme("python") if (f.file or "").startswith("my_plugins/")]
    return shown


def shown_data() -> list[str]:
    """Return the `data:` lines that the README shows."""
    return re.findall(r"^data: (.*)$", TEXT, re.MULTILINE)


def without_ids(text: str) -> str:
    return re.sub(r"_[0-9a-f]{32}", "_", text)


@pytest.fixture
def start(tmp_path: Path, aiohttp_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Start a server with this text as its settings, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    async def start(settings: str) -> Chat:
        file = tmp_path / "settings.yaml"
        file.write_text(settings, "utf-8")
        return Chat(await aiohttp_client(create_app(load(file, {}))))

    return start


async def data_of(chat: Chat) -> list[str]:
    response = await chat.post({"messages": [{"role": "user", "content": QUESTION}]})
    return re.findall(r"^data: (.*)$", await response.text(), re.MULTILINE)


def test_the_recorded_session_has_each_event_once() -> None:
    assert "](docs/session.svg)" in TEXT
    picture = ElementTree.parse(ROOT / "docs" / "session.svg")
    lines = [element.text or "" for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert any(QUESTION in line for line in lines)
    numbers = [int(line.rpartition(":")[2]) for line in lines if line.startswith("id: ")]
    assert numbers == list(range(1, len(shown_data()) + 1))
    assert lines[-1] == ": end"


@pytest.mark.parametrize("mark", ["run", "tests"])
def test_each_command_is_one_line(mark: str) -> None:
    block = re.search(rf"<!-- {mark} -->\n```sh\n(.*?)```", TEXT, re.DOTALL)
    assert block is not None
    [command] = block[1].splitlines()
    assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")
    assert "-c constraints.txt" in command
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = re.findall(r"\.\[(\w+)\]", command)
    assert set(extras) <= set(project["optional-dependencies"])
    program = command.rpartition(".venv/bin/")[2].split()[0]
    assert program == "pytest" or program in project["scripts"]


async def test_the_first_answer_is_what_the_readme_shows(start: Start) -> None:
    assert f'"content": "{QUESTION}"' in TEXT
    chat = await start((ROOT / "settings.yaml").read_text("utf-8"))
    answer = await data_of(chat)
    assert [without_ids(line) for line in answer] == [without_ids(line) for line in shown_data()]


async def test_the_plugin_changes_the_answer(start: Start, tmp_path: Path) -> None:
    assert len(plugin().text.splitlines()) <= 20
    settings = next(fence.text for fence in of_readme("yaml") if "hide_words:" in fence.text)
    before = await data_of(await start((ROOT / "settings.yaml").read_text("utf-8")))
    file = tmp_path / str(plugin().file)
    file.parent.mkdir()
    file.write_text(plugin().text, "utf-8")
    after = await data_of(await start(settings))
    assert "Added task 1: buy milk" in "".join(before)
    assert "Added task 2: buy ••••" in "".join(after)
    assert "`Added task 2: buy ••••`" in TEXT


async def test_what_readyz_answers_is_what_the_readme_shows(start: Start) -> None:
    chat = await start((ROOT / "settings.yaml").read_text("utf-8"))
    answer = await chat.client.get("/readyz")
    assert answer.status == 200
    assert f"\n{await answer.text()}\n" in TEXT


def test_pages_call_the_address_that_the_server_has() -> None:
    settings = load(ROOT / "settings.yaml", {})
    address = f"http://localhost:{settings.server.port}{settings.server.path}"
    fences = [fence.text for fence in of_readme("tsx", "html", "ts")]
    pages = [text for text in fences if "domainKey" in text]
    assert len(pages) == 3
    assert all(f'url: "{address}"' in page for page in pages)
    assert f'src="http://localhost:{settings.server.port}/open-chatkit.js?register=' in TEXT
    assert f"`{settings.server.cors_origins[0]}`" in TEXT
