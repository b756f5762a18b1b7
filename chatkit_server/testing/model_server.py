"""An OpenAI-compatible model server on loopback, for tests, benchmarks and trials by hand.

It speaks `POST /v1/chat/completions` and `POST /v1/responses`, streaming or not, and
`GET /v1/models`. What it answers comes from a script, or else from what was said to it:

    async with ModelServer() as server:
        server.reply("Let me see. ", Call("add_task", {"title": "milk"}))
        server.fail(429, "slow down", headers={"Retry-After": "3"})
        ...
        assert server.requests[0].body["model"] == "any"

By hand: `python -m chatkit_server.testing.model_server --port 9999`. A message `call NAME {"a": 1}`
calls that tool if it is offered, and the answer is then made of its result; any other message is
echoed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import CIMultiDictProxy

from .model_script import (
    KEEP_ALIVE,
    Break,
    Call,
    End,
    Error,
    Exact,
    Failure,
    Gate,
    Json,
    Part,
    Raw,
    Reasoning,
    Refusal,
    Reply,
    Text,
)
from .model_wire import ChatWire, ResponsesWire, Wire, chat_completion, part_events, whole_response

__all__ = [
    "KEEP_ALIVE",
    "Break",
    "Call",
    "End",
    "Error",
    "Failure",
    "Gate",
    "ModelServer",
    "Raw",
    "Reasoning",
    "Refusal",
    "Reply",
    "Request",
    "Text",
]


Answer = Reply | Failure | Exact

_CALL = re.compile(r"\bcall (\w+) (?=\{)")


@dataclass(frozen=True)
class Request:
    """A request as it came. `connection` is the client's end of its TCP connection."""

    path: str
    headers: CIMultiDictProxy[str]
    body: Json
    connection: tuple[str, int]


@dataclass(frozen=True)
class Heard:
    """The end of a conversation: what the user said last, and the tool results after that."""

    said: str
    results: list[str]
    tools: set[str]

    @classmethod
    def of(cls, body: Json) -> Heard:
        """Read the body of either protocol."""
        items: Any = body.get("messages", body.get("input", []))
        if isinstance(items, str):
            items = [{"role": "user", "content": items}]
        said = ""
        results: list[str] = []
        for item in items:
            if item.get("role") == "user":
                said, results = plain_text(item.get("content")), []
            elif item.get("role") == "tool":
                results.append(plain_text(item.get("content")))
            elif item.get("type") == "function_call_output":
                results.append(plain_text(item.get("output")))
        offered = body.get("tools") or []
        return cls(said, results, {(t.get("function") or t).get("name", "") for t in offered})

    def answer(self) -> Reply:
        """Answer from the tools' results, or call what the user said to call, or echo."""
        if self.results:
            return Reply(tuple(words(f"The tools say: {' | '.join(self.results)}")))
        calls = [call for call in self._calls() if call.name in self.tools]
        return Reply(tuple(calls or words(f"You said: {self.said}")))

    def _calls(self) -> Iterator[Call]:
        for match in _CALL.finditer(self.said):
            try:
                arguments, _ = json.JSONDecoder().raw_decode(self.said, match.end())
            except json.JSONDecodeError:
                continue
            yield Call(match[1], arguments)


def plain_text(content: Any) -> str:
    """The text of a message's content: a string, or parts with `text`."""
    if isinstance(content, list):
        return "".join(plain_text(part) for part in content)
    if isinstance(content, dict):
        return str(content.get("text", ""))
    return content if isinstance(content, str) else ""


def words(text: str) -> list[str]:
    """Cut text into words that keep the space after them."""
    return re.findall(r"\S+\s*|\s+", text)


