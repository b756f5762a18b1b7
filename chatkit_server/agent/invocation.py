"""One call of a function tool: its guardrails, its time limit, and what went wrong with it.

The SDK would do all of this around the call, where no `tool_result` hook sees it: it runs a tool's
guardrails, stops it when its time is over, and turns its errors into text.
"""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass
from typing import Any, cast

from agents import (
    Agent,
    AgentsException,
    FunctionTool,
    InputGuardrailTripwireTriggered,
    ModelBehaviorError,
    OutputGuardrailTripwireTriggered,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrailData,
    ToolInputGuardrailTripwireTriggered,
    ToolOutputGuardrailData,
    ToolOutputGuardrailTripwireTriggered,
)
from agents.exceptions import ToolTimeoutError
from agents.tool_context import ToolContext
from mcp import MCPError

from ..errors import ServerError
from ..mcp.connection import ToolFailed
from .sdk import Invoke, failure_function, propagates_errors
from .tools import arguments_of, plain_output

TRIPWIRES = (InputGuardrailTripwireTriggered, OutputGuardrailTripwireTriggered)

_LOGGED_TEXT = 500


@dataclass(frozen=True, slots=True)
class ToolFailure:
    """Why a tool call failed.

    `output` is what the model is told, `reason` what the log says, with the traceback of
    `unexpected`. `fatal` is raised once the call has been reported: it ends the run.
    """

    output: str
    reason: str
    unexpected: BaseException | None = None
    fatal: Exception | None = None


class ToolRejected(Exception):
    """A guardrail of the tool rejected its arguments or its output; the message is the model's."""


class ToolCancelled(Exception):
    """The tool cancelled itself, and nobody else did."""


class FatalToolError(Exception):
    """An error that the tool's author wants to end the run."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


_EXPECTED = (
    ServerError,
    MCPError,
    ModelBehaviorError,
    ToolTimeoutError,
    ToolCancelled,
    *TRIPWIRES,
    ToolInputGuardrailTripwireTriggered,
    ToolOutputGuardrailTripwireTriggered,
)


async def invoke(
    tool: FunctionTool, run: Invoke, context: ToolContext[Any], arguments: str, limit: float
) -> Any:
    """Run a tool within `limit` seconds, or within its own timeout; return its output.

    Raises what the tool raises, `ToolTimeoutError`, or one of the exceptions of this module.
    """
    own = tool.timeout_seconds
    seconds = limit if own is None else min(limit, own)
    clock = asyncio.timeout(seconds)
    try:
        async with clock:
            await _check_arguments(tool, context)
            output = plain_output(await run(context, arguments))
            await _check_output(tool, context, output)
            return output
    except TimeoutError:
        if not clock.expired():
            raise
        error = ToolTimeoutError(tool.name, seconds)
        if seconds == own and tool.timeout_behavior == "raise_exception":
            raise FatalToolError(error) from None
        raise error from None
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ToolCancelled from None


async def _check_arguments(tool: FunctionTool, context: ToolContext[Any]) -> None:
    for guardrail in tool.tool_input_guardrails or ():
        data = ToolInputGuardrailData(context, cast(Agent[Any], context.agent))
        found = await guardrail.run(data)
        _heed(found, ToolInputGuardrailTripwireTriggered(guardrail, found))


async def _check_output(tool: FunctionTool, context: ToolContext[Any], output: Any) -> None:
    for guardrail in tool.tool_output_guardrails or ():
        data = ToolOutputGuardrailData(context, cast(Agent[Any], context.agent), output)
        found = await guardrail.run(data)
        _heed(found, ToolOutputGuardrailTripwireTriggered(guardrail, found))


def _heed(found: ToolGuardrailFunctionOutput, tripwire: Exception) -> None:
    behavior = found.behavior
    if behavior["type"] == "reject_content":
        raise ToolRejected(behavior["message"])
    if behavior["type"] == "raise_exception":
        raise FatalToolError(tripwire)


async def failure_of(
    tool: FunctionTool, context: ToolContext[Any], error: Exception
) -> ToolFailure:
    """Return what to tell of an error that `invoke` raised."""
    if isinstance(error, ToolRejected):
        return ToolFailure(str(error), "a guardrail rejected the call")
    fatal = error.error if isinstance(error, FatalToolError) else None
    if isinstance(error, TRIPWIRES) and propagates_errors(tool):
        fatal = error
    failure = described(tool.name, fatal or error, _misfit(tool, context, error), fatal)
    if fatal is not None:
        return failure
    try:
        own = await _own_words(tool, context, error)
    except Exception as second:
        return described(tool.name, second)
    return failure if own is None else ToolFailure(own, failure.reason, failure.unexpected)


def described(
    name: str, error: Exception, reason: str | None = None, fatal: Exception | None = None
) -> ToolFailure:
    """Return what to tell of an error in the words of this server."""
    unexpected = None if _is_expected(error) else error
    told = reason or failure_reason(error)
    # Without `reason`, which quotes the arguments
    logged = repr(error) if unexpected else " ".join(str(error).split()) or told
    return ToolFailure(f"The tool {name} failed: {told}", logged[:_LOGGED_TEXT], unexpected, fatal)


async def _own_words(tool: FunctionTool, context: ToolContext[Any], error: Exception) -> str | None:
    """Return what the tool's author has to say of an error, if they wrote a function for that."""
    function = failure_function(tool)
    if isinstance(error, ToolTimeoutError) and error.tool_name == tool.name:
        function = tool.timeout_error_function or function
    if function is None:
        return None
    words = function(context, error)
    return await words if inspect.isawaitable(words) else words


def _is_expected(error: Exception) -> bool:
    """Whether the error's own words say enough, so that a traceback would tell nothing new."""
    if isinstance(error, ToolFailed):
        return not error.unexpected
    return isinstance(error, _EXPECTED)


def _misfit(tool: FunctionTool, context: ToolContext[Any], error: Exception) -> str | None:
    """Return how a call's arguments do not fit the tool's schema, which the SDK does not say."""
    if not isinstance(error, ModelBehaviorError):
        return None
    arguments = arguments_of(context.tool_arguments)
    if arguments is None:
        return "its arguments are not a JSON object"
    # This import takes megabytes, and few turns need it
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    problem = best_match(Draft202012Validator(tool.params_json_schema).iter_errors(arguments))
    return f"{problem.json_path}: {problem.message}" if problem else None


def failure_reason(error: BaseException) -> str:
    """Return what the model may know: a tool's own words, but not those of a stray exception."""
    if isinstance(error, ServerError):
        return error.message
    if isinstance(error, TimeoutError | ToolTimeoutError):
        return "it took too long"
    if isinstance(error, ToolCancelled):
        return "it was cancelled"
    if type(error) is AgentsException and error.__cause__ is not None:
        # The SDK's words around a stray exception, which repeat it
        return failure_reason(error.__cause__)
    if isinstance(error, AgentsException | MCPError):
        return str(error)
    return f"an unexpected {type(error).__name__}"
