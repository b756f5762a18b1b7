"""A conversation in the terminal: what the user types, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ...client.requests import message_input, submission, text_content
from .asking import ask_fields, ask_output, ask_questions
from .fields import payload_with
from .keyboard import Keyboard, Left, read_message
from .screen import RED, in_line
from .server import ChatServer, Gone, Refused, TurnStream, Unreachable
from .view import View
from .widgets import Choice

INTERRUPTED = 130
PAGE = 50
"""Items of a conversation that are shown when it is opened."""


class Interrupts:
    """What Ctrl-C does while something is waited for: it calls `leave`, unless it is handled."""

    def __init__(self, leave: Callable[[], object]) -> None:
        self.pressed = 0
        self.leave = leave
        self._act: Callable[[int], None] | None = None

    def press(self) -> None:
        """Handle Ctrl-C."""
        if self._act is None:
            self.leave()
        else:
            self.pressed += 1
            self._act(self.pressed)

    @contextmanager
    def handled_by(self, act: Callable[[int], None]) -> Iterator[None]:
        """Have the presses, counted from 1, handled by a function."""
        self.pressed, self._act = 0, act
        try:
            yield
        finally:
            self._act = None


class Dialog:
    """An open conversation with a server. `model`, `tool` and `files` are for the next message."""

    def __init__(
        self, server: ChatServer, view: View, keyboard: Keyboard, interrupts: Interrupts
    ) -> None:
        self.server = server
        self.view = view
        self.keyboard = keyboard
        self.interrupts = interrupts
        self.model: str | None = None
        self.tool: str | None = None
        self.files: list[dict[str, Any]] = []
        self.known: list[str] = []
        """The ids of the conversations that `/threads` has listed."""

    async def run(self, handle: Callable[[Dialog, str], Any]) -> int:
        """Talk until the user leaves; `handle` does what a line that was typed says."""
        while True:
            try:
                text = await read_message(self.keyboard, "you> ")
            except Left:
                return 0
            try:
                if text.strip() and await handle(self, text) is False:
                    return 0
            except Left:
                self.view.sinks.aside("(left open; /answer comes back to it)")
            except Refused as refused:
                self.fail(refused.message)
            except Unreachable as error:
                self.fail(f"{error}. Try again, or /quit")
            except asyncio.CancelledError:
                return INTERRUPTED

    def fail(self, message: str) -> None:
        """Say what went wrong."""
        self.view.sinks.warn.line(f"Error: {in_line(message)}", RED)

    async def say(self, text: str) -> None:
        """Send a message, and show the answer; questions of the answer are asked at once."""
        ids = [each["id"] for each in self.files]
        given = message_input(text_content(text), attachments=ids, model=self.model, tool=self.tool)
        if self.view.thread_id is None:
            stream = self.server.begin("threads.create", input=given)
        else:
            stream = self.server.begin(
                "threads.add_user_message", thread_id=self.view.thread_id, input=given
            )
        self.tool, self.files = None, []
        left = [item["id"] for item in self.view.waiting]
        await self.follow(stream, text)
        # What the user has left open, and wrote something else instead, is not asked again
        await self.answer_waiting(left)

    async def follow(self, stream: TurnStream, sent: str | None = None) -> None:
        """Show the events of a turn to its end. Ctrl-C stops the turn, and a second one leaves."""
        task = asyncio.current_task()
        assert task is not None

        def pressed(times: int) -> None:
            if times == 1:
                self.view.sinks.aside("(stopping; press Ctrl-C again to leave)")
                stream.stop()
            else:
                task.cancel()

        self.view.begin(sent)
        try:
            with self.interrupts.handled_by(pressed):
                async for event in stream.events():
                    self.view.take(event.data)
        except Gone as gone:
            await self._catch_up(gone)
        finally:
            self.view.end()

    async def _catch_up(self, gone: Gone) -> None:
        """Show what was saved of a turn whose events are gone, and how it ended."""
        if self.view.thread_id is not None:
            await self.show_items()
        state = gone.state.get("state")
        if state == "completed":
            return
        error = {
            "type": "error",
            "message": gone.state.get("error") or "The answer was cut off.",
            "allow_retry": gone.state.get("allow_retry", True),
        }
        self.view.take(error)

    async def answer_waiting(self, but: Sequence[str] = ()) -> None:
        """Ask what the answer asks the user, `but` these items, until nothing waits.

        Raises `Left`.
        """
        asked = set(but)
        while True:
            waiting = [item for item in self.view.waiting if item["id"] not in asked]
            if not waiting:
                return
            asked.add(waiting[0]["id"])
            await self._answer(waiting[0])

    async def _answer(self, item: dict[str, Any]) -> None:
        screen = self.view.sinks.say
        if item["type"] == "client_tool_call":
            output = await ask_output(self.keyboard, screen, item)
            stream = self.server.begin(
                "threads.add_client_tool_output", thread_id=item["thread_id"], result=output
            )
        else:
            answers = await ask_questions(self.keyboard, screen, item)
            ids = [each["id"] for each in item["inputs"]]
            stream = self.server.begin(
                "threads.add_structured_input",
                thread_id=item["thread_id"],
                item_id=item["id"],
                input=submission(ids, answers),
            )
        await self.follow(stream)
        # Not every server tells that of its own
        if item["status"] == "pending":
            item["status"] = "completed"

    async def press(self, number: int) -> None:
        """Press what has this number: fill in its form, and send its action."""
        choice = self.view.choices.get(number)
        if choice is None:
            self.fail(f"nothing has the number {number}")
            return
        filled = dict(choice.filled)
        filled.update(await ask_fields(self.keyboard, self.view.sinks.say, choice.fields))
        await self._act(choice, payload_with(choice.action.get("payload"), filled))
        await self.answer_waiting()

    async def _act(self, choice: Choice, payload: Any) -> None:
        action, item = choice.action, choice.item
        sent = {"type": action["type"], "payload": payload}
        if action.get("handler") == "client":
            self.view.sinks.aside(f"· an action for the page: {in_line(sent)}")
            return
        params = {"thread_id": item["thread_id"], "item_id": item["id"], "action": sent}
        if action.get("streaming", True):
            await self.follow(self.server.begin("threads.custom_action", **params))
            return
        self.view.begin()
        answer = await self.server.ask("threads.sync_custom_action", **params)
        if answer.get("updated_item"):
            self.view.show(answer["updated_item"])

    async def retry(self) -> None:
        """Ask for another answer to the last message."""
        item = self.view.last("user_message")
        if item is None:
            self.fail("there is no message yet")
            return
        stream = self.server.begin(
            "threads.retry_after_item", thread_id=item["thread_id"], item_id=item["id"]
        )
        self.view.forget_after(item["id"])
        await self.follow(stream)
        await self.answer_waiting()

    async def open(self, thread_id: str) -> None:
        """Go on with a conversation: show its end, and follow the turn that runs in it."""
        thread = await self.server.ask("threads.get_by_id", thread_id=thread_id)
        self.view.clear()
        self.view.begin()
        self.view.thread_id, self.view.title = thread["id"], thread.get("title")
        self.view.sinks.aside(f"· {in_line(thread['id'])} {in_line(thread.get('title') or '')}")
        await self.show_items()
        self.view.tell_status(thread)
        try:
            turn = await self.server.ask_path("GET", f"/threads/{thread['id']}/turn")
        except Refused:
            turn = None
        if turn is not None:
            self.view.sinks.aside("· an answer is running")
            await self.follow(self.server.follow(turn["id"]))
        await self.answer_waiting()

    async def show_items(self) -> None:
        """Show the latest items of the conversation, as far as they are not shown yet."""
        page = await self.server.ask("items.list", thread_id=self.view.thread_id, limit=PAGE)
        if page.get("has_more"):
            self.view.sinks.aside(f"· only the last {PAGE} items are shown")
        for item in reversed(page["data"]):
            self.view.take({"type": "thread.item.replaced", "item": item})
        self.view.sinks.say.fresh()
