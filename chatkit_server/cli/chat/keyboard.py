"""What the user types: lines with a history, and answers to questions."""

from __future__ import annotations

import contextlib
import getpass
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

HISTORY = 1000
"""Lines that are remembered."""

MORE = "...> "

ENDS = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end the command: a closed terminal, or somebody who stops it."""


class Left(Exception):
    """The user has pressed Ctrl-C or Ctrl-D instead of an answer."""


class Keyboard(Protocol):
    """Asks the user for lines."""

    async def read(self, prompt: str, *, secret: bool = False, remembered: bool = False) -> str:
        """Return a line without its end. Raises `Left`."""
        ...


async def read_message(keyboard: Keyboard, prompt: str, *, remembered: bool = True) -> str:
    """Return what may have several lines: each that ends in a backslash has another one."""
    text = await keyboard.read(prompt, remembered=remembered)
    while text.endswith("\\"):
        text = f"{text[:-1]}\n{await keyboard.read(MORE, remembered=remembered)}"
    return text


class Terminal:
    """The terminal, with line editing and a history where Python has `readline`.

    Reading blocks the event loop: nothing runs while the user types.
    """

    def __init__(self, history: Path | None, *, colour: bool) -> None:
        self._history = history
        self._colour = colour
        self._readline = _readline()
        if self._readline is not None and history is not None:
            with contextlib.suppress(OSError):
                self._readline.read_history_file(history)

    async def read(self, prompt: str, *, secret: bool = False, remembered: bool = False) -> str:
        text = self._typed(prompt, secret)
        if remembered and text.strip() and self._readline is not None:
            self._readline.add_history(text)
        return text

    def _typed(self, prompt: str, secret: bool) -> str:
        with _interrupted_by_signals():
            try:
                return getpass.getpass(prompt) if secret else input(self._styled(prompt))
            except (EOFError, KeyboardInterrupt):
                print()
                raise Left from None

    def save(self) -> None:
        """Keep the history for the next time, readable by its owner only."""
        if self._readline is None or self._history is None:
            return
        with contextlib.suppress(OSError):
            self._history.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._history, os.O_WRONLY | os.O_CREAT, 0o600))
            self._readline.set_history_length(HISTORY)
            self._readline.write_history_file(self._history)

    def _styled(self, prompt: str) -> str:
        if not self._colour:
            return prompt
        if self._readline is None:
            return f"\033[1m{prompt}\033[0m"
        # It must know which characters take no place
        return f"\001\033[1m\002{prompt}\001\033[0m\002"


def history_file() -> Path:
    """Return where the lines are kept that the user has typed."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "chatkit-server" / "chat_history"


def _readline() -> Any:
    try:
        import readline
    except ImportError:
        return None
    if not sys.stdin.isatty():
        return None
    # What is pasted comes as one message, and answers to questions are not for the history
    pasted = "off" if os.environ.get("TERM") == "dumb" else "on"
    readline.parse_and_bind(f"set enable-bracketed-paste {pasted}")
    readline.set_auto_history(False)
    return readline


@contextlib.contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    signals = (signal.SIGINT, *ENDS)
    before = {number: signal.signal(number, signal.default_int_handler) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
