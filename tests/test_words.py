"""The server's own words: what they are as strings, and what they are in other languages."""

from __future__ import annotations

import copy
import json
import pickle
import sqlite3
from pathlib import Path

import orjson
import pytest
from babel.messages import Catalog
from babel.messages.mofile import read_mo
from chatkit.types import ProgressUpdateEvent

from chatkit_server import ServerError, words, words_n
from chatkit_server.languages import Languages, accepted, own_languages
from chatkit_server.words import Words, placeholders
from tests import catalogs

KLINGON = {
    "Hello {name}.": "nuqneH {name}.",
    "It is {what}.": "{what} 'oH.",
    "red": "Doq",
    "Bad {name}.": "{nom} qab.",
    "Worse {name}.": "{name} qab {",
    "Extra {name}.": "{name} {name.__class__}",
    "No name {name}.": "pong Hutlh.",
    "Same.": "Same.",
}
PLURALS = {
    ("{n} file", "{n} files"): ("wa' teywI'", "{n} teywI'mey"),
    ("{n} day", "{n} days"): ("", ""),
}


@pytest.fixture
def languages(tmp_path: Path) -> Languages:
    """Klingon beside the server's own."""
    catalog = Catalog("en")
    for text, translation in KLINGON.items():
        catalog.add(text, translation)
    for texts, forms in PLURALS.items():
        catalog.add(texts, forms)
    file = tmp_path / "tlh" / "LC_MESSAGES" / "test.mo"
    file.parent.mkdir(parents=True)
    file.write_bytes(catalogs.compiled(catalog))
    return Languages([tmp_path])


def test_words_are_their_english_text() -> None:
    text = words("{n} of {name}: {{}}", n=3, name=words("red"))
    assert text == "3 of red: {}"
    assert hash(text) == hash("3 of red: {}")
    assert type(str(text)) is type(f"{text}") is type(text + "!") is str
    assert json.loads(json.dumps([text])) == orjson.loads(orjson.dumps([text])) == [text]
    assert sqlite3.connect(":memory:").execute("select ?", [text]).fetchone() == (text,)


@pytest.mark.parametrize("copied", [lambda t: pickle.loads(pickle.dumps(t)), copy.deepcopy])
def test_copies_can_be_translated(copied: object, languages: Languages) -> None:
    assert callable(copied)
    for text in (
        words("Hello {name}.", name=words("red")),
        words_n("{n} file", "{n} files", 2, n=2),
    ):
        assert copied(text) == text
        assert languages.say(copied(text), ["tlh"]) == languages.say(text, ["tlh"]) != text


def test_errors_keep_words_and_pydantic_keeps_their_text() -> None:
    text = words("Hello {name}.", name="Ann")
    assert isinstance(ServerError(text).message, Words)
    assert ProgressUpdateEvent(text=text).text == text


def test_values_hold_nothing_alive_and_are_valid_text() -> None:
    error = ValueError("\ud83d\0")
    text = words("{error}", error=error)
    assert text.values == {"error": "\ufffd\ufffd"}
    assert orjson.dumps(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (words("Hello {name}.", name="{x}"), "nuqneH {x}."),
        (words("It is {what}.", what=words("red")), "Doq 'oH."),
        (words("It is {what}.", what="red"), "red 'oH."),
        (words("It is {what}.", what=words("blue")), "blue 'oH."),
        (words_n("{n} file", "{n} files", 1, n=1), "wa' teywI'"),
        (words_n("{n} file", "{n} files", 2, n=2), "2 teywI'mey"),
        (words("Same."), "Same."),
        (Words.stored("red"), "Doq"),
        # What has no translation, or none of use
        (words("Unknown {name}.", name="Ann"), "Unknown Ann."),
        (words_n("{n} day", "{n} days", 2, n=2), "2 days"),
        (words("Bad {name}.", name="Ann"), "Bad Ann."),
        (words("Worse {name}.", name="Ann"), "Worse Ann."),
        (words("Extra {name}.", name="Ann"), "Extra Ann."),
        (words("No name {name}.", name="Ann"), "No name Ann."),
        (words(""), ""),
        (Words.stored("{"), "{"),
        # What others wrote
        ("red", "red"),
        ("Hello {name}.", "Hello {name}."),
    ],
)
def test_words_in_another_language(text: str, said: str, languages: Languages) -> None:
    found = languages.say(text, ["tlh"])
    assert found == said
    assert type(found) is str


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", ()),
        ("de", ("de",)),
        ("de-AT", ("de-AT",)),
        ("fr, de;q=0.8, en;q=0.5", ("fr", "de", "en")),
        ("en;q=0.5, de;q=0.8,fr", ("fr", "de", "en")),
        ("de;q=0.8, en;q=0.8", ("de", "en")),
        ("de;q=0, en", ("en",)),
        ("*", ("*",)),
        ("fr, *;q=0.1", ("fr", "*")),
        (" de ; q = 0.9 , en", ("en", "de")),
        (";;q=,,=;q=1,🙂,de", ("de",)),
        ("\x00\ud83d", ()),
        ("," * 10_000 + "de", ()),
    ],
)
def test_accepted_languages(header: str, found: tuple[str, ...]) -> None:
    assert accepted(header) == found


