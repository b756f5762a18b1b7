"""Malformed requests: their errors, and one line in the log instead of a traceback.

aiohttp writes a traceback for a request that is not valid HTTP.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, InvalidURLError, LineTooLong

from ..lines import short
from .keys import REFUSALS
from .refusals import RefusalLog

_AIOHTTP = logging.getLogger("aiohttp.server")


class BodyTimeout(web.RequestPayloadError):
    """The body of a request did not arrive in time."""


class SmallChunks(web.RequestPayloadError):
    """The body of a request comes in chunks of a few bytes each."""


async def log_malformed(app: web.Application) -> AsyncIterator[None]:
    """Log these as refusals while the application runs."""
    malformed = _OneLine(app[REFUSALS])
    _AIOHTTP.addFilter(malformed)
    yield
    _AIOHTTP.removeFilter(malformed)


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
        status = _status(error)
        client = short(str(record.args[0])) if isinstance(record.args, tuple) else "unknown"
        line = f"refused malformed HTTP from {client}: {status} {reason}"
        self._refusals.write(f"malformed HTTP: {status}", logging.INFO, reason, line)
        return False


def answer_to(error: BaseException | None) -> tuple[int, str] | None:
    """Return the status and the message for malformed HTTP, None for an error of the server."""
    if not isinstance(error, HttpProcessingError):
        return None
    status = _status(error)
    if status == 431:
        return status, "The request has too many headers, or a line of them is too long."
    return status, f"The request is not valid HTTP: {_problem(error)}."


def _status(error: HttpProcessingError) -> int:
    many = error.message.startswith("Too many headers")
    return 431 if many or isinstance(error, LineTooLong) else 400


def _problem(error: HttpProcessingError) -> str:
    """Return aiohttp's words for the problem, without the client's bytes that follow them."""
    if isinstance(error, InvalidURLError):
        return "Invalid URL"
    return short(error.message.partition(":")[0].strip())
