"""A model server and an MCP server that send what no server should have to read.

The last user message says what the model does; see `_ANSWERS`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from .command import command
from .processes import run_until_told

_LARGE = 50_000_000
_BLOCK = b"x" * 65_536
_PATTERN = {
    "type": "object",
    "properties": {"text": {"type": "string", "pattern": "^(a|a)+$"}},
    "required": ["text"],
}
_TOOLS = [
    {"name": "pattern", "inputSchema": {"type": "object"}, "outputSchema": _PATTERN},
    {"name": "flood", "inputSchema": {"type": "object"}},
]
_RESULTS: dict[str, Callable[[], dict[str, Any]]] = {
    "pattern": lambda: {
        "content": [{"type": "text", "text": "done"}],
        "structuredContent": {"text": "a" * 40 + "!"},
    },
    "flood": lambda: {"content": [{"type": "text", "text": "x" * 20_000_000}]},
}

Stream = Callable[[web.StreamResponse], Awaitable[None]]


async def complete(request: web.Request) -> web.StreamResponse:
    """Answer a chat completion."""
    messages = orjson.loads(await request.read())["messages"]
    asked = _last_user_text(messages)
    if asked == "error":
        return await _respond(request, _large, status=400)
    if asked in _RESULTS and messages[-1]["role"] == "user":
        return await _respond(request, _calling(asked))
    return await _respond(request, _ANSWERS.get(asked, _short))


async def _respond(
    request: web.Request, stream: Stream, *, status: int = 200
) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await stream(response)
    return response


def _last_user_text(messages: list[dict[str, Any]]) -> str:
    said = next(m["content"] for m in reversed(messages) if m["role"] == "user")
    return said if isinstance(said, str) else "".join(part["text"] for part in said)


async def _short(response: web.StreamResponse) -> None:
    await response.write(_chunk({"content": "done"}) + _END)


async def _slow(response: web.StreamResponse) -> None:
    for _ in range(20):
        await response.write(_chunk({"content": "slow "}))
        await asyncio.sleep(0.05)
    await response.write(_END)


async def _reasoning(response: web.StreamResponse) -> None:
    thought = _chunk({"reasoning_content": "thinking "})
    while True:
        await response.write(thought * 20)
        await asyncio.sleep(0.005)


async def _line(response: web.StreamResponse) -> None:
    await response.write(b'data: {"choices": [{"delta": {"content": "')
    await _large(response)


async def _large(response: web.StreamResponse) -> None:
    for _ in range(_LARGE // len(_BLOCK)):
        await response.write(_BLOCK)


def _calling(tool: str) -> Stream:
    async def stream(response: web.StreamResponse) -> None:
        function = {"name": tool, "arguments": "{}"}
        call = {"index": 0, "id": "call_1", "type": "function", "function": function}
        await response.write(_chunk({"tool_calls": [call]}) + _chunk({}, "tool_calls") + _DONE)

    return stream


def _chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "model": "hostile", "choices": [choice]}
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


_DONE = b"data: [DONE]\n\n"
_END = _chunk({}, "stop") + _DONE
_ANSWERS: dict[str, Stream] = {"slow": _slow, "reasoning": _reasoning, "line": _line}


async def tools(request: web.Request) -> web.StreamResponse:
    """Answer a message of MCP."""
    asked = orjson.loads(await request.read())
    if "id" not in asked:
        return web.Response(status=202)
    answer: dict[str, Any] = {"jsonrpc": "2.0", "id": asked["id"]}
    match asked["method"]:
        case "initialize":
            answer["result"] = {
                "protocolVersion": asked["params"]["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "hostile", "version": "1"},
            }
        case "tools/list":
            answer["result"] = {"tools": _TOOLS}
        case "tools/call":
            answer["result"] = _RESULTS[asked["params"]["name"]]()
        case method:
            answer["error"] = {"code": -32601, "message": f"no method {method}"}
    return web.Response(body=orjson.dumps(answer), content_type="application/json")


async def _no_stream(request: web.Request) -> web.StreamResponse:
    return web.Response(status=405)


async def serve() -> None:
    """Listen on a free port until the process is told to end."""
    app = web.Application(client_max_size=100_000_000)
    app.router.add_post("/v1/chat/completions", complete)
    app.router.add_post("/mcp", tools)
    app.router.add_get("/mcp", _no_stream)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"listens on http://127.0.0.1:{runner.addresses[0][1]}/", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    command("hostile", __doc__).parse_args()
    run_until_told(serve(), fast=False, elsewhere=True)
