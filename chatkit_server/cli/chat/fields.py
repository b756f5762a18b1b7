"""What forms and single inputs of a widget ask the user for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

INPUTS = ("Input", "Textarea", "Select", "RadioGroup", "Checkbox", "DatePicker", "Text")
"""Components that have a value; a `Text` only if it is editable."""


@dataclass(frozen=True)
class Field:
    """A value that the user may fill in: `kind` is the type of its component.

    `choices` are pairs of a value and its label. `name` may have dots: the payload is nested then.
    """

    kind: str
    name: str
    label: str
    default: Any = None
    required: bool = False
    secret: bool = False
    choices: list[tuple[str, str]] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """The field as a part of the widget's text."""
        match self.kind:
            case "Checkbox":
                return f"[{'x' if self.default else ' '}] {self.label}"
            case "Select" | "RadioGroup":
                options = " / ".join(label for _, label in self.choices)
                return f"{self.label}: <{options}>{self._default}"
        return f"{self.label}: <{'…' if self.default in (None, '') else self.default}>"

    @property
    def _default(self) -> str:
        labels = dict(self.choices)
        return f" ({labels.get(self.default, self.default)})" if self.default else ""


def field_of(component: Mapping[str, Any], labels: Mapping[str, str]) -> Field | None:
    """Return the field of a component, None if it has none that the user may fill in.

    `labels` are the texts of `Label` components, by the name of their field.
    """
    kind = component["type"]
    given: Mapping[str, Any] = component
    if kind == "Text":
        given = component.get("editable") or {}
    name = given.get("name")
    if kind not in INPUTS or not isinstance(name, str) or given.get("disabled"):
        return None
    own = component.get("label") or component.get("ariaLabel") or given.get("placeholder")
    options = component.get("options") or []
    defaults = {"Checkbox": bool(component.get("defaultChecked")), "Text": component.get("value")}
    return Field(
        kind=kind,
        name=name,
        label=str(labels.get(name) or own or name),
        default=defaults.get(kind, component.get("defaultValue")),
        required=bool(given.get("required")),
        secret=component.get("inputType") == "password",
        choices=[(o["value"], o["label"]) for o in options if not o.get("disabled")],
    )


def labels_in(component: Any) -> dict[str, str]:
    """Return the texts of all `Label` components inside of one, by the name of their field."""
    if isinstance(component, Sequence) and not isinstance(component, str):
        return {name: text for each in component for name, text in labels_in(each).items()}
    if not isinstance(component, Mapping):
        return {}
    own = {}
    if component.get("type") == "Label" and component.get("fieldName"):
        own = {component["fieldName"]: str(component.get("value", ""))}
    return own | labels_in(component.get("children"))


def payload_with(payload: Any, values: Mapping[str, Any]) -> Any:
    """Return the payload of an action with the values of a form; `a.b` becomes `b` inside of `a`.

    A payload that is not an object stays as it is.
    """
    if not values or not (payload is None or isinstance(payload, Mapping)):
        return payload
    whole: dict[str, Any] = dict(payload or {})
    for name, value in values.items():
        at = whole
        *path, last = name.split(".")
        for part in path:
            inner = at.get(part)
            at[part] = dict(inner) if isinstance(inner, Mapping) else {}
            at = at[part]
        at[last] = value
    return whole
