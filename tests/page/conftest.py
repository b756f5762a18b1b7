"""A browser for each worker, a server for all tests of the page, and a tab for each test.

async def test_it_answers(chat_page: OpenChat) -> None:
    chat = await chat_page(header={"enabled": False})   # the element's options
    await chat.send("show a card")                      # waits for the end of the answer
    await expect(chat.transcript).to_contain_text("Tea")

Each tab is a user of its own (`chat.user`), so tests see no conversations of others. A test fails
if its pages log errors, violate the Content-Security-Policy, or ask any other host; what it expects
of these it says by `chat.troubles.expect("regex")`. The built module has to be there:
`cd plugins/chat_page && npm ci && npm run build`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio
from chatkit_plugins.showcase import pace
from playwright.async_api import Browser, BrowserContext, async_playwright, expect

from chatkit_server.testing.model_server import ModelServer
from tests.browser import COMMANDS, FLAGS
from tests.page.browsing import PATIENCE, RECORD, ChatPage, Troubles
from tests.page.site import Site, open_site
from tests.programs import program

HERE = Path(__file__).parent
BUILT = HERE.parents[1] / "plugins/chat_page/built"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
"""Options of a tab on a phone: `await chat_page(context=PHONE)`."""

MICROPHONE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
"""A microphone that beeps, and that pages may use without a question."""

OpenSite = Callable[..., Awaitable[Site]]
_users = count(1)

expect.set_options(timeout=PATIENCE)


class OpenChat(Protocol):
    """What the fixture `chat_page` is.

    `script` is a JavaScript function that gets the options and returns them, for callbacks. `user`
    is whose tab it is, for a second one; `site` another server. `context` are Playwright's options
    of a browser context. With `path`, that page of the server is opened as it is, without options.
    """

    def __call__(
        self,
        script: str | None = None,
        *,
        user: str | None = None,
        site: Site | None = None,
        path: str | None = None,
        context: dict[str, Any] | None = None,
        **options: Any,
    ) -> Awaitable[ChatPage]: ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of the page in the loop of the session, which has the browser."""
    for item in items:
        if HERE in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    command = program(*COMMANDS)
    if not (BUILT / "open-chatkit.js").exists():
        pytest.fail(f"{BUILT} is missing: cd plugins/chat_page && npm ci && npm run build")
    own = {"--headless", "--remote-debugging-port=0"}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=command,
            args=[*(flag for flag in FLAGS if flag not in own), *MICROPHONE],
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with open_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def site(shared_site: Site) -> Iterator[Site]:
    """The server, with the chat page, the showcase, attachments and a store in memory."""
    yield shared_site
    shared_site.scripts.of.clear()


@pytest_asyncio.fixture(loop_scope="session")
async def open_server(tmp_path: Path) -> AsyncIterator[OpenSite]:
    """A factory of servers of the test's own: `await open_server(plugin, turns={...})`."""
    async with AsyncExitStack() as stack:

        async def make(*plugins: object, **sections: Any) -> Site:
            return await stack.enter_async_context(open_site(tmp_path, *plugins, **sections))

        yield make


@pytest_asyncio.fixture(loop_scope="session")
async def model_server() -> AsyncIterator[ModelServer]:
    """An OpenAI-compatible model server of the test's own, in the loop of the browser."""
    async with ModelServer() as server:
        yield server


@pytest.fixture(autouse=True)
def quick_showcase(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the showcase take no time for its work."""

    async def work(seconds: float) -> None:
        await asleep(0.001)

    asleep = pace.sleep
    monkeypatch.setattr(pace, "sleep", work)


@pytest_asyncio.fixture(loop_scope="session")
async def troubles(site: Site) -> AsyncIterator[Troubles]:
    """What goes wrong in the pages of a test."""
    troubles = Troubles(site)
    yield troubles
    assert not troubles.unexpected, "\n".join(troubles.unexpected)


@pytest_asyncio.fixture(loop_scope="session")
async def new_context(
    browser: Browser, troubles: Troubles
) -> AsyncIterator[Callable[..., Awaitable[BrowserContext]]]:
    """A factory of browser contexts, which are closed after the test."""
    async with AsyncExitStack() as stack:

        async def make(user: str, **given: Any) -> BrowserContext:
            fixed = {"locale": "en-GB", "timezone_id": "UTC", "reduced_motion": "reduce"}
            size = {"viewport": {"width": 900, "height": 720}}
            headers = {"extra_http_headers": {"X-User": user}}
            context = await browser.new_context(**{**fixed, **size, **headers, **given})
            stack.push_async_callback(context.close)
            context.set_default_timeout(PATIENCE)
            await context.add_init_script(RECORD)
            troubles.watch(context)
            return context

        yield make


@pytest.fixture
def chat_page(
    site: Site, troubles: Troubles, new_context: Callable[..., Awaitable[BrowserContext]]
) -> OpenChat:
    """A factory of tabs with the element: `await chat_page(theme="dark")`; see `OpenChat`."""
    default = site

    async def open_chat(
        script: str | None = None,
        *,
        user: str | None = None,
        site: Site | None = None,
        path: str | None = None,
        context: dict[str, Any] | None = None,
        **options: Any,
    ) -> ChatPage:
        where = site or default
        troubles.sites.append(where)
        who = user or f"user{next(_users)}"
        page = await (await new_context(who, **(context or {}))).new_page()
        chat = ChatPage(page, where, who, troubles)
        await page.goto(f"{where.url}{path or '/test/chat'}")
        await page.wait_for_function("() => !!customElements.get('open-chatkit')")
        if path is None:
            # By the CSSOM, which the policy allows
            await chat.element.evaluate("(element) => { element.style.blockSize = '100dvh' }")
            await chat.options(script, **options)
        return chat

    return open_chat


@pytest.fixture
def open_element(
    site: Site, troubles: Troubles, new_context: Callable[..., Awaitable[BrowserContext]]
) -> Callable[..., Awaitable[ChatPage]]:
    """A factory of pages of your own, without a policy: `await open_element("<body>…")`.

    The HTML is the whole page; it may import `/open-chatkit.js`.
    """

    async def open_html(html: str, user: str | None = None, **context: Any) -> ChatPage:
        who = user or f"user{next(_users)}"
        site.pages.bodies["own"] = html
        page = await (await new_context(who, **context)).new_page()
        await page.goto(f"{site.url}/test/own")
        return ChatPage(page, site, who, troubles)

    return open_html
