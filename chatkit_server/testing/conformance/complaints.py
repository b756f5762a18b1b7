"""What Python and the server complain of while a plugin is tried."""

from __future__ import annotations

import gc
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = ("chatkit_server", "asyncio")


class Complaints(logging.Handler):
    """Collects errors in the log that name a plugin, or that nobody has caught, as `lines`."""

    def __init__(self, plugin: str) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []
        self._plugin = f"plugin {plugin}"

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage().strip().partition("\n")[0]
        if record.name == "asyncio" or self._plugin in text:
            error = record.exc_info[1] if record.exc_info else None
            self._add(f"the log says “{text}”" + (f": {error!r}" if error is not None else ""))

    def _add(self, line: str) -> None:
        if line not in self.lines:
            self.lines.append(line)

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Collect within the block; other warnings than those of lost coroutines are given on."""
        loggers = [logging.getLogger(name) for name in _LOGGERS]
        for each in loggers:
            each.addHandler(self)
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                yield
                # A coroutine in a cycle warns when it is found
                gc.collect(0)
        finally:
            for each in loggers:
                each.removeHandler(self)
        for warning in caught:
            if "was never awaited" in str(warning.message):
                self._add(f"{warning.message}: write `await` before the call")
            else:
                warnings.warn_explicit(
                    warning.message, warning.category, warning.filename, warning.lineno
                )
