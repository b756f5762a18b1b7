"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import HTTPException, Request


@dataclass(frozen=True)
class RequestContext:
    """What the server and its store know of a request."""

    user_id: str
    plan: str = "free"
    request: Request | None = field(default=None, repr=False, compare=False)


async def get_context(request: Request) -> RequestContext:
    """Return who asks; nobody is refused."""
    user_id = request.headers.get("x-user-id")
    if not user_id:
        raise HTTPException(401, "Who are you?")
    return RequestContext(user_id, request.headers.get("x-plan", request.app.state.plan), request)
