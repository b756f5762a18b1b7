"""Hostile texts, instances of ChatKit's types that are full of them, and what they must not do."""

from __future__ import annotations

import json
import re
from itertools import cycle
from pathlib import Path
from typing import Any, get_args

from chatkit.widgets import StrictWidgetComponent, WidgetRoot
from pydantic import AnyUrl, BaseModel
from pydantic.fields import FieldInfo

from tests.page.building import Builder, fields_of, models_in

_FILE = json.loads(Path(__file__).with_name("injections.json").read_text(encoding="utf-8"))
_ADDRESS = re.compile(r"^\[x\]\(([^\n]+)\)$", re.MULTILINE)
INJECTIONS: list[str] = [each for group in _FILE["texts"].values() for each in group]
ADDRESSES: list[str] = _ADDRESS.findall("\n".join(_FILE["texts"]["addresses"]))
# JSON from the server is UTF-8, which has no half characters
SENDABLE = [each.encode("utf-8", "replace").decode() for each in INJECTIONS]

LONG = {
    **{f"{each!r} repeated": each * (10_000 if each in ">[" else 3000) for each in _FILE["signs"]},
    **{f"{each!r} repeated": each * (2000 // len(each)) for each in _FILE["repeated"]},
    "ever longer code marks": " ".join("`" * length for length in range(1, 100)),
    "ever deeper lists": "\n".join(" " * (2 * depth) + "- x" for depth in range(200)),
    "ever deeper quotes": "\n".join(">" * depth + " x" for depth in range(200)),
    "nested emphasis": "*a " * 1000 + "a*" * 1000,
    "nested brackets": "[" * 2000 + "a" + "](x)" * 2000,
    "a wide table": "|a" * 100 + "\n" + "|-" * 100 + "\n" + ("|b" * 100 + "\n") * 5,
    "many definitions": "".join(f"[a{n}]: https://x.yz/{n}\n" for n in range(300)) + "[a1] " * 300,
    "many footnotes": "".join(f"[^{n}]: x[^{n + 1}]\n" for n in range(100)),
    "a deep formula": "$" + "\\frac{" * 500 + "x" + "}{y}" * 500 + "$",
    "many formulas": "$x_1^2$ " * 50,
    "a macro bomb": "$\\def\\a#1{#1#1#1#1}" + "\\a{" * 20 + "x" + "}" * 20 + "$",
    "a long word": "x" * 20_000,
    "long code": "```js\n" + "/*'\"`${" * 2000 + "\n```",
    "many code blocks": "```js\nx\n```\n" * 50,
}

PREPARE = """
window.dialogs = [];
for (const name of ["alert", "confirm", "prompt", "open", "print"])
  window[name] = (...given) => { window.dialogs.push(name + " " + given + Error().stack); };
window.around = () => [...document.querySelectorAll("html > *, head > *, body > *, body main > *")]
  .map(({ localName }) => localName).join();
window.before = window.around();
"""

INSPECT = Path(__file__).with_name("harmless.js").read_text(encoding="utf-8")
"""Returns what a hostile text has done to the page: a list of sentences."""


class Hostile(Builder):
    """Fills each text with hostile ones, one after the other."""

    def __init__(self, start: int = 0) -> None:
        super().__init__("https://evil.example")
        self._texts = cycle(SENDABLE[start:] + SENDABLE[:start])
        self._addresses = cycle(ADDRESSES)
        self._count = 0

    def _word(self, model: type[BaseModel], name: str) -> str:
        if name in ("id", "thread_id", "call_id", "key"):
            self._count += 1
            return f"{name}_{self._count}"
        return next(self._texts)

    def _scalar(
        self, model: type[BaseModel], name: str, field: FieldInfo, chosen: Any, number: int
    ) -> Any:
        if chosen is AnyUrl:
            return "https://evil.example/p.png"
        if chosen is str and name in ("url", "src", "href", "image"):
            return next(self._addresses)
        return super()._scalar(model, name, field, chosen, number)

    def widgets(self) -> list[dict[str, Any]]:
        """Return a card for each component, with a hostile text for each of its properties."""
        models = models_in(StrictWidgetComponent)
        cards = [{"type": "Card", "children": [self.component(model)]} for model in models]
        roots = [self.component(model) for model in models_in(WidgetRoot)]
        return cards + roots

    def component(self, model: type[BaseModel]) -> dict[str, Any]:
        """Return a component whose properties are hostile, whatever type they should have."""
        fields = fields_of(model)
        of_type = get_args(fields["type"].annotation)[0]
        given = {name: self._property(model, name) for name in fields if name != "type"}
        return {"type": of_type, **given}

    def _property(self, model: type[BaseModel], name: str) -> Any:
        word = self._word(model, name)
        text = {"type": "Text", "value": word}
        action = {"type": word, "payload": {word: word}}
        return {
            "children": [text],
            "options": [{"value": word, "label": word, "description": word}],
            "data": [{"x": word, "y": 3, "__proto__": {"pwned": 1}}],
            "series": [{"type": "bar", "dataKey": "y", "label": word, "color": word}],
            "xAxis": {"dataKey": "x", "labels": {word: word}},
            "status": {"text": word, "icon": word, "favicon": next(self._addresses)},
            "confirm": {"label": word, "action": action},
            "cancel": {"label": word, "action": action},
            "src": next(self._addresses),
            "streaming": False,
        }.get(name, action if name.endswith("Action") else word)
