"""What the conversation shows: every item, how it changes, and what a user can do with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from chatkit.types import (
    Annotation,
    AssistantMessageContent,
    AssistantMessageItem,
    CustomTask,
    FileAttachment,
    GeneratedImage,
    GeneratedImageItem,
    GeneratedImageUpdated,
    ImageAttachment,
    InferenceOptions,
    ProgressUpdateEvent,
    SearchTask,
    ThoughtTask,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    ToolChoice,
    URLSource,
    UserMessageTagContent,
    UserMessageTextContent,
    Workflow,
    WorkflowItem,
    WorkflowTaskAdded,
)
from playwright.async_api import Error, Route, expect

from chatkit_server import Turn
from tests.page.browsing import open_with, part
from tests.page.conftest import PHONE, OpenChat
from tests.page.site import PICTURE, answered, said

ACTIONS: dict[str, Any] = {"threadItemActions": {"feedback": True, "retry": True}}
SMALL = {"viewport": {"width": 320, "height": 640}}
ENTITIES = """
(given) => ({...given, entities: {
  onClick: (entity) => { window.clicked = entity; },
  onRequestPreview: async ({ title }) => ({
    preview: { type: "Basic", children: [{ type: "Text", value: `About ${title}` }] },
  }),
}})
"""

Events = AsyncIterator[ThreadStreamEvent]


async def test_what_the_showcase_answers_is_drawn(chat_page: OpenChat) -> None:
    chat = await chat_page()
    await chat.send("use tools")
    workflow = part(chat, "workflow-summary")
    await expect(workflow).to_contain_text("Learned about tea")
    await expect(part(chat, "task")).to_have_count(0)
    await workflow.click()
    await expect(part(chat, "task")).to_have_count(5)
    for text in ("how to brew", "All about tea", "tea.pdf", "She prefers Assam.", "picture"):
        await expect(part(chat, "tasks")).to_contain_text(text)
    await chat.send("think")
    await expect(part(chat, "workflow-summary").last).to_contain_text("Thought")
    await chat.send("show a task")
    summary = chat.transcript.locator("summary")
    await summary.click()
    await expect(part(chat, "task").last).to_contain_text("how to brew")
    await chat.send("draw")
    picture = chat.transcript.get_by_role("img", name="Generated image")
    await expect(picture).to_be_visible()
    await part(chat, "image").get_by_role("button", name="larger").click()
    await expect(chat.page.get_by_role("dialog")).to_be_visible()
    await chat.page.keyboard.press("Escape")
    await expect(chat.page.get_by_role("dialog")).to_have_count(0)
    await expect(part(chat, "image").get_by_role("button", name="larger")).to_be_focused()
    async with chat.page.expect_download() as download:
        await part(chat, "image").get_by_role("button", name="Download").click()
    assert (await download.value).suggested_filename.endswith(".png")
    await chat.send("client tool")
    await expect(part(chat, "client-tool")).to_contain_text("get location")


async def test_what_is_being_done_is_shown_while_it_is(chat_page: OpenChat) -> None:
    steps = [asyncio.Event() for _ in range(4)]

    async def work(turn: Turn) -> Events:
        await steps[0].wait()
        yield ProgressUpdateEvent(text="Boiling water", icon="clock")
        await steps[1].wait()
        tasks = [ThoughtTask(title="Which tea?", content="The **green** one.")]
        item = turn.new_item(WorkflowItem, workflow=Workflow(type="reasoning", tasks=[*tasks]))
        yield ThreadItemAddedEvent(item=item)
        task = SearchTask(title_query="kettles", status_indicator="loading")
        added = WorkflowTaskAdded(task=task, task_index=1)
        yield ThreadItemUpdatedEvent(item_id=item.id, update=added)
        await steps[2].wait()
        done = task.model_copy(update={"status_indicator": "complete"})
        workflow = Workflow(type="reasoning", tasks=[*tasks, done])
        yield ThreadItemDoneEvent(item=item.model_copy(update={"workflow": workflow}))
        picture = turn.new_item(GeneratedImageItem)
        yield ThreadItemAddedEvent(item=picture)
        image = GeneratedImage(id="img", url=PICTURE)
        half = GeneratedImageUpdated(image=image, progress=0.5)
        yield ThreadItemUpdatedEvent(item_id=picture.id, update=half)
        await steps[3].wait()
        yield ThreadItemDoneEvent(item=picture.model_copy(update={"image": image}))

    chat = await chat_page()
    chat.script(work)
    await chat.send("go", wait=False)
    await expect(part(chat, "typing")).to_be_visible()
    steps[0].set()
    await expect(part(chat, "progress")).to_have_text("Boiling water")
    steps[1].set()
    await expect(part(chat, "workflow-summary")).to_contain_text("Searched for kettles")
    await expect(part(chat, "progress")).to_be_empty()
    await part(chat, "workflow-summary").click()
    await expect(part(chat, "tasks").locator("strong")).to_have_text("green")
    await expect(part(chat, "tasks")).to_contain_text("in progress")
    steps[2].set()
    bar = chat.transcript.get_by_role("progressbar")
    await expect(bar).to_have_attribute("aria-valuenow", "50")
    await expect(part(chat, "tasks")).to_contain_text("done")
    blur = "(image) => getComputedStyle(image).filter"
    assert "blur" in await part(chat, "image").locator("img").evaluate(blur)
    steps[3].set()
    await expect(bar).to_have_count(0)
    assert await part(chat, "image").locator("img").evaluate(blur) == "none"


async def test_questions_are_answered_or_skipped(chat_page: OpenChat) -> None:
    chat = await chat_page()
    await chat.send("ask me something")
    form = part(chat, "questions")
    await form.get_by_label("Assam").check()
    await form.get_by_role("button", name="Send").click()
    await expect(form).to_contain_text("Answer this question, or skip it.")
    await expect(form.get_by_role("textbox", name="Which cup?")).to_be_focused()
    await chat.page.keyboard.type("the blue one")
    await expect(form).not_to_contain_text("or skip it.")
    await form.get_by_label("Something else").fill("Rooibos")
    await chat.page.keyboard.press("Enter")
    await expect(part(chat, "answers")).to_contain_text("Rooibos")
    for text in ("Assam", "the blue one"):
        await expect(part(chat, "answers")).to_contain_text(text)
    await expect(form).to_have_count(0)
    await expect(chat.transcript.locator("article:focus")).to_contain_text("the blue one")
    await chat.send("ask me something")
    await form.get_by_role("button", name="Skip all").click()
    await expect(part(chat, "answers").last).to_contain_text("Skipped")


async def test_errors_say_what_is_wrong_and_can_be_retried(chat_page: OpenChat) -> None:
    chat = await chat_page()
    await chat.send("fail")
    error = chat.transcript.get_by_role("alert").filter(has_text="kettle is empty")
    await expect(error).to_be_visible()

    async def hello(turn: Turn) -> Events:
        async for event in turn.say("It is full now."):
            yield event

    chat.script(hello)
    await error.get_by_role("button", name="Try again").click()
    await expect(chat.transcript).to_contain_text("It is full now.")
    await expect(error).to_have_count(0)
    assert await chat.transcript.locator('[part~="user"][part~="message"]').count() == 1


async def test_a_conversation_that_cannot_be_loaded_can_be_asked_for_again(
    chat_page: OpenChat,
) -> None:
    chat = await chat_page()
    chat.troubles.expect("net::ERR_FAILED")
    await chat.page.route("**/api/chat", lambda route: route.abort())
    with pytest.raises(Error):
        await chat.call("setThreadId", chat.seed(said("Hello"), answered("Hi.")))
    error = chat.transcript.get_by_role("alert").filter(has_text="could not be reached")
    await expect(error).to_be_visible()
    await chat.page.unroute("**/api/chat")
    await error.get_by_role("button", name="Try again").click()
    await expect(chat.transcript).to_contain_text("Hi.")
    await expect(error).to_have_count(0)


async def test_a_stopped_answer_is_no_error(chat_page: OpenChat) -> None:
    async def endless(turn: Turn) -> Events:
        item = turn.new_item(AssistantMessageItem, content=[AssistantMessageContent(text="One. ")])
        yield ThreadItemAddedEvent(item=item)
        await asyncio.Event().wait()

    chat = await chat_page()
    chat.script(endless)
    await chat.send("go", wait=False)
    await expect(chat.transcript).to_contain_text("One.")
    await chat.composer.get_by_role("button", name="Stop").click()
    await expect(part(chat, "error")).to_contain_text("You stopped this answer.")
    await expect(chat.transcript.get_by_role("alert")).to_have_count(0)
    await expect(chat.transcript).to_contain_text("One.")


async def test_notices_can_be_dismissed(chat_page: OpenChat) -> None:
    chat = await chat_page()
    await chat.send("notice")
    notices = part(chat, "notice")
    await expect(notices).to_have_count(3)
    await expect(notices.first.locator("strong")).to_have_text("nine")
    await expect(notices.nth(1)).to_contain_text("Few left")
    await expect(notices.nth(2)).to_have_attribute("data-level", "danger")
    await notices.first.get_by_role("button", name="Dismiss").click()
    await expect(notices).to_have_count(2)


async def test_links_to_the_page_around_are_events_and_images_of_other_hosts_are_not_loaded(
    chat_page: OpenChat,
) -> None:
    chat = await chat_page()
    image = GeneratedImage(id="img", url="https://example.com/a.png")
    link = answered("[Open](chatkit-link://order?number=7)")
    await open_with(chat, said("Draw"), link, turn_item(GeneratedImageItem, image=image))
    await expect(part(chat, "image")).to_contain_text("may not load")
    await expect(part(chat, "image").get_by_role("link")).to_have_attribute("href", image.url)
    await chat.transcript.get_by_role("link", name="Open", exact=True).click()
    assert await chat.events("chatkit.deeplink") == [
        {"type": "chatkit.deeplink", "detail": {"name": "order", "data": {"number": "7"}}}
    ]


async def test_sources_are_marked_at_their_places_and_listed(chat_page: OpenChat) -> None:
    chat = await chat_page(ENTITIES)
    text = "Tea is good. Water is better."
    page = URLSource(title="All about tea", url="https://example.com/tea", description="Leaves")
    bad = URLSource(title="Bad", url="javascript:alert(1)")
    notes = [Annotation(source=page, index=12), Annotation(source=bad, index=len(text))]
    await open_with(chat, said("?"), answered(text, annotations=notes))
    await expect(chat.transcript.locator("ock-markdown")).to_have_text(
        "Tea is good.1 Water is better.2"
    )
    marks = part(chat, "citation")
    link = marks.first.get_by_role("link", name="Source 1: All about tea")
    await expect(link).to_have_attribute("href", "https://example.com/tea")
    await link.hover()
    await expect(chat.transcript.get_by_role("tooltip")).to_contain_text("Leaves")
    await expect(marks.nth(1).get_by_role("link")).to_have_count(0)
    await expect(part(chat, "source")).to_have_count(2)
    await chat.send("cite")
    shop = part(chat, "source").last.get_by_role("button")
    await shop.focus()
    await chat.page.keyboard.press("Enter")
    clicked = await chat.page.evaluate("window.clicked")
    assert (clicked["id"], clicked["data"]) == ("shop_1", {"street": "Leaf Lane"})
    await expect(chat.transcript.get_by_role("tooltip")).to_contain_text("About Tea shop")
    await chat.page.keyboard.press("Escape")
    await expect(chat.transcript.get_by_role("tooltip")).to_have_count(0)


async def test_a_card_stays_when_the_focus_has_scrolled_to_its_mark(chat_page: OpenChat) -> None:
    chat = await chat_page()
    page = URLSource(title="All about tea", url="https://example.com/tea", description="Leaves")
    text = "Tea is good.\n\n" * 60
    await open_with(chat, answered(text, annotations=[Annotation(source=page, index=12)]))
    mark = part(chat, "citation").first.get_by_role("link")
    await expect(mark).not_to_be_in_viewport()
    await chat.page.keyboard.press("Tab")  # so that the focus is that of a keyboard
    scrolled = """(mark) => new Promise((done) => {
      mark.getRootNode().addEventListener(
        "scroll", () => requestAnimationFrame(done), { capture: true, once: true });
      mark.focus();
    })"""
    await mark.evaluate(scrolled)
    card = chat.transcript.get_by_role("tooltip")
    await expect(card).to_contain_text("Leaves")
    await part(chat, "scroller").evaluate("(box) => { box.scrollTop = box.scrollHeight }")
    await expect(card).to_have_count(0)


async def test_a_message_shows_what_came_with_it(chat_page: OpenChat) -> None:
    chat = await chat_page(
        ENTITIES, composer={"tools": [{"id": "find", "label": "Find it", "icon": "search"}]}
    )
    file = FileAttachment(id="atc_file", name="tea.pdf", mime_type="application/pdf")
    picture = ImageAttachment(
        id="atc_pic", name="pot.png", mime_type="image/png", preview_url=PICTURE
    )
    tag = UserMessageTagContent(id="ann", text="Ann", data={"a": "b"}, interactive=True)
    message = said(
        "",
        content=[UserMessageTextContent(text="Ask "), tag, UserMessageTextContent(text="\nنعم")],
        quoted_text="Tea is good.",
        attachments=[file, picture],
        inference_options=InferenceOptions(tool_choice=ToolChoice(id="find"), model="m1"),
    )
    await open_with(chat, message)
    lines = chat.transcript.locator(".ock-bubble p")
    assert await lines.all_inner_texts() == ["Ask Ann", "نعم"]
    direction = "(line) => getComputedStyle(line).direction"
    assert [await line.evaluate(direction) for line in await lines.all()] == ["ltr", "rtl"]
    await expect(part(chat, "quote")).to_have_text("Tea is good.")
    await expect(part(chat, "choices")).to_have_text("Tool: Find it Model: m1")
    await lines.first.get_by_role("button", name="Ann").click()
    assert (await chat.page.evaluate("window.clicked"))["id"] == "ann"
    await expect(chat.transcript.get_by_role("img", name="pot.png")).to_be_visible()

    async def bytes_of_file(route: Route) -> None:
        await route.fulfill(body=b"PDF", content_type="application/pdf")

    await chat.page.route("**/api/chat/attachments/atc_file", bytes_of_file)
    async with chat.page.expect_download() as download:
        await chat.transcript.get_by_role("button", name="Download tea.pdf").click()
    assert (await download.value).suggested_filename == "tea.pdf"
    await chat.transcript.get_by_role("button", name="Download pot.png").click()
    await expect(part(chat, "attachment").last).to_contain_text("could not be downloaded")


def changed(change: Callable[[list[dict[str, Any]]], None]) -> Callable[[Route], Any]:
    """Return a route that changes the items which a server lists."""

    async def handle(route: Route) -> None:
        if "items.list" not in (route.request.post_data or ""):
            await route.fallback()
            return
        response = await route.fetch()
        page = await response.json()
        change(page["data"])
        await route.fulfill(response=response, json=page)

    return handle


async def test_what_a_newer_server_sends_does_no_harm(chat_page: OpenChat) -> None:
    def news(items: list[dict[str, Any]]) -> None:
        base = {"thread_id": "t", "created_at": "2026-01-01T00:00:00Z"}
        items[:0] = [
            {**base, "id": "n1", "type": "hologram", "light": 3},
            {**base, "id": "n2", "type": "task", "task": {"type": "dance", "title": "Danced"}},
            {**base, "id": "n3", "type": "assistant_message", "content": None},
            {**base, "id": "n4", "type": "sdk_hidden_context", "content": "secret"},
            {**base, "id": "n5", "type": "workflow", "workflow": {"type": "new"}},
            {**base, "id": "n6", "type": "structured_input", "status": "new", "inputs": []},
        ]

    chat = await chat_page()
    await chat.page.route("**/api/chat", changed(news))
    await open_with(chat, said("Hello"), answered("Hi."))
    await expect(part(chat, "unknown").filter(has_text="hologram")).to_be_visible()
    await expect(chat.transcript).to_contain_text("Danced")
    await expect(chat.transcript).to_contain_text("Hi.")
    await expect(chat.transcript).not_to_contain_text("secret")


@pytest.mark.parametrize("notifies", [True, False], ids=["notify", "live region"])
async def test_screen_readers_are_told_whole_sentences(chat_page: OpenChat, notifies: bool) -> None:
    more = asyncio.Event()

    async def speak(turn: Turn) -> Events:
        content = [AssistantMessageContent(text="**Tea** is ready. It is h")]
        item = turn.new_item(AssistantMessageItem, content=content)
        yield ThreadItemAddedEvent(item=item)
        await more.wait()
        whole = [AssistantMessageContent(text="**Tea** is ready. It is hot.")]
        yield ThreadItemDoneEvent(item=item.model_copy(update={"content": whole}))

    chat = await chat_page()
    region = part(chat, "announcements")

    async def are_told(*sentences: str) -> None:
        if notifies:
            said = "(sentences) => String(window.told) === String(sentences)"
            await chat.page.wait_for_function(said, arg=list(sentences))
        else:
            await expect(region.locator("p")).to_have_text(list(sentences))

    notify = "function (text) { (window.told ??= []).push(text); }" if notifies else "undefined"
    await chat.page.evaluate(f"() => {{ Element.prototype.ariaNotify = {notify}; }}")
    await open_with(chat, said("Old?"), answered("Old answer."))
    chat.script(speak)
    await chat.send("go", wait=False)
    await are_told("Tea is ready.")
    more.set()
    await are_told("Tea is ready.", "It is hot.")
    assert await region.get_attribute("aria-live") == "polite"
    headings = chat.transcript.get_by_role("heading", level=2)
    assert await headings.all_inner_texts() == ["You", "Assistant"] * 2


async def test_nothing_is_wider_than_a_small_phone(chat_page: OpenChat) -> None:
    chat = await chat_page(context={**PHONE, **SMALL}, **ACTIONS)
    long = "x" * 400
    task = CustomTask(title=long, content=long)
    item = turn_item(WorkflowItem, workflow=Workflow(type="custom", tasks=[task], expanded=True))
    source = Annotation(source=URLSource(title=long, url=f"https://example.com/{long}"), index=3)
    file = FileAttachment(id="f", name=f"{long}.pdf", mime_type="application/pdf")
    message = said(long, attachments=[file], quoted_text=long)
    await open_with(chat, message, item, answered(f"{long}\n\n`{long}`", annotations=[source]))
    wide = await chat.transcript.evaluate(
        "(e) => [...e.querySelectorAll('.ock-row')].filter((r) => r.scrollWidth > 320).length"
    )
    assert wide == 0
    sizes = await part(chat, "action").evaluate_all(
        "(all) => all.map((e) => Math.min(e.offsetWidth, e.offsetHeight))"
    )
    assert min(sizes) >= 44


def turn_item(kind: type[Any], **fields: Any) -> Any:
    base = answered("").model_dump(include={"id", "thread_id", "created_at"})
    return kind(**base, **fields)
