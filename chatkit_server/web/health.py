"""`/healthz`: the process runs. `/readyz`: a turn would work."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from aiohttp import hdrs, web
from chatkit.store import Store

from ..errors import RequestNeeded, ServerError
from ..finding import Finding
from ..plugin.call import HookTimeout, PluginFailed
from ..plugin.calls import Hooks
from ..records import OutageLog, quoted
from ..turn import StoreContext, User
from ..turns.places import RETRY_AFTER
from ..workers import Seat
from .keys import ENGINE, HOOKS, MCP
from .together import Together

PATIENCE = 1.5
"""Seconds within which all parts must answer."""

KEPT = 1.0
"""Seconds for which an answer is good, so that a fault and its end show quickly."""

STORE_TIMEOUT = 5.0
"""Seconds after which a store that is no plugin's `ready` hook has failed."""

NO_ANSWER = "does not answer"

_OF_PROXIES = ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP")
"""Headers that tell of a proxy, which may be on this machine, and its client elsewhere."""

log = logging.getLogger(__name__)


async def healthz(request: web.Request) -> web.StreamResponse:
    """Answer 200 while the process runs."""
    return web.json_response({"status": "ok"})


Check = str | Finding | None
"""What is wrong with a part, None if nothing is. A `Finding` is something it does without."""

Told = Check | Mapping[str, Check]
"""The same for a part, or for each of its checks, by name."""


class Part:
    """One part of the server, asked for what is wrong with it. It gets one question at a time."""

    def __init__(self, name: str, what: str, ask: Callable[[], Awaitable[Told]]) -> None:
        """Ask with `ask`. The log has failures of `what`, with their reasons."""
        self.name = name
        self.asking: asyncio.Task[None] | None = None
        self.asked = -math.inf
        self._ask = ask
        self._outage = OutageLog(log, what)
        self._answered = -math.inf
        self._problem: str | None = None
        self._degraded: str | None = None
        self._checks: Mapping[str, Check] = {}
        self._seconds = 0.0

    def start(self) -> None:
        """Ask, unless a question or a recent answer is there."""
        now = time.monotonic()
        if self.asking is None and now - self._answered >= KEPT:
            self.asked = now
            self.asking = asyncio.create_task(self._note_answer(), name=f"ready {self.name}")

    def problem(self) -> str | None:
        """Return what is wrong, None if nothing is."""
        if self.asking is None:
            return self._problem
        return f"{NO_ANSWER} (asked {int(time.monotonic() - self.asked)} s ago)"

    def state(self) -> dict[str, Any]:
        """Return what is known, for how many seconds, and how long it took to find out."""
        since = self._answered if self.asking is None else self.asked
        known = {"state": self.problem() or self._degraded or "ok", "age": _age(since)}
        if self._answered > -math.inf:
            known["seconds"] = round(self._seconds, 3)
        if self._checks:
            age = _age(self._answered)
            known["checks"] = {
                name: {"state": _state(told) or "ok", "age": age}
                for name, told in self._checks.items()
            }
        return known

    async def _note_answer(self) -> None:
        try:
            self._note(await self._ask())
        except Exception as error:
            self._problem = _as_problem(error)
            self._degraded, self._checks = None, {}
            self._outage.failed(_logged(error))
        else:
            self._outage.answered()
        finally:
            self.asking = None
            self._answered = time.monotonic()
            self._seconds = self._answered - self.asked

    def _note(self, told: Told) -> None:
        self._checks = told if isinstance(told, Mapping) else {}
        if isinstance(told, Mapping):
            reasons = [f"{n}: {why}" for n, why in told.items() if isinstance(why, str) and why]
            told = "; ".join(reasons)
        self._problem = told or None if isinstance(told, str) else None
        self._degraded = _state(told) if isinstance(told, Finding) else None


def _state(told: Check) -> str | None:
    if not isinstance(told, Finding):
        return told
    return None if not told.is_wrong else f"degraded: {told.problem}"


def _age(since: float) -> float:
    return round(time.monotonic() - since, 1)


