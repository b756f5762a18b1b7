"""Widgets: every component with all properties, hostile values, and what streams and changes."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, get_args

from chatkit.icons import IconName
from playwright.async_api import Locator, Route, expect

from tests.page.browsing import ChatPage
from tests.page.conftest import OpenChat
from tests.page.published import PACKAGE
from tests.page.widget_samples import base, components, samples

DRAW = """(element, roots) => {
  const shadow = element.shadowRoot;
  const { chat } = shadow.querySelector("ock-shell");
  const gallery = document.createElement("div");
  gallery.id = "gallery";
  for (const root of roots) {
    const widget = document.createElement("ock-widget");
    Object.assign(widget, { chat, root });
    gallery.append(widget);
  }
  shadow.querySelector("#gallery")?.remove();
  shadow.append(gallery);
}"""
"""Draws widgets that belong to no conversation."""

PICTURED = """(element) => [...element.shadowRoot.querySelectorAll("#gallery ock-chart")]
  .every((chart) => chart.querySelector("svg"))"""

ICONS_ARE_THERE = """(element) => [...element.shadowRoot.querySelectorAll("#gallery svg")]
  .every((icon) => icon.childElementCount)"""

LOOKS = """(element) => {
  const valuesOf = (field) => [field.defaultValue, field.checked, field.selected];
  return [...element.shadowRoot.querySelectorAll("#gallery > ock-widget")].map((widget) => {
    const fields = [...widget.querySelectorAll("input, textarea, option")];
    const own = new RegExp(widget.fieldPrefix, "g");
    return {
      isDrawn: widget.querySelector(".ock-widget").childElementCount > 0,
      look: widget.innerHTML.replace(own, "") + JSON.stringify(fields.map(valuesOf)),
    };
  });
}"""

TYPES = [str(cls.model_fields["type"].default) for cls in components()]
TYPES += ["Table", "Table.Row", "Table.Cell"]

ELSEWHERE = {
    "Button.onClickAction": "test_widget_actions",
    "Checkbox.onChangeAction": "test_widget_actions",
    "DatePicker.align": "test_a_day_is_picked",
    "DatePicker.max": "test_a_day_is_picked",
    "DatePicker.min": "test_a_day_is_picked",
    "DatePicker.onChangeAction": "test_widget_actions",
    "DatePicker.side": "test_a_day_is_picked",
    "Form.onSubmitAction": "test_widget_actions",
    "Markdown.streaming": "what is written at the end of a text that is not complete yet",
    "RadioGroup.onChangeAction": "test_widget_actions",
    "Select.onChangeAction": "test_widget_actions",
}
"""Properties that change nothing before the user does something."""


async def draw(chat: ChatPage, *roots: dict[str, Any]) -> Locator:
    """Draw widgets, and return them."""
    await chat.element.evaluate(DRAW, list(roots))
    return chat.element.locator("#gallery > ock-widget")


async def looks(chat: ChatPage, roots: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    await draw(chat, *roots)
    await chat.page.wait_for_function(PICTURED, arg=await chat.element.element_handle())
    found: list[dict[str, Any]] = await chat.element.evaluate(LOOKS)
    return found


async def test_every_property_of_every_component_has_its_effect(chat_page: OpenChat) -> None:
    chat = await chat_page()
    all_samples = list(samples())
    roots = [root for sample in all_samples for root in (sample.without, sample.given)]
    once = {json.dumps(root): root for root in roots}
    found = dict(zip(once, await looks(chat, once.values()), strict=True))
    assert all(look["isDrawn"] for look in found.values())
    effects: defaultdict[str, bool] = defaultdict(bool)
    for sample in all_samples:
        pair = [found[json.dumps(root)]["look"] for root in (sample.without, sample.given)]
        effects[sample.name] |= pair[0] != pair[1]
    assert {name for name, has_effect in effects.items() if not has_effect} == set(ELSEWHERE)


async def test_all_published_types_are_drawn(chat_page: OpenChat) -> None:
    chat = await chat_page()
    published = (PACKAGE / "types/widgets.d.ts").read_text()
    types = set(re.findall(r"type: '([\w.]+)'", published))
    types |= {*TYPES}
    assert {"Table.Cell", "Basic", "Chart"} <= types
    found = await looks(chat, (base(type) for type in sorted(types)))
    assert [
        type for type, look in zip(sorted(types), found, strict=True) if not look["isDrawn"]
    ] == []
    [unknown] = await looks(chat, [{"type": "Hologram", "value": "?"}])
    assert not unknown["isDrawn"]
    [unknown] = await looks(chat, [base("Hologram")])
    assert unknown["isDrawn"]  # by what is in it
    await expect(chat.element.locator("#gallery")).to_have_text("Tea")


HOSTILE = (
    "url(http://192.0.2.1/x)",
    "image-set('http://192.0.2.1/x' 1x)",
    "red; background: url(http://192.0.2.1/x)",
    "red;position:fixed;inset:0",
    "expression(alert(1))",
    "var(--ock-text, url(http://192.0.2.1/x))",
    "attr(data-x)",
    "\\75rl(http://192.0.2.1/x)",
    "calc(1px * -1e9)",
    "javascript:alert(1)",
    "http://192.0.2.1/x.png",
    "//192.0.2.1/x.png",
    "data:text/html,<script>alert(1)</script>",
    "data:image/svg+xml,<svg onload=alert(1)>",
    "<img src=x onerror=alert(1)>",
    "__proto__",
    "constructor",
    "lucide:__proto__",
    "lucide:constructor",
    "x" * 5000,
)
ODD: tuple[Any, ...] = (
    None,
    0,
    -1,
    1e308,
    True,
    [],
    {},
    [[]],
    [None],
    ["x"],
    [{"type": 1}],
    {"light": {}},
    "",
)

DEEPEN = """(widget) => {
  let { root } = widget;
  for (let depth = 0; depth < 3000; depth++) root = { type: "Col", children: [root] };
  widget.root = root;
  return widget.updateComplete;
}"""

ALIKE = """([types, names, value]) => types.map((type) =>
  ({ ...Object.fromEntries(names.map((name) => [name, value])), type }))"""

ESCAPES = """(element) => {
  const all = [...element.shadowRoot.querySelectorAll("#gallery *")];
  return all.flatMap((node) => [...node.attributes].map(({ name, value }) => `${name}=${value}`))
    .filter((attribute) =>
      /^on|^(href|src|action|formaction|srcdoc|xlink:href)=\\s*(javascript|data:(?!image\\/png))/i.test(attribute)
      || /^style=.*(url|position|expression|attr|image-set|192\\.0)/i.test(attribute)
      || /^(src|srcset|poster)=(https?:)?[\\/]{2}192/i.test(attribute));
}"""


NAMES = sorted({sample.name.split(".")[1] for sample in samples()} | {"children", "key", "id"})


async def draw_alike(chat: ChatPage, types: list[str], value: Any) -> None:
    """Draw components whose properties all have one value."""
    script = f"(element, given) => ({DRAW})(element, ({ALIKE})(given))"
    await chat.element.evaluate(script, [types, NAMES, value])


async def test_hostile_values_reach_nothing(chat_page: OpenChat) -> None:
    chat = await chat_page()
    await chat.page.route(re.compile(r"/test/(?!chat$)|/75rl"), answer_nothing)
    for value in HOSTILE:
        await draw_alike(chat, [*TYPES, value], value)
        assert await chat.element.evaluate(ESCAPES) == [], value
        images = chat.element.locator("#gallery img")
        sources = await images.evaluate_all("(all) => all.map(({ src }) => new URL(src).origin)")
        assert {*sources} <= {chat.site.url}, value


async def answer_nothing(route: Route) -> None:
    """Answer for a picture whose address has no host, so it is one of this server."""
    await route.fulfill(content_type="image/png", body=b"")


async def test_odd_values_break_nothing(chat_page: OpenChat) -> None:
    chat = await chat_page()
    for value in ODD:
        await draw_alike(chat, TYPES, value)
    widgets = await draw(chat, base("Col"), {"type": "Text", "value": "still here"})
    await widgets.first.evaluate(DEEPEN)
    await expect(chat.element.locator("#gallery")).to_have_text("still here")
    logs = [event for event in await chat.events("chatkit.log") if "widget" in str(event)]
    assert not logs


async def test_icons_of_all_names_are_drawn(chat_page: OpenChat) -> None:
    chat = await chat_page()
    names = {name for part in get_args(IconName)[:1] for name in get_args(part)}
    for file in ("index", "widgets"):
        declared = (PACKAGE / f"types/{file}.d.ts").read_text()
        for union in re.findall(r"type \w+Icon =((?:\s*\| '[\w-]+')+)", declared):
            names |= {*re.findall(r"'([\w-]+)'", union)}
    assert {"wreath", "clock", "sidebar-floating-open-left"} <= names
    names |= {"lucide:rocket", "lucide:alert-triangle", "lucide:grid-2x2"}
    all_names = [*sorted(names - {"dot"}), "dot", "vendor:acme", "lucide:no-such-icon", "no-such"]
    icons = (await draw(chat, *({"type": "Icon", "name": name} for name in all_names))).locator(
        "svg"
    )
    await chat.page.wait_for_function(ICONS_ARE_THERE, arg=await chat.element.element_handle())
    drawn = await icons.evaluate_all("(all) => all.map((icon) => icon.innerHTML)")
    assert len(drawn) == len(all_names)
    dots = [name for name, icon in zip(all_names, drawn, strict=True) if icon == drawn[-1]]
    assert dots == all_names[-4:]


async def test_transitions_move_what_changes(chat_page: OpenChat) -> None:
    chat = await chat_page(context={"reduced_motion": "no-preference"})
    small, large = {"type": "Text", "key": "a", "value": "A"}, base("Chart") | {"key": "b"}
    widgets = await draw(chat, {"type": "Transition", "children": small})
    moves = """(widget, root) => {
      widget.root = root;
      const moved = widget.querySelector(".ock-w-transition");
      return widget.updateComplete.then(() => new Promise(requestAnimationFrame)).then(() =>
        moved.getAnimations().length);
    }"""
    assert await widgets.evaluate(moves, {"type": "Transition", "children": large}) == 1
    assert await widgets.evaluate(moves, {"type": "Transition", "children": None}) == 1
    await chat.page.emulate_media(reduced_motion="reduce")
    widgets = await draw(chat, {"type": "Transition", "children": small})
    assert await widgets.evaluate(moves, {"type": "Transition", "children": large}) == 0


async def test_a_chart_shows_the_values_of_a_row(chat_page: OpenChat) -> None:
    chat = await chat_page()
    [chart] = await (await draw(chat, base("Chart") | {"showYAxis": True, "height": 160})).all()
    plot = chart.get_by_role("img", name="Chart: black, green, from Jan to Feb")
    await expect(plot.locator("rect")).to_have_count(4)
    size = await plot.bounding_box()
    assert size is not None
    await plot.hover(position={"x": size["width"] - 5, "y": 50})
    tooltip = chart.locator(".ock-w-tooltip")
    await expect(tooltip).to_contain_text("black: -3")
    await plot.focus()
    await plot.press("Home")
    await expect(tooltip).to_contain_text("black: 40")
    await plot.press("Escape")
    await expect(tooltip).to_have_count(0)
    await expect(chart.get_by_role("row").nth(2)).to_have_text(re.compile(r"Feb\s*-3\s*38"))
