"""A conversation in two pages at once, over cut connections, and after the element is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from chatkit.types import ThreadStreamEvent
from playwright.async_api import expect

from chatkit_server import Turn
from chatkit_server.testing import Gate
from tests.page.conftest import OpenChat
from tests.page.everything import ALL_OPTIONS, every_item
from tests.page.site import Site, answered, said
from tests.proxy import Proxy, after_frames, inside_character

WORDS = [f"word{number} Grüße 🎈 " for number in range(12)]


@dataclass
class Held:
    """An answer that waits in its middle."""

    gate: Gate = field(default_factory=Gate)

    def __call__(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        return turn.say(self._words())

    async def _words(self) -> AsyncIterator[str]:
        for number, word in enumerate(WORDS):
            if number == 6:
                await self.gate.passed()
            yield word


async def test_a_second_page_follows_the_answer_of_the_first(chat_page: OpenChat) -> None:
    first = await chat_page()
    thread = first.seed(said("Before?"), answered("Before."))
    second = await chat_page(user=first.user, initialThread=thread)
    await expect(second.transcript).to_contain_text("Before.")
    await first.call("setThreadId", thread)
    held = Held()
    first.script(held)
    await first.send("And now?", wait=False)
    for chat in (first, second):
        await expect(chat.transcript).to_contain_text("word5")
    await expect(second.transcript).to_contain_text("And now?")
    held.gate.open()
    for chat in (first, second):
        await expect(chat.transcript).to_contain_text("word11")
        await chat.heard("chatkit.response.end")
        assert (await chat.text()).count("word3 ") == 1


async def test_a_reload_in_the_middle_of_an_answer_loses_nothing(chat_page: OpenChat) -> None:
    chat = await chat_page()
    thread = chat.seed(said("Before?"), answered("Before."))
    await chat.call("setThreadId", thread)
    held = Held()
    chat.script(held)
    await chat.send("And now?", wait=False)
    await expect(chat.transcript).to_contain_text("word5")
    await chat.page.reload()
    await chat.page.wait_for_function("() => !!customElements.get('open-chatkit')")
    await chat.options(initialThread=thread)
    await expect(chat.transcript).to_contain_text("word5")
    held.gate.open()
    await expect(chat.transcript).to_contain_text("word11")
    assert (await chat.text()).count("word3 ") == 1


@pytest.mark.parametrize(
    "cut",
    [after_frames(3), after_frames(9, more=12), inside_character(3)],
    ids=["between events", "in an event", "in a character"],
)
async def test_a_cut_connection_leaves_no_gap(
    chat_page: OpenChat, site: Site, cut: Callable[[bytes], int | None]
) -> None:
    async with Proxy(site.port) as proxy:
        chat = await chat_page(site=site.behind(proxy.port))
        held = Held()
        held.gate.open()
        chat.script(held)
        proxy.cuts.append(cut)
        await chat.send("Tell me")
        await expect(chat.items.last).to_contain_text("".join(WORDS).strip())
        assert proxy.made == 1


async def test_being_offline_is_shown(chat_page: OpenChat) -> None:
    chat = await chat_page()
    await chat.send("pay")
    await chat.page.context.set_offline(True)
    await expect(chat.element.get_by_text("offline").first).to_be_visible()
    await chat.page.context.set_offline(False)
    await expect(chat.element.get_by_text("offline").first).to_be_hidden()
    await chat.send("pay")


async def test_an_element_that_is_removed_leaves_nothing_behind(chat_page: OpenChat) -> None:
    chat = await chat_page(ALL_OPTIONS)
    thread = chat.seed(*every_item())
    devtools = await chat.page.context.new_cdp_session(chat.page)
    await devtools.send("Performance.enable")

    async def kept() -> tuple[int, int]:
        """Return the nodes and listeners that are in memory."""
        await devtools.send("HeapProfiler.collectGarbage")
        metrics = (await devtools.send("Performance.getMetrics"))["metrics"]
        found = {metric["name"]: int(metric["value"]) for metric in metrics}
        return found["Nodes"], found["JSEventListeners"]

    await chat.page.evaluate(ADD_AND_REMOVE, [thread, 3])
    before = await kept()
    await chat.page.evaluate(ADD_AND_REMOVE, [thread, 50])
    for _ in range(100):
        nodes, listeners = await kept()
        if nodes < before[0] + 300 and listeners < before[1] + 20:
            return
        # What is on its way from the server is dropped when it comes
        await asyncio.sleep(0.05)
    pytest.fail(f"before {before}, after {nodes, listeners}")


ADD_AND_REMOVE = """
async ([thread, times]) => {
  for (let number = 0; number < times; number++) {
    const element = document.createElement("open-chatkit");
    const loaded = new Promise((done) =>
      element.addEventListener("chatkit.thread.load.end", done, { once: true }));
    document.body.append(element);
    element.setOptions({ api: { url: "/api/chat" }, initialThread: thread });
    if (number % 10 === 0) await loaded;
    element.remove();
  }
}
"""
