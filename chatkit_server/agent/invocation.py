"""One call of a function tool: its guardrails, its time limit, and what went wrong with it.

The SDK does the same around the call, where no `tool_result` hook sees it. So it is done here.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, cast

from agents import (
    Agent,
    AgentsException,
    FunctionTool,
    InputGuardrailTripwireTriggered,
    ModelBehaviorError,
    OutputGuardrailTripwireTriggered,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrail,
    ToolInputGuardrailData,
    ToolInputGuardrailTripwireTriggered,
    ToolOutputGuardrail,
    ToolOutputGuardrailData,
    ToolOutputGuardrailTripwireTriggered,
)
from agents.exceptions import ToolTimeoutError
from agents.tool_context import ToolContext
from chatkit.errors import BaseStreamError
from mcp import MCPError

from ..errors import EndTurn, ServerError, TurnFailed, causes
from ..known_errors import told_error
from ..masking import in_one_line
from ..mcp.connection import ToolFailed
from ..mcp.elicitation import limited_by
from ..mcp.progress import Listener, Progress, extend, listening
from ..records import Quote, place_of
from ..text import valid_text
from .sdk import Invoke, failure_function, mcp_server_name, propagates_errors
from .sound import INVALID_ARGUMENTS
from .team.guardrails import GuardrailFailed, Guardrails
from .tools import DEEPEST, arguments_are_deep, arguments_of, plain_output

TRIPWIRES = (InputGuardrailTripwireTriggered, OutputGuardrailTripwireTriggered)

GUARDRAILS = (
    *TRIPWIRES,
    GuardrailFailed,
    ToolInputGuardrailTripwireTriggered,
    ToolOutputGuardrailTripwireTriggered,
)

_LOGGED_TEXT = 500

_QUOTED = 200
"""Characters that a model is shown of arguments that it wrote wrong."""


@dataclass(frozen=True, slots=True)
class ToolFailure:
    """Why a tool call failed.

    `output` is for the model, `reason` for the log, with the traceback of `unexpected` at level
    `debug`. `fatal` is raised after the call has been reported, and ends the run. `kind` is the
    name of an error that other calls of the tool may have too, "" if it is about this call.
    """

    output: str
    reason: str
    unexpected: BaseException | None = None
    fatal: Exception | None = None
    kind: str = ""


class ToolRejected(Exception):
    """A guardrail rejected the tool's arguments or output; the message is for the model."""


class ToolCancelled(Exception):
    """The tool raised `CancelledError`, although its task was not cancelled."""


class ToolExited(Exception):
    """The tool raised `SystemExit`, which would end the event loop."""


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
    ToolExited,
    BaseStreamError,
    *GUARDRAILS,
)

_OF_ONE_CALL = (
    ServerError,
    BaseStreamError,
    ModelBehaviorError,
    *GUARDRAILS,
)


async def invoke(
    tool: FunctionTool,
    run: Invoke,
    context: ToolContext[Any],
    arguments: str,
    limit: float,
    show: Listener,
    guardrails: Guardrails = Guardrails(),  # noqa: B008
) -> Any:
    """Run a tool within `limit` seconds, or within its own timeout; return its output.

    If it is a tool of an MCP server that reports progress, `show` gets it, and the server's
    `max_timeout` is the limit. Raises what the tool raises, `ToolTimeoutError`, or one of the
    exceptions of this module.
    """
    own = tool.timeout_seconds
    seconds = limit if own is None else min(limit, own)
    clock, began = asyncio.timeout(seconds), asyncio.get_running_loop().time()

    def note(progress: Progress) -> None:
        if own is None:
            # The server's own limit comes first, and says more
            extend(clock, began, seconds, progress.most + 1)
        show(progress)

    try:
        async with clock:
            with limited_by(clock), listening(note):
                return await _invoke(tool, run, context, arguments, guardrails)
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
    except SystemExit as error:
        raise ToolExited(f"it called sys.exit({error.code!r})") from error


async def _invoke(
    tool: FunctionTool,
    run: Invoke,
    context: ToolContext[Any],
    arguments: str,
    guardrails: Guardrails,
) -> Any:
    agent = context.agent.name if context.agent is not None else ""
    await _check_arguments(guardrails.before(tool, agent), context)
    output = plain_output(await run(context, arguments))
    await _check_output(guardrails.after(tool, agent), context, output)
    return output


async def _check_arguments(
    guardrails: Iterable[ToolInputGuardrail[Any]], context: ToolContext[Any]
) -> None:
    for guardrail in guardrails:
        data = ToolInputGuardrailData(context, cast(Agent[Any], context.agent))
        found = await guardrail.run(data)
        _respect(found, ToolInputGuardrailTripwireTriggered(guardrail, found))


async def _check_output(
    guardrails: Iterable[ToolOutputGuardrail[Any]], context: ToolContext[Any], output: Any
) -> None:
    for guardrail in guardrails:
        data = ToolOutputGuardrailData(context, cast(Agent[Any], context.agent), output)
        found = await guardrail.run(data)
        _respect(found, ToolOutputGuardrailTripwireTriggered(guardrail, found))


def _respect(found: ToolGuardrailFunctionOutput, tripwire: Exception) -> None:
    behavior = found.behavior
    if behavior["type"] == "reject_content":
        raise ToolRejected(behavior["message"])
    if behavior["type"] == "raise_exception":
        raise FatalToolError(tripwire)


