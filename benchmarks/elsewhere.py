"""How far a client at another process is behind, and how fast it stops a turn.

`python -m benchmarks.elsewhere [CHATS]` runs two servers with one database and one Redis, and
prints milliseconds: between an event at the turn's own process and the same one at the other, and
from a request to cancel at the other process to its answer.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from pathlib import Path

from aiohttp import ClientSession, TCPConnector

from .command import command
from .processes import output_of, python, run_until_told, serving
from .redis import redis
from .script import Answer
from .servers import model_server, ours, write_settings

SECONDS = 8
"""How long an answer takes."""

TOKENS_PER_SECOND = 20

CANCELS = 40

_NUMBER = re.compile(rb"^id: [^\n]*:(\d+)$", re.MULTILINE)


async def _read(response: object, came: dict[int, float]) -> None:
    """Note when each event came."""
    content = response.content  # type: ignore[attr-defined]
    rest = b""
    async for data in content.iter_any():
        now = time.perf_counter()
        rest += data
        for found in _NUMBER.findall(rest):
            came.setdefault(int(found), now)
        rest = rest[rest.rfind(b"\n\n") + 1 :]


async def _chat(session: ClientSession, one: str, other: str, number: int) -> list[float]:
    """Have a turn at one process, follow it at the other, and return how far that was behind."""
    answer = Answer(SECONDS * TOKENS_PER_SECOND, 1000 // TOKENS_PER_SECOND)
    headers = {"X-User": f"user{number}"}
    await asyncio.sleep(number / 50)
    body = {"messages": [{"role": "user", "content": answer.asked}]}
    near, far = dict[int, float](), dict[int, float]()
    async with session.post(one, json=body, headers=headers) as response:
        reading = asyncio.create_task(_read(response, near))
        turn = response.headers["X-Turn-Id"]
        async with session.get(f"{other}/turns/{turn}/events", headers=headers) as followed:
            joined = time.perf_counter()
            await _read(followed, far)
        await reading
    if near.keys() != far.keys():
        raise SystemExit(f"{len(near.keys() ^ far.keys())} events came to one client alone")
    return [far[number] - at for number, at in near.items() if at > joined]


async def _cancel(session: ClientSession, one: str, other: str) -> float:
    """Begin a turn at one process, stop it at the other; return how long that took."""
    body = {"messages": [{"role": "user", "content": Answer(400, 50).asked}]}
    headers = {"X-User": "user"}
    async with session.post(one, json=body, headers=headers) as response:
        turn = response.headers["X-Turn-Id"]
        await response.content.readuntil(b"content")
        begun = time.perf_counter()
        async with session.post(f"{other}/turns/{turn}/cancel", headers=headers) as cancelled:
            state = (await cancelled.json())["state"]
            seconds = time.perf_counter() - begun
        await response.read()
    if state != "cancelled":
        raise SystemExit(f"a turn was not cancelled: {state}")
    return seconds


def _told(what: str, seconds: list[float]) -> str:
    ordered = sorted(seconds)
    at = {share: ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99)}
    numbers = ", ".join(f"p{share * 100:.0f} {value * 1000:.0f} ms" for share, value in at.items())
    return f"{what}: {numbers} of {len(ordered)}"


async def _drive(one: str, other: str, chats: int) -> None:
    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        each = await asyncio.gather(*(_chat(session, one, other, n) for n in range(chats)))
        print(
            _told("events at another process are behind by", [lag for lags in each for lag in lags])
        )
        cancels = [await _cancel(session, one, other) for _ in range(CANCELS)]
        print(_told("a turn is cancelled at another process in", cancels))


def main(chats: int) -> None:
    """Run the servers, and drive them from another process."""
    with tempfile.TemporaryDirectory() as name, model_server() as model, redis() as url:
        endpoints = {"bench": {"base_url": model, "api_key": "none"}}
        plugins = {"compatible_models": {"endpoints": endpoints}, "redis_events": {"url": url}}
        settings = write_settings(Path(name) / "ours", "bench/bench", plugins)
        with serving(ours(settings)) as one, serving(ours(settings)) as other:
            places = [f"http://127.0.0.1:{at.port}{at.path}" for at in (one, other)]
            told = output_of(python("benchmarks.elsewhere", str(chats), "--at", *places), limit=600)
    print(told, end="")


if __name__ == "__main__":
    parser = command("elsewhere", __doc__)
    parser.add_argument("chats", nargs="?", type=int, default=50, help="how many (50)")
    parser.add_argument(
        "--at", nargs=2, metavar=("ONE", "OTHER"), help="drive two servers that run, by their URLs"
    )
    given = parser.parse_args()
    if given.at:
        run_until_told(_drive(*given.at, given.chats))
    else:
        main(given.chats)
