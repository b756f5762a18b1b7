"""What every store of conversations has to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from chatkit.store import NotFoundError
from chatkit.types import Page, Thread, ThreadMetadata

from ...errors import NotFound
from ...ids import is_id
from ...turn import StoreContext, User
from . import samples
from .claims import claim, holds, may_raise, raises, returns, same, shown
from .samples import ANN, BOB, FILE, IMAGE, OTHER_ANN, STRANGERS, item, message, thread
from .store_calls import ChatStore, changes, fill, ids_of, items, reads, threads, who, writes

REFUSALS = (NotFoundError, NotFound, PermissionError)
"""What a store may raise instead of doing nothing for a stranger."""

ODD_IDS = ("absent", "", "nul\0", "x" * 5000, "'\"; -- $1 ?1 %s", "../thr_1")


class StoreContract:
    """Tests of a `chatkit.store.Store`. Give them a fixture `store`: a new one, without threads.

    Override `reopened` if what the store keeps outlives the object.
    """

    pytestmark = pytest.mark.asyncio

    async def reopened(self, store: ChatStore) -> ChatStore | None:
        """Return another store object on the same data, as another process has it.

        The first one may be closed for that. By default None: the test that needs it is skipped.
        """
        return None

    # What comes back

    @claim(
        "A thread comes back with all it was saved with",
        "the server reads it before each answer",
    )
    async def test_threads_come_back_as_they_were_saved(self, store: ChatStore) -> None:
        for one in samples.threads():
            await store.save_thread(one, ANN)
        for one in samples.threads():
            same(await store.load_thread(one.id, ANN), one, f"load_thread({one.id!r})")

    @claim(
        "An item of any type comes back with all it was saved with",
        "pages show it, and the model reads it again in the next turn",
    )
    async def test_items_come_back_as_they_were_saved(self, store: ChatStore) -> None:
        await store.save_thread(thread(), ANN)
        for one in samples.items():
            await store.add_thread_item("thr_1", one, ANN)
        for one in samples.items():
            call = f"load_item of a {type(one).__name__}"
            same(await store.load_item("thr_1", one.id, ANN), one, call)
        ids = [one.id for one in samples.items()]
        found = await items(store)
        same([one.id for one in found], ids, "load_thread_items")
        for came, one in zip(found, samples.items(), strict=True):
            same(came, one, f"load_thread_items with a {type(one).__name__}")

    @claim(
        "A thread that is saved again replaces the one before, where it stands",
        "the server saves it for each new title, and pages would lose their place",
    )
    async def test_saving_a_thread_again_replaces_it(self, store: ChatStore) -> None:
        for number in range(3):
            await store.save_thread(thread(f"thr_{number}", number), ANN)
        renamed = thread("thr_0", title="new", metadata={"n": 1})
        await store.save_thread(Thread(**renamed.model_dump(), items=Page()), ANN)
        same(await store.load_thread("thr_0", ANN), renamed, "load_thread after the second save")
        ids = [one.id for one in await threads(store, "asc", 10)]
        same(ids, ["thr_0", "thr_1", "thr_2"], "load_threads in the order 'asc'")

    @claim(
        "`add_thread_item` and `save_item` replace an item of the same id, where it stands",
        "widgets are saved again when they change, and may not move or double",
    )
    async def test_saving_an_item_again_replaces_it(self, store: ChatStore) -> None:
        await store.save_thread(thread(), ANN)
        for number, name in enumerate("abc"):
            await store.add_thread_item("thr_1", item(name, number=number), ANN)
        await store.add_thread_item("thr_1", item("a", content="added again"), ANN)
        await store.save_item("thr_1", item("b", number=1, content="saved again"), ANN)
        await store.save_item("thr_1", item("d", number=3, content="new"), ANN)
        found = await items(store)
        same([one.id for one in found], ["a", "b", "c", "d"], "load_thread_items")
        said = ["added again", "saved again", "text", "new"]
        same([getattr(one, "content", None) for one in found], said, "the content of these items")

    @claim(
        "What a store returns is the caller's own, and so is what it was given",
        "the server changes threads and items as an answer goes on",
    )
    async def test_what_was_saved_does_not_change_with_the_object(self, store: ChatStore) -> None:
        mine, said = thread(title="saved", metadata={"n": [1]}), message("msg_1", 0, "saved")
        file = FILE.model_copy(deep=True)
        await store.save_thread(mine, ANN)
        await store.add_thread_item("thr_1", said, ANN)
        await store.save_attachment(file, ANN)
        mine.title, mine.metadata["n"], said.content[0].text = "changed", [2], "changed"
        file.name = "changed"
        for _ in range(2):
            found = await store.load_thread("thr_1", ANN)
            holds(found.title == "saved", "a thread changed when the object did that was saved")
            holds(found.metadata == {"n": [1]}, "`metadata` changed with the object")
            one: Any = await store.load_item("thr_1", "msg_1", ANN)
            holds(one.content[0].text == "saved", "an item changed with an object outside")
            loaded = await store.load_attachment(FILE.id, ANN)
            holds(loaded.name == FILE.name, "an attachment changed with an object outside")
            found.title, one.content[0].text, loaded.name = "changed", "changed", "changed"
            found.metadata["n"].append(3)

    # Pages

    @claim(
        "Items come page by page, in the order in which they were first saved",
        "a page or the model would otherwise miss some, or read them twice",
    )
    async def test_items_come_page_by_page(self, store: ChatStore) -> None:
        await store.save_thread(thread(), ANN)
        ids = [f"msg_{number * 7 % 13}" for number in range(13)]
        for number, name in enumerate(ids):
            await store.add_thread_item("thr_1", item(name, number=number), ANN)
        for order, expected in (("asc", ids), ("desc", ids[::-1])):
            for limit in (1, 3, 13, 20):
                found = [one.id for one in await items(store, order, limit)]
                same(found, expected, f"reading pages of {limit} in the order {order!r}")

    @claim(
        "Threads come page by page, in the order in which they began",
        "the list of conversations would otherwise miss some, or show them twice",
    )
    async def test_threads_come_page_by_page(self, store: ChatStore) -> None:
        ids = [f"thr_{number * 7 % 13}" for number in range(13)]
        for number, name in enumerate(ids):
            await store.save_thread(thread(name, number), ANN)
            await store.save_thread(thread(f"thr_bob_{number}", number), BOB)
        for order, expected in (("asc", ids), ("desc", ids[::-1])):
            for limit in (1, 3, 13, 20):
                found = [one.id for one in await threads(store, order, limit)]
                same(found, expected, f"reading pages of {limit} in the order {order!r}")

    @claim(
        "A page has no more rows than its limit, and after the last row nothing comes",
        "pages are asked for until `has_more` is False",
    )
    async def test_pages_have_limits_and_an_end(self, store: ChatStore) -> None:
        await store.save_thread(thread(), ANN)
        empty = await store.load_thread_items("thr_1", None, 5, "asc", ANN)
        holds(not empty.data and not empty.has_more, f"a new thread has the page {shown(empty)}")
        for number, name in enumerate("abc"):
            await store.add_thread_item("thr_1", item(name, number=number), ANN)
            await store.save_thread(thread(f"thr_{name}", number + 1), ANN)
        for order, last in (("asc", "c"), ("desc", "a")):
            page = await store.load_thread_items("thr_1", None, 2, order, ANN)
            holds(len(page.data) <= 2, f"a page of 2 items has {len(page.data)}")
            holds(page.has_more, f"`has_more` of the first 2 of 3 items is {page.has_more}")
            listed = await store.load_threads(2, None, order, ANN)
            holds(len(listed.data) <= 2, f"a page of 2 threads has {len(listed.data)}")
            end = await store.load_thread_items("thr_1", last, 5, order, ANN)
            holds(not end.data, f"after the last item of {order!r}, `data` is {shown(end.data)}")
            holds(not end.has_more, f"after the last item of {order!r}, `has_more` is True")

    @claim(
        "Reading goes on after the last row that was seen, while others are added",
        "a conversation goes on while somebody reads it",
    )
    async def test_reading_goes_on_where_it_was(self, store: ChatStore) -> None:
        await store.save_thread(thread(), ANN)
        for number in range(4):
            await store.add_thread_item("thr_1", item(f"msg_{number}", number=number), ANN)
        older = await store.load_thread_items("thr_1", "msg_2", 2, "desc", ANN)
        await store.add_thread_item("thr_1", item("msg_4", number=4), ANN)
        again = await store.load_thread_items("thr_1", "msg_2", 2, "desc", ANN)
        same(ids_of(again), ids_of(older), "the page after 'msg_2', once 'msg_4' was added,")
        newer = await store.load_thread_items("thr_1", "msg_3", 5, "asc", ANN)
        same(ids_of(newer), ["msg_4"], "the page after 'msg_3' in the order 'asc'")

    # Whose it is, and what is not there

    @claim(
        "What is not there raises `NotFoundError`",
        "the server answers 404 then, and anything else is a failure or a lost message",
    )
    async def test_what_is_not_there_is_not_found(self, store: ChatStore) -> None:
        await fill(store, ANN)
        await store.save_thread(thread("thr_2", 1), ANN)
        for odd in ODD_IDS:
            name = shown(odd)
            for call, loading in reads(store, odd, odd, odd, ANN):
                await raises(NotFoundError, loading, f"{call} of {name}")
            in_mine = store.load_item("thr_1", odd, ANN)
            await raises(NotFoundError, in_mine, f"load_item of {name} in a thread that is there")
        other = store.load_item("thr_2", "msg_1", ANN)
        await raises(NotFoundError, other, "load_item of an item of another thread")
        for call, saving in writes(store, "absent", "msg_1", ANN):
            await raises(NotFoundError, saving, f"{call} to a thread that is not there")

    @claim(
        "What belongs to another user or tenant raises `NotFoundError`",
        "users may not read each other's conversations, nor learn that they exist",
    )
    async def test_strangers_find_nothing(self, store: ChatStore) -> None:
        await fill(store, ANN)
        for stranger in STRANGERS:
            name = who(stranger)
            for call, loading in reads(store, "thr_1", "msg_1", FILE.id, stranger):
                await raises(NotFoundError, loading, f"{call} of Ann's by {name}")
            for call, saving in writes(store, "thr_1", "msg_1", stranger):
                await raises(NotFoundError, saving, f"{call} to Ann's thread by {name}")
            listed = ids_of(await store.load_threads(10, None, "desc", stranger))
            same(listed, [], f"load_threads of {name}")

    @claim(
        "What a stranger writes or deletes leaves the owner's data as it was",
        "ids can be guessed, or read in a log",
    )
    async def test_strangers_change_nothing(self, store: ChatStore) -> None:
        await fill(store, ANN)
        for stranger in STRANGERS:
            for call, writing in changes(store, stranger):
                await may_raise(REFUSALS, writing)
                what = f"after {call} by {who(stranger)}, "
                await returns(store.load_thread("thr_1", ANN), thread(), f"{what}load_thread")
                loading = store.load_item("thr_1", "msg_1", ANN)
                await returns(loading, item(), f"{what}load_item")
                await returns(store.load_attachment(FILE.id, ANN), FILE, f"{what}load_attachment")
                ids = [one.id for one in await items(store)]
                same(ids, ["msg_1"], f"{what}load_thread_items")

    @claim(
        "A user is a tenant and an id, whatever characters they have",
        "keys such as `f'{tenant}:{id}'` give two users the same conversations",
    )
    async def test_users_with_odd_names_are_kept_apart(self, store: ChatStore) -> None:
        pairs = [("a", "b:c"), ("a:b", "c"), ("a/b", "c"), ("a", "b/c"), ("a_b", "c"), ("a", "b_c")]
        pairs += [("ab", "c"), ("a", "bc"), ("", "a"), ("ACME", "Ann"), ("acme", "ann "), ("", "%")]
        pairs += [("acme", "ann"), ("acme", "Ann"), ("Acme", "ann")]
        contexts = [StoreContext(User(id, tenant)) for tenant, id in pairs]
        for number, context in enumerate(contexts):
            await store.save_thread(thread(f"thr_of_{number}", number), context)
        for number, context in enumerate(contexts):
            listed = ids_of(await store.load_threads(20, None, "asc", context))
            same(listed, [f"thr_of_{number}"], f"load_threads of {who(context)}")

    # Deleting

    @claim(
        "`delete_thread` deletes the thread with its items, and nothing else",
        "users trust that what they delete is gone",
    )
    async def test_deleting_a_thread_deletes_its_items(self, store: ChatStore) -> None:
        await fill(store, ANN)
        await store.save_thread(thread("thr_2", 1), ANN)
        await store.add_thread_item("thr_2", item("msg_2", "thr_2"), ANN)
        await store.delete_thread("thr_1", ANN)
        await raises(NotFoundError, store.load_thread("thr_1", ANN), "load_thread of it")
        await raises(NotFoundError, store.load_item("thr_1", "msg_1", ANN), "load_item in it")
        same([one.id for one in await threads(store)], ["thr_2"], "load_threads")
        left = [one.id for one in await items(store, thread_id="thr_2")]
        same(left, ["msg_2"], "load_thread_items of another thread")
        await store.save_thread(thread(), ANN)
        same([one.id for one in await items(store)], [], "load_thread_items of a new 'thr_1'")

    @claim(
        "`delete_thread_item` deletes one item",
        "a retry replaces an answer by deleting what came after the question",
    )
    async def test_deleting_an_item_deletes_it_alone(self, store: ChatStore) -> None:
        await store.save_thread(thread(), ANN)
        for number, name in enumerate("abc"):
            await store.add_thread_item("thr_1", item(name, number=number), ANN)
        await store.delete_thread_item("thr_1", "b", ANN)
        await raises(NotFoundError, store.load_item("thr_1", "b", ANN), "load_item of it")
        same([one.id for one in await items(store)], ["a", "c"], "load_thread_items")

    # Attachments, ids, several at once

    @claim(
        "An attachment comes back as it was last saved, until it is deleted",
        "its `thread_id` and `metadata` say what it may be used for",
    )
    async def test_attachments_come_back_as_they_were_saved(self, store: ChatStore) -> None:
        for one in (FILE, IMAGE):
            await store.save_attachment(one, ANN)
            same(await store.load_attachment(one.id, ANN), one, f"load_attachment({one.id!r})")
        await store.save_thread(thread(), ANN)
        joined = IMAGE.model_copy(update={"thread_id": "thr_1", "upload_descriptor": None})
        await store.save_attachment(joined, ANN)
        again = await store.load_attachment(IMAGE.id, ANN)
        same(again, joined, "load_attachment after the second save")
        await store.delete_attachment(IMAGE.id, ANN)
        deleted = store.load_attachment(IMAGE.id, ANN)
        await raises(NotFoundError, deleted, "load_attachment of a deleted one")
        same(await store.load_attachment(FILE.id, ANN), FILE, "load_attachment of the other one")

    @claim(
        "Ids that a store makes are new each time, and 1 to 200 printable characters",
        "an item with the id of another one replaces it",
    )
    async def test_ids_are_new_each_time(self, store: ChatStore) -> None:
        makers: list[tuple[str, Callable[[], Any]]] = [
            ("generate_thread_id", lambda: store.generate_thread_id(ANN)),
            ("generate_item_id", lambda: store.generate_item_id("message", thread(), ANN)),
        ]
        for name, make in makers:
            made = [make() for _ in range(200)]
            good = all(isinstance(one, str) and one and is_id(one) for one in made)
            holds(good, f"{name} returned {shown(made[0])}")
            holds(len(set(made)) == len(made), f"{name} returned an id twice in 200 calls")

    @claim(
        "What is written at once is all kept, and once each",
        "answers, actions and titles write to a thread at the same time",
    )
    async def test_writers_at_once_lose_nothing(self, store: ChatStore) -> None:
        await store.save_thread(thread(), ANN)
        names = [f"msg_{number}" for number in range(20)]
        adding = [
            store.add_thread_item("thr_1", item(name, number=number), ANN)
            for number, name in enumerate(names)
            for _ in range(2)
        ]
        others = [store.save_thread(thread("thr_1", title=str(n)), ANN) for n in range(5)]
        await asyncio.gather(*adding, *others)
        found = [one.id for one in await items(store)]
        same(sorted(found), sorted(names), "load_thread_items after 20 items were added twice")

    @claim(
        "`change_thread` lets nobody write between reading and saving",
        "a title, a status and `metadata` are changed by several at once",
    )
    async def test_changes_of_a_thread_are_not_lost(self, store: ChatStore) -> None:
        change_thread = getattr(store, "change_thread", None)
        if change_thread is None:
            pytest.skip("the store has no `change_thread`, which it need not have")

        def count(found: ThreadMetadata) -> ThreadMetadata:
            number = found.metadata.get("n", 0) + 1
            return found.model_copy(update={"metadata": {"n": number}})

        await store.save_thread(thread(), ANN)
        await asyncio.gather(*(change_thread("thr_1", count, ANN) for _ in range(10)))
        found = await store.load_thread("thr_1", ANN)
        same(found.metadata, {"n": 10}, "`metadata` after 10 changes at once")
        for odd, context in (("absent", ANN), ("thr_1", OTHER_ANN)):
            absent = change_thread(odd, count, context)
            await raises(NotFoundError, absent, f"change_thread of {odd!r} by {who(context)}")

    @claim(
        "What a method has saved when it returns is safe",
        "the client is told that an item is done, and the process may die then",
    )
    async def test_what_was_saved_outlives_the_object(self, store: ChatStore) -> None:
        await fill(store, ANN)
        await store.load_thread("thr_1", ANN)
        again = await self.reopened(store)
        if again is None:
            pytest.skip("override `reopened` to try it")
        same(await again.load_thread("thr_1", ANN), thread(), "load_thread")
        same(await again.load_item("thr_1", "msg_1", ANN), item(), "load_item")
        same(await again.load_attachment(FILE.id, ANN), FILE, "load_attachment")
