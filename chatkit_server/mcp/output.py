"""What a child process writes to its standard error: in the log, as far as it is not too much."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Awaitable, Callable

import anyio

from .limits import Allowance, Reporter
from .lines import Lines, Overlong

_LINE = 1000
_LAST_LINES = 20
_LAST = 10.0
"""Seconds before the end of a process in which it may have written why it ended."""
_PAUSE = 0.5
"""Seconds without output after which a line that has not ended is logged."""
_BURST, _RATE = 100, 5
_COUNT_EVERY = 10.0
_REST = 0.05
"""Seconds between two looks at what comes too fast: each look costs about the same."""
_TAIL = 4_000
"""How many bytes of it are looked at, the last ones of a piece. Lines of the others are counted."""

_REFUSED_PROBE = re.compile(r"Failed to validate request|validation errors? for ClientRequest")
_DETAIL = re.compile(r"\s|[\w.]+$|.*errors\.pydantic\.dev")
"""Lines after that: pydantic's list of what is wrong with the request."""


class Output:
    """Passes on the lines of a stream: 100 at once, then 5 per second, and counts the others."""

    def __init__(self, chunk: Callable[[], Awaitable[bytes]], reporter: Reporter) -> None:
        self._chunk = chunk
        self._reporter = reporter
        self._lines = Lines(_LINE)
        self._allowance = Allowance(_BURST, _RATE)
        self._last = deque[tuple[float, str]](maxlen=_LAST_LINES)
        self._left_out = 0
        self._counted = -_COUNT_EVERY
        self._probes = 0
        self._skips = False
        self.ended = anyio.Event()

    def last(self) -> list[str]:
        """Return the last lines, unless they are old."""
        since = time.monotonic() - _LAST
        return [line for at, line in self._last if at >= since]

    def probed(self) -> None:
        """Note a request that a server may not know, and refuse with many lines."""
        self._probes += 1

    async def read(self) -> None:
        """Read the stream to its end."""
        chunk: bytes | None = None
        while chunk != b"":
            chunk = None
            with anyio.move_on_after(_PAUSE if self._lines.pending else None):
                chunk = await self._chunk()
            # A question or a last word may have no end of line
            left_out = self._take(chunk or (b"\n" if self._lines.pending else b""))
            if left_out and chunk:
                await anyio.sleep(_REST)
        self._tell_left_out()
        self.ended.set()

    def _take(self, chunk: bytes) -> bool:
        """Log what is in a piece; return whether lines of it are left out."""
        before = self._left_out
        if before and len(chunk) > _TAIL:
            begin = chunk.find(b"\n", -_TAIL) + 1
            self._left_out += chunk.count(b"\n", 0, begin)
            self._lines.clear()
            chunk = chunk[begin:]
        for line in self._lines.feed(chunk):
            cut = line.begin if isinstance(line, Overlong) else line
            text = cut.decode(errors="replace").rstrip()
            if text:
                self._log(text if cut is line else f"{text}…")
        return self._left_out > before

    def _log(self, text: str) -> None:
        if self._is_refused_probe(text):
            self._reporter.output(text, is_known=True)
            return
        self._last.append((time.monotonic(), text))
        if not self._allowance.take():
            self._left_out += 1
            return
        if time.monotonic() - self._counted >= _COUNT_EVERY:
            self._tell_left_out()
        self._reporter.output(text)

    def _is_refused_probe(self, text: str) -> bool:
        if self._probes and _REFUSED_PROBE.search(text):
            self._probes -= 1
            self._skips = True
        else:
            self._skips = self._skips and _DETAIL.match(text) is not None
        return self._skips

    def _tell_left_out(self) -> None:
        if self._left_out:
            self._reporter.output(f"({self._left_out} lines are left out: it writes too many)")
            self._left_out = 0
            self._counted = time.monotonic()
