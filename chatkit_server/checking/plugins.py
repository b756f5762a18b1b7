"""What plugins find wrong with their part: the hook `check`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from ..errors import SettingsError
from ..finding import Finding
from ..plugin.answers import wrong_answer
from ..plugin.calls import Hooks
from ..plugin.mistakes import mistakes_named
from .probes import Question, Tell

_HOOK = "check"


def questions_of_plugins(hooks: Hooks, online: bool) -> Iterator[Question]:
    """Yield a question for each plugin with the hook."""
    for plugin, call in hooks.calls(_HOOK, online=online):
        yield Question(f"plugin {plugin}", partial(_ask, plugin, call))


async def _ask(plugin: str, call: Callable[[], Awaitable[Any]], tell: Tell) -> None:
    with mistakes_named(plugin, _HOOK):
        told = await call()
        if wrong := wrong_answer(_HOOK, told):
            raise SettingsError(f"{_HOOK}: {wrong}")
    for line in told or ():
        finding = line if isinstance(line, Finding) else Finding(line)
        tell(replace(finding, where=finding.where or plugin))
