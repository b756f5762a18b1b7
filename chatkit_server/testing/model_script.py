"""What the model server's answers are made of."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from aiohttp import web

Json = dict[str, Any]
Finish = Literal["stop", "tool_calls", "length", "content_filter"]


class Gate:
    """Where an answer waits until the test lets it go on."""

    def __init__(self) -> None:
        self._reached = asyncio.Event()
        self._opened = asyncio.Event()

    def open(self) -> None:
        """Let the answer go on, now or when it gets here."""
        self._opened.set()

    async def reached(self) -> None:
        """Wait until the answer waits here."""
        await self._reached.wait()

    async def passed(self) -> None:
        """Wait here, as the answer does."""
        self._reached.set()
        await self._opened.wait()


@dataclass(frozen=True)
class Text:
    """Text, in these pieces."""

    pieces: tuple[str, ...]

    def __init__(self, *pieces: str) -> None:
        object.__setattr__(self, "pieces", pieces)


@dataclass(frozen=True)
class Reasoning:
    """What the model thinks; `field` is the chat-completions field that carries it."""

    text: str
    field: Literal["reasoning_content", "reasoning"] = "reasoning_content"


@dataclass(frozen=True)
class Refusal:
    """The model's own words for not answering."""

    text: str


@dataclass(frozen=True)
class Call:
    """A tool call. A string as `arguments` is sent as it is; `index` overrides the running one."""

    name: str
    arguments: Json | str = field(default_factory=dict)
    id: str = ""
    index: int | None = None

    @property
    def text(self) -> str:
        """The arguments as the model writes them."""
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


@dataclass(frozen=True)
class Image:
    """An image that the provider's own tool makes, in base64; only `/v1/responses` has these."""

    result: str
    partial: tuple[str, ...] = ()


@dataclass(frozen=True)
class Citation:
    """An annotation of the text before it; only `/v1/responses` has these.

    Without `event` it is in the finished text alone.
    """

    annotation: Json
    event: bool = True


@dataclass(frozen=True)
class Raw:
    """Bytes put into the stream as they are: a comment, nonsense."""

    data: bytes


@dataclass(frozen=True)
class Error:
    """An error told inside the stream, which ends there.

    On `/v1/responses` it is a `response.failed` event, or an `error` event if `bare`.
    """

    message: str
    code: str = "server_error"
    bare: bool = False


class End:
    """The stream ends here, cleanly, as if no more were to come."""


class Break:
    """The connection is reset here."""


Part = str | Text | Reasoning | Refusal | Call | Image | Citation | Raw | Error | End | Break | Gate
KEEP_ALIVE = Raw(b": keep-alive\n\n")


@dataclass(frozen=True)
class Reply:
    """A 200. `hold` is passed before the response's headers are sent; `finish` follows the parts.

    `finish=None` leaves the finish reason out; `done=False` leaves out `data: [DONE]`.
    """

    parts: tuple[Part, ...]
    finish: Finish | Literal["auto"] | None = "auto"
    usage: bool = True
    done: bool = True
    hold: Gate | None = None

    @property
    def calls(self) -> list[Call]:
        """The tool calls among the parts."""
        return [part for part in self.parts if isinstance(part, Call)]

    @property
    def finish_reason(self) -> Finish | None:
        """What the stream says of why it ended."""
        if self.finish == "auto":
            return "tool_calls" if self.calls else "stop"
        return self.finish


@dataclass(frozen=True)
class Failure:
    """A status other than 200, with OpenAI's error object, or `raw` as the body."""

    status: int
    message: str = "it did not work"
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: str | None = None

    def response(self) -> web.Response:
        """The whole response."""
        if self.raw is not None:
            return web.Response(status=self.status, text=self.raw, headers=self.headers)
        error = {"message": self.message, "type": "error", "param": None, "code": self.code}
        return web.json_response({"error": error}, status=self.status, headers=self.headers)


def counted(text: str, read: int, written: int, field: str = "content") -> Raw:
    """A chat-completions chunk that has the usage so far, as some providers send them."""
    usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    choice = {"index": 0, "delta": {field: text}, "finish_reason": None}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "any"}
    return Raw(
        b"data: " + json.dumps({**head, "choices": [choice], "usage": usage}).encode() + b"\n\n"
    )


@runtime_checkable
class Exact(Protocol):
    """An answer that is sent as it is, without what the server adds to others."""

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Answer the request with it."""
        ...
