"""Tests of the plugin: run pytest."""

import pytest
from my_plugin import Config, Plugin

from chatkit_server.testing import MakeClient, script
from chatkit_server.testing.conformance import PluginContract


async def test_it_answers_its_command(chatkit_client: MakeClient) -> None:
    client = await chatkit_client(Plugin(Config(answer="Good morning.")))
    answer = await client.say("/my_plugin")
    assert answer.text == "Good morning."


async def test_the_model_gets_the_rule(chatkit_client: MakeClient) -> None:
    model = script("Yes.")
    client = await chatkit_client(Plugin(Config(rule="Be brief.")), model=model)
    answer = await client.say("Is it raining?")
    assert answer.text == "Yes."
    assert model.requests[0].instructions.endswith("Be brief.")


async def test_the_server_finds_it_when_it_is_installed(chatkit_client: MakeClient) -> None:
    client = await chatkit_client(plugins={"my_plugin": {"answer": "Good evening."}})
    answer = await client.say("/my_plugin")
    assert answer.text == "Good evening."


class TestContract(PluginContract):
    """It keeps the contract of plugins: types, time limits, users kept apart, and more."""

    @pytest.fixture
    def plugin(self) -> Plugin:
        return Plugin(Config())