class Readiness:
    """Answers `/readyz` within two seconds. Anybody may ask, as often as they like."""

    def __init__(
        self,
        hooks: Hooks,
        store_plugin: str,
        store: Store[StoreContext],
        seat: Seat | None = None,
    ) -> None:
        """Ask the plugins with a `ready` hook, and the store if its plugin has none.

        With a `seat`, tell how all workers are.
        """
        self._together = None if seat is None else Together(seat)
        self._parts = [
            Part("store", "the store", call.answer)
            if call.plugin == store_plugin
            else Part(call.plugin, f"plugin {call.plugin}: ready", call.answer)
            for call in hooks.hook_calls("ready")
        ]
        if all(part.name != "store" for part in self._parts):
            self._parts.insert(0, Part("store", "the store", lambda: _try_to_load(store)))
        self._unready_since: float | None = None

    async def run(self, app: web.Application) -> AsyncIterator[None]:
        """Tell other workers how this one is, and end the questions when the server stops."""

        async def problem() -> str:
            await self._ask()
            return _in_words(self._problems(app), _missing(app))

        tasks = []
        if self._together is not None:
            tasks.append(asyncio.create_task(self._together.tell(problem)))
        yield
        tasks += [part.asking for part in self._parts if part.asking is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def readyz(self, request: web.Request) -> web.StreamResponse:
        """Answer 200 if the server can run turns, else 503, with the state of each part."""
        app, together = request.app, self._together
        closing = app[ENGINE].turns.closing
        if together is not None:
            closing = together.all_end
            together.ask()
        if not closing:
            await self._ask()
        problems, missing = self._problems(app), _missing(app)
        others = {} if together is None else together.problems()
        ready = not (closing or missing or problems or others)
        body: dict[str, Any] = {
            "ready": ready,
            "store": problems.get("store", "ok"),
            "mcp_servers": app[MCP].status(),
        }
        if wrong := {name: problem for name, problem in problems.items() if name != "store"}:
            body["plugins"] = wrong
        if others:
            body["workers"] = others
        if closing:
            body["server"] = "shutting down"
        else:
            self._note(problems | others, missing, ready=ready)
        if "verbose" in request.query:
            body["parts"] = {part.name: part.state() for part in self._parts}
            if together is not None:
                body["parts"]["workers"] = together.as_json()
            if _is_of_this_machine(request):
                body["hooks"] = app[HOOKS].statistics.as_json()
                failing = _failing(app[HOOKS], needed=True)
                body["failing"] = failing | _failing(app[HOOKS], needed=False)
        if body["ready"]:
            return web.json_response(body)
        headers = {hdrs.RETRY_AFTER: str(RETRY_AFTER)}
        return web.json_response(body, status=503, headers=headers)

    def _problems(self, app: web.Application) -> dict[str, str]:
        """Return what is wrong with the store, and with each plugin."""
        asked = {part.name: part.problem() for part in self._parts}
        problems = {name: problem for name, problem in asked.items() if problem}
        store = {"store": problems.pop("store")} if "store" in problems else {}
        return store | _failing(app[HOOKS], needed=True) | problems

    async def _ask(self) -> None:
        """Ask all parts at once, and wait for those that were not asked long ago."""
        for part in self._parts:
            part.start()
        now = time.monotonic()
        left = {p.asking: p.asked + PATIENCE - now for p in self._parts if p.asking is not None}
        hopeful = {asking: seconds for asking, seconds in left.items() if seconds > 0}
        if hopeful:
            await asyncio.wait(hopeful, timeout=max(hopeful.values()))

    def _note(self, problems: dict[str, str], missing: list[str], *, ready: bool) -> None:
        """Log when the server stops being ready, and when it is ready again."""
        now = time.monotonic()
        if not ready and self._unready_since is None:
            self._unready_since = now
            log.info("not ready: %s", _in_words(problems, missing))
        elif ready and self._unready_since is not None:
            log.info("ready again, after %.0f s", now - self._unready_since)
            self._unready_since = None


def _in_words(problems: Mapping[str, str], missing: Sequence[str]) -> str:
    """Return what is wrong as one line, empty if nothing is."""
    reasons = [f"{name}: {what}" for name, what in problems.items()]
    reasons += [f"MCP server {name} is not connected" for name in missing]
    return "; ".join(reasons)


def _missing(app: web.Application) -> list[str]:
    """Return the MCP servers that turns need, and that are not connected."""
    servers = app[MCP].status()
    return [name for name, at in servers.items() if at["required"] and not at["connected"]]


def _failing(hooks: Hooks, *, needed: bool) -> dict[str, str]:
    """Return what keeps failing of each plugin, of the hooks that turns do or don't need."""
    return {
        plugin: f"{hook} keeps failing: the log says why"
        for plugin, hook, is_needed in hooks.statistics.failing()
        if is_needed is needed
    }


def _is_of_this_machine(request: web.Request) -> bool:
    """Whether a request was sent here, and by no proxy: what users do is not told to strangers."""
    if any(name in request.headers for name in _OF_PROXIES):
        return False
    peer = request.remote
    return not peer or ip_address(peer.partition("%")[0]).is_loopback


async def _try_to_load(store: Store[StoreContext]) -> None:
    """Ask a store that cannot tell whether it works."""
    nobody = StoreContext(User(id="readyz", tenant="chatkit_server"))
    # One that works for the users of requests alone can say nothing here
    with suppress(RequestNeeded):
        async with asyncio.timeout(STORE_TIMEOUT):
            await store.load_threads(1, None, "desc", nobody)


def _as_problem(error: Exception) -> str:
    """Return what everybody may read about an error."""
    if isinstance(error, TimeoutError | HookTimeout):
        return NO_ANSWER
    if isinstance(error, ServerError) and not isinstance(error, PluginFailed):
        return error.message
    return "failed: the log says why"


def _logged(error: Exception) -> str:
    if isinstance(error, PluginFailed | HookTimeout):
        return quoted(error.__cause__) if error.__cause__ else error.unlogged or repr(error)
    return quoted(error)
