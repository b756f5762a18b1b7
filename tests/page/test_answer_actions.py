"""What a user can do with an answer: copy it, rate it, have it made again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from chatkit.types import ThreadItem, ThreadStreamEvent
from playwright.async_api import expect

from chatkit_server import Turn, User, hookimpl
from tests.page.browsing import open_with, part
from tests.page.conftest import OpenChat, OpenSite
from tests.page.site import answered, said

ACTIONS: dict[str, Any] = {"threadItemActions": {"feedback": True, "retry": True}}

Events = AsyncIterator[ThreadStreamEvent]


class Ratings:
    """Takes what users say of answers."""

    def __init__(self) -> None:
        self.given: list[tuple[str, str, list[str], str]] = []

    @hookimpl
    async def feedback(self, user: User, thread_id: str, item_ids: list[str], kind: str) -> bool:
        self.given.append((user.id, thread_id, item_ids, kind))
        return True


async def test_an_answer_can_be_copied(chat_page: OpenChat) -> None:
    allowed = {"permissions": ["clipboard-read", "clipboard-write"]}
    chat = await chat_page(context=allowed, **ACTIONS)
    await open_with(chat, said("Tea?"), answered("**Green** tea."), answered("With water."))
    actions = part(chat, "actions").last
    await actions.get_by_role("button", name="Copy").click()
    await expect(actions.get_by_role("button", name="Copied")).to_be_visible()
    clipboard = await chat.page.evaluate("navigator.clipboard.readText()")
    assert clipboard == "**Green** tea.\n\nWith water."


async def test_an_answer_can_be_rated_where_a_plugin_takes_it(
    chat_page: OpenChat, open_server: OpenSite
) -> None:
    ratings = Ratings()
    site = await open_server(ratings)
    items: list[ThreadItem] = [said("Tea?"), answered("**Green** tea."), answered("With water.")]
    thread = site.seed("Ann", *items)
    chat = await chat_page(path=f"/?thread={thread}", site=site, user="Ann")
    actions = part(chat, "actions").last
    good = actions.get_by_role("button", name="Good answer")
    bad = actions.get_by_role("button", name="Bad answer")
    for button, other, kind in ((good, bad, "positive"), (bad, good, "negative")):
        async with chat.page.expect_response(
            lambda response: "items.feedback" in (response.request.post_data or "")
        ):
            await button.click()
        await expect(button).to_have_attribute("aria-pressed", "true")
        await expect(other).to_have_attribute("aria-pressed", "false")
        ids = [item.id for item in items[1:]]
        assert ratings.given.pop() == ("Ann", thread, ids, kind)
    assert not ratings.given


async def test_an_answer_that_others_follow_is_made_again_after_a_question(
    chat_page: OpenChat,
) -> None:
    chat = await chat_page(**ACTIONS)
    await open_with(chat, said("One?"), answered("First."), said("Two?"), answered("Second."))
    retry = part(chat, "retry")
    await retry.first.click()
    asking = chat.transcript.get_by_role("group", name="will be deleted")
    await asking.get_by_role("button", name="Cancel").click()
    await expect(retry.first).to_be_focused()

    async def again(turn: Turn) -> Events:
        async for event in turn.say("Once more."):
            yield event

    chat.script(again)
    await retry.first.click()
    await asking.get_by_role("button", name="Try again").click()
    await expect(chat.transcript).to_contain_text("Once more.")
    await expect(chat.transcript).not_to_contain_text("Second.")
