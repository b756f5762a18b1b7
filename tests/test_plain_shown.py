"""What plain clients see of the showcase beside text, widgets and questions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.client import Chat
from tests.showing import showcase_chat

SHOWN = {"draw a sunset": "image", "cite": "sources", "notice": "notice", "effect": "client_effect"}


async def whole(chat: Chat, text: str) -> dict[str, Any]:
    """Ask for an answer without a stream."""
    message = {"role": "user", "content": text}
    response = await chat.post({"messages": [message], "stream": False})
    answer: dict[str, Any] = await response.json()
    return answer


@pytest.mark.parametrize("said", SHOWN)
async def test_a_line_says_what_is_shown(said: str) -> None:
    key = SHOWN[said]
    async with showcase_chat() as chat:
        streamed = await chat.plain(said)
        answer = await whole(chat, said)
        begun = await chat.say(said)
    lines = [line[key] for line in streamed.data if key in line]
    if key == "image":
        [item] = begun.done("generated_image")
        assert lines == [{"url": item["image"]["url"], "id": lines[0]["id"]}]
        assert [image["url"] for image in answer["images"]] == [lines[0]["url"]]
    elif key == "sources":
        annotations = begun.done("assistant_message")[-1]["content"][0]["annotations"]
        told = [{**each["source"], "index": each["index"]} for each in annotations]
        assert lines == [told]
        assert answer["sources"] == told
    else:
        assert not {"sources", "images", key} & set(answer), "it is not saved"
        shown = [event for event in begun.data if event["type"] == key]
        assert [{**line, "type": key} for line in lines] == shown
