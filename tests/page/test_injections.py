"""Nothing that is shown runs script, leaves the element or calls home: 381 texts, everywhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from chatkit.types import (
    Annotation,
    ClientEffectEvent,
    ErrorEvent,
    NoticeEvent,
    ProgressUpdateEvent,
    ThreadItem,
    ThreadStreamEvent,
    URLSource,
    UserMessageTextContent,
    WidgetItem,
)
from chatkit.widgets import DynamicWidgetRoot
from playwright.async_api import Route, expect

from chatkit_server import Turn
from tests.page.browsing import ChatPage
from tests.page.building import BEGAN, models_in
from tests.page.conftest import OpenChat
from tests.page.hostile import ADDRESSES, INJECTIONS, INSPECT, LONG, PREPARE, SENDABLE, Hostile
from tests.page.site import answered, fresh, said

STREAM = """
async (element, [texts, steps]) => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const first = element.shadowRoot.querySelector("ock-markdown");
  const box = first.parentElement.appendChild(document.createElement("div"));
  const all = texts.map((text) => {
    const each = document.createElement("ock-markdown");
    Object.assign(each, { chat: first.chat, value: "", streaming: true });
    return box.appendChild(each);
  });
  for (let step = 1; step <= steps; step++) {
    all.forEach((each, index) => {
      const { length } = texts[index];
      each.value = texts[index].slice(0, Math.ceil((length * step) / steps));
      each.streaming = step < steps;
    });
    await frame();
  }
  for (const each of all) while (each.isUpdatePending) await frame();
}
"""
"""Shows texts as markdown, each cut into pieces as a model sends them."""

MEASURE = """
async (element, texts) => {
  const first = element.shadowRoot.querySelector("ock-markdown");
  const found = {};
  let longest = 0;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
  }).observe({ type: "longtask" });
  const pause = () => new Promise((done) => setTimeout(done, 4));
  const all = Object.entries(texts);
  for (let start = 0; start < all.length; start += 10) {
    const some = all.slice(start, start + 10);
    longest = 0;
    const drawn = some.map(([, text]) => {
      const each = document.createElement("ock-markdown");
      Object.assign(each, { chat: first.chat, value: text, streaming: true });
      return first.parentElement.appendChild(each);
    });
    for (const streaming of [true, false]) {
      for (const each of drawn) each.streaming = streaming;
      do await pause();
      while (drawn.some((each) => each.isUpdatePending));
    }
    for (const each of drawn) each.remove();
    await pause();
    found[some.map(([name]) => name).join(", ")] = Math.round(longest);
  }
  return found;
}
"""
"""Shows texts, some at a time, and returns the longest task of each time in milliseconds."""


UNFOLD = """
async (element) => {
  const closed = "ock-transcript :is([aria-expanded=false], details:not([open]) > summary)";
  for (const each of element.shadowRoot.querySelectorAll(closed)) each.click();
  for (let frame = 0; frame < 3; frame++)
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
}
"""
"""Opens all that folds."""

OPTIONS = r"""
({ texts, ...given }) => {
  const named = texts.map((text, index) => ({
    id: `id${index}`, title: text, label: text, description: text, group: text, icon: text,
    prompt: text, data: { [text]: text },
  }));
  const few = (...names) => named.filter((_, index) => index % 8 === 0)
    .map((each) => Object.fromEntries(names.map((name) => [name, each[name]])));
  return {
    ...given,
    startScreen: { greeting: texts.join(" "), prompts: few("label", "prompt", "icon") },
    disclaimer: { text: texts.join("\n\n") },
    composer: {
      placeholder: texts.join(" "),
      tools: few("id", "label", "icon"),
      models: few("id", "label", "description"),
    },
    entities: { onTagSearch: async () => named, showComposerMenu: true },
    commands: { enabled: true, onSearch: async () => named, onSelect: async () => {} },
  };
}
"""
"""Makes options whose texts are hostile: a page may take them from others."""

NEVER_SENT = {"HiddenContextItem", "SDKHiddenContextItem"}


async def refuse(route: Route) -> None:
    await route.abort()


async def prepared(chat: ChatPage, *items: ThreadItem, **thread: Any) -> ChatPage:
    """Open a conversation in a page that asks nobody but the server, and sees what is called."""
    await chat.page.evaluate(PREPARE)
    await chat.page.route(lambda url: not url.startswith(chat.site.url), refuse)
    # Pictures of the page's own host may be loaded, and are not there
    chat.troubles.expect(rf"Failed to load resource.*\({chat.site.url}/")
    await chat.call("setThreadId", chat.seed(*items, **thread))
    return chat


async def assert_harmless(chat: ChatPage) -> None:
    assert await chat.element.evaluate(INSPECT) == []


async def test_markdown(chat_page: OpenChat) -> None:
    chat = await prepared(await chat_page(), answered("First"))
    await expect(chat.transcript).to_contain_text("First")
    await chat.element.evaluate(STREAM, [INJECTIONS, 6])
    await assert_harmless(chat)


@pytest.mark.timeout(120)
async def test_long_texts_take_no_long_tasks(chat_page: OpenChat) -> None:
    chat = await prepared(await chat_page(), answered("First"))
    await expect(chat.transcript).to_contain_text("First")
    found = await chat.element.evaluate(MEASURE, LONG)
    assert {name: spent for name, spent in found.items() if spent > 1000} == {}
    await assert_harmless(chat)


def foreign(start: int) -> list[ThreadItem]:
    """Return items of every type whose texts are hostile."""
    build = Hostile(start)
    models = [model for model in models_in(ThreadItem) if model.__name__ not in NEVER_SENT]
    items: list[Any] = [each for model in models for each in build.full(model)]
    unlike = {"created_at": BEGAN}
    return [each.model_copy(update={"id": f"item_{n}", **unlike}) for n, each in enumerate(items)]


@pytest.mark.parametrize("start", [0, 190])
async def test_items_of_every_type(chat_page: OpenChat, start: int) -> None:
    chat = await prepared(await chat_page(), *foreign(start), answered("Last"))
    await expect(chat.transcript).to_contain_text("Last")
    await chat.element.evaluate(UNFOLD)
    await assert_harmless(chat)


async def test_user_texts_and_citations(chat_page: OpenChat) -> None:
    user = said("")
    user = user.model_copy(
        update={"content": [UserMessageTextContent(text=text) for text in SENDABLE]}
    )
    sources = [
        Annotation(
            source=URLSource(
                title=text,
                description=text,
                attribution=text,
                group=text,
                url=ADDRESSES[index % len(ADDRESSES)],
            ),
            index=index % 300,
        )
        for index, text in enumerate(SENDABLE)
    ]
    cited = answered("A word, " * 40, annotations=sources)
    chat = await prepared(await chat_page(), user, cited, title=" ".join(SENDABLE))
    await expect(chat.transcript).to_contain_text("A word,")
    await chat.element.evaluate(UNFOLD)
    await assert_harmless(chat)


async def test_widgets(chat_page: OpenChat) -> None:
    roots = [DynamicWidgetRoot.model_validate(each) for each in Hostile().widgets()]
    items = [WidgetItem(**fresh("wgt"), widget=root, copy_text="x") for root in roots]
    chat = await prepared(await chat_page(), *items, answered("Last"))
    await expect(chat.transcript).to_contain_text("Last")
    await chat.element.evaluate(UNFOLD)
    await assert_harmless(chat)


async def test_titles_in_the_history(chat_page: OpenChat) -> None:
    chat = await chat_page()
    for start in range(0, len(SENDABLE), 20):
        chat.seed(answered("x"), title=" ".join(SENDABLE[start : start + 20]))
    await prepared(chat, answered("First"))
    await chat.call("showHistory")
    await expect(chat.element.get_by_text("msgbox(1)").first).to_be_attached()
    await assert_harmless(chat)


async def test_what_a_turn_says(chat_page: OpenChat) -> None:
    async def hostile(turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        for text in SENDABLE[::12]:
            yield ProgressUpdateEvent(text=text, icon="cube")
            yield NoticeEvent(level="danger", title=text, message=text)
            yield ClientEffectEvent(name=text, data={"__proto__": {"pwned": 1}, text: text})
        yield ErrorEvent(message=" ".join(SENDABLE), allow_retry=True)

    chat = await prepared(await chat_page(), answered("First"))
    chat.script(hostile)
    text = " ".join(SENDABLE[:40]).replace("\0", "")  # the server refuses it
    await chat.call("sendUserMessage", {"text": text})
    await chat.heard("chatkit.response.end")
    await expect(chat.element.get_by_text("msgbox(1)").first).to_be_attached()
    await assert_harmless(chat)


async def test_entities_commands_and_options(chat_page: OpenChat) -> None:
    chat = await chat_page(OPTIONS, texts=SENDABLE)
    await prepared(chat)
    await assert_harmless(chat)
    for sign in ("@", "/"):
        await chat.field.fill("")
        await chat.field.press_sequentially(f"{sign}x")
        await expect(chat.element.get_by_role("option").first).to_be_visible()
        await assert_harmless(chat)
        await chat.field.press("Enter")
        await assert_harmless(chat)
