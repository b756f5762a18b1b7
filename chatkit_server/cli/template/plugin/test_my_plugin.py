"""Tests of the plugin my_plugin: pip install 'chatkit-server[dev]', then run pytest."""

from pathlib import Path

import pytest

from chatkit_server.testing import MakeClient, script

pytestmark = pytest.mark.asyncio
PLUGINS = Path(__file__).parents[1] / "my_plugins"


async def test_it_answers_its_command(chatkit_client: MakeClient) -> None:
    client = await chatkit_client(
        plugin_dirs=[PLUGINS], plugins={"my_plugin": {"answer": "Good morning."}}
    )
    answer = await client.say("/my_plugin")
    assert answer.text == "Good morning."


async def test_the_model_gets_the_rule(chatkit_client: MakeClient) -> None:
    model = script("Yes.")
    client = await chatkit_client(
        plugin_dirs=[PLUGINS], plugins={"my_plugin": {"rule": "Be brief."}}, model=model
    )
    answer = await client.say("Is it raining?")
    assert answer.text == "Yes."
    assert model.requests[0].instructions.endswith("Be brief.")
