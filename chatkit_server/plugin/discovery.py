"""Find, validate, order and call plugins."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any
from zlib import crc32

import pluggy
from pydantic import BaseModel

from ..errors import ServerError, SettingsError, Unavailable
from ..settings.schema import HookSettings, Settings, nearest, validate
from ..tasks import resumed
from . import hookspecs

ENTRY_POINTS = "chatkit_server"
_FOLDER_PACKAGE = "chatkit_plugin_file"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """A plugin that could be enabled: its name, where it is, and how to import it."""

    name: str
    file: Path | None
    module: str
    folder: bool = False

    def load(self) -> ModuleType:
        """Import the plugin's module, once per process."""
        if not self.folder:
            return importlib.import_module(self.module)
        if self.module in sys.modules:
            return sys.modules[self.module]
        assert self.file is not None
        search = [str(self.file.parent)] if self.file.name == "__init__.py" else None
        spec = importlib.util.spec_from_file_location(
            self.module, self.file, submodule_search_locations=search
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[self.module] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[self.module]
            raise
        return module


def discover(directories: list[Path]) -> dict[str, Found]:
    """Return the plugins that can be enabled, by name.

    They come from the entry-point group `chatkit_server` and from `directories`. A file in a
    directory that is also an installed plugin is that plugin; another file of the same name takes
    the installed one's place, and one in a later directory that of an earlier one.
    """
    found = {
        entry.name: Found(entry.name, None, entry.module)
        for entry in entry_points(group=ENTRY_POINTS)
    }
    for directory in directories:
        if not directory.is_dir():
            raise SettingsError(f"plugin_dirs: {directory} is not a folder")
        for name, file in _plugins_in(directory):
            other = found.get(name)
            if other and not other.folder and _file_of(other.module) == file.resolve():
                continue
            identity = f"{_FOLDER_PACKAGE}_{crc32(str(file.resolve()).encode()):08x}_{name}"
            found[name] = Found(name, file, identity, folder=True)
    return found


def _file_of(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except Exception:  # this imports the package around the module, which may fail in any way
        return None
    return Path(spec.origin).resolve() if spec and spec.origin else None


def _plugins_in(directory: Path) -> Iterator[tuple[str, Path]]:
    for entry in sorted(directory.iterdir()):
        if entry.name.startswith(("_", ".")):
            continue
        if entry.suffix == ".py":
            yield entry.stem, entry
        elif (entry / "__init__.py").is_file():
            yield entry.name, entry / "__init__.py"


def load_plugins(settings: Settings) -> Hooks:
    """Make the plugins that the settings name, in their order, and return their hooks.

    Raises `SettingsError` for an unknown plugin, one that cannot be imported or made, a section
    that does not fit the plugin's `Config`, or a hook implementation that cannot work.
    """
    found = discover(settings.plugin_dirs)
    plugins: list[tuple[str, object]] = []
    for name, section in settings.plugins.items():
        where = settings.source.where(("plugins", name))
        module = _import(name, found, where)
        plugins.append((name, _make(name, module, section, settings)))
    return Hooks.of(plugins, settings.hooks)


def _import(name: str, found: Mapping[str, Found], where: str) -> ModuleType:
    plugin = found.get(name)
    if plugin is None:
        if "." not in name:
            known = ", ".join(sorted(found))
            raise SettingsError(f"{where}: unknown plugin.{nearest(name, found)} Known: {known}")
        plugin = Found(name, None, name)
    try:
        return plugin.load()
    except Exception as error:
        log.debug("plugin %s cannot be imported", name, exc_info=True)
        place = _place(error) or plugin.file or plugin.module
        raise SettingsError(
            f"{where}: the plugin cannot be imported: {place}: {type(error).__name__}: {error}"
        ) from error


def _place(error: Exception) -> str | None:
    """Return `file:line` in the plugin's own file, None if none of its lines was reached."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}"
    ours = {__file__, importlib.__file__}
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename not in ours and not frame.filename.startswith("<"):
            return f"{frame.filename}:{frame.lineno}"
    return None


def _make(
    name: str, module: ModuleType, section: Mapping[str, Any] | None, settings: Settings
) -> object:
    config_model = getattr(module, "Config", None)
    plugin_class = getattr(module, "Plugin", None)
    where = settings.source.where(("plugins", name))
    if plugin_class is not None:
        _refuse_functions_beside(plugin_class, module, where)
    if config_model is None:
        if section:
            raise SettingsError(f"{where}: this plugin has no settings; leave its section empty")
        return module if plugin_class is None else _made(where, plugin_class)
    if plugin_class is None:
        raise SettingsError(f"{where}: a plugin with a `Config` needs a class `Plugin` to take it")
    if not (isinstance(config_model, type) and issubclass(config_model, BaseModel)):
        raise SettingsError(f"{where}: the plugin's `Config` must be a pydantic.BaseModel")
    config = validate(config_model, section or {}, settings.source, ("plugins", name))
    return _made(where, plugin_class, config)


def _made(where: str, plugin_class: Callable[..., object], *arguments: object) -> object:
    try:
        return plugin_class(*arguments)
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from None
    except Exception as error:
        log.debug("%s: the plugin cannot be made", where, exc_info=True)
        raise SettingsError(f"{where}: the plugin cannot be made: {error!r}") from error


def _refuse_functions_beside(plugin_class: type, module: ModuleType, where: str) -> None:
    for name, value in vars(module).items():
        if hasattr(value, f"{hookspecs.PROJECT}_impl"):
            raise SettingsError(
                f"{where}: the function `{name}` stands outside of the class "
                f"`{plugin_class.__name__}`, where it would not be called; move it inside"
            )


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
                raise SettingsError(f"plugin {name}: {_last_line(error)}") from None
            except ValueError:
                raise SettingsError(
                    f"plugin {name}: enabled already, as `{manager.get_name(plugin)}`; keep one"
                ) from None
        for name, plugin in plugins:
            _refuse_unknown_hooks(manager, name, plugin)
        hooks = cls(manager, settings)
        hooks._refuse_what_cannot_work()
        return hooks

    def _refuse_what_cannot_work(self) -> None:
        for name, spec in _specs():
            for implementation in getattr(self._manager.hook, name).get_hookimpls():
                where = f"plugin {implementation.plugin_name}: {name}"
                if implementation.hookwrapper or implementation.wrapper:
                    raise SettingsError(f"{where}: hook wrappers are not supported")
                wants_async = inspect.iscoroutinefunction(spec)
                if inspect.iscoroutinefunction(implementation.function) != wants_async:
                    needed = "async def" if wants_async else "def"
                    raise SettingsError(f"{where}: must be a plain `{needed}`, without `yield`")
                _refuse_arguments_never_given(implementation, where)

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

    async def each(self, hook: str, **arguments: Any) -> None:
        """Await all implementations in order; the first error ends it."""
        for name, call in self.calls(hook, **arguments):
            with _named(name, hook):
                await self._in_time(name, hook, call)

    async def each_alone(self, hook: str, **arguments: Any) -> None:
        """Await all implementations in order; errors are logged, all but a cancellation."""
        for name, call in self.calls(hook, **arguments):
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


def _specs() -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, spec in vars(hookspecs).items():
        if hasattr(spec, f"{hookspecs.PROJECT}_spec"):
            yield name, spec


def _last_line(error: pluggy.PluginValidationError) -> str:
    """Leave out what pluggy says of the plugin, which is named already."""
    return " ".join(str(error).partition("\n")[2].split()) or str(error)


def _refuse_unknown_hooks(manager: pluggy.PluginManager, name: str, plugin: object) -> None:
    """Refuse marked functions that are no hooks, and warn of hooks that are not marked."""
    known = dict(_specs())
    marked = set()
    for attribute in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, attribute)
        if options is None:
            continue
        marked.add(attribute)
        hook = options.get("specname") or attribute
        if hook not in known and not options.get("optionalhook"):
            raise SettingsError(f"plugin {name}: `{hook}` is not a hook.{nearest(hook, known)}")
    for hook in known:
        function = getattr(plugin, hook, None)
        if hook not in marked and inspect.isroutine(function):
            log.warning("plugin %s: `%s` is not called: it is not marked @hookimpl", name, hook)
    if not marked:
        log.warning("plugin %s implements no hook: mark its functions @hookimpl", name)


def _refuse_arguments_never_given(implementation: pluggy.HookImpl, where: str) -> None:
    """Refuse what pluggy lets pass: keyword-only and positional-only arguments."""
    signature = inspect.signature(implementation.function)
    try:
        signature.bind(**dict.fromkeys(implementation.argnames))
    except TypeError as error:
        raise SettingsError(f"{where}: write its arguments as in the spec: {error}") from None


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
