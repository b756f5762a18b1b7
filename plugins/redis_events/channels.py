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

    def process_channel(self, process: bytes) -> bytes:
        """Return the channel on which a process hears signals."""
        return self._prefix + b"process:" + process

    def message(self, place: str, news: str) -> tuple[bytes, bytes]:
        """Return the channel of a place, and what to publish there."""
        return self._channel(place), b"%b %b" % (self._process, news.encode())

    def _channel(self, place: str) -> bytes:
        return self._prefix + b"place:" + place.encode(errors="replace")

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
            # What was said before was not heard
            for place in self.watchers.places:
                self.watchers.tell(place, "")
            while True:
                message = await pubsub.get_message(  # type: ignore[attr-defined]
                    ignore_subscribe_messages=True, timeout=1.0
                )
                if subscribing.done():
                    subscribing.result()
                if message is not None:
                    self._take(message["channel"], message["data"], heard)
        finally:
            await end(subscribing)

    async def _subscribe_on(self, pubsub: object, known: set[bytes]) -> None:
        """Subscribe to the places that are watched, and to no others."""
        while True:
            self._changed.clear()
            wanted = {self._channel(place) for place in self.watchers.places}
            if new := wanted - known:
                await pubsub.subscribe(*new)  # type: ignore[attr-defined]
            if old := known - wanted:
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
            place = channel.removeprefix(self._prefix + b"place:").decode()
            self.watchers.tell(place, news.decode())
