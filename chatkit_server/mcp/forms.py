"""What an MCP server asks the user, as ChatKit's questions; and the answers as MCP wants them.

A server asks with a flat JSON schema, or with an address that the user is to open. All texts are
the server's: they are cut, and each question says who asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import isfinite
from typing import Any
from urllib.parse import urlsplit

from chatkit.types import (
    StructuredInput,
    StructuredInputFreeform,
    StructuredInputMultipleChoice,
    StructuredInputMultipleChoiceOption,
)

from ..masking import in_one_line
from ..words import Words, words

YES, NO = words("Yes"), words("No")
DONE = words("Done")

Say = Callable[[str], str]
"""Returns text in the language of the user."""

MOST_FIELDS = 20
MOST_OPTIONS = 50

_VALUES = (str, int, float)
"""Types of the values that a server may be sent."""

_MESSAGE = 1000
_LABEL = 200
_TEXT = 500

_SECRETS = re.compile(
    r"passw(or)?d|passphrase|passcode|secret|api.?key|private.?key|access.?token|\bcvv?\b",
    re.IGNORECASE,
)
"""Names of fields for what a form must not ask for, by the specification."""

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+")
_DATE = "2030-12-31"
_TRUE = {YES.lower(), "y", "true", "1"}
_FALSE = {NO.lower(), "n", "false", "0"}


class WrongAnswer(ValueError):
    """An answer does not fit the field; `problem` is for the user."""

    def __init__(self, problem: Words) -> None:
        super().__init__(problem)
        self.problem = problem


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

    @property
    def default(self) -> Any:
        """The value without an answer, None if there is none."""
        value = self.schema.get("default")
        values = value if isinstance(value, list) else [value]
        return value if all(isinstance(one, _VALUES) for one in values) else None

    @property
    def _bounds(self) -> tuple[float | None, float | None]:
        low, high = self.schema.get("minimum"), self.schema.get("maximum")
        return (
            low if isinstance(low, int | float) else None,
            high if isinstance(high, int | float) else None,
        )

    def hint(self, say: Say) -> str:
        """Return what else the user is to know of the field."""
        described = self.schema.get("description")
        parts = [in_one_line(described, _TEXT)] if isinstance(described, str) else []
        low, high = self._bounds
        if low is not None and high is not None:
            parts.append(say(words("From {low} to {high}.", low=low, high=high)))
        elif low is not None:
            parts.append(say(words("At least {low}.", low=low)))
        elif high is not None:
            parts.append(say(words("At most {high}.", high=high)))
        if self.schema.get("format") == "date":
            parts.append(say(words("Write the date as {example}.", example=_DATE)))
        if (default := self.default) is not None:
            shown = self._shown(default, say)
            parts.append(say(words("Without an answer: {default}.", default=shown)))
        elif not self.required:
            parts.append(say(words("You may leave this out.")))
        return " ".join(parts)

    def _shown(self, value: Any, say: Say) -> str:
        values = value if isinstance(value, list) else [value]
        names = {repr(known): say(shown) for shown, known in self.choices.items()}
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
        if self.schema.get("type") == "boolean" and folded in _TRUE | _FALSE:
            return folded in _TRUE
        raise WrongAnswer(words("“{text}” is none of the choices.", text=_short(text)))

    def _counted(self, chosen: list[Any]) -> list[Any]:
        fewest, most = self.schema.get("minItems"), self.schema.get("maxItems")
        if isinstance(fewest, int) and len(chosen) < fewest:
            raise WrongAnswer(words("Choose at least {count}.", count=fewest))
        if isinstance(most, int) and len(chosen) > most:
            raise WrongAnswer(words("Choose at most {count}.", count=most))
        return chosen

    def _number(self, text: str) -> float | int:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not isfinite(number):
            raise WrongAnswer(words("“{text}” is not a number.", text=_short(text)))
        if self.schema["type"] == "integer":
            if not number.is_integer():
                raise WrongAnswer(words("“{text}” is not a whole number.", text=_short(text)))
            number = int(number)
        low, high = self._bounds
        if low is not None and number < low:
            raise WrongAnswer(words("The number must be at least {low}.", low=low))
        if high is not None and number > high:
            raise WrongAnswer(words("The number must be at most {high}.", high=high))
        return number

    def _text(self, text: str) -> str:
        fewest, most = self.schema.get("minLength"), self.schema.get("maxLength")
        if isinstance(fewest, int) and len(text) < fewest:
            raise WrongAnswer(
                words("The answer must have at least {count} characters.", count=fewest)
            )
        if isinstance(most, int) and len(text) > most:
            raise WrongAnswer(words("The answer must have at most {count} characters.", count=most))
        wanted = self.schema.get("format")
        if wanted in _FORMATS and not _FORMATS[wanted][0](text.strip()):
            raise WrongAnswer(_FORMATS[wanted][1](_short(text)))
        return text.strip() if wanted in _FORMATS else text


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


def _no_date(text: str) -> Words:
    return words("“{text}” is not a date such as {example}.", text=text, example=_DATE)


def _no_time(text: str) -> Words:
    return words("“{text}” is not a time such as {example}.", text=text, example=f"{_DATE}T18:30")


_FORMATS: Mapping[Any, Any] = {
    "email": (
        _EMAIL.fullmatch,
        lambda text: words("“{text}” is not an e-mail address.", text=text),
    ),
    "uri": (_is_url, lambda text: words("“{text}” is not a web address.", text=text)),
    "date": (lambda text: _is_iso(date, text), _no_date),
    "date-time": (lambda text: _is_iso(datetime, text), _no_time),
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
        self, number: int, say: Say, wrong: Mapping[str, Words] | None = None
    ) -> list[tuple[str, StructuredInput]]:
        """Return the questions with the names of their fields.

        With `wrong`, only those that were not answered as the form wants it, by name, and why.
        `number` makes their ids differ from those of other forms.
        """
        asks = words("{server} asks: {message}", server=self.server, message=self.message)
        head = say(asks).rstrip(": ")
        if self.url is not None:
            host = urlsplit(self.url).hostname or ""
            opens = words("Open this page of {host}, and come back: {url}", host=host, url=self.url)
            text = f"{head}\n{say(opens)}"
            return [("", _choices(f"r{number}", text, self._choices(), say))]
        if not self.fields:
            return [("", _choices(f"r{number}", head, self._choices(), say))]
        asked: list[tuple[str, StructuredInput]] = []
        for place, field in enumerate(self.fields):
            if wrong is not None and field.name not in wrong:
                continue
            lines = [] if asked else [head]
            if wrong is not None:
                lines.append(say(wrong[field.name]))
            hint = field.hint(say)
            lines.append(f"{field.label}: {hint}" if field.choices and hint else field.label)
            own_id, text = f"r{number}f{place}", "\n".join(lines)
            if field.choices:
                question: StructuredInput = _choices(
                    own_id, text, list(field.choices), say, field.multiple
                )
            else:
                question = StructuredInputFreeform(
                    id=own_id, question=text, description=hint or None
                )
            asked.append((field.name, question))
        return asked

    def _choices(self, name: str = "") -> list[str]:
        """Return what can be chosen for a field, in English; for the form itself without a name."""
        if self.fields:
            return next((list(one.choices) for one in self.fields if one.name == name), [])
        return [YES if self.url is None else DONE, NO]

    def given(self, name: str, question: StructuredInput) -> list[str] | None:
        """Return what was answered, in English; None for a question that was left out."""
        answer = question.answer
        if answer is None or answer.skipped:
            return None
        if not isinstance(question, StructuredInputMultipleChoice):
            return answer.values
        shown = [option.value for option in question.options]
        english = dict(zip(shown, self._choices(name), strict=False))
        return [english.get(value, value) for value in answer.values]

    def read(
        self, answers: Mapping[str, Sequence[str] | None], known: Mapping[str, Any]
    ) -> tuple[dict[str, Any] | None, dict[str, Words]]:
        """Return the content for the server, None if the user declines, and what is wrong.

        `answers` are by field, None for a question that was left out. `known` are the values of an
        earlier round, which are part of the content.
        """
        if not self.fields:
            said = (answers.get("") or [NO])[0].strip().casefold()
            return ({} if said in _TRUE | {DONE.lower()} else None), {}
        content, wrong = dict(known), dict[str, Words]()
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
                    wrong[field.name] = error.problem
            elif field.default is not None:
                content[field.name] = field.default
            elif field.required:
                wrong[field.name] = words("This needs an answer.")
        in_order = [field.name for field in self.fields if field.name in content]
        return {name: content[name] for name in in_order}, wrong


def _field(name: str, schema: Any, required: bool) -> Field:
    if not isinstance(schema, dict):
        raise NoForm("its form is not as MCP has it")
    kind = schema.get("type")
    texts = (name, str(schema.get("title") or ""))
    if kind not in ("boolean", "integer", "number") and any(map(_SECRETS.search, texts)):
        raise NoForm(f"it asks for a secret (`{in_one_line(name, 40)}`), which a form must not do")
    values = schema.get("items") if kind == "array" else schema
    choices = _choices_of(values)
    if kind == "boolean":
        choices = {YES: True, NO: False}
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
        if not isinstance(value, _VALUES):
            continue
        shown = in_one_line(str(value if title is None else title), _LABEL)
        choices[f"{shown} ({value})" if shown in choices else shown] = value
    return choices


def _choices(
    own_id: str, text: str, choices: Sequence[str], say: Say, multiple: bool = False
) -> StructuredInputMultipleChoice:
    options = [StructuredInputMultipleChoiceOption(value=say(value)) for value in choices]
    return StructuredInputMultipleChoice(
        id=own_id, question=text, options=options, multiple=multiple
    )


def _short(text: str) -> str:
    return in_one_line(text, 40)


def _checked_url(url: Any) -> str:
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or len(url) > 2 * _MESSAGE:
        raise NoForm("it asks to open an address that is none of the web")
    return str(url)
