"""Every error before a stream begins is `{"message": …}` with a status."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from chatkit.store import NotFoundError

from ..errors import ServerError
from .keys import SETTINGS

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer errors with a status and a message, which ChatKit shows to the user."""
    try:
        return await handler(request)
    except ServerError as error:
        return _refusal(error.status, error.message, error.headers)
    except NotFoundError:
        return _refusal(404, "Not found.")
    except web.HTTPRequestEntityTooLarge:
        limit = request.app[SETTINGS].server.max_body
        return _refusal(413, f"The request is larger than {limit} bytes.")
    except web.RequestPayloadError:
        refusal = _refusal(400, "The body does not match its headers, or is incomplete.")
        refusal.force_close()
        return refusal
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _refusal(error.status, _message(error, request), _allowed_methods(error))
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return _refusal(500, "Something went wrong on the server. Try again later.")


def _refusal(
    status: int, message: str, headers: dict[str, str] | None = None
) -> web.StreamResponse:
    return web.json_response({"message": message}, status=status, headers=headers)


def _message(error: web.HTTPException, request: web.Request) -> str:
    """Return the error's own text, or the method and path if it has none."""
    if error.text and error.text != f"{error.status}: {error.reason}":
        return error.text
    return f"{error.reason}: {request.method} {request.path}"


def _allowed_methods(error: web.HTTPException) -> dict[str, str]:
    return {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
