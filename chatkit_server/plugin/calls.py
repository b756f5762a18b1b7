"""Call the hooks of all plugins, in order and in time."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pluggy

from ..errors import ServerError, SettingsError, Unavailable
from ..settings.schema import HookSettings
from ..tasks import resumed
from . import hookspecs
from .checks import last_line, refuse_arguments_never_given, refuse_unknown_hooks, specs

log = logging.getLogger(__name__)


class Hooks:
    """The hooks of one application's plugins, called in the order of the settings."""

    def __init__(self, manager: pluggy.PluginManager, settings: HookSettings) -> None:
        self._manager = manager
        self._settings = settings

    @classmethod
    def of(
        cls,
        plugins: list[tuple[str, object]],
        settings: HookSettings = HookSettings(),  # noqa: B008
    ) -> Hooks:
        """Register plugins, given by name in the order in which they are to be called."""
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        # pluggy calls the last registered first
        for name, plugin in reversed(plugins):
            try:
                manager.register(plugin, name)
            except pluggy.PluginValidationError as error:
                raise SettingsError(f"plugin {name}: {last_line(error)}") from None
            except ValueError:
                raise SettingsError(
                    f"plugin {name}: enabled already, as `{manager.get_name(plugin)}`; keep one"
                ) from None
        for name, plugin in plugins:
            refuse_unknown_hooks(manager, name, plugin)
        hooks = cls(manager, settings)
        hooks._refuse_what_cannot_work()
        return hooks

    def _refuse_what_cannot_work(self) -> None:
        for name, spec in specs():
            for implementation in getattr(self._manager.hook, name).get_hookimpls():
                where = f"plugin {implementation.plugin_name}: {name}"
                if implementation.hookwrapper or implementation.wrapper:
                    raise SettingsError(f"{where}: hook wrappers are not supported")
                wants_async = inspect.iscoroutinefunction(spec)
                if inspect.iscoroutinefunction(implementation.function) != wants_async:
                    needed = "async def" if wants_async else "def"
                    raise SettingsError(f"{where}: must be a plain `{needed}`, without `yield`")
                refuse_arguments_never_given(implementation, where)

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

    def calls(self, hook: str, **arguments: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
        """Yield `(plugin name, call)` for each implementation, in order."""
        for implementation in reversed(getattr(self._manager.hook, hook).get_hookimpls()):
            taken = {name: arguments[name] for name in implementation.argnames}
            taken |= {n: arguments[n] for n in implementation.kwargnames if n in arguments}
            yield implementation.plugin_name, partial(implementation.function, **taken)

    def boot(self, hook: str, **arguments: Any) -> Iterator[tuple[str, Any]]:
        """Call a boot hook; yield `(plugin name, answer)` for each answer that is not None.

        Raises `SettingsError` that names the plugin.
        """
        for name, call in self.calls(hook, **arguments):
            try:
                answer = call()
            except SettingsError as error:
                raise SettingsError(f"plugin {name}: {error}") from None
            except Exception as error:
                log.debug("plugin %s failed in %s", name, hook, exc_info=True)
                raise SettingsError(f"plugin {name}: {hook}: {error!r}") from error
            if answer is not None:
                yield name, answer

    async def first(self, hook: str, **arguments: Any) -> Any:
        """Await implementations in order until one answers, and return that; None if none does."""
        for name, call in self.calls(hook, **arguments):
            with _named(name, hook):
                answer = await self._in_time(name, hook, call)
            if answer is not None:
                return answer
        return None

    async def each(self, hook: str, *, called: list[str] | None = None, **arguments: Any) -> None:
        """Await all implementations in order; the first error ends it.

        The names of the plugins that were called are added to `called`, as they are.
        """
        for name, call in self.calls(hook, **arguments):
            if called is not None:
                called.append(name)
            with _named(name, hook):
                await self._in_time(name, hook, call)

    async def each_alone(
        self, hook: str, *, only: Collection[str] | None = None, **arguments: Any
    ) -> None:
        """Await all implementations in order; errors are logged, all but a cancellation.

        `only` limits it to the plugins of these names.
        """
        for name, call in self.calls(hook, **arguments):
            if only is not None and name not in only:
                continue
            try:
                await self._in_time(name, hook, call)
            except Exception:
                log.exception("plugin %s failed in %s", name, hook)

    async def _in_time(self, plugin: str, hook: str, call: Callable[[], Any]) -> Any:
        """Await a hook within its plugin's time limit.

        Raises `Unavailable` when it takes longer.
        """
        limit = self._settings.timeouts.get(plugin, self._settings.timeout)
        hook_call = call()
        try:
            # Most have nothing to wait for, and need no clock
            waits_for = hook_call.send(None)
        except StopIteration as stop:
            return stop.value
        try:
            async with asyncio.timeout(limit) as clock:
                return await resumed(hook_call, waits_for)
        except TimeoutError:
            if not clock.expired():
                raise
        log.error(
            "plugin %s: %s took longer than %g seconds. See hooks.timeouts in the settings",
            plugin,
            hook,
            limit,
        )
        raise Unavailable("A part of the server did not answer in time. Try again in a moment.")


@contextmanager
def _named(plugin: str, hook: str) -> Iterator[None]:
    """Log which plugin failed, where the error says nothing a user should read."""
    try:
        yield
    except ServerError:
        raise
    except Exception:
        log.exception("plugin %s failed in %s", plugin, hook)
        raise
