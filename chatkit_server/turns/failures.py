"""Whatever made a turn fail becomes a message that a user understands.

Details of an exception (addresses, keys, a provider's words) belong in the log. No message here
has any of them.
"""

from __future__ import annotations

import logging
import math
import re
from json import JSONDecodeError
from socket import gaierror
from typing import Any

import openai
from agents.exceptions import (
    AgentsException,
    InputGuardrailTripwireTriggered,
    MaxTurnsExceeded,
    ModelBehaviorError,
    ModelRefusalError,
    ModelTimeoutError,
    OutputGuardrailTripwireTriggered,
    ToolInputGuardrailTripwireTriggered,
    ToolOutputGuardrailTripwireTriggered,
    UserError,
)
from chatkit.errors import BaseStreamError
from chatkit.store import NotFoundError

from .. import bad_http
from ..agent.completions import endings
from ..agent.team.guardrails import guardrail_name
from ..bad_http import http_problem, server_of
from ..errors import ServerError, TurnFailed, causes
from ..known_errors import AWAY, Outage, as_server_error, told_error
from ..lines import fixed_words
from ..masking import in_one_line
from ..plugin.call import LOGGED_ALREADY
from ..records import MAY_QUOTE, is_outage, log_error, place_of, repeats
from ..tasks import Escaped
from ..words import words, words_n

log = logging.getLogger(__name__)

WRONG_KEY = words(
    "The model provider rejected this server's API key. The server's operator has to set a "
    "valid one."
)
NO_PERMISSION = words(
    "This server's account may not use that model. The server's operator has to enable it with "
    "the model provider, or choose another model."
)
NO_QUOTA = words(
    "This server's account with the model provider has no quota or credit left. The server's "
    "operator has to renew it."
)
UNKNOWN_MODEL = words(
    "The model provider does not know that model. Choose another one, or ask the server's "
    "operator to correct its name."
)
MOVED = words(
    "The model provider's address has changed. The server's operator has to correct its `base_url`."
)
RATE_LIMIT = words("The model is rate-limited. Try again in a minute.")
TOO_LONG = words(
    "This conversation is too long for the model. Start a new one, or send a shorter message."
)
REFUSED_REQUEST = words(
    "The model provider rejected the request. The reason is in the server's log."
)
PROVIDER_DOWN = words("The model provider has a problem. Try again in a minute.")
NO_CONNECTION = words("The model provider cannot be reached. Try again in a minute.")
UNREACHABLE = words("A service that this answer needs cannot be reached. Try again in a minute.")
NOT_HTTP = words(
    "A service that this answer needs sent an answer that is not valid HTTP, or has too large "
    "headers. Try again. If that does not help, tell the server's operator: the service's address "
    "is in the log."
)
NO_ANSWER = words(
    "A service that this answer needs sent too many provisional responses (status 1xx), and no "
    "answer. Try again. If that does not help, tell the server's operator: the service's address "
    "is in the log."
)
TIMEOUT = words("The answer timed out. Try again.")
BROKEN_OFF = words("The connection was lost before the answer was complete. Try again.")
CONTENT_REFUSED = words(
    "The model's content filter stopped this answer. Rephrase your message, or ask something else."
)
GUARDRAIL_INPUT = words("This message is not allowed here. Rephrase it, or ask something else.")
GUARDRAIL_OUTPUT = words(
    "The answer was withheld because it is not allowed here. Ask something else."
)
CUT_OFF = words("The answer reached the model's length limit and is incomplete.")
BAD_IMAGE = words(
    "The model cannot read an image of this conversation. Send it as PNG or JPEG, and smaller, in "
    "a new conversation."
)
EMPTY = words("The model gave no answer. Try again.")
NONSENSE = words("The model sent an invalid answer. Try again.")
BAD_CALL = words("The model wrote a tool call that is not valid. Try again.")
WEB_PAGE = words(
    "The model provider sent a web page in place of an answer. The server's operator has to check "
    "its `base_url`."
)
UNKNOWN_TOOL = words("The model asked for a tool that does not exist. Try again.")
TOO_MANY_STEPS = words(
    "The model took more steps than allowed without reaching an answer. Ask for less at once."
)
GENERAL = words(
    "Something went wrong on the server. Try again. The details are in the server's log."
)

