"""Tools that wait for an approval, and clicks on what asks for it."""

from __future__ import annotations

from typing import Any

from aiohttp import ClientResponse

from tests.client import Chat, Streamed

ACTION = "chatkit_server.approval"


def asked(streamed: Streamed) -> list[dict[str, Any]]:
    """Return the widgets that ask for an approval."""
    return [item for item in streamed.done("widget") if buttons(item)]


def buttons(item: dict[str, Any]) -> list[str]:
    """Return the decisions that the buttons of a widget send."""
    rows = [child for child in item["widget"]["children"] if child["type"] == "Row"]
    found = [button["onClickAction"] for row in rows for button in row["children"]]
    assert all(action["type"] == ACTION for action in found)
    return [action["payload"]["decision"] for action in found]


def says(item: dict[str, Any]) -> str:
    """Return the text of a widget."""
    return "\n".join(c["value"] for c in item["widget"]["children"] if "value" in c)


def click_params(item: dict[str, Any], decision: Any) -> dict[str, Any]:
    """Return the parameters of the operation that a button sends."""
    return {
        "thread_id": item["thread_id"],
        "item_id": item["id"],
        "action": {"type": ACTION, "payload": {"decision": decision}},
    }


async def click(chat: Chat, item: dict[str, Any], decision: Any = "approve") -> Streamed:
    """Click a button, and read what comes of it."""
    return await chat.stream("threads.custom_action", **click_params(item, decision))


async def post_click(chat: Chat, item: dict[str, Any], decision: Any) -> ClientResponse:
    """Click a button, and return the response."""
    params = click_params(item, decision)
    return await chat.post({"type": "threads.custom_action", "params": params})


def replaced(streamed: Streamed) -> list[str]:
    """Return what the widgets say that were replaced."""
    events = [event for event in streamed.data if event["type"] == "thread.item.replaced"]
    assert not any(buttons(event["item"]) for event in events)
    return [says(event["item"]).splitlines()[-1] for event in events]


async def shown(chat: Chat, thread_id: str) -> list[dict[str, Any]]:
    """Return the items of a thread as a page gets them after a reload, oldest first."""
    page = await chat.ask("items.list", thread_id=thread_id, order="asc", limit=100)
    items: list[dict[str, Any]] = page["data"]
    return items
