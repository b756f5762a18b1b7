"""Compares what a user received with what is stored, to find what a fault has cost."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.faults.ledger import Ledger
from tests.faults.losses import Losses
from tests.faults.person import BROKEN, Message, Person, Stream
from tests.faults.scripted import TAG, Script

PATIENCE = 30.0
"""Seconds within which a thread must accept a new message after a fault that kills no process. No
sweep unlocks it in that time: see `world.NEVER_STALE`."""

RECOVERY = 15.0
"""The same after a process or its database died: a sweep may have to unlock the thread."""

_MARK = re.compile(r"<(\S+)>")


class Audit:
    """Finds what a user has lost.

    Text of unfinished messages that was shown before the time `shown_until` must be stored.
    `patience` is in seconds.
    """

    def __init__(
        self,
        person: Person,
        ledger: Ledger,
        shown_until: float = math.inf,
        patience: float = PATIENCE,
    ) -> None:
        self.person = person
        self.ledger = ledger
        self.shown_until = shown_until
        self.patience = patience
        self.losses = Losses()

    async def settled(self) -> None:
        """Wait until no turn runs in the thread."""
        try:
            async with asyncio.timeout(self.patience):
                while await self.person.turn_runs():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        except TimeoutError:
            self.losses.add("locked", f"{self.person.name}: a turn still runs")

    async def compare_logs(self) -> None:
        """Compare what each follower received with the turn's complete log."""
        logs: dict[str, Stream] = {}
        streams = list(self.person.streams)
        for stream in streams:
            if stream.turn_id not in logs:
                whole = await self.person.follow(stream.turn_id)
                self.person.streams.remove(whole)
                logs[stream.turn_id] = await whole.read()
            self._compare(stream, logs[stream.turn_id])

    def _compare(self, stream: Stream, whole: Stream) -> None:
        self.check_numbers(stream)
        known = {frame.number: frame.data for frame in whole.frames}
        for frame in stream.frames:
            if known.get(frame.number) != frame.data:
                self.losses.add("events", f"{stream.turn_id}:{frame.number} is another event")
        if stream.ended and stream.after + len(stream.frames) < len(whole.frames):
            last = stream.after + len(stream.frames)
            self.losses.add("events", f"{stream.turn_id}: none after {last} of {len(whole.frames)}")

    def check_numbers(self, stream: Stream) -> None:
        """Check that no received event is missing or duplicated."""
        heard = [frame.number for frame in stream.frames]
        wanted = list(range(stream.after + 1, stream.after + len(heard) + 1))
        if heard != wanted:
            self.losses.add("events", f"{stream.turn_id}: heard {heard}")

    async def go_on(self, since: float | None = None, *, again: bool = False) -> None:
        """Send one more message, or retry the last one: the thread must accept it.

        `since` is when its server was killed.
        """
        begun = time.monotonic() if since is None else since
        try:
            stream = await self._next(again)
        except BROKEN as error:
            self.losses.add("locked", f"{self.person.name}: the next message: {error!r}")
            return
        if stream is None:
            refused = self.person.messages[-1].refused
            self.losses.add("locked", f"{self.person.name}: the next message is refused: {refused}")
            return
        await stream.read(1)
        seconds = time.monotonic() - begun
        if seconds > self.patience:
            self.losses.add("locked", f"{self.person.name}: locked for {seconds:.1f} s")
        await stream.read()
        if stream.error or not stream.ended:
            text = f"{self.person.name}: the next turn fails: {stream.error}"
            self.losses.add("locked", text)

    async def _next(self, again: bool) -> Stream | None:
        items = await self.person.items() if again else []
        last = max((i for i, item in enumerate(items) if tag_of(item)), default=None)
        await self.person.thread()
        if last is None:
            return await self.person.say(Script())
        tag = tag_of(items[last])
        message = next(message for message in self.person.messages if message.tag == tag)
        self.person.model.scripts[message.tag] = Script()
        answers = {item["id"] for item in items[last + 1 :]}
        return await self.person.retry(message, items[last]["id"], answers)

    async def check_items(self) -> None:
        """Compare what was acknowledged and shown with what is stored."""
        items = await self.person.items()
        stored = {item["id"]: item for item in items}
        self._check_acknowledged(items, stored)
        self._check_once(items)
        self._check_shown(stored)
        self._check_model(items)
        self._check_refusals(items)

    def _check_acknowledged(
        self, items: list[dict[str, Any]], stored: dict[str, dict[str, Any]]
    ) -> None:
        gone = self._gone(items)
        for item_id, item in acknowledged(self.person.streams).items():
            if item_id in gone:
                continue
            if item_id not in stored:
                self.losses.add("lost", f"{item['type']} {item_id}: {item}")
            elif stored[item_id] != item:
                self.losses.add("lost", f"{item_id} was {item} and is {stored[item_id]}")

    def _gone(self, items: list[dict[str, Any]]) -> set[str]:
        """Return the items that a retry has replaced with a new answer."""
        gone: set[str] = set()
        stored = {item["id"] for item in items}
        for message in self.person.messages:
            answers = {item["id"] for item in items if message.tag in marks([item])}
            if answers - message.superseded:
                gone |= message.superseded
                for item_id in message.superseded & stored:
                    self.losses.add("doubled", f"{item_id} is there beside the new answer")
        return gone

    def _check_once(self, items: list[dict[str, Any]]) -> None:
        ids = Counter(item["id"] for item in items)
        tags = Counter(tag for item in items if (tag := tag_of(item)))
        texts = Counter(mark for item in items for mark in _marks(item))
        for name, count in [*ids.items(), *tags.items(), *texts.items()]:
            if count > 1:
                self.losses.add("doubled", f"{name} is there {count} times")

    def _check_shown(self, stored: dict[str, dict[str, Any]]) -> None:
        """Check that unfinished texts are stored as far as they were shown."""
        done = acknowledged(self.person.streams)
        gone = self._gone(list(stored.values()))
        for item_id, text in shown(self.person.streams, self.shown_until).items():
            if item_id in done or item_id in gone or not text.strip():
                continue
            kept = text_of(stored[item_id]) if item_id in stored else ""
            if not kept.startswith(text):
                self.losses.add("text", f"{item_id}: {text!r} was shown and {kept!r} is kept")

    def _check_model(self, items: list[dict[str, Any]]) -> None:
        model = self.person.model
        for message in self.person.messages:
            for line in model.misled.get(message.tag, ()):
                self.losses.add("history", f"{message.tag}: {line}")
            self._check_notes(message)
        last = next((m.tag for m in reversed(self.person.messages) if m.tag in model.told), None)
        for item in items:
            if last is not None and tag_of(item) == last:
                earlier = tags_before(items, item)
                for tag in earlier - set(model.told[last]):
                    self.losses.add("history", f"{last}: the model was not told of {tag}")

    def _check_notes(self, message: Message) -> None:
        numbers = {n: c for n, c in self.ledger.notes.items() if n.startswith(f"{message.tag}/")}
        for number, count in numbers.items():
            if count > 1:
                self.losses.add("tools", f"{number} was noted {count} times")
        steps = Counter(number.split("/")[1] for number in numbers)
        for step, count in steps.items():
            if count > message.asks:
                self.losses.add("tools", f"step {step} of {message.tag} was done {count} times")
        if (asked := self.person.model.asked[message.tag, 0]) > message.asks:
            self.losses.add("other", f"{message.tag}: the model was asked {asked} times")

    def _check_refusals(self, items: list[dict[str, Any]]) -> None:
        kept = {tag_of(item) for item in items}
        for message in self.person.messages:
            if any(status >= 500 for status in message.refused) and message.tag in kept:
                self.losses.add("status", f"{message.tag}: {message.refused}, and it is stored")


