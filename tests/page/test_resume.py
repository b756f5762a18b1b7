"""Answers go on: over lost connections, reloads, other tabs and devices; Stop reaches the model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from chatkit.actions import Action
from chatkit.types import (
    AssistantMessageItem,
    ClientEffectEvent,
    NoticeEvent,
    ThreadItemDoneEvent,
    ThreadStreamEvent,
)
from playwright.async_api import expect

from chatkit_server import Turn, hookimpl
from chatkit_server.testing.model_script import Gate
from tests.page.browsing import ChatPage
from tests.page.conftest import OpenChat, OpenSite
from tests.page.site import Site, answered, said
from tests.proxy import Proxy, after_frames, inside_character

TEXT = ("Grüße", ", ", "日本", " and ", "🎈", ".")
FOLLOWING = {"policy": "continue"}


class Answer:
    """An answer that waits at its gates, and notices that nobody wants it any more."""

    def __init__(self, *pieces: str | Gate) -> None:
        self._pieces = pieces
        self.stopped = asyncio.Event()

    async def __call__(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        yield ClientEffectEvent(name="began")
        try:
            async for event in turn.say(self._said()):
                yield event
        except (asyncio.CancelledError, GeneratorExit):
            self.stopped.set()
            raise

    async def _said(self) -> AsyncIterator[str]:
        for piece in self._pieces:
            if isinstance(piece, Gate):
                await piece.passed()
            else:
                yield piece


def messages(chat: ChatPage) -> Any:
    return chat.transcript.locator("article")


async def expect_answer(chat: ChatPage, text: str, count: int = 2) -> None:
    """Wait until the last of so many messages is this text, once."""
    await expect(messages(chat)).to_have_count(count)
    await expect(messages(chat).last.locator("ock-markdown")).to_have_text(text)


async def thread_of(chat: ChatPage) -> str:
    changes = await chat.events("chatkit.thread.change")
    return str(changes[-1]["detail"]["threadId"])


async def reload(chat: ChatPage, thread_id: str) -> None:
    await chat.page.reload()
    await chat.page.wait_for_function("() => !!customElements.get('open-chatkit')")
    await chat.options(initialThread=thread_id)


async def test_an_answer_goes_on_over_cut_connections(chat_page: OpenChat, site: Site) -> None:
    async with Proxy(site.port) as proxy:
        chat = await chat_page(site=site.behind(proxy.port))
        proxy.cuts.extend(
            [after_frames(4), inside_character(), after_frames(0, 3), after_frames(1)]
        )
        chat.script(Answer(*TEXT))
        await chat.send("Count")
        await expect_answer(chat, "".join(TEXT))
        assert proxy.made == 4
        assert [each["detail"]["name"] for each in await chat.events("chatkit.effect")] == ["began"]
        assert await chat.events("chatkit.error") == []
        # One of those requests began a turn, the others resumed it
        assert sum(request.startswith(b"POST /api/chat") for request in proxy.requests) == 1


async def test_a_reload_goes_on_without_a_gap(chat_page: OpenChat) -> None:
    chat = await chat_page()
    gate = Gate()
    chat.script(Answer("One, ", gate, "two."))
    await chat.send("Count", wait=False)
    await expect_answer(chat, "One, ")
    thread_id = await thread_of(chat)
    await reload(chat, thread_id)
    await expect_answer(chat, "One, ")
    assert await chat.events("chatkit.effect") == []
    gate.open()
    await expect_answer(chat, "One, two.")
    await chat.heard("chatkit.response.end")
    assert await chat.count("chatkit.response.start") == 1
    await chat.send("thanks")
    await expect(messages(chat)).to_have_count(4)


async def test_other_tabs_and_devices_follow(chat_page: OpenChat) -> None:
    first = await chat_page()
    first.script(Answer("Hello."))
    await first.send("Hi")
    thread_id = await thread_of(first)
    device = await chat_page(user=first.user, initialThread=thread_id)
    tab = ChatPage(await first.page.context.new_page(), first.site, first.user, first.troubles)
    await tab.page.goto(first.page.url)
    await tab.page.wait_for_function("() => !!customElements.get('open-chatkit')")
    await tab.options(initialThread=thread_id)
    followers = (tab, device)
    for chat in followers:
        await expect_answer(chat, "Hello.")
    for begins, number in ((first, 4), (device, 6)):
        gate = Gate()
        begins.script(Answer("One, ", gate, "two."))
        await begins.send("Count", wait=False)
        for chat in (first, *followers):
            await expect_answer(chat, "One, ", number)
        gate.open()
        for chat in (first, *followers):
            await expect_answer(chat, "One, two.", number)
    for chat in followers:
        effects = await chat.count("chatkit.effect")
        assert effects == (1 if chat is device else 0), "effects are for the page that asked"


async def test_an_answer_that_is_given_again_is_so_everywhere(chat_page: OpenChat) -> None:
    first = await chat_page(threadItemActions={"retry": True})
    first.script(Answer("Old."))
    await first.send("Hi")
    device = await chat_page(user=first.user, initialThread=await thread_of(first))
    await expect_answer(device, "Old.")
    gate = Gate()
    first.script(Answer("New", gate, "."))
    await first.transcript.locator('[part~="retry"]').click()
    await expect_answer(first, "New")
    gate.open()
    for chat in (first, device):
        await expect_answer(chat, "New.")


async def test_stop_stops_the_model(chat_page: OpenChat, open_server: OpenSite) -> None:
    # Nothing but Stop would end it
    site = await open_server(turns={"disconnect": FOLLOWING})
    chat = await chat_page(site=site)
    answer = Answer("One, ", Gate(), "two.")
    chat.script(answer)
    await chat.send("Count", wait=False)
    await expect_answer(chat, "One, ")
    await chat.composer.locator('[part~="stop"]').click()
    async with asyncio.timeout(10):
        await answer.stopped.wait()
    await chat.heard("chatkit.response.end")
    await expect_answer(chat, "One, ")
    # At once, before the server has named the turn
    chat.script(Answer("Three, ", Gate()))
    await chat.send("Count on", wait=False)
    await chat.composer.locator('[part~="stop"]').click()
    await chat.heard("chatkit.response.end", 2)
    turn = f"{site.url}/api/chat/threads/{await thread_of(chat)}/turn"
    response = await chat.page.request.get(turn, headers={"X-User": chat.user})
    assert response.status == 404


async def test_offline_and_back(chat_page: OpenChat, site: Site) -> None:
    async with Proxy(site.port) as proxy:
        chat = await chat_page(site=site.behind(proxy.port))
        gate = Gate()
        chat.script(Answer("One, ", gate, "two."))
        await chat.send("Count", wait=False)
        await expect_answer(chat, "One, ")
        network = chat.element.locator('[part~="network"]')
        proxy.down = True
        proxy.hang_up()
        await expect(network).to_contain_text("Connecting")
        await chat.page.context.set_offline(True)
        await expect(network).to_contain_text("offline")
        gate.open()
        proxy.down = False
        await chat.page.context.set_offline(False)
        await expect_answer(chat, "One, two.")
        await expect(network).to_be_empty()
        assert await chat.events("chatkit.error") == []


async def test_a_message_that_cannot_be_sent_is_kept(chat_page: OpenChat) -> None:
    chat = await chat_page()
    thread_id = chat.seed(said("Hi"), answered("Hello."), status={"type": "locked"})
    await chat.call("setThreadId", thread_id)
    await expect_answer(chat, "Hello.")
    refused = await chat.element.evaluate(
        "(element) => element.sendUserMessage({ text: 'Let me in' }).then(() => '', String)"
    )
    assert "locked" in refused
    await expect(messages(chat)).to_have_count(2)


class Doorbell:
    """Answers an action by a message."""

    @hookimpl
    async def action(self, turn: Turn, action: Action[str, Any]) -> list[ThreadStreamEvent]:
        item = answered("Ding.").model_copy(update={"thread_id": turn.thread.id, "id": turn.id})
        assert isinstance(item, AssistantMessageItem)
        return [ThreadItemDoneEvent(item=item), NoticeEvent(level="info", message="Somebody rang.")]


async def test_actions_are_seen_on_other_devices(
    chat_page: OpenChat, open_server: OpenSite
) -> None:
    site = await open_server(Doorbell())
    first = await chat_page(site=site)
    first.script(Answer("Hello."))
    await first.send("Hi")
    device = await chat_page(user=first.user, site=site, initialThread=await thread_of(first))
    await expect_answer(device, "Hello.")
    await first.call("sendCustomAction", {"type": "ring"})
    for chat in (first, device):
        await expect_answer(chat, "Ding.", 3)
