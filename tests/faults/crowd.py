"""Users whose turns are running, each at a different point, when a fault hits all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from tests.databases import DatabaseKind
from tests.faults.audit import PATIENCE, Audit, tag_of
from tests.faults.ledger import Ledger
from tests.faults.losses import Losses, Run
from tests.faults.person import BROKEN, Message, Person, Stream
from tests.faults.scripted import Script

MakePerson = Callable[[], Person]


@dataclass
class Victim:
    """A user with a message to send; `retried` is the stored item's id for a retry.

    `point` is where in the turn the fault came, `cut` whether the turn was still running.
    """

    person: Person
    message: Message
    retried: str | None = None
    answers: set[str] = field(default_factory=set)
    sent: bool = False
    stream: Stream | None = None
    struck: float = 0.0
    point: str = "not sent"
    cut: bool = False
    losses: Losses = field(default_factory=Losses)

    async def listen(self, delay: float) -> None:
        """Send the message after a delay, and read the answer."""
        await asyncio.sleep(delay)
        self.sent = True
        try:
            if self.retried is None:
                self.stream = await self.person.send(self.message)
            else:
                self.stream = await self.person.retry(self.message, self.retried, self.answers)
        except BROKEN:
            return
        if self.stream is not None:
            await self.stream.read()
        elif any(status < 500 for status in self.message.refused):
            self.losses.add("other", f"{self.message.tag}: refused: {self.message.refused}")

    def strike(self) -> None:
        """Record that the fault comes now."""
        self.struck = time.monotonic()
        if self.stream is not None:
            self.point = self.stream.point
        else:
            self.point = "nothing received" if self.sent else "not sent"
        self.cut = self.sent and self.point != "ended"

    def audit(self, ledger: Ledger, shown_until: float, patience: float = PATIENCE) -> Audit:
        """Return the audit that finds this user's losses."""
        audit = Audit(self.person, ledger, shown_until, patience)
        audit.losses = self.losses
        return audit

    def run(self, fault: str, database: DatabaseKind) -> Run:
        """Return the run, with its losses."""
        return Run(fault, database, self.point, self.losses, self.cut)


def script(random: Random, slow: bool) -> Script:
    """Return the script of a turn that takes up to a few seconds, or more if `slow`."""
    scripts = [Script(), Script(0.01, tool=0.2, words=10), Script(0.005, tool=0.6, words=5)]
    return random.choice([*scripts, Script(0.06, words=60)] if slow else scripts)


V = TypeVar("V", bound=Victim)


async def crowd(
    make_person: MakePerson,
    count: int,
    random: Random,
    *,
    slow: bool = False,
    kind: type[V] = Victim,  # type: ignore[assignment]
) -> list[V]:
    """Return users about to send a first message, another one, or a retry."""
    kinds = [random.choice(("first", "first", "more", "more", "again")) for _ in range(count)]
    scripts = [script(random, slow) for _ in kinds]
    return await asyncio.gather(
        *(_victim(kind, make_person(), *each) for each in zip(kinds, scripts, strict=True))
    )


async def _victim(made: type[V], person: Person, kind: str, script: Script) -> V:
    if kind != "first":
        stream = await person.say(Script())
        assert stream is not None
        await stream.read()
        await person.thread()
    if kind != "again":
        return made(person, person.compose(script, Idempotency_Key="once"))
    items = await person.items()
    [message] = person.messages
    person.model.scripts[message.tag] = script
    stored = next(item["id"] for item in items if tag_of(item))
    return made(person, message, stored, {item["id"] for item in items} - {stored})


async def struck(
    victims: Sequence[Victim],
    random: Random,
    strike: Callable[[], Awaitable[None]],
    *,
    slow: bool = False,
) -> None:
    """Have all users send at random moments, and the fault come in between."""
    listening = [asyncio.create_task(v.listen(random.uniform(0, 0.8))) for v in victims]
    early, late, latest = random.uniform(0.1, 1.0), random.uniform(0.5, 2.5), random.uniform(3, 5)
    await asyncio.sleep(random.choice((early, late, latest) if slow else (early, late)))
    for victim in victims:
        victim.strike()
    await strike()
    await asyncio.gather(*listening)
