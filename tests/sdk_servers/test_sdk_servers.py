"""Backends written with the official SDK do here what they do there."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from agents.models import openai_provider
from openai import AsyncOpenAI

from tests.documents import section

from .cases import CASES, Case
from .differences import unseen
from .models import Models
from .page import Exchange
from .running import compared, run_official, run_ours
from .table import whole_section
from .transcript import diff


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def models() -> AsyncIterator[Models]:
    """One for all: the Agents SDK keeps its connections."""
    async with Models() as models:
        yield models
        await close_clients()


async def close_clients() -> None:
    """Close the connections that backends and the Agents SDK keep: nobody else does."""
    clients = [each for each in gc.get_objects() if issubclass(type(each), AsyncOpenAI)]
    for client in clients:
        await client.close()
    # All runs share this one; who asks for it next gets another
    await openai_provider.shared_http_client().aclose()
    vars(openai_provider)["_http_client"] = None


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_page_gets_the_same(case: Case, models: Models) -> None:
    official = await run_official(case, models)
    for store in case.stores:
        ours = await run_ours(case, store, models)
        difference = compared(case, official, ours)
        assert not difference, f"with `store: {store}`:\n{difference}"
        assert unseen(official, ours, case.differences) == []


def test_another_event_is_a_difference() -> None:
    event = {"type": "progress_update", "text": "One moment"}
    official = [Exchange("threads.create", 200, "text/event-stream", [event, event])]
    lacking = [replace(official[0], events=[event])]
    assert "-    " in diff(official, lacking)
    assert "+    " in diff(lacking, official)
    assert diff(official, official) == ""


def test_the_documented_table_is_what_is_compared() -> None:
    assert section("moving-from-the-sdk.md", "## What was compared").strip() == whole_section()
