"""What a user does with widgets: buttons, forms, dates, and what happens meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from chatkit.types import (
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    WidgetItem,
    WidgetRootUpdated,
    WidgetStreamingTextValueDelta,
)
from chatkit.widgets import DynamicWidgetRoot
from playwright.async_api import Locator, Route, expect

from chatkit_server import Turn
from tests.page.browsing import ChatPage
from tests.page.conftest import OpenChat
from tests.page.site import fresh

OPTIONS = [{"value": value, "label": value.capitalize()} for value in ("assam", "sencha")]
NO_EVENTS = 'data: {"type": "stream_options", "stream_options": {"allow_cancel": true}}\n\n'


def part(type: str, *children: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"type": type, **rest} | ({"children": [*children]} if children else {})


def root(type: str, *children: dict[str, Any], **rest: Any) -> DynamicWidgetRoot:
    return DynamicWidgetRoot.model_validate(part(type, *children, **rest))


async def show(chat: ChatPage, *widgets: DynamicWidgetRoot) -> Locator:
    """Open a conversation with widgets."""
    items = [WidgetItem(**fresh("wgt"), widget=widget) for widget in widgets]
    await chat.call("setThreadId", chat.seed(*items))
    shown = chat.transcript.locator("ock-widget")
    await expect(shown).to_have_count(len(widgets))
    return shown


class Actions:
    """Answers actions in place of the server. They wait while `hold` is set."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.status = 200
        self.hold: asyncio.Event | None = None
        self.heard = asyncio.Condition()

    async def answer(self, route: Route) -> None:
        request = json.loads(route.request.post_data or "{}")
        if "custom_action" not in request["type"]:
            await route.continue_()
            return
        async with self.heard:
            self.sent.append(request["params"]["action"])
            self.heard.notify_all()
        if self.hold:
            await self.hold.wait()
        streams = request["type"] == "threads.custom_action"
        kind = "text/event-stream" if streams and self.status == 200 else "application/json"
        body = NO_EVENTS if streams and self.status == 200 else '{"message": "Out of tea."}'
        await route.fulfill(status=self.status, content_type=kind, body=body)

    async def come(self, *payloads: Any) -> None:
        """Wait until the last actions have these payloads."""
        async with asyncio.timeout(20), self.heard:
            await self.heard.wait_for(lambda: self.payloads[-len(payloads) :] == [*payloads])

    @property
    def payloads(self) -> list[Any]:
        return [action.get("payload") for action in self.sent]


@asynccontextmanager
async def answered_actions(chat: ChatPage) -> AsyncIterator[Actions]:
    actions = Actions()
    await chat.page.route("**/api/chat", actions.answer)
    yield actions
    await chat.page.unroute_all(behavior="ignoreErrors")


async def test_a_form_sends_its_fields(chat_page: OpenChat) -> None:
    chat = await chat_page()
    order = root(
        "Card",
        part("Label", value="Name", fieldName="name"),
        part("Input", name="name", required=True),
        part("Input", name="address.city", placeholder="City", pattern="[A-Z].*"),
        part("Input", name="mail", inputType="email", placeholder="Mail"),
        part("Select", name="tea", options=OPTIONS, placeholder="Tea"),
        part("RadioGroup", name="size", options=OPTIONS, ariaLabel="Size", required=True),
        part("Checkbox", name="gift", label="It is a present"),
        part("Text", value="A note", editable={"name": "note", "placeholder": "Note"}),
        asForm=True,
        confirm={"label": "Order", "action": {"type": "order", "payload": {"address": {"id": 7}}}},
    )
    [widget] = await (await show(chat, order)).all()
    async with answered_actions(chat) as actions:
        name = widget.get_by_label("Name")
        await name.press("Enter")
        await expect(widget.get_by_text("Fill in this field.")).to_be_visible()
        await expect(widget.get_by_text("Choose one.")).to_be_visible()
        await expect(name).to_be_focused()
        await expect(name).to_have_accessible_description("Fill in this field.")
        await name.fill("Ada")
        await expect(widget.get_by_text("Fill in this field.")).to_have_count(0)
        await widget.get_by_label("City").fill("ulm")
        await widget.get_by_label("Mail").fill("ada")
        await widget.get_by_role("radiogroup", name="Size").get_by_label("Sencha").check()
        await widget.get_by_role("button", name="Order").click()
        await expect(widget.get_by_text("This does not have the expected form.")).to_be_visible()
        await expect(widget.get_by_text("Enter an e-mail address")).to_be_visible()
        assert not actions.sent
        await widget.get_by_label("City").fill("Ulm")
        await widget.get_by_label("Mail").fill("ada@example.com")
        await widget.get_by_label("Tea").select_option("assam")
        await widget.get_by_label("It is a present").check()
        await widget.get_by_label("Note").fill("Thanks")
        await widget.get_by_label("Mail").press("Enter")
        await expect(widget.locator("[aria-busy]")).to_have_count(0)
    filled = {"name": "Ada", "mail": "ada@example.com", "tea": "assam", "size": "sencha"}
    address = {"city": "Ulm", "id": 7}
    assert actions.payloads == [{**filled, "gift": True, "note": "Thanks", "address": address}]


