"""What an MCP server asks the user, as ChatKit's questions; and the answers as MCP wants them.

A server asks with a flat JSON schema, or with an address that the user is to open. All texts are
the server's: they are cut, and each question says who asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from math import isfinite
from typing import Any
from urllib.parse import urlsplit

from chatkit.types import (
    StructuredInput,
    StructuredInputFreeform,
    StructuredInputMultipleChoice,
    StructuredInputMultipleChoiceOption,
)

from ..languages import own_languages
from ..masking import in_one_line
from ..words import Words, words

YES, NO = words("Yes"), words("No")
DONE = words("Done")

Translate = Callable[[str], str]

MOST_FIELDS = 20
MOST_OPTIONS = 50

_MESSAGE = 1000
_LABEL = 200
_TEXT = 500

_SECRETS = re.compile(
    r"passw(or)?d|passphrase|passcode|secret|api.?key|private.?key|access.?token|\bcvv?\b",
    re.IGNORECASE,
)
"""Names of fields for what a form must not ask for, by the specification."""

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_TRUE = {"y", "true", "1"}
_FALSE = {"n", "false", "0"}


class WrongAnswer(ValueError):
    """An answer does not fit the field; the message is for the user."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NoForm(ValueError):
    """What the server asks cannot be shown, or must not be; the message says why."""


@dataclass(frozen=True)
class Field:
    """One field of a form. `choices` are the values by what the user is shown."""

    name: str
    schema: Mapping[str, Any]
    required: bool
    choices: Mapping[str, Any]

    @property
    def label(self) -> str:
        """What the field is called, for the user."""
        return in_one_line(str(self.schema.get("title") or self.name), _LABEL)

    @property
    def multiple(self) -> bool:
        """Whether several of the choices may be taken."""
        return self.schema.get("type") == "array"

    def hint(self, translate: Translate) -> str:
        """Return what else the user is to know of the field."""
        described = self.schema.get("description")
        parts = [in_one_line(described, _TEXT)] if isinstance(described, str) else []
        low, high = self.schema.get("minimum"), self.schema.get("maximum")
        if low is not None and high is not None:
            parts.append(words("From {low} to {high}.", low=low, high=high))
        elif low is not None:
            parts.append(words("At least {low}.", low=low))
        elif high is not None:
            parts.append(words("At most {high}.", high=high))
        if self.schema.get("format") == "date":
            parts.append(words("As 2030-12-31."))
        if (default := self.schema.get("default")) is not None:
            shown = self._shown(default, translate)
            parts.append(words("Without an answer: {default}.", default=shown))
        elif not self.required:
            parts.append(words("You may leave this out."))
        return " ".join(map(translate, parts))

    def _shown(self, value: Any, translate: Translate) -> str:
        values = value if isinstance(value, list) else [value]
        names = {repr(known): translate(shown) for shown, known in self.choices.items()}
        text = ", ".join(str(names.get(repr(one), one)) for one in values)
        return in_one_line(text, _LABEL)

    def value(self, given: Sequence[str]) -> Any:
        """Return the answer as a value of the schema. Raises `WrongAnswer`."""
        if self.choices:
            chosen = [self._choice(text) for text in given]
            return self._counted(chosen) if self.multiple else chosen[0]
        text = "\n".join(given)
        if self.schema.get("type") in ("number", "integer"):
            return self._number(text.strip())
        return self._text(text)

    def _choice(self, text: str) -> Any:
        folded = text.strip().casefold()
        for shown, value in self.choices.items():
            if folded in (shown.casefold(), str(value).casefold()):
                return value
        if self.schema.get("type") == "boolean":
            if folded in _TRUE | _ways_to_say(YES):
                return True
            if folded in _FALSE | _ways_to_say(NO):
                return False
        raise WrongAnswer(words("“{answer}” is none of the choices.", answer=_short(text)))

    def _counted(self, chosen: list[Any]) -> list[Any]:
        fewest, most = self.schema.get("minItems"), self.schema.get("maxItems")
        if isinstance(fewest, int) and len(chosen) < fewest:
            raise WrongAnswer(words("Choose at least {n}.", n=fewest))
        if isinstance(most, int) and len(chosen) > most:
            raise WrongAnswer(words("Choose at most {n}.", n=most))
        return chosen

    def _number(self, text: str) -> float | int:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not isfinite(number):
            raise WrongAnswer(words("“{answer}” is not a number.", answer=_short(text)))
        if self.schema["type"] == "integer":
            if not number.is_integer():
                raise WrongAnswer(words("“{answer}” is not a whole number.", answer=_short(text)))
            number = int(number)
        low, high = self.schema.get("minimum"), self.schema.get("maximum")
        if low is not None and number < low:
            raise WrongAnswer(words("The number must be at least {low}.", low=low))
        if high is not None and number > high:
            raise WrongAnswer(words("The number must be at most {high}.", high=high))
        return number

    def _text(self, text: str) -> str:
        fewest, most = self.schema.get("minLength"), self.schema.get("maxLength")
        if isinstance(fewest, int) and len(text) < fewest:
            raise WrongAnswer(words("The answer must have at least {n} characters.", n=fewest))
        if isinstance(most, int) and len(text) > most:
            raise WrongAnswer(words("The answer must have at most {n} characters.", n=most))
        wanted = self.schema.get("format")
        if wanted in _FORMATS and not _FORMATS[wanted][0](text.strip()):
            raise WrongAnswer(_FORMATS[wanted][1](_short(text)))
        return text.strip() if wanted in _FORMATS else text


