"""How the model server's answers look on the wire, in each of the two protocols."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any, Protocol

import orjson

from .model_script import (
    Call,
    Citation,
    Error,
    Finish,
    Image,
    Json,
    Part,
    Reasoning,
    Refusal,
    Reply,
    Text,
)

# Ids of one length: tokens are counted by the length of what is sent
_numbers = itertools.count(100_000)


class Wire(Protocol):
    """The events of one streamed answer, in one of the protocols."""

    def begin(self) -> Iterator[Json]: ...
    def text(self, piece: str) -> Iterator[Json]: ...
    def reasoning(self, piece: str, field: str) -> Iterator[Json]: ...
    def refusal(self, piece: str) -> Iterator[Json]: ...
    def call(self, call: Call) -> Iterator[Json]: ...
    def error(self, error: Error) -> Iterator[Json]: ...
    def finish(self, reason: Finish | None, usage: tuple[int, int] | None) -> Iterator[Json]: ...
    def encode(self, event: Json) -> bytes: ...


class ChatWire:
    """Chat-completion chunks."""

    def __init__(self, body: Json) -> None:
        self._body = body
        self._calls = itertools.count()
        self._head = {
            "id": f"chatcmpl-{next(_numbers)}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": body.get("model"),
        }

    def _chunk(self, delta: Json, finish: Finish | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**self._head, "choices": [choice]}

    def begin(self) -> Iterator[Json]:
        yield self._chunk({"role": "assistant", "content": ""})

    def text(self, piece: str) -> Iterator[Json]:
        yield self._chunk({"content": piece})

    def reasoning(self, piece: str, field: str) -> Iterator[Json]:
        yield self._chunk({field: piece})

    def refusal(self, piece: str) -> Iterator[Json]:
        yield self._chunk({"refusal": piece})

    def call(self, call: Call) -> Iterator[Json]:
        running = next(self._calls)
        index = running if call.index is None else call.index
        head = {"index": index, "id": call.id or f"call_{next(_numbers)}", "type": "function"}
        first, *rest = in_pieces(call.text)
        whole = call.index is not None  # who numbers calls oddly also sends them in one piece
        opening = {"name": call.name, "arguments": call.text if whole else ""}
        yield self._chunk({"tool_calls": [{**head, "function": opening}]})
        for piece in () if whole else (first, *rest):
            yield self._chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})

    def error(self, error: Error) -> Iterator[Json]:
        yield {"error": {"message": error.message, "type": "error", "code": error.code}}

    def finish(self, reason: Finish | None, usage: tuple[int, int] | None) -> Iterator[Json]:
        if reason is not None:
            yield self._chunk({}, reason)
        wanted = (self._body.get("stream_options") or {}).get("include_usage")
        if usage and wanted:
            yield {**self._head, "choices": [], "usage": chat_usage(usage)}

    def encode(self, event: Json) -> bytes:
        return b"data: " + orjson.dumps(event) + b"\n\n"


class ResponsesWire:
    """The events of the Responses API."""

    def __init__(self, body: Json) -> None:
        self._body = body
        self._numbers = itertools.count()
        self._open: tuple[str, Json] | None = None
        self._output: list[Json] = []
        self._response: Json = {
            "id": f"resp_{next(_numbers)}",
            "object": "response",
            "created_at": int(time.time()),
            "model": body.get("model"),
            "status": "in_progress",
            "output": [],
            "tools": body.get("tools") or [],
            "tool_choice": "auto",
            "parallel_tool_calls": True,
            "error": None,
            "incomplete_details": None,
            "instructions": body.get("instructions"),
            "metadata": {},
            "usage": None,
        }

    def _event(self, kind: str, **fields: Any) -> Json:
        return {"type": f"response.{kind}", "sequence_number": next(self._numbers), **fields}

    def _at(self, kind: str, **fields: Any) -> Json:
        """An event of the item that is open."""
        place = {"item_id": self._output[-1]["id"], "output_index": len(self._output) - 1}
        return self._event(kind, **place, **fields)

    def _add(self, item: Json) -> Json:
        self._output.append(item)
        index = len(self._output) - 1
        return self._event("output_item.added", output_index=index, item=item)

    def _part(self, item: Json, kind: str, part: Json, events: tuple[str, str]) -> Iterator[Json]:
        """Open `part` in a new `item`, unless one of its kind is open already."""
        if self._open is not None and self._open[0] == kind:
            return
        yield from self._close()
        yield self._add(item)
        list_name, prefix = events
        place = "summary_index" if list_name == "summary" else "content_index"
        yield self._at(f"{prefix}part.added", **{place: 0}, part=dict(part))
        item[list_name] = [part]
        self._open = (kind, part)

    def _close(self) -> Iterator[Json]:
        if self._open is None:
            return
        kind, part = self._open
        self._open = None
        if kind == "reasoning_summary_text":
            yield self._at(f"{kind}.done", summary_index=0, text=part["text"])
            yield self._at("reasoning_summary_part.done", summary_index=0, part=part)
        else:
            name = "refusal" if kind == "refusal" else "text"
            yield self._at(f"{kind}.done", content_index=0, logprobs=[], **{name: part[name]})
            yield self._at("content_part.done", content_index=0, part=part)
            self._output[-1]["status"] = "completed"
        yield self._item_done()

    def _item_done(self) -> Json:
        index = len(self._output) - 1
        return self._event("output_item.done", output_index=index, item=self._output[-1])

    def begin(self) -> Iterator[Json]:
        yield self._event("created", response=self._response)
        yield self._event("in_progress", response=self._response)

    def _message(self) -> Json:
        head = {"id": f"msg_{next(_numbers)}", "type": "message", "role": "assistant"}
        return {**head, "status": "in_progress", "content": []}

    def text(self, piece: str) -> Iterator[Json]:
        part = {"type": "output_text", "text": "", "annotations": []}
        yield from self._part(self._message(), "output_text", part, ("content", "content_"))
        self._output[-1]["content"][0]["text"] += piece
        yield self._at("output_text.delta", content_index=0, delta=piece, logprobs=[])

    def refusal(self, piece: str) -> Iterator[Json]:
        part = {"type": "refusal", "refusal": ""}
        yield from self._part(self._message(), "refusal", part, ("content", "content_"))
        self._output[-1]["content"][0]["refusal"] += piece
        yield self._at("refusal.delta", content_index=0, delta=piece)

    def reasoning(self, piece: str, field: str) -> Iterator[Json]:
        item: Json = {"id": f"rs_{next(_numbers)}", "type": "reasoning", "summary": []}
        if "reasoning.encrypted_content" in (self._body.get("include") or ()):
            item["encrypted_content"] = "gAAAAA=="
        part = {"type": "summary_text", "text": ""}
        names = ("summary", "reasoning_summary_")
        yield from self._part(item, "reasoning_summary_text", part, names)
        self._output[-1]["summary"][0]["text"] += piece
        yield self._at("reasoning_summary_text.delta", summary_index=0, delta=piece)

    def call(self, call: Call) -> Iterator[Json]:
        yield from self._close()
        item = {
            "id": f"fc_{next(_numbers)}",
            "type": "function_call",
            "status": "in_progress",
            "call_id": call.id or f"call_{next(_numbers)}",
            "name": call.name,
            "arguments": "",
        }
        yield self._add(item)
        for piece in in_pieces(call.text):
            yield self._at("function_call_arguments.delta", delta=piece)
        item |= {"arguments": call.text, "status": "completed"}
        yield self._at("function_call_arguments.done", name=call.name, arguments=call.text)
        yield self._item_done()

    def image(self, image: Image) -> Iterator[Json]:
        yield from self._close()
        kind = "image_generation_call"
        item = {"id": f"ig_{next(_numbers)}", "type": kind, "status": "in_progress", "result": None}
        yield self._add(item)
        yield self._at(f"{kind}.in_progress")
        for number, data in enumerate(image.partial):
            fields = {"partial_image_index": number, "partial_image_b64": data}
            yield self._at(f"{kind}.partial_image", **fields)
        item |= {"status": "completed", "result": image.result}
        yield self._at(f"{kind}.completed")
        yield self._item_done()

    def citation(self, citation: Citation) -> Iterator[Json]:
        known = self._output[-1]["content"][0]["annotations"]
        known.append(citation.annotation)
        if citation.event:
            place = {"content_index": 0, "annotation_index": len(known) - 1}
            yield self._at("output_text.annotation.added", **place, annotation=citation.annotation)

    def error(self, error: Error) -> Iterator[Json]:
        told = {"code": error.code, "message": error.message}
        if error.bare:
            number = next(self._numbers)
            yield {"type": "error", "sequence_number": number, "param": None, **told}
            return
        failed = self._response | {"status": "failed", "error": told, "output": self._output}
        yield self._event("failed", response=failed)

    def finish(self, reason: Finish | None, usage: tuple[int, int] | None) -> Iterator[Json]:
        yield from self._close()
        if reason is None:
            return
        ended: Json = {"status": "completed", "output": self._output}
        if usage:
            ended["usage"] = responses_usage(usage)
        if reason in ("length", "content_filter"):
            why = "max_output_tokens" if reason == "length" else reason
            ended |= {"status": "incomplete", "incomplete_details": {"reason": why}}
        yield self._event(ended["status"], response=self._response | ended)

    def encode(self, event: Json) -> bytes:
        return f"event: {event['type']}\ndata: ".encode() + orjson.dumps(event) + b"\n\n"


def in_pieces(text: str, size: int = 8) -> list[str]:
    """Cut text into pieces, at least one."""
    return [text[i : i + size] for i in range(0, len(text), size)] or [""]


def chat_usage(usage: tuple[int, int]) -> Json:
    """Usage (tokens read, tokens written) as chat completions tell it."""
    return {
        "prompt_tokens": usage[0],
        "completion_tokens": usage[1],
        "total_tokens": sum(usage),
    }


def responses_usage(usage: tuple[int, int]) -> Json:
    """Usage (tokens read, tokens written) as responses tell it."""
    return {
        "input_tokens": usage[0],
        "output_tokens": usage[1],
        "total_tokens": sum(usage),
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }


def chat_completion(body: Json, reply: Reply, usage: tuple[int, int]) -> Json:
    """A chat completion that is not streamed."""
    message: Json = {"role": "assistant", "content": None}
    for part in reply.parts:
        match part:
            case str():
                message["content"] = (message["content"] or "") + part
            case Text():
                message["content"] = (message["content"] or "") + "".join(part.pieces)
            case Reasoning():
                message[part.field] = message.get(part.field, "") + part.text
            case Refusal():
                message["refusal"] = part.text
            case Call():
                function = {"name": part.name, "arguments": part.text}
                call = {"id": part.id or f"call_{next(_numbers)}", "type": "function"}
                message.setdefault("tool_calls", []).append({**call, "function": function})
    return {
        "id": f"chatcmpl-{next(_numbers)}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body.get("model"),
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason}],
        "usage": chat_usage(usage),
    }


def whole_response(body: Json, reply: Reply, usage: tuple[int, int]) -> Json:
    """A response that is not streamed: the last event of one that is."""
    wire = ResponsesWire(body)
    events = [event for part in reply.parts for event in part_events(wire, part)]
    events += wire.finish(reply.finish_reason, usage)
    response: Json = events[-1]["response"]
    return response


def part_events(wire: Wire, part: Part) -> Iterator[Json]:
    """The events of a part that is neither bytes nor a gate nor an end."""
    match part:
        case str():
            yield from wire.text(part)
        case Text():
            for piece in part.pieces:
                yield from wire.text(piece)
        case Reasoning():
            for piece in in_pieces(part.text):
                yield from wire.reasoning(piece, part.field)
        case Refusal():
            yield from wire.refusal(part.text)
        case Call():
            yield from wire.call(part)
        case Image() if isinstance(wire, ResponsesWire):
            yield from wire.image(part)
        case Citation() if isinstance(wire, ResponsesWire):
            yield from wire.citation(part)
        case Error():
            yield from wire.error(part)
