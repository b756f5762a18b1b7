"""A short run of the fault matrix; and that it would notice each loss."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from chatkit.types import AssistantMessageItem, ThreadItem

from chatkit_server import Conflict, Turn, Unavailable, hookimpl
from chatkit_server.storage import StoreContext
from chatkit_server.testing.memory_store import MemoryStore, StorePlugin
from chatkit_server.testing.model_script import Break
from tests.databases import new_url
from tests.faults.audit import Audit
from tests.faults.kills import KILL
from tests.faults.losses import COLUMNS, Losses, Report, Run
from tests.faults.matrix import FEW, run
from tests.faults.page import page, with_several
from tests.faults.person import Person
from tests.faults.running import SHORT
from tests.faults.scripted import Script, wrong_with
from tests.faults.shown import check_pages
from tests.faults.world import Backstage, World, backstage, world

MakeWorld = Callable[..., Awaitable[World]]


async def test_a_short_run_loses_nothing() -> None:
    reports = await run(SHORT, seed=1, plan=FEW)
    for answering, report in reports.items():
        assert (answering, report.losses) == (answering, [])
        for kind in FEW[answering]["kills"]:
            assert report.strikes[KILL, kind] == SHORT.kills
    turns = [run for report in reports.values() for run in report.runs]
    assert sum(run.cut for run in turns) > len(turns) // 2


@pytest.fixture
async def stage() -> AsyncIterator[Backstage]:
    async with backstage() as stage:
        yield stage


async def found(person: Person, stage: Backstage) -> set[str]:
    """Return the columns in which something was lost."""
    audit = Audit(person, stage.ledger)
    await audit.settled()
    await audit.compare_logs()
    await audit.go_on()
    await audit.check_items()
    return {column for column in COLUMNS if audit.losses.count(column)}


async def a_turn(person: Person, script: Script | None = None) -> None:
    stream = await person.say(script or Script())
    assert stream is not None
    await stream.read()


async def test_nothing_is_found_where_nothing_is_lost(stage: Backstage, tmp_path: Path) -> None:
    async with world(stage, new_url("sqlite", tmp_path)) as here:
        person = here.person()
        await a_turn(person)
        assert await found(person, stage) == set()


class _Forgetful(MemoryStore):
    """Forgets what the assistant says second."""

    async def add_thread_item(
        self, thread_id: str, item: ThreadItem, context: StoreContext
    ) -> None:
        kept = sum(
            isinstance(known, AssistantMessageItem) for known in self.items[thread_id].values()
        )
        if not (isinstance(item, AssistantMessageItem) and kept == 1):
            await super().add_thread_item(thread_id, item, context)


class _Repeating(MemoryStore):
    """Keeps what the assistant says a second time, under another id."""

    async def add_thread_item(
        self, thread_id: str, item: ThreadItem, context: StoreContext
    ) -> None:
        await super().add_thread_item(thread_id, item, context)
        if isinstance(item, AssistantMessageItem):
            copy = item.model_copy(update={"id": f"{item.id}_again"})
            await super().add_thread_item(thread_id, copy, context)


class _Impatient(MemoryStore):
    """Does not keep an answer that was cut off."""

    async def add_thread_item(
        self, thread_id: str, item: ThreadItem, context: StoreContext
    ) -> None:
        if isinstance(item, AssistantMessageItem) and "word9" not in item.content[0].text:
            await super().add_thread_item(thread_id, item, context)


@pytest.mark.parametrize(
    ("store", "script", "column"),
    [
        (_Forgetful(), Script(), "lost"),
        (_Repeating(), Script(), "doubled"),
        (_Impatient(), Script(words=10, at=(0, 5), stop=Break()), "lost"),
    ],
    ids=["forgetful", "repeating", "impatient"],
)
async def test_a_store_that_loses_something_is_noticed(
    stage: Backstage, tmp_path: Path, store: MemoryStore, script: Script, column: str
) -> None:
    async with world(stage, new_url("sqlite", tmp_path), StorePlugin(store)) as here:
        person = here.person()
        await a_turn(person, script)
        assert column in await found(person, stage)


async def test_a_text_that_was_shown_and_is_not_kept_is_noticed(
    stage: Backstage, tmp_path: Path
) -> None:
    turns = {"disconnect": {"policy": "cancel", "grace": "20ms"}}
    store = StorePlugin(_Impatient())
    async with world(stage, new_url("sqlite", tmp_path), store, turns=turns) as here:
        person = here.person()
        stream = await person.say(Script(pace=0.05, words=10))
        assert stream is not None
        await stream.read(9)
        assert stream.point == "text 1 half"
        stream.cut()
        assert "text" in await found(person, stage)


async def test_events_missing_or_doubled_are_noticed(stage: Backstage, tmp_path: Path) -> None:
    async with world(stage, new_url("sqlite", tmp_path)) as here:
        person = here.person()
        await a_turn(person)
        [stream] = person.streams
        frames = list(stream.frames)
        for heard in (
            [*frames[:3], frames[2], *frames[3:]],
            [*frames[:3], *frames[4:]],
            frames[:5],
        ):
            stream.frames = heard
            assert await found(person, stage) == {"events"}


async def test_a_tool_that_runs_twice_is_noticed(stage: Backstage, tmp_path: Path) -> None:
    async with world(stage, new_url("sqlite", tmp_path)) as here:
        person = here.person()
        await a_turn(person)
        number = next(iter(stage.ledger.notes))
        stage.ledger.notes[number] += 1
        assert await found(person, stage) == {"tools"}
        stage.ledger.notes[number] -= 1
        stage.ledger.notes[f"{number}0"] += 1
        assert await found(person, stage) == {"tools"}


class _OnlyOnce:
    """Lets each user have one turn."""

    def __init__(self) -> None:
        self.users: set[str] = set()

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        if turn.user.id in self.users:
            raise Conflict("Once is enough.")
        self.users.add(turn.user.id)


async def test_a_locked_thread_is_noticed(stage: Backstage, tmp_path: Path) -> None:
    async with world(stage, new_url("sqlite", tmp_path), _OnlyOnce()) as here:
        person = here.person()
        await a_turn(person)
        assert await found(person, stage) == {"locked"}


class _WritesAndRefuses:
    """Keeps the message and refuses it."""

    def __init__(self) -> None:
        self.refused = False

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        if not self.refused:
            self.refused = True
            assert turn.message is not None
            context = StoreContext(turn.user)
            await turn.store.save_thread(turn.thread, context)
            await turn.store.add_thread_item(turn.thread.id, turn.message, context)
            raise Unavailable("Later.")


async def test_a_5xx_after_a_write_is_noticed(stage: Backstage, tmp_path: Path) -> None:
    async with world(stage, new_url("sqlite", tmp_path), _WritesAndRefuses()) as here:
        person = here.person()
        assert await person.say() is None
        assert await found(person, stage) == {"status"}


def test_a_misled_model_is_noticed() -> None:
    call = {"role": "assistant", "content": "", "tool_calls": [{"id": "call_1"}]}
    result = {"role": "tool", "tool_call_id": "call_1", "content": "done"}
    message = {"role": "user", "content": "[p0.1] Note it."}
    assert wrong_with([message, call, result]) == []
    assert wrong_with([message, call, message]) != []
    assert wrong_with([message, result]) != []
    assert wrong_with([message, call, result, call, result]) != []
    assert wrong_with([message, message]) != []


async def test_a_page_that_shows_something_else_is_noticed(
    stage: Backstage, tmp_path: Path
) -> None:
    async with world(stage, new_url("sqlite", tmp_path)) as here:
        person = here.person()
        await a_turn(person)
        [stream] = person.streams
        frames = list(stream.frames)
        added = next(n for n, frame in enumerate(frames) if frame.kind.startswith("thread.item.ad"))
        for heard, is_lost in (
            (frames, False),
            ([*frames[: added + 1], *frames[added:]], True),
            ([*frames[:added], *frames[added + 1 :]], True),
            (frames[:added], True),
        ):
            stream.frames = heard
            audit = Audit(person, stage.ledger)
            await check_pages(audit)
            assert bool(audit.losses.count("events")) is is_lost
        stream.frames, stream.hung = frames, True
        await check_pages(audit := Audit(person, stage.ledger))
        assert audit.losses.count("events") == 1


def test_each_part_of_the_page_is_written_alone() -> None:
    one, several = (
        Report([Run(fault, "sqlite", "ended", Losses())]) for fault in ("kill -9", "rolling")
    )
    whole = with_several(page("", {"agent": one}, 1, 60), {"agent": several}, 2, 60)
    assert whole.index("seed 1") < whole.index("| rolling |")
    assert whole.count("\n# ") == 1
    assert page(whole, {"agent": one}, 1, 60) == whole
    assert with_several(whole, {"agent": several}, 2, 60) == whole