def acknowledged(streams: Iterable[Stream]) -> dict[str, dict[str, Any]]:
    """Return the items that were done, and not removed later, in the client's view."""
    done: dict[str, dict[str, Any]] = {}
    for stream in streams:
        for frame in stream.frames:
            kind = frame.data.get("type")
            if kind == "thread.item.done":
                done[frame.data["item"]["id"]] = frame.data["item"]
            elif kind == "thread.item.removed":
                done.pop(frame.data["item_id"], None)
    return done


def shown(streams: Iterable[Stream], until: float) -> dict[str, str]:
    """Return the texts of messages as they were shown until a time, by id."""
    longest: dict[str, str] = {}
    for stream in streams:
        if stream.after:
            continue
        texts: dict[str, str] = {}
        for frame in stream.frames:
            if frame.at > until:
                continue
            delta = frame.data.get("update", {}).get("delta")
            item = frame.data.get("item", {})
            if delta:
                texts[frame.data["item_id"]] = texts.get(frame.data["item_id"], "") + delta
            elif item.get("type") == "assistant_message":
                texts[item["id"]] = text_of(item)
        for item_id, text in texts.items():
            longest[item_id] = max(longest.get(item_id, ""), text, key=len)
    return longest


def text_of(item: dict[str, Any]) -> str:
    """Return the text of a message."""
    return "".join(part.get("text", "") for part in item.get("content") or ())


def tag_of(item: dict[str, Any]) -> str | None:
    """Return the tag of a user's message, None for other items."""
    match = TAG.search(text_of(item)) if item["type"] == "user_message" else None
    return match[1] if match else None


def tags_before(items: list[dict[str, Any]], item: dict[str, Any]) -> set[str]:
    """Return the tags of the messages before an item of the same thread."""
    before = items[: items.index(item)]
    return {tag for i in before if i["thread_id"] == item["thread_id"] and (tag := tag_of(i))}


def _marks(item: dict[str, Any]) -> list[str]:
    return _MARK.findall(text_of(item)) if item["type"] == "assistant_message" else []


def marks(items: Iterable[dict[str, Any]]) -> set[str]:
    """Return the tags of the messages that these items answer."""
    return {mark.split("/")[0] for item in items for mark in _marks(item)}
