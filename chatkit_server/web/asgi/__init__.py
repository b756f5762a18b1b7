"""ASGI applications, such as those of FastAPI and Starlette, behind routes of this server."""

from .app import AsgiApp
from .scope import http_scope

__all__ = ["AsgiApp", "http_scope"]
