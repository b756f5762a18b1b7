"""Which model answers: the providers by prefix, the settings, and the user's choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from agents import Agent, Model, ModelProvider, ModelSettings
from agents.models import get_default_model_settings
from agents.testing import ScriptedModel
from chatkit.types import InferenceOptions

from chatkit_server import BadRequest, SettingsError, TurnFailed, hookimpl
from chatkit_server.agent.models import (
    ModelRouter,
    choose_model,
    model_settings,
    own_settings,
)
from chatkit_server.plugin.calls import Hooks
from chatkit_server.settings.schema import AgentSettings
from tests.recording import make_recording
from tests.test_job import user


class Provider(ModelProvider):
    """Notes the names that it is asked for."""

    def __init__(self) -> None:
        self.names: list[str | None] = []

    def get_model(self, model_name: str | None) -> Model:
        self.names.append(model_name)
        return ScriptedModel([])


class Models:
    """A plugin that serves models."""

    def __init__(self, **providers: Provider) -> None:
        self.providers = {"" if prefix == "rest" else prefix: p for prefix, p in providers.items()}

    @hookimpl
    def model_providers(self) -> Mapping[str, ModelProvider]:
        return self.providers


def router(*plugins: Models) -> ModelRouter:
    return ModelRouter(Hooks.of([(f"plugin_{n}", plugin) for n, plugin in enumerate(plugins)]))


def test_the_first_part_of_a_name_chooses_the_provider() -> None:
    one, two = Provider(), Provider()
    models = router(Models(one=one), Models(two=two))
    for name in ("one/a", "two/b/c"):
        models.check(name)
        models.get_model(name)
    assert (one.names, two.names) == (["a"], ["b/c"])
    assert models.prefixes == ["one", "two"]


def test_a_provider_of_all_others_gets_whole_names() -> None:
    one, rest = Provider(), Provider()
    models = router(Models(one=one, rest=rest))
    for name in ("one/a", "two/b", "c", "one", "one/"):
        models.check(name)
        models.get_model(name)
    assert one.names == ["a"]
    assert rest.names == ["two/b", "c", "one", "one/"]
    for nothing in ("", None):
        with pytest.raises(TurnFailed):
            models.get_model(nothing)


@pytest.mark.parametrize("name", ["three/a", "one", "one/", "/a", ""])
def test_a_model_that_nobody_serves(name: str) -> None:
    models = router(Models(one=Provider(), two=Provider()))
    with pytest.raises(TurnFailed) as raised:
        models.get_model(name)
    message = raised.value.message
    assert message.startswith(f"no enabled plugin serves the model `{name}`.")
    assert message.endswith(" Served: one/…, two/…")
    with pytest.raises(SettingsError) as refused:
        models.check(name)
    assert str(refused.value).startswith(message + ". For others, enable a plugin")


def test_a_provider_may_refuse_a_model_at_the_start() -> None:
    class Picky(Provider):
        def check_model(self, name: str) -> None:
            if name == "b":
                raise SettingsError("b is sold out")

    models = router(Models(one=Picky(), two=Provider()))
    models.check("one/a")
    models.check("two/b")
    with pytest.raises(SettingsError, match="b is sold out"):
        models.check("one/b")


def test_a_prefix_with_a_typo_is_told_with_the_right_one() -> None:
    models = router(Models(ollama=Provider(), test=Provider()))
    with pytest.raises(TurnFailed, match=r"Did you mean `?ollama"):
        models.get_model("olama/llama/x")


def test_without_providers_none_are_served() -> None:
    with pytest.raises(TurnFailed, match=r"Served: none$"):
        router().get_model("a/b")


def test_two_plugins_may_not_serve_the_same_models() -> None:
    with pytest.raises(SettingsError) as raised:
        router(Models(one=Provider()), Models(two=Provider(), one=Provider()))
    message = str(raised.value)
    assert message.startswith("plugin ")
    assert "the models `one/…` are already served by the plugin " in message
    assert {"plugin_0", "plugin_1"} <= {word.strip(":;") for word in message.split()}


def test_settings_of_the_model_are_the_sdks() -> None:
    settings = AgentSettings(model_settings={"temperature": 0.5, "max_tokens": 7})
    assert model_settings(settings) == ModelSettings(temperature=0.5, max_tokens=7)
    assert model_settings(AgentSettings()) == ModelSettings()


def test_every_wrong_setting_of_the_model_is_told() -> None:
    settings = AgentSettings(
        model_settings={"temprature": 1, "temperature": "hot", "max_tokens": 1}
    )
    with pytest.raises(SettingsError) as raised:
        model_settings(settings)
    lines = sorted(str(raised.value).splitlines())
    assert len(lines) == 2
    told = {key: line for line in lines for key in ("temprature", "temperature:") if key in line}
    assert "unknown key." in told["temprature"]
    assert "Did you mean" in told["temprature"]
    assert "number" in told["temperature:"]


async def choose(options: InferenceOptions | None, **settings: Any) -> str | None:
    turn = (await make_recording()).turn
    if options is not None:
        turn.message = user().model_copy(update={"inference_options": options})
    return choose_model(turn, AgentSettings(**settings))


async def test_the_user_picks_one_of_the_models_offered() -> None:
    offered: dict[str, Any] = {"model": "a/b", "models": ["c/d"]}
    assert await choose(None, **offered) is None
    assert await choose(InferenceOptions(), **offered) is None
    for name in ("a/b", "c/d"):
        assert await choose(InferenceOptions(model=name), **offered) == name
    with pytest.raises(BadRequest) as raised:
        await choose(InferenceOptions(model="x" * 200), **offered)
    assert raised.value.message == (f"The model `{'x' * 100}` is not offered here. Use: a/b, c/d")


def test_the_sdks_own_settings_are_nobodys_choice() -> None:
    default = get_default_model_settings()
    assert own_settings(Agent(name="a")) == ModelSettings()
    agent: Agent[Any] = Agent(name="a")
    agent.model = "a/b"
    assert own_settings(agent) == default
    chosen = ModelSettings(temperature=0.5)
    assert own_settings(Agent(name="a", model_settings=chosen)) == chosen


def test_a_plugins_agent_has_settings_of_its_own() -> None:
    given = ModelSettings(temperature=0.5)
    agent: Agent[Any] = Agent(name="a", model="a/b", model_settings=given)
    own = own_settings(agent)
    assert own.temperature == 0.5
    assert own is not given
