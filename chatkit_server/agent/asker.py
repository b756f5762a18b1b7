"""Asks the user for one tool call of a turn, what an MCP server wants to know."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, cast

from chatkit.types import (
    StructuredInputItem,
    ThreadItem,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
)
from mcp.types import ElicitResult

from ..asking import collected
from ..mcp.elicitation import ROUNDS as ASKS
from ..mcp.elicitation import Asker, Needed
from ..mcp.forms import Form, NoForm
from ..records import log_error, repeats
from ..tasks import contained
from ..turn import Turn
from ..words import Words
from .asked import skipped
from .questions import CANCELLED, DECLINED, ROUNDS, SavedQuestion

log = logging.getLogger(__name__)

_LOOKS = 1.0
"""Seconds between two looks into the store for the answer to a question."""

_CLOSES = 2.0
"""Seconds in which a question is taken back whose call has ended."""


class LiveQuestions:
    """The questions for which calls of a turn wait while they run.

    They are asked one after the other. `shown` is called when the user sees one: nothing more comes
    until it is answered. It returns the number of the last event until then. `load` returns an item
    as it is stored: another process may have put the answer there. `answered` is called before it
    is used.
    """

    def __init__(self) -> None:
        self.one_at_a_time = asyncio.Lock()
        self.is_left = False
        """Whether all were given up, with those that are still to come."""
        self.saved: dict[str, SavedQuestion] = {}
        """What is to be kept of questions that are asked at the end of the run, by item."""
        self.shown: Callable[[], int] | None = None
        self.load: Callable[[str], Awaitable[ThreadItem | None]] | None = None
        self.answered: Callable[[], object] | None = None
        self._news = asyncio.Event()
        self._waiting: dict[str, asyncio.Future[StructuredInputItem | None]] = {}
        self._waited = 0.0
        self._since = 0.0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __contains__(self, item_id: str) -> bool:
        waiting = self._waiting.get(item_id)
        return waiting is not None and not waiting.done()

    @property
    def seconds(self) -> float:
        """How long the turn has waited for the user."""
        now = asyncio.get_running_loop().time()
        return self._waited + (now - self._since if self._waiting else 0.0)

    def answer(self, item: StructuredInputItem) -> None:
        """Give an answered item, which is in this, to the call that waits for it."""
        self._waiting[item.id].set_result(item)

    def look(self) -> None:
        """Look at once whether another process has put an answer into the store."""
        self._news.set()

    async def look_on(self, item_id: str) -> None:
        """Give the call the answer that another process puts into the store."""
        while self.load is not None and item_id in self:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOKS):
                    await self._news.wait()
            self._news.clear()
            try:
                with contained():
                    item = await self.load(item_id)
            except Exception as error:
                what = "could not look for its answer from another process"
                again = repeats(f"{what}: {type(error).__name__}", "question", item_id)
                log_error(log, logging.WARNING, error, f"question %s: {what}", item_id, extra=again)
                continue
            answers = isinstance(item, StructuredInputItem) and item.status != "pending"
            if answers and item_id in self:
                if self.answered is not None:
                    self.answered()
                self.answer(cast(StructuredInputItem, item))

    def begin(self, item_id: str) -> asyncio.Future[StructuredInputItem | None]:
        """Return the future of the answered item; None is no answer."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            self._since = loop.time()
        waiting = self._waiting[item_id] = loop.create_future()
        return waiting

    def leave(self, item_ids: Iterable[str] | None = None) -> None:
        """Give up these questions, or all: their calls go on without an answer."""
        self.is_left = self.is_left or item_ids is None
        for item_id in self._waiting if item_ids is None else item_ids:
            if item_id in self:
                self._waiting[item_id].set_result(None)

    def end(self, item_id: str) -> None:
        """Wait for this one no more."""
        self._waiting.pop(item_id, None)
        if not self._waiting:
            self._waited += asyncio.get_running_loop().time() - self._since


