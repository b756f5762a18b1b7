"""The store: what goes in comes out, for its owner alone, in its order, once."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from chatkit.store import NotFoundError, Store
from chatkit.types import (
    ActiveStatus,
    Annotation,
    AssistantMessageContent,
    AssistantMessageItem,
    AttachmentUploadDescriptor,
    ClientToolCallItem,
    ClosedStatus,
    CustomSummary,
    CustomTask,
    EndOfTurnItem,
    EntitySource,
    FileAttachment,
    FileSource,
    FileTask,
    GeneratedImage,
    GeneratedImageItem,
    HiddenContextItem,
    ImageAttachment,
    InferenceOptions,
    LockedStatus,
    SDKHiddenContextItem,
    SearchTask,
    StructuredInputAnswer,
    StructuredInputFreeform,
    StructuredInputItem,
    StructuredInputMultipleChoice,
    StructuredInputMultipleChoiceOption,
    TaskItem,
    ThoughtTask,
    Thread,
    ThreadItem,
    ToolChoice,
    URLSource,
    UserMessageItem,
    UserMessageTagContent,
    UserMessageTextContent,
    WidgetItem,
    Workflow,
    WorkflowItem,
)
from chatkit.widgets import DynamicWidgetRoot, WidgetRoot
from chatkit_plugins.tortoise_store import sql
from chatkit_plugins.tortoise_store.models import Item
from chatkit_plugins.tortoise_store.models import Thread as Thread_
from pydantic import AnyUrl, TypeAdapter
from tortoise.transactions import in_transaction

from chatkit_server import BadRequest, Unavailable, User, records
from chatkit_server.storage import StoreContext
from tests.databases import Front, new_url, postgres
from tests.stores import ANN, BOB, NOON, OTHER_ANN, item, opened, query, running, thread

ThreadStore = Store[StoreContext]

_FILE = FileAttachment(
    id="atc_file",
    name="bill.pdf",
    mime_type="application/pdf",
    thread_id="thr_1",
    metadata={"scan": {"clean": True}},
)
_IMAGE = ImageAttachment(
    id="atc_image",
    name="cat.png",
    mime_type="image/png",
    preview_url=AnyUrl("https://files.example.com/cat.png?size=1"),
    upload_descriptor=AttachmentUploadDescriptor(
        url=AnyUrl("https://files.example.com/put"), method="PUT", headers={"X-Key": "1"}
    ),
)

_HARD_JSON = {
    "": None,
    "nul": "a\0b",
    "quotes": "'\"\\; -- $1 ?1",
    "text": "Grüße, 世界 🦜\u2028\x1b",
    "numbers": [0, -1, 2**63, 10**40, 1.5, 1e300, -0.0],
    "z first, a last": {"z": 1, "a": [True, False, {}, []]},
}


def _base(item_id: str) -> dict[str, Any]:
    return {"id": item_id, "thread_id": "thr_1", "created_at": NOON}


def _items() -> list[ThreadItem]:
    """Return items of every type, with every kind of part."""
    return [
        UserMessageItem(
            **_base("user"),
            content=[
                UserMessageTextContent(text="Hello\0"),
                UserMessageTagContent(id="t", text="@bill", data={"n": 1}, interactive=True),
            ],
            attachments=[_FILE, _IMAGE],
            quoted_text="as you said",
            inference_options=InferenceOptions(tool_choice=ToolChoice(id="search"), model="a/b"),
        ),
        AssistantMessageItem(
            **_base("assistant"),
            content=[
                AssistantMessageContent(
                    text="See",
                    annotations=[
                        Annotation(source=URLSource(title="u", url="https://e.com"), index=3),
                        Annotation(source=FileSource(title="f", filename="f.txt")),
                        Annotation(source=EntitySource(title="e", id="e1", data={"k": [1]})),
                    ],
                )
            ],
        ),
        ClientToolCallItem(
            **_base("call"), call_id="c", name="n", arguments={"a": 1}, output={"b": [None]}
        ),
        WidgetItem(**_base("named widget"), widget=_NAMED_WIDGET, copy_text="copy"),
        WidgetItem(**_base("widget"), widget=DynamicWidgetRoot.model_validate(_WIDGET)),
        WidgetItem(**_base("new widget"), widget=DynamicWidgetRoot.model_validate(_NEW_WIDGET)),
        GeneratedImageItem(**_base("image"), image=GeneratedImage(id="i", url="data:,")),
        StructuredInputItem(
            **_base("input"),
            status="answered",
            inputs=[
                StructuredInputMultipleChoice(
                    id="q1",
                    question="Which?",
                    options=[StructuredInputMultipleChoiceOption(value="a")],
                    multiple=True,
                    answer=StructuredInputAnswer(values=["a", "b"]),
                ),
                StructuredInputFreeform(
                    id="q2", question="Why?", answer=StructuredInputAnswer(skipped=True)
                ),
            ],
        ),
        TaskItem(**_base("task"), task=FileTask(sources=[FileSource(title="t", filename="f")])),
        WorkflowItem(
            **_base("workflow"),
            workflow=Workflow(
                type="reasoning",
                tasks=[
                    ThoughtTask(content="hm", status_indicator="complete"),
                    CustomTask(title="do", icon="bolt"),
                    SearchTask(queries=["q"], sources=[URLSource(title="u", url="https://e.com")]),
                ],
                summary=CustomSummary(title="done"),
                expanded=True,
            ),
        ),
        HiddenContextItem(**_base("hidden"), content=_HARD_JSON),
        SDKHiddenContextItem(**_base("sdk"), content="cancelled"),
        EndOfTurnItem(**_base("end")),
    ]


_WIDGET = {
    "type": "Card",
    "key": "k",
    "confirm": {"label": "Go", "action": {"type": "go", "payload": {"n": 1}}},
    "children": [{"type": "Text", "value": "hi", "streaming": False}],
}
_NAMED_WIDGET: WidgetRoot = TypeAdapter(WidgetRoot).validate_python(_WIDGET)
# what a later ChatKit may know
_NEW_WIDGET = {**_WIDGET, "glow": 3, "children": [{"type": "Orb", "spin": {"x": 1}}]}


@pytest.fixture
async def store(url: str) -> AsyncIterator[ThreadStore]:
    async with opened(url) as store:
        yield store


async def _all_items(
    store: ThreadStore, order: str, limit: int, thread_id: str = "thr_1"
) -> list[str]:
    """Read a thread page by page, and return the ids."""
    ids: list[str] = []
    after = None
    while True:
        page = await store.load_thread_items(thread_id, after, limit, order, ANN)
        ids += [found.id for found in page.data]
        assert page.has_more == (page.after is not None)
        if not page.has_more:
            return ids
        assert len(page.data) == limit
        assert page.after == page.data[-1].id
        after = page.after


async def test_items_of_every_type_come_back_as_they_were(store: ThreadStore) -> None:
    items = _items()
    assert {type(one) for one in items} == set(get_args(get_args(ThreadItem)[0]))
    await store.save_thread(thread(), ANN)
    for one in items:
        await store.add_thread_item("thr_1", one, ANN)
    for one in items:
        found = await store.load_item("thr_1", one.id, ANN)
        assert found == one
        assert found.model_dump_json() == one.model_dump_json()
        assert found.created_at.isoformat() == NOON.isoformat()
    page = await store.load_thread_items("thr_1", None, 100, "asc", ANN)
    assert page.data == items
    # as the answer to threads.get_by_id has it
    assert Thread(**thread().model_dump(), items=page).items.data == items


async def test_threads_come_back_as_they_were(store: ThreadStore) -> None:
    for number, status in enumerate([ActiveStatus(), LockedStatus(reason="r"), ClosedStatus()]):
        one = thread(
            f"thr_{number}",
            title="Grüße\0",
            status=status,
            allowed_image_domains=["e.com"],
            metadata=_HARD_JSON,
        )
        await store.save_thread(one, ANN)
        found = await store.load_thread(one.id, ANN)
        assert found == one
        assert found.created_at.isoformat() == NOON.isoformat()
    naive = thread("thr_naive").model_copy(update={"created_at": NOON.replace(tzinfo=None)})
    await store.save_thread(naive, ANN)
    assert (await store.load_thread("thr_naive", ANN)).created_at == naive.created_at


async def test_threads_may_have_items_of_the_same_id(store: ThreadStore) -> None:
    for name in ("thr_1", "thr_2"):
        await store.save_thread(thread(name), ANN)
        await store.add_thread_item(name, item("msg", name, content=name), ANN)
    await store.delete_thread_item("thr_1", "msg", ANN)
    assert await store.load_item("thr_2", "msg", ANN) == item("msg", "thr_2", content="thr_2")
    with pytest.raises(NotFoundError):
        await store.load_item("thr_1", "msg", ANN)


Call = Callable[[ThreadStore, str, str, str, StoreContext], Awaitable[object]]

# Each takes the ids of a thread, an item and an attachment.
_CALLS: dict[str, Call] = {
    "load_thread": lambda s, t, i, a, c: s.load_thread(t, c),
    "save_thread": lambda s, t, i, a, c: s.save_thread(thread(t, title="taken"), c),
    "delete_thread": lambda s, t, i, a, c: s.delete_thread(t, c),
    "load_threads": lambda s, t, i, a, c: s.load_threads(1, t, "desc", c),
    "load_thread_items": lambda s, t, i, a, c: s.load_thread_items(t, None, 9, "asc", c),
    "add_thread_item": lambda s, t, i, a, c: s.add_thread_item(t, item("new", t), c),
    "save_item": lambda s, t, i, a, c: s.save_item(t, item(i, t, content="taken"), c),
    "load_item": lambda s, t, i, a, c: s.load_item(t, i, c),
    "delete_thread_item": lambda s, t, i, a, c: s.delete_thread_item(t, i, c),
    "save_attachment": lambda s, t, i, a, c: s.save_attachment(
        _FILE.model_copy(update={"id": a, "thread_id": None, "name": "taken"}), c
    ),
    "load_attachment": lambda s, t, i, a, c: s.load_attachment(a, c),
    "delete_attachment": lambda s, t, i, a, c: s.delete_attachment(a, c),
}
_MORE_CALLS: dict[str, Call] = {
    "items after another's": lambda s, t, i, a, c: s.load_thread_items(t, i, 9, "asc", c),
    "attachment of another's thread": lambda s, t, i, a, c: s.save_attachment(
        _FILE.model_copy(update={"id": "atc_new", "thread_id": t}), c
    ),
}


def test_the_calls_are_all_that_a_store_has() -> None:
    assert _CALLS.keys() == Store.__abstractmethods__


async def _fill(store: ThreadStore) -> None:
    await store.save_thread(thread(), ANN)
    await store.add_thread_item("thr_1", item("msg_1"), ANN)
    await store.save_attachment(_FILE, ANN)


async def test_nothing_of_somebody_else_can_be_reached(store: ThreadStore) -> None:
    await _fill(store)
    before = await query("SELECT * FROM chatkit_item, chatkit_thread, chatkit_attachment")
    for stranger in (BOB, OTHER_ANN):
        for call in (_CALLS | _MORE_CALLS).values():
            with pytest.raises(NotFoundError):
                await call(store, "thr_1", "msg_1", "atc_file", stranger)
        assert (await store.load_threads(10, None, "desc", stranger)).data == []
    after = await query("SELECT * FROM chatkit_item, chatkit_thread, chatkit_attachment")
    assert after == before
    assert len(after) == 1


async def test_the_owner_can_do_all_of_it(store: ThreadStore) -> None:
    for call in (_CALLS | _MORE_CALLS).values():
        if await query("SELECT seq FROM chatkit_thread"):
            await store.delete_thread("thr_1", ANN)
        await _fill(store)
        await call(store, "thr_1", "msg_1", "atc_file", ANN)


_HALF = "half \ud83e"
_MAKE_NEW = {"save_thread", "save_attachment"}
_SAVE = {"add_thread_item", "save_item", "attachment of another's thread"}


async def test_what_is_not_there_is_not_found(store: ThreadStore) -> None:
    await _fill(store)
    calls = _CALLS | _MORE_CALLS
    for odd in ("absent", "", "nul\0", _HALF, "x" * 5000):
        for name, call in calls.items():
            # half a character cannot be written as JSON either
            if name not in (_MAKE_NEW | _SAVE if odd == _HALF else _MAKE_NEW):
                with pytest.raises(NotFoundError):
                    await call(store, odd, odd, odd, ANN)
        for name in ("load_item", "delete_thread_item", "items after another's"):
            with pytest.raises(NotFoundError):
                await calls[name](store, "thr_1", odd, odd, ANN)


async def test_users_without_a_name_that_can_be_kept(store: ThreadStore) -> None:
    for name in ("x" * 256, "nul\0", _HALF):
        for user in (User(name), User("ann", tenant=name)):
            with pytest.raises(BadRequest):
                await store.save_thread(thread(), StoreContext(user))
    await store.save_thread(thread(), StoreContext(User("x" * 255, tenant="ü" * 255)))


_MANY = 10_000


async def _add_many(store: ThreadStore) -> list[str]:
    """Put 10,000 items into a thread, and then as many into another; return the ids."""
    ids = [f"msg_{(number * 7919) % _MANY}" for number in range(_MANY)]
    for thread_id in ("thr_1", "thr_2"):
        await store.save_thread(thread(thread_id), ANN)
        rows = [
            Item(
                id=name,
                thread_id=thread_id,
                tenant=ANN.user.tenant,
                user_id=ANN.user.id,
                payload=item(name, thread_id).model_dump_json(),
            )
            for name in ids
        ]
        await Item.bulk_create(rows, batch_size=1000)
    return ids


async def test_long_threads_are_read_by_key_and_index(url: str) -> None:
    async with opened(url) as store:
        ids = await _add_many(store)
        await query("ANALYZE")
        assert await _all_items(store, "asc", 999) == ids
        assert await _all_items(store, "desc", 1000) == ids[::-1]
        for order in ("asc", "desc"):
            for after in (None, ids[30], ids[5000], ids[-31]):
                values = ["thr_1", *([after] if after else []), 21]
                page = sql.page_of_items(
                    order, after=after is not None, most=8_000_000, sqlite=_is_sqlite(url)
                )
                plan = await _plan(url, page, values)
                assert "chatkit_item_of_thread" in plan, plan


async def test_many_threads_are_read_by_key_and_index(url: str) -> None:
    async with opened(url) as store:
        for context in (ANN, BOB):
            rows = [
                Thread_(
                    id=f"thr_{context.user.id}_{number}",
                    tenant=context.user.tenant,
                    user_id=context.user.id,
                    payload=thread().model_dump_json(),
                )
                for number in range(1000)
            ]
            await Thread_.bulk_create(rows)
        await query("ANALYZE")
        assert len((await store.load_threads(5000, None, "asc", ANN)).data) == 1000
        for order in ("asc", "desc"):
            for after in (None, "thr_ann_30", "thr_ann_969"):
                values = [*([after] if after else []), 21]
                page = sql.page_of_threads(
                    order, after=after is not None, most=8_000_000, sqlite=_is_sqlite(url)
                )
                plan = await _plan(url, page, values)
                assert "chatkit_thread_of_user" in plan, plan


def _is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")


async def _plan(url: str, statement: str, values: list[Any]) -> str:
    """Return how a page of 21 rows is read, after a look at what would slow it down."""
    values = [ANN.user.tenant, ANN.user.id, *values]
    if _is_sqlite(url):
        explained = f"EXPLAIN QUERY PLAN {sql.for_sqlite(statement)}"
        plan = "\n".join(row["detail"] for row in await query(explained, *values))
        assert "TEMP B-TREE" not in plan, plan
        assert re.search(r"=\? AND (seq|rowid)[<>]\?\)", plan), plan
        assert "SCAN chatkit" not in plan, plan
    else:
        explained = f"EXPLAIN (ANALYZE, BUFFERS OFF) {statement}"
        plan = "\n".join(row["QUERY PLAN"] for row in await query(explained, *values))
        assert "Sort" not in plan, plan
        assert "Removed by" not in plan, plan
        read = [float(rows) for rows in re.findall(r"actual time=\S+ rows=([\d.]+)", plan)]
        assert max(read) == 21, plan
    return plan


async def test_the_end_of_a_thread_is_an_empty_page(store: ThreadStore) -> None:
    await store.save_thread(thread(), ANN)
    assert (await store.load_thread_items("thr_1", None, 5, "asc", ANN)).data == []
    await store.add_thread_item("thr_1", item("a"), ANN)
    for order in ("asc", "desc"):
        assert (await store.load_thread_items("thr_1", "a", 5, order, ANN)).data == []
        assert (await store.load_threads(5, "thr_1", order, ANN)).data == []
    page = await store.load_thread_items("thr_1", None, 10**30, "asc", ANN)
    assert [one.id for one in page.data] == ["a"]


async def test_writers_on_one_thread_lose_nothing_and_readers_miss_nothing(url: str) -> None:
    """Three servers write at once, while a reader goes on after the last item it saw."""
    async with opened(url) as one, opened(url) as two, opened(url) as three:
        await one.save_thread(thread(), ANN)
        names = [f"msg_{number}" for number in range(150)]
        writers = [
            asyncio.create_task(writer.add_thread_item("thr_1", item(name), ANN))
            for position, name in enumerate(names)
            for writer in ((one, two, three)[position % 3],)
        ]
        seen: list[str] = []
        over = False
        while not over:
            over = all(writer.done() for writer in writers)
            after = seen[-1] if seen else None
            page = await one.load_thread_items("thr_1", after, 1000, "asc", ANN)
            seen += [found.id for found in page.data]
        await asyncio.gather(*writers)
        assert sorted(seen) == sorted(names)
        assert await _all_items(two, "asc", 40) == seen


async def test_a_later_item_is_not_seen_before_an_earlier_one() -> None:
    """A reader that goes on after the last item it saw would never come back to the earlier."""
    url = postgres().new_url()
    async with opened(url) as two, opened(url) as one:
        await one.save_thread(thread(), ANN)
        async with in_transaction():
            await one.add_thread_item("thr_1", item("earlier"), ANN)
            later = asyncio.create_task(two.add_thread_item("thr_1", item("later"), ANN))
            waiting = "SELECT 1 FROM pg_locks WHERE NOT granted"
            while not later.done() and not await query(waiting):
                pass
            assert (await two.load_thread_items("thr_1", None, 9, "asc", ANN)).data == []
        await later
        assert await _all_items(two, "asc", 9) == ["earlier", "later"]


async def test_two_writers_of_one_item_make_one_item(url: str) -> None:
    async with opened(url) as one, opened(url) as two:
        await one.save_thread(thread(), ANN)
        saves = [
            store.add_thread_item("thr_1", item("msg", content=number), ANN)
            for number in range(20)
            for store in (one, two)
        ]
        await asyncio.gather(*saves)
        assert await _all_items(one, "asc", 10) == ["msg"]


_TABLES = ("thread", "item", "attachment", "feedback")


async def _counts() -> dict[str, int]:
    return {
        name: (await query(f"SELECT count(*) AS rows FROM chatkit_{name}"))[0]["rows"]
        for name in _TABLES
    }


async def test_deleting_a_thread_deletes_all_of_it_and_nothing_else(url: str) -> None:
    async with running(url) as plugin:
        store = plugin.store()
        for number in (1, 2):
            name = f"thr_{number}"
            await store.save_thread(thread(name), ANN)
            await store.add_thread_item(name, item("msg", name), ANN)
            file = _FILE.model_copy(update={"id": f"atc_{number}", "thread_id": name})
            await store.save_attachment(file, ANN)
            await plugin.feedback(ANN.user, name, ["msg"], "positive")
        await store.save_attachment(_IMAGE, ANN)
        assert await _counts() == {"thread": 2, "item": 2, "attachment": 3, "feedback": 2}
        await store.delete_thread("thr_1", ANN)
        assert await _counts() == {"thread": 1, "item": 1, "attachment": 2, "feedback": 1}
        assert (await store.load_item("thr_2", "msg", ANN)).id == "msg"
        with pytest.raises(NotFoundError):
            await store.load_attachment("atc_1", ANN)


async def test_the_newest_thumb_counts(url: str) -> None:
    async with running(url) as plugin:
        store = plugin.store()
        await store.save_thread(thread(), ANN)
        await store.save_thread(thread("thr_2"), ANN)
        names = [f"msg_{number}" for number in range(1200)]
        for name in names[:3]:
            await store.add_thread_item("thr_1", item(name), ANN)
        await store.add_thread_item("thr_2", item("msg_0", "thr_2"), ANN)
        assert await plugin.feedback(ANN.user, "thr_1", ["msg_0", "msg_0"], "positive") is True
        assert await plugin.feedback(ANN.user, "thr_1", names, "negative") is True
        assert await plugin.feedback(ANN.user, "thr_1", ["msg_2"], "positive") is True
        assert await plugin.feedback(ANN.user, "thr_1", [], "positive") is True
        assert await plugin.feedback(BOB.user, "thr_1", names, "positive") is True
        found = await query(
            "SELECT i.thread_id, i.id, f.tenant, f.user_id, f.kind FROM chatkit_feedback f "
            "JOIN chatkit_item i ON i.seq = f.item_id ORDER BY i.seq"
        )
        assert [tuple(row.values()) for row in found] == [
            ("thr_1", "msg_0", "acme", "ann", "negative"),
            ("thr_1", "msg_1", "acme", "ann", "negative"),
            ("thr_1", "msg_2", "acme", "ann", "positive"),
        ]
        await store.delete_thread_item("thr_1", "msg_1", ANN)
        assert (await _counts())["feedback"] == 2


async def test_ids_are_long_and_ordered_by_time(store: ThreadStore) -> None:
    ids = [store.generate_item_id("message", thread(), ANN) for _ in range(1000)]
    assert ids == sorted(set(ids))
    assert all(one.startswith("msg_") and len(one) == 4 + 32 for one in ids)
    assert store.generate_thread_id(ANN).startswith("thr_")


async def test_a_restart_keeps_everything(url: str) -> None:
    async with opened(url) as store:
        await _fill(store)
    async with opened(url) as store:
        assert await store.load_thread("thr_1", ANN) == thread()
        assert await store.load_item("thr_1", "msg_1", ANN) == item("msg_1")
        assert await store.load_attachment("atc_file", ANN) == _FILE
        await store.add_thread_item("thr_1", item("msg_2"), ANN)
        assert await _all_items(store, "asc", 1) == ["msg_1", "msg_2"]


_WRITE_FOR_EVER = """
import asyncio, sys, warnings
warnings.simplefilter("ignore")
from itertools import count
from tests.stores import ANN, item, opened, thread

