"""A model that answers as a test tells it, without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents import Model, ModelProvider
from agents.items import TResponseInputItem
from agents.testing import ScriptedModel as SdkScriptedModel
from agents.testing import UnexpectedModelCall, assistant_message, function_call

from ..plugin.hookspecs import hookimpl

PREFIX = "scripted"
"""The prefix of the model's name in the settings of the server: `scripted/model`."""


@dataclass(frozen=True)
class ToolUse:
    """A call of a tool in a script: its name and its arguments."""

    name: str
    arguments: Mapping[str, Any]


Step = str | ToolUse | Exception | Sequence[str | ToolUse]
"""One answer of the model: text, a tool call, several of these, or an error that it raises."""


def call(name: str, /, **arguments: Any) -> ToolUse:
    """Return a tool call for a `script`: `call("add", a=1, b=2)`."""
    return ToolUse(name, arguments)


def script(*steps: Step) -> ScriptedModel:
    """Return a model that gives these answers, one for each request, in order.

    `script("Hello")` says it. `script(call("add", a=1, b=2), "It is 3.")` calls a tool, and then
    gives its answer. A list is one answer of several parts, and an exception is raised.
    """
    return ScriptedModel(*steps)


@dataclass(frozen=True)
class ModelRequest:
    """What the model was asked: its instructions, the input, and the names of its tools."""

    instructions: str
    input: list[TResponseInputItem]
    tools: list[str]
    settings: Any

    @property
    def said(self) -> str:
        """What the user said last, as the model gets it."""
        for item in reversed(self.input):
            if item.get("role") == "user":
                return _text(item.get("content"))
        return ""


class ScriptEnded(AssertionError):
    """A model was asked more often than its script has answers."""


class ScriptedModel(SdkScriptedModel):
    """The model of a `script`. `requests` is what it was asked so far."""

    def __init__(self, *steps: Step) -> None:
        self._given = 0
        super().__init__([self._outputs(step) for step in steps])

    def add(self, *steps: Step) -> None:
        """Add answers for the next requests."""
        self.extend([self._outputs(step) for step in steps])

    @property
    def requests(self) -> list[ModelRequest]:
        """What it was asked, in order."""
        return [
            ModelRequest(
                made.system_instructions or "",
                [{"role": "user", "content": made.input}]
                if isinstance(made.input, str)
                else [*made.input],
                [tool.name for tool in made.tools],
                made.model_settings,
            )
            for made in self.calls
        ]

    def refuse_surplus(self) -> None:
        """Raise `ScriptEnded` if it was asked more often than it has answers."""
        asked, answers = len(self.calls), self._given
        if asked <= answers:
            return
        last = self.requests[answers]
        raise ScriptEnded(
            f"the model was asked {asked} times, and its script has {answers} "
            f"answer{'s'[: answers != 1]}. Request {answers + 1} ended with {last.input[-1:]!r}. "
            "Give `script` one more answer, such as the text that comes after a tool call"
        )

    def _outputs(self, step: Step) -> Any:
        self._given += 1
        if isinstance(step, Exception):
            return step
        parts = [step] if isinstance(step, str | ToolUse) else step
        return [self._output(part, at) for at, part in enumerate(parts)]

    def _output(self, part: str | ToolUse, at: int) -> Any:
        name = f"{self._given}_{at}"
        match part:
            case str():
                return assistant_message(part, item_id=f"msg_{name}")
            case ToolUse():
                return function_call(part.name, part.arguments, call_id=f"call_{name}")
            case _:
                raise TypeError(
                    f"a script has text, call(...), a list of these, or an exception, not {part!r}"
                )


class ModelPlugin:
    """Serves one model under a name of its own."""

    NAME = f"{PREFIX}/model"

    def __init__(self, model: Model) -> None:
        self._model = model

    @hookimpl
    def model_providers(self) -> dict[str, ModelProvider]:
        return {PREFIX: _OneModel(self._model)}


class _OneModel(ModelProvider):
    def __init__(self, model: Model) -> None:
        self._model = model

    def get_model(self, model_name: str | None) -> Model:
        return self._model


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content or ())


__all__ = [
    "ModelPlugin",
    "ModelRequest",
    "ScriptEnded",
    "ScriptedModel",
    "Step",
    "ToolUse",
    "UnexpectedModelCall",
    "call",
    "script",
]
