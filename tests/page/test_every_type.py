"""The page draws every item, event, update, task and source of ChatKit's types.

The types are looked up, and instances made by their fields: a type or field that a new release of
`openai-chatkit` brings fails here until the page draws it, or `NOT_SHOWN` says why not.
"""

from __future__ import annotations

from typing import Any

import pytest
from chatkit import types
from chatkit.types import ThreadItem, ThreadItemUpdate, ThreadStreamEvent
from playwright.async_api import expect
from pydantic import BaseModel

from chatkit_server.testing import Gate
from tests.page.browsing import ChatPage
from tests.page.building import Builder, kind, models_in
from tests.page.conftest import OpenChat
from tests.page.site import PICTURE
from tests.page.type_cases import EVENTS, UPDATES, Case

NOT_SHOWN = {
    "id": "names a thing for the server",
    "thread_id": "names a thing for the server",
    "call_id": "names a thing for the server",
    "metadata": "is never sent",
    "mime_type": "says what the file is",
    "created_at": "is the time",
    "UserMessageTagContent.data": "goes to the page's callbacks",
    "UserMessageTagContent.group": "groups what is searched for, in the composer",
    "InferenceOptions.model": "goes to the server",
    "EntitySource.data": "goes to the page's callbacks",
    "ClientToolCallItem": "is for the page's `onClientTool`",
    "WidgetItem.copy_text": "is what Copy copies",
    "HiddenContextItem": "is never sent",
    "SDKHiddenContextItem": "is never sent",
    "URLSource.group": "is in the cards of a message's sources, and not in tasks",
    "FileSource.group": "is in the cards of a message's sources, and not in tasks",
    "SearchTask.title_query": "stands in for a title that is missing",
}
"""Fields whose text is not to be read, by their name, their model, or both."""

HARVEST = """
async (element) => {
  const root = element.shadowRoot;
  const seen = new Set();
  const found = new Set();
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const harvest = () => {
    found.add(root.querySelector("ock-shell").innerText);
    for (const each of root.querySelectorAll("*")) {
      for (const name of ["aria-label", "title", "href", "src", "alt", "placeholder"])
        found.add(each.getAttribute(name) ?? "");
      if (typeof each.value === "string") found.add(each.value);
    }
  };
  harvest();
  for (let round = 0; round < 4; round++) {
    const closed = [...root.querySelectorAll(
      "ock-transcript [aria-expanded=false], ock-transcript details:not([open]) > summary"
    )].filter((each) => !seen.has(each));
    for (const each of closed) {
      seen.add(each);
      each.click();
      await frame();
      harvest();
    }
  }
  for (const each of root.querySelectorAll("ock-transcript :is(button, a, [tabindex='0'])")) {
    each.focus();
    await frame();
    for (let more = 0; more < 8 && each.closest("ock-source, ock-entity"); more++) await frame();
    harvest();
  }
  return [...found].join("\\n");
}
"""
"""Everything that can be read in the conversation, when all that folds is unfolded."""


def is_shown(where: str) -> bool:
    model, _, field = where.partition(".")
    return not {model, field, where} & set(NOT_SHOWN)


@pytest.mark.parametrize("model", models_in(ThreadItem), ids=kind)
async def test_every_field_of_every_item_can_be_read(
    chat_page: OpenChat, model: type[BaseModel]
) -> None:
    chat = await chat_page(entities={}, threadItemActions={"feedback": True, "retry": True})
    builder = Builder(f"{chat.site.url}/test/picture")
    items: list[Any] = builder.full(model)
    await chat.call("setThreadId", chat.seed(*items))
    await chat.heard("chatkit.thread.load.end")
    is_hidden = model in (types.HiddenContextItem, types.SDKHiddenContextItem)
    if not is_hidden and model is not types.EndOfTurnItem:
        await expect(chat.transcript.locator("article").first).to_be_visible()
    await chat.page.keyboard.press("Tab")  # so that the focus is that of a keyboard
    read = await chat.element.evaluate(HARVEST)
    shown = {where for word, where in builder.words.items() if word in read}
    missing = {where for where in builder.words.values() if is_shown(where)} - shown
    assert not missing, f"not shown: {', '.join(sorted(missing))}\n{read}"
    if model is types.GeneratedImageItem:
        assert PICTURE in read
    if is_hidden:
        assert not shown


async def test_items_with_the_least_in_them_break_nothing(chat_page: OpenChat) -> None:
    chat = await chat_page()
    builder = Builder()
    least: list[Any] = [builder.minimal(model) for model in models_in(ThreadItem)]
    await chat.call("setThreadId", chat.seed(*least))
    await chat.heard("chatkit.thread.load.end")
    await chat.send("cite")
    assert "Green tea" in await chat.text()


def test_every_event_and_update_has_a_case() -> None:
    assert set(EVENTS) == {kind(model) for model in models_in(ThreadStreamEvent)}
    assert set(UPDATES) == {kind(model) for model in models_in(ThreadItemUpdate)}


async def test_every_event_and_update_is_seen_at_once(chat_page: OpenChat) -> None:
    chat = await chat_page(threadItemActions={"retry": True})
    failed = []
    for name, case in (EVENTS | UPDATES).items():
        try:
            await play(chat, case)
        except AssertionError as error:
            failed.append(f"{name}: {error}")
    assert not failed, "\n\n".join(failed)


async def play(chat: ChatPage, case: Case) -> None:
    """Say something, look at the page while the answer waits after its events, and let it end."""
    ended = await chat.count("chatkit.response.end")
    case.gate = Gate()
    chat.script(case.answer)
    await chat.send(f"{case.name}?", wait=False)
    try:
        await case.reached()
        await case.check(chat)
    finally:
        case.gate.open()
        await chat.heard("chatkit.response.end", ended + 1)
