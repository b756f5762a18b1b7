"""What the user is asked: fields of forms, questions of tools, outputs of client tools."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from .fields import Field
from .keyboard import Keyboard, read_message
from .screen import DIM, Screen, in_line

YES = {"y": True, "yes": True, "n": False, "no": False}


async def ask_fields(keyboard: Keyboard, screen: Screen, fields: Sequence[Field]) -> dict[str, Any]:
    """Return what the user fills in, by the names of the fields. Raises `Left`."""
    return {each.name: await _field(keyboard, screen, each) for each in fields}


async def _field(keyboard: Keyboard, screen: Screen, given: Field) -> Any:
    prompt = f"{in_line(given.label)}{_hint(given)}> "
    for number, (_, label) in enumerate(given.choices, 1):
        screen.line(f"  {number}. {in_line(label)}")
    while True:
        if given.kind == "Textarea":
            text = await read_message(keyboard, prompt, remembered=False)
        else:
            text = await keyboard.read(prompt, secret=given.secret)
        value, wrong = _value(given, text.strip())
        if wrong is None:
            return value
        screen.line(wrong, DIM)


def _hint(given: Field) -> str:
    if given.kind == "Checkbox":
        return " (Y/n)" if given.default else " (y/N)"
    if given.default not in (None, "") and not given.secret:
        return f" [{in_line(dict(given.choices).get(given.default, given.default))}]"
    if given.kind == "DatePicker":
        return " (YYYY-MM-DD)"
    return " (required)" if given.required else ""


def _value(given: Field, text: str) -> tuple[Any, str | None]:
    """Return the value that the user means, and what is wrong with it if something is."""
    if given.kind == "Checkbox":
        value = YES.get(text.lower()) if text else bool(given.default)
        if value is None:
            return None, "Type y or n."
        return value, "This has to be ticked." if given.required and not value else None
    if not text:
        missing = given.required and given.default in (None, "")
        return given.default, "This has to be filled in." if missing else None
    if given.choices:
        chosen = choice_of(text, given.choices)
        return chosen, None if chosen is not None else "Type one of the numbers."
    if given.kind == "DatePicker":
        try:
            date.fromisoformat(text[:10])
        except ValueError:
            return None, "Type a date, such as 2026-12-31."
    return text, None


def choice_of(text: str, choices: Sequence[tuple[str, str]]) -> str | None:
    """Return the value that a number, a value or a label stands for."""
    if text.isdecimal() and 1 <= int(text) <= len(choices):
        return choices[int(text) - 1][0]
    found = (v for v, label in choices if text.lower() in (v.lower(), label.lower()))
    return next(found, None)


async def ask_questions(
    keyboard: Keyboard, screen: Screen, item: Mapping[str, Any]
) -> dict[str, str | list[str]]:
    """Return the answers to a tool's questions, by their ids; empty ones are skipped.

    Raises `Left`.
    """
    answers: dict[str, str | list[str]] = {}
    for question in item["inputs"]:
        screen.line(f"? {in_line(question['question'])}")
        if question.get("description"):
            screen.line(f"  {in_line(question['description'])}", DIM)
        options = [(each["value"], each["value"]) for each in question.get("options") or []]
        for number, (_, label) in enumerate(options, 1):
            screen.line(f"  {number}. {in_line(label)}")
        several = bool(question.get("multiple"))
        how = "numbers or text, with commas" if several else "a number or text"
        hint = f"({how}; Enter skips)" if options else "(Enter skips)"
        text = (await keyboard.read(f"{hint}> ")).strip()
        if not text:
            continue
        # Any other text is an answer of the user's own
        if not options or not several:
            answers[question["id"]] = choice_of(text, options) or text
        else:
            parts = [part.strip() for part in text.split(",")]
            answers[question["id"]] = [choice_of(part, options) or part for part in parts if part]
    return answers


async def ask_output(keyboard: Keyboard, screen: Screen, item: Mapping[str, Any]) -> Any:
    """Return what the page's client tool is to have returned: JSON, or else text. Raises `Left`."""
    arguments = json.dumps(item.get("arguments") or {}, ensure_ascii=False)
    screen.line(f"? The tool {in_line(item['name'])} {in_line(arguments)} runs in the page.")
    text = await keyboard.read("its result, as JSON or text> ")
    try:
        return json.loads(text)
    except ValueError:
        return text
