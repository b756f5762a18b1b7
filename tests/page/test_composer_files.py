"""Attachments and dictation in the composer."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from chatkit.types import AudioInput, UserMessageItem
from playwright.async_api import FilePayload, Locator, Route, expect

from chatkit_server import hookimpl
from tests.page.browsing import ChatPage
from tests.page.conftest import OpenChat, OpenSite
from tests.plugins.attached import image

TEXT: FilePayload = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"Tea is hot."}
PICTURE: FilePayload = {"name": "tea.png", "mimeType": "image/png", "buffer": image()}
PROGRAM: FilePayload = {"name": "tea.exe", "mimeType": "application/x-dosexec", "buffer": b"MZ"}
LARGE: FilePayload = {"name": "large.txt", "mimeType": "text/plain", "buffer": b"x" * 3000}
EMPTY: FilePayload = {"name": "empty.txt", "mimeType": "text/plain", "buffer": b""}

ATTACHMENTS: dict[str, Any] = {
    "enabled": True,
    "accept": {"image/*": [".png"], "text/plain": [".txt"]},
    "maxSize": {"text/*": 2048},
    "maxCount": 3,
}
TWO_PHASES = "(given) => ({...given, api: {...given.api, uploadStrategy: {type: 'two_phase'}}})"
DIRECT = """(given) => ({...given, api: {...given.api,
  uploadStrategy: {type: "direct", uploadUrl: "/api/chat/attachments"}}})"""
OWN_FETCH = """(given) => ({...given, api: {...given.api,
  uploadStrategy: {type: "direct", uploadUrl: "/api/chat/attachments"},
  fetch: (url, init) => {
    window.fetched = [...(window.fetched ?? []), new URL(url, location.href).pathname];
    return fetch(url, init);
  }}})"""

KNOWN_HEADERS = """(given) => ({...given, api: {...given.api,
  uploadStrategy: {type: "direct", uploadUrl: "/api/chat/attachments"},
  headers: () => ({"X-Known": "yes"}),
  fetch: (url, init) => fetch(url, init)}})"""


async def pick(chat: ChatPage, *files: FilePayload) -> None:
    await chat.composer.locator("input[type=file]").set_input_files(list(files))


def files_of(chat: ChatPage) -> Locator:
    return chat.composer.get_by_role("listitem")


def button(chat: ChatPage, name: str) -> Locator:
    return chat.composer.get_by_role("button", name=name, exact=True)


def messages_of(chat: ChatPage) -> list[UserMessageItem]:
    (thread_id,) = chat.site.store.threads[("", chat.user)]
    items = chat.site.store.items[thread_id].values()
    return [item for item in items if isinstance(item, UserMessageItem)]


def sent(chat: ChatPage) -> UserMessageItem:
    (message,) = messages_of(chat)
    return message


class Gate:
    """Holds requests of a page until it is opened."""

    def __init__(self, error: bool = False) -> None:
        self.asked = asyncio.Event()
        self.opened = asyncio.Event()
        self.error = error

    async def __call__(self, route: Route) -> None:
        self.asked.set()
        await self.opened.wait()
        await (route.abort() if self.error else route.continue_())


async def test_files_go_with_the_message_in_both_ways(chat_page: OpenChat) -> None:
    chat = await chat_page(TWO_PHASES, composer={"attachments": ATTACHMENTS})
    async with chat.page.expect_file_chooser() as chosen:
        await button(chat, "Attach files").click()
    await (await chosen.value).set_files([TEXT, PICTURE])
    await expect(files_of(chat)).to_have_text([re.compile("11 bytes"), re.compile("tea.png")])
    await expect(chat.composer.locator("img")).to_have_attribute("src", re.compile("^blob:"))
    await expect(chat.composer.locator("[data-state=done]")).to_have_count(2)
    await chat.send("two phases")
    for script in (DIRECT, OWN_FETCH):
        await chat.options(script, composer={"attachments": ATTACHMENTS})
        await pick(chat, TEXT, PICTURE)
        await expect(chat.composer.locator("[data-state=done]")).to_have_count(2)
        # A message needs no text
        ended = await chat.count("chatkit.response.end")
        await button(chat, "Send").click()
        await chat.heard("chatkit.response.end", ended + 1)
        await expect(files_of(chat)).to_have_count(0)
    messages = messages_of(chat)
    assert len(messages) == 3
    for message in messages:
        files = [(each.name, each.mime_type) for each in message.attachments]
        assert files == [("notes.txt", "text/plain"), ("tea.png", "image/png")]
    assert "/api/chat/attachments" in await chat.page.evaluate("window.fetched")


async def test_what_may_not_be_attached_is_said(chat_page: OpenChat) -> None:
    chat = await chat_page(TWO_PHASES, composer={"attachments": ATTACHMENTS})
    await pick(chat, PROGRAM, LARGE, EMPTY, TEXT, TEXT, TEXT, PICTURE)
    await expect(files_of(chat)).to_have_count(3)
    for words in (
        "“tea.exe” cannot be attached. Allowed are .png, .txt.",
        "“large.txt” is too large. The limit is 2 kB.",
        "“empty.txt” is empty.",
        "“tea.png” was not attached. A message can have 3 at most.",
    ):
        await expect(chat.composer).to_contain_text(words)


async def test_a_slow_upload_shows_its_progress_and_can_be_cancelled(chat_page: OpenChat) -> None:
    chat = await chat_page(TWO_PHASES, composer={"attachments": ATTACHMENTS})
    gate = Gate()
    await chat.page.route("**/upload?*", gate)
    await pick(chat, TEXT)
    await expect(chat.composer.get_by_role("progressbar")).to_be_visible()
    await chat.field.fill("read it")
    await chat.field.press("Enter")
    await expect(chat.composer).to_contain_text("The message can be sent when")
    await expect(chat.field).to_have_value("read it")
    await gate.asked.wait()
    async with chat.page.expect_request(
        lambda request: "attachments.delete" in (request.post_data or "")
    ):
        await button(chat, "Cancel the upload of notes.txt").click()
    await expect(files_of(chat)).to_have_count(0)
    gate.opened.set()
    await chat.field.press("Enter")
    await chat.heard("chatkit.response.end")
    assert not sent(chat).attachments


async def test_what_kept_a_message_back_is_not_said_once_it_is_over(chat_page: OpenChat) -> None:
    chat = await chat_page(TWO_PHASES, composer={"attachments": ATTACHMENTS})
    gate = Gate()
    await chat.page.route("**/upload?*", gate)
    await pick(chat, TEXT)
    await chat.field.fill("read it")
    await chat.field.press("Enter")
    note = chat.composer.locator('[part~="composer-note"]')
    await expect(note).to_contain_text("The message can be sent when")
    gate.opened.set()
    await expect(chat.composer.locator("[data-state=done]")).to_have_count(1)
    await expect(note).to_have_count(0)


async def test_a_file_that_fails_can_be_sent_again(chat_page: OpenChat) -> None:
    chat = await chat_page(TWO_PHASES, composer={"attachments": ATTACHMENTS})
    chat.troubles.expect("net::ERR_FAILED")
    gate = Gate(error=True)
    gate.opened.set()
    await chat.page.route("**/upload?*", gate)
    await pick(chat, TEXT)
    await expect(files_of(chat)).to_contain_text("Upload failed")
    await chat.field.fill("read it")
    await chat.field.press("Enter")
    await expect(chat.composer).to_contain_text("Remove it, or try again.")
    gate.error = False
    await button(chat, "Upload notes.txt again").click()
    await expect(chat.composer.locator("[data-state=done]")).to_have_count(1)
    await chat.field.press("Enter")
    await chat.heard("chatkit.response.end")
    assert len(sent(chat).attachments) == 1


async def test_what_the_server_refuses_is_said_in_its_words(chat_page: OpenChat) -> None:
    composer = {"attachments": {"enabled": True}}
    chat = await chat_page(KNOWN_HEADERS, composer=composer, locale="de")
    async with chat.page.expect_request("**/api/chat/attachments") as sent:
        await pick(chat, {**PICTURE, "buffer": b"\x89PNG\r\n\x1a\nbroken"})
    assert (await sent.value).headers["x-known"] == "yes"
    await expect(files_of(chat)).to_contain_text("Diese Datei kann nicht angehängt werden")
    # The same file would be refused again
    await expect(files_of(chat).get_by_role("button")).to_have_count(1)
    await button(chat, "tea.png entfernen").click()
    await expect(files_of(chat)).to_have_count(0)


async def test_files_are_dropped_pasted_and_given_by_the_page(chat_page: OpenChat) -> None:
    chat = await chat_page(TWO_PHASES, composer={"attachments": ATTACHMENTS})
    data = await chat.page.evaluate_handle(
        "() => { const data = new DataTransfer();"
        "data.items.add(new File(['Tea.'], 'dropped.txt', {type: 'text/plain'})); return data }"
    )
    await chat.element.dispatch_event("dragenter", {"dataTransfer": data})
    await expect(chat.element.get_by_text("Drop files here")).to_be_visible()
    await chat.element.dispatch_event("drop", {"dataTransfer": data})
    await expect(chat.element.get_by_text("Drop files here")).to_have_count(0)
    await chat.field.evaluate(
        """(field) => {
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File(["Tea."], "pasted.txt", {type: "text/plain"}));
          const how = {clipboardData, bubbles: true, cancelable: true};
          field.dispatchEvent(new ClipboardEvent("paste", how));
        }"""
    )
    await chat.element.evaluate(
        "(element) => element.setComposerValue({files: [new File(['Tea.'], 'given.txt', "
        "{type: 'text/plain'})]})"
    )
    # That has waited for the upload
    await expect(chat.composer.locator("[data-state=done]")).to_have_count(3)
    await chat.page.reload()
    await chat.options(TWO_PHASES, composer={"attachments": ATTACHMENTS})
    await expect(files_of(chat)).to_have_count(3)
    await chat.send("here")
    names = [each.name for each in sent(chat).attachments]
    assert names == ["dropped.txt", "pasted.txt", "given.txt"]


class Listening:
    """Writes down what was said; the first recording fails."""

    def __init__(self) -> None:
        self.heard: list[AudioInput] = []

    @hookimpl
    async def transcribe(self, audio: AudioInput) -> str:
        self.heard.append(audio)
        if len(self.heard) == 1:
            raise ValueError("The first one is not understood.")
        return "two cups of tea"


async def test_what_is_said_is_written_at_the_caret(
    chat_page: OpenChat, open_server: OpenSite
) -> None:
    listening = Listening()
    site = await open_server(listening)
    chat = await chat_page(
        site=site,
        composer={"dictation": {"enabled": True}},
        context={"permissions": ["microphone"]},
    )
    await chat.field.fill("I want today")
    for _ in " today":
        await chat.field.press("ArrowLeft")
    await button(chat, "Dictate").click()
    await expect(chat.composer).to_contain_text("Speak now")
    await chat.page.wait_for_timeout(300)
    await button(chat, "Done").click()
    await button(chat, "Try again").click()
    await expect(chat.field).to_have_value("I want two cups of tea today")
    await expect(chat.field).to_be_focused()
    first, second = listening.heard
    assert first.media_type == "audio/webm"
    assert first.data == second.data
    assert len(first.data) > 100
    await button(chat, "Dictate").click()
    await expect(button(chat, "Done")).to_be_focused()
    await chat.page.keyboard.press("Escape")
    await expect(button(chat, "Dictate")).to_be_visible()


async def test_it_says_why_it_cannot_hear(chat_page: OpenChat) -> None:
    chat = await chat_page(composer={"dictation": {"enabled": True}})
    for name, words in (
        ("NotAllowedError", "This page may not use the microphone."),
        ("NotFoundError", "No microphone was found."),
    ):
        await chat.page.evaluate(
            "(name) => { navigator.mediaDevices.getUserMedia = async () => "
            "{ throw new DOMException('no', name) } }",
            name,
        )
        await button(chat, "Dictate").click()
        await expect(chat.composer).to_contain_text(words)
        await button(chat, "Cancel").click()
        await expect(chat.field).to_be_focused()
    assert json.dumps(await chat.events("chatkit.error")) == "[]"
