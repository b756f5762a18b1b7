"""A model that answers as a test tells it, without a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agents import Model, ModelProvider
from agents.items import TResponseInputItem
from agents.testing import (
    ModelCall,
    ModelStep,
    UnexpectedModelCall,
    assistant_message,
    function_call,
)
from agents.testing import ScriptedModel as SdkScriptedModel

from ..plugin.hookspecs import hookimpl
from .model_script import Call

PREFIX = "scripted"
"""The prefix of the model's name in the settings of the server: `scripted/model`."""


Said = str | Call | Exception | Sequence[str | Call]
"""One answer of the model: text, a tool call, several of these, or an error that it raises."""

Step = Said | Callable[["ModelRequest"], Said]
"""An answer, or a function that makes it of the request."""


def call(name: str, /, **arguments: Any) -> Call:
    """Return a tool call for a `script` or a `ModelServer`: `call("add", a=1, b=2)`."""
    return Call(name, arguments)


def script(*steps: Step) -> ScriptedModel:
    """Return a model that gives these answers, one for each request, in order.

    `script("Hello")` says it. `script(call("add", a=1, b=2), "It is 3.")` calls a tool, and then
    gives its answer. A list is one answer of several parts, and an exception is raised. A function
    gets the `ModelRequest` and returns one of these.
    """
    return ScriptedModel(*steps)


@dataclass(frozen=True)
class ModelRequest:
    """What the model was asked: its instructions, the input, and the names of its tools.

    Handoffs to other agents are tools, too: `transfer_to_billing`.
    """

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

    @property
    def came(self) -> str:
        """What came last, in words."""
        last: Any = self.input[-1] if self.input else {}
        if last.get("type") == "function_call_output":
            return f"a tool gave {last.get('output')!r}"
        return f"the user said {self.said!r}"


def _request(made: ModelCall) -> ModelRequest:
    given = made.input
    whole: Any = [{"role": "user", "content": given}] if isinstance(given, str) else [*given]
    tools = [tool.name for tool in made.tools] + [to.tool_name for to in made.handoffs]
    return ModelRequest(made.system_instructions or "", whole, tools, made.model_settings)


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
        return [_request(made) for made in self.calls]

    def refuse_surplus(self) -> None:
        """Raise `ScriptEnded` if it was asked more often than it has answers."""
        asked, answers = len(self.calls), self._given
        if asked <= answers:
            return
        last = self.requests[answers]
        raise ScriptEnded(
            f"the model was asked {asked} times, and its script has {answers} "
            f"answer{'s'[: answers != 1]}. In request {answers + 1}, {last.came}. "
            "Give `script` one more answer, such as the text that comes after a tool call"
        )

    def _outputs(self, step: Step) -> Any:
        self._given += 1
        number = self._given
        if callable(step):
            return ModelStep.respond(lambda made: self._said(step(_request(made)), number))
        return self._said(step, number)

    def _said(self, step: Said, number: int) -> Any:
        if isinstance(step, Exception):
            return step
        parts = [step] if isinstance(step, str | Call) else step
        if not isinstance(parts, Sequence):
            raise _wrong(step)
        return [self._output(part, f"{number}_{at}") for at, part in enumerate(parts)]

    def _output(self, part: str | Call, name: str) -> Any:
        match part:
            case str():
                return assistant_message(part, item_id=f"msg_{name}")
            case Call():
                return function_call(part.name, part.text, call_id=part.id or f"call_{name}")
            case _:
                raise _wrong(part)


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


def _wrong(step: object) -> TypeError:
    return TypeError(
        "a script has text, call(...), a list of these, an exception, or a function that returns "
        f"one of them, not {step!r}"
    )


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
    "UnexpectedModelCall",
    "call",
    "script",
]
