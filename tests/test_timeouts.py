from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from chatkit_server.models import ModelTimeouts
from chatkit_server.settings.load import validate
from chatkit_server.settings.source import Source

QUICK = ModelTimeouts.model_validate({"first_byte": "50ms", "silence": "20ms"})


class Pieces:
    """A stream of numbers that stops at a gate; it knows whether it was closed."""

    def __init__(self, *numbers: int) -> None:
        self._source = self._generate(numbers)
        self.closed = False

    async def _generate(self, numbers: tuple[int, ...]) -> AsyncGenerator[int]:
        for number in numbers:
            yield number
        await asyncio.Event().wait()

    def __aiter__(self) -> AsyncGenerator[int]:
        return self._source

    async def aclose(self) -> None:
        self.closed = True
        await self._source.aclose()


async def test_an_answer_that_does_not_come() -> None:
    with pytest.raises(TimeoutError, match=r"no answer in 0\.05 s"):
        await QUICK.timer().answer(asyncio.Event().wait())


async def test_a_stream_that_does_not_begin() -> None:
    stream = Pieces()
    with pytest.raises(TimeoutError, match=r"silent for 0\.05 s"):
        await anext(QUICK.timer().chunks(stream))
    assert stream.closed


async def test_a_stream_that_falls_silent() -> None:
    stream = Pieces(1, 2)
    chunks = QUICK.timer().chunks(stream)
    assert [await anext(chunks), await anext(chunks)] == [1, 2]
    with pytest.raises(TimeoutError, match=r"silent for 0\.02 s"):
        await anext(chunks)
    assert stream.closed


async def test_the_reader_may_take_its_time() -> None:
    chunks = QUICK.timer().chunks(Pieces(1, 2))
    assert await anext(chunks) == 1
    await asyncio.sleep(0.1)
    assert await anext(chunks) == 2
    async with asyncio.timeout(10) as guard:
        with pytest.raises(TimeoutError, match=r"silent for 0\.02 s"):
            await anext(chunks)
    assert not guard.expired()


async def test_silence_may_be_much_shorter_than_the_wait_for_the_first_piece() -> None:
    timeouts = ModelTimeouts.model_validate({"first_byte": "1h", "silence": "20ms"})
    chunks = timeouts.timer().chunks(Pieces(1))
    assert await anext(chunks) == 1
    async with asyncio.timeout(10) as guard:
        with pytest.raises(TimeoutError, match=r"silent for 0\.02 s"):
            await anext(chunks)
    assert not guard.expired()


async def test_a_reader_that_leaves_closes_the_stream() -> None:
    stream = Pieces(1, 2)
    chunks = QUICK.timer().chunks(stream)
    await anext(chunks)
    await chunks.aclose()
    assert stream.closed


async def test_a_cancelled_reader_is_cancelled_not_timed_out() -> None:
    stream = Pieces()
    chunks = ModelTimeouts().timer().chunks(stream)
    reader = asyncio.ensure_future(anext(chunks))
    await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert stream.closed


def test_timeouts_over_others() -> None:
    common = validate(ModelTimeouts, {"connect": "1s", "silence": "2s"}, Source())
    special = validate(ModelTimeouts, {"silence": "9s"}, Source())
    both = common.but(special)
    assert (both.connect, both.first_byte, both.silence) == (1.0, 120.0, 9.0)
