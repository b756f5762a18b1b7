"""A backend as the official SDK runs it: in FastAPI, on uvicorn."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from agents import set_tracing_disabled
from chatkit.server import ChatKitServer, StreamingResult
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from .page import ENDPOINT


def official_app(server: ChatKitServer[Any], make_context: Callable[[Request], Any]) -> FastAPI:
    """Return the application that the SDK's documentation has: one endpoint."""
    app = FastAPI()

    @app.post(ENDPOINT)
    async def chatkit(request: Request) -> Response:
        result = await server.process(await request.body(), make_context(request))
        if isinstance(result, StreamingResult):
            return StreamingResponse(result, media_type="text/event-stream")
        return Response(content=result.json, media_type="application/json")

    return app


@asynccontextmanager
async def official(app: FastAPI) -> AsyncIterator[str]:
    """Serve the application on a free port."""
    set_tracing_disabled(True)
    config = uvicorn.Config(app, log_level="critical", access_log=False, lifespan="on")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        await server.startup(sockets=[listening])
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            await server.shutdown(sockets=[listening])
