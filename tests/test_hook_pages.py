"""Every hook has a page, and what the page shows runs."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatkit_server.plugin.checks import specs
from chatkit_server.testing import MakeClient, ModelServer
from tests.documents import ROOT, Fence, fences

FOLDER = ROOT / "docs" / "plugins" / "hooks"
PAGES = sorted(file for file in FOLDER.glob("*.md") if file.name != "README.md")
ROWS = ["called", "gets", "returns", "an error", "limit", "may be skipped"]


def shown(page: Path) -> list[Fence]:
    return [fence for fence in fences("python") if fence.document == page]


def test_every_hook_has_a_page() -> None:
    assert sorted(page.stem for page in PAGES) == sorted(specs())


def signature(function: ast.stmt) -> str:
    """Return how a function is declared."""
    assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    function.body = [ast.Pass()]
    function.decorator_list = []
    return ast.unparse(function)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_says_how_its_hook_is_called(page: Path) -> None:
    [written] = ast.parse(shown(page)[0].text).body
    assert signature(written) == signature(ast.parse(inspect.getsource(specs()[page.stem])).body[0])
    rows = re.findall(r"^\| (\w[\w ]*) \| .+ \|$", page.read_text("utf-8"), re.MULTILINE)
    assert rows == ROWS


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of an author's own, which is the working directory."""
    (tmp_path / "my_plugins").mkdir()
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("chatkit_plugin_file"):
            del sys.modules[name]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
async def test_what_a_page_shows_runs(
    page: Path,
    project: Path,
    chatkit_client: MakeClient,
    model_server: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    _, *files, test = shown(page)
    assert re.search(rf"@hookimpl\n *(async )?def {page.stem}\(", files[0].text)
    for one in files:
        assert one.file is not None
        (project / one.file).parent.mkdir(exist_ok=True)
        (project / one.file).write_text(one.text, "utf-8")
    assert test.file == f"tests/test_{files[0].plugin}.py"
    given = {
        "chatkit_client": chatkit_client,
        "model_server": model_server,
        "tmp_path": project,
        "monkeypatch": monkeypatch,
        "capsys": capsys,
        "caplog": caplog,
    }
    names: dict[str, Any] = {}
    exec(compile("\n" * test.line + test.text, str(page), "exec"), names)
    tests = [names[name] for name in names if name.startswith("test_")]
    assert tests
    for one in tests:
        done = one(**{name: given[name] for name in inspect.signature(one).parameters})
        if inspect.isawaitable(done):
            await done