async def test_what_runs_is_shown_and_runs_once(chat_page: OpenChat) -> None:
    chat = await chat_page(
        "(given) => ({...given, widgets: { onAction: (action, item) => "
        "{ window.acted = [action, item.id, item.widget.type]; } }})"
    )
    click = {"type": "go", "payload": {"a": 1}}
    buttons = root(
        "Card",
        part("Button", label="Auto", onClickAction=click),
        part("Button", label="All", onClickAction={**click, "loadingBehavior": "container"}),
        part("Button", label="None", onClickAction={**click, "loadingBehavior": "none"}),
        part("Button", label="Page", onClickAction={**click, "handler": "client"}),
        part("Checkbox", name="gift", label="Gift", onChangeAction={"type": "changed"}),
        part("RadioGroup", name="tea", options=OPTIONS, onChangeAction={"type": "changed"}),
        part("Select", name="tea", options=OPTIONS, onChangeAction={"type": "changed"}),
    )
    [widget] = await (await show(chat, buttons)).all()
    async with answered_actions(chat) as actions:
        whole, auto = widget.locator(".ock-widget"), widget.get_by_role("button", name="Auto")
        actions.hold = asyncio.Event()
        await auto.click()
        await expect(auto).to_have_attribute("aria-busy", "true")
        await auto.click()
        await expect(auto).to_be_focused()
        actions.hold.set()
        await expect(auto).not_to_have_attribute("aria-busy", "true")
        assert actions.payloads == [{"a": 1}]
        actions.hold = asyncio.Event()
        await widget.get_by_role("button", name="All").click()
        await expect(whole).to_have_attribute("aria-busy", "true")
        actions.hold.set()
        await expect(whole).not_to_have_attribute("aria-busy", "true")
        actions.hold = asyncio.Event()
        await widget.get_by_role("button", name="None").click()
        await expect(widget.locator("[aria-busy]")).to_have_count(0)
        actions.hold.set()
        await widget.get_by_role("button", name="Page").click()
        acted = await (await chat.page.wait_for_function("window.acted")).json_value()
        assert (acted[0], acted[2]) == ({"type": "go", "payload": {"a": 1}}, "Card")
        await actions.come({"a": 1}, {"a": 1}, {"a": 1})
        await widget.get_by_label("Gift").check()
        await widget.get_by_label("Sencha").check()
        await widget.get_by_role("combobox").select_option("assam")
        await actions.come({"gift": True}, {"tea": "sencha"}, {"tea": "assam"})
        actions.status = 422
        await auto.click()
        await expect(widget.get_by_role("alert")).to_contain_text("tea")
        actions.status = 200
        await auto.click()
        await expect(widget.get_by_role("alert")).to_have_count(0)


