"""A page of large rows is cut by its bytes, and goes on where it was cut."""

from __future__ import annotations

import tracemalloc

from tortoise.transactions import in_transaction

from tests.stores import ANN, item, running, thread

LARGE = "é" * 50_000
"""A text of 100 kB."""


async def test_pages_end_when_they_are_large(url: str) -> None:
    async with running(url, page_size="350kB") as plugin:
        store = plugin.store()
        names = [f"{number}" for number in range(10)]
        for name in names:
            await store.save_thread(thread(f"thr_{name}", metadata={"note": LARGE}), ANN)
            await store.add_thread_item("thr_0", item(name, "thr_0", LARGE), ANN)
        for order in ("asc", "desc"):
            for in_order in (False, True):
                found: list[str] = []
                after, sizes = None, []
                while True:
                    if in_order:
                        items = await store.load_thread_items("thr_0", after, 100, order, ANN)
                        found += [one.id for one in items.data]
                    else:
                        items = await store.load_threads(100, after, order, ANN)
                        found += [one.id.removeprefix("thr_") for one in items.data]
                    sizes.append(len(items.data))
                    after = items.after
                    assert items.has_more == (after is not None)
                    if after is None:
                        break
                assert found == (names if order == "asc" else names[::-1])
                assert max(sizes) == 4
                assert len(sizes) > 1


async def test_a_row_larger_than_a_page_is_a_page(url: str) -> None:
    async with running(url, page_size="1kB") as plugin:
        store = plugin.store()
        for number in range(3):
            await store.save_thread(thread(f"thr_{number}", metadata={"note": LARGE}), ANN)
        page = await store.load_threads(100, None, "asc", ANN)
        assert [one.id for one in page.data] == ["thr_0"]
        assert (page.has_more, page.after) == (True, "thr_0")
        page = await store.load_threads(100, "thr_1", "asc", ANN)
        assert [one.id for one in page.data] == ["thr_2"]
        assert (page.has_more, page.after) == (False, None)
        async with in_transaction():
            page = await store.load_threads(100, None, "asc", ANN)
        assert [one.id for one in page.data] == ["thr_0"]


async def test_small_rows_are_counted_only(url: str) -> None:
    async with running(url) as plugin:
        store = plugin.store()
        for number in range(5):
            await store.save_thread(thread(f"thr_{number}"), ANN)
        for limit in (1, 4, 5, 6):
            page = await store.load_threads(limit, None, "asc", ANN)
            assert len(page.data) == min(limit, 5)
            assert page.has_more == (limit < 5)


async def test_a_page_of_large_rows_takes_little_memory(url: str) -> None:
    async with running(url, page_size="500kB") as plugin:
        store = plugin.store()
        for number in range(100):
            await store.save_thread(thread(f"thr_{number}", metadata={"note": LARGE}), ANN)
        tracemalloc.start()
        try:
            await store.load_threads(100, None, "asc", ANN)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 5_000_000, "the rows have 10 MB"
