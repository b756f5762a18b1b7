"""The widget that asks the user to approve a tool call, and the click on one of its buttons."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from chatkit.actions import Action
from chatkit.types import WidgetItem
from chatkit.widgets import DynamicWidgetRoot, WidgetRoot

from ..agent.paused import APPROVAL, Decision, WaitingCall, run_of
from ..agent.tools import arguments_of
from ..errors import BadRequest
from ..events.wire import Translate
from ..masking import in_one_line
from ..text import valid_text
from ..words import words, words_n

Choice = Literal["approve", "deny", "always"]

MOST_SHOWN = 4000
"""Characters of a call's arguments that are shown."""

_NAME = 200
"""Characters of the name of a tool or a server that are shown."""

_REORDERS = re.compile("[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""Characters that nobody sees, and that show others in another order."""

_DECIDED: dict[Decision, tuple[str, str]] = {
    "approved": (words("Approved"), "success"),
    "denied": (words("Denied"), "danger"),
    "expired": (words("Expired: it was not approved in time."), "secondary"),
    "left": (words("Not approved: you wrote something else."), "secondary"),
    "changed": (
        words("Not run: the server has changed since you were asked. Ask again."),
        "secondary",
    ),
}
"""What a widget says in place of its buttons, and the color of that."""


@dataclass(frozen=True)
class Click:
    """A click on a widget that asks for an approval."""

    item: WidgetItem
    run_id: str
    choice: Choice


def clicked(action: Action[str, Any], sender: WidgetItem | None) -> Click | None:
    """Return the click that an action is, None for an action of a plugin.

    Only what is stored says which call is meant. Raises `BadRequest` for a decision of no button.
    """
    run_id = run_of(sender) if sender is not None else None
    if sender is None or run_id is None or action.type != APPROVAL:
        return None
    payload = action.payload if isinstance(action.payload, dict) else {}
    return Click(sender, run_id, choice_of(payload.get("decision"), "params.action.payload"))


def choice_of(decision: Any, where: str) -> Choice:
    """Return a decision that a client sends; raise `BadRequest` for what is none."""
    if decision not in get_args(Choice):
        raise BadRequest(f"{where}.decision: must be `approve`, `deny` or `always`.")
    return cast(Choice, decision)


def asking(
    run_id: str, call: WaitingCall, translate: Translate, *, always: bool
) -> tuple[WidgetRoot, str]:
    """Return the widget that asks for a call, and its text to copy."""
    arguments = shown_arguments(call.arguments, translate)
    tool = _plain(call.name)
    question = words("Run `{tool}`?", tool=tool)
    if call.server is not None:
        question = words("Run `{tool}` of {server}?", tool=tool, server=_plain(call.server))
    title = translate(question)
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", arguments)), 3)
    children: list[dict[str, Any]] = [{"type": "Markdown", "value": f"**{title}**"}]
    if arguments:
        code = f"{fence}json\n{arguments}\n{fence}"
        children.append({"type": "Markdown", "value": code})
    buttons = [
        _button(translate(words("Approve")), "approve", "primary"),
        _button(translate(words("Deny")), "deny", "secondary"),
    ]
    if always:
        label = translate(words("Always in this conversation"))
        buttons.append(_button(label, "always", "secondary"))
    children.append({"type": "Row", "gap": 2, "wrap": "wrap", "children": buttons})
    card = {"type": "Card", "key": f"{APPROVAL}:{run_id}", "size": "md", "children": children}
    return DynamicWidgetRoot.model_validate(card), f"{title}\n{arguments}".strip()


def is_asking(item: WidgetItem) -> bool:
    """Whether a widget still has its buttons."""
    return any(child["type"] == "Row" for child in _children(item))


def decided(item: WidgetItem, decision: Decision, translate: Translate) -> WidgetItem:
    """Return a widget with a decision in place of its buttons, or of another decision."""
    text, color = _DECIDED[decision]
    children = [child for child in _children(item) if child["type"] not in ("Row", "Text")]
    children.append({"type": "Text", "value": translate(text), "color": color, "weight": "medium"})
    card = {**item.widget.model_dump(exclude_none=True), "children": children}
    return item.model_copy(update={"widget": DynamicWidgetRoot.model_validate(card)})


def shown_arguments(arguments: str, translate: Translate) -> str:
    """Return arguments as people read them: indented, and cut where they are very long."""
    given = arguments_of(arguments)
    if given == {}:
        return ""
    text = arguments if given is None else json.dumps(given, ensure_ascii=False, indent=2)
    text = _REORDERS.sub(_escaped, valid_text(text))
    if len(text) <= MOST_SHOWN:
        return text
    left = len(text) - MOST_SHOWN
    more = words_n("… ({n} more character)", "… ({n} more characters)", left, n=left)
    return f"{text[:MOST_SHOWN]}\n{translate(more)}"


def _plain(name: str) -> str:
    """Return a name that a model or a server may have made up, without what Markdown reads."""
    return in_one_line(name, _NAME).replace("`", "'").replace("*", "'")


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _children(item: WidgetItem) -> list[dict[str, Any]]:
    children = item.widget.model_dump(exclude_none=True).get("children") or []
    return cast(list[dict[str, Any]], children if isinstance(children, list) else [children])


def _button(label: str, choice: Choice, style: str) -> dict[str, Any]:
    action = {
        "type": APPROVAL,
        "payload": {"decision": choice},
        "handler": "server",
        "loadingBehavior": "container",
    }
    return {"type": "Button", "label": label, "style": style, "onClickAction": action}
