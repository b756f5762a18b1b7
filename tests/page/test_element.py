"""The element as pages use it: options, methods, events, its name, its look, its words."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Route, expect

from tests.page.browsing import ChatPage
from tests.page.conftest import BUILT, PHONE, OpenChat
from tests.page.site import answered, said
from tests.programs import missing, program

CLIENT = BUILT.parent
OpenElement = Callable[..., Awaitable[ChatPage]]

# What a page says that was written for OpenAI's component, but for the one script
THEIRS = """<!doctype html>
<html lang="en"><head><title>Test</title><link rel="icon" href="data:,">
<script type="module" src="/open-chatkit.js?register=openai-chatkit"></script></head>
<body>
<openai-chatkit id="chat" style="display: block; height: 600px"></openai-chatkit>
<script type="module">
  const chat = document.getElementById("chat");
  await customElements.whenDefined("openai-chatkit");
  chat.setOptions({
    api: { url: "/api/chat", domainKey: "local-dev" },
    locale: "en",
    header: { title: { text: "Support" } },
  });
</script>
</body></html>
"""
BEFORE = """<!doctype html>
<html lang="en"><head><title>Test</title><link rel="icon" href="data:,"></head>
<body>
<open-chatkit></open-chatkit>
<script>
  const chat = document.querySelector("open-chatkit");
  chat.options = { api: { url: "/api/chat" }, startScreen: { greeting: "Set before" } };
</script>
<script type="module" src="/open-chatkit.js"></script>
</body></html>
"""
OWN = """<!doctype html>
<html lang="en"><head><title>Test</title><link rel="icon" href="data:,">
<style>
  open-chatkit { --ock-radius: 3px; --ock-space: 5px; --ock-accent: rgb(1, 2, 3); }
</style>
<script type="module" src="/open-chatkit.js"></script>
<script type="module" src="/open-chatkit.js?register=my-chat"></script></head>
<body>
<open-chatkit>
  <h2 slot="greeting">My greeting</h2>
  <button slot="composer-start">My button</button>
  <p slot="footer">My footer</p>
</open-chatkit>
<script type="module">
  const chat = document.querySelector("open-chatkit");
  chat.addEventListener("open-chatkit.item", ({ detail: { id, type } }) => {
    const note = document.createElement("p");
    note.slot = `after-${id}`;
    note.textContent = `My note on ${type}`;
    chat.append(note);
  });
  chat.setComposerValue({ text: "early" });
  chat.focusComposer();
  chat.setOptions({ api: { url: "/api/chat" }, locale: "en", disclaimer: { text: "None" } });
</script>
</body></html>
"""
SLOTS = """<!doctype html>
<html lang="en"><head><title>Test</title><link rel="icon" href="data:,">
<style>
  open-chatkit { --ock-accent: rgb(1, 2, 3); }
  open-chatkit::part(greeting) { color: rgb(4, 5, 6); }
  open-chatkit::part(history) { outline: 3px solid rgb(7, 8, 9); }
</style>
<script type="module" src="/open-chatkit.js"></script></head>
<body>
<open-chatkit><h1 slot="header">My header</h1></open-chatkit>
<script type="module">
  document.querySelector("open-chatkit").setOptions({ api: { url: "/api/chat" }, locale: "en" });
</script>
</body></html>
"""

CENTERED = """<!doctype html>
<html lang="en"><head><title>Test</title><link rel="icon" href="data:,">
<style>
  * { letter-spacing: 3px; white-space: nowrap; }
  #root { text-align: center; text-transform: uppercase; word-spacing: 1em; cursor: wait; }
</style>
<script type="module" src="/open-chatkit.js"></script></head>
<body>
<div id="root"><open-chatkit></open-chatkit></div>
<script type="module">
  document.querySelector("open-chatkit").setOptions({ api: { url: "/api/chat" }, locale: "en" });
