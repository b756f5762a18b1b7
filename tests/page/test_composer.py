"""What one writes with: the field, drafts, tags, commands, tools and models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from chatkit.types import (
    ClosedStatus,
    LockedStatus,
    ThreadStreamEvent,
    UserMessageItem,
    UserMessageTagContent,
)
from playwright.async_api import Locator, expect

from chatkit_server import Turn
from tests.page.browsing import ChatPage
from tests.page.conftest import PHONE, OpenChat
from tests.page.site import Script, answered, said

PEOPLE = """(given) => ({...given, entities: {
  showComposerMenu: true,
  onTagSearch: async (query) => {
    window.searches = [...(window.searches ?? []), query];
    if (query === "slow") await new Promise((go) => { window.finish = go });
    return [
      {id: "p1", title: "Ann Lee", group: "People", icon: "user", interactive: true,
       data: {team: "tea"}},
      {id: "d1", title: "Tea plan", group: "Documents"},
      {id: "p2", title: "Bob Ray", group: "People"},
    ].filter(({title}) => title.toLowerCase().includes(query.toLowerCase()));
  },
  onClick: (entity) => { window.clicked = entity },
  onRequestPreview: async ({title}) => ({
    preview: {type: "Basic", children: [{type: "Text", value: `About ${title}`}]},
  }),
}})"""

COMMANDS = """(given) => ({...given, commands: {
  enabled: true,
  onSearch: async (query) => [
    {id: "file", label: "Insert a file", description: "From the project"},
    {id: "style", label: "Style"},
    {id: "run", label: "Run it"},
  ].filter(({label}) => label.toLowerCase().includes(query)),
  onSelect: async ({id}) => {
    window.commands = [...(window.commands ?? []), id];
    if (id === "file") return {type: "entity", entity: {id: "f1", title: "notes.md"}};
    if (id === "style") return {type: "menu", commands: [
      {id: "short", label: "Short"}, {id: "long", label: "Long"}]};
  },
}})"""

RIGHT = "Shift+ArrowRight"
CHOICES: dict[str, Any] = {
    "tools": [
        {"id": "look_up", "label": "Look it up", "icon": "search", "shortLabel": "Look up"}
        | {"placeholderOverride": "What shall I look up?"},
        {"id": "draw", "label": "Draw", "icon": "images", "pinned": True, "persistent": True},
    ],
    "models": [
        {"id": "demo/todo", "label": "Fast", "default": True},
        {"id": "huge", "label": "Huge", "description": "Not today", "disabled": True},
    ],
}


def held(release: asyncio.Event) -> Script:
    """Return an answer that goes on until it is released."""

    async def answer(turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        async for event in turn.say("One."):
            yield event
        await release.wait()

    return answer


def sent(chat: ChatPage) -> list[UserMessageItem]:
    """Return the messages that the server has of the user of a tab."""
    items = [
        item
        for thread_id in chat.site.store.threads[("", chat.user)]
        for item in chat.site.store.items[thread_id].values()
    ]
    return [item for item in items if isinstance(item, UserMessageItem)]


def options_of(chat: ChatPage) -> Locator:
    return chat.composer.get_by_role("option")


def button(chat: ChatPage, name: str) -> Locator:
    return chat.composer.get_by_role("button", name=name, exact=True)


async def height_of(locator: Locator) -> int:
    height: int = await locator.evaluate("(element) => element.offsetHeight")
    return height


# The field


async def test_enter_sends_and_shift_enter_makes_a_line(chat_page: OpenChat) -> None:
    chat = await chat_page()
    await chat.field.fill("one")
    height = await height_of(chat.field)
    await chat.field.press("Shift+Enter")
    await chat.field.press_sequentially("two")
    await expect(chat.field).to_have_value("one\ntwo")
    assert await height_of(chat.field) > height
    # These are of an input method
    for given in ({"isComposing": True}, {"keyCode": 229}):
        await chat.field.dispatch_event("keydown", {"key": "Enter", **given})
    assert not await chat.events("chatkit.response.start")
    await chat.field.press("Enter")
    await chat.heard("chatkit.response.end")
    await expect(chat.field).to_have_value("")
    assert [part.text for part in sent(chat)[0].content] == ["one\ntwo"]
    await expect(chat.field).to_be_focused()


async def test_enter_makes_a_line_on_a_phone(chat_page: OpenChat) -> None:
    chat = await chat_page(context=PHONE)
    await chat.field.fill("one")
    await chat.field.press("Enter")
    await expect(chat.field).to_have_value("one\n")
    await button(chat, "Send").click()
    await chat.heard("chatkit.response.end")
    assert [part.text for part in sent(chat)[0].content] == ["one"]


async def test_one_writes_on_while_an_answer_runs(chat_page: OpenChat) -> None:
    chat, release = await chat_page(), asyncio.Event()
    chat.script(held(release), held(release))
    await chat.send("first", wait=False)
    await expect(button(chat, "Stop")).to_be_visible()
    await expect(button(chat, "Send")).to_have_count(0)
    await chat.send("second", wait=False)
    await expect(chat.field).to_have_value("")
    await chat.field.fill("third")
    await expect(button(chat, "Send")).to_be_visible()
    await button(chat, "Stop").focus()
    await button(chat, "Stop").press("Enter")
    await chat.heard("chatkit.response.end", 2)
    await expect(chat.field).to_have_value("third")
    await expect(chat.field).to_be_focused()
    assert len(sent(chat)) == 2


async def test_a_message_that_is_refused_while_an_answer_runs_is_kept(
    chat_page: OpenChat,
) -> None:
    chat, release = await chat_page(), asyncio.Event()
    chat.script(held(release))
    await chat.send("first", wait=False)
    await expect(chat.transcript).to_contain_text("One.")
    await chat.page.route(
        "**/api/chat", lambda route: route.fulfill(status=409, json={"message": "Not now."})
    )
    await chat.send("second", wait=False)
    await expect(chat.composer).to_contain_text("The message was not sent. Not now.")
    await expect(chat.field).to_have_value("second")
    release.set()
    await chat.heard("chatkit.response.end")


async def test_nothing_is_lost_when_a_message_cannot_be_sent(chat_page: OpenChat) -> None:
    chat = await chat_page(PEOPLE)
    gate = asyncio.Event()

    async def refuse(route: Any) -> None:
        await gate.wait()
        await route.fulfill(status=422, json={"message": "Not that."})

    await chat.page.route("**/api/chat", refuse)
    # Enter comes before the answer of the search
    await chat.field.press_sequentially("Ask @ann")
    await chat.field.press("Enter")
    await expect(chat.field).to_have_value("Ask @Ann Lee ")
    await chat.field.press("Enter")
    await expect(chat.field).to_have_value("")
    await chat.field.fill("and more")
    gate.set()
    await expect(chat.field).to_have_value("Ask @Ann Lee \nand more")
    await expect(button(chat, "Ann Lee")).to_be_visible()
    await chat.page.unroute("**/api/chat")
    await chat.field.press("Enter")
    await chat.heard("chatkit.response.end")
    assert isinstance(sent(chat)[0].content[1], UserMessageTagContent)


async def test_drafts_are_kept_for_each_conversation_and_over_a_reload(
    chat_page: OpenChat,
) -> None:
    chat = await chat_page(PEOPLE)
    thread_id = chat.seed(said("hi"), answered("Hello."))
    await chat.field.fill("for a new one")
    await chat.call("setThreadId", thread_id)
    await expect(chat.field).to_have_value("")
    await chat.field.press_sequentially("@tea")
    await expect(options_of(chat)).to_have_count(1)
    await chat.field.press("Enter")
    await chat.call("setThreadId", None)
    await expect(chat.field).to_have_value("for a new one")
    await chat.page.reload()
    await chat.options(PEOPLE, initialThread=thread_id)
    await expect(chat.field).to_have_value("@Tea plan ")
    await chat.field.press("Enter")
    await chat.heard("chatkit.response.end")
    content = sent(chat)[-1].content[0]
    assert isinstance(content, UserMessageTagContent)
    assert (content.id, content.group) == ("d1", "Documents")


async def test_locked_and_closed_conversations_say_why(chat_page: OpenChat) -> None:
    chat = await chat_page()
    locked = chat.seed(said("hi"), status=LockedStatus(reason="Someone looks into it."))
    closed = chat.seed(said("hi"), status=ClosedStatus())
    await chat.call("setThreadId", locked)
    await expect(chat.field).to_be_disabled()
    await expect(chat.field).to_have_accessible_description("Someone looks into it.")
    await chat.call("setThreadId", closed)
    await expect(chat.composer).to_contain_text("This conversation is closed.")
    await button(chat, "New chat").click()
    await expect(chat.field).to_be_focused()
    await chat.call("setThreadId", closed)
    await chat.element.locator("[part~=button-compose]").click()
    await expect(chat.field).to_be_focused()


async def test_the_page_fills_the_composer(chat_page: OpenChat) -> None:
    chat = await chat_page(composer=CHOICES)
    tag = {"type": "input_tag", "id": "p1", "text": "Ann", "interactive": True}
    value = {
        "content": [{"type": "input_text", "text": "Ask "}, tag],
        "reply": "Tea is hot.",
        "selectedToolId": "draw",
    }
    await chat.call("setComposerValue", value)
    await chat.call("focusComposer")
    await expect(chat.field).to_be_focused()
    await expect(chat.field).to_have_value("Ask @Ann")
    await expect(chat.composer.get_by_role("blockquote")).to_have_text("Tea is hot.")
    await chat.field.press("Enter")
    await chat.heard("chatkit.response.end")
    message = sent(chat)[0]
    assert message.quoted_text == "Tea is hot."
    assert [part.type for part in message.content] == ["input_text", "input_tag"]
    choice = message.inference_options.tool_choice
    assert choice is not None
    assert choice.id == "draw"
    await expect(chat.composer.get_by_role("blockquote")).to_have_count(0)
    # It is persistent
    await expect(button(chat, "Draw")).to_have_attribute("aria-pressed", "true")


async def test_selected_text_of_an_answer_is_quoted(chat_page: OpenChat) -> None:
    chat = await chat_page()
    await chat.call("setThreadId", chat.seed(said("hi"), answered("Kettles boil.")))
    answer = chat.transcript.get_by_text("Kettles boil.")
    await answer.click(click_count=3)
    await chat.element.get_by_role("button", name="Reply", exact=True).click()
    await expect(chat.composer.get_by_role("blockquote")).to_have_text("Kettles boil.")
    await expect(chat.field).to_be_focused()
    await button(chat, "Remove the quotation").click()
    await expect(chat.composer.get_by_role("blockquote")).to_have_count(0)


async def test_the_button_for_a_quotation_stays_beside_its_text(chat_page: OpenChat) -> None:
    chat = await chat_page()
    long = answered("Kettles boil.\n\n" + "Tea is good.\n\n" * 60)
    await chat.call("setThreadId", chat.seed(said("hi"), long))
    answer = chat.transcript.get_by_text("Kettles boil.")
    await answer.scroll_into_view_if_needed()
    await answer.click(click_count=3)
    reply = chat.element.get_by_role("button", name="Reply", exact=True)
    box = chat.transcript.locator('[part~="scroller"]')
    near = """([reply, text]) => reply.isConnected && Math.abs(
      reply.getBoundingClientRect().bottom - text.getBoundingClientRect().top) < 30"""

    async def scroll(by: int) -> None:
        await box.evaluate("(box, by) => { box.scrollTop += by }", by)

    await scroll(20)
    parts = [await reply.element_handle(), await answer.element_handle()]
    await chat.page.wait_for_function(near, arg=parts)
    await scroll(1000)
    await expect(reply).to_have_count(0)
    await scroll(-1000)
    await expect(reply).to_be_visible()


# Tags


async def test_a_tag_is_found_by_keyboard_and_goes_as_a_whole(chat_page: OpenChat) -> None:
    chat = await chat_page(PEOPLE)
    await chat.field.press_sequentially("Ask @")
    await expect(options_of(chat)).to_have_text(["Ann Lee", "Bob Ray", "Tea plan"])
    await expect(chat.composer.get_by_role("group", name="People")).to_be_visible()
    await chat.field.press("ArrowDown")
    active = await chat.field.get_attribute("aria-activedescendant")
    await expect(chat.composer.locator(f"#{active}")).to_have_text("Bob Ray")
    await chat.field.press("ArrowUp")
    await chat.field.press("Enter")
    await expect(chat.field).to_have_value("Ask @Ann Lee ")
    await chat.field.press("ArrowLeft")
    await chat.field.press("ArrowLeft")
    await chat.field.press_sequentially("x")
    await expect(chat.field).to_have_value("Ask x@Ann Lee ")
    await chat.field.press("Delete")
    await expect(chat.field).to_have_value("Ask x ")
    await chat.field.press("Control+z")
    await expect(chat.field).to_have_value("Ask x@Ann Lee ")
    await expect(button(chat, "Ann Lee")).to_be_visible()
    selected = "(field) => field.value.slice(field.selectionStart, field.selectionEnd)"
    await chat.field.press("End")
    for keys, text in (("Shift+ArrowLeft", " "), ("Shift+ArrowLeft", "@Ann Lee "), (RIGHT, " ")):
        await chat.field.press(keys)
        assert await chat.field.evaluate(selected) == text
    await chat.field.press("Control+a")
    await chat.field.press("Control+c")
    await chat.field.press("End")
    await chat.field.press("Control+v")
    await expect(button(chat, "Ann Lee")).to_have_count(2)
    await chat.field.press("Enter")
    await chat.heard("chatkit.response.end")
    tag = sent(chat)[0].content[1]
    assert isinstance(tag, UserMessageTagContent)
    assert (tag.id, tag.text, tag.group, tag.interactive, tag.data) == (
        *("p1", "Ann Lee", "People", True),
        {"team": "tea"},
    )


async def test_late_answers_of_a_search_are_ignored(chat_page: OpenChat) -> None:
    chat = await chat_page(PEOPLE)
    await button(chat, "Mention").click()
    await expect(options_of(chat)).to_have_count(3)
    await chat.field.press_sequentially("slow")
    await chat.page.wait_for_function("() => !!window.finish")
    for _ in "slow":
        await chat.field.press("Backspace")
    await chat.field.press_sequentially("bob")
    await expect(options_of(chat)).to_have_text(["Bob Ray"])
    await chat.page.evaluate("window.finish()")
    await expect(options_of(chat)).to_have_text(["Bob Ray"])
    assert "s" not in await chat.page.evaluate("window.searches")
    await chat.field.press("Escape")
    await expect(options_of(chat)).to_have_count(0)
    await chat.field.press_sequentially(" is here")
    await expect(options_of(chat)).to_have_count(0)
    await expect(chat.field).to_have_value("@bob is here")


async def test_a_tag_has_a_preview_and_can_be_clicked(chat_page: OpenChat) -> None:
    chat = await chat_page(PEOPLE)
    await chat.field.press_sequentially("@ann")
    await options_of(chat).click()
    preview = chat.composer.get_by_text("About Ann Lee")
    await chat.field.press("Tab")
    await expect(button(chat, "Ann Lee")).to_be_focused()
    await expect(preview).to_be_visible()
    await chat.page.keyboard.press("Escape")
    await expect(preview).to_have_count(0)
    await button(chat, "Ann Lee").click()
    assert (await chat.page.evaluate("window.clicked"))["id"] == "p1"
    await button(chat, "Send").hover()
    await button(chat, "Ann Lee").hover()
    await expect(preview).to_be_visible()


# Commands, tools, models


async def test_a_command_inserts_a_tag_or_opens_a_menu(chat_page: OpenChat) -> None:
    chat = await chat_page(COMMANDS, composer=CHOICES)
    await chat.field.press_sequentially("Read /ins")
    await expect(options_of(chat)).to_have_count(1)
    await chat.field.press("Tab")
    await expect(chat.field).to_have_value("Read @notes.md ")
    await chat.field.press_sequentially("/style")
    await expect(options_of(chat)).to_have_count(1)
    await chat.field.press("Enter")
    await expect(options_of(chat)).to_have_text(["Short", "Long"])
    await chat.field.press_sequentially("lo")
    await expect(options_of(chat)).to_have_text(["Long"])
    await chat.field.press("Enter")
    await expect(chat.field).to_have_value("Read @notes.md ")
    assert await chat.page.evaluate("window.commands") == ["file", "style", "long"]
    await chat.field.press_sequentially("/usr/bin")
    await expect(options_of(chat)).to_have_count(0)
    # What the composer can do itself
    await chat.field.press_sequentially(" /look")
    await expect(options_of(chat)).to_have_text(["Look it up"])
    await chat.field.press("Enter")
    await expect(chat.field).to_have_value("Read @notes.md /usr/bin ")
    await expect(chat.field).to_have_attribute("placeholder", "What shall I look up?")
    await chat.field.press_sequentially("/new")
    await expect(options_of(chat)).to_have_text(["New chat"])


async def test_tools_and_models_go_with_the_message(chat_page: OpenChat) -> None:
    chat = await chat_page(composer=CHOICES)
    await button(chat, "Tools").click()
    await expect(chat.composer.get_by_role("listbox", name="Tools")).to_be_focused()
    await chat.page.keyboard.press("Escape")
    await expect(button(chat, "Tools")).to_be_focused()
    await chat.page.keyboard.press("ArrowDown")
    await chat.page.keyboard.press("Enter")
    await expect(button(chat, "Do not use Look it up")).to_have_text("Look up")
    await button(chat, "Model: Fast").click()
    await expect(options_of(chat).nth(1)).to_have_attribute("aria-disabled", "true")
    await options_of(chat).nth(0).click()
    await chat.send("hello")
    options = sent(chat)[0].inference_options
    assert options.model == "demo/todo"
    assert options.tool_choice is not None
    assert options.tool_choice.id == "look_up"
    await expect(button(chat, "Do not use Look it up")).to_have_count(0)
    changes = [event["detail"]["toolId"] for event in await chat.events("chatkit.tool.change")]
    assert changes == ["look_up", None]
    await button(chat, "Draw").click()
    await expect(button(chat, "Draw")).to_have_attribute("aria-pressed", "true")
    await chat.call("setComposerValue", {"selectedToolId": None})
    await expect(button(chat, "Draw")).to_have_attribute("aria-pressed", "false")
