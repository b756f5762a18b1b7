"""What a failed request to an MCP server says about the request, and about the session.

Servers answer a session that they do not know as they like: with any status, a web page, an error
of JSON-RPC, or not at all.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

import anyio
from agents.exceptions import UserError
from mcp import MCPError
from mcp.types import (
    CONNECTION_CLOSED,
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    REQUEST_TIMEOUT,
)
from pydantic import ValidationError

from .exchange import Exchange

NOT_SENT = "Connection closed before the request was sent"
"""The message of an error for a request that did not leave this process."""

_ABOUT_SESSION = re.compile(
    r"\bsession\b.{0,40}\b(not|unknown|expired|invalid|missing|terminated|gone|required|closed)\b"
    r"|\b(no|not find|unknown|invalid|missing|expired|stale)\b.{0,20}\bsession"
    r"|\bnot (been |yet )?initiali[sz]ed|\bbefore initiali[sz]",
    re.IGNORECASE | re.DOTALL,
)
"""Narrow: errors of tools have sessions in them too, such as those of databases."""

# The client library has the code of a closed connection in common with servers' own errors
_CLOSED = "Connection closed"
CUT_OFF = "SSE stream ended"
"""Begins the library's error for an answer that ended without the result."""
NOT_MCP = "Failed to parse"
_NO_ANSWER = (CUT_OFF, NOT_MCP, "server answered a request")
_NO_REQUEST = {INVALID_PARAMS: "invalid request parameters", INVALID_REQUEST: "", PARSE_ERROR: ""}
"""What servers say of a request that they did not look into, such as one before a session began."""

_CANNOT_ASK = re.compile(r"elicitation/create")
_CANNOT_SEND = re.compile(r"^Cannot send '\w+/\w+'")
"""What servers say by the protocol of 2026-07-28 if a tool sends a request, as by earlier ones."""

_MAYBE = (408, 429, 499)
_NEVER = (501, 505)

_NETWORK_ERRORS = (
    ConnectionError,
    EOFError,
    OSError,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
)


Fate = Literal["works", "unasked", "silent", "doubtful", "gone", "closed"]
"""What became of the session when a request failed.

`works`: the server knows it, since it answered. `unasked`: it does, but the tool has failed because
it can ask the user only by an earlier protocol. `silent`: there was no answer in time. `doubtful`:
perhaps the server does not know it any more. `gone`: the server does not know it any more.
`closed`: the connection ended.
"""


@dataclass(frozen=True)
class Outcome:
    """What a failure says: `refused` is whether the server surely did nothing."""

    fate: Fate
    refused: bool


def outcome(error: BaseException, exchange: Exchange) -> Outcome:
    """Return what the failure of a request says."""
    if is_timeout(error):
        return Outcome("silent", False)
    if isinstance(error, ValidationError):
        return Outcome("doubtful", False)
    if is_lost(error):
        return Outcome("closed", exchange.refused or not exchange.sent or str(error) == NOT_SENT)
    if exchange.session_is_gone:
        return Outcome("gone", True)
    if exchange.refused:
        return Outcome("doubtful", True)
    if exchange.failed:
        return Outcome("doubtful", False)
    if isinstance(error, MCPError):
        if error.code == INVALID_REQUEST and _CANNOT_ASK.search(str(error)):
            return Outcome("unasked", False)
        if str(error).startswith(_NO_ANSWER):
            return Outcome("doubtful", False)
        if _is_refusal(error.code, str(error)):
            return Outcome("doubtful", True)
    return Outcome("works", False)


def is_lost(error: BaseException) -> bool:
    """Return whether the error means that the connection is gone."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_lost(part) for part in error.exceptions)
    if isinstance(error, TimeoutError):
        return False
    if isinstance(error, MCPError):
        return error.code == CONNECTION_CLOSED and str(error).startswith(_CLOSED)
    if isinstance(error, UserError):
        return "Server not initialized" in str(error)
    return isinstance(error, _NETWORK_ERRORS)


def is_timeout(error: BaseException) -> bool:
    """Return whether the client gave up waiting; servers use the library's code for it too."""
    if isinstance(error, MCPError):
        return error.code == REQUEST_TIMEOUT and str(error).startswith("Request '")
    return isinstance(error, TimeoutError)


def names_session(text: str) -> bool:
    """Whether an error says that there is no such session."""
    return _ABOUT_SESSION.search(text) is not None


def is_about_session(status: int, body: bytes) -> bool:
    """Whether a response to a request with a session id says that there is no such session.

    The protocol says 404. The TypeScript SDK's examples say 400, with the reason in the body, and
    servers that look for the session without care say 500.
    """
    if status in (400, 500):
        return names_session(body[:2000].decode(errors="replace"))
    return status in (404, 410)


def is_refusal(status: int, kind: str, body: bytes) -> bool:
    """Whether a response says that nothing was done about a request.

    A server that carries out a request answers with 200 and what MCP has. With 4xx it may have an
    error of JSON-RPC, which says more than the status.
    """
    if status in (401, 403) or 300 <= status < 400 or status in _NEVER:
        return True
    if 400 <= status < 500 and status not in _MAYBE:
        error = _json_error(body) if kind == "application/json" else None
        return error is None or _is_refusal(*error)
    # A page comes from what is in front of the server, such as a login
    return status == 200 and kind == "text/html"


def _is_refusal(code: int, message: str) -> bool:
    if _CANNOT_SEND.search(message):
        # A tool ran, and wanted to send a request
        return False
    if code in _NO_REQUEST and _NO_REQUEST[code] in message.lower():
        return True
    # Errors of the protocol are below; tools have their own
    return -32099 <= code <= -32000 and names_session(message)


def _json_error(body: bytes) -> tuple[int, str] | None:
    try:
        error: Any = json.loads(body)["error"]
        return int(error["code"]), str(error["message"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
