"""What this server does in another way on purpose."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

import orjson

from tests.model_script import Json

from .page import Exchange
from .transcript import LOCAL_TIME

Exchanges = list[Exchange]


def _as_it_is(official: Exchange, ours: Exchange) -> Exchange:
    return official


@dataclass(frozen=True)
class Difference:
    """What the page gets in another way, and why that is better.

    `both` makes both sides alike. `towards` takes an exchange of each side, and returns what is
    right of the official one here: itself, where the difference has nothing to do with it.
    """

    name: str
    why: str
    towards: Callable[[Exchange, Exchange], Exchange] = _as_it_is
    both: Callable[[Exchanges], Exchanges] = list


def reconciled(
    official: Exchanges, ours: Exchanges, differences: Iterable[Difference]
) -> tuple[Exchanges, Exchanges]:
    """Return both sides, equal but for what none of the differences explains."""
    for difference in differences:
        official, ours = difference.both(official), difference.both(ours)
        if len(official) == len(ours):
            official = [difference.towards(*pair) for pair in zip(official, ours, strict=True)]
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
            merged[-1] = _with_rows(merged[-1], exchange.body["data"])
        else:
            merged.append(_with_rows(exchange, []) if _is_list(exchange) else exchange)
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


def _is_list(exchange: Exchange) -> bool:
    return isinstance(exchange.body, dict) and "has_more" in exchange.body.get(
        "items", exchange.body
    )


def _with_rows(exchange: Exchange, rows: list[Json]) -> Exchange:
    page = exchange.body.get("items", exchange.body)
    whole = {"data": [*page["data"], *rows]}
    is_thread = "items" in exchange.body
    return replace(exchange, body={**exchange.body, "items": whole} if is_thread else whole)


def _refused(official: Exchange, ours: Exchange) -> Exchange:
    """Accept a 4xx with words in place of any failure without them."""
    has_words = isinstance(ours.body, dict) and list(ours.body) == ["message"]
    return ours if official.failed and 400 <= ours.status < 500 and has_words else official


def _in_words(official: Exchange, ours: Exchange) -> Exchange:
    """Accept words for what nobody foresaw."""
    told = ours.error
    if official.error is None or told is None or not told.get("message"):
        return official
    unforeseen = {"type": "error", "code": "stream.error", "allow_retry": True}
    with_words = {**unforeseen, "code": "custom", "message": told["message"]}
    events = [with_words if event == unforeseen else event for event in official.events]
    return replace(official, events=events)


def _error_last(official: Exchange, ours: Exchange) -> Exchange:
    """Put the error behind the last change of the thread."""
    events = sorted(official.events, key=lambda event: event["type"] == "error")
    return replace(official, events=events)


def _not_open(official: Exchange, ours: Exchange) -> Exchange:
    """Accept that a message to a thread that is locked or closed is a conflict."""
    return ours if ours.status == 409 else official


REFUSED = Difference(
    "refusals",
    "What cannot be done is refused with a 4xx whose `message` the page shows. The SDK breaks the "
    "stream off, ends it without an event, or answers 500.",
    _refused,
)
IN_WORDS = Difference(
    "words",
    "After an exception that nobody foresaw, the error event has words for the user.",
    _in_words,
)
ERROR_LAST = Difference(
    "error last",
    "An error is the last event of its stream; a changed thread is told before it.",
    _error_last,
)
NOT_OPEN = Difference(
    "closed threads",
    "A locked or closed thread takes no messages. The SDK leaves that to the page.",
    _not_open,
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
