"""The errors a plugin may raise, each with its HTTP status and whether to retry.

An error raised before the answer began becomes a response with that status and a JSON body
`{"message": ...}`. Raised later, it becomes an `error` event with the same message.
The message is shown to the user: say what happened and what to do, and nothing secret.
"""

from __future__ import annotations

from collections.abc import Iterator

from .text import valid_values


class ServerError(Exception):
    """An error whose message is shown to the user.

    `status` is the HTTP status (an int), `allow_retry` says whether a retry may help, and `headers`
    are added to the response. `code` is that of the `error` event.
    """

    status = 500
    allow_retry = False
    code = "custom"

    def __init__(
        self,
        message: str,
        *,
        allow_retry: bool | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        message = valid_values(message)
        super().__init__(message)
        self.message = message
        self.headers = headers or {}
        if allow_retry is not None:
            self.allow_retry = allow_retry


class BadRequest(ServerError):
    """The request is invalid: not JSON, an unknown operation, a wrong field."""

    status = 400


class Unauthorized(ServerError):
    """The request is not authenticated."""

    status = 401

    def __init__(self, message: str, *, challenge: str = "Bearer") -> None:
        super().__init__(message, headers={"WWW-Authenticate": challenge})


class Forbidden(ServerError):
    """The user is authenticated, and may not do this."""

    status = 403


class NotFound(ServerError):
    """It does not exist, or it belongs to another user: the answer is the same."""

    status = 404


class Conflict(ServerError):
    """The state of the thread does not allow it: locked, closed, busy."""

    status = 409


class TakenOver(Conflict):
    """Another process has taken this turn over; a store refuses what this one still writes."""


class TooLarge(ServerError):
    """The request is larger than the settings allow."""

    status = 413


class Unprocessable(ServerError):
    """The request is valid, but no enabled plugin can do it."""

    status = 422


class TooManyRequests(ServerError):
    """This user, or their tenant, asks for too much; `retry_after` is in seconds."""

    status = 429
    allow_retry = True

    def __init__(
        self,
        message: str,
        *,
        retry_after: int | None = None,
        allow_retry: bool | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        told = {} if retry_after is None else {"Retry-After": str(retry_after)}
        super().__init__(message, allow_retry=allow_retry, headers={**(headers or {}), **told})


class Unavailable(ServerError):
    """Something the turn needs is down or full; `retry_after` is in seconds."""

    status = 503
    allow_retry = True

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        super().__init__(message, headers=headers)


class TurnFailed(ServerError):
    """The answer cannot be completed. Set `allow_retry` if a retry can help."""


class EndTurn(ServerError):
    """Ends a turn in words: the user reads the message as the assistant's last one.

    Raise it in `agent`, `pre_turn`, `respond`, `action` or `tool_result`, or in a tool. What was
    said before stays, the message is saved after it, and the turn has completed: the model is not
    asked any more. Elsewhere it is an error with the status 403.
    """

    status = 403


class RequestNeeded(Exception):
    """A store cannot work without the context of a request, which a recovery does not have.

    What a dead process left of a turn is then saved when its user next opens the thread.
    """


class SettingsError(Exception):
    """The server cannot start as configured; the message says where and what to change."""


class CannotListen(SettingsError):
    """The server's address is in use, or not one of this machine."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it was raised from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__
