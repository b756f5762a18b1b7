"""A model server that checks each request as OpenAI's Responses API does.

It keeps nothing of what it answered: an item of a history has to be complete in itself. Reasoning
is encrypted if the request asks for that, and is read only with the model that wrote it. With
`unknown`, it is another server, which does not know these parameters.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache
from typing import Any, get_args, get_type_hints

import orjson
from aiohttp import web
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)
from openai.types.responses.response_input_item_param import ResponseInputItemParam

from chatkit_server.testing.model_script import Json, Reply
from chatkit_server.testing.model_server import ModelServer
from chatkit_server.testing.model_wire import ResponsesWire, whole_response

ENCRYPTED = "reasoning.encrypted_content"
NOT_STORED = (
    "Item with id '{id}' not found. Items are not persisted when `store` is set to false. Try "
    "again with `store` set to true, or remove this item from your input."
)
_PARTS = {
    "assistant": {"output_text", "refusal"},
    "user": {"input_text", "input_image", "input_file"},
}
_PREFIXES = {"message": "msg_", "function_call": "fc_", "reasoning": "rs_"}


class Refused(Exception):
    """The request is refused, with this message and status."""

    def __init__(
        self, message: str, param: str | None = None, status: int = 400, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = {
            "message": message,
            "type": "invalid_request_error",
            "param": param,
            "code": code,
        }


class StrictResponses(ModelServer):
    """The server; `refusals` are the messages of what it refused."""

    def __init__(self, *args: Any, unknown: Collection[str] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.unknown = unknown
        self.refusals: list[str] = []

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        body = await self._read(request)
        try:
            check(body, self.unknown)
        except Refused as refused:
            self.refusals.append(str(refused))
            return web.json_response({"error": refused.error}, status=refused.status)
        answer = self._answer(body)
        if isinstance(answer, Reply) and not body.get("stream"):
            await self._hold(answer)
            return web.json_response(whole_response(body, answer, self._usage(body, answer)))
        return await self._send(request, body, answer, _ThinkingWire(body))


class _ThinkingWire(ResponsesWire):
    """Encrypts the reasoning if that is asked for."""

    def reasoning(self, piece: str, field: str) -> Iterator[Json]:
        for event in super().reasoning(piece, field):
            item = event.get("item")
            if item is not None and ENCRYPTED in (self._body.get("include") or []):
                item["encrypted_content"] = f"encrypted by {self._body['model']}"
            yield event


def check(body: Json, unknown: Collection[str] = ()) -> None:
    """Raise `Refused` for a request that OpenAI refuses."""
    for name in body:
        if name in unknown or name not in _parameters():
            raise Refused(f"Unrecognized request argument supplied: '{name}'", None)
    _check_model(body)
    items = body["input"]
    if isinstance(items, str):
        return
    for number, item in enumerate(items):
        _check_item(item, f"input[{number}]", body)
    _check_pairs(items)


def reasons(model: str) -> bool:
    """Whether a model reasons."""
    return not model.startswith(("gpt-4", "gpt-3.5"))


def _check_model(body: Json) -> None:
    model = body["model"]
    if reasons(model):
        if "temperature" in body and model != "any":
            raise Refused(
                "Unsupported parameter: 'temperature' is not supported with this model.",
                "temperature",
            )
        return
    if ENCRYPTED in body.get("include", []):
        raise Refused("Encrypted content is not supported with this model.", "include")
    if "reasoning" in body:
        raise Refused(
            "Unsupported parameter: 'reasoning.effort' is not supported with this model.",
            "reasoning.effort",
        )


def _check_item(item: Json, where: str, body: Json) -> None:
    kind = item.get("type", "message")
    if kind not in _fields():
        raise Refused(f"Invalid value: '{kind}'.", f"{where}.type")
    for name, value in item.items():
        if name not in _fields()[kind] or value is None:
            raise Refused(f"Unknown parameter: '{where}.{name}'.", f"{where}.{name}")
    if (found := item.get("id")) is not None:
        if not found.startswith(_PREFIXES.get(kind, "")):
            raise Refused(f"Invalid '{where}.id': '{found}'.", f"{where}.id")
        if body.get("store") is False:
            raise Refused(NOT_STORED.format(id=found), "input", 404)
    if kind == "message":
        _check_message(item, where)
    elif kind == "reasoning":
        if not reasons(body["model"]):
            raise Refused("Reasoning input items can only be provided to a reasoning model.")
        if item.get("encrypted_content") != f"encrypted by {body['model']}":
            raise Refused(
                f"The encrypted content {item.get('encrypted_content')} could not be verified.",
                code="invalid_encrypted_content",
            )
        assert isinstance(item["summary"], list)
    elif kind == "function_call":
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", item["name"]):
            raise Refused(f"Invalid '{where}.name': does not match pattern.", f"{where}.name")
        assert isinstance(orjson.loads(item["arguments"]), dict)


def _check_message(item: Json, where: str) -> None:
    content = item["content"]
    parts = [] if isinstance(content, str) else content
    wanted = _PARTS["assistant" if item["role"] == "assistant" else "user"]
    for part in parts:
        if part["type"] not in wanted:
            raise Refused(f"Invalid value: '{part['type']}'.", f"{where}.content")
    if not content:
        raise Refused(f"Missing required parameter: '{where}.content'.", f"{where}.content")


def _check_pairs(items: list[Json]) -> None:
    open_calls: set[str] = set()
    seen: set[str] = set()
    for number, item in enumerate(items):
        kind = item.get("type", "message")
        if kind == "reasoning" and not _leads_to(items, number + 1):
            raise Refused(
                "Item of type 'reasoning' was provided without its required following item.",
                "input",
            )
        if kind == "function_call":
            call_id = item["call_id"]
            if not 0 < len(call_id) <= 64:
                raise Refused(f"Invalid 'input[{number}].call_id': string too long.", "input")
            if call_id in seen:
                raise Refused(f"Duplicate call_id {call_id}.", "input")
            seen.add(call_id)
            open_calls.add(call_id)
        elif kind == "function_call_output":
            if item["call_id"] not in open_calls:
                raise Refused(
                    f"No tool call found for function call output with call_id {item['call_id']}.",
                    "input",
                )
            open_calls.discard(item["call_id"])
    if open_calls:
        raise Refused(f"No tool output found for function call {min(open_calls)}.", "input")


def _leads_to(items: list[Json], number: int) -> bool:
    """Whether what the model wrote goes on at this item."""
    if number == len(items):
        return False
    item = items[number]
    kind = str(item.get("type", "message"))
    if kind == "message":
        return bool(item["role"] == "assistant")
    return kind == "reasoning" or kind.endswith("_call")


@cache
def _parameters() -> frozenset[str]:
    kinds = (ResponseCreateParamsNonStreaming, ResponseCreateParamsStreaming)
    return frozenset(name for kind in kinds for name in get_type_hints(kind))


@cache
def _fields() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for kind in get_args(ResponseInputItemParam):
        hints = get_type_hints(kind)
        for name in get_args(hints.get("type")):
            if isinstance(name, str):
                found.setdefault(name, set()).update(hints)
    return found
