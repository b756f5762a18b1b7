"""A conversation with a backend, on each side."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from aiohttp import ClientSession, TCPConnector

from .cases import Case
from .differences import reconciled
from .models import Models
from .official import official
from .ours import ours
from .page import Exchange, Page
from .transcript import diff, normalised


async def run_official(case: Case, models: Models) -> list[Exchange]:
    """Return what the page gets of the official set-up."""
    with patch.dict(os.environ, _variables(models)):
        async with official(case.official_app()) as url:
            return await talk(case, models, url)


async def run_ours(case: Case, store: str, models: Models) -> list[Exchange]:
    """Return what the page gets of this server."""
    with patch.dict(os.environ, _variables(models)):
        if not case.has_models:
            for name in _variables(models):
                del os.environ[name]
        asked = None if case.has_models else models
        with TemporaryDirectory() as folder:
            database = Path(folder) / "ours.db" if case.database and store == "ours" else None
            async with ours(case.settings(store), asked, database) as url:
                return await talk(case, models, url)


def _variables(models: Models) -> dict[str, str]:
    """Return the variables by which the SDK finds the model, and a backend its gateway."""
    return {"OPENAI_API_KEY": "sk-own", "OPENAI_BASE_URL": models.url}


async def talk(case: Case, models: Models, url: str) -> list[Exchange]:
    """Have the conversation with the backend at this address."""
    models.forget()
    # A connection whose stream broke must not be used again
    connector = TCPConnector(force_close=True)
    async with ClientSession(url, connector=connector) as session:
        page = Page(session, models)
        await case.talk(page)
        await page.look_at_everything()
    assert models.left == 0, f"{models.left} scripted answers were not asked for"
    return normalised(page.exchanges, url)


def compared(case: Case, official: list[Exchange], ours: list[Exchange]) -> str:
    """Return how this server differs from what is expected of it, empty if it does not."""
    return diff(*reconciled(official, ours, case.differences))
