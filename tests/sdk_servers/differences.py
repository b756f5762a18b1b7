"""What this server does in another way on purpose."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

import orjson

from chatkit_server.testing.model_script import Json

from .page import Exchange
from .transcript import LOCAL_TIME

Exchanges = list[Exchange]

NAMELESS = "__fake_id__"
"""The id that the Agents SDK gives to messages of chat completions."""


def _as_they_are(official: Exchanges, ours: Exchanges) -> Exchanges:
    return official


@dataclass(frozen=True)
class Difference:
    """What the page gets in another way, and why that is better.

    `both` makes both sides alike. `towards` takes both sides, exchange by exchange, and returns
    what is right of the official one here.
    """

    name: str
    why: str
    towards: Callable[[Exchanges, Exchanges], Exchanges] = _as_they_are
    both: Callable[[Exchanges], Exchanges] = list


def reconciled(
    official: Exchanges, ours: Exchanges, differences: Iterable[Difference]
) -> tuple[Exchanges, Exchanges]:
    """Return both sides, equal but for what none of the differences explains."""
    for difference in differences:
        official, ours = difference.both(official), difference.both(ours)
        if len(official) == len(ours):
            official = difference.towards(official, ours)
    return official, ours


def unseen(
    official: Exchanges, ours: Exchanges, differences: Collection[Difference]
) -> list[Difference]:
    """Return the differences without which the sides would be equal just as well."""
    found = []
    for difference in differences:
        left = reconciled(official, ours, [other for other in differences if other != difference])
        if left[0] == left[1]:
            found.append(difference)
    return found


def _whole_lists(exchanges: Exchanges) -> Exchanges:
    """Return the exchanges with all pages of a list in its first one."""
    merged: Exchanges = []
    for exchange in exchanges:
        if exchange.continues:
            merged[-1] = _with_rows(merged[-1], _page(merged[-1])["data"] + exchange.body["data"])
        else:
            is_list = _is_list(exchange)
            merged.append(_with_rows(exchange, _page(exchange)["data"]) if is_list else exchange)
    return merged


def _with_zones(exchanges: Exchanges) -> Exchanges:
    return [
        _changed(exchange, lambda text: text.replace(LOCAL_TIME, "<time>"))
        for exchange in exchanges
    ]


def _ids_of_any_length(exchanges: Exchanges) -> Exchanges:
    *rest, ids = exchanges
    return [*rest, _changed(ids, lambda text: re.sub(r"#\d+", "#", text))]


def _changed(exchange: Exchange, change: Callable[[str], str]) -> Exchange:
    """Return the exchange with another text in place of what is said in JSON."""
    events, body = orjson.loads(change(orjson.dumps([exchange.events, exchange.body]).decode()))
    return replace(exchange, events=events, body=body)


def _page(exchange: Exchange) -> Json:
    page: Json = exchange.body.get("items", exchange.body)
    return page


def _is_list(exchange: Exchange) -> bool:
    return isinstance(exchange.body, dict) and "data" in _page(exchange)


def _with_rows(exchange: Exchange, rows: list[Json]) -> Exchange:
    """Return a list that is at its end, with these rows."""
    body = (
        {**exchange.body, "items": {"data": rows}} if "items" in exchange.body else {"data": rows}
    )
    return replace(exchange, body=body)


def _in_pairs(
    towards: Callable[[Exchange, Exchange], Exchange],
) -> Callable[[Exchanges, Exchanges], Exchanges]:
    """Return `towards` for whole conversations, from one that needs only one exchange of each."""

    def of_all(official: Exchanges, ours: Exchanges) -> Exchanges:
        return [towards(*pair) for pair in zip(official, ours, strict=True)]

    return of_all


def _refused(official: Exchange, ours: Exchange) -> Exchange:
    """Accept a 4xx with words in place of any failure without them.

    What the backend itself refuses has the same status and words here.
    """
    if 400 <= official.status < 500:
        words = official.body.get("detail")
        same = ours.body == {"message": words} and ours.status == official.status
        return ours if same else official
    has_words = isinstance(ours.body, dict) and list(ours.body) == ["message"]
    return ours if official.failed and 400 <= ours.status < 500 and has_words else official


def _in_words(official: Exchange, ours: Exchange) -> Exchange:
    """Accept words for what nobody foresaw."""
    told = ours.error
    if official.error is None or told is None or not told.get("message"):
        return official
    unforeseen = {"type": "error", "code": "stream.error", "allow_retry": True}
    events = [told if event == unforeseen else event for event in official.events]
    return replace(official, events=events)


def _error_last(official: Exchange, ours: Exchange) -> Exchange:
    """Put the error behind the last change of the thread."""
    events = sorted(official.events, key=lambda event: event["type"] == "error")
    return replace(official, events=events)


def _not_open(official: Exchange, ours: Exchange) -> Exchange:
    """Accept that a message to a thread that is locked or closed is a conflict."""
    return ours if ours.status == 409 else official


def _with_unfinished(official: Exchanges, ours: Exchanges) -> Exchanges:
    """Put in the items that began and never ended, as they are here: done, and in the thread."""
    unfinished = {id_ for exchange in official for id_ in _unfinished(exchange.events)}

    def is_one(value: Json) -> bool:
        item = value.get("item", value)
        return value.get("type") != "thread.item.added" and item.get("id") in unfinished

    def change(given: Exchange, got: Exchange) -> Exchange:
        events = _inserted(given.events, got.events, is_one)
        if not _is_list(given):
            return replace(given, events=events)
        return _with_rows(given, _inserted(_page(given)["data"], _page(got)["data"], is_one))

    return _in_pairs(change)(official, ours)


def _with_ids(official: Exchanges, ours: Exchanges) -> Exchanges:
    """Give each message that has no id of its own the one that it has here, and its place."""
    named = {NAMELESS}

    def change(given: Exchange, got: Exchange) -> Exchange:
        if _is_list(given):
            rows = _page(given)["data"], _page(got)["data"]
            return _with_rows(given, _inserted(*rows, lambda row: row["id"] in named))
        if given.asked == "ids":
            return replace(given, body={"assistant_message": ["msg_#"], **given.body})
        events = []
        for event, here in zip(given.events, got.events, strict=False):
            own = _item_id(here)
            if _item_id(event) == NAMELESS and own:
                named.add(own)
                event = orjson.loads(orjson.dumps(event).replace(NAMELESS.encode(), own.encode()))
            events.append(event)
        return replace(given, events=events + given.events[len(events) :])

    return _in_pairs(change)(official, ours)


def _item_id(event: Json) -> str | None:
    item_id: str | None = event.get("item_id") or event.get("item", {}).get("id")
    return item_id


def _unfinished(events: list[Json]) -> set[str]:
    began = {event["item"]["id"] for event in events if event["type"] == "thread.item.added"}
    return began - {event["item"]["id"] for event in events if event["type"] == "thread.item.done"}


def _inserted(official: list[Json], ours: list[Json], wanted: Callable[[Json], bool]) -> list[Json]:
    """Return the official values, but for those that are `wanted` ours, at their places."""
    rest = [value for value in official if not wanted(value)]
    found = []
    for value in ours:
        if wanted(value):
            found.append(value)
        elif rest:
            found.append(rest.pop(0))
    return found + rest


REFUSED = Difference(
    "refusals",
    "What cannot be done is refused with a 4xx whose `message` the page shows. The SDK breaks the "
    "stream off, ends it without an event, or answers 500.",
    _in_pairs(_refused),
)
IN_WORDS = Difference(
    "words",
    "After an exception that nobody foresaw, the error event has words for the user, and offers a "
    "retry only where that can help.",
    _in_pairs(_in_words),
)
ERROR_LAST = Difference(
    "error last",
    "An error is the last event of its stream; a changed thread is told before it.",
    _in_pairs(_error_last),
)
NOT_OPEN = Difference(
    "closed threads",
    "A locked or closed thread takes no messages. The SDK leaves that to the page.",
    _in_pairs(_not_open),
)
PARTIAL = Difference(
    "partial answers",
    "What was said before an answer ended in the middle is saved, and its item is done.",
    _with_unfinished,
)
OWN_IDS = Difference(
    "ids of messages",
    "Models behind chat completions give all their messages one id, by which a store keeps only "
    "the last one. Here each has an id of its own.",
    _with_ids,
)
TIMES = Difference(
    "times",
    "Times have a zone. The SDK sends local times without one, which a browser in another zone "
    "reads as its own.",
    both=_with_zones,
)
IDS = Difference(
    "ids",
    "Ids have so many random digits that no two are the same, unless the store makes them.",
    both=_ids_of_any_length,
)
LISTS = Difference(
    "full pages",
    "A page of a list is as long as the page asked for, whatever the store returned and however "
    "many of its items are hidden. The SDK sends shorter ones.",
    both=_whole_lists,
)