@pytest.mark.parametrize(
    ("wanted", "default", "language"),
    [
        ("de", "en", "de"),
        ("de-AT", "en", "de"),
        ("DE-at-1996", "en", "de"),
        ("fr, de;q=0.8, en;q=0.5", "en", "de"),
        ("fr, en;q=0.8, de;q=0.5", "en", "en"),
        ("en-GB, de", "en", "en"),
        ("en-GB, de", "de", "en"),
        ("fr", "en", "en"),
        ("fr", "de", "de"),
        ("", "de", "de"),
        ("fr, *, en;q=0.1", "de", "de"),
        ("*, en;q=0.1", "de", "de"),
        ("den", "en", "en"),
        ("tlh, de", "en", "de"),
    ],
)
def test_the_best_language_that_is_there(wanted: str, default: str, language: str) -> None:
    said = {"en": "The answer was stopped.", "de": "Die Antwort wurde angehalten."}
    languages = Languages(default=default)
    assert languages.say(words(said["en"]), accepted(wanted)) == said[language]
    assert languages.say(said, accepted(wanted)) == said[language]


def test_a_plugin_may_change_the_servers_words(tmp_path: Path) -> None:
    catalog = Catalog("de")
    catalog.add("The answer was stopped.", "Gestoppt.")
    file = tmp_path / "de" / "LC_MESSAGES" / "ours.mo"
    file.parent.mkdir(parents=True)
    file.write_bytes(catalogs.compiled(catalog))
    languages = Languages([tmp_path])
    assert languages.say(words("The answer was stopped."), ["de"]) == "Gestoppt."
    assert languages.say(words("Not found."), ["de"]) == "Nicht gefunden."


def by_text(catalog: Catalog) -> dict[tuple[str, ...], tuple[str, ...]]:
    return {catalogs.texts_of(m): catalogs.forms(m) for m in catalogs.messages(catalog)}


@pytest.mark.parametrize("language", catalogs.languages())
def test_a_catalog_has_all_words_of_the_code(language: str) -> None:
    """If this fails, run `python -m tests.catalogs` and translate what it reports."""
    catalog = catalogs.read(language)
    translated = by_text(catalog)
    wanted = by_text(catalogs.in_code())
    assert wanted.keys() - translated.keys() == set(), "not in the catalog"
    assert translated.keys() - wanted.keys() == set(), "not in the code any more"
    for texts, forms in translated.items():
        assert all(forms), f"not translated: {texts}"
        found = [placeholders(form) for form in forms]
        assert set().union(*found) == set().union(*map(placeholders, texts)), texts
    with catalogs.po_of(language).with_suffix(".mo").open("rb") as file:
        assert by_text(read_mo(file)) == translated, "the .mo is older than the .po"


def test_every_language_but_english_is_complete() -> None:
    assert own_languages().known == {"en", *catalogs.languages()}
