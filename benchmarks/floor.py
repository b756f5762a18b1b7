"""The floor: the least that a server of tokens can do.

It reads the model's lines, parses each, and writes one ChatKit event for each token. It has no
agent, no store, no users and no errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orjson
from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

from .command import command
from .processes import run_until_told

_SESSION = web.AppKey("session", ClientSession)
_MODEL = web.AppKey("model", str)


async def _chat(request: web.Request) -> web.StreamResponse:
    body = orjson.loads(await request.read())
    said = body["params"]["input"]["content"][0]["text"]
    asked = {"model": "bench", "stream": True, "messages": [{"role": "user", "content": said}]}
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    url = f"{request.app[_MODEL]}/chat/completions"
    async with request.app[_SESSION].post(url, data=orjson.dumps(asked)) as answer:
        async for line in answer.content:
            if not line.startswith(b"data: {"):
                continue
            for choice in orjson.loads(line[6:])["choices"]:
                text = choice["delta"].get("content")
                if text:
                    await response.write(b"data: %b\n\n" % orjson.dumps(_event(text)))
    return response


def _event(text: str) -> dict[str, object]:
    update = {
        "type": "assistant_message.content_part.text_delta",
        "content_index": 0,
        "delta": text,
    }
    return {"type": "thread.item.updated", "item_id": "msg_0123456789", "update": update}


async def _session(app: web.Application) -> AsyncIterator[None]:
    connector = TCPConnector(limit=0)
    async with ClientSession(connector=connector, timeout=ClientTimeout(None)) as session:
        app[_SESSION] = session
        yield


async def serve(model: str) -> None:
    """Listen on a free port until the process is told to end."""
    app = web.Application()
    app[_MODEL] = model
    app.router.add_post("/chat", _chat)
    app.cleanup_ctx.append(_session)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    print(f"listens on http://127.0.0.1:{runner.addresses[0][1]}/chat", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = command("floor", __doc__)
    parser.add_argument("model", help="the model server's base URL")
    run_until_told(serve(parser.parse_args().model), fast=False)
