"""A plugin whose agent needs a run of the Agents SDK in every turn.

So it is with turns that call tools. Named `benchmarks.every_run` in a settings file.
"""

from __future__ import annotations

from copy import copy

from agents import Agent, ModelSettings

from chatkit_server import Turn, hookimpl


class Run(Agent[Turn]):
    """An agent that only the Agents SDK can run."""


_AGENT = Run(
    name="Assistant", instructions="You are a helpful assistant.", model_settings=ModelSettings()
)


@hookimpl
async def agent(turn: Turn) -> Run:
    return copy(_AGENT)
