"""The frame of these tests notices what it is to notice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from chatkit.types import ThreadStreamEvent
from playwright.async_api import expect

from chatkit_server import Turn
from tests.page.browsing import ChatPage
from tests.page.conftest import OpenChat
from tests.page.site import answered, said

BAD = """<!doctype html><link rel="icon" href="data:,">
<script>
console.error("told");
new Image().src = "http://192.0.2.1/pixel";
setTimeout(() => { throw Error("thrown") });
</script>
"""


async def greet(turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
    async for event in turn.say("Hello from the script."):
        yield event


async def test_a_message_is_answered_by_a_script_and_then_by_the_agent(chat_page: OpenChat) -> None:
    chat = await chat_page()
    chat.script(greet)
    await chat.send("hello")
    await expect(chat.transcript).to_contain_text("Hello from the script.")
    await chat.send("cite")
    await expect(chat.transcript).to_contain_text("Green tea")


async def test_a_seeded_conversation_is_shown(chat_page: OpenChat) -> None:
    chat = await chat_page()
    thread_id = chat.seed(said("Is it there?"), answered("It is."))
    await chat.call("setThreadId", thread_id)
    await expect(chat.transcript).to_contain_text("It is.")
    assert {"type": "chatkit.thread.change", "detail": {"threadId": thread_id}} in (
        await chat.events()
    )


async def test_errors_and_requests_to_other_hosts_are_noticed(
    open_element: Callable[..., Awaitable[ChatPage]],
) -> None:
    chat = await open_element(BAD)
    await chat.page.wait_for_function("() => performance.now() > 50")
    found = "\n".join(chat.troubles.unexpected)
    for part in ("told", "192.0.2.1", "thrown"):
        assert part in found
    chat.troubles.expect("")


async def test_violations_of_the_policy_are_noticed(chat_page: OpenChat) -> None:
    chat = await chat_page()
    await chat.element.evaluate("(element) => element.setAttribute('style', 'color: red')")
    await chat.page.wait_for_function("() => performance.now() > 50")
    assert any("CSP" in each for each in chat.troubles.unexpected)
    chat.troubles.expect("style")