class TurnAsker(Asker):
    """Asks the user for a tool call of a turn; `tool` and `arguments` are as the model wrote them.

    An `inner` call is made by a tool that runs an agent. It cannot be made again alone.
    """

    def __init__(
        self,
        turn: Turn,
        live: LiveQuestions,
        call_id: str,
        tool: str,
        arguments: str,
        *,
        inner: bool,
    ) -> None:
        super().__init__()
        self._turn = turn
        self._live = live
        self._call = call_id, tool, arguments
        self._inner = inner
        self._asks = 0
        self._closed = False
        self._asking: dict[str, asyncio.Future[None]] = {}

    @property
    def can_wait(self) -> bool:
        return not self._inner

    def later(self, needed: Needed) -> dict[str, ElicitResult] | None:
        requests = {key: dict(params) for key, params in needed.requests.items()}
        own_id = self._turn.generate_id("message")
        saved = SavedQuestion(own_id, needed.server, requests, *self._call, state=needed.state)
        item, wanted = saved.item(self._turn), collected()
        if item is None or wanted is None:
            self._log_refusal(needed.server, requests)
            return dict.fromkeys(requests, DECLINED)
        self._live.saved[item.id] = saved
        wanted.questions.append(item)
        return None

    async def now(self, server: str, params: Mapping[str, Any], seconds: float) -> ElicitResult:
        self._asks += 1
        if self._turn.operation == "plain" or self._asks > ASKS:
            # A plain client has no way to answer in the middle of an answer
            return CANCELLED
        own_id = self._turn.generate_id("message")
        saved = SavedQuestion(own_id, server, {"": dict(params)}, *self._call, live=self._turn.id)
        wrong: dict[str, dict[str, Words]] | None = None
        with self.paused():
            while saved.round <= ROUNDS:
                item = saved.item(self._turn, wrong)
                if item is None:
                    self._log_refusal(server, saved.requests)
                    return DECLINED
                async with self._live.one_at_a_time:
                    if self._closed or self._live.is_left:
                        return CANCELLED
                    answered = await self._ask(saved, item, seconds)
                if answered is None:
                    return CANCELLED
                results, wrong = saved.read(answered)
                if not wrong:
                    return results[""]
                saved = saved.again(self._turn.generate_id("message"), results)
        return DECLINED

    async def _ask(
        self, saved: SavedQuestion, item: StructuredInputItem, seconds: float
    ) -> StructuredInputItem | None:
        """Show a question, and return it answered; None if it was not answered in time."""
        turn = self._turn
        waiting = self._live.begin(item.id)
        done = self._asking[item.id] = asyncio.get_running_loop().create_future()
        answered: StructuredInputItem | None = None
        looking: asyncio.Task[None] | None = None
        try:
            hidden = saved.as_item(turn.thread.id)
            await turn.stream(ThreadItemDoneEvent.model_construct(item=hidden))
            await turn.stream(ThreadItemDoneEvent.model_construct(item=item))
            if self._live.shown is not None:
                saved.event = self._live.shown()
                hidden = saved.as_item(turn.thread.id)
                await turn.stream(ThreadItemReplacedEvent.model_construct(item=hidden))
            looking = asyncio.create_task(self._live.look_on(item.id), name=f"look at {item.id}")
            async with asyncio.timeout(seconds):
                answered = await waiting
        except TimeoutError:
            log.debug("turn %s: the user did not answer within %g s", turn.id, seconds)
        finally:
            self._live.end(item.id)
            if looking is not None:
                looking.cancel()
            saved.settled = True
            hidden = saved.as_item(turn.thread.id)
            try:
                await turn.stream(ThreadItemReplacedEvent.model_construct(item=hidden))
                left = answered or skipped(item)
                await turn.stream(ThreadItemReplacedEvent.model_construct(item=left))
            finally:
                del self._asking[item.id]
                done.set_result(None)
        return answered

    async def close(self) -> None:
        """Take back what is still asked: the call has ended."""
        self._closed = True
        self._live.leave(self._asking)
        if self._asking:
            await asyncio.wait(list(self._asking.values()), timeout=_CLOSES)

    def _log_refusal(self, server: str, requests: Mapping[str, Mapping[str, Any]]) -> None:
        for params in requests.values():
            try:
                Form.of(server, params)
            except NoForm as error:
                log.warning(
                    "turn %s: a question of MCP server %s was declined: %s",
                    self._turn.id,
                    server,
                    error,
                )
