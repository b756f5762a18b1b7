"""Functions of the author's that FastAPI gives their arguments."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from starlette.requests import Request

from .middleware import ask, refusal

_MADE = "chatkit_sdk_made"
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Dependent:
    """A function with dependencies, called as FastAPI calls it in a route."""

    def __init__(self, function: Callable[..., Any]) -> None:
        # Whoever has such a function has FastAPI
        fastapi = import_module("fastapi")

        depends = fastapi.Depends(function)

        async def endpoint(request: Request, made: Any = depends) -> None:
            request.scope[_MADE].append(made)

        resolver = fastapi.FastAPI()
        resolver.add_api_route("/{path:path}", endpoint, methods=_METHODS)
        # Called itself, it would take the place of the author's `request.app`
        self._stack = resolver.build_middleware_stack()

    async def __call__(self, request: Request) -> Any:
        """Return what the function returns. Raises `HTTPException` if a dependency refuses."""
        made: list[Any] = []
        own = {key: value for key, value in request.scope.items() if not key.startswith("fastapi")}
        sent = await ask(self._stack, {**own, _MADE: made})
        if not made:
            raise refusal(sent)
        return made[0]
