"""What every plugin has to do."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any
from weakref import WeakKeyDictionary

import pluggy
import pytest
from pydantic import BaseModel, ValidationError

from ...errors import SettingsError
from ...plugin import hookspecs
from ...plugin.checks import check_plugin
from ...plugin.mistakes import described
from ...plugin.terms import check_terms
from ..client import ChatClient
from .claims import Broken, claim, holds, shown
from .given_plugins import module_of, named_plugin
from .hook_names import uncalled_hooks
from .trial import Plan, Trial, run_trial

_ODD_VALUES: tuple[Any, ...] = (
    *(None, "", "x", "\0", "${X}", -1, 0, 10**30, 1.5, True),
    *([], {}, ["x"], [None], {"x": 1}),
)

_TRIALS: WeakKeyDictionary[type, dict[str, Trial]] = WeakKeyDictionary()
"""What came of the trials of each class, by parameters: one server is enough for its tests."""


class PluginContract:
    """Tests of a plugin. Give them a fixture `plugin`: an object, a class, a module, or a name.

    They start a server with it, in which users talk, use tools, send actions, files and feedback,
    stop answers, and see the model and tools fail. Override `use` for what only you know.
    """

    pytestmark = pytest.mark.asyncio

    patience = 60.0

    config: Mapping[str, Any] = MappingProxyType({})
    """The plugin's section of the settings, where the fixture gives a class, module or name."""

    sections: Mapping[str, Any] = MappingProxyType({})
    """Other sections of the settings of the server, such as `plugins` or `agent`."""

    time_limit = 5.0
    """Seconds that a hook may take, as in `hooks.timeout`. `hook_timeouts` of the plugin counts."""

    blocking = 0.2
    """Seconds for which a plugin may block the event loop. `time.sleep` may not at all."""

    async def use(self, client: ChatClient) -> None:
        """Use the plugin as a user does: send its actions, ask its routes, call its tools."""

    # As it is written

    @claim(
        "Functions that are meant to be hooks are called, and named like them",
        "a misspelt or unmarked hook does nothing, and nobody notices",
    )
    async def test_hooks_are_hooks(self, plugin: object) -> None:
        made = self._made(plugin)[1]
        _none(uncalled_hooks(made))
        wrong = _hook_problems(made)
        _none([line for line in wrong if "is not a hook" in line])

    @claim(
        "Hooks take arguments that the specification names, and are `async def` where it is",
        "the server refuses to start with others",
    )
    async def test_hooks_have_the_right_signatures(self, plugin: object) -> None:
        made = self._made(plugin)[1]
        _none([line for line in _hook_problems(made) if "is not a hook" not in line])

    @claim(
        "What a plugin says of itself, such as `policy` and `hook_timeouts`, can be kept",
        "the server refuses to start with what cannot",
    )
    async def test_terms_can_be_kept(self, plugin: object) -> None:
        name, made = self._made(plugin)
        try:
            check_terms(name, made)
        except SettingsError as error:
            raise Broken(str(error)) from None

    @claim(
        "`Config` says with a `ValidationError` what it does not take, and has a schema",
        "a wrong setting is told with its place, before the server starts",
    )
    async def test_settings_are_checked(self, plugin: object) -> None:
        made = self._made(plugin)[1]
        config = getattr(module_of(plugin if not isinstance(plugin, str) else made), "Config", None)
        if config is None:
            return
        good = inspect.isclass(config) and issubclass(config, BaseModel)
        holds(good, "`Config` is no subclass of pydantic.BaseModel")
        try:
            config.model_json_schema()
        except Exception as error:
            raise Broken(f"its JSON Schema cannot be made: {described(error)}") from None
        for name, field in config.model_fields.items():
            for value in _ODD_VALUES:
                given = {**self.config, field.alias or name: value}
                try:
                    config.model_validate(given)
                except (ValidationError, SettingsError):
                    continue
                except Exception as error:
                    what = f"`{name}: {shown(value)}`"
                    raise Broken(f"{what} raised {described(error)}") from None

    # As it runs

    @claim("A server starts with the plugin", "it is of no use otherwise")
    async def test_the_server_starts(self, plugin: object) -> None:
        trial = await self._trial(plugin)
        holds(trial.boot is None, f"it did not: {trial.boot}")

    @claim(
        "Hooks return what the specification says",
        "the server takes anything else for a failure of the plugin",
    )
    async def test_hooks_return_the_right_types(self, plugin: object) -> None:
        _none((await self._started(plugin)).types)

    @claim(
        "Hooks raise only errors of `chatkit_server`, and others that tell the user something",
        "a user reads only “Something went wrong on the server” otherwise",
    )
    async def test_hooks_raise_nothing_unexpected(self, plugin: object) -> None:
        _none((await self._started(plugin)).errors)

    @claim(
        "Hooks keep their time limits",
        "users wait for each of them, and the server ends one that takes longer",
    )
    async def test_hooks_keep_their_time_limits(self, plugin: object) -> None:
        _none((await self._started(plugin)).slow)

    @claim(
        "Nothing blocks the event loop: what does runs in `asyncio.to_thread`",
        "it stops the answers of all users for that long",
    )
    async def test_nothing_blocks(self, plugin: object) -> None:
        _none((await self._started(plugin)).blocking)

    @claim(
        "Odd credentials, or none, are refused or passed on to the next plugin",
        "strangers send them all day, and each failure is a page of log",
    )
    async def test_odd_credentials_do_no_harm(self, plugin: object) -> None:
        _none((await self._started(plugin)).auth)

    @claim("What `use` does works", "users will do the same")
    async def test_it_can_be_used(self, plugin: object) -> None:
        trial = await self._started(plugin)
        holds(trial.use is None, f"{trial.use}")

    @claim(
        "An answer ends, and at once when the user stops it",
        "Stop is a cancellation, and what goes on then holds up the conversation",
    )
    async def test_answers_can_be_stopped(self, plugin: object) -> None:
        _none((await self._started(plugin)).unstopped)

    @claim(
        "What one user says does not reach another one",
        "one plugin object serves all users at the same time",
    )
    async def test_users_are_kept_apart(self, plugin: object) -> None:
        _none((await self._started(plugin)).users)

    @claim(
        "When the server has stopped, nothing of the plugin goes on",
        "what `setup` starts has to end in `app.cleanup_ctx`, or restarts pile up",
    )
    async def test_nothing_is_left_when_the_server_stops(self, plugin: object) -> None:
        _none((await self._trial(plugin)).leftovers)

    def _made(self, plugin: object) -> tuple[str, object]:
        try:
            return named_plugin(plugin, self.config)
        except SettingsError as error:
            raise Broken(f"it cannot be created: {error}") from None

    async def _trial(self, plugin: object) -> Trial:
        trials = _TRIALS.setdefault(type(self), {})
        parameters = os.environ.get("PYTEST_CURRENT_TEST", "").partition("[")[2]
        known = trials.get(parameters)
        if known is None:
            name, made = self._made(plugin)
            plan = Plan(
                name,
                made,
                self.config if isinstance(plugin, str) else None,
                self.sections,
                time_limit=self.time_limit,
                blocking=self.blocking,
                patience=2 * self.time_limit + 5,
                use=self.use,
            )
            known = trials[parameters] = await run_trial(plan)
        return known

    async def _started(self, plugin: object) -> Trial:
        trial = await self._trial(plugin)
        if trial.boot is not None:
            pytest.skip("the server does not start: see test_the_server_starts")
        return trial


def _hook_problems(plugin: object) -> list[str]:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        check_plugin(manager, "it", plugin)
    except SettingsError as error:
        return [line.removeprefix("plugin it: ") for line in str(error).splitlines()]
    return []


def _none(lines: Sequence[str]) -> None:
    """Go on if there is nothing wrong."""
    if lines:
        raise Broken("; ".join(lines))
