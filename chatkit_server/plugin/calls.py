"""Call the hooks of all plugins: in order, in time, and with checked answers."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pluggy
from aiohttp import web
from chatkit.store import NotFoundError

from ..errors import ServerError, SettingsError, Unavailable
from ..known_errors import told_error
from ..languages import own_languages
from ..lines import fixed_words, user_name
from ..records import log_error, place_of, repeats
from ..settings.problems import Problems
from ..settings.schema import HookSettings
from ..tasks import (
    Escaped,
    SelfCancelled,
    contained,
    escapes,
    is_cancelled,
    resumed,
    this_task,
    timed_step,
    watch_blocking,
)
from ..turn import Turn
from ..words import words
from . import hookspecs
from .answers import wrong_answer
from .checks import check_plugin
from .mistakes import mistakes_named
from .tenants import wrong_tenant

log = logging.getLogger(__name__)

LOGGED_BY_CALLER = ("auth", "ready")
"""Hooks whose failures the caller logs: strangers can cause them without end."""

CLIENTS_ERRORS = (web.RequestPayloadError, web.HTTPRequestEntityTooLarge)
"""What a hook that reads the body of a request raises because of the client."""

NEARLY = 0.8
"""The part of its time limit after which a hook gets a warning."""


CallCheck = Callable[[], str | None]
"""Returns what a plugin has done wrong in a call, None if nothing."""


def _all_right() -> None:
    return None


class PluginFailed(ServerError):
    """A hook raised an unexpected error or returned a wrong value.

    The log has it already, unless it is `unlogged`.
    """

    def __init__(self, unlogged: str | None = None) -> None:
        super().__init__(words("Something went wrong on the server. Try again later."))
        self.unlogged = unlogged


class HookTimeout(Unavailable):
    """A hook took longer than its time limit. The log has it already, unless it is `unlogged`."""

    def __init__(self, unlogged: str | None = None) -> None:
        super().__init__(
            words("A part of the server did not answer in time. Try again in a moment.")
        )
        self.unlogged = unlogged


LOGGED_ALREADY = (PluginFailed, HookTimeout)
"""Errors of hooks that have a line, which names the turn."""


class Hooks:
    """The hooks of one application's plugins, called in the order of the settings.

    `languages` has the words of these plugins, and of the server, in other languages.
    """

    def __init__(self, manager: pluggy.PluginManager, settings: HookSettings) -> None:
        self._manager = manager
        self._settings = settings
        self.languages = own_languages()

    @classmethod
    def of(
        cls,
        plugins: list[tuple[str, object]],
        settings: HookSettings = HookSettings(),  # noqa: B008
    ) -> Hooks:
        """Register plugins, given by name in the order in which they are to be called.

        Raises `SettingsError` with a line for each hook implementation that cannot work.
        """
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        problems = Problems()
        for name, plugin in plugins:
            with problems.collect():
                check_plugin(manager, name, plugin)
        problems.raise_any()
        # pluggy calls the last registered first
        for name, plugin in reversed(plugins):
            try:
                manager.register(plugin, name)
            except ValueError:
                raise SettingsError(
                    f"plugin {name}: enabled already, as `{manager.get_name(plugin)}`; keep one"
                ) from None
        return cls(manager, settings)

    @property
    def plugins(self) -> list[tuple[str, object]]:
        """The enabled plugins with their names, in their order."""
        return self._manager.list_name_plugin()[::-1]

    @property
    def names(self) -> list[str]:
        """The names of the enabled plugins, in their order."""
        return [name for name, _ in self.plugins]

    def implemented(self, hook: str) -> bool:
        """Whether any plugin implements the hook."""
        return bool(getattr(self._manager.hook, hook).get_hookimpls())

    def implementing(self, hook: str) -> list[tuple[str, object]]:
        """The plugins that implement the hook, with their names, in order."""
        found = reversed(getattr(self._manager.hook, hook).get_hookimpls())
        return [(each.plugin_name, each.plugin) for each in found]

    def calls(self, hook: str, **arguments: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
        """Yield `(plugin name, call)` for each implementation, in order."""
        for implementation in reversed(getattr(self._manager.hook, hook).get_hookimpls()):
            taken = {name: arguments[name] for name in implementation.argnames}
            taken |= {n: arguments[n] for n in implementation.kwargnames if n in arguments}
            yield implementation.plugin_name, partial(implementation.function, **taken)

    def checked_calls(self, hook: str, **arguments: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
        """Yield `(plugin name, call)` of a boot hook for each implementation, in order.

        A call raises `SettingsError` that names the plugin.
        """

        def checked(name: str, call: Callable[[], Any]) -> Any:
            with mistakes_named(name, hook):
                return _checked(hook, call())

        for name, call in self.calls(hook, **arguments):
            yield name, partial(checked, name, call)

    def boot_first(self, hook: str, **arguments: Any) -> Any:
        """Call a boot hook of one plugin after another; return the first answer, None without.

        Raises `SettingsError` that names the plugin.
        """
        for _, call in self.checked_calls(hook, **arguments):
            answer = call()
            if answer is not None:
                return answer
        return None

    def boot_all(self, hook: str, **arguments: Any) -> list[tuple[str, Any]]:
        """Call a boot hook of all plugins; return `(plugin name, answer)` for each answer.

        Raises `SettingsError` with a line for each plugin that failed.
        """
        answers = []
        problems = Problems()
        for name, call in self.checked_calls(hook, **arguments):
            with problems.collect():
                answers.append((name, call()))
        problems.raise_any()
        return [(name, answer) for name, answer in answers if answer is not None]

    async def boot_each(self, hook: str, **arguments: Any) -> AsyncIterator[tuple[str, Any]]:
        """Await an `async` boot hook of all plugins; yield each answer as it comes.

        Raises `SettingsError` that names the plugin; the plugins after it are not called.
        """
        for name, call in self.calls(hook, **arguments):
            with mistakes_named(name, hook):
                answer = _checked(hook, await call())
            if answer is not None:
                yield name, answer

    async def first(self, hook: str, *, check: CallCheck = _all_right, **arguments: Any) -> Any:
        """Await implementations in order until one answers, and return that; None if none does.

        After each call, `check` returns what the plugin has done wrong, None if nothing.
        """
        answered = await self.first_call(hook, check=check, **arguments)
        return None if answered is None else answered[1]

    async def first_call(
        self, hook: str, *, check: CallCheck = _all_right, **arguments: Any
    ) -> tuple[HookCall, Any] | None:
        """Do as `first` does, and return the call with its answer."""
        for call in self.hook_calls(hook, **arguments):
            answer = await call.answer()
            call.refuse(check())
            if answer is not None:
                return call, answer
        return None

    async def any(self, hook: str, **arguments: Any) -> bool:
        """Await all implementations in order; return whether one has returned True.

        An error does not stop the others. It is logged, or raised if none has returned True.
        """
        accepted, failed = False, list[tuple[HookCall, Exception]]()
        for call in self.hook_calls(hook, **arguments):
            try:
                accepted = await call.answer() is True or accepted
            except Exception as error:
                failed.append((call, error))
        shown = failed.pop(0)[1] if failed and not accepted else None
        for call, unshown in failed:
            if not isinstance(unshown, LOGGED_ALREADY):
                call.log_error(unshown)
        if shown is not None:
            raise shown
        return accepted

    async def each(
        self,
        hook: str,
        *,
        called: list[str] | None = None,
        check: CallCheck = _all_right,
        **arguments: Any,
    ) -> None:
        """Await all implementations in order; the first error ends it.

        The names of the plugins are added to `called`, each before its call. After each call,
        `check` returns what the plugin has done wrong, None if nothing.
        """
        for call in self.hook_calls(hook, **arguments):
            if called is not None:
                called.append(call.plugin)
            await call.answer()
            call.refuse(check())

    async def each_isolated(
        self, hook: str, *, only: Collection[str] | None = None, **arguments: Any
    ) -> None:
        """Await all implementations in order; errors are logged, all but a cancellation.

        `only` limits it to the plugins of these names.
        """
        for call in self.hook_calls(hook, **arguments):
            if only is not None and call.plugin not in only:
                continue
            try:
                await call.answer()
            except LOGGED_ALREADY:
                continue
            except Exception as error:
                call.log_error(error)

    def hook_calls(self, hook: str, **arguments: Any) -> Iterator[HookCall]:
        """Yield a call for each implementation, in order; each may be made several times."""
        turn = arguments.get("turn")
        for name, call in self.calls(hook, **arguments):
            owner = self._manager.get_plugin(name)
            yield HookCall(name, hook, call, self._settings, turn, owner)


def _checked(hook: str, answer: Any) -> Any:
    if wrong := wrong_answer(hook, answer):
        raise SettingsError(f"{hook}: {wrong}")
    return answer


@dataclass(slots=True)
class HookCall:
    """One call of one plugin's hook, for a turn if there is one."""

    plugin: str
    hook: str
    call: Callable[[], Any]
    settings: HookSettings
    turn: Turn | None = None
    owner: object = None

    def __str__(self) -> str:
        turn = f"turn {self.turn.id}: " if self.turn else ""
        return f"{turn}{self._name}"

    @property
    def _name(self) -> str:
        return f"plugin {self.plugin}: {self.hook}"

    def owner_says(self, name: str) -> bool:
        """Whether the plugin has an attribute of this name that is true."""
        return bool(getattr(self.owner, name, False))

    async def answer(self) -> Any:
        """Await the hook and return its answer.

        Raises the hook's own `ServerError` or `NotFoundError`; an error that says otherwise what
        the user is told, such as ChatKit's `CustomStreamError`, as a `ServerError`. Everything else
        is logged, once, and raised as `PluginFailed`, or as `HookTimeout` for a hook that takes too
        long. What the hooks in `LOGGED_BY_CALLER` do is left to the caller to log.
        """
        task = this_task()
        try:
            answer = await self._in_time()
        except (ServerError, NotFoundError):
            raise
        except Exception as error:
            if self.hook == "auth" and isinstance(error, CLIENTS_ERRORS):
                raise
            raise told_error(error) or self._failed(error) from error
        except BaseException as error:
            if not escapes(error, task):
                raise
            # It would end the turn without words, or the event loop with everyone's answers
            raise self._failed(error) from error
        wrong = wrong_answer(self.hook, answer)
        if self.hook == "auth" and answer is not None and not wrong:
            wrong = wrong_tenant(self.owner, answer.tenant)
        if wrong:
            raise PluginFailed(self._unlogged(wrong))
        return answer

    @contextmanager
    def named(self) -> Iterator[None]:
        """While the hook's answer is read, log what is no `Exception`, and raise `PluginFailed`."""
        try:
            with contained():
                yield
        except Escaped as escaped:
            raise self._failed(escaped.error) from escaped.error

    def refuse(self, wrong: str | None) -> None:
        """Raise `PluginFailed` if the plugin has done something wrong, and log what."""
        if wrong:
            log.error("%s %s", self, wrong)
            raise PluginFailed

    async def read(self, reading: Coroutine[Any, Any, None]) -> None:
        """Await the code that reads the hook's answer, as the hook's own.

        Once cancelled, it has the time limit of the hook to end, and is then left.
        """
        with self.named():
            await watch_blocking(reading, self._blocked, cleanup=self._limit)

    def _failed(self, error: BaseException) -> PluginFailed:
        if self.hook == "auth":
            return PluginFailed(f"{self} failed")
        self.log_error(error)
        return PluginFailed()

    def log_error(self, error: BaseException) -> None:
        """Log what the hook has raised: with its traceback, unless that says what is wrong."""
        cause = f"{self._name} failed: {type(error).__name__} in {place_of(error)}"
        level = logging.WARNING if isinstance(error, ServerError) else logging.ERROR
        text = f"%s failed{self._user}"
        log_error(log, level, error, text, self, extra=self._repeated(cause, "call failed"))

    def _unlogged(self, what: str) -> str | None:
        """Log what the hook has done, or return the line for the caller to log."""
        if self.hook in LOGGED_BY_CALLER:
            return f"{self} {what}"
        again = self._repeated(f"{self._name} {fixed_words(what)}", "call failed")
        log.error(f"%s %s{self._user}", self, what, extra=again)
        return None

    def _repeated(self, cause: str, what: str) -> dict[str, Any]:
        return repeats(cause, what, self.turn.id if self.turn else "")

    @property
    def _user(self) -> str:
        """The user for a line, without what formatting would take for a place."""
        if self.turn is None:
            return ""
        user = user_name(self.turn.user.tenant, self.turn.user.id)
        return f" (user {user})".replace("%", "%%")

    async def _in_time(self) -> Any:
        started = time.monotonic()
        work = self.call()
        if inspect.isasyncgen(work):
            return work
        try:
            # Most have nothing to wait for, and need no clock
            waits_for = timed_step(work.send, None, self._blocked)
        except StopIteration as stop:
            return stop.value
        except SelfCancelled as error:
            await error.taken_in()
            raise asyncio.CancelledError from error
        limit = self._limit
        cancelled_before = is_cancelled()
        try:
            async with asyncio.timeout(limit) as clock:
                answer = await resumed(work, waits_for, self._blocked, cleanup=limit)
        except TimeoutError:
            if not clock.expired():
                raise
            what = f"took longer than the {limit:g} s that {self._setting} allows"
            raise HookTimeout(self._unlogged(what)) from None
        if is_cancelled() and not cancelled_before:
            # The hook has swallowed it, but the turn or the request is over
            raise asyncio.CancelledError
        seconds = time.monotonic() - started
        if NEARLY * limit <= seconds <= limit:
            log.warning(
                "%s took %.1f s of the %g s that %s allows", self, seconds, limit, self._setting
            )
        return answer

    @property
    def _limit(self) -> float:
        return self.settings.timeouts.get(self.plugin, self._own_limit or self.settings.timeout)

    @property
    def _own_limit(self) -> float | None:
        """The limit that the plugin gives the hook, which may be more than that of others."""
        own: Mapping[str, float] = getattr(self.owner, "hook_timeouts", {})
        return own.get(self.hook)

    @property
    def _setting(self) -> str:
        own = self.plugin in self.settings.timeouts or self._own_limit is not None
        return f"hooks.timeouts.{self.plugin}" if own else "hooks.timeout"

    def _blocked(self, seconds: float) -> None:
        log.warning("%s blocked every user for %.1f s", self, seconds)
