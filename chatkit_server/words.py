"""Text for users: English, and it knows what it was made of, so that it can be translated.

`words("The file has {size} bytes.", size=10)` is a `str`, `The file has 10 bytes.`, wherever it
goes: into an exception, a log line, a database. Where a user reads it, `Languages.say` makes it
German, if the user prefers that.

Only what users read is made so: why a request was refused or a turn failed, and what the server
writes into a conversation. These stay plain English strings:

- what developers read: errors in settings, 400s that name a field of JSON, output of commands;
- what operators read: log lines and health checks;
- what models read: tool errors and notes in the history.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any, Self

from .text import valid_text

Lookup = Callable[["Words"], str | None]
"""Returns the template in another language, None if it is not translated."""


class Words(str):
    """English text with its template and values. Make it with `words` or `words_n`.

    Whatever changes or combines it makes a plain `str` of it, and so does pydantic: put it into
    other texts as a value. `plural` is the template for other counts than one.
    """

    __slots__ = ("number", "plural", "template", "values")

    template: str
    plural: str | None
    number: int
    values: Mapping[str, Any] | None
    """None for text that is not formatted."""

    def __new__(
        cls,
        template: str,
        values: Mapping[str, object] | None,
        plural: str | None = None,
        number: int = 1,
    ) -> Self:
        chosen = template if plural is None or number == 1 else plural
        if values is not None:
            values = {name: _safe(value) for name, value in values.items()}
            chosen = chosen.format_map(values)
        self = super().__new__(cls, chosen)
        self.template, self.plural, self.number, self.values = template, plural, number, values
        return self

    @classmethod
    def stored(cls, text: str) -> Self:
        """Return text that was `words` before a database had it.

        It is translated if it had no values.
        """
        return cls(text, None)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.template, self.values, self.plural, self.number)

    def said(self, lookup: Lookup) -> str | None:
        """Return the text in another language, None if that has no translation of use.

        A translation has to have the placeholders of the template. One of a plural may leave some
        out: "a file" needs no number.
        """
        found = lookup(self)
        if found is None or self.values is None:
            return found
        told = {
            name: (value.said(lookup) or value) if isinstance(value, Words) else value
            for name, value in self.values.items()
        }
        try:
            return found.format_map(told) if self._fits(found) else None
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            return None

    def _fits(self, translation: str) -> bool:
        known = placeholders(self.template)
        if self.plural is None:
            return placeholders(translation) == known
        return placeholders(translation) <= known | placeholders(self.plural)


def words(template: str, /, **values: object) -> Words:
    """Return text for users: `words("{name} is closed.", name=thread.title)`.

    The template is English, and a literal, so that it can be found for translation. Values are
    texts, which may be `words` too, and numbers.
    """
    return Words(template, values)


def words_n(one: str, more: str, number: int, /, **values: object) -> Words:
    """Return text that depends on a number: `words_n("{n} file", "{n} files", size, n=size)`."""
    return Words(one, values, more, number)


def placeholders(template: str) -> set[str]:
    """Return the names in braces. Raises `ValueError` for text that is no template."""
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def _safe(value: object) -> Any:
    """Return a value that holds nothing alive, and that JSON can be written with."""
    if isinstance(value, Words | int | float):
        return value
    return valid_text(str(value))
