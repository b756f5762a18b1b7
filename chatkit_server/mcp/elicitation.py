"""An MCP server asks the user something in the middle of a tool call.

By the protocol of 2026-07-28, the call ends with what is asked, and is made again with the answers:
nothing waits. By the earlier ones, the server sends a request while the call goes on, and waits.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from mcp import ClientSession
from mcp.client.session import ClientRequestContext
from mcp.types import (
    INVALID_REQUEST,
    CallToolResult,
    ElicitRequest,
    ElicitRequestParams,
    ElicitResult,
    ErrorData,
    InputRequiredResult,
)

WAITS = 180.0
"""Seconds that a running call waits for the user, for a server without `elicitation_timeout`."""

ROUNDS = 10
"""How often a server may ask in one call before it is given up."""

CAPABILITY: dict[str, Any] = {"form": {}, "url": {}}

_PAUSE, _LONGEST_PAUSE = 0.05, 0.25
"""Seconds before a call is made again for which the server asked nothing."""


@dataclass(frozen=True)
class Needed:
    """What a call needs before it can be made again: parameters of `elicitation/create`, by key.

    `state` goes back to the server as it came.
    """

    server: str
    requests: Mapping[str, Mapping[str, Any]]
    state: str | None


class Asker(ABC):
    """Asks the user for one tool call, perhaps within another one, which runs an agent.

    The clocks of both stand still while the user is asked.
    """

    def __init__(self) -> None:
        self._outer = current_asker()
        self._clocks: list[_Clock] = []

    @property
    @abstractmethod
    def can_wait(self) -> bool:
        """Whether the call can end, and be made again when the user has answered."""

    @abstractmethod
    def later(self, needed: Needed) -> dict[str, ElicitResult] | None:
        """Ask the user when the call has ended; return the answers if nothing is to be asked."""

    @abstractmethod
    async def now(self, server: str, params: Mapping[str, Any], seconds: float) -> ElicitResult:
        """Ask the user, and wait for the answer this long."""

    @property
    def _all_clocks(self) -> list[_Clock]:
        return self._clocks if self._outer is None else [*self._clocks, *self._outer._all_clocks]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clocks while the block runs."""
        clocks = self._all_clocks
        for clock in clocks:
            clock.stop()
        try:
            yield
        finally:
            for clock in clocks:
                clock.go_on()


class _Clock:
    """A time limit that can be stopped, by several at once."""

    def __init__(self, limit: asyncio.Timeout) -> None:
        self._limit: asyncio.Timeout | None = limit
        self._stops = 0
        self._left: float | None = None

    def stop(self) -> None:
        self._stops += 1
        if self._stops == 1 and self._limit is not None and not self._limit.expired():
            until, now = self._limit.when(), asyncio.get_running_loop().time()
            self._left = None if until is None else until - now
            self._limit.reschedule(None)

    def go_on(self) -> None:
        self._stops -= 1
        if self._stops == 0 and self._limit is not None and self._left is not None:
            self._limit.reschedule(asyncio.get_running_loop().time() + self._left)
            self._left = None

    def end(self) -> None:
        """Let go of the limit: what it limits has ended."""
        self._limit = None


_ASKER: ContextVar[Asker | None] = ContextVar("mcp_asker", default=None)
_ANSWERS: ContextVar[tuple[Mapping[str, ElicitResult] | None, str | None] | None] = ContextVar(
    "mcp_answers", default=None
)


@contextmanager
def asking(asker: Asker) -> Iterator[None]:
    """Have what MCP servers ask in the block asked by `asker`."""
    token = _ASKER.set(asker)
    try:
        yield
    finally:
        _ASKER.reset(token)


def current_asker() -> Asker | None:
    """Return who asks the user for the call that the caller makes; None for nobody."""
    return _ASKER.get()


@contextmanager
def limited_by(limit: asyncio.Timeout) -> Iterator[None]:
    """Have a limit of the block stand still while the user is asked."""
    asker = current_asker()
    if asker is None:
        yield
        return
    clock = _Clock(limit)
    asker._clocks.append(clock)
    try:
        yield
    finally:
        asker._clocks.remove(clock)
        clock.end()


@contextmanager
def answering(answers: Mapping[str, ElicitResult] | None, state: str | None) -> Iterator[None]:
    """Have the call in the block made again, with the user's answers."""
    token = _ANSWERS.set((answers, state))
    try:
        yield
    finally:
        _ANSWERS.reset(token)


def take_input(
    session: ClientSession, seconds: float | None = None, most: float | None = None
) -> None:
    """Have a session return what a call needs, and send the answers.

    A call may take `seconds`, without the time in which the user is asked, and `most` with it;
    without these, as long as the session's requests may.
    """
    call_tool = session.call_tool

    async def call(name: str, arguments: Any = None, *, meta: Any = None) -> Any:
        answers, state = _ANSWERS.get() or (None, None)
        async with asyncio.timeout(seconds) as clock:
            with limited_by(clock):
                return await call_tool(
                    name,
                    arguments,
                    most,
                    meta=meta,
                    input_responses=None if answers is None else dict(answers),
                    request_state=state,
                    allow_input_required=True,
                )

    vars(session)["call_tool"] = call


def ask_with(
    session: ClientSession, server: str, seconds: float, find: Callable[[], Asker | None]
) -> None:
    """Have a session's requests to ask the user answered. `find` returns who can ask."""

    async def elicit(
        context: ClientRequestContext, params: ElicitRequestParams
    ) -> ElicitResult | ErrorData:
        asker = find()
        if asker is None:
            return ErrorData(code=INVALID_REQUEST, message="There is no user to ask.")
        return await asker.now(server, as_sent(params), seconds)

    session._elicitation_callback = elicit


def as_sent(params: ElicitRequestParams) -> dict[str, Any]:
    return params.model_dump(by_alias=True, mode="json", exclude_none=True)


def needed_by(server: str, result: InputRequiredResult) -> Needed | None:
    """Return what a call needs; None if it is something that this server cannot give."""
    requests = result.input_requests or {}
    asked = {
        key: as_sent(request.params)
        for key, request in requests.items()
        if isinstance(request, ElicitRequest)
    }
    return Needed(server, asked, result.request_state) if len(asked) == len(requests) else None


class NotAsked(Exception):
    """A server asks for what nobody can answer; the message says what."""


async def with_input(
    server: str, seconds: float, call: Callable[[], Awaitable[Any]]
) -> CallToolResult:
    """Make a call until it has a result, and ask the user in between.

    If the asker can wait, the result is empty: what is asked is its output. Raises `NotAsked`.
    """
    result = await call()
    pause = _PAUSE
    for _ in range(ROUNDS):
        if not isinstance(result, InputRequiredResult):
            found: CallToolResult = result
            return found
        needed, asker = needed_by(server, result), current_asker()
        if needed is None:
            raise NotAsked("asks this server for something that is not supported")
        if asker is None:
            raise NotAsked("asks for input of the user in the middle of a call, and nobody can ask")
        answers: dict[str, ElicitResult] | None = None
        if not needed.requests:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        elif asker.can_wait:
            answers = asker.later(needed)
            if answers is None:
                return CallToolResult(content=[])
        else:
            answers = {
                key: await asker.now(server, params, seconds)
                for key, params in needed.requests.items()
            }
        with answering(answers, needed.state):
            result = await call()
    raise NotAsked("asks for input of the user again and again")
