"""What users think of answers can be listed, beside a server that runs."""

from __future__ import annotations

import asyncio
import csv
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    InferenceOptions,
    ThreadItem,
    UserMessageItem,
    UserMessageTextContent,
)
from chatkit_plugins.tortoise_store.feedback import _AT_ONCE

from chatkit_server import User
from chatkit_server.cli.main import main
from chatkit_server.storage import StoreContext
from tests.stores import ANN, BOB, item, query, running, thread

NOW = datetime.now(UTC)


def user_message(item_id: str, text: str) -> UserMessageItem:
    return UserMessageItem(
        id=item_id,
        thread_id="thr_1",
        created_at=NOW,
        content=[UserMessageTextContent(text=text)],
        attachments=[],
        inference_options=InferenceOptions(),
    )


def answer(item_id: str, text: str) -> AssistantMessageItem:
    content = [AssistantMessageContent(text=text)]
    return AssistantMessageItem(id=item_id, thread_id="thr_1", created_at=NOW, content=content)


class Lister:
    """Runs the command as an operator does, beside a server."""

    def __init__(self, url: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.settings = folder / "settings.yaml"
        self._capsys = capsys
        self.use(url)

    def use(self, url: str) -> None:
        store = json.dumps({"url": url})
        self.settings.write_text(
            f"plugins:\n  anonymous_auth:\n  tortoise_store: {store}\n  demo_model:\n"
        )

    async def run(self, *options: str) -> tuple[int, str, str]:
        arguments = ["feedback", "--settings", str(self.settings), *options]
        self._capsys.readouterr()
        status = await asyncio.to_thread(main, arguments)
        return status, *self._capsys.readouterr()

    async def rows(self, *options: str) -> list[dict[str, Any]]:
        status, out, err = await self.run("--format", "jsonl", *options)
        assert (status, err) == (0, "")
        return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def lister(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Lister:
    return Lister(url, tmp_path, capsys)


async def fill(plugin: Any, context: StoreContext = ANN) -> None:
    """Save a conversation of two questions and their answers."""
    store = plugin.store()
    await store.save_thread(thread(), context)
    items: list[ThreadItem] = [
        user_message("msg_1", "How far is the moon?"),
        item("hidden"),
        answer("msg_2", "Far away. \u2603\n=1+1"),
        user_message("msg_3", "=cmd|'/c calc'!A1"),
        answer("msg_4", "@No.\x1b[31m"),
    ]
    for one in items:
        await store.add_thread_item("thr_1", one, context)


async def test_all_feedback_is_listed_while_the_server_runs(url: str, lister: Lister) -> None:
    async with running(url) as plugin:
        await fill(plugin)
        await plugin.feedback(ANN.user, "thr_1", ["msg_2"], "positive")
        await plugin.feedback(ANN.user, "thr_1", ["msg_4"], "positive")
        await plugin.feedback(ANN.user, "thr_1", ["msg_2"], "negative")
        await plugin.feedback(BOB.user, "thr_1", ["msg_2"], "negative")
        one, two = await lister.rows()
        since = datetime.fromisoformat(one.pop("time"))
        assert abs((since - datetime.now(UTC)).total_seconds()) < 300
        ann = {"tenant": "acme", "user": "ann", "thread": "thr_1"}
        assert one == {**ann, "kind": "negative", "item": "msg_2"}, "the second click counts"
        assert (two["item"], two["kind"]) == ("msg_4", "positive")
        assert [row["item"] for row in await lister.rows("--kind", "negative")] == ["msg_2"]
        await query("UPDATE chatkit_feedback SET given = given - 200000 WHERE kind = 'negative'")
        assert [row["item"] for row in await lister.rows("--since", "2d")] == ["msg_4"]
        assert len(await lister.rows("--since", "3d")) == 2
        assert len(await lister.rows("--since", "2026-01-31")) == 2
        assert await lister.rows("--since", "2999-01-31") == []
        await query("UPDATE chatkit_feedback SET given = NULL")
        assert [row["time"] for row in await lister.rows()] == [None, None], "of older versions"


async def test_texts_are_told_with_the_question_before(url: str, lister: Lister) -> None:
    async with running(url) as plugin:
        await fill(plugin)
        await plugin.feedback(ANN.user, "thr_1", ["msg_2", "msg_4"], "positive")
        rows = await lister.rows("--text")
        assert [(row["question"], row["text"]) for row in rows] == [
            ("How far is the moon?", "Far away. \u2603\n=1+1"),
            ("=cmd|'/c calc'!A1", "@No.\x1b[31m"),
        ]
        _, table, _ = await lister.run("--text")
        head, first, question, text, *_ = table.splitlines()
        assert head.split() == ["TIME", "KIND", "TENANT", "USER", "THREAD", "ITEM"]
        assert first.split()[1:] == ["positive", "acme", "ann", "thr_1", "msg_2"]
        assert question == "    question: How far is the moon?"
        assert text == "    text: Far away. \u2603 =1+1"
        assert "\x1b" not in table


async def test_a_spreadsheet_runs_nothing_that_a_user_has_written(url: str, lister: Lister) -> None:
    mallory = StoreContext(User("-2+3", tenant="+x"))
    async with running(url) as plugin:
        await fill(plugin, mallory)
        await plugin.feedback(mallory.user, "thr_1", ["msg_2", "msg_4"], "positive")
        status, out, _ = await lister.run("--format", "csv", "--text")
        assert status == 0
        first, second = csv.DictReader(out.splitlines(keepends=True))
        assert (first["user"], first["tenant"]) == ("'-2+3", "'+x")
        assert first["text"] == "Far away. \u2603\n=1+1"
        assert (second["question"], second["text"]) == ("'=cmd|'/c calc'!A1", "'@No.\x1b[31m")


async def test_a_large_table_is_read_in_parts(url: str, lister: Lister) -> None:
    count = 2 * _AT_ONCE
    async with running(url) as plugin:
        store = plugin.store()
        await store.save_thread(thread(), ANN)
        ids = [f"msg_{number}" for number in range(count)]
        await asyncio.gather(*(store.add_thread_item("thr_1", item(one), ANN) for one in ids))
        await plugin.feedback(ANN.user, "thr_1", ids, "positive")
        assert {row["item"] for row in await lister.rows()} == set(ids)
        assert len((await lister.run("--format", "csv"))[1].splitlines()) == count + 1


async def test_a_database_that_is_not_there_is_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lister = Lister(f"sqlite://{tmp_path}/none.db", tmp_path, capsys)
    status, _, err = await lister.run()
    assert (status, "there is no database" in err) == (2, True)
    assert not (tmp_path / "none.db").exists()
    lister.use("sqlite://:memory:")
    assert "in the memory of the server" in (await lister.run())[2]


async def test_tables_of_an_older_version_are_not_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.db").touch()
    lister = Lister(f"sqlite://{tmp_path}/empty.db", tmp_path, capsys)
    status, _, err = await lister.run()
    assert status == 2
    assert "has pending migrations" in err
    assert "run `chatkit-server migrate`" in err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--since", "soon"), "expected a duration such as 7d or 12h, or a date"),
        (("--kind", "lukewarm"), "'--kind': 'lukewarm' is not one of"),
        (("--help",), "the question before it"),
    ],
)
async def test_wrong_options_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], told: str
) -> None:
    lister = Lister(f"sqlite://{tmp_path}/none.db", tmp_path, capsys)
    status, out, err = await lister.run(*options)
    assert status == (0 if options == ("--help",) else 2)
    assert told in re.sub(r"\s+", " ", out + err)