async def test_what_changes_keeps_the_focus_and_what_was_typed(chat_page: OpenChat) -> None:
    chat = await chat_page()
    went_on = asyncio.Event()

    def card(*more: dict[str, Any], text: str = "") -> DynamicWidgetRoot:
        note = part("Text", id="note", value=text, streaming=True)
        return root("Card", *more, note, part("Row", part("Input", name="name")))

    async def answer(turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        item = turn.new_item(WidgetItem, widget=card())
        yield ThreadItemAddedEvent(item=item)
        await went_on.wait()
        for word in ("Tea", " is", " ready"):
            delta = WidgetStreamingTextValueDelta(component_id="note", delta=word, done=False)
            yield ThreadItemUpdatedEvent(item_id=item.id, update=delta)
        whole = card(
            part("Title", value="News"), part("Row", part("Badge", label="1")), text="Tea!"
        )
        yield ThreadItemUpdatedEvent(item_id=item.id, update=WidgetRootUpdated(widget=whole))
        yield ThreadItemDoneEvent(item=item.model_copy(update={"widget": whole}))

    chat.script(answer)
    await chat.send("tea", wait=False)
    widget = chat.transcript.locator("ock-widget")
    field = widget.get_by_role("textbox", name="name")
    await field.fill("Ada")
    await field.evaluate("(field) => { field.setSelectionRange(1, 2); window.field = field; }")
    text = await widget.locator(".ock-w-text").element_handle()
    assert text
    went_on.set()
    await expect(widget).to_contain_text("News")
    await expect(widget).to_contain_text("Tea!")
    await expect(field).to_be_focused()
    await expect(field).to_have_value("Ada")
    assert await field.evaluate("(field) => [field === window.field, field.selectionStart]") == [
        True,
        1,
    ]
    assert await text.evaluate("(text) => text.isConnected")


async def test_the_focus_is_not_lost(chat_page: OpenChat) -> None:
    chat = await chat_page()
    items = [part("ListViewItem", part("Text", value=f"Tea {n}")) for n in range(4)]
    [listed] = await (await show(chat, root("ListView", *items, limit=2))).all()
    await listed.get_by_role("button", name="Show 2 more").press("Enter")
    await expect(listed.get_by_role("listitem").nth(2)).to_be_focused()
    await chat.send("show a list")
    shown = chat.transcript.locator("ock-widget").last
    await shown.get_by_role("button", name="Darjeeling").press("Enter")
    await expect(shown).to_contain_text("You picked Darjeeling.")
    await expect(shown.locator(".ock-widget")).to_be_focused()


async def test_a_day_is_picked(chat_page: OpenChat) -> None:
    chat = await chat_page()
    limits = {"min": "2026-01-10T00:00:00Z", "max": "2026-02-20T00:00:00Z", "clearable": True}
    picker = part("DatePicker", name="day", placeholder="Day", defaultValue="2026-01-31", **limits)
    spacer = part("Box", height=300)
    placed = {**picker, "side": "top", "align": "end", "onChangeAction": {"type": "changed"}}
    [widget] = await (await show(chat, root("Card", spacer, placed))).all()
    field = widget.get_by_role("combobox", name="Day")
    await expect(field).to_have_text("Jan 31, 2026")
    async with answered_actions(chat) as actions:
        await field.press("ArrowDown")
        days = widget.get_by_role("grid")
        await expect(days.get_by_role("button", name="January 31, 2026")).to_be_focused()
        [popup, control] = [
            await each.bounding_box() for each in (widget.get_by_role("dialog"), field)
        ]
        assert popup is not None
        assert control is not None
        assert popup["y"] + popup["height"] < control["y"]
        await expect(days.get_by_role("button", name="January 9, 2026")).to_be_disabled()
        for key in ("PageDown", "ArrowUp", "Home", "Enter"):
            await chat.page.keyboard.press(key)
        await expect(field).to_have_text("Feb 8, 2026")
        await expect(field).to_be_focused()
        await widget.get_by_role("button", name="Clear").click()
        await expect(field).to_have_text("Day")
        await actions.come({"day": "2026-02-08"}, {"day": ""})
        await field.click()
        await expect(days).to_be_visible()
        await chat.page.keyboard.press("Escape")
        await expect(days).to_have_count(0)
        await expect(field).to_be_focused()


async def test_a_long_list_is_searched(chat_page: OpenChat) -> None:
    chat = await chat_page()
    teas = [{"value": f"t{n}", "label": f"Tea {n}", "description": f"Taste {n}"} for n in range(30)]
    select = part("Select", name="tea", options=teas, placeholder="Tea", block=True)
    [widget] = await (await show(chat, root("Card", part("Form", select)))).all()
    field = widget.get_by_role("combobox", name="Tea")
    await field.click()
    await expect(widget.get_by_role("combobox", name="Search")).to_be_focused()
    await chat.page.keyboard.type("taste 2")
    await expect(widget.get_by_role("option")).to_have_count(11)
    for key in ("ArrowDown", "Enter"):
        await chat.page.keyboard.press(key)
    await expect(field).to_have_text("Tea 20")
    await expect(field).to_be_focused()
