"""The errors a plugin may raise, each with its HTTP status and whether to retry.

An error raised before the answer began becomes a response with that status and a JSON body
`{"message": ...}`. Raised later, it becomes an `error` event with the same message.
The message is shown to the user: say what happened and what to do, and nothing secret.
"""

from __future__ import annotations


class ServerError(Exception):
    """Something went wrong that the user may be told about.

    `status` is the HTTP status (an int), `allow_retry` says whether asking again may help, and
    `headers` are added to the response.
    """

    status = 500
    allow_retry = False

    def __init__(
        self,
        message: str,
        *,
        allow_retry: bool | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}
        if allow_retry is not None:
            self.allow_retry = allow_retry


class BadRequest(ServerError):
    """The request does not make sense: not JSON, an unknown operation, a wrong field."""

    status = 400


class Unauthorized(ServerError):
    """Nobody knows who is asking."""

    status = 401

    def __init__(self, message: str, *, challenge: str = "Bearer") -> None:
        super().__init__(message, headers={"WWW-Authenticate": challenge})


class Forbidden(ServerError):
    """The user is known and may not do this."""

    status = 403


class NotFound(ServerError):
    """It is not there, or it is somebody else's: the answer is the same."""

    status = 404


class Conflict(ServerError):
    """The state of the thread does not allow it: locked, closed, busy."""

    status = 409


class TakenOver(Conflict):
    """Another process works at this turn now; a store refuses what this one would still write."""


class TooLarge(ServerError):
    """The request is larger than the settings allow."""

    status = 413


class Unprocessable(ServerError):
    """Understood, but no enabled plugin can do it."""

    status = 422


class TooManyRequests(ServerError):
    """This user has too much under way."""

    status = 429
    allow_retry = True


class Unavailable(ServerError):
    """Something the turn needs is down or full; `retry_after` is in seconds."""

    status = 503
    allow_retry = True

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        super().__init__(message, headers=headers)


class TurnFailed(ServerError):
    """The answer cannot be finished. Set `allow_retry` where trying again can help."""


class SettingsError(Exception):
    """The server cannot start as configured; the message says where and what to change."""