async def failure_of(
    tool: FunctionTool, context: ToolContext[Any], error: Exception
) -> ToolFailure:
    """Return how to report an error that `invoke` raised."""
    if isinstance(error, ToolRejected):
        return ToolFailure(str(error), "a guardrail rejected the call")
    fatal = error.error if isinstance(error, FatalToolError) else None
    # Perhaps of a tool of an agent that is itself a tool
    fatal = next((each for each in causes(error) if isinstance(each, EndTurn)), fatal)
    if isinstance(error, (*TRIPWIRES, BaseStreamError, TurnFailed)) and propagates_errors(tool):
        fatal = error
    if fatal is not None:
        return tool_failure(tool.name, fatal, fatal=fatal)
    try:
        found = tool_failure(tool.name, error, _schema_problem(tool, context, error))
        text = await _author_text(tool, context, error)
    except Exception as second:
        return tool_failure(tool.name, second)
    return found if text is None else replace(found, output=text)


def invalid_arguments(tool_call: Any, arguments: str, limit: int) -> str | None:
    """Return what a model wrote as arguments if no tool can be called with it."""
    data = getattr(tool_call, "provider_data", None)
    found = data.get(INVALID_ARGUMENTS) if isinstance(data, dict) else None
    if isinstance(found, str):
        return found
    return arguments if len(arguments) > limit else None


def unusable(tool: FunctionTool, arguments: str, limit: int) -> ToolFailure:
    """Return why a tool cannot be called with these arguments, which are no JSON object."""
    if len(arguments) > limit:
        reason = f"its arguments have {len(arguments)} characters. The limit is {limit}"
    elif arguments_are_deep(arguments):
        reason = f"its arguments are nested more than {DEEPEST} levels deep"
    else:
        reason = "its arguments are not a JSON object"
        shown = f"{reason}. They begin with: {valid_text(arguments[:_QUOTED])}"
        return ToolFailure(f"The tool {tool.name} failed: {shown}", reason)
    return ToolFailure(f"The tool {tool.name} failed: {reason}", reason)


def tool_failure(
    name: str, error: Exception, reason: str | None = None, fatal: Exception | None = None
) -> ToolFailure:
    """Return how to report an error in the words of this server."""
    unexpected = None if _is_expected(error) else error
    shown = reason or failure_reason(error)
    foreign = unexpected and not isinstance(error, ToolFailed)
    kind = type(error).__name__
    logged = _placed(error) if foreign else _logged(error, shown)
    if isinstance(error, _OF_ONE_CALL) and getattr(error, "status", 0) < 500:
        kind = ""
    return ToolFailure(f"The tool {name} failed: {shown}", logged, unexpected, fatal, kind)


def _placed(error: Exception) -> str:
    """Return where an error comes from, and its message if that may be in the log."""
    place = f"{type(error).__name__} in {place_of(error)}"
    try:
        text = in_one_line(str(error), _LOGGED_TEXT)
    except Exception:
        text = ""
    if not text:
        return place
    quote = Quote(f"{place}: {text}")
    quote.instead = place
    return quote


def _logged(error: Exception, shown: str) -> str:
    """Return the message of an expected error for the log."""
    # Not the reason for the model: it quotes the arguments
    text = in_one_line(str(error), _LOGGED_TEXT) or in_one_line(shown, _LOGGED_TEXT)
    told_by_server = error.quotes if isinstance(error, ToolFailed) else isinstance(error, MCPError)
    return Quote(text) if told_by_server else text


async def _author_text(
    tool: FunctionTool, context: ToolContext[Any], error: Exception
) -> str | None:
    """Return the text of the tool's own error function for the model, if it has one."""
    function = failure_function(tool)
    if isinstance(error, ToolTimeoutError) and error.tool_name == tool.name:
        function = tool.timeout_error_function or function
    if function is None:
        return None
    text = function(context, error)
    return await text if inspect.isawaitable(text) else text


def _is_expected(error: Exception) -> bool:
    """Whether the error's message is enough for the log, without a traceback."""
    if isinstance(error, ToolFailed):
        return not error.unexpected
    return isinstance(error, _EXPECTED)


def _schema_problem(tool: FunctionTool, context: ToolContext[Any], error: Exception) -> str | None:
    """Return how the arguments do not fit the tool's schema, which the SDK does not tell."""
    # The schema of an MCP server may take for ever to match, or refer to other servers
    if not isinstance(error, ModelBehaviorError) or mcp_server_name(tool) is not None:
        return None
    arguments = arguments_of(context.tool_arguments)
    if arguments is None:
        return "its arguments are not a JSON object"
    # This import takes megabytes, and few calls need it
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    problem = best_match(Draft202012Validator(tool.params_json_schema).iter_errors(arguments))
    return f"{problem.json_path}: {problem.message}" if problem else None


def failure_reason(error: BaseException) -> str:
    """Return the reason for the model: messages meant for it, but not those of other exceptions."""
    if isinstance(error, ServerError | BaseStreamError):
        told = told_error(error)
        assert told is not None
        return told.message
    if isinstance(error, TimeoutError | ToolTimeoutError):
        return "it took too long"
    if isinstance(error, ToolCancelled):
        return "it was cancelled"
    if isinstance(error, ToolExited):
        return "it tried to exit"
    if type(error) is AgentsException and error.__cause__ is not None:
        # The SDK wraps other exceptions in this, and repeats their message
        return failure_reason(error.__cause__)
    if isinstance(error, AgentsException | MCPError):
        return str(error)
    return f"an unexpected {type(error).__name__}"
