"""How long the showcase takes for its work, so that you see things change."""

from __future__ import annotations

from asyncio import sleep


async def work() -> None:
    """Take as long as real work might."""
    await sleep(0.3)
