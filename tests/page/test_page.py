"""The page around the element, at `/`: its address, its sign-in, its policy, behind proxies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from playwright.async_api import expect

from chatkit_server import Unauthorized, User, hookimpl
from tests.page.browsing import ChatPage
from tests.page.conftest import OpenChat, OpenSite
from tests.page.site import Site, answered, open_site, said

SECRET = "a secret of at least thirty-two characters"


def token(user: str, **claims: Any) -> str:
    return jwt.encode({"sub": user, "exp": 4_000_000_000, **claims}, SECRET, algorithm="HS256")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def jwt_site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("jwt")
    async with open_site(folder, plugins={"jwt_auth": {"secret": SECRET}}) as site:
        yield site


async def test_the_page_is_a_chat(chat_page: OpenChat) -> None:
    chat = await chat_page(path="/")
    await chat.send("help")
    await expect(chat.transcript).to_contain_text("card")
    assert await chat.page.evaluate("document.documentElement.lang") == "en-GB"


async def test_the_address_names_the_conversation(chat_page: OpenChat, site: Site) -> None:
    first = site.seed("Ann", said("Tea?"), answered("Yes, tea."), title="About tea")
    second = site.seed("Ann", said("Rice?"), answered("Yes, rice."), title="About rice")
    chat = await chat_page(path=f"/?thread={first}&utm=1#top", user="Ann")
    page = chat.page
    await expect(chat.transcript).to_contain_text("Yes, tea.")
    await chat.call("setThreadId", second)
    await expect(page).to_have_url(f"{site.url}/?thread={second}&utm=1#top")
    await expect(page).to_have_title("About rice · Chat")
    await chat.call("setThreadId", None)
    await expect(page).to_have_url(f"{site.url}/?utm=1#top")
    await expect(page).to_have_title("Chat")
    await page.go_back()
    await expect(chat.transcript).to_contain_text("Yes, rice.")
    await page.go_back()
    await expect(chat.transcript).to_contain_text("Yes, tea.")
    await page.go_forward()
    await expect(chat.transcript).to_contain_text("Yes, rice.")
    await page.reload()
    await expect(chat.transcript).to_contain_text("Yes, rice.")
    await expect(page).to_have_url(f"{site.url}/?thread={second}&utm=1#top")


async def test_a_new_conversation_gets_its_address(chat_page: OpenChat) -> None:
    chat = await chat_page(path="/")
    await chat.send("help")
    page = chat.page
    assert "?thread=thr_" in page.url
    await page.go_back()
    await expect(chat.element.locator("ock-start-screen")).to_be_visible()
    await page.go_forward()
    await expect(chat.transcript).to_contain_text("help")


async def test_a_token_is_asked_for(chat_page: OpenChat, jwt_site: Site) -> None:
    thread = jwt_site.seed("Bea", said("Tea?"), answered("Yes, tea."), title="About tea")
    chat = await chat_page(path=f"/?thread={thread}", site=jwt_site)
    page = chat.page
    dialog = page.get_by_role("dialog", name="Sign in")
    field = dialog.get_by_label("Token")
    await expect(field).to_be_focused()
    await expect(dialog).to_contain_text("The token that you were given", ignore_case=True)
    await field.fill("two words")
    await field.press("Enter")
    await expect(dialog.get_by_role("alert")).to_contain_text("This is no token")
    await field.fill(token("Bea", exp=1))
    await field.press("Enter")
    await expect(dialog.get_by_role("alert")).to_contain_text("expired")
    await expect(field).to_be_focused()
    await field.fill(f"Bearer {token('Bea')}\n")
    await field.press("Enter")
    await expect(chat.transcript).to_contain_text("Yes, tea.")
    await expect(dialog).to_be_hidden()
    await page.reload()
    await expect(chat.transcript).to_contain_text("Yes, tea.")
    await chat.field.fill("A secret plan")
    await page.get_by_role("button", name="Sign out").click()
    await expect(field).to_be_visible()
    await expect(chat.field).to_have_value("")
    assert await page.evaluate("JSON.stringify({...sessionStorage, ...localStorage})") == "{}"


async def test_a_token_that_expires_is_asked_for_again(chat_page: OpenChat, jwt_site: Site) -> None:
    chat = await chat_page(path="/", site=jwt_site)
    page = chat.page
    dialog = page.get_by_role("dialog", name="Sign in")
    await dialog.get_by_label("Token").fill(token("Cid"))
    await dialog.get_by_label("Stay signed in").check()
    await dialog.get_by_role("button", name="Sign in").click()
    await expect(dialog).to_be_hidden()
    await expect(chat.field).to_be_focused()
    name = "open-chatkit:token:/api/chat"
    await page.evaluate(
        "([name, token]) => localStorage.setItem(name, token)", [name, token("Cid", exp=1)]
    )
    await chat.send("help", wait=False)
    await expect(dialog).to_contain_text("expired")
    await dialog.get_by_label("Token").fill(token("Cid"))
    await dialog.get_by_label("Token").press("Enter")
    await chat.heard("chatkit.response.end")
    await expect(chat.transcript.get_by_text("help", exact=True)).to_have_count(1)


async def test_who_signs_out_does_so_in_all_tabs(chat_page: OpenChat, jwt_site: Site) -> None:
    thread = jwt_site.seed("Eva", said("Tea?"), answered("Yes, tea."))
    chat = await chat_page(path="/", site=jwt_site)
    page = chat.page
    dialog = page.get_by_role("dialog", name="Sign in")
    await dialog.get_by_label("Token").fill(token("Eva"))
    await dialog.get_by_label("Stay signed in").check()
    await dialog.get_by_role("button", name="Sign in").click()
    await expect(dialog).to_be_hidden()
    other = await page.context.new_page()
    await other.goto(f"{jwt_site.url}/?thread={thread}")
    await expect(other.get_by_text("Yes, tea.")).to_be_visible()
    await other.get_by_role("button", name="Sign out").click()
    await expect(dialog).to_be_visible()


async def test_a_conversation_that_is_gone_is_no_dead_end(chat_page: OpenChat, site: Site) -> None:
    chat = await chat_page(path="/?thread=thr_gone")
    chat.troubles.expect("404")
    await expect(chat.transcript).to_contain_text("Conversation not found.")
    await chat.element.get_by_role("button", name="New conversation").click()
    await expect(chat.page).to_have_url(f"{site.url}/")
    await chat.send("help")


async def test_who_does_not_sign_in_keeps_what_was_written(
    chat_page: OpenChat, jwt_site: Site
) -> None:
    chat = await chat_page(path="/", site=jwt_site)
    dialog = chat.page.get_by_role("dialog", name="Sign in")
    await expect(dialog).to_be_visible()
    await chat.page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await chat.send("A long message", wait=False)
    await expect(dialog).to_be_visible()
    await dialog.get_by_role("button", name="Not now").click()
    await expect(chat.field).to_have_value("A long message")


class Cookies:
    """Knows users by a cookie, which `/login` gives them."""

    @hookimpl
    def setup(self, app: web.Application) -> None:
        app.router.add_get("/login", self.login)

    async def login(self, request: web.Request) -> web.Response:
        response = web.Response(status=302, headers={"Location": request.query["to"]})
        response.set_cookie("session", "Dee")
        return response

    @hookimpl
    async def auth(self, request: web.Request) -> User:
        if name := request.cookies.get("session"):
            return User(name)
        raise Unauthorized("Your session has ended.")


async def test_users_may_sign_in_elsewhere(chat_page: OpenChat, open_server: OpenSite) -> None:
    page_settings = {"sign_in": "/login?to={url}", "sign_out": "/login?to=/"}
    site = await open_server(Cookies(), plugins={"chat_page": page_settings})
    thread = site.seed("Dee", said("Tea?"), answered("Yes, tea."))
    chat = await chat_page(path=f"/?thread={thread}", site=site)
    dialog = chat.page.get_by_role("dialog", name="Sign in")
    await expect(dialog).to_contain_text("Your session has ended.")
    await dialog.get_by_role("link", name="Sign in").click()
    await expect(chat.transcript).to_contain_text("Yes, tea.")
    await expect(dialog).to_be_hidden()
    await expect(chat.page.get_by_role("button", name="Sign out")).to_be_visible()


class Redirecting:
    """Does as a proxy that signs users in: without its cookie, it sends them elsewhere."""

    @hookimpl
    def setup(self, app: web.Application) -> None:
        app.middlewares.append(self.check)

    @web.middleware
    async def check(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.path.startswith("/api/") and "proxy" not in request.cookies:
            raise web.HTTPFound("https://login.invalid/")
        response: web.StreamResponse = await handler(request)
        return response


async def test_a_proxy_may_want_a_sign_in(chat_page: OpenChat, open_server: OpenSite) -> None:
    site = await open_server(Redirecting())
    chat = await chat_page(path="/", site=site)
    # The browser names it, and does not go there
    chat.troubles.expect("GET https://login.invalid/")
    dialog = chat.page.get_by_role("dialog", name="Sign in")
    link = dialog.get_by_role("link", name="Sign in")
    await expect(link).to_be_focused()
    assert await link.get_attribute("href") == chat.page.url
    await dialog.get_by_role("button", name="Try again").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("does not accept")
    await chat.page.evaluate("document.cookie = 'proxy=1'")
    await dialog.get_by_role("button", name="Try again").click()
    await expect(dialog).to_be_hidden()
    await chat.send("help")


@asynccontextmanager
async def stripping(site: Site, prefix: str) -> AsyncIterator[TestServer]:
    """A proxy that serves a site below a prefix."""

    async def pass_on(request: web.Request) -> web.StreamResponse:
        url = f"{site.url}/{request.match_info['rest']}"
        headers = {name: value for name, value in request.headers.items() if name != "Host"}
        data = await request.read()
        async with session.request(
            request.method, url, params=request.query, headers=headers, data=data
        ) as answer:
            response = web.StreamResponse(status=answer.status, headers=answer.headers)
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            return response

    app = web.Application()
    app.router.add_route("*", f"{prefix}/{{rest:.*}}", pass_on)
    server = TestServer(app)
    async with ClientSession(auto_decompress=False) as session, server:
        yield server


async def test_behind_a_proxy_with_a_prefix(
    chat_page: OpenChat, site: Site, tmp_path: Path
) -> None:
    async with stripping(site, "/tools/chat") as server:
        assert server.port is not None
        chat = await chat_page(path="/tools/chat/", site=site.behind(server.port))
        await chat.send("show a card")
        await expect(chat.transcript.locator("ock-widget").first).to_be_visible()
        assert f":{server.port}/tools/chat/?thread=thr_" in chat.page.url
        file = tmp_path / "list.txt"
        file.write_text("Buy milk.")
        await chat.composer.locator("input[type=file]").set_input_files(file)
        await expect(chat.composer.get_by_role("listitem")).to_contain_text("list.txt")
        await expect(chat.composer.get_by_role("progressbar")).to_have_count(0)
        await chat.send("What is in it?")
        await expect(chat.transcript).to_contain_text("list.txt")
        # The proxy ends when nobody asks it any more
        await chat.page.close()


async def test_the_page_may_have_a_path(chat_page: OpenChat, open_server: OpenSite) -> None:
    site = await open_server(
        plugins={"chat_page": {"path": "/apps/chat", "locale": "de", "theme": "dark"}},
        server={"path": "/api/v2"},
    )
    chat: ChatPage = await chat_page(path="/apps/chat", site=site)
    await chat.send("show a card")
    await expect(chat.transcript.locator("ock-widget").first).to_be_visible()
    assert await chat.page.evaluate("document.documentElement.lang") == "de"
    root = chat.page.locator("html")
    await expect(root).to_have_css("color-scheme", "dark")
    await expect(root).to_have_css("background-color", "rgb(24, 24, 27)")


async def test_wrong_options_of_the_settings_are_told(
    chat_page: OpenChat, open_server: OpenSite
) -> None:
    # The server knows no colours
    options = {"theme": {"color": {"accent": {"primary": "bluish"}}}}
    site = await open_server(plugins={"chat_page": {"options": options}})
    chat = await chat_page(path="/", site=site)
    chat.troubles.expect("accent.primary")
    await expect(chat.page.get_by_role("alert")).to_contain_text("theme.color.accent.primary")
