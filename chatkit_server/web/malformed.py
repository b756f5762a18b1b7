"""Requests that are not valid HTTP: one line in the log instead of aiohttp's traceback."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, InvalidURLError

from .keys import REFUSALS
from .refusals import RefusalLog, printable

_AIOHTTP = logging.getLogger("aiohttp.server")


async def log_malformed(app: web.Application) -> AsyncIterator[None]:
    """Log malformed requests as refusals while the application runs."""
    lines = _OneLine(app[REFUSALS])
    _AIOHTTP.addFilter(lines)
    yield
    _AIOHTTP.removeFilter(lines)


class _OneLine(logging.Filter):
    """Replaces records of errors that the client made. Errors of the server pass."""

    def __init__(self, refusals: RefusalLog) -> None:
        super().__init__()
        self._refusals = refusals

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, web.RequestPayloadError):
            # aiohttp reads the rest of a body after the response, which had its own line
            return False
        if record.levelno < logging.ERROR or not isinstance(error, HttpProcessingError):
            return True
        reason = _problem(error)
        client = printable(str(record.args[0])) if isinstance(record.args, tuple) else "unknown"
        line = f"refused malformed HTTP from {client}: 400 {reason}"
        self._refusals.write("malformed HTTP: 400", logging.INFO, reason, line)
        return False


def _problem(error: HttpProcessingError) -> str:
    """Return aiohttp's words for the problem, without the client's bytes that follow them."""
    if isinstance(error, InvalidURLError):
        return "Invalid URL"
    return printable(error.message.partition(":")[0].strip())
