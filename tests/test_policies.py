"""What a plugin may cost the others: policies, limits, the breaker, the API's version."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chatkit_server import Forbidden, SettingsError, ToolResult, Turn, hookimpl
from chatkit_server.cli.main import main
from chatkit_server.plugin import breaker as breakers
from chatkit_server.plugin import statistics
from chatkit_server.plugin.call import CutOut, HookTimeout, PluginFailed
from chatkit_server.plugin.calls import Hooks
from chatkit_server.settings.hooks import BreakerSettings, HookSettings
from chatkit_server.testing import open_client


class Broken:
    """Raises `error` in every hook, None for none."""

    def __init__(self, policy: Any = None, error: Exception | None = None) -> None:
        if policy is not None:
            self.policy = policy
        self.error = error or ValueError("broken")
        self.works = False
        self.called = 0

    def do(self) -> None:
        self.called += 1
        if not self.works:
            raise self.error

    @hookimpl
    async def auth(self) -> None:
        self.do()

    @hookimpl
    async def scan(self) -> None:
        self.do()

    @hookimpl
    async def pre_turn(self) -> None:
        self.do()

    @hookimpl
    async def persist(self) -> None:
        await asyncio.sleep(60)

    @hookimpl
    async def tool_result(self) -> None:
        self.do()

    @hookimpl
    async def transcribe(self) -> None:
        self.do()


ARGUMENTS: dict[str, dict[str, Any]] = {
    "auth": {"request": None},
    "scan": {"file": None},
    "pre_turn": {"turn": None},
    "persist": {"turn": None, "item": None},
    "tool_result": {"turn": None, "call": None, "result": ToolResult("")},
    "transcribe": {"user": None, "audio": None, "context": None},
}


async def outcome(hooks: Hooks, hook: str) -> type[Exception] | None:
    try:
        await hooks.each(hook, **ARGUMENTS[hook])
    except Exception as error:
        return type(error)
    return None


def hooks_of(plugin: object, **settings: Any) -> Hooks:
    return Hooks.of([("broken", plugin)], HookSettings.model_validate(settings))


@pytest.mark.parametrize(
    ("policy", "settings", "failing"),
    [
        (None, {}, {"pre_turn", "tool_result", "transcribe"}),
        ("skip", {}, {"tool_result"}),
        ({"tool_result": "skip", "pre_turn": "skip"}, {}, {"transcribe"}),
        ("skip", {"policies": {"broken": "fail"}}, {"pre_turn", "tool_result", "transcribe"}),
        (None, {"policies": {"broken": "skip"}}, {"tool_result"}),
        ("skip", {"policies": {"broken": {"pre_turn": "fail"}}}, {"pre_turn", "tool_result"}),
    ],
)
async def test_policies(policy: Any, settings: dict[str, Any], failing: set[str]) -> None:
    hooks = hooks_of(Broken(policy), **settings)
    told = {hook: await outcome(hooks, hook) for hook in ARGUMENTS if hook != "persist"}
    # A door that is broken stays shut
    assert told == dict.fromkeys(told) | dict.fromkeys(failing | {"auth", "scan"}, PluginFailed)


async def test_a_refusal_is_never_skipped() -> None:
    hooks = hooks_of(Broken("skip", Forbidden("No.")), breaker={"failures": 1})
    for _ in range(3):
        assert await outcome(hooks, "pre_turn") is Forbidden
    assert hooks.statistics.as_json()["broken"]["pre_turn"]["failures"] == 0


@pytest.mark.parametrize(
    ("limits", "setting"),
    [("20ms", "hooks.timeouts.broken"), ({"persist": "20ms"}, "hooks.timeouts.broken.persist")],
)
async def test_a_limit_for_a_plugin_or_a_hook(
    caplog: pytest.LogCaptureFixture, limits: Any, setting: str
) -> None:
    assert await outcome(hooks_of(Broken(), timeouts={"broken": limits}), "persist") is HookTimeout
    assert f"longer than the 0.02 s that {setting} allows" in caplog.text
    assert await outcome(hooks_of(Broken("skip"), timeouts={"broken": limits}), "persist") is None


async def test_the_breaker(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(breakers, "monotonic", lambda: now)
    plugin = Broken()
    settings = {"failures": 2, "window": "10s", "pause": "30s"}
    hooks = hooks_of(plugin, breaker=settings)
    caplog.set_level(logging.WARNING, breakers.__name__)

    async def told() -> tuple[type[Exception] | None, int]:
        plugin.called = 0
        return await outcome(hooks, "pre_turn"), plugin.called

    assert await told() == (PluginFailed, 1)
    now += 11  # the first one is out of the window
    assert await told() == (PluginFailed, 1)
    assert await told() == (PluginFailed, 1)
    assert await told() == (CutOut, 0)
    assert hooks.statistics.as_json()["broken"]["pre_turn"]["breaker"] == "open"
    now += 30
    assert await told() == (PluginFailed, 1)  # a try
    assert await told() == (CutOut, 0)
    now += 30
    plugin.works = True
    assert await told() == (None, 1)
    assert await told() == (None, 1)
    lines = [r.getMessage() for r in caplog.records if r.name == breakers.__name__]
    assert lines == [
        "plugin broken: pre_turn failed 2 times within 10 s: it is not called for 30 s "
        "(hooks.breaker)",
        "plugin broken: pre_turn works again, after 60 s: it is called again",
    ]
    plugin.works = False
    for hook in ("auth", "scan"):
        for _ in range(4):
            assert await outcome(hooks, hook) is PluginFailed


async def test_a_try_without_an_end_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(breakers, "monotonic", lambda: now)
    breaker = breakers.Breaker("a", BreakerSettings(failures=1))
    breaker.ended(failed=True)
    assert breaker.refuses()
    now += 30
    assert not breaker.refuses()
    assert breaker.refuses()
    now += 30  # whoever tried was never heard of again
    assert not breaker.refuses()
    breaker.ended(failed=None)  # stopped by the user
    assert not breaker.refuses()
    breaker.ended(failed=False)
    assert breaker.state == "closed"


async def test_what_is_spoiled_is_not_skipped() -> None:
    hooks = hooks_of(Says(policy="skip"))
    for _ in range(2):
        with pytest.raises(PluginFailed):
            await hooks.each("pre_turn", turn=None, check=lambda: "spoiled the turn")
    assert hooks.statistics.as_json()["broken"]["pre_turn"]["failed_in_a_row"] == 2


class Streaming:
    """Answers with events, and breaks off."""

    @hookimpl
    async def respond(self, turn: Turn) -> AsyncIterator[Any]:
        raise ValueError("broken")
        yield

    @hookimpl
    async def post_turn(self) -> None:
        raise ValueError("broken")


async def test_a_plugin_that_fails_every_turn_makes_the_server_unready() -> None:
    async with open_client(plugins=[("streaming", Streaming())]) as client:
        ann, bob = client.as_user("ann"), client.as_user("bob")
        for user in (ann, ann, ann, ann, ann, ann, bob):
            # One user alone cannot make it so
            assert (await client.http.get("/readyz")).status == 200
            assert (await user.say("hello")).error
        response = await client.http.get("/readyz?verbose")
        body = await response.json()
        assert response.status == 503
        assert body["plugins"] == {"streaming": "respond keeps failing: the log says why"}
        at = body["hooks"]["streaming"]
        assert at["respond"]["failed_in_a_row"] == at["post_turn"]["failed_in_a_row"] == 7
        assert "failing_since" in at["respond"]


class Says:
    """Has the attributes given."""

    def __init__(self, **said: Any) -> None:
        vars(self).update(said)

    @hookimpl
    async def pre_turn(self) -> None: ...


@pytest.mark.parametrize("wanted", ["1.0", "1", ">=1.0", ">=0.9,<2", None])
def test_the_api_that_a_plugin_requires(wanted: str | None) -> None:
    Hooks.of([("a", Says(requires_api=wanted))])


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"requires_api": "1.7"}, "requires the plugin API 1.7, and this chatkit-server has 1.0: "),
        ({"requires_api": "2"}, "update chatkit-server, or install an older version of the plugin"),
        ({"requires_api": "0.3"}, "install a version of the plugin for it, or another chatkit-"),
        ({"requires_api": "<1"}, "install a version of the plugin for it"),
        ({"requires_api": 1.0}, 'requires_api must be a version such as "1.0", or a range'),
        ({"requires_api": "new"}, "not 'new'"),
        ({"policy": "ignore"}, 'policy: expected "fail", "skip", or a dict of these by hook'),
        ({"policy": {"pre_trun": "skip"}}, "`pre_trun` is not a hook. Did you mean `pre_turn`?"),
        ({"policy": {"auth": "skip"}}, "policy: auth: this hook is never skipped"),
        ({"hook_timeouts": {"perist": 1}}, "`perist` is not a hook. Did you mean `persist`?"),
        ({"hook_timeouts": {"persist": "5s"}}, "persist: expected seconds above 0, not '5s'"),
    ],
)
def test_what_a_plugin_cannot_say(said: dict[str, Any], line: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Hooks.of([("a", Says(**said))])
    assert str(caught.value).startswith("plugin a: ")
    assert line in str(caught.value)


SETTINGS = """\
hooks:
  timeouts: {demo_model: {perist: 1s}, anonymous_auth: {persist: 5}}
  policies: {demo_model: {auth: skip}, demo: skip, anonymous_auth: ignore}
