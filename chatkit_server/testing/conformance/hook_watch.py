"""Watch the hooks of a plugin: what they return and raise, and how long they take."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import wraps
from time import perf_counter
from typing import Any

from chatkit.store import NotFoundError

from ...errors import ServerError, SettingsError
from ...known_errors import told_error
from ...plugin.answers import likely_typo, wrong_answer, wrong_turn
from ...plugin.calls import Hook, Hooks
from ...plugin.hookspecs import STREAMS
from ...plugin.mistakes import described


class HookWatch:
    """What the hooks of one plugin did, as lines that say what was wrong.

    `called` has the names of the hooks that were called. `codes` has the hooks by their code.
    """

    def __init__(self, limits: Callable[[str], float]) -> None:
        self.called: set[str] = set()
        self.codes: dict[Any, str] = {}
        self.types: list[str] = []
        self.errors: list[str] = []
        self.slow: list[str] = []
        self.unstopped: list[str] = []
        self._limits = limits

    def put_on(self, hooks: Hooks, plugin: str) -> None:
        """Watch the hooks of the plugin of this name."""
        hooks.wrap(plugin, self._watched)

    def _watched(self, hook: str, function: Hook) -> Hook:
        self.codes[getattr(inspect.unwrap(function), "__code__", None)] = hook

        @wraps(function)
        def called(**arguments: Any) -> Any:
            self.called.add(hook)
            try:
                answer = function(**arguments)
            except BaseException as error:
                self._raised(hook, error)
                raise
            if inspect.isasyncgen(answer):
                return answer if hook == "setup" else self._read(hook, answer)
            if inspect.iscoroutine(answer):
                return self._awaited(hook, answer, arguments)
            self._answered(hook, answer, arguments)
            return answer

        return called

    async def _awaited(self, hook: str, work: Awaitable[Any], arguments: dict[str, Any]) -> Any:
        task = asyncio.current_task()
        cancelled = task.cancelling() if task else 0
        began = perf_counter()
        try:
            answer = await work
        except BaseException as error:
            self._raised(hook, error)
            raise
        finally:
            self._took(hook, perf_counter() - began)
        if task is not None and task.cancelling() > cancelled:
            self._add(self.unstopped, f"`{hook}` goes on after an `asyncio.CancelledError`")
        self._answered(hook, answer, arguments)
        if hook in STREAMS and hasattr(answer, "__aiter__") and not wrong_answer(hook, answer):
            return self._read(hook, answer)
        return answer

    async def _read(self, hook: str, events: AsyncIterator[Any]) -> AsyncIterator[Any]:
        task = asyncio.current_task()
        reading = events.__aiter__()
        try:
            while True:
                cancelled = task.cancelling() if task else 0
                try:
                    event = await anext(reading)
                except StopAsyncIteration:
                    return
                if task is not None and task.cancelling() > cancelled:
                    self._add(self.unstopped, f"`{hook}` yields events after it was stopped")
                if hook in STREAMS:
                    self._note_type(hook, [event])
                yield event
        except GeneratorExit:
            raise
        except BaseException as error:
            self._raised(hook, error)
            raise
        finally:
            close = getattr(reading, "aclose", None)
            if close is not None:
                await close()

    def _answered(self, hook: str, answer: Any, arguments: dict[str, Any]) -> None:
        self._note_type(hook, answer)
        turn = arguments.get("turn")
        if hook == "pre_turn" and turn is not None:
            for wrong in (wrong_turn(turn), likely_typo(turn)):
                if wrong:
                    self._add(self.types, f"`{hook}` {wrong}")

    def _note_type(self, hook: str, answer: Any) -> None:
        # A coroutine is closed by this, and fails the call
        wrong = wrong_answer(hook, answer)
        if wrong:
            self._add(self.types, f"`{hook}` {wrong}")

    def _took(self, hook: str, seconds: float) -> None:
        limit = self._limits(hook)
        if seconds >= limit:
            self._add(self.slow, f"`{hook}` took longer than {limit:g} s")

    def _raised(self, hook: str, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            return
        if isinstance(error, ServerError | NotFoundError | SettingsError):
            return
        if isinstance(error, Exception) and told_error(error) is not None:
            return
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if frame.filename != __file__]
        shown = "".join(traceback.format_list(own)).rstrip()
        self._add(self.errors, f"`{hook}` raised {described(error)}\n{shown}")

    @staticmethod
    def _add(lines: list[str], line: str) -> None:
        if line not in lines:
            lines.append(line)