def _short(text: str) -> str:
    return in_one_line(text, 40)


@cache
def _ways_to_say(text: Words) -> set[str]:
    """Return how a choice may have been shown: who answers may ask in another language since."""
    return {said.casefold() for said in own_languages().every(text)}


def _is_iso(kind: type[date], text: str) -> bool:
    try:
        kind.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path))


_FORMATS: Mapping[Any, Any] = {
    "email": (
        _EMAIL.fullmatch,
        lambda text: words("“{answer}” is not an e-mail address.", answer=text),
    ),
    "uri": (_is_url, lambda text: words("“{answer}” is not an address.", answer=text)),
    "date": (
        lambda text: _is_iso(date, text),
        lambda text: words("“{answer}” is not a date such as 2030-12-31.", answer=text),
    ),
    "date-time": (
        lambda text: _is_iso(datetime, text),
        lambda text: words("“{answer}” is not a time such as 2030-12-31T18:30:00Z.", answer=text),
    ),
}


@dataclass(frozen=True)
class Form:
    """What one request of a server asks: a form, or an address that the user is to open."""

    server: str
    message: str
    fields: tuple[Field, ...]
    url: str | None = None

    @classmethod
    def of(cls, server: str, params: Mapping[str, Any]) -> Form:
        """Read the parameters of `elicitation/create`. Raises `NoForm`."""
        message = in_one_line(str(params.get("message") or ""), _MESSAGE)
        if params.get("mode") == "url":
            return cls(server, message, (), _checked_url(params.get("url")))
        schema = params.get("requestedSchema") or {}
        properties = schema.get("properties") if isinstance(schema, dict) else None
        if properties is not None and not isinstance(properties, dict):
            raise NoForm("its form is not as MCP has it")
        if len(properties or {}) > MOST_FIELDS:
            raise NoForm(f"its form has more than {MOST_FIELDS} fields")
        required = schema.get("required") or []
        fields = [
            _field(str(name), one, name in required) for name, one in (properties or {}).items()
        ]
        return cls(server, message, tuple(fields))

    def questions(
        self, number: int, translate: Translate, wrong: Mapping[str, str] | None = None
    ) -> list[tuple[str, StructuredInput]]:
        """Return the questions with the names of their fields.

        With `wrong`, only those that were not answered as the form wants it, by name, and why.
        `number` makes their ids differ from those of other forms.
        """
        head = translate(self._head)
        if self.url is not None:
            host = urlsplit(self.url).hostname
            page = words("Open this page of {host}, and come back: {url}", host=host, url=self.url)
            choices = [translate(DONE), translate(NO)]
            return [("", _choices(f"r{number}", f"{head}\n{translate(page)}", choices))]
        if not self.fields:
            return [("", _choices(f"r{number}", head, [translate(YES), translate(NO)]))]
        asked: list[tuple[str, StructuredInput]] = []
        for place, field in enumerate(self.fields):
            if wrong is not None and field.name not in wrong:
                continue
            lines = [] if asked else [head]
            if wrong is not None:
                lines.append(translate(wrong[field.name]))
            hint = field.hint(translate)
            lines.append(f"{field.label}: {hint}" if field.choices and hint else field.label)
            own_id, text = f"r{number}f{place}", "\n".join(lines)
            if field.choices:
                choices = list(map(translate, field.choices))
                question: StructuredInput = _choices(own_id, text, choices, field.multiple)
            else:
                question = StructuredInputFreeform(
                    id=own_id, question=text, description=hint or None
                )
            asked.append((field.name, question))
        return asked

    @property
    def _head(self) -> str:
        if not self.message:
            return words("{server} asks", server=self.server)
        return words("{server} asks: {message}", server=self.server, message=self.message)

    def read(
        self, answers: Mapping[str, Sequence[str] | None], known: Mapping[str, Any]
    ) -> tuple[dict[str, Any] | None, dict[str, str]]:
        """Return the content for the server, None if the user declines, and what is wrong.

        `answers` are by field, None for a question that was left out. `known` are the values of an
        earlier round, which are part of the content.
        """
        if not self.fields:
            said = (answers.get("") or [NO])[0].strip().casefold()
            agreed = said in _TRUE | _ways_to_say(YES) | _ways_to_say(DONE)
            return ({} if agreed else None), {}
        content, wrong = dict(known), dict[str, str]()
        if not known and not any(answers.values()):
            return None, {}
        for field in self.fields:
            if field.name in known or field.name not in answers:
                continue
            given = answers[field.name]
            if given:
                try:
                    content[field.name] = field.value(given)
                except WrongAnswer as error:
                    wrong[field.name] = error.message
            elif field.schema.get("default") is not None:
                content[field.name] = field.schema["default"]
            elif field.required:
                wrong[field.name] = words("This needs an answer.")
        return content, wrong


