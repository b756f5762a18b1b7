"""A tab with the chat page, and what a test does there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from chatkit.types import ThreadItem
from playwright.async_api import (
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    WebError,
    expect,
)

from tests.page.site import Script, Site

PATIENCE = 20_000
"""Milliseconds that anything in a page may take on a busy machine."""

RECORD = r"""
window.chatEvents = [];
const dispatch = EventTarget.prototype.dispatchEvent;
EventTarget.prototype.dispatchEvent = function (event) {
  if (/^(open-)?chatkit\./.test(event.type)) {
    let detail = event.detail;
    if (detail?.error) detail = { error: String(detail.error) };
    window.chatEvents.push({ type: event.type, detail });
  }
  return dispatch.call(this, event);
};
addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""
_FAILED = "Failed to load resource"


class Troubles:
    """What went wrong in the pages of a test: errors, violations, requests to other hosts."""

    def __init__(self, site: Site) -> None:
        self.sites = [site]
        self.found: list[str] = []
        self._expected: list[str] = []

    def expect(self, pattern: str) -> None:
        """Let this one be: a regular expression that is searched in what was found."""
        self._expected.append(pattern)

    @property
    def unexpected(self) -> list[str]:
        patterns = self._expected
        return [each for each in self.found if not any(re.search(p, each) for p in patterns)]

    def watch(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        # The browser says each refusal of the server, of which the page makes something
        url = message.location["url"]
        if not (message.text.startswith(_FAILED) and "/api/" in url):
            self.found.append(f"{message.type}: {message.text} ({url})")

    def _error(self, error: WebError) -> None:
        self.found.append(f"exception: {error.error.message}\n{error.error.stack}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("data", "blob", "about"):
            return
        ports = {site.port for site in self.sites}
        if parts.hostname != "127.0.0.1" or parts.port not in ports:
            self.found.append(f"request to another host: {request.method} {request.url}")


class ChatPage:
    """A tab with the element. Playwright's locators see through its shadow root."""

    def __init__(self, page: Page, site: Site, user: str, troubles: Troubles) -> None:
        self.page = page
        self.site = site
        self.user = user
        self.troubles = troubles
        self.element: Locator = page.locator("open-chatkit, openai-chatkit").first
        self.composer: Locator = self.element.locator("ock-composer")
        self.transcript: Locator = self.element.locator("ock-transcript")
        # Without what is said to screen readers alone
        self.items: Locator = self.transcript.locator("ock-item")
        self.field: Locator = self.composer.get_by_role("textbox").first

    # The user

    async def send(self, text: str, *, wait: bool = True) -> None:
        """Write a message and press Enter, on a phone Send; wait for the end of the answer."""
        ended = await self.count("chatkit.response.end")
        await self.field.fill(text)
        if await self.page.evaluate("() => matchMedia('(pointer: coarse)').matches"):
            await self.composer.locator('[part~="send"]').click()
        else:
            await self.field.press("Enter")
        if wait:
            await self.heard("chatkit.response.end", ended + 1)

    async def text(self) -> str:
        """Return what the conversation shows."""
        return "\n".join(await self.items.all_inner_texts())

    # The page around the element

    async def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the element."""
        return await self.element.evaluate(
            "(element, [method, given]) => element[method](...given)", [method, list(arguments)]
        )

    async def options(self, script: str | None = None, **options: Any) -> None:
        """Set options. A script is a JavaScript function that gets them, and returns all."""
        api = {"url": "/api/chat", "domainKey": "test"}
        given = {"api": api, "locale": "en", **options}
        await self.element.evaluate(
            f"(element, given) => element.setOptions(({script or '(given) => given'})(given))",
            given,
        )

    # The element's events

    async def events(self, *types: str) -> list[dict[str, Any]]:
        """Return ChatKit's events of the element so far: `{"type", "detail"}`."""
        found: list[dict[str, Any]] = await self.page.evaluate("window.chatEvents")
        wanted = types or tuple({e["type"] for e in found if e["type"].startswith("chatkit.")})
        return [event for event in found if event["type"] in wanted]

    async def count(self, type: str) -> int:
        return len(await self.events(type))

    async def heard(self, type: str, times: int = 1) -> None:
        """Wait until the element has dispatched so many events of a type."""
        await self.page.wait_for_function(
            "([type, times]) => window.chatEvents.filter((e) => e.type === type).length >= times",
            arg=[type, times],
        )

    # The server

    def script(self, *scripts: Script) -> None:
        """Have the user's next messages answered by these."""
        self.site.scripts.of[self.user].extend(scripts)

    def seed(self, *items: ThreadItem, **thread: Any) -> str:
        """Store a conversation of the user, and return its id: `said` and `answered` make items."""
        return self.site.seed(self.user, *items, **thread)


def shown(names: Iterable[str]) -> str:
    """Return a selector for the parts of these names."""
    return ", ".join(f'[part~="{name}"]' for name in names)


def part(chat: ChatPage, name: str) -> Locator:
    """Return what has this part in the conversation."""
    return chat.transcript.locator(shown([name]))


async def open_with(chat: ChatPage, *items: ThreadItem) -> None:
    """Store a conversation of the user, open it, and wait until it is drawn."""
    await chat.call("setThreadId", chat.seed(*items))
    await expect(chat.transcript.locator("article").last).to_be_visible()