_LONGEST_WORDS = 500
_SEARCHED = 4000
"""Characters at the start of each part of an error that are searched, and as many at its end: a
provider may quote the request before it says what is wrong with it."""

_UNFORESEEN = {GENERAL}

_LONGEST_WAIT = 24 * 3600
_RETRIABLE = {
    RATE_LIMIT,
    PROVIDER_DOWN,
    NO_CONNECTION,
    UNREACHABLE,
    AWAY,
    NOT_HTTP,
    NO_ANSWER,
    TIMEOUT,
    BROKEN_OFF,
    EMPTY,
    NONSENSE,
    BAD_CALL,
    UNKNOWN_TOOL,
    GENERAL,
}

_OPERATORS = {
    WRONG_KEY,
    NO_PERMISSION,
    NO_QUOTA,
    UNKNOWN_MODEL,
    MOVED,
    WEB_PAGE,
    REFUSED_REQUEST,
}
"""What fails all turns until the operator has changed something."""

_OF_ONE_TURN = {BAD_CALL, UNKNOWN_TOOL}

_TOLD_BY_WORDS = {GENERAL, REFUSED_REQUEST}
"""Messages for many causes."""

# Statuses that mean one thing, whatever the body says, and what others mean when it says nothing.
_SURE = {401: WRONG_KEY, 402: NO_QUOTA, 408: TIMEOUT, 413: TOO_LONG}
_LIKELY = {403: NO_PERMISSION, 404: UNKNOWN_MODEL, 429: RATE_LIMIT}

# Providers give one failure under many statuses and codes, and litellm keeps only their text.
_TOO_LONG_WORDS = (
    r"context_length_exceeded|context (length|window|size)|ContextWindowExceeded"
    r"|prompt is too long|too many (input )?tokens|maximum number of tokens"
)
_WORDS = (
    (TOO_LONG, _TOO_LONG_WORDS),
    (CUT_OFF, r"max_output_tokens|finish_reason='length'"),
    (
        CONTENT_REFUSED,
        r"content_filter|content filter|content_policy|ContentPolicyViolation|ResponsibleAI"
        r"|invalid_prompt|safety system|content management policy|blocked by .{0,20}safety",
    ),
    (
        BAD_IMAGE,
        r"invalid_(base64_)?image|image_(too_(large|small)|parse_error|file_too_large|file_not_found)"
        r"|empty_image_file|unsupported_image_media_type|failed_to_download_image",
    ),
    (
        WRONG_KEY,
        r"api[ _-]?key not valid|invalid[ _]api[ _-]?key|incorrect api key|missing credentials"
        r"|not authenticated|unauthori[sz]ed",
    ),
    (NO_QUOTA, r"insufficient_quota|insufficient (balance|credit)|credit balance"),
    (
        UNKNOWN_MODEL,
        r"model_not_found|model.{0,80} (not found|does not exist|not exist)|Provider NOT provided",
    ),
)
# In an error without a status, such as one told inside a stream.
_WORDS_INSTEAD_OF_STATUS = (
    (RATE_LIMIT, r"rate.?limit"),
    (TIMEOUT, r"vector_store_timeout|timed out"),
    (PROVIDER_DOWN, r"server_error|server error|overloaded|unavailable"),
)

