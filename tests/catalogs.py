"""The catalogs of the server's words. `python -m tests.catalogs` brings them up to date.

It finds every `words(...)` in the server and in the bundled plugins, adds what is new to each
`locale/<language>/LC_MESSAGES/chatkit_server.po`, removes what is not used any more, and compiles
the `.mo`. Translate what it reports in the `.po`, and run it again. `python -m tests.catalogs fr`
begins a language.
"""

from __future__ import annotations

import ast
import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
LOCALE = ROOT / "chatkit_server" / "locale"
SOURCES = (ROOT / "chatkit_server", ROOT / "plugins")
TEXTS = {"words": 1, "words_n": 2}
"""The functions, and how many texts they take first."""

_HEADER = """\
msgid ""
msgstr ""
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plurals}\\n"

"""


def calls(source: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line and the texts of each call in a file. Raises `ValueError` for other texts."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id not in TEXTS:
            continue
        given = node.args[: TEXTS[node.func.id]]
        texts = [arg.value for arg in given if isinstance(arg, ast.Constant)]
        if len(texts) < TEXTS[node.func.id]:
            raise ValueError(f"line {node.lineno}: the texts of {node.func.id} must be literals")
        yield node.lineno, [str(text) for text in texts]


def in_code() -> Catalog:
    """Return all words of the code, in the order of its files."""
    catalog = Catalog()
    for folder in SOURCES:
        for file in sorted(folder.rglob("*.py")):
            if "testing" in file.relative_to(ROOT).parts:
                continue  # no user reads what it says
            # Without lines, which any other change of a file would change
            place = [(str(file.relative_to(ROOT)), 0)]
            for _, texts in sorted(calls(file.read_text())):
                catalog.add(texts[0] if len(texts) == 1 else tuple(texts), locations=place)
    return catalog


def languages() -> list[str]:
    """Return the languages that have a catalog."""
    return sorted(folder.name for folder in LOCALE.iterdir() if po_of(folder.name).exists())


def po_of(language: str) -> Path:
    """Return the file of a language that translators edit."""
    return LOCALE / language / "LC_MESSAGES" / "chatkit_server.po"


def read(language: str) -> Catalog:
    """Return what a language has."""
    with po_of(language).open("rb") as file:
        return read_po(file, locale=language)


def messages(catalog: Catalog) -> list[Message]:
    """Return the messages, without the catalog's own header."""
    return [message for message in catalog if message.id]


def texts_of(message: Message) -> tuple[str, ...]:
    """Return the English text of a message, or its singular and plural."""
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def forms(message: Message) -> tuple[str, ...]:
    """Return the translation of a message: one text, or one for each form of the plural."""
    given = message.string
    return tuple(map(str, given)) if isinstance(given, list | tuple) else (given or "",)


def compiled(catalog: Catalog) -> bytes:
    """Return the `.mo` of a catalog."""
    # The same catalog makes the same file
    catalog.creation_date = datetime.fromtimestamp(0, UTC)
    file = io.BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def _written(language: str, catalog: Catalog) -> bytes:
    file = io.BytesIO()
    write_po(file, catalog, width=100, omit_header=True, include_lineno=False)
    header = _HEADER.format(language=language, plurals=catalog.plural_forms)
    return header.encode() + file.getvalue().rstrip() + b"\n"


def update(*new: str) -> Iterator[str]:
    """Bring the files up to date, and begin new languages; yield what is not translated."""
    found = in_code()
    for language in {*languages(), *new}:
        file = po_of(language)
        file.parent.mkdir(parents=True, exist_ok=True)
        catalog = read(language) if file.exists() else Catalog(language)
        catalog.update(found, no_fuzzy_matching=True)
        catalog.obsolete.clear()
        file.write_bytes(_written(language, catalog))
        file.with_suffix(".mo").write_bytes(compiled(catalog))
        for message in messages(catalog):
            if not all(forms(message)):
                yield f"{file.relative_to(ROOT)}: not translated: {texts_of(message)[0]}"


if __name__ == "__main__":
    for line in update(*sys.argv[1:]):
        print(line)
