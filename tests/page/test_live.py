"""A conversation in two pages at once, over cut connections, and after the element is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from chatkit.types import ThreadItem, ThreadStreamEvent
from playwright.async_api import Response, Route, expect

from chatkit_server import Turn, User, hookimpl
from chatkit_server.events.places import news, place_of_thread
from chatkit_server.storage import MemoryEventLog, MemoryTurnStore
from chatkit_server.testing import Gate, MemoryStore
from tests.page.browsing import ChatPage
from tests.page.conftest import OpenChat, OpenSite
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


class Shared:
    """What the processes of a deployment share."""

    def __init__(self) -> None:
        self.memory = MemoryStore()
        self.turns = MemoryTurnStore()
        self.log = MemoryEventLog()

    @hookimpl
    def store(self) -> MemoryStore:
        return self.memory

    @hookimpl
    def turn_store(self) -> MemoryTurnStore:
        return self.turns

    @hookimpl
    def event_log(self) -> MemoryEventLog:
        return MemoryEventLog(self.log)

    def put(self, user: str, thread: str, item: ThreadItem) -> None:
        """Save an item, and tell of it, as a server does by itself."""
        self.memory.items[thread][item.id] = item.model_copy(update={"thread_id": thread})
        self.log.tell(place_of_thread(User(id=user), thread), news("item", item.id))


@pytest_asyncio.fixture(loop_scope="session")
async def devices(
    chat_page: OpenChat, open_server: OpenSite
) -> tuple[ChatPage, ChatPage, Shared, str]:
    """Two devices of a user at two processes, which show the same conversation."""
    shared = Shared()
    sites = [await open_server(shared) for _ in range(2)]
    for site in sites:
        site.store = shared.memory
    first = await chat_page(site=sites[0])
    thread = first.seed(said("Before?"), answered("Before."))
    second = await chat_page(user=first.user, site=sites[1])
    for chat in (first, second):
        await shows_and_watches(chat, thread)
    return first, second, shared, thread


async def shows_and_watches(chat: ChatPage, thread: str) -> None:
    def is_watched(response: Response) -> bool:
        return response.url.endswith("/events?turns=notes") and response.ok

    async with chat.page.expect_response(is_watched):
        await chat.call("setThreadId", thread)
    await expect(chat.transcript).to_contain_text("Before.")


Devices = tuple[ChatPage, ChatPage, Shared, str]


async def test_another_device_at_another_process_follows_the_answer(devices: Devices) -> None:
    first, second, _, _ = devices
    for asking, looking in ((first, second), (second, first)):
        held = Held()
        asking.script(held)
        ended = [await chat.count("chatkit.response.end") for chat in (asking, looking)]
        await asking.send("And now?", wait=False)
        await expect(looking.items.last).to_contain_text("word5")
        held.gate.open()
        for chat, times in zip((asking, looking), ended, strict=True):
            await chat.heard("chatkit.response.end", times + 1)
            await expect(chat.items.last).to_contain_text("word11")
            assert (await chat.items.last.inner_text()).count("word3 ") == 1
    for chat in (first, second):
        assert await chat.count("chatkit.response.end") == 2


async def test_what_the_server_puts_into_a_conversation_appears(devices: Devices) -> None:
    first, second, shared, thread = devices
    shared.put(first.user, thread, answered("Your parcel has arrived."))
    for chat in (first, second):
        await expect(chat.items.last).to_contain_text("Your parcel has arrived.")


async def test_a_hidden_page_shows_what_it_missed(devices: Devices) -> None:
    first, second, shared, thread = devices
    await second.page.evaluate(SHOW, False)
    shared.put(first.user, thread, answered("Your parcel has arrived."))
    await expect(first.items.last).to_contain_text("Your parcel has arrived.")
    assert "parcel" not in await second.text()
    await second.page.evaluate(SHOW, True)
    await expect(second.items.last).to_contain_text("Your parcel has arrived.")


async def test_a_conversation_that_another_device_deletes_is_left(devices: Devices) -> None:
    first, second, _, thread = devices
    await first.page.evaluate(DELETE, thread)
    for chat in (first, second):
        await expect(chat.items).to_have_count(0)
        last = (await chat.events("chatkit.thread.change"))[-1]
        assert last["detail"] == {"threadId": None}
        assert not await chat.count("chatkit.error")


async def test_a_server_that_streams_no_threads_is_asked_once_and_polled(
    chat_page: OpenChat,
) -> None:
    first = await chat_page()
    thread = first.seed(said("Before?"), answered("Before."))
    second = await chat_page(user=first.user)
    missing: list[str] = []

    async def refuse(route: Route) -> None:
        missing.append(route.request.url)
        await route.fulfill(status=404, json={"message": "Not Found"})

    await second.page.route("**/threads/*/events**", refuse)
    async with second.page.expect_request(lambda request: request.url.endswith("/turn?wait=25")):
        await second.call("setThreadId", thread)
    await first.call("setThreadId", thread)
    held = Held()
    first.script(held)
    await first.send("And now?", wait=False)
    await expect(second.items.last).to_contain_text("word5")
    held.gate.open()
    await expect(second.items.last).to_contain_text("word11")
    assert len(missing) == 1


SHOW = """
(isVisible) => {
  Object.defineProperty(document, "hidden", { value: !isVisible, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}
"""

DELETE = """
(thread_id) => fetch("/api/chat", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ type: "threads.delete", params: { thread_id } }),
})
"""

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