# Exceptions of HTTP clients that the core does not import: httpx, httpx2, aiohttp.
_NO_CONNECTION_NAMES = {"ConnectError", "ConnectTimeout", "ClientConnectorError"}
_TIMEOUT_NAMES = {"TimeoutException", "ServerTimeoutError"}
_BROKEN_OFF_NAMES = {
    "NetworkError",
    "RemoteProtocolError",
    "ClientPayloadError",
    "ServerDisconnectedError",
    "ClientOSError",
}
_BAD_HTTP = {bad_http.NOT_HTTP: NOT_HTTP, bad_http.NO_ANSWER: NO_ANSWER}
_AGENT_FAILURES: tuple[tuple[type[AgentsException], str], ...] = (
    (MaxTurnsExceeded, TOO_MANY_STEPS),
    (ModelTimeoutError, TIMEOUT),
    (ModelRefusalError, CONTENT_REFUSED),
    (InputGuardrailTripwireTriggered, GUARDRAIL_INPUT),
    (OutputGuardrailTripwireTriggered, GUARDRAIL_OUTPUT),
    (ToolInputGuardrailTripwireTriggered, GUARDRAIL_OUTPUT),
    (ToolOutputGuardrailTripwireTriggered, GUARDRAIL_OUTPUT),
)


_OF_MODELS = (openai.OpenAIError, AgentsException)
"""Errors about a model. Some have a status, which is not that of the user's request."""

_MODEL_WORDS = {
    "not found in agent": UNKNOWN_TOOL,
    "did not produce a final response": BROKEN_OFF,
    "ended before": BROKEN_OFF,
    endings.NO_ANSWER: EMPTY,
    endings.BAD_CALL: BAD_CALL,
    endings.WEB_PAGE: WEB_PAGE,
}
"""Words of the SDK, and of this server's reading of answers."""


def explain(error: BaseException) -> ServerError:
    """Return what to tell the user of `error`, and whether trying again can help.

    An error whose author says what to tell is told so, and what a store refuses by its type.
    Everything else becomes a `TurnFailed` whose message is one of this module's, so that nothing of
    the exception's own text is shown.
    """
    error = _root(error)
    known = None if isinstance(error, _OF_MODELS) else as_server_error(error)
    if known is not None and not isinstance(known, Outage):
        return known
    try:
        message = _message(error)
    except Exception:
        # Some libraries' errors have less than their classes say; the turn has to end all the same
        log_error(log, logging.ERROR, error, "%s cannot be told apart", type(error).__name__)
        message = GENERAL
    told = _rate_limit(error) if message == RATE_LIMIT else message
    return TurnFailed(told, allow_retry=message in _RETRIABLE)


def reason_of(error: BaseException) -> str:
    """Return what an error says, such as the words of a provider, in one line for an operator."""
    return _in_one_line(_root(error))


def _root(error: BaseException) -> BaseException:
    """Return the error that others were made of on the way."""
    if isinstance(error, BaseExceptionGroup):
        return _root(error.exceptions[0])
    if isinstance(error, Escaped):
        return error.error
    cause = error.__cause__
    # The SDK wraps what a tool raises to end the run
    if isinstance(error, UserError) and isinstance(cause, BaseStreamError | ServerError):
        return cause
    return error


def log_failure(
    turn_id: str, problem: ServerError, error: BaseException, *, model: str = "", user: str = ""
) -> None:
    """Log why a turn failed: one line, with a traceback only if nobody foresaw the error."""
    error = _root(error)
    if isinstance(error, LOGGED_ALREADY):
        log.debug("turn %s failed: %s", turn_id, problem.message)
        return
    told = told_error(error) is not None and not isinstance(error, _OF_MODELS)
    unforeseen = not told and problem.message in _UNFORESEEN
    reason = _named(error) if told else _in_one_line(error)
    if unforeseen or isinstance(error, _OF_AUTHORS):
        # Its own words may be the user's
        error = _of_tool(error)
        reason = f"{type(error).__name__} in {place_of(error)}"
    log.warning(
        "turn %s failed: %s (%s)",
        turn_id,
        problem.message,
        "; ".join([reason, *about(model, user)]),
        exc_info=error if unforeseen and not is_outage(error) else None,
        extra={**MAY_QUOTE, **_repeated(turn_id, problem, reason, model)},
    )


