"""What the user can type besides messages: `/help` lists it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from mimetypes import guess_type
from pathlib import Path
from typing import NamedTuple, TypeAlias

from ...settings.problems import nearest
from .dialog import Dialog
from .screen import in_line

LISTED = 20

Act: TypeAlias = Callable[[Dialog, str], Awaitable[bool | None]]
"""Does what a command says; False is the end."""


class Command(NamedTuple):
    """A command: what it does, and what is typed after its name."""

    act: Act
    help: str
    argument: str = ""


async def handle(dialog: Dialog, text: str) -> bool | None:
    """Do what a line says that the user has typed; return False to leave."""
    typed = text.strip()
    if typed.isdecimal() and int(typed) in dialog.view.fresh:
        await dialog.press(int(typed))
        return None
    if not typed.startswith("/"):
        await dialog.say(text)
        return None
    name, _, argument = typed[1:].partition(" ")
    command = COMMANDS.get(name)
    if command is None:
        dialog.fail(
            f"unknown command /{name}.{nearest(name, COMMANDS)} /help lists them; "
            "/say TEXT sends a message that begins with a slash"
        )
        return None
    given = argument.strip()
    if not given and command.argument and not command.argument.startswith("["):
        dialog.fail(f"type it as /{name} {command.argument}")
        return None
    return await command.act(dialog, given)


async def _say(dialog: Dialog, text: str) -> None:
    await dialog.say(text)


async def _new(dialog: Dialog, _: str) -> None:
    dialog.view.clear()
    dialog.view.sinks.aside("· a new conversation")


async def _threads(dialog: Dialog, _: str) -> None:
    page = await dialog.server.ask("threads.list", limit=LISTED)
    dialog.known = [thread["id"] for thread in page["data"]]
    for number, thread in enumerate(page["data"], 1):
        mark = "*" if thread["id"] == dialog.view.thread_id else " "
        title = in_line(thread.get("title") or "(no title)")
        when = in_line(thread["created_at"])[:16].replace("T", " ")
        dialog.view.sinks.say.line(f"{mark}{number:3}. {when}  {title}  {in_line(thread['id'])}")
    if not page["data"]:
        dialog.view.sinks.aside("· no conversations yet")


async def _open(dialog: Dialog, given: str) -> None:
    if given.isdecimal():
        if not dialog.known:
            page = await dialog.server.ask("threads.list", limit=LISTED)
            dialog.known = [thread["id"] for thread in page["data"]]
        if not 1 <= int(given) <= len(dialog.known):
            dialog.fail(f"there is no conversation {given}: /threads lists them")
            return
        given = dialog.known[int(given) - 1]
    await dialog.open(given)


async def _retry(dialog: Dialog, _: str) -> None:
    await dialog.retry()


async def _model(dialog: Dialog, name: str) -> None:
    if name:
        dialog.model = None if name == "-" else name
    dialog.view.sinks.aside(f"· model: {in_line(dialog.model or 'the one of the server')}")


async def _tool(dialog: Dialog, name: str) -> None:
    dialog.tool = None if name == "-" else name
    dialog.view.sinks.aside(f"· tool for the next message: {in_line(dialog.tool or 'any')}")


async def _attach(dialog: Dialog, given: str) -> None:
    try:
        name, content = await asyncio.to_thread(_file, given)
    except OSError as error:
        dialog.fail(f"cannot read {given}: {error.strerror or error}")
        return
    kind = guess_type(name)[0] or "application/octet-stream"
    dialog.files.append(await dialog.server.upload(name, kind, content))
    names = ", ".join(in_line(each["name"]) for each in dialog.files)
    dialog.view.sinks.aside(f"· for the next message: {names}")


def _file(path: str) -> tuple[str, bytes]:
    file = Path(path).expanduser()
    return file.name, file.read_bytes()


async def _up(dialog: Dialog, _: str) -> None:
    await _feedback(dialog, "positive")


async def _down(dialog: Dialog, _: str) -> None:
    await _feedback(dialog, "negative")


async def _feedback(dialog: Dialog, kind: str) -> None:
    item = dialog.view.last("assistant_message") or dialog.view.last("widget")
    if item is None:
        dialog.fail("there is no answer yet")
        return
    await dialog.server.ask(
        "items.feedback", thread_id=item["thread_id"], item_ids=[item["id"]], kind=kind
    )
    dialog.view.sinks.aside(f"· {kind} feedback for the last answer")


async def _items(dialog: Dialog, _: str) -> None:
    if (thread_id := _thread(dialog)) is not None:
        await dialog.open(thread_id)


async def _title(dialog: Dialog, title: str) -> None:
    if (thread_id := _thread(dialog)) is not None:
        thread = await dialog.server.ask("threads.update", thread_id=thread_id, title=title)
        dialog.view.take({"type": "thread.updated", "thread": thread})


async def _delete(dialog: Dialog, _: str) -> None:
    thread_id = _thread(dialog)
    if thread_id is None:
        return
    sure = await dialog.keyboard.read("Delete this conversation? (y/N)> ")
    if sure.strip().lower() in ("y", "yes"):
        await dialog.server.ask("threads.delete", thread_id=thread_id)
        dialog.view.clear()
        dialog.known = []
        dialog.view.sinks.aside("· deleted")


async def _press(dialog: Dialog, number: str) -> None:
    if not number.isdecimal():
        dialog.fail("type the number of what to press, such as /press 2")
        return
    await dialog.press(int(number))


async def _answer(dialog: Dialog, _: str) -> None:
    if not dialog.view.waiting:
        dialog.view.sinks.aside("· nothing waits for an answer")
    await dialog.answer_waiting()


async def _help(dialog: Dialog, _: str) -> None:
    for name, command in COMMANDS.items():
        shown = f"/{name} {command.argument}".rstrip()
        dialog.view.sinks.say.line(f"  {shown:<16} {command.help}")
    dialog.view.sinks.say.line(
        "  A number presses what has it in the last answer. A line that ends in \\ goes on.\n"
        "  Ctrl-C stops an answer; at the prompt, it leaves."
    )


async def _quit(dialog: Dialog, _: str) -> bool:
    return False


def _thread(dialog: Dialog) -> str | None:
    if dialog.view.thread_id is None:
        dialog.fail("there is no conversation yet: send a message, or /open one")
    return dialog.view.thread_id


COMMANDS: dict[str, Command] = {
    "new": Command(_new, "begin a new conversation"),
    "threads": Command(_threads, "list your conversations"),
    "open": Command(_open, "go on with a conversation, by its number in /threads or its id", "N"),
    "items": Command(_items, "show the conversation again, as it is saved"),
    "retry": Command(_retry, "ask for another answer to your last message"),
    "press": Command(_press, "press a button by its number", "N"),
    "answer": Command(_answer, "answer what a tool asks you"),
    "model": Command(_model, "take this model from now on; - for the server's", "[NAME]"),
    "tool": Command(_tool, "have the next answer use this tool", "NAME"),
    "attach": Command(_attach, "upload a file for the next message", "FILE"),
    "up": Command(_up, "say that the last answer is good"),
    "down": Command(_down, "say that the last answer is bad"),
    "title": Command(_title, "give the conversation a title", "TEXT"),
    "delete": Command(_delete, "delete the conversation"),
    "say": Command(_say, "send a message as it is, such as one that begins with /", "TEXT"),
    "help": Command(_help, "show this"),
    "quit": Command(_quit, "leave"),
}
