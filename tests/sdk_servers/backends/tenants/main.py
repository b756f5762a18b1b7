"""The application: a lifespan, a middleware, and routes beside ChatKit's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

from chatkit.server import StreamingResult
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from .context import RequestContext, get_context
from .server import Facts, TenantServer

facts = Facts()
server = TenantServer(facts)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    facts.of("ann").append("was here before")
    app.state.plan = "basic"
    yield {"started": True}
    facts.by_user.clear()


app = FastAPI(lifespan=lifespan)


@app.middleware("http")
async def count(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    response.headers["X-Tenants"] = "1"
    return response


def current_user(context: Annotated[RequestContext, Depends(get_context)]) -> str:
    return context.user_id


@app.post("/chatkit")
async def chatkit(
    request: Request, context: Annotated[RequestContext, Depends(get_context)]
) -> Response:
    result = await server.process(await request.body(), context)
    if isinstance(result, StreamingResult):
        return StreamingResponse(result, media_type="text/event-stream")
    return Response(content=result.json, media_type="application/json")


class Fact(BaseModel):
    text: str


@app.get("/facts")
async def list_facts(
    user_id: Annotated[str, Depends(current_user)], request: Request
) -> dict[str, Any]:
    return {"facts": facts.of(user_id), "started": request.state.started}


@app.post("/facts", status_code=201)
async def add_fact(fact: Fact, user_id: Annotated[str, Depends(current_user)]) -> dict[str, int]:
    facts.of(user_id).append(fact.text)
    return {"count": len(facts.of(user_id))}


@app.get("/feedback")
async def list_feedback(user_id: Annotated[str, Depends(current_user)]) -> list[Any]:
    return [list(given) for given in server.feedback if given[0] == user_id]
