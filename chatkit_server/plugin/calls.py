"""Call the hooks of all plugins, in the order of the settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterator
from functools import partial
from typing import Any

import pluggy

from ..errors import SettingsError
from ..languages import own_languages
from ..settings.hooks import HookSettings
from ..settings.problems import Problems
from . import hookspecs
from .answers import wrong_answer
from .breaker import Breaker
from .call import LOGGED_ALREADY, CallCheck, HookCall
from .checks import check_plugin
from .mistakes import mistakes_named
from .statistics import HookFigures, Slot, Statistics
from .terms import Terms, check_terms, terms_of

Hook = Callable[..., Any]


class Hooks:
    """The hooks of one application's plugins, called in the order of the settings.

    `languages` has the words of these plugins, and of the server, in other languages. `statistics`
    counts the calls.
    """

    def __init__(self, manager: pluggy.PluginManager, settings: HookSettings) -> None:
        self._manager = manager
        self._settings = settings
        self.languages = own_languages()
        self.statistics = Statistics()

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
            with problems.collect():
                check_terms(name, plugin)
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

    def functions(self, hook: str) -> list[tuple[str, Callable[..., Any]]]:
        """The functions that implement the hook, each after its plugin's name, in order."""
        found = reversed(getattr(self._manager.hook, hook).get_hookimpls())
        return [(each.plugin_name, each.function) for each in found]

    def implemented_by(self, plugin: str) -> list[str]:
        """The hooks that the plugin of this name implements."""
        callers = self._manager.get_hookcallers(self._manager.get_plugin(plugin)) or ()
        return sorted(caller.name for caller in callers)

    def wrap(self, plugin: str, wrapper: Callable[[str, Hook], Hook]) -> None:
        """Call what `wrapper(hook, function)` returns in place of the plugin's own functions.

        It gets the arguments of the function, by name, and has to return what that would.
        """
        owner = self._manager.get_plugin(plugin)
        for caller in self._manager.get_hookcallers(owner) or ():
            for each in caller.get_hookimpls():
                if each.plugin is owner:
                    # Pluggy declares it final
                    object.__setattr__(each, "function", wrapper(caller.name, each.function))

    def terms(self, plugin: str, hook: str) -> Terms:
        """What a call of the hook may cost the others."""
        return self._slot(plugin, hook).terms

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

    async def first(self, hook: str, *, check: CallCheck | None = None, **arguments: Any) -> Any:
        """Await implementations in order until one answers, and return that; None if none does.

        After each call, `check` returns what the plugin has done wrong, None if nothing.
        """
        answered = await self.first_call(hook, check=check, **arguments)
        return None if answered is None else answered[1]

    async def first_call(
        self, hook: str, *, check: CallCheck | None = None, **arguments: Any
    ) -> tuple[HookCall, Any] | None:
        """Do as `first` does, and return the call with its answer."""
        for call in self.hook_calls(hook, **arguments):
            answer = await call.answer(check)
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
        check: CallCheck | None = None,
        **arguments: Any,
    ) -> None:
        """Await all implementations in order; the first error ends it.

        The names of the plugins are added to `called`, each before its call. After each call,
        `check` returns what the plugin has done wrong, None if nothing.
        """
        for call in self.hook_calls(hook, **arguments):
            if called is not None:
                called.append(call.plugin)
            await call.answer(check)

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
            yield HookCall(name, hook, call, self._slot(name, hook), turn)

    def _slot(self, plugin: str, hook: str) -> Slot:
        found = self.statistics.slots.get((plugin, hook))
        if found is None:
            owner = self._manager.get_plugin(plugin)
            terms = terms_of(self._settings, plugin, hook, owner)
            settings = self._settings.breaker if terms.breakable else None
            breaker = None if settings is None else Breaker(f"plugin {plugin}: {hook}", settings)
            found = Slot(owner, terms, HookFigures(breaker))
            self.statistics.slots[plugin, hook] = found
        return found


def _checked(hook: str, answer: Any) -> Any:
    if wrong := wrong_answer(hook, answer):
        raise SettingsError(f"{hook}: {wrong}")
    return answer
