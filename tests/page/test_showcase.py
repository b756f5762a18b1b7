"""Every request to the showcase, clicked through as a user would."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from chatkit_plugins.showcase import REQUESTS
from playwright.async_api import expect

from tests.page.browsing import ChatPage
from tests.page.conftest import OpenChat
from tests.page.everything import ALL_OPTIONS

Play = Callable[[ChatPage], Awaitable[None]]
PLAYS: dict[str, Play] = {}
SAYS = """
(given) => {
  const options = (ALL)(given);
  const chat = document.querySelector("open-chatkit");
  options.widgets.onAction = async (action) => {
    if (action.type === "showcase.say") await chat.sendUserMessage({ text: action.payload.text });
  };
  options.startScreen = {};
  return options;
}
""".replace("ALL", ALL_OPTIONS)


def play(request: str) -> Callable[[Play], Play]:
    def add(function: Play) -> Play:
        PLAYS[request] = function
        return function

    return add


def shows(request: str, *texts: str) -> None:
    """Have these texts shown after a request."""

    async def check(chat: ChatPage) -> None:
        for text in texts:
            await sees(chat, text)

    PLAYS[request] = check


async def sees(chat: ChatPage, text: str) -> None:
    await expect(chat.element.get_by_text(text).last).to_be_visible()


async def sees_not(chat: ChatPage, text: str) -> None:
    await expect(chat.items.get_by_text(text)).to_have_count(0)


async def click(chat: ChatPage, name: str, role: str = "button") -> None:
    await chat.element.get_by_role(role, name=name).last.click()  # type: ignore[arg-type]


shows("Write draft", "Dear tea lovers, the kettle is on.", "The letter is ready.")
shows("Make tea", "Ready", "Tea is ready.")
shows("Show task", "Searched the web", "I have looked it up.")
shows("Slow", "There are ten leaves.")
shows("Pay", "Paid.")
shows("Notice", "The shop opens at", "Few left", "Assam runs out.", "The kettle is hot.")
shows("What did i send", "You quoted nothing.", "No tool.")
shows("Name this", "A cup of tea")


@play("Use tools")
async def workflow(chat: ChatPage) -> None:
    await sees(chat, "Now I know all about tea.")
    await click(chat, "Learned about tea")
    await sees(chat, "Asked a friend")


@play("Show card")
async def card(chat: ChatPage) -> None:
    await click(chat, "Like (0)")
    await sees(chat, "Like (1)")
    await click(chat, "Where is it?")
    await sees(chat, "Order 7 is on its way.")
    await click(chat, "Hide")
    await sees_not(chat, "One kettle and two cups.")


@play("Show list")
async def rows(chat: ChatPage) -> None:
    await sees(chat, "strong")
    await click(chat, "Assam")
    await sees(chat, "You picked Assam.")


@play("Show chart")
async def chart(chat: ChatPage) -> None:
    await sees(chat, "Black")
    await sees(chat, "Tea statistics")
    await expect(chat.transcript.locator("ock-widget").get_by_role("img").last).to_be_visible()


@play("Show form")
async def form(chat: ChatPage) -> None:
    await click(chat, "Order")
    await sees_not(chat, "Thank you.")  # a name is required
    widget = chat.transcript.locator("ock-widget").last
    await widget.get_by_label("Name").fill("Ann")
    await widget.get_by_text("It is a present").click()
    await widget.get_by_text("Large").click()
    await click(chat, "Order")
    await sees(chat, "Thank you. You ordered:")
    await sees(chat, "name: Ann")
    await sees(chat, "size: l")


@play("Show gallery")
async def gallery(chat: ChatPage) -> None:
    await expect(chat.transcript.get_by_role("img", name="A sunset").last).to_be_visible()
    await expect(chat.transcript.get_by_role("link", name="link").last).to_be_visible()
    for text in ("Gallery", "Basics", "Fades in"):
        await sees(chat, text)


@play("Suggest")
async def suggest(chat: ChatPage) -> None:
    await click(chat, "Use tools")
    await sees(chat, "Now I know all about tea.")


@play("Think")
async def think(chat: ChatPage) -> None:
    await sees(chat, "It depends.")
    await chat.transcript.get_by_role("button", expanded=False).first.click()
    await sees(chat, "And on the time of day.")


@play("Fail")
async def fail(chat: ChatPage) -> None:
    await sees(chat, "The kettle is empty.")
    ended = await chat.count("chatkit.response.end")
    await chat.element.get_by_role("button", name="again").last.click()
    await chat.heard("chatkit.response.end", ended + 1)
    await sees(chat, "The kettle is empty.")


@play("Cite")
async def cite(chat: ChatPage) -> None:
    await expect(chat.transcript).to_contain_text("Green tea needs water of 80 degrees")
    await expect(chat.transcript.locator('a[href="https://example.com/tea"]').last).to_be_attached()


@play("Draw")
async def draw(chat: ChatPage) -> None:
    await expect(chat.transcript.locator('img[src^="data:image/"]').last).to_be_visible()
    await sees(chat, "A sunset.")


@play("Effect")
async def effect(chat: ChatPage) -> None:
    await chat.heard("chatkit.effect")
    await sees(chat, "Hooray!")


@play("Change your mind")
async def change(chat: ChatPage) -> None:
    await sees(chat, "Tea is better than coffee.")
    await sees_not(chat, "Coffee is better than tea.")


@play("Ask something")
async def ask(chat: ChatPage) -> None:
    await chat.transcript.get_by_text("Sencha").last.click()
    await chat.transcript.get_by_role("textbox").last.fill("The blue one")
    await chat.transcript.get_by_role("button", name="Send").last.click()
    await sees(chat, "The blue one")


@play("Client tool")
async def client_tool(chat: ChatPage) -> None:
    await sees(chat, "the kitchen")


@play("Delete everything")
async def approval(chat: ChatPage) -> None:
    await click(chat, "Approve")
    await sees(chat, "Everything is deleted.")


@play("Lock")
async def lock(chat: ChatPage) -> None:
    await sees(chat, "The shop is closed until nine.")
    await click(chat, "Open it again")
    await sees(chat, "This conversation is open again.")
    await chat.send("Pay")
    await sees(chat, "Paid.")


@play("Close")
async def close(chat: ChatPage) -> None:
    await sees(chat, "Your order has arrived.")
    await click(chat, "Open it again")
    await sees(chat, "This conversation is open again.")
    await chat.send("Pay")


@play("Help")
async def show_help(chat: ChatPage) -> None:
    await click(chat, "Cite")
    await sees(chat, "Green tea needs water")


def test_every_request_is_played() -> None:
    assert set(PLAYS) == set(REQUESTS)


async def test_every_request_looks_right(chat_page: OpenChat) -> None:
    chat = await chat_page(SAYS)
    chat.page.set_default_timeout(5000)
    expect.set_options(timeout=5000)
    failed = []
    for request in REQUESTS:
        await chat.call("setThreadId", None)
        try:
            await chat.send(request)
            await PLAYS[request](chat)
        except Exception as error:
            failed.append(f"{request}: {str(error)[:400]}")
    if failed:
        pytest.fail("\n\n".join(failed))
