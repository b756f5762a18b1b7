"""What the screenshots of docs/chat-page.md show."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    GeneratedImage,
    GeneratedImageItem,
    GeneratedImageUpdated,
    ProgressUpdateEvent,
    ThreadItemAddedEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
)
from chatkit_plugins.showcase.picture import SIZE, sunset

from chatkit_server import Turn
from tests.page.browsing import ChatPage
from tests.page.everything import ALL_OPTIONS, MARKDOWN
from tests.page.site import answered, said

Play = Callable[[ChatPage], Awaitable[None]]


@dataclass
class Scene:
    """What is done in a tab, its size, and the options of the element and of the browser."""

    play: Play
    size: tuple[int, int] = (760, 520)
    script: str | None = ALL_OPTIONS
    options: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)


SCENES: dict[str, Scene] = {}


def scene(name: str, **how: Any) -> Callable[[Play], Play]:
    """Make a scene of a function."""

    def add(play: Play) -> Play:
        SCENES[name] = Scene(play, **how)
        return play

    return add


def saying(name: str, text: str, **how: Any) -> None:
    """Make a scene of a request to the showcase."""

    async def play(chat: ChatPage) -> None:
        await chat.send(text)

    scene(name, **how)(play)


PHONE = {"device_scale_factor": 1, "has_touch": True, "is_mobile": True}
DARK = {"theme": "dark"}

for name, text in {
    "list": "Show list",
    "gallery": "Show gallery",
    "suggestions": "Suggest",
    "sources": "Cite",
    "error": "Fail",
    "approval": "Delete everything",
    "locked": "Lock",
    "closed": "Close",
    "title": "Name this",
}.items():
    saying(name, text)


@scene("thoughts")
async def thoughts(chat: ChatPage) -> None:
    await chat.send("Think")
    await chat.items.get_by_role("button", expanded=False).first.click()
    await chat.page.wait_for_timeout(100)


@scene("workflow", size=(760, 620))
async def workflow(chat: ChatPage) -> None:
    await chat.send("Use tools")
    await chat.items.get_by_role("button", expanded=False).first.click()
    await chat.page.wait_for_timeout(100)


saying("card", "Show card", size=(760, 560))
saying("notices", "Notice", size=(760, 580))
saying("chart", "Show chart", size=(760, 640))
saying("questions", "Ask something", size=(760, 700))
saying("form", "Show form", size=(760, 760))
saying("image", "Draw", size=(760, 560))
saying("help", "Help", size=(760, 900))


@scene("start-screen")
async def start_screen(chat: ChatPage) -> None:
    await chat.page.wait_for_timeout(100)


@scene("markdown", size=(760, 1000))
async def markdown(chat: ChatPage) -> None:
    text = MARKDOWN.partition("---\n\nAvery")[0]
    thread = chat.seed(said("Tell me all about tea"), answered(text), title="Tea")
    await chat.call("setThreadId", thread)
    await chat.page.wait_for_timeout(800)


@scene("dark", size=(760, 600), options=DARK)
async def dark(chat: ChatPage) -> None:
    await chat.send("Show card")


@scene("german", script=None, options={"locale": "de", "history": {"showDelete": True}})
async def german(chat: ChatPage) -> None:
    for title in ("Sencha zubereiten", "Bestellung 7", "Eine Tasse Tee"):
        chat.seed(said(title), answered("Ja."), title=title)
    await chat.call("showHistory")
    await chat.page.wait_for_timeout(300)


@scene("right-to-left", options={"locale": "ar"})
async def right_to_left(chat: ChatPage) -> None:
    text = "الشاي الأخضر يحتاج إلى ماء بدرجة **80** وثلاث دقائق.\n\n- كوب\n- إبريق `tea`"
    thread = chat.seed(said("كيف أحضر الشاي؟"), answered(text), title="الشاي")
    await chat.call("setThreadId", thread)
    await chat.page.wait_for_timeout(200)


@scene("phone", size=(390, 780), context=PHONE)
async def phone(chat: ChatPage) -> None:
    await chat.send("Cite")
    await chat.send("Show card")


@scene("own-look", size=(760, 660))
async def own_look(chat: ChatPage) -> None:
    await chat.options(
        ALL_OPTIONS,
        theme={
            "colorScheme": "light",
            "radius": "pill",
            "density": "spacious",
            "color": {
                "accent": {"primary": "#0a7d4f", "level": 2},
                "surface": {"background": "#fdf9f0", "foreground": "#33261a"},
            },
            "typography": {"baseSize": 17, "fontFamily": "Georgia, serif"},
        },
    )
    await chat.send("Show card")


@scene("history")
async def history(chat: ChatPage) -> None:
    for title in ("How to brew Sencha", "Order 7", "A cup of tea", "Teapots of the world"):
        chat.seed(said(title), answered("Yes."), title=title)
    await chat.call("showHistory")
    await chat.page.wait_for_timeout(300)


# While an answer runs


async def forever(*events: ThreadStreamEvent) -> AsyncIterator[ThreadStreamEvent]:
    for event in events:
        yield event
    await asyncio.Event().wait()


@scene("progress")
async def progress(chat: ChatPage) -> None:
    chat.script(
        lambda turn: forever(ProgressUpdateEvent(text="Counting leaves: 7 of 10", icon="clock"))
    )
    await chat.send("Slow", wait=False)
    await chat.element.get_by_text("7 of 10").wait_for()


@scene("streaming")
async def streaming(chat: ChatPage) -> None:
    def answer(turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        content = [AssistantMessageContent(text="Green tea needs water of **80 degrees**, and thr")]
        item = turn.new_item(AssistantMessageItem, content=content)
        return forever(ThreadItemAddedEvent(item=item))

    chat.script(answer)
    await chat.send("How do I make green tea?", wait=False)
    await chat.element.get_by_text("80 degrees").wait_for()


@scene("image-progress", size=(760, 560))
async def image_progress(chat: ChatPage) -> None:
    def answer(turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        item = turn.new_item(GeneratedImageItem)
        image = GeneratedImage(id=item.id, url=sunset(32))
        update = GeneratedImageUpdated(image=image, progress=32 / SIZE)
        grown = ThreadItemUpdatedEvent(item_id=item.id, update=update)
        return forever(ThreadItemAddedEvent(item=item), grown)

    chat.script(answer)
    await chat.send("Draw", wait=False)
    await chat.element.locator("ock-transcript img").first.wait_for()


@scene("offline")
async def offline(chat: ChatPage) -> None:
    await chat.send("Cite")
    await chat.page.context.set_offline(True)
    await chat.page.wait_for_timeout(300)


# The composer


@scene("entities")
async def entities(chat: ChatPage) -> None:
    await chat.field.press_sequentially("Tell me about @")
    await chat.element.get_by_text("Teapot").first.wait_for()


@scene("commands")
async def commands(chat: ChatPage) -> None:
    await chat.field.press_sequentially("/")
    await chat.element.get_by_text("Brew tea").first.wait_for()


@scene("attachments")
async def attachments(chat: ChatPage) -> None:
    await attach(
        chat, ("tea list.txt", "text/plain", b"Assam"), ("sunset.png", "image/png", picture())
    )
    await chat.field.fill("What is in these?")
    await chat.page.wait_for_timeout(400)


async def attach(chat: ChatPage, *files: tuple[str, str, bytes]) -> None:
    given: Any = [{"name": name, "mimeType": kind, "buffer": data} for name, kind, data in files]
    await chat.element.locator("input[type=file]").first.set_input_files(given)


def picture() -> bytes:
    return b64decode(sunset().partition(",")[2])


@scene("tools")
async def tools(chat: ChatPage) -> None:
    await chat.composer.get_by_role("button", name="Tools").first.click()
    await chat.page.wait_for_timeout(100)


@scene("models")
async def models(chat: ChatPage) -> None:
    await chat.composer.get_by_role("button", name="Quick").first.click()
    await chat.page.wait_for_timeout(100)
