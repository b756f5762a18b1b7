"""A command that a plugin adds to `chatkit-server`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


def _none(_: ArgumentParser) -> None:
    """Add no arguments."""


@dataclass(frozen=True)
class Command:
    """A command: its name, what it does in a line, and the coroutine function that does it.

    `arguments` adds its own to the parser, beside `--settings`. `run` gets what was parsed, prints
    to standard output, and returns the exit status; None is 0. Raise `SettingsError` to end it with
    a message.
    """

    name: str
    help: str
    run: Callable[[Namespace], Awaitable[int | None]]
    arguments: Callable[[ArgumentParser], None] = _none
