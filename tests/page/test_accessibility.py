"""The page works for everybody: axe-core finds nothing, and no width needs scrolling sideways."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from chatkit.types import (
    GeneratedImageItem,
    ProgressUpdateEvent,
    ThreadItemAddedEvent,
    ThreadStreamEvent,
)
from playwright.async_api import expect

from chatkit_server import Turn
from chatkit_server.testing import Gate
from tests.page.browsing import ChatPage
from tests.page.conftest import PHONE, OpenChat, OpenSite
from tests.page.everything import ALL_OPTIONS, every_item
from tests.page.site import said
from tests.programs import missing

AXE = Path(__file__).parents[2] / "plugins/chat_page/node_modules/axe-core/axe.min.js"
RUN = """
async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.flatMap(({ id, help, nodes }) => nodes.map(({ html, failureSummary }) =>
    `${id} (${help}): ${html}: ${failureSummary}`));
}
"""
WIDE = """
(element) => [...element.shadowRoot.querySelectorAll("ock-shell, ock-shell *")]
  .filter((each) => {
    const { overflowX } = getComputedStyle(each);
    const scrolls = overflowX === "auto" || overflowX === "scroll";
    return !scrolls && each.getBoundingClientRect().right > innerWidth + 1
      && !each.closest("[data-scrolls], pre, table");
  })
  .map((each) => each.outerHTML.slice(0, 200))
"""
# So high that every item is drawn at once
TALL = {"width": 900, "height": 5000}
MOVES = """
(element) => element.shadowRoot.getAnimations()
  .filter((each) => each.effect.getComputedTiming().duration > 1)
  .map((each) => each.animationName ?? each.transitionProperty)
"""
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"theme": "light", "context": {"viewport": TALL}},
    "dark": {"theme": "dark", "context": {"viewport": TALL}},
    "german": {"locale": "de", "theme": "dark"},
    "right-to-left": {"locale": "ar"},
    "pale accent": {
        "theme": {"colorScheme": "light", "color": {"accent": {"primary": "#ffcc00", "level": 3}}},
        "context": {"viewport": TALL},
    },
    "dark surface": {
        "theme": {
            "colorScheme": "dark",
            "color": {
                "accent": {"primary": "#1a0033", "level": 1},
                "surface": {"background": "#101820", "foreground": "#f0f0f0"},
            },
        },
        "context": {"viewport": TALL},
    },
    "phone": {"context": {**PHONE, "viewport": {**TALL, "width": 390}}},
    "zoomed": {"context": {"viewport": {**TALL, "width": 320}}},
}


async def audit(chat: ChatPage) -> None:
    """Fail for what axe-core finds."""
    if not AXE.exists():
        missing(f"{AXE} is missing: cd plugins/chat_page && npm ci")
    await chat.page.evaluate(AXE.read_text())
    found = await chat.page.evaluate(RUN)
    assert not found, "\n".join(found)


async def whole(chat_page: OpenChat, **look: Any) -> ChatPage:
    """Open a conversation with everything."""
    chat = await chat_page(ALL_OPTIONS, **look)
    await chat.call("setThreadId", chat.seed(*every_item(), title="Everything about tea"))
    await chat.heard("chatkit.thread.load.end")
    return chat


@pytest.mark.parametrize("look", LOOKS)
async def test_axe_finds_nothing_in_a_conversation(chat_page: OpenChat, look: str) -> None:
    chat = await whole(chat_page, **LOOKS[look])
    await audit(chat)
    width = await chat.page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    assert width <= 0
    assert await chat.element.evaluate(WIDE) == []


async def test_axe_finds_nothing_on_the_start_screen_and_in_menus(chat_page: OpenChat) -> None:
    chat = await chat_page(ALL_OPTIONS, theme="dark")
    await audit(chat)
    for opens in ("Tools", "Quick", "Mention"):
        await chat.composer.get_by_role("button", name=opens).first.click()
        await expect(chat.element.locator('[part~="menu"]').first).to_be_visible()
        await audit(chat)
        await chat.page.keyboard.press("Escape")


async def test_axe_finds_nothing_in_the_history(chat_page: OpenChat) -> None:
    chat = await chat_page(ALL_OPTIONS)
    for title in ("Tea", "Coffee", None):
        chat.seed(said("Hello"), title=title)
    await chat.call("showHistory")
    await expect(chat.element.get_by_text("Coffee")).to_be_visible()
    await audit(chat)


async def test_axe_finds_nothing_where_users_sign_in(
    chat_page: OpenChat, open_server: OpenSite
) -> None:
    site = await open_server(plugins={"jwt_auth": {"secret": "x" * 32}})
    chat = await chat_page(path="/", site=site, context=PHONE)
    dialog = chat.page.get_by_role("dialog", name="Sign in")
    await expect(dialog.get_by_label("Token")).to_be_focused()
    await audit(chat)
    await dialog.get_by_label("Token").fill("no token")
    await dialog.get_by_role("button", name="Sign in").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("no token")
    await audit(chat)


async def test_nothing_moves_for_who_wants_less_motion(chat_page: OpenChat) -> None:
    chat = await chat_page(ALL_OPTIONS)
    gate = Gate()

    async def answer(turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        yield ThreadItemAddedEvent(item=turn.new_item(GeneratedImageItem))
        yield ProgressUpdateEvent(text="Counting leaves")
        await gate.passed()

    chat.script(answer)
    await chat.send("Draw", wait=False)
    await gate.reached()
    await expect(chat.element.get_by_text("Counting leaves")).to_be_visible()
    assert await chat.element.evaluate(MOVES) == []
    gate.open()
    await chat.call("showHistory")
    assert await chat.element.evaluate(MOVES) == []
