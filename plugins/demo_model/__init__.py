"""A model that needs no account and no network: it keeps a to-do list with the tools it is given.

It understands a few simple sentences, calls tools with real arguments, and answers from their
results. So the default settings show the whole path from a message to an answer. Other tools are
called by their names, so you can try yours: “roll dice” calls `roll_dice`.

- `sentences`: which tool a sentence asks for, and the answer.
- `model`: the answer as the Agents SDK expects it.
"""

from __future__ import annotations

from collections.abc import Mapping

from agents import Model, ModelProvider
from pydantic import BaseModel

from chatkit_server import Duration, hookimpl

from .model import DemoModel
from .sentences import INTRODUCTION

__all__ = ["INTRODUCTION", "Config", "Plugin"]


class Config(BaseModel):
    """`pace` is the pause before each word."""

    pace: Duration = 0.02


class Plugin:
    """Serves the models `demo/…`, which are all the same."""

    def __init__(self, config: Config) -> None:
        self._provider = DemoProvider(config.pace)

    @hookimpl
    def model_providers(self) -> Mapping[str, ModelProvider]:
        return {"demo": self._provider}


class DemoProvider(ModelProvider):
    """Returns the demo model for any name."""

    def __init__(self, pace: float) -> None:
        self._pace = pace

    def get_model(self, model_name: str | None) -> Model:
        return DemoModel(model_name or "todo", self._pace)