</script>
</body></html>
"""


@pytest.fixture(scope="session")
def react_page() -> str:
    """A page with @openai/chatkit-react, bundled as projects do."""
    node = program("node", "nodejs")
    if not (CLIENT / "node_modules/react").exists():
        missing(f"{CLIENT}/node_modules: npm ci")
    subprocess.run([node, "build.mjs", "--tests"], cwd=CLIENT, check=True, timeout=60)
    script = (CLIENT / ".tests/react-page.js").read_text().replace("</script", "<\\/script")
    return f"""<!doctype html><html lang="en">
    <head><title>Test</title><link rel="icon" href="data:,">
    <script type="module" src="/open-chatkit.js?register=openai-chatkit"></script></head>
    <body><div id="root"></div><script type="module">{script}</script></body></html>"""


async def test_a_page_for_openais_component_changes_one_script(open_element: OpenElement) -> None:
    chat = await open_element(THEIRS)
    await chat.heard("chatkit.ready")
    await expect(chat.element.get_by_role("heading", name="Support")).to_be_visible()
    await chat.send("show a card")
    await expect(chat.transcript).to_contain_text("One kettle and two cups.")


async def test_a_page_with_react_is_unchanged(open_element: OpenElement, react_page: str) -> None:
    chat = await open_element(react_page)
    await expect(chat.element.get_by_text("Hello from React")).to_be_visible()
    await chat.page.get_by_role("button", name="Send").first.click()
    await expect(chat.transcript).to_contain_text("One kettle and two cups.")
    output = chat.page.locator("output")
    await expect(output).to_have_text(re.compile("^ready.* start.* end$"))
    await expect(output).to_contain_text("thread")


async def test_options_may_be_set_before_the_module_is_there(open_element: OpenElement) -> None:
    chat = await open_element(BEFORE)
    await expect(chat.element.get_by_text("Set before")).to_be_visible()


async def test_options_change_while_one_writes(chat_page: OpenChat) -> None:
    chat = await chat_page(startScreen={"greeting": "One"})
    await expect(chat.element.get_by_text("One")).to_be_visible()
    await chat.field.fill("not sent yet")
    await chat.options(locale="de", theme="dark", startScreen={"greeting": "Zwei"})
    await expect(chat.element.get_by_text("Zwei")).to_be_visible()
    await expect(chat.element).to_have_attribute("data-scheme", "dark")
    assert await value(chat) == "not sent yet"
    # Those that are left out have their defaults again, also if it is the same object
    await chat.element.evaluate(
        """(element) => {
          const options = element.options;
          for (const name of ["locale", "theme", "startScreen"]) delete options[name];
          options.locale = "en";
          element.options = options;
        }"""
    )
    await expect(chat.element.get_by_text("Zwei")).to_have_count(0)
    await expect(chat.element).to_have_attribute("data-scheme", "light")


async def value(chat: ChatPage) -> str:
    """Return what is written in the composer."""
    text: str = await chat.field.evaluate("(field) => field.value ?? field.innerText")
    return text.strip()


async def test_wrong_options_are_told(chat_page: OpenChat) -> None:
    chat = await chat_page()
    chat.troubles.expect("open-chatkit: `(api|theme.radius|startscreen)`?")
    await chat.options(startscreen={"greeting": "Misspelled"})
    assert any("`startScreen` is" in trouble for trouble in chat.troubles.found)
    for options, reason in (
        ({}, "`api` is missing"),
        ({"api": {"url": ""}}, "`api.url` has to be"),
        ({"api": {"getClientSecret": "x"}}, "OpenAI's hosted workflows"),
        ({"api": {"url": "/x"}, "theme": {"radius": "big"}}, "`theme.radius` has to be"),
    ):
        await chat.call("setOptions", options)
        errors = await chat.events("chatkit.error")
        assert reason in errors[-1]["detail"]["error"]


async def test_methods_do_what_they_say(chat_page: OpenChat) -> None:
    chat = await chat_page()
    await chat.call("sendUserMessage", {"text": "show a card"})
    await chat.heard("chatkit.response.end")
    (created,) = await chat.events("chatkit.thread.change")
    thread_id = created["detail"]["threadId"]
    await chat.call("setComposerValue", {"text": "a draft"})
    assert await value(chat) == "a draft"
    await chat.call("setComposerValue", {"text": ""})
    await chat.call("focusComposer")
    await expect(chat.field).to_be_focused()
    await chat.call("showHistory")
    await expect(chat.element.get_by_role("dialog")).to_be_visible()
    await chat.call("hideHistory")
    await expect(chat.element.get_by_role("dialog")).to_have_count(0)
    await expect(chat.field).to_be_focused()
    await chat.call("setThreadId", None)
    await expect(chat.element.locator("ock-start-screen")).to_be_visible()
    await chat.call("setThreadId", thread_id)
    await expect(chat.transcript).to_contain_text("One kettle and two cups.")
    await chat.call("sendUserMessage", {"text": "cite", "newThread": True})
    await expect(chat.transcript).to_contain_text("Green tea")
    await expect(chat.transcript).not_to_contain_text("One kettle")
    kinds = [event["type"] for event in await chat.events()]
    for kind in (
        "chatkit.ready",
        "chatkit.response.start",
        "chatkit.history.open",
        "chatkit.history.close",
        "chatkit.thread.load.start",
        "chatkit.thread.load.end",
    ):
        assert kind in kinds


async def test_what_the_server_changed_is_fetched(chat_page: OpenChat) -> None:
    chat = await chat_page()
    thread_id = chat.seed(said("Hello"), answered("Hi."))
    await chat.call("setThreadId", thread_id)
    await expect(chat.transcript).to_contain_text("Hi.")
    later = answered("News.").model_copy(update={"thread_id": thread_id})
    chat.site.store.items[thread_id][later.id] = later
    await chat.call("fetchUpdates")
    await expect(chat.transcript).to_contain_text("News.")


async def test_a_conversation_that_is_not_there_is_told(chat_page: OpenChat) -> None:
    chat = await chat_page(initialThread="thr_none")
    await expect(chat.transcript.get_by_role("alert")).to_contain_text("not found")
    await chat.heard("chatkit.error")


async def test_the_look_is_the_pages(open_element: OpenElement) -> None:
    chat = await open_element(SLOTS)
    await expect(chat.page.get_by_role("heading", name="My header")).to_be_visible()
    await expect(chat.element.locator("ock-header")).to_be_hidden()
    greeting = chat.element.locator(".ock-greeting")
    await expect(greeting).to_have_css("color", "rgb(4, 5, 6)")
    await expect(chat.element).to_have_css("--ock-accent", "rgb(1, 2, 3)")


async def test_it_is_no_smaller_where_a_rem_is_ten_pixels(open_element: OpenElement) -> None:
    chat = await open_element(SLOTS)
    await chat.send("show a form")
    await expect(chat.transcript.get_by_role("button", name="Order")).to_be_visible()
    script = """(element) => [...element.shadowRoot.querySelectorAll("button, input, textarea, p")]
      .map((each) => [each.clientWidth, getComputedStyle(each).fontSize])"""
    before = await chat.element.evaluate(script)
    await chat.page.evaluate("() => { document.documentElement.style.fontSize = '62.5%' }")
    assert await chat.element.evaluate(script) == before


async def test_the_part_of_the_history_is_not_that_of_its_button(open_element: OpenElement) -> None:
    chat = await open_element(SLOTS)
    await chat.element.evaluate("(element) => element.querySelector('h1').remove()")
    button = chat.element.get_by_role("button", name="Conversations")
    await button.click()
    panel = chat.element.locator("ock-history")
    await expect(panel).to_have_css("outline-color", "rgb(7, 8, 9)")
    await expect(button).not_to_have_css("outline-color", "rgb(7, 8, 9)")


async def test_how_the_page_sets_its_text_is_not_inherited(open_element: OpenElement) -> None:
    chat = await open_element(CENTERED)
    await chat.send("show a card")
    text = chat.transcript.get_by_text("This is your order.")
    await expect(text).to_have_css("text-align", "start")
    await expect(text).to_have_css("text-transform", "none")
    await expect(text).to_have_css("letter-spacing", "normal")
    await expect(text).to_have_css("word-spacing", "0px")
    await expect(text).to_have_css("cursor", "auto")
    assert await text.evaluate("(text) => getComputedStyle(text).whiteSpace") != "nowrap"


async def test_it_is_as_wide_as_a_chat_where_nothing_says_how_wide(
    open_element: OpenElement,
) -> None:
    chat = await open_element(
        """<!doctype html><html lang="en"><title>Own</title><link rel="icon" href="data:,">
        <script type="module" src="/open-chatkit.js"></script>
        <body style="display: flex; block-size: 600px"><open-chatkit></open-chatkit>""",
        viewport={"width": 900, "height": 720},
    )
    await chat.element.evaluate("(element) => element.setOptions({ api: { url: '/api/chat' } })")
    await expect(chat.field).to_be_visible()
    width = "(element) => element.getBoundingClientRect().width"
    assert await chat.element.evaluate(width) == 384
    await chat.page.set_viewport_size({"width": 320, "height": 720})
    assert await chat.element.evaluate(width) <= 320


async def test_own_elements_are_in_the_chat(open_element: OpenElement) -> None:
    chat = await open_element(OWN)
    page = chat.page
    await expect(chat.field).to_have_value("early")
    await expect(chat.field).to_be_focused()
    for words in ("My greeting", "My button", "My footer"):
        await expect(page.get_by_text(words)).to_be_visible()
    await expect(chat.element.get_by_text("What can I help with?")).to_be_hidden()
    await expect(chat.element.get_by_text("None")).to_be_hidden()
    for name, given in (("radius", "3px"), ("space", "5px"), ("accent", "rgb(1, 2, 3)")):
        await expect(chat.element).to_have_css(f"--ock-{name}", given)
    await chat.call("sendUserMessage", {"text": "show a card"})
    await expect(page.get_by_text("My note on user_message")).to_be_visible()
    await expect(page.get_by_text("My note on widget")).to_be_visible()
    assert await page.evaluate("!!customElements.get('my-chat')")
    # One may also stand in the place of an item
    await chat.element.evaluate(
        """(element) => {
          const own = document.createElement("p");
          const note = [...element.children].find((e) => e.textContent === "My note on widget");
          own.slot = note.slot.replace("after-", "item-");
          own.textContent = "My card";
          element.append(own);
        }"""
    )
    await expect(page.get_by_text("My card")).to_be_visible()
    await expect(chat.element.get_by_text("One kettle")).to_be_hidden()


async def test_every_theme_option_has_an_effect(chat_page: OpenChat) -> None:
    chat = await chat_page()
    before = await look(chat)
    for theme in (
        {"colorScheme": "dark"},
        {"radius": "sharp"},
        {"density": "spacious"},
        {"typography": {"baseSize": 18}},
        {"typography": {"fontFamily": "monospace"}},
        {"typography": {"fontFamilyMono": "serif"}},
        {"color": {"accent": {"primary": "oklch(0.9 0.1 100)", "level": 2}}},
        {"color": {"grayscale": {"hue": 200, "tint": 6}}},
        {"color": {"surface": {"background": "#ffeeee", "foreground": "#330000"}}},
    ):
        await chat.options(theme=theme)
        assert await look(chat) != before, theme
        await chat.options()
        assert await look(chat) == before, theme


async def look(chat: ChatPage) -> dict[str, str]:
    """Return the custom properties of the element."""
    found: dict[str, str] = await chat.element.evaluate(
        """(element) => {
          const style = getComputedStyle(element);
          const names = ["surface", "surface-raised", "text", "border", "accent", "accent-text",
            "radius", "radius-control", "space", "font", "mono", "size", "bubble"];
          return Object.fromEntries(names.map((n) => [n, style.getPropertyValue(`--ock-${n}`)]));
        }"""
    )
    return found


async def test_the_users_language_and_direction(chat_page: OpenChat) -> None:
    chat = await chat_page(locale="de-AT")
    await expect(chat.element.get_by_role("heading", name="Wie kann ich helfen?")).to_be_visible()
    await chat.options(locale="ar")
    await expect(chat.element.locator("ock-shell")).to_have_attribute("dir", "rtl")
    await expect(chat.element.get_by_role("heading", name="What can I help")).to_be_visible()
    await chat.options(locale="nonsense_locale!", words={"start.greeting": "Quid agis?"})
    await expect(chat.element.get_by_role("heading", name="Quid agis?")).to_be_visible()


async def test_words_come_from_one_file(chat_page: OpenChat) -> None:
    chat = await chat_page()
    await chat.page.route(
        "**/words.json", lambda route: route.fulfill(json={"start.greeting": "Ciao!"})
    )
    await chat.options(locale="it", words="/words.json")
    await expect(chat.element.get_by_role("heading", name="Ciao!")).to_be_visible()
    await expect(chat.element.locator("ock-shell")).to_have_attribute("lang", "it")
    await expect(chat.element.get_by_role("button", name="Send")).to_be_visible()


async def test_conversations_are_found_renamed_and_deleted(chat_page: OpenChat) -> None:
    chat = await chat_page()
    for number in range(35):
        chat.seed(said("Hello"), title=f"Tea number {number}")
    await chat.element.get_by_role("button", name="Conversations").click()
    panel = chat.element.get_by_role("dialog")
    search = panel.get_by_role("searchbox")
    await expect(search).to_be_focused()
    await search.fill("number 3")
    # One of them is on the second page
    for number in (3, 30, 34):
        await expect(
            panel.get_by_role("button", name=f"Tea number {number}", exact=True)
        ).to_be_visible()
    await search.fill("nothing of the kind")
    await expect(panel.get_by_text("Nothing found")).to_be_visible()
    await search.fill("number 34")
    await panel.get_by_role("button", name="Rename “Tea number 34”").click()
    await chat.page.keyboard.type("Coffee number 34")
    await chat.page.keyboard.press("Enter")
    renamed = panel.get_by_role("button", name="Coffee number 34", exact=True)
    await expect(renamed).to_be_focused()
    await panel.get_by_role("button", name="Delete “Coffee number 34”").click()
    await expect(panel.get_by_role("button", name="Keep")).to_be_focused()
    await chat.page.keyboard.press("Escape")
    await expect(renamed).to_be_focused()
    await panel.get_by_role("button", name="Delete “Coffee number 34”").click()
    await panel.get_by_role("button", name="Delete", exact=True).click()
    await expect(renamed).to_have_count(0)
    await chat.page.keyboard.press("Escape")
    await expect(panel).to_have_count(0)
    await expect(chat.element.get_by_role("button", name="Conversations")).to_be_focused()


async def test_the_title_is_changed_in_its_place(chat_page: OpenChat) -> None:
    chat = await chat_page(context=PHONE)
    thread_id = chat.seed(said("Hello"), answered("Hi."), title="Old title")
    await chat.call("setThreadId", thread_id)
    await chat.element.get_by_role("button", name="Old title").click()
    await chat.page.keyboard.type("New title")
    await chat.page.keyboard.press("Escape")
    await expect(chat.element.get_by_role("button", name="Old title")).to_be_focused()
    await chat.page.keyboard.press("Enter")
    await chat.page.keyboard.type("New title")
    await chat.page.keyboard.press("Enter")
    await expect(chat.element.get_by_role("button", name="New title")).to_be_focused()
    assert chat.site.store.threads[("", chat.user)][thread_id].title == "New title"


async def test_a_title_that_could_not_be_changed_is_told(chat_page: OpenChat) -> None:
    chat = await chat_page()
    chat.troubles.expect("net::ERR_FAILED")
    await chat.call("setThreadId", chat.seed(said("Hello"), answered("Hi."), title="Old title"))

    async def refuse(route: Route) -> None:
        lost = "threads.update" in (route.request.post_data or "")
        await (route.abort() if lost else route.continue_())

    await chat.page.route("**/api/chat", refuse)
    title = chat.element.get_by_role("button", name="Old title")
    await title.click()
    await chat.page.keyboard.type("New title")
    await chat.page.keyboard.press("Enter")
    alert = chat.element.locator("ock-header").get_by_role("alert")
    await expect(alert).to_have_text("“Old title” could not be changed.")
    await title.click()
    await expect(alert).to_be_empty()


async def test_prompts_are_sent_by_a_click(chat_page: OpenChat) -> None:
    tag = {"type": "input_tag", "id": "t1", "text": "Assam", "data": {"sort": "black"}}
    chat = await chat_page(
        startScreen={
            "prompts": [
                {"label": "A card", "prompt": "show a card", "icon": "bolt"},
                {"label": "Tagged", "prompt": [{"type": "input_text", "text": "about "}, tag]},
            ]
        }
    )
    await chat.element.get_by_role("button", name="A card").click()
    await expect(chat.transcript).to_contain_text("One kettle and two cups.")
    await expect(chat.field).to_be_focused()
    await chat.call("setThreadId", None)
    await chat.element.get_by_role("button", name="Tagged").click()
    await expect(chat.transcript).to_contain_text("Assam")


async def test_header_buttons_call_the_page(chat_page: OpenChat) -> None:
    chat = await chat_page(
        """(options) => ({...options, header: {
          leftAction: {icon: "home", onClick: () => { window.went = "home"; }},
          rightAction: {
            icon: "settings-cog", label: "Settings", onClick: () => { window.went = "settings"; },
          },
        }})"""
    )
    await chat.element.get_by_role("button", name="home").click()
    assert await chat.page.evaluate("window.went") == "home"
    await chat.element.get_by_role("button", name="Settings").click()
    assert await chat.page.evaluate("window.went") == "settings"


async def test_an_element_that_moves_goes_on(chat_page: OpenChat) -> None:
    chat = await chat_page()
    await chat.send("show a card")
    await chat.element.evaluate(
        """(element) => {
          for (let times = 0; times < 20; times++) {
            element.remove();
            document.body.append(element);
          }
        }"""
    )
    await expect(chat.transcript).to_contain_text("One kettle and two cups.")
    await chat.send("cite")
    await expect(chat.transcript).to_contain_text("Green tea")
