"""Markdown in a page: coloured code that is copied, formulas, links, footnotes, citations."""

from __future__ import annotations

from typing import Any

from chatkit.types import Annotation, URLSource
from playwright.async_api import expect

from tests.page.browsing import ChatPage
from tests.page.conftest import OpenChat
from tests.page.site import answered

CODE = 'def f():\n\treturn "x"  # tab\n'
TEXT = f"""\
Euler: $e^{{i\\pi}} = -1$, prices of $5 and $6, a note[^1].

$$\\frac{{a}}{{b}}$$

```python
{CODE}```

A [deep link](chatkit-link://order?id=7&kind=tea), and [bank.example](https://evil.example/).

![a chart](https://pictures.example/chart.png) ![ours](/favicon.ico?x)

[^1]: The note.

| a | b |
|---|---|
| {"wide " * 40} | {"x" * 300} |
"""


async def opened(chat_page: OpenChat, text: str = TEXT, **options: Any) -> ChatPage:
    chat = await chat_page(**options)
    chat.troubles.expect("favicon|pictures.example")
    await chat.call("setThreadId", chat.seed(answered(text)))
    await expect(chat.element.locator("ock-markdown").first).to_be_attached()
    return chat


async def test_code_is_coloured_and_copied_by_keyboard(chat_page: OpenChat) -> None:
    chat = await opened(chat_page)
    code = chat.element.get_by_role("region", name="Code, python")
    await expect(code.locator(".ock-t-keyword").first).to_have_text("def")
    await chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = chat.element.locator("[part~=code-copy]")
    await button.focus()
    await button.press("Enter")
    await expect(button).to_have_text("Copied")
    assert await chat.page.evaluate("navigator.clipboard.readText()") == CODE.removesuffix("\n")


async def test_formulas_are_mathml_and_prices_are_not(chat_page: OpenChat) -> None:
    chat = await opened(chat_page)
    await expect(chat.element.locator(".ock-text math")).to_have_count(2)
    await expect(chat.element.locator(".ock-text p").first).to_contain_text("$5 and $6")
    await expect(chat.element.locator("mfrac")).to_be_visible()


async def test_links_say_where_they_go(chat_page: OpenChat) -> None:
    chat = await opened(chat_page)
    await expect(chat.element.get_by_role("link", name="bank.example")).to_contain_text(
        "(evil.example)"
    )
    await chat.element.get_by_role("link", name="deep link").click()
    await chat.heard("chatkit.deeplink")
    [event] = await chat.events("chatkit.deeplink")
    assert event["detail"] == {"name": "order", "data": {"id": "7", "kind": "tea"}}


async def test_pictures_of_other_hosts_are_links(chat_page: OpenChat) -> None:
    chat = await opened(chat_page)
    await expect(chat.element.get_by_role("link", name="a chart")).to_have_attribute(
        "href", "https://pictures.example/chart.png"
    )
    await expect(chat.element.get_by_role("img", name="ours")).to_be_attached()


async def test_a_footnote_is_reached_and_left_by_keyboard(chat_page: OpenChat) -> None:
    chat = await opened(chat_page)
    mark = chat.element.get_by_role("button", name="Footnote 1", exact=True)
    await mark.press("Enter")
    await expect(chat.element.get_by_role("note")).to_be_focused()
    await chat.element.get_by_role("button", name="back to the text").press("Enter")
    await expect(mark).to_be_focused()


async def test_what_is_wide_scrolls_in_itself(chat_page: OpenChat) -> None:
    chat = await opened(chat_page, context={"viewport": {"width": 320, "height": 600}})
    table = chat.element.get_by_role("region", name="Table")
    wide = "(each) => [each.scrollWidth > each.clientWidth, each.tabIndex]"
    assert await table.evaluate(wide) == [True, 0]
    page = "({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth"
    assert await chat.element.locator("ock-transcript").evaluate(page)


async def test_a_citation_comes_into_text_that_is_drawn(chat_page: OpenChat) -> None:
    source = URLSource(title="A page", url="https://example.com/tea")
    text = "First **bold.** Then more.\n\nA second paragraph."
    marks = [Annotation(source=source, index=15), Annotation(source=source, index=len(text))]
    chat = await chat_page()
    await chat.call("setThreadId", chat.seed(answered(text, annotations=marks)))
    await expect(chat.element.locator("p > strong + ock-source")).to_be_visible()
    await expect(chat.element.locator("p:last-child > ock-source")).to_be_visible()


async def test_a_long_answer_is_drawn_in_slices(chat_page: OpenChat) -> None:
    text = "".join(f"- item {n} with **bold** text\n" for n in range(2000))
    chat = await opened(chat_page, text)
    await expect(chat.element.locator(".ock-text li")).to_have_count(2000)
    last = chat.element.locator(".ock-text li").last
    await expect(last).to_have_text("item 1999 with bold text")
