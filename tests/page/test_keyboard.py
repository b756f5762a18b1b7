"""Everything by keyboard, and the focus is never lost."""

from __future__ import annotations

from typing import Any

from chatkit.types import NoticeEvent, ThreadItemDoneEvent, ThreadItemRemovedEvent, WidgetItem
from playwright.async_api import expect

from chatkit_server import Turn
from chatkit_server.testing import Gate
from tests.page.browsing import ChatPage
from tests.page.conftest import OpenChat
from tests.page.everything import ALL_OPTIONS, every_item, order
from tests.page.site import answered, said

FOCUSED = """
() => {
  let each = document.activeElement;
  while (each?.shadowRoot?.activeElement) each = each.shadowRoot.activeElement;
  if (!each || each === document.body || each.shadowRoot) return null;
  const name = each.ariaLabel || each.innerText?.trim() || each.labels?.[0]?.innerText
    || each.title || each.placeholder || each.getAttribute("aria-labelledby") || "";
  const box = each.getBoundingClientRect();
  const around = [each, each.parentElement, each.closest("[part~=composer-box], label")];
  const marked = around.some((some) => some && (
    getComputedStyle(some).outlineStyle !== "none" || getComputedStyle(some).boxShadow !== "none"));
  return {
    tag: each.localName, part: each.getAttribute("part") ?? "", name, marked,
    seen: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    html: each.outerHTML.slice(0, 200),
  };
}
"""
"""The element that has the focus, through shadow roots; null if it is nowhere."""


async def focused(chat: ChatPage) -> dict[str, Any] | None:
    found: dict[str, Any] | None = await chat.page.evaluate(FOCUSED)
    return found


async def press(chat: ChatPage, *keys: str) -> None:
    for key in keys:
        await chat.page.keyboard.press(key)


async def tab_to(chat: ChatPage, name: str, key: str = "Tab") -> None:
    """Press Tab until a control with this in its name has the focus."""
    for _ in range(80):
        await press(chat, key)
        at = await focused(chat)
        if at and name in at["name"]:
            return
    raise AssertionError(f"{name} is not reached by {key}")


async def test_each_stop_of_a_tour_has_a_name_and_a_mark_and_is_in_view(
    chat_page: OpenChat,
) -> None:
    chat = await chat_page(ALL_OPTIONS)
    await chat.call("setThreadId", chat.seed(*every_item(), title="Tea"))
    await chat.heard("chatkit.thread.load.end")
    stops = []
    for _ in range(150):
        await press(chat, "Tab")
        if (at := await focused(chat)) is None:
            break
        stops.append(at)
    wrong = [at["html"] for at in stops if not (at["name"] and at["marked"] and at["seen"])]
    assert not wrong, "\n".join(wrong)
    assert 20 < len(stops) < 150  # the tour goes through, and out again


async def test_a_conversation_by_keyboard(chat_page: OpenChat) -> None:
    chat = await chat_page(ALL_OPTIONS)
    await tab_to(chat, "Draw a sunset")
    await press(chat, "Enter")
    await chat.heard("chatkit.response.end")
    assert await focused(chat)
    await chat.call("focusComposer")
    await chat.page.keyboard.type("Show card")
    await press(chat, "Enter")
    await chat.heard("chatkit.response.end", 2)
    at = await focused(chat)
    assert at is not None
    assert at["tag"] == "textarea"
    await tab_to(chat, "Like", "Shift+Tab")
    await press(chat, "Enter")
    await expect(chat.element.get_by_text("Like (1)")).to_be_visible()
    assert await focused(chat)
    await tab_to(chat, "Hide", "Shift+Tab") if not await is_at(chat, "Hide") else None
    await press(chat, "Enter")
    await expect(chat.items.get_by_text("One kettle")).to_have_count(0)
    assert await focused(chat), "the focus is lost with the widget that had it"


async def is_at(chat: ChatPage, name: str) -> bool:
    at = await focused(chat)
    return at is not None and name in at["name"]


async def test_the_history_by_keyboard(chat_page: OpenChat) -> None:
    chat = await chat_page(ALL_OPTIONS)
    for title in ("Tea", "Coffee", "Milk"):
        chat.seed(said("Hello"), answered(f"About {title}"), title=title)
    await tab_to(chat, "Conversations")
    await press(chat, "Enter")
    await expect(chat.element.get_by_text("Coffee")).to_be_visible()
    assert await focused(chat)
    await press(chat, "Escape")
    await expect(chat.element.get_by_text("Coffee")).to_be_hidden()
    assert await is_at(chat, "Conversations")
    await press(chat, "Enter")
    await tab_to(chat, "Coffee")
    await press(chat, "Enter")
    await expect(chat.transcript).to_contain_text("About Coffee")
    assert await focused(chat)


async def test_what_goes_away_takes_no_focus_with_it(chat_page: OpenChat) -> None:
    chat = await chat_page(ALL_OPTIONS)
    gate = Gate()

    async def answer(turn: Turn) -> Any:
        yield NoticeEvent(level="info", message="The shop opens at nine.")
        item = turn.new_item(WidgetItem, widget=order())
        yield ThreadItemDoneEvent(item=item)
        await gate.passed()
        yield ThreadItemRemovedEvent(item_id=item.id)

    chat.script(answer)
    await chat.send("What is new?", wait=False)
    await chat.transcript.get_by_role("button", name="Like").focus()
    gate.open()
    await chat.heard("chatkit.response.end")
    await expect(chat.items.get_by_text("One kettle")).to_have_count(0)
    assert await focused(chat), "a removed widget"
    dismiss = chat.element.get_by_role("button", name="Dismiss").last
    await dismiss.focus()
    await press(chat, "Enter")
    await expect(chat.element.get_by_text("opens at nine")).to_have_count(0)
    assert await focused(chat), "a dismissed notice"
