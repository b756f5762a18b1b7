"""Name the plugin in the errors of what its `setup` added to the application."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from typing import Any

from aiohttp.web import AbstractRoute, Application

from ..errors import SettingsError
from ..settings.problems import Problems
from .calls import Hooks
from .mistakes import mistakes_named
from .routes import hidden_routes

log = logging.getLogger(__name__)

SLOW_START = 10.0
"""Seconds after which the log says what the start waits for."""

SLOW_END = 5.0
"""Seconds after which the end waits no longer for what a plugin added, and says so."""

Context = Callable[[Application], Any]

Surroundings = Callable[[], AbstractContextManager[None]]
"""What a plugin's code runs in when the application starts and stops."""


def set_up(hooks: Hooks, app: Application, here: Surroundings = nullcontext) -> None:
    """Call the `setup` hooks; what they add to `app` names its plugin when it fails.

    What they add is called within `here()`.

    Raises `SettingsError` with a line for each plugin that failed.
    """
    problems = Problems()
    owners: dict[AbstractRoute, str] = {}
    for plugin, call in hooks.checked_calls("setup", app=app):
        before = set(app.router.routes())
        with problems.collect(), _additions_named(app, plugin, here):
            lifetime = call()
            if lifetime is not None:
                app.cleanup_ctx.append(_setup(lifetime))
        owners |= {route: plugin for route in app.router.routes() if route not in before}
    problems.lines += hidden_routes(app, owners)
    problems.raise_any()


def crashes(hooks: Hooks, app: Application) -> list[str]:
    """Call the `setup` hooks of an application that will not run; return how some crashed.

    What a plugin says of its own may be for want of another one, and is left out.
    """
    lines: list[str] = []
    for _, call in hooks.checked_calls("setup", app=app):
        try:
            call()
        except SettingsError as error:
            if error.__cause__ is not None:
                lines += str(error).splitlines()
    return lines


@contextmanager
def _additions_named(app: Application, plugin: str, here: Surroundings) -> Iterator[None]:
    """Wrap what the block adds to the lists of what runs when `app` starts and stops."""
    lists: tuple[tuple[Any, Callable[[str, Any, Surroundings], Any]], ...] = (
        (app.cleanup_ctx, _named_context),
        (app.on_startup, _named_handler),
        (app.on_shutdown, _named_ending),
        (app.on_cleanup, _named_ending),
    )
    known = {id(entry) for entries, _ in lists for entry in entries}
    yield
    for entries, wrap in lists:
        for i, entry in enumerate(entries):
            if id(entry) not in known:
                entries[i] = wrap(plugin, entry, here)


def _setup(lifetime: AsyncIterator[None]) -> Context:
    """Return what a `setup` with a `yield` adds to `cleanup_ctx`."""

    def setup(_: Application) -> AsyncIterator[None]:
        return lifetime

    return setup


def _named_handler(
    plugin: str, handler: Callable[[Application], Awaitable[None]], here: Surroundings
) -> Context:
    async def named(app: Application) -> None:
        with mistakes_named(plugin, _name(handler)), _told_if_slow(plugin, handler), here():
            await handler(app)

    return named


def _named_ending(
    plugin: str, handler: Callable[[Application], Awaitable[None]], here: Surroundings
) -> Context:
    async def named(app: Application) -> None:
        async with _ended(plugin, handler):
            with here():
                await handler(app)

    return named


def _named_context(plugin: str, context: Context, here: Surroundings) -> Context:
    @asynccontextmanager
    async def named(app: Application) -> AsyncIterator[None]:
        with mistakes_named(plugin, _name(context)), _told_if_slow(plugin, context), here():
            entered = _context_manager(context, app)
            await _enter(entered)
        yield
        async with _ended(plugin, context):
            with here():
                await entered.__aexit__(None, None, None)

    return named


@asynccontextmanager
async def _ended(plugin: str, added: object) -> AsyncIterator[None]:
    """Log an error of the block, and end it when it takes too long: others have to end as well."""
    try:
        async with asyncio.timeout(SLOW_END) as limit:
            yield
    except Exception as error:
        if isinstance(error, TimeoutError) and limit.expired():
            log.error("plugin %s: %s did not end within %g s", plugin, _name(added), SLOW_END)
        else:
            log.exception("plugin %s: %s failed when the server stopped", plugin, _name(added))


def _context_manager(context: Context, app: Application) -> AbstractAsyncContextManager[Any]:
    made = context(app)
    if inspect.isasyncgen(made):
        return asynccontextmanager(lambda: made)()
    if isinstance(made, AbstractAsyncContextManager):
        return made
    if inspect.iscoroutine(made):
        made.close()
    raise SettingsError(f"{_name(context)}: must be an `async def` with one `yield`")


async def _enter(context: AbstractAsyncContextManager[Any]) -> None:
    try:
        await context.__aenter__()
    except RuntimeError as error:
        if str(error) != "generator didn't yield":
            raise
        raise ValueError("it returned before its `yield`") from None


@contextmanager
def _told_if_slow(plugin: str, added: object) -> Iterator[None]:
    """Say what the start waits for, again and again."""

    async def tell() -> None:
        waited = 0.0
        while True:
            await asyncio.sleep(SLOW_START)
            waited += SLOW_START
            log.warning(
                "the start waits for plugin %s: %s, for %g s now", plugin, _name(added), waited
            )

    teller = asyncio.get_running_loop().create_task(tell())
    try:
        yield
    finally:
        teller.cancel()


def _name(added: object) -> str:
    name = getattr(added, "__qualname__", None) or type(added).__name__
    return f"`{name.rpartition('<locals>.')[2]}`"
