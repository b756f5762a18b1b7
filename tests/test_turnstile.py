"""Work that begins one after the other, and answers that are slowed down."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Coroutine
from itertools import pairwise
from typing import Any

import pytest

from chatkit_server.agent import pace
from chatkit_server.agent.pace import UNINTERRUPTED, EventPace
from chatkit_server.turnstile import Turnstile


class Passes:
    """Counts the passes of the event loop while the block runs."""

    def __init__(self) -> None:
        self.count = 0

    async def __aenter__(self) -> Passes:
        self._counting = asyncio.create_task(self._run())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._counting.cancel()

    async def _run(self) -> None:
        while True:
            self.count += 1
            await asyncio.sleep(0)


def waits(coroutine: Coroutine[Any, Any, None]) -> bool:
    """Whether a coroutine does not return at once."""
    try:
        coroutine.send(None)
    except StopIteration:
        return False
    coroutine.close()
    return True


async def test_a_client_is_let_in_once_with_each_pass() -> None:
    turnstile = Turnstile()
    let_in_at: dict[int, list[int]] = defaultdict(list)

    async def enter(client: int) -> None:
        await turnstile.enter(client)
        let_in_at[client].append(passes.count)

    async with Passes() as passes:
        await asyncio.gather(*(enter(n % 3) for n in range(30)))
    for passes_of_one in let_in_at.values():
        assert len(set(passes_of_one)) == 10


async def test_who_comes_alone_does_not_wait() -> None:
    turnstile = Turnstile()
    for _ in range(3):
        assert not waits(turnstile.enter("ann"))
        assert waits(turnstile.enter("ann"))
        assert not waits(turnstile.enter("ben"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)


@pytest.mark.parametrize("gap", [0.0, 0.001])
async def test_others_do_not_wait_for_a_client_with_many(gap: float) -> None:
    turnstile = Turnstile(gap)
    order: list[str] = []

    async def enter(client: str) -> None:
        await turnstile.enter(client)
        order.append(client)

    many = [asyncio.create_task(enter("many")) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.gather(enter("one"), enter("other"))
    assert len(order) <= 6
    await asyncio.gather(*many)
    assert len(order) == 52


async def test_a_client_waits_for_the_gap_and_no_other_does() -> None:
    turnstile = Turnstile(0.02)
    times: list[float] = []

    async def enter() -> None:
        await turnstile.enter("ann")
        times.append(asyncio.get_running_loop().time())

    entering = [asyncio.create_task(enter()) for _ in range(4)]
    await asyncio.sleep(0)
    await turnstile.enter("ben")
    assert len(times) == 1
    await asyncio.gather(*entering)
    resolution = 0.002
    assert all(b - a >= 0.02 - resolution for a, b in pairwise(times))


async def test_who_has_left_takes_nobodys_turn() -> None:
    turnstile = Turnstile(0.01)
    await turnstile.enter("ann")
    waiting = [asyncio.create_task(turnstile.enter(name)) for name in ("ann", "ben", "ann")]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert [task.cancelled() for task in waiting] == [True, False, False]


async def test_who_holds_a_place_keeps_it_until_it_leaves() -> None:
    turnstile = Turnstile()
    order: list[int] = []

    async def hold(number: int) -> None:
        await turnstile.hold("ann")
        order.append(number)

    await hold(0)
    waiting = [asyncio.create_task(hold(number)) for number in range(1, 4)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await turnstile.enter("ben")
    assert order == [0]
    turnstile.leave("ann")
    await waiting[1]
    assert order == [0, 2]
    begun = asyncio.get_running_loop().time()
    turnstile.leave("ann", 0.02)
    await waiting[2]
    assert asyncio.get_running_loop().time() - begun >= 0.018


async def test_a_place_that_is_given_to_one_that_leaves_is_given_to_the_next() -> None:
    turnstile = Turnstile()
    await turnstile.hold("ann")
    waiting = [asyncio.create_task(turnstile.hold("ann")) for _ in range(2)]
    await asyncio.sleep(0)
    turnstile.leave("ann")
    turnstile._next("ann")
    waiting[0].cancel()
    await asyncio.wait_for(waiting[1], 10)


async def test_nothing_is_kept_of_clients() -> None:
    turnstile = Turnstile()
    await asyncio.gather(*(turnstile.enter(n % 20) for n in range(40)))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not turnstile._waiting


async def test_a_few_events_are_not_interrupted() -> None:
    keeping = EventPace(100)
    assert [waits(keeping.keep()) for _ in range(UNINTERRUPTED + 1)] == [False] * 5 + [True]


async def test_an_answer_is_slowed_down_after_its_first_events() -> None:
    keeping = EventPace(100)
    now = asyncio.get_running_loop().time
    begun = now()
    at_once = round(pace.BURST * 100)
    async with Passes() as passes:
        for _ in range(at_once):
            await keeping.keep()
    assert passes.count >= at_once - UNINTERRUPTED
    for _ in range(20):
        await keeping.keep()
    # The clock went on during the first ones
    assert now() - begun >= 20 / 100 - 0.01