_OF_AUTHORS = (NotFoundError, PermissionError)
"""What stores raise, and the code of plugins in place of an answer."""


def _of_tool(error: BaseException) -> BaseException:
    """Return what a tool raised: only that says where its author has to look."""
    return error.__cause__ or error if isinstance(error, UserError) else error


def about(model: str, user: str = "") -> list[str]:
    """Return what a line about a turn says besides its reason."""
    told = (("model", model), ("user", user))
    return [f"{name} {value}" for name, value in told if value]


def _repeated(turn_id: str, problem: ServerError, reason: str, model: str) -> dict[str, Any]:
    """Return what the failure has in common with those of other turns, if one fault causes all."""
    if problem.message in _OF_ONE_TURN or not (problem.allow_retry or _is_of_server(problem)):
        return {}
    if isinstance(problem, TurnFailed):
        told = reason if problem.message in _TOLD_BY_WORDS else reason.partition(":")[0]
        cause = f"{fixed_words(problem.message)} ({'; '.join([fixed_words(told), *about(model)])})"
    else:
        # Whatever needs what is away, whichever model answers
        cause = fixed_words(problem.message)
    return repeats(cause, "turn failed", turn_id)


def _is_of_server(problem: ServerError) -> bool:
    return problem.message in _OPERATORS or (
        problem.status >= 500 and not isinstance(problem, TurnFailed)
    )


def _named(error: BaseException) -> str:
    return ", ".join([type(error).__name__, *getattr(error, "__notes__", ())])


def _in_one_line(error: BaseException) -> str:
    """Return what an error says, such as the words of a provider, fit for a log."""
    problem, server = http_problem(error), server_of(error)
    if isinstance(error, openai.APIConnectionError) and error.__cause__ is not None:
        # It says no more than that there was no connection
        error = error.__cause__
    said = _provider_words(error) or _guardrail(error) or _said(error)
    text = f"{type(error).__name__}: {said}"
    for note in getattr(error, "__notes__", ()):
        text = f"{text}, {note}"
    if problem:
        text = f"the server at {server or 'an unknown address'} {problem}; {bad_http.CHECK}. {text}"
    return in_one_line(text, _LONGEST_WORDS)


def _guardrail(error: BaseException) -> str | None:
    """Return which guardrail stopped a turn: the SDK says of what class it is."""
    name = guardrail_name(error)
    return None if name is None else f"the guardrail {name}"


def _provider_words(error: BaseException) -> str | None:
    """Return the status and the message that a provider answered, None if there is none."""
    if not isinstance(error, openai.APIError):
        return None
    body, status = getattr(error, "body", None), _status(error)
    if not status or not body or not isinstance(body, dict | list):
        return None
    return f"HTTP {status}: {endings.described(body)['message']}"


def _message(error: BaseException) -> str:
    if isinstance(error, openai.APIConnectionError):
        return _of_connection(error)
    if isinstance(error, openai.APIError):
        return _of_provider(error)
    if isinstance(error, AgentsException):
        return _of_agent(error)
    if isinstance(error, openai.ContentFilterFinishReasonError):
        return CONTENT_REFUSED
    if isinstance(error, openai.LengthFinishReasonError):
        return CUT_OFF
    if isinstance(error, openai.OpenAIError):
        return _first_match(_WORDS, _searchable(error)) or GENERAL
    if isinstance(error, JSONDecodeError | UnicodeDecodeError):
        return NONSENSE
    return _of_transport(error) or (AWAY if is_outage(error) else GENERAL)


def _of_connection(error: openai.APIConnectionError) -> str:
    told = _of_transport(error)
    if told == UNREACHABLE:
        return NO_CONNECTION
    if told is not None:
        return told
    # litellm puts whatever it does not know under this class
    return _first_match(_WORDS, _text(error)) or NO_CONNECTION


