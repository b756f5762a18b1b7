"""Compares what a page shows at the end of a stream with what is stored.

A stream that goes on at another process may tell things in another way. What it shows must be the
same.
"""

from __future__ import annotations

import math
from typing import Any

from tests.conversing import Page
from tests.faults.audit import Audit, marks, tag_of, text_of
from tests.faults.person import Stream


async def check_pages(audit: Audit) -> None:
    """Compare all streams of a user with the store, before anything more is said."""
    items = await audit.person.items()
    for stream in audit.person.streams:
        if stream.hung:
            audit.losses.add("events", f"{stream.turn_id}: neither an event nor the end came")
        if stream.frames and not stream.frames[0].kind:
            _check_plain(audit, stream, items)
        else:
            _check_page(audit, stream, items)


def _check_page(audit: Audit, stream: Stream, items: list[dict[str, Any]]) -> None:
    page = Page()
    try:
        page.show(*(frame.data for frame in stream.frames))
    except (AssertionError, LookupError) as error:
        kinds = [f"{frame.number} {frame.kind}" for frame in stream.frames]
        audit.losses.add("events", f"{stream.turn_id}: {error!r} in {kinds}")
        return
    if stream.ended:
        _compare(audit, stream, page, {item["id"]: item for item in items})


def _compare(audit: Audit, stream: Stream, page: Page, stored: dict[str, dict[str, Any]]) -> None:
    """Compare what the page of an ended stream shows with what is stored of its turn.

    What came in the last seconds before a process or a database died need not be stored.
    """
    gone = {id for message in audit.person.messages for id in message.superseded}
    may_be_lost = audit.shown_until < math.inf
    for item_id, item in page.items.items():
        if item_id in gone or (may_be_lost and item_id not in stored):
            continue
        if stored.get(item_id) != item:
            line = f"{stream.turn_id}: shows {item}, and {stored.get(item_id)} is stored"
            audit.losses.add("events", line)
    retried = {message.tag for message in audit.person.messages if message.superseded}
    asked = {tag for item in page.items.values() if (tag := tag_of(item))} - retried
    for item_id, item in stored.items():
        if marks([item]) & asked and item_id not in page.items and item_id not in gone:
            audit.losses.add("events", f"{stream.turn_id}: does not show {item}")


def _check_plain(audit: Audit, stream: Stream, items: list[dict[str, Any]]) -> None:
    """Compare the text of a plain stream with the messages that are stored."""
    shown, is_done = "", False
    for frame in stream.frames:
        shown = "" if frame.data.get("withdrawn") else shown + frame.data.get("content", "")
        is_done = is_done or bool(frame.data.get("done"))
    texts = [text_of(item) for item in items if item["type"] == "assistant_message"]
    if stream.ended and (not is_done or shown.split() != " ".join(texts).split()):
        audit.losses.add("events", f"{stream.turn_id}: shows {shown!r}, and {texts} are stored")
