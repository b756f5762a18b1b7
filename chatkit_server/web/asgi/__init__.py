"""ASGI applications, such as those of FastAPI and Starlette, behind routes of this server."""

from .app import AsgiApp

__all__ = ["AsgiApp"]
