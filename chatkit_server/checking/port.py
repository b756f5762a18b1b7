"""Whether the server can listen where its settings say."""

from __future__ import annotations

import aiohttp

from ..errors import SettingsError
from ..finding import Finding
from ..serve import try_port
from ..settings.address import local_url
from ..settings.schema import Settings
from .lines import finding_of
from .probes import Tell

PATIENCE = 0.5
"""Seconds that what listens there has to answer."""


async def check_port(settings: Settings, tell: Tell) -> None:
    """Tell whether the address is free; a server that runs is asked whether it is this one.

    It is a warning: who starts the server later may find it free, or be another user.
    """
    place = place_of(settings)
    try:
        await try_port(settings)
    except SettingsError as error:
        if await _is_ours(settings):
            tell(Finding("a chatkit-server listens there already", "", "ok", place))
            return
        finding = finding_of(str(error), "warning")
        problem = finding.problem.rpartition(": ")[2]
        tell(Finding(problem, finding.todo, "warning", place))
        return
    tell(Finding("free to listen on", "", "ok", place))


def place_of(settings: Settings) -> str:
    """Return where the server listens, as findings name it."""
    server = settings.server
    if server.socket is not None:
        return f"socket {server.socket}"
    return f"port {server.port} of {server.host}"


async def _is_ours(settings: Settings) -> bool:
    """Whether what listens there answers as this server does."""
    path = settings.server.socket
    connector = None if path is None else aiohttp.UnixConnector(str(path))
    timeout = aiohttp.ClientTimeout(PATIENCE)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.get(f"{local_url(settings)}/healthz") as response,
        ):
            return response.status == 200 and await response.json() == {"status": "ok"}
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
        return False