class ModelServer:
    """The server; use it as an async context manager.

    Answers come from `script`, `reply` and `fail`, in that order; when those are used up, from
    what was said. With `tokens`, an unscripted answer has that many pieces of text. `delay` is the
    time in seconds before each event of a text. With `key`, other keys are refused with 401.
    """

    def __init__(
        self,
        script: Iterable[Answer] = (),
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tokens: int | None = None,
        delay: float = 0.0,
        key: str | None = None,
    ) -> None:
        self.script = deque(script)
        self.requests: deque[Request] = deque(maxlen=1000)
        self.connections: set[tuple[str, int]] = set()
        self._host, self._port = host, port
        self._tokens, self._delay, self._key = tokens, delay, key
        app = web.Application(client_max_size=64 * 1024**2, middlewares=[self._authorized])
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/responses", self._responses)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/{path:.*}", self._unknown)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)

    @property
    def url(self) -> str:
        """The base URL that clients take. Raises `RuntimeError` before the server runs."""
        if not self._port:
            raise RuntimeError("it does not run yet: `async with ModelServer() as server`")
        return f"http://{self._host}:{self._port}/v1"

    def reply(self, *parts: Part, **options: Any) -> None:
        """Queue a `Reply`."""
        self.script.append(Reply(parts, **options))

    def fail(self, status: int, message: str = "it did not work", **options: Any) -> None:
        """Queue a `Failure`."""
        self.script.append(Failure(status, message, **options))

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, backlog=1024)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @web.middleware
    async def _authorized(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._key is None or request.headers.get("Authorization") == f"Bearer {self._key}":
            return await handler(request)
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        message = f"Incorrect API key provided: {given}"
        return Failure(401, message, "invalid_api_key").response()

    async def _models(self, _: web.Request) -> web.Response:
        model = {"id": "any", "object": "model", "created": 0, "owned_by": "tests"}
        return web.json_response({"object": "list", "data": [model]})

    async def _unknown(self, request: web.Request) -> web.Response:
        await self._read(request)
        return Failure(404, f"there is no {request.path} here", "unknown_url").response()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await self._read(request)
        answer = self._answer(body)
        if isinstance(answer, Reply) and not body.get("stream"):
            await self._hold(answer)
            return web.json_response(chat_completion(body, answer, self._usage(body, answer)))
        return await self._send(request, body, answer, ChatWire(body))

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        body = await self._read(request)
        answer = self._answer(body)
        if isinstance(answer, Reply) and not body.get("stream"):
            await self._hold(answer)
            return web.json_response(whole_response(body, answer, self._usage(body, answer)))
        return await self._send(request, body, answer, ResponsesWire(body))

    async def _read(self, request: web.Request) -> Json:
        body: Json = orjson.loads(await request.read())
        assert request.transport is not None
        connection = request.transport.get_extra_info("peername")[:2]
        self.connections.add(connection)
        self.requests.append(Request(request.path_qs, request.headers, body, connection))
        return body

    def _answer(self, body: Json) -> Answer:
        if self.script:
            return self.script.popleft()
        reply = Heard.of(body).answer()
        if self._tokens is None or reply.calls:
            return reply
        return Reply(tuple(f"word{i} " for i in range(self._tokens)))

    def _usage(self, body: Json, reply: Reply) -> tuple[int, int]:
        """About four bytes are a token read; each piece is a token written."""
        return max(1, len(str(body)) // 4), len(reply.parts)

    async def _hold(self, reply: Reply) -> None:
        if reply.hold is not None:
            await reply.hold.passed()

    async def _send(
        self, request: web.Request, body: Json, answer: Answer, wire: Wire
    ) -> web.StreamResponse:
        if isinstance(answer, Failure):
            return answer.response()
        if isinstance(answer, Exact):
            return await answer.send(request)
        await self._hold(answer)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        if await self._parts(request, response, answer, wire):
            usage = self._usage(body, answer) if answer.usage else None
            for event in wire.finish(answer.finish_reason, usage):
                await response.write(wire.encode(event))
            if answer.done and isinstance(wire, ChatWire):
                await response.write(b"data: [DONE]\n\n")
        return response

    async def _parts(
        self, request: web.Request, response: web.StreamResponse, reply: Reply, wire: Wire
    ) -> bool:
        """Send the parts; whether the answer then goes on to its finish."""
        for event in wire.begin():
            await response.write(wire.encode(event))
        for part in reply.parts:
            match part:
                case Raw():
                    await response.write(part.data)
                case Gate():
                    await part.passed()
                case End():
                    return False
                case Break():
                    assert request.transport is not None
                    request.transport.abort()
                    return False
                case _:
                    await self._events(response, wire, part)
            if isinstance(part, Error):
                return False
        return True

    async def _events(self, response: web.StreamResponse, wire: Wire, part: Part) -> None:
        for event in part_events(wire, part):
            if self._delay:
                await asyncio.sleep(self._delay)
            await response.write(wire.encode(event))


async def _serve(arguments: argparse.Namespace) -> None:
    async with ModelServer(**vars(arguments)) as server:
        print(f"model server at {server.url} (any model name); Ctrl-C ends it", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Run the server until it is interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m chatkit_server.testing.model_server", description=__doc__
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9999)
    parser.add_argument("--tokens", type=int, help="pieces of text in an answer")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each piece")
    parser.add_argument("--key", help="the only API key that is accepted")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
