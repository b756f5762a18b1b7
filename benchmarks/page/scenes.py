"""What is measured: the first load, answers that stream, and a long conversation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from playwright.async_api import Page

from .browser import Figures, Tab, new_tab
from .server import LONG

ENDS = """
window.ended = 0;
document.querySelector("open-chatkit").addEventListener("chatkit.response.end", () => ended++);
"""
TOP = """
() => {
  const root = document.querySelector("open-chatkit").shadowRoot;
  return root.querySelector("ock-transcript").textContent.includes("Question 0:");
}
"""


@dataclass(frozen=True)
class Load:
    """How much: tokens, tokens a second, items of the long conversation."""

    tokens: int
    rate: float
    items: int


async def say(page: Page, text: str) -> None:
    """Send a message."""
    field = page.locator("ock-composer").get_by_role("textbox").first
    await field.fill(text)
    await field.press("Enter")


async def answer(tab: Tab, url: str, kind: str, load: Load) -> Figures:
    """Let an answer stream to its end."""
    await tab.open(url)
    await tab.page.evaluate(ENDS)
    await say(tab.page, f"{kind} 50 100")
    await tab.page.wait_for_function("() => ended === 1")
    before = await tab.begin()
    await say(tab.page, f"{kind} {load.tokens} {load.rate}")
    limit = (load.tokens / load.rate * 2 + 60) * 1000
    await tab.page.wait_for_function("() => ended === 2", polling=250, timeout=limit)
    return await tab.end(before)


async def opened(tab: Tab, url: str, load: Load) -> Figures:
    """Open the long conversation, and wait until it is there."""
    await tab.open(url)
    before = await tab.begin()
    await tab.page.evaluate("id => document.querySelector('open-chatkit').setThreadId(id)", LONG)
    await tab.page.get_by_text(f"Question {load.items - 2}:").first.wait_for()
    return await tab.end(before)


async def scrolled(tab: Tab, url: str, load: Load) -> Figures:
    """Scroll the long conversation from its end to its beginning, and back."""
    await opened(tab, url, load)
    before = await tab.begin()
    await tab.page.mouse.move(500, 300)
    await _wheel_until(tab.page, -1500, TOP)
    bottom = TOP.replace("Question 0:", f"Question {load.items - 2}:")
    await _wheel_until(tab.page, 6000, bottom)
    return await tab.end(before)


async def _wheel_until(page: Page, delta: int, condition: str) -> None:
    for _ in range(4000):
        await page.mouse.wheel(0, delta)
        await page.wait_for_timeout(30)
        if await page.evaluate(condition):
            return
    raise TimeoutError(f"the conversation does not come to its end: {condition}")


async def answered_there(tab: Tab, url: str, load: Load) -> Figures:
    """Let an answer stream in the long conversation."""
    await opened(tab, url, load)
    await tab.page.evaluate(ENDS)
    before = await tab.begin()
    await say(tab.page, f"mixed {min(load.tokens, 2000)} {load.rate}")
    await tab.page.wait_for_function("() => ended === 1", polling=250, timeout=120_000)
    return await tab.end(before)


Scene = Callable[[Tab, str, Load], Awaitable[Figures]]


def answer_of(kind: str) -> Scene:
    """Return the scene of an answer of this kind of text."""

    async def scene(tab: Tab, url: str, load: Load) -> Figures:
        return await answer(tab, url, kind, load)

    return scene


SCENES: dict[str, Scene] = {
    "answer": answer_of("mixed"),
    "paragraph": answer_of("paragraph"),
    "list": answer_of("list"),
    "table": answer_of("table"),
    "code": answer_of("code"),
    "open": opened,
    "scroll": scrolled,
    "answer-there": answered_there,
}


async def measure(name: str, url: str, load: Load) -> tuple[Figures, dict[str, int]]:
    """Run a scene in a browser of its own; return its figures, and what was loaded at first."""
    async with new_tab() as tab:
        figures = await SCENES[name](tab, url, load)
        return figures, tab.loaded
