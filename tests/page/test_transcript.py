"""How the conversation scrolls, and which of it is in the document."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
)
from playwright.async_api import Locator, expect

from chatkit_server import Turn
from tests.page.browsing import ChatPage
from tests.page.conftest import OpenChat
from tests.page.site import answered, said

PLACE = """
(box) => ({
  top: box.scrollTop,
  left: Math.round(box.querySelector('.ock-room').getBoundingClientRect().top
    - box.getBoundingClientRect().bottom),
  rows: box.querySelectorAll('.ock-row').length,
  high: box.scrollHeight,
})
"""
FIRST = """
(box) => {
  const edge = box.getBoundingClientRect().top;
  const row = [...box.querySelectorAll('.ock-row')]
    .find((row) => row.getBoundingClientRect().bottom > edge + 1);
  return [row.dataset.item, Math.round(row.getBoundingClientRect().top - edge)];
}
"""
PUT = """
(transcript, count) => {
  const { chat } = transcript;
  const items = Array.from({ length: count }, (_, i) => ({
    id: `old_${i}`, thread_id: "t", created_at: "2025-01-01T00:00:00Z",
    ...(i % 2
      ? { type: "assistant_message", content: [{ type: "output_text", annotations: [],
          text: `Answer ${i}. ` + "Tea. ".repeat(i % 60) }] }
      : { type: "user_message", content: [{ type: "input_text", text: `Question ${i}` }],
          attachments: [], inference_options: {} }),
  }));
  chat.conversation.prepend(items);
  chat.tell("items");
}
"""
"""Puts older items before the others, as if they had been loaded."""


def talk(count: int) -> list[ThreadItem]:
    text = "Tea is a drink that is made of leaves and hot water. " * 6
    return [item for i in range(count) for item in (said(f"Q{i}"), answered(f"A{i}. {text}"))]


def lines(chat: ChatPage, text: str) -> Locator:
    """Return the paragraphs of answers with a text."""
    return chat.transcript.locator("ock-markdown p").filter(has_text=text)


class Answer:
    """An answer that says a line whenever it is told to."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[str | None] = asyncio.Queue()

    def say(self, *lines: str) -> None:
        for line in lines:
            self.lines.put_nowait(f"{line}\n\n")

    def end(self) -> None:
        self.lines.put_nowait(None)

    async def __call__(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        item = turn.new_item(AssistantMessageItem, content=[AssistantMessageContent(text="")])
        yield ThreadItemAddedEvent(item=item)
        whole = ""
        while (line := await self.lines.get()) is not None:
            whole += line
            update = AssistantMessageContentPartTextDelta(content_index=0, delta=line)
            yield ThreadItemUpdatedEvent(item_id=item.id, update=update)
        content = [AssistantMessageContent(text=whole)]
        yield ThreadItemDoneEvent(item=item.model_copy(update={"content": content}))


class Reader:
    """A tab whose conversation is scrolled."""

    def __init__(self, chat: ChatPage) -> None:
        self.chat = chat
        self.box = chat.transcript.locator('[part~="scroller"]')
        self.newest = chat.transcript.locator('[part~="newest"]')

    async def open(self, *items: ThreadItem) -> None:
        await self.chat.call("setThreadId", self.chat.seed(*items))
        await expect(self.chat.transcript.locator("article").last).to_be_visible()
        await self.until("left", "Math.abs(left) < 2")

    async def place(self) -> dict[str, float]:
        found: dict[str, float] = await self.box.evaluate(PLACE)
        return found

    async def until(self, _what: str, condition: str, still: int = 3) -> None:
        """Wait until a condition on the place has held for some frames."""
        await self.box.evaluate(
            f"""async (box, still) => {{
              const place = {PLACE};
              const frame = () => new Promise(requestAnimationFrame);
              const until = performance.now() + 15000;
              for (let held = 0; held < still && performance.now() < until; await frame()) {{
                const {{ top, left, rows, high }} = place(box);
                held = {condition} ? held + 1 : 0;
              }}
            }}""",
            still,
        )
        place = await self.place()
        assert await self.box.evaluate(
            f"(box, {{ top, left, rows, high }}) => {condition}", place
        ), f"{condition}: {place}"

    async def scroll_to(self, top: float) -> None:
        """Scroll as a user does, and let the view settle."""
        await self.box.dispatch_event("wheel")
        await self.box.evaluate("(box, top) => { box.scrollTop = top }", top)
        await self.settle()

    async def settle(self) -> None:
        await self.box.evaluate(
            """async (box) => {
              for (let i = 0; i < 8; i++) await new Promise(requestAnimationFrame);
            }"""
        )

    async def first(self) -> Any:
        """Return which item is at the upper edge, and where it begins."""
        return await self.box.evaluate(FIRST)


async def test_a_conversation_opens_at_its_end_and_loads_older_items_in_place(
    chat_page: OpenChat,
) -> None:
    reader = Reader(await chat_page())
    await reader.open(*talk(40))
    await expect(reader.newest).to_be_hidden()
    loaded = "(t) => t.chat.conversation.items.length"
    count = await reader.chat.transcript.evaluate(loaded)
    await reader.scroll_to(300)
    seen = await reader.first()
    await reader.chat.page.wait_for_function(
        "([t, n]) => t.chat.conversation.items.length > n",
        arg=[await reader.chat.transcript.element_handle(), count],
    )
    await reader.settle()
    assert await reader.first() == seen
    await expect(reader.newest).to_be_visible()
    await reader.newest.click()
    await reader.until("left", "Math.abs(left) < 2")
    await expect(reader.newest).to_be_hidden()
    await expect(reader.box).to_be_focused()


async def test_older_items_that_cannot_be_loaded_can_be_asked_for_again(
    chat_page: OpenChat,
) -> None:
    chat = await chat_page()
    reader = Reader(chat)

    async def refuse(route: Any) -> None:
        body = route.request.post_data or ""
        if '"after"' in body:
            await route.fulfill(status=400, json={"message": "No."})
        else:
            await route.fallback()

    await chat.page.route("**/api/chat", refuse)
    await reader.open(*talk(12))
    await reader.scroll_to(0)
    older = chat.transcript.locator('[part~="older"]')
    await expect(older).to_contain_text("Try again")
    await chat.page.unroute("**/api/chat")
    await older.click()
    await expect(older).to_have_count(0)
    await reader.scroll_to(0)
    await expect(chat.transcript).to_contain_text("Q0")


async def test_a_sent_message_is_at_the_top_and_the_answer_grows_below(
    chat_page: OpenChat,
) -> None:
    chat = await chat_page()
    reader = Reader(chat)
    await reader.open(*talk(5))
    answer = Answer()
    chat.script(answer)
    await chat.send("What now?", wait=False)
    message = chat.transcript.locator("article").filter(has_text="What now?")
    await expect(message).to_be_visible()
    await reader.settle()
    top = await reader.first()
    edge = await reader.box.bounding_box()
    box = await message.bounding_box()
    assert edge is not None
    assert box is not None
    assert box["y"] - edge["y"] < 40
    typing = chat.transcript.locator('[part~="typing"]')
    await expect(typing).to_be_visible()
    answer.say(*["A line of the answer."] * 30)
    await expect(lines(chat, "A line of the answer.")).to_have_count(30)
    await expect(typing).to_have_count(0)
    await reader.settle()
    # Without autoScroll, what is read stays
    assert await reader.first() == top
    await expect(reader.newest).to_be_visible()
    answer.end()
    await chat.heard("chatkit.response.end")
    assert await reader.first() == top


async def test_with_auto_scroll_the_end_is_followed_until_the_user_reads_above(
    chat_page: OpenChat,
) -> None:
    chat = await chat_page(thread={"autoScroll": True})
    reader = Reader(chat)
    await reader.open(*talk(5))
    answer = Answer()
    chat.script(answer)
    await chat.send("What now?", wait=False)
    answer.say(*["A line of the answer."] * 30)
    await expect(lines(chat, "A line of the answer.")).to_have_count(30)
    await reader.until("left", "left < 2")
    answer.say(*["More."] * 10)
    await expect(lines(chat, "More.")).to_have_count(10)
    await reader.until("left", "left < 2")
    place = await reader.place()
    await reader.scroll_to(place["top"] - 200)
    seen = await reader.first()
    answer.say(*["Even more."] * 10)
    await expect(lines(chat, "Even more.")).to_have_count(10)
    await reader.settle()
    assert await reader.first() == seen
    answer.end()


async def test_nothing_moves_when_something_above_or_in_it_grows(chat_page: OpenChat) -> None:
    chat = await chat_page()
    reader = Reader(chat)
    await reader.open(*talk(8))
    await reader.scroll_to((await reader.place())["top"] - 700)
    item, top = await reader.first()
    grown = """
    async (transcript, item) => {
      const row = transcript.querySelector(`[data-item="${item}"]`).previousElementSibling;
      row.append(Object.assign(document.createElement("div"), { className: "test-grown" }));
      row.lastChild.style.blockSize = "333px";
    }
    """
    await chat.transcript.evaluate(grown, item)
    await reader.settle()
    assert await reader.first() == [item, top]


async def test_of_thousands_of_items_a_window_is_in_the_document(chat_page: OpenChat) -> None:
    chat = await chat_page()
    reader = Reader(chat)
    await reader.open(*talk(4))
    await chat.transcript.evaluate(PUT, 5000)
    await reader.until("rows", "high > 100000 && rows < 90 && Math.abs(left) < 2")
    high = (await reader.place())["high"]
    for part in (0.5, 0.1):
        await reader.scroll_to(high * part)
        await reader.until("rows", "rows > 20 && rows < 90")
        seen = await reader.first()
        await reader.settle()
        assert await reader.first() == seen
    await reader.newest.click()
    await reader.until("left", "Math.abs(left) < 2")
    await expect(chat.transcript).to_contain_text("Q3")
    # Rows that went leave nothing behind; since 3.3, lit-html's `repeat` leaves a comment of each
    list_of_rows = chat.transcript.locator(".ock-rows")
    nodes, elements = await list_of_rows.evaluate(
        "(rows) => [rows.childNodes.length, rows.children.length]"
    )
    assert nodes <= 3 * elements + 5


async def test_what_the_user_wrote_in_a_row_is_kept_when_it_is_far_away(
    chat_page: OpenChat,
) -> None:
    chat = await chat_page()
    reader = Reader(chat)
    await chat.send("ask me something")
    field = chat.transcript.get_by_role("textbox", name="Which cup?")
    await field.fill("the blue one")
    await chat.transcript.evaluate(PUT, 400)
    await reader.until("high", "high > 10000")
    await reader.scroll_to(0)
    await expect(chat.transcript).to_contain_text("Question 0")
    await reader.newest.click()
    await expect(field).to_have_value("the blue one")


async def test_the_keyboard_moves_from_item_to_item(chat_page: OpenChat) -> None:
    chat = await chat_page()
    reader = Reader(chat)
    await reader.open(*talk(6))
    rows = chat.transcript.locator("article")
    press = chat.page.keyboard.press
    await reader.box.focus()
    await press("Alt+ArrowUp")
    await press("End")
    await expect(rows.last).to_be_focused()
    await press("ArrowUp")
    await expect(rows.nth(-2)).to_be_focused()
    await press("Home")
    await expect(rows.first).to_be_focused()
    await expect(rows.first).to_be_in_viewport()
    await press("Alt+ArrowDown")
    await expect(rows.nth(1)).to_be_focused()
    # The focus keeps its row in the document, and is not lost with it
    await chat.transcript.evaluate(PUT, 1000)
    await reader.until("high", "high > 50000")
    await reader.scroll_to(0)
    await expect(chat.transcript.locator("article:focus")).to_contain_text("A0.")
