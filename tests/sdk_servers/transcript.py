"""What a page got, as lines that are the same in every run."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from difflib import unified_diff
from functools import cached_property
from itertools import groupby
from typing import Any

import orjson

from chatkit_server.testing.model_script import Json

from .page import Exchange

_OF_IDS = {"id", "thread_id", "item_id", "call_id"}
_LIKE_AN_ID = re.compile(r"[A-Za-z]+[-_/][-_/A-Za-z0-9]{4,}")
_UNIQUE = re.compile(r"[0-9a-f]{8,}|\d+")
LOCAL_TIME = "<time without a zone>"
_NOT_TOLD = {"id", "status", "annotations", "logprobs", "encrypted_content"}


def normalised(exchanges: list[Exchange], url: str) -> list[Exchange]:
    """Return the exchanges with names in place of ids, without times and addresses."""
    names = Names()
    for exchange in exchanges:
        for part in (exchange.events, exchange.body):
            names.learn(part)
        # Ids of items are not told to every model
        for body in exchange.told:
            names.learn([_without(item, {"id"}) for item in _conversation(body)])
    named = [_named(exchange, names, url) for exchange in exchanges]
    return [*named, Exchange("ids", body=names.shapes())]


def lines(exchanges: Iterable[Exchange]) -> list[str]:
    """Return lines to compare and to read."""
    return [line for exchange in exchanges for line in _lines(exchange)]


def diff(official: list[Exchange], ours: list[Exchange]) -> str:
    """Return how two transcripts differ, empty if they are the same."""
    pair = lines(official), lines(ours)
    return "\n".join(unified_diff(*pair, "official", "ours", n=3, lineterm=""))


class Names:
    """Names of ids: what they are the id of, and which one of these it is."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    def learn(self, value: Any, kind: str = "thread") -> None:
        """Name the ids in a value, in the order in which they appear."""
        if isinstance(value, list):
            for part in value:
                self.learn(part, kind)
        elif isinstance(value, dict):
            for key, part in value.items():
                if key in _OF_IDS and isinstance(part, str):
                    self._add(part, str(value.get("type", kind)) if key == "id" else key)
                else:
                    self.learn(part, key)

    def _add(self, id_: str, kind: str) -> None:
        if id_ in self._names or not _LIKE_AN_ID.fullmatch(id_):
            return
        self._counts[kind] += 1
        self._names[id_] = f"<{kind} {self._counts[kind]}>"

    def shapes(self) -> Json:
        """Return what the ids of each kind look like: `#` is a number, `#8` are 8 random digits."""
        shapes: defaultdict[str, set[str]] = defaultdict(set)
        for id_, name in self._names.items():
            shapes[name.split()[0][1:]].add(_UNIQUE.sub(_shape, id_))
        return {kind: sorted(found) for kind, found in shapes.items()}

    def put_into(self, text: str) -> str:
        """Return the text with names in place of ids."""
        return self._ids.sub(lambda match: self._names[match[0]], text)

    @cached_property
    def _ids(self) -> re.Pattern[str]:
        longest_first = sorted(self._names, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first)) or "$.")


def _shape(unique: re.Match[str]) -> str:
    return f"#{len(unique[0])}" if len(unique[0]) >= 8 else "#"


def _named(exchange: Exchange, names: Names, url: str) -> Exchange:
    def clean(value: Any) -> Any:
        if isinstance(value, list):
            return [clean(part) for part in value]
        if isinstance(value, dict):
            kept = {k: v for k, v in value.items() if k != "after" or value.get("has_more")}
            return {key: _clean_field(key, part, clean) for key, part in kept.items()}
        if isinstance(value, str):
            return names.put_into(value.replace(url, "<url>"))
        return value

    told = [clean(_what_matters(body)) for body in exchange.told]
    return Exchange(
        asked=names.put_into(exchange.asked),
        status=exchange.status,
        content_type=exchange.content_type,
        events=_in_order(clean(exchange.events)),
        body=clean(exchange.body),
        whole=exchange.whole,
        told=sorted(told, key=lambda body: str(body["model"])),
        continues=exchange.continues,
    )


def _in_order(events: list[Json]) -> list[Json]:
    """Return the events; those that remove items, which come in any order, are sorted."""
    ordered: list[Json] = []
    for kind, group in groupby(events, key=lambda event: event["type"]):
        together = list(group)
        ordered += sorted(together, key=_json) if kind == "thread.item.removed" else together
    return ordered


def _clean_field(key: str, value: Any, clean: Any) -> Any:
    if key == "created_at":
        return "<time>" if datetime.fromisoformat(value).tzinfo else LOCAL_TIME
    if key == "duration":
        return "<seconds>"
    return clean(value)


def _what_matters(body: Json) -> Json:
    """Return what a model is told: the instructions, the conversation and the tools' names."""
    tools = [tool.get("function", tool) for tool in body.get("tools") or []]
    return {
        "model": body["model"],
        "instructions": body.get("instructions", ""),
        "tools": [tool.get("name") or tool["type"] for tool in tools],
        "continues": " (continues a response)" * ("previous_response_id" in body),
        "input": [_plain(item) for item in _conversation(body)],
    }


def _conversation(body: Json) -> list[Json]:
    """Return what either API is told."""
    conversation: list[Json] = body["messages"] if "messages" in body else body["input"]
    return conversation


def _without(given: Json, keys: set[str]) -> Json:
    return {key: value for key, value in given.items() if key not in keys}


def _plain(item: Json) -> Json:
    """Return an input item without what the API ignores, or takes in either of two forms."""
    kept = _without(item, _NOT_TOLD)
    content = kept.get("content")
    if isinstance(content, str):
        content = [{"type": "output_text", "text": content}]
    if content is not None:
        parts = [_without(part, _NOT_TOLD) for part in content]
        kept |= {"type": "message", "content": parts}
    return kept


def _lines(exchange: Exchange) -> Iterator[str]:
    ended = "" if exchange.whole else ", broken"
    yield f"{exchange.asked} → {exchange.status} {exchange.content_type}{ended}"
    for event in exchange.events:
        yield f"    {_json(event)}"
    if exchange.body is not None:
        yield f"    {_json(exchange.body)}"
    for body in exchange.told:
        yield f"    to {body['model']}: {body['instructions']} {body['tools']}{body['continues']}"
        yield from (f"        {_json(item)}" for item in body["input"])


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
