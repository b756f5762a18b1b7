"""Read the documents: code blocks, tables, links and commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCUMENTS = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_VARIABLE = re.compile(r"\$\{(\w+)")
_COMMAND = re.compile(r"(?:^|[\s/])chatkit-server ([a-z]+\b[^#`\n]*)", re.MULTILINE)

_FAKE = {"DATABASE_URL": "postgresql://user:password@localhost/database", "CLAMAV_PORT": "3310"}


@dataclass(frozen=True)
class Fence:
    """A block of code, and where it stands."""

    document: Path
    line: int
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that it is to be, if its first line says so: `# my_plugins/name.py`."""
        named = re.match(r"# (\S+\.(?:py|yaml))\n", self.text)
        return named[1] if named else None

    @property
    def plugin(self) -> str | None:
        """The name of the plugin whose module, or package, it is to be."""
        named = re.fullmatch(r"my_plugins/(\w+)(?:\.py|/__init__\.py)", self.file or "")
        return named[1] if named else None

    @property
    def environ(self) -> dict[str, str]:
        """A value for each variable that it uses."""
        return {name: _fake(name) for name in _VARIABLE.findall(self.text)}

    def __str__(self) -> str:
        return f"{self.document.name}:{self.line}"


def _fake(variable: str) -> str:
    kinds = {"URL": "http://localhost/path", "PORT": "3310"}
    plain = kinds.get(variable.rpartition("_")[2], "x" * 64)
    return _FAKE.get(variable, plain)


def fences(*languages: str) -> list[Fence]:
    """Return the blocks in these languages, of all documents."""
    return [
        Fence(document, text.count("\n", 0, match.start()) + 1, match[2], match[3])
        for document in DOCUMENTS
        for text in [document.read_text("utf-8")]
        for match in _FENCE.finditer(text)
        if match[2] in languages
    ]


def commands(text: str) -> list[list[str]]:
    """Return the arguments of each `chatkit-server COMMAND` in a block of code."""
    return [arguments.split() for arguments in _COMMAND.findall(text)]


def write_plugins(folder: Path) -> list[str]:
    """Write the plugins that the documents show into a folder of plugins; return their names."""
    folder.mkdir()
    shown = {fence.file: fence for fence in fences("python") if fence.file}
    for file, fence in shown.items():
        if file.startswith("my_plugins/"):
            to = folder / file.removeprefix("my_plugins/")
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_text(fence.text, "utf-8")
    return [fence.plugin for fence in shown.values() if fence.plugin]


def write_app(folder: Path) -> None:
    """Write the app that the documents show as one to be moved, whose chat echoes."""
    package = folder / "app"
    package.mkdir()
    [shown] = [fence for fence in fences("python") if fence.file == "app/main.py"]
    (package / "main.py").write_text(shown.text, "utf-8")
    (package / "server.py").write_text(_ECHO, "utf-8")


_ECHO = """
from chatkit_server.testing.memory_store import MemoryStore as Memory
from tests.plugins.test_chatkit_sdk import Backend as ShopServer


def MemoryStore():
    return Memory(owner=lambda context: "")
"""


def section(document: str, heading: str) -> str:
    """Return what stands under a heading of a document in `docs`, up to the next of its level."""
    text = (ROOT / "docs" / document).read_text("utf-8")
    level = heading.partition(" ")[0]
    after = text.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"^#{{1,{len(level)}}} ", after, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of each row of the tables in a text, headings left out."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        heading = number + 1 < len(lines) and lines[number + 1].startswith("|---")
        if line.startswith("| ") and not heading:
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def links(document: Path) -> list[str]:
    """Return where a document's links go, those to other sites left out."""
    return [to for to in _LINK.findall(document.read_text("utf-8")) if "://" not in to]


def anchors(document: Path) -> list[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = _HEADING.findall(document.read_text("utf-8"))
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
