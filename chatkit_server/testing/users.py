"""Who asks a server under test."""

from __future__ import annotations

from aiohttp.web import Request

from ..plugin.hookspecs import hookimpl
from ..turn import User

HEADER = "X-Test-User"
"""The number of a user that a client of this process has named."""


class NamedUsers:
    """Knows the users that clients name; it is called before all other plugins."""

    def __init__(self) -> None:
        self._users: list[User] = []

    def header(self, user: User) -> dict[str, str]:
        """Return the header of a request of this user."""
        self._users.append(user)
        return {HEADER: str(len(self._users) - 1)}

    @hookimpl
    async def auth(self, request: Request) -> User | None:
        number = request.headers.get(HEADER)
        return None if number is None else self._users[int(number)]


class AnyUser:
    """Takes everybody else for the user `local`; it is called after all other plugins."""

    @hookimpl
    async def auth(self) -> User:
        return User("local")
