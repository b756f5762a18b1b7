"""An answer that something is not available says when to ask again, on every route."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from chatkit.store import Store

from chatkit_server import ServerError, TooManyRequests, Unavailable, hookimpl
from chatkit_server.testing.memory_store import MemoryStore, StorePlugin
from tests.conftest import MakeChat

DOWN = "The conversations are not available right now. Try again in a moment."


async def _down(*_: Any, **__: Any) -> Any:
    raise Unavailable(DOWN)


class Down(MemoryStore):
    """A store whose database is away."""

    def __getattribute__(self, name: str) -> Any:
        return _down if name in Store.__abstractmethods__ else super().__getattribute__(name)


OPERATIONS: dict[str, dict[str, Any]] = {
    "threads.list": {"limit": 9, "order": "asc"},
    "threads.get_by_id": {"thread_id": "thr_1"},
    "threads.update": {"thread_id": "thr_1", "title": "x"},
    "threads.delete": {"thread_id": "thr_1"},
    "items.list": {"thread_id": "thr_1", "limit": 9, "order": "asc"},
    "threads.add_user_message": {
        "thread_id": "thr_1",
        "input": {
            "content": [{"type": "input_text", "text": "hello"}],
            "attachments": [],
            "inference_options": {},
        },
    },
    "threads.retry_after_item": {"thread_id": "thr_1", "item_id": "msg_1"},
}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_operation_without_a_database(operation: str, make_chat: MakeChat) -> None:
    chat = await make_chat(StorePlugin(Down()))
    response = await chat.post({"type": operation, "params": OPERATIONS[operation]})
    assert response.status == 503
    assert await response.json() == {"message": DOWN}
    assert 1 <= int(response.headers["Retry-After"]) <= 5


async def test_other_routes_without_a_database(make_chat: MakeChat) -> None:
    chat = await make_chat(StorePlugin(Down()))
    plain = {"messages": [{"role": "user", "content": "hello"}], "thread_id": "thr_1"}
    for response in (
        await chat.post(plain),
        await chat.client.get("/readyz"),
    ):
        assert response.status == 503
        assert 1 <= int(response.headers["Retry-After"]) <= 5


class OwnError(ServerError):
    """An error of a plugin, with a status of its own choice."""

    status = 503


class Route:
    """Raises an error at `/own`."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    @hookimpl
    def setup(self, app: web.Application) -> None:
        app.router.add_get("/own", self.fail)

    async def fail(self, _: web.Request) -> web.Response:
        raise self.error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Unavailable("x"), "5"),
        (Unavailable("x", retry_after=60), "60"),
        (TooManyRequests("x"), "5"),
        (TooManyRequests("x", headers={"Retry-After": "9"}), "9"),
        (TooManyRequests("x", headers={"retry-after": "9"}), "9"),
        (OwnError("x"), "5"),
        (web.HTTPServiceUnavailable(text="x"), "5"),
        (web.HTTPNotFound(text="x"), None),
        (ServerError("x"), None),
    ],
)
async def test_the_route_of_a_plugin(
    error: Exception, told: str | None, make_chat: MakeChat
) -> None:
    chat = await make_chat(Route(error))
    response = await chat.client.get("/own")
    assert response.headers.get("Retry-After") == told
    assert (await response.json()) == {"message": "x"}