def _of_provider(error: openai.APIError) -> str:
    if isinstance(error, openai.APIResponseValidationError):
        return NONSENSE
    status, text = _status(error), _text(error)
    if status in _SURE:
        return _SURE[status]
    if status is not None and 300 <= status < 400:
        return MOVED
    if status is not None and status >= 500:
        return _first_match(((TOO_LONG, _TOO_LONG_WORDS),), text) or PROVIDER_DOWN
    if told := _first_match(_WORDS, text):
        return told
    if status is not None:
        return _LIKELY.get(status, REFUSED_REQUEST)
    return _first_match(_WORDS_INSTEAD_OF_STATUS, text) or PROVIDER_DOWN


def _status(error: openai.APIError) -> int | None:
    """Return the HTTP status; an error inside a stream may carry one as its code."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return status
    code = getattr(error, "code", None)
    return int(code) if isinstance(code, str) and re.fullmatch("[0-9]{3}", code) else None


def _text(error: openai.APIError) -> str:
    # LiteLLM's are not all made by the constructor of the class that they derive from
    told = (getattr(error, name, None) for name in ("code", "type", "message", "body"))
    return " ".join(map(_searchable, (type(error).__name__, *told)))


def _said(part: object) -> str:
    try:
        return str(part)
    except Exception:
        # An object of a provider that is nested too deeply, or an exception that was half made
        return ""


def _searchable(part: object) -> str:
    text = _said(part)
    return text if len(text) <= 2 * _SEARCHED else f"{text[:_SEARCHED]} {text[-_SEARCHED:]}"


def _of_agent(error: AgentsException) -> str:
    for kind, message in _AGENT_FAILURES:
        if isinstance(error, kind):
            return message
    if not isinstance(error, ModelBehaviorError):
        return GENERAL
    text = _searchable(error.message)
    for known, message in _MODEL_WORDS.items():
        if known in text:
            return message
    if text.startswith(("Responses stream ended", "Chat Completions ")):
        return _first_match((*_WORDS, *_WORDS_INSTEAD_OF_STATUS), text) or PROVIDER_DOWN
    return NONSENSE


def _of_transport(error: BaseException) -> str | None:
    """Return what a failure of the network or a timeout is called, if `error` is or has one."""
    links = list(causes(error))
    names = {kind.__name__ for link in links for kind in type(link).__mro__}

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(link, kinds) for link in links)

    if problem := http_problem(error):
        return _BAD_HTTP[problem]
    # a timeout of connecting is both, so the order matters
    if names & _NO_CONNECTION_NAMES or has(ConnectionRefusedError, gaierror):
        return UNREACHABLE
    if names & _TIMEOUT_NAMES or has(TimeoutError, openai.APITimeoutError):
        return TIMEOUT
    if names & _BROKEN_OFF_NAMES or has(ConnectionError, EOFError):
        return BROKEN_OFF
    return None


def _first_match(known: tuple[tuple[str, str], ...], text: str) -> str | None:
    for message, pattern in known:
        if re.search(pattern, text, re.IGNORECASE | re.DOTALL):
            return message
    return None


def _rate_limit(error: BaseException) -> str:
    """Return `RATE_LIMIT` with the time that the provider asked to wait."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        seconds = math.ceil(float(headers.get("retry-after", "")))
    except (ValueError, OverflowError):
        return RATE_LIMIT
    if not 0 < seconds <= _LONGEST_WAIT:
        return RATE_LIMIT
    if seconds <= 120:
        return words_n(
            "The model is rate-limited. Try again in {n} second.",
            "The model is rate-limited. Try again in {n} seconds.",
            seconds,
            n=seconds,
        )
    return words("The model is rate-limited. Try again in {n} minutes.", n=math.ceil(seconds / 60))