async def main():
    async with opened(sys.argv[1]) as store:
        await store.save_thread(thread(), ANN)
        for number in count():
            await store.add_thread_item("thr_1", item(f"msg_{number}"), ANN)
            print(number, flush=True)

asyncio.run(main())
"""


async def test_what_was_saved_outlives_a_killed_process(tmp_path: Path) -> None:
    url = new_url("sqlite", tmp_path)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _WRITE_FOR_EVER, url),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    saved = [await process.stdout.readline() for _ in range(50)]
    process.kill()
    rest, _ = await process.communicate()
    numbers = [
        int(line)
        for line in (b"".join(saved) + rest).splitlines(keepends=True)
        if line.endswith(b"\n")
    ]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 50
    async with opened(url) as store:
        found = await _all_items(store, "asc", 500)
    assert found[: len(numbers)] == [f"msg_{number}" for number in numbers]


async def test_a_store_takes_part_in_the_transaction_it_is_called_in(store: ThreadStore) -> None:
    async with in_transaction() as transaction:
        await store.save_thread(thread(), ANN)
        assert await store.load_thread("thr_1", ANN) == thread()
        await transaction.rollback()
    with pytest.raises(NotFoundError):
        await store.load_thread("thr_1", ANN)


async def test_a_cancelled_call_leaves_the_store_usable(store: ThreadStore) -> None:
    await store.save_thread(thread(), ANN)
    for number in range(30):
        call = asyncio.create_task(store.add_thread_item("thr_1", item(f"msg_{number}"), ANN))
        for _ in range(number % 6):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    await store.add_thread_item("thr_1", item("last"), ANN)
    ids = await _all_items(store, "asc", 10)
    assert ids[-1] == "last"
    assert len(ids) == len(set(ids))


async def test_a_server_that_goes_away_is_unavailable_until_it_is_back(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "chatkit_plugins.tortoise_store")
    monkeypatch.setattr(records, "SETTLE", 0)
    real = postgres()
    front = Front(real.port)
    await front.open()
    try:
        name = real.new_url().rpartition("/")[2]
        url = real.url(name).replace(f":{real.port}/", f":{front.port}/")
        async with opened(url) as store:
            await store.save_thread(thread(), ANN)
            await front.close()
            for _ in range(3):
                with pytest.raises(Unavailable) as raised:
                    await store.load_thread("thr_1", ANN)
                assert raised.value.message == (
                    "The conversations are not available right now. Try again in a moment."
                )
            await front.open()
            for _ in range(3):
                assert await store.load_thread("thr_1", ANN) == thread()
        down, back = caplog.messages
        assert f"{name} does not answer: " in down
        assert "Error" in down.partition("does not answer: ")[2], "it says why"
        assert f"{name} answers again, after " in back
    finally:
        await front.close()


async def test_a_file_that_stays_locked_is_unavailable(tmp_path: Path) -> None:
    url = f"{new_url('sqlite', tmp_path)}?busy_timeout=50"
    async with opened(url) as one, opened(url) as two:
        await one.save_thread(thread(), ANN)
        async with in_transaction():
            await query("DELETE FROM chatkit_item")
            with pytest.raises(Unavailable):
                await one.add_thread_item("thr_1", item("msg"), ANN)
        await two.add_thread_item("thr_1", item("msg"), ANN)


async def test_calls_after_the_end_say_so(tmp_path: Path) -> None:
    async with running(new_url("sqlite", tmp_path)) as plugin:
        pass
    with pytest.raises(RuntimeError, match="is not running"):
        await plugin.store().load_thread("thr_1", ANN)
