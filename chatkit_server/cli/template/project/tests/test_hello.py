"""Tests of the example plugin: pip install 'chatkit-server[dev]', then run pytest."""

from pathlib import Path

import pytest

from chatkit_server.testing import MakeClient, script

pytestmark = pytest.mark.asyncio
PLUGINS = Path(__file__).parents[1] / "my_plugins"


async def test_the_model_is_told_the_tone(chatkit_client: MakeClient) -> None:
    model = script("Good day.")
    client = await chatkit_client(
        plugin_dirs=[PLUGINS], plugins={"hello": {"tone": "formal"}}, model=model
    )
    answer = await client.as_user("ann", name="Ann").say("Hello")
    assert answer.text == "Good day."
    assert "Answer Ann in a formal tone." in model.requests[0].instructions
