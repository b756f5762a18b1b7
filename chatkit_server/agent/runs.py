"""Runs of the Agents SDK that plugins start themselves: they find this server's models.

The SDK has one runner for the process, which `Runner.run` and `Agent.as_tool` use. This one looks
up whose code starts the run: in a request, a turn or the startup of an application, a run without a
model provider of its own gets that application's models. Elsewhere it is the SDK's runner.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

from agents import Model, ModelProvider, MultiProvider, RunConfig, RunResult, Usage
from agents.exceptions import AgentsException
from agents.result import RunResultStreaming
from agents.run import AgentRunner, get_default_agent_runner, set_default_agent_runner
from openai import AsyncOpenAI

from ..errors import TurnFailed
from ..settings.schema import AgentSettings
from .models import ModelRouter
from .sdk import free_when_done
from .whole import for_own_run


class AppRuns:
    """What the runs of one application's plugins get: its models, and its setting for tracing."""

    def __init__(self, models: ModelRouter, settings: AgentSettings) -> None:
        self.models = models
        self.settings = settings
        self.loop: asyncio.AbstractEventLoop | None = None
        if not isinstance(get_default_agent_runner(), _PluginRunner):
            set_default_agent_runner(_PluginRunner(get_default_agent_runner()))

    @contextmanager
    def here(self) -> Iterator[None]:
        """Have runs in the block, and in tasks that it starts, find this application's models."""
        self.loop = asyncio.get_running_loop()
        token = _APP.set(self)
        try:
            yield
        finally:
            _APP.reset(token)

    def config(self, given: RunConfig | dict[str, Any] | None) -> RunConfig:
        """Return how a run goes: as `given`, and with this application's models without others."""
        if isinstance(given, dict):
            named = "model_provider" in given
            config = RunConfig(**given)
        else:
            config = given or RunConfig()
            named = not _is_default(config.model_provider)
        changes: dict[str, Any] = {}
        if not named:
            changes["model_provider"] = _RunModels(self, config.model_provider)
        if not (config.tracing_disabled or config.tracing or self.settings.tracing):
            changes["tracing_disabled"] = True
        return dataclasses.replace(config, **changes) if changes else config


_APP: ContextVar[AppRuns | None] = ContextVar("runs_of_app", default=None)
"""The application whose code is running."""

_USAGES: ContextVar[list[Usage] | None] = ContextVar("usages_of_turn", default=None)
"""Takes the tokens of each run that the current turn starts."""


def count_into(usages: list[Usage]) -> None:
    """Add the tokens of all runs that the current task starts to this list."""
    _USAGES.set(usages)


class _RunModels(ModelProvider):
    """The models of one run.

    A name that no plugin serves goes where the SDK sends it, if that works: an OpenAI client may be
    set up there.
    """

    def __init__(self, app: AppRuns, default: ModelProvider) -> None:
        self._app = app
        self._default = default
        self._models: dict[str | None, Model] = {}

    def get_model(self, model_name: str | None) -> Model:
        known = self._models.get(model_name)
        if known is None:
            known = self._models[model_name] = self._made(model_name)
        return known

    def _made(self, name: str | None) -> Model:
        router = self._app.models
        served = name or self._app.settings.model
        try:
            return for_own_run(router.get_model(served), unnamed=not name)
        except TurnFailed:
            if router.serves(served):
                raise
            try:
                return self._default.get_model(name)
            except Exception:
                # Without a client for it: what this server says is of more help
                pass
            raise

    async def aclose(self) -> None:
        """Leave the models as they are: they belong to the application."""


class _PluginRunner(AgentRunner):
    """Runs agents as the runner before it, with what the application adds."""

    def __init__(self, runner: AgentRunner) -> None:
        self._runner = runner

    async def run(self, starting_agent: Any, input: Any, **kwargs: Any) -> RunResult:
        """Run an agent to its end."""
        try:
            result = await self._runner.run(starting_agent, input, **_completed(kwargs))
        except AgentsException as error:
            if error.run_data is not None:
                _count(error.run_data.context_wrapper.usage)
            raise
        _count(result.context_wrapper.usage)
        return result

    def run_sync(self, starting_agent: Any, input: Any, **kwargs: Any) -> RunResult:
        """Run an agent from a thread, where the application's models and connections are."""
        app = _APP.get()
        if app is None or app.loop is None or not app.loop.is_running() or _in_loop():
            return self._runner.run_sync(starting_agent, input, **_completed(kwargs))
        run = self.run(starting_agent, input, **kwargs)
        return asyncio.run_coroutine_threadsafe(run, app.loop).result()

    def run_streamed(self, starting_agent: Any, input: Any, **kwargs: Any) -> RunResultStreaming:
        """Start to run an agent."""
        completed = _completed(kwargs)
        result = self._runner.run_streamed(starting_agent, input, **completed)
        _count(result.context_wrapper.usage)
        if _APP.get() is not None and not completed["run_config"].sandbox:
            free_when_done(result)
        return result


def _completed(kwargs: dict[str, Any]) -> dict[str, Any]:
    app = _APP.get()
    if app is None:
        return kwargs
    return {**kwargs, "run_config": app.config(kwargs.get("run_config"))}


def _count(usage: Usage) -> None:
    usages = _USAGES.get()
    # An agent that is run as a tool counts into the run around it
    if usages is not None and all(usage is not known for known in usages):
        usages.append(usage)


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _is_default(provider: ModelProvider) -> bool:
    """Whether a run config has this provider because its author named none."""
    if type(provider) is not MultiProvider:
        return False
    plain = MultiProvider()
    return _same(vars(provider), vars(plain)) and _same(
        vars(provider.openai_provider), vars(plain.openai_provider)
    )


def _same(given: dict[str, Any], plain: dict[str, Any]) -> bool:
    """Whether all is as in a plain object, besides what one of them has made meanwhile."""
    return given.keys() == plain.keys() and all(
        value == plain[name] or isinstance(value, _MADE) for name, value in given.items()
    )


_MADE = (ModelProvider, AsyncOpenAI, WeakKeyDictionary, dict)
