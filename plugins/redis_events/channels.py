"""Signals to the processes of turns, and news of places: what is of use only at this moment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from chatkit_server.storage import Heard, News, Watchers

from .connection import end

log = logging.getLogger(__name__)

LONGEST_PAUSE = 1.0
"""Seconds between two attempts to subscribe."""


class Channels:
    """The channel of this process, and one of each place that it watches."""

    def __init__(self, prefix: bytes, process: bytes, failed: Callable[[Exception], None]) -> None:
        self._prefix = prefix
        self._process = process
        self._failed = failed
        self.watchers = Watchers()
        self._changed = asyncio.Event()
        self._heard: set[bytes] = set()
        """Channels of places whose messages Redis sends."""
        self._subscribed = asyncio.Event()

    def hears(self, place: str) -> bool:
        """Whether what other processes tell of a place comes."""
        return self._channel(place) in self._heard

    async def subscribed(self) -> None:
        """Wait until Redis sends the messages of one more place."""
        await self._subscribed.wait()

    def process_channel(self, process: bytes) -> bytes:
        """Return the channel on which a process hears signals."""
        return self._prefix + b"process:" + process

    def message(self, place: str, news: str) -> tuple[bytes, bytes]:
        """Return the channel of a place, and what to publish there."""
        return self._channel(place), b"%b %b" % (self._process, news.encode())

    def _channel(self, place: str) -> bytes:
        return self._prefix + b"place:" + place.encode(errors="replace")

    def _place(self, channel: bytes) -> str:
        return channel.removeprefix(self._prefix + b"place:").decode()

    def watch(self, place: str, told: News) -> Callable[[], None]:
        """Call `told` with the news of a place; return what ends that."""
        remove = self.watchers.add(place, told)
        self._changed.set()

        def end() -> None:
            remove()
            self._changed.set()

        return end

    async def run(self, client: Redis, heard: Heard) -> None:
        """Listen until cancelled."""
        pause = 0.0
        while True:
            try:
                async with client.pubsub() as pubsub:
                    await pubsub.subscribe(self.process_channel(self._process))
                    pause = 0.0
                    await self._listen(pubsub, heard)
            except (RedisError, OSError, TimeoutError) as error:
                self._failed(error)
                pause = min(LONGEST_PAUSE, 2 * pause or 0.05)
                await asyncio.sleep(pause)

    async def _listen(self, pubsub: object, heard: Heard) -> None:
        known: set[bytes] = set()
        subscribing = asyncio.create_task(self._subscribe_on(pubsub, known))
        try:
            # What was said before their subscription was not heard
            missed = self.watchers.places
            while True:
                message = await pubsub.get_message(timeout=1.0)  # type: ignore[attr-defined]
                if subscribing.done():
                    subscribing.result()
                if message is None:
                    continue
                if message["type"] == "message":
                    self._take(message["channel"], message["data"], heard)
                elif message["type"] == "unsubscribe":
                    self._heard.discard(message["channel"])
                elif message["channel"] != self.process_channel(self._process):
                    self._heard.add(message["channel"])
                    subscribed, self._subscribed = self._subscribed, asyncio.Event()
                    subscribed.set()
                    place = self._place(message["channel"])
                    if place in missed:
                        missed.discard(place)
                        self.watchers.tell(place, "")
        finally:
            self._heard.clear()
            await end(subscribing)

    async def _subscribe_on(self, pubsub: object, known: set[bytes]) -> None:
        """Subscribe to the places that are watched, and to no others."""
        while True:
            self._changed.clear()
            wanted = {self._channel(place) for place in self.watchers.places}
            if new := wanted - known:
                await pubsub.subscribe(*new)  # type: ignore[attr-defined]
            if old := known - wanted:
                self._heard -= old
                await pubsub.unsubscribe(*old)  # type: ignore[attr-defined]
            known |= wanted
            known &= wanted
            await self._changed.wait()

    def _take(self, channel: bytes, data: bytes, heard: Heard) -> None:
        if channel == self.process_channel(self._process):
            turn, _, word = data.decode().partition(" ")
            heard(turn, word)
            return
        process, _, news = data.partition(b" ")
        if process != self._process:
            self.watchers.tell(self._place(channel), news.decode())
