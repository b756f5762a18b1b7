"""Runs of the Agents SDK that plugins start themselves: they find this server's models.

The SDK has one runner for the process, which `Runner.run` and `Agent.as_tool` use. This one looks
up whose code starts the run: in a request, a turn or the startup of an application, a run without a
model provider of its own gets that application's models. Elsewhere it is the SDK's runner.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager, suppress
from contextvars import ContextVar
from typing import Any, cast
from weakref import WeakKeyDictionary

from agents import Model, ModelProvider, MultiProvider, RunConfig, RunResult, StreamEvent, Usage
from agents.exceptions import AgentsException
from agents.result import RunResultStreaming
from agents.run import AgentRunner, get_default_agent_runner, set_default_agent_runner
from chatkit.agents import AgentContext
from openai import AsyncOpenAI

from ..errors import TurnFailed
from ..settings.schema import AgentSettings
from .models import ModelRouter
from .sdk import free, free_when_done
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

STOPS_WITHIN = 1.0
"""Seconds that the runs of a turn which is over have to stop, before they are left alone."""


class TurnRuns:
    """The runs that one turn starts: their tokens, and those that stream."""

    def __init__(self) -> None:
        self.usages: list[Usage] = []
        self._streaming: list[_Streaming] = []
        self._task: asyncio.Task[Any] | None = None

    def here(self) -> None:
        """Count all runs that the current task starts, which is the turn's, or its tasks."""
        self._task = asyncio.current_task()
        _TURN.set(self)

    def count(self, usage: Usage) -> None:
        """Count the tokens of a run."""
        # An agent that is run as a tool counts into the run around it
        if all(usage is not known for known in self.usages):
            self.usages.append(usage)

    def forget(self, usage: Usage) -> None:
        """Do not count the tokens of a run that goes on in another, which counts them too."""
        self.usages = [known for known in self.usages if known is not usage]

    def add(self, result: RunResultStreaming) -> None:
        """Count a run that streams, and stop it with the turn."""
        self.count(result.context_wrapper.usage)
        self._streaming.append(_Streaming(result))

    def leave(self, result: RunResultStreaming) -> None:
        """Leave a run to the code that started it, which stops it."""
        for streaming in self._streaming:
            if streaming.result is result:
                streaming.release()
                self._streaming.remove(streaming)
                return

    async def stop(self) -> None:
        """Stop the runs that still go on.

        Code that is cancelled while it reads a run leaves the run behind: its model would be read
        on, and its tools would be called.
        """
        stopping = [asyncio.create_task(run.stop(self._task)) for run in self._streaming]
        if stopping:
            await asyncio.wait(stopping, timeout=STOPS_WITHIN)

    def release(self) -> None:
        """Let go of the runs."""
        for streaming in self._streaming:
            streaming.release()
        self._streaming.clear()


class _Streaming:
    """A run that streams, and what reads it."""

    def __init__(self, result: RunResultStreaming) -> None:
        self.result = result
        self._reader: asyncio.Task[Any] | None = None
        self._readings: list[AsyncGenerator[StreamEvent]] = []
        self._events = result.stream_events
        vars(result)["stream_events"] = self._stream_events

    def _stream_events(self) -> AsyncIterator[StreamEvent]:
        reading = self._read()
        self._readings.append(reading)
        return reading

    async def _read(self) -> AsyncGenerator[StreamEvent]:
        events = cast(AsyncGenerator[StreamEvent], self._events())
        async with aclosing(events):
            # Each event may be read by another task
            self._reader = asyncio.current_task()
            async for event in events:
                yield event
                self._reader = asyncio.current_task()

    async def stop(self, turn_task: asyncio.Task[Any] | None) -> None:
        """Stop the run, and the tasks that wait for what it says.

        ChatKit's `stream_agent_response` leaves them behind when it is cancelled, and asyncio would
        complain of each.
        """
        if not self._has_ended:
            self.result.cancel()
        if self._reader is not None and self._reader is not turn_task:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        context = self.result.context_wrapper.context
        if isinstance(context, AgentContext) and isinstance(context._events, asyncio.Queue):
            context._events.put_nowait(_NOTHING)
        for reading in self._readings:
            with suppress(RuntimeError):
                await reading.aclose()
        await stop_run(self.result)

    @property
    def _has_ended(self) -> bool:
        task = self.result.run_loop_task
        return task is None or task.done()

    def release(self) -> None:
        """Let go of the run."""
        del vars(self.result)["stream_events"]
        self._reader = None
        self._readings.clear()
        if self._has_ended:
            free(self.result)


_NOTHING: Any = object()

_TURN: ContextVar[TurnRuns | None] = ContextVar("runs_of_turn", default=None)
"""The turn whose code is running."""


async def stop_run(result: RunResultStreaming) -> None:
    """Stop a run and wait until it has: its model is no longer read, its tools are cancelled."""
    task = result.run_loop_task
    if task is None:
        return
    if not task.done():
        result.cancel()
    await asyncio.gather(task, return_exceptions=True)
    free(result)


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
        turn = _TURN.get()
        try:
            result = await self._runner.run(starting_agent, input, **_completed(kwargs))
        except AgentsException as error:
            if turn is not None and error.run_data is not None:
                turn.count(error.run_data.context_wrapper.usage)
            raise
        if turn is not None:
            turn.count(result.context_wrapper.usage)
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
        turn = _TURN.get()
        if turn is not None:
            turn.add(result)
        elif _APP.get() is not None and not completed["run_config"].sandbox:
            free_when_done(result)
        return result


def _completed(kwargs: dict[str, Any]) -> dict[str, Any]:
    app = _APP.get()
    if app is None:
        return kwargs
    return {**kwargs, "run_config": app.config(kwargs.get("run_config"))}


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
