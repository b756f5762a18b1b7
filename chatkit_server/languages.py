"""Which language a user reads, and the catalogs with the server's words in it.

A catalog is `<folder>/<language>/LC_MESSAGES/<domain>.mo`, as gettext has it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache, lru_cache, partial
from gettext import GNUTranslations
from pathlib import Path

from multidict import MultiMapping

from .errors import SettingsError
from .words import Words

OWN = Path(__file__).with_name("locale")
"""The folder of the server's own catalogs."""

SOURCE = "en"
"""The language of the texts in the code."""

ANY = "*"

_MOST = 1000
"""Characters of `Accept-Language` that are read."""

_LANGUAGE = re.compile(
    r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?))?"
)


@lru_cache(256)
def accepted(header: str) -> tuple[str, ...]:
    """Return the languages in `Accept-Language`, the preferred one first; `*` stands for any.

    What cannot be read is left out.
    """
    found = [match for each in header[:_MOST].split(",") if (match := _LANGUAGE.match(each))]
    weighed = [(float(match[2] or 1), match[1]) for match in found]
    return tuple(tag for weight, tag in sorted(weighed, key=lambda w: -w[0]) if weight)


def wanted(headers: MultiMapping[str]) -> tuple[str, ...]:
    """Return the languages that a request asks for, the preferred one first."""
    return accepted(",".join(headers.getall("Accept-Language", ())))


def preferred(headers: MultiMapping[str]) -> str | None:
    """Return the language that a request asks for first, None for any."""
    return next((tag for tag in wanted(headers) if tag != ANY), None)


def fitting(tag: str, known: Collection[str]) -> Iterator[str]:
    """Yield those of the known languages that who wants this one can read, the best first.

    For `de-AT` that is `de-AT`, `de`, and then the German of other countries.
    """
    by_tag = {_tag(language): language for language in known}
    parts = _tag(tag).split("-")
    tags = ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]
    elsewhere = [each for each in by_tag if each.split("-")[0] == parts[0] and each not in tags]
    # `zh-Hant-TW` is nearer to `zh-TW` than to `zh-CN`
    elsewhere.sort(key=lambda each: -len({*each.split("-")} & {*parts}))
    yield from (by_tag[each] for each in (*tags, *elsewhere) if each in by_tag)


def _tag(language: str) -> str:
    return language.strip().lower().replace("_", "-")


class Languages:
    """The catalogs of an application: those in its plugins' folders, then the server's own.

    `default` is the language of users who ask for none that is known.
    """

    def __init__(self, folders: Iterable[Path] = (), default: str = SOURCE) -> None:
        self.default = default
        self._catalogs: dict[str, GNUTranslations] = {}
        for folder in dict.fromkeys((*folders, OWN)):
            for file in sorted(folder.glob("*/LC_MESSAGES/*.mo")):
                catalog = _read(file)
                first = self._catalogs.setdefault(file.parts[-3], catalog)
                if first is not catalog:
                    first.add_fallback(catalog)

    @property
    def known(self) -> set[str]:
        """The languages with a catalog, and that of the code."""
        return {SOURCE, *self._catalogs}

    def can_say(self, tag: str) -> bool:
        """Whether there are words in this language."""
        return any(fitting(tag, self.known))

    def every(self, text: Words) -> set[str]:
        """Return text in all languages that it is in."""
        return {self.say(text, [language]) for language in self.known}

    def say(self, text: str | Mapping[str, str], tags: Iterable[str]) -> str:
        """Return text in the first of these languages that it is in; text by language too.

        Of strings, only `words` are translated: others are written for their readers already.
        """
        if not isinstance(text, Words | Mapping):
            return text
        known = self.known if isinstance(text, Words) else text
        for tag in (*tags, ANY, SOURCE):
            for language in fitting(self.default if tag == ANY else tag, known):
                said = self._in(language, text) if isinstance(text, Words) else text[language]
                if said is not None:
                    return said
        return str(text) if isinstance(text, Words) else next(iter(text.values()), "")

    def _in(self, language: str, text: Words) -> str | None:
        catalog = self._catalogs.get(language)
        said = None if catalog is None else text.said(partial(_lookup, catalog))
        return str(text) if said is None and language == SOURCE else said


def _read(file: Path) -> GNUTranslations:
    try:
        with file.open("rb") as opened:
            return GNUTranslations(opened)
    except (OSError, ValueError, struct.error) as error:
        raise SettingsError(f"{file}: this is not a catalog of gettext: {error}") from None


def _lookup(catalog: GNUTranslations, text: Words) -> str | None:
    """Return the template of a text as the catalog has it, None if it has none."""
    if not text.template:
        # gettext keeps what it knows of the catalog itself under the empty text
        return None
    if text.plural is None:
        found = catalog.gettext(text.template)
    else:
        found = catalog.ngettext(text.template, text.plural, text.number)
    # What is not translated comes back as it is, and what is half done may be empty
    return None if not found or found is text.template or found is text.plural else found


@cache
def own_languages() -> Languages:
    """Return the languages of a server without plugins."""
    return Languages()