def _field(name: str, schema: Any, required: bool) -> Field:
    if not isinstance(schema, dict):
        raise NoForm("its form is not as MCP has it")
    kind = schema.get("type")
    texts = (name, str(schema.get("title") or ""))
    if kind not in ("boolean", "integer", "number") and any(map(_SECRETS.search, texts)):
        raise NoForm(f"it asks for a secret (`{in_one_line(name, 40)}`), which a form must not do")
    values = schema.get("items") if kind == "array" else schema
    choices = {YES: True, NO: False} if kind == "boolean" else _choices_of(values)
    if len(choices) > MOST_OPTIONS or (kind == "array" and not choices):
        raise NoForm("its form has a field that cannot be shown")
    if kind not in ("string", "number", "integer", "boolean", "array") and not choices:
        raise NoForm("its form has a field of an unknown type")
    return Field(name, schema, required, choices)


def _choices_of(schema: Any) -> dict[str, Any]:
    """Return the values of an enumeration by what the user is shown."""
    if not isinstance(schema, dict):
        return {}
    titled = schema.get("oneOf") or schema.get("anyOf")
    if isinstance(titled, list):
        pairs = [(one.get("title"), one.get("const")) for one in titled if isinstance(one, dict)]
    else:
        given, names = schema.get("enum"), schema.get("enumNames")
        values = given if isinstance(given, list) else []
        if not isinstance(names, list) or len(names) != len(values):
            names = values
        pairs = list(zip(names, values, strict=True))
    choices: dict[str, Any] = {}
    for title, value in pairs:
        shown = in_one_line(str(value if title is None else title), _LABEL)
        choices[f"{shown} ({value})" if shown in choices else shown] = value
    return choices


def _choices(
    own_id: str, text: str, choices: Sequence[str], multiple: bool = False
) -> StructuredInputMultipleChoice:
    options = [StructuredInputMultipleChoiceOption(value=value) for value in choices]
    return StructuredInputMultipleChoice(
        id=own_id, question=text, options=options, multiple=multiple
    )


def _checked_url(url: Any) -> str:
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or len(url) > 2 * _MESSAGE:
        raise NoForm("it asks to open an address that is none of the web")
    return str(url)