plugins: {anonymous_auth: , demo_model: , tortoise_store: {url: "sqlite://:memory:"}}
"""


def test_settings_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(SETTINGS)
    assert main(["check", "--settings", str(file)]) == 2
    told = capsys.readouterr().err
    assert "hooks.timeouts.anonymous_auth.persist: expected a duration with its unit" in told
    assert "hooks.policies.anonymous_auth: Input should be 'fail' or 'skip', not 'ignore'" in told
    file.write_text(SETTINGS.replace("5}", "5s}").replace("ignore", "skip"))
    assert main(["check", "--settings", str(file)]) == 2
    told = capsys.readouterr().err
    assert "hooks.timeouts.demo_model: `perist` is not a hook. Did you mean `persist`?" in told
    assert "hooks.policies.demo_model: auth: this hook is never skipped" in told
    assert "hooks.policies.demo: no plugin of this name is enabled" in told


async def test_what_keeps_failing_is_forgotten_without_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(statistics, "OF_USERS", 1)
    hooks = hooks_of(Broken())
    for _ in range(statistics.MANY):
        await outcome(hooks, "pre_turn")
    assert list(hooks.statistics.failing()) == [("broken", "pre_turn", True)]
    monkeypatch.setattr(statistics, "RECENT", 0.0)
    assert list(hooks.statistics.failing()) == []
