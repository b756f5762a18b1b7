"""A request for a chat completion, made to fit what an endpoint accepts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import openai

from .messages import read_items, read_messages
from .profile import Profile
from .schemas import fitted_tools
from .writing import written

_OMITTED = (type(None), openai.NotGiven, openai.Omit)
_SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_ONLY_WITH_TOOLS = ("tool_choice", "parallel_tool_calls")
_LIMITS = ("max_tokens", "max_completion_tokens")
_THINKING = ("reasoning_effort", "thinking")


def fit(
    request: Mapping[str, Any], profile: Profile, items: str | Iterable[Any] = ()
) -> dict[str, Any]:
    """Return the arguments of a request so that the endpoint accepts them.

    `request` are the arguments as the Agents SDK makes them, and stay as they are. `items` are
    input items that follow its messages: they say more than the SDK's messages do, such as the
    reasoning and the ids that go back to some models.
    """
    fitted = dict(request)
    tools = request.get("tools")
    sent = fitted_tools(tools, profile) if isinstance(tools, list) else []
    if sent:
        fitted["tools"] = sent
    elif isinstance(tools, list) and tools:
        del fitted["tools"]
    messages = [*read_messages(request.get("messages") or ()), *read_items(items)]
    fitted["messages"] = written(messages, profile, tools=bool(sent))
    for name in _refused(profile, tools=bool(sent)):
        fitted.pop(name, None)
    limit = [fitted.pop(name) for name in _LIMITS if _given(fitted, name)]
    if limit:
        fitted[profile.max_tokens] = limit[0]
    if profile.reasoning == "thinking_blocks" and _goes_on_without_thoughts(fitted["messages"]):
        for name in _THINKING:
            fitted.pop(name, None)
    return fitted


def _given(request: Mapping[str, Any], name: str) -> bool:
    return not isinstance(request.get(name), _OMITTED)


def _refused(profile: Profile, *, tools: bool) -> Iterable[str]:
    """Yield the names of the arguments that are refused."""
    if not profile.sampling:
        yield from _SAMPLING
    if not tools:
        yield from _ONLY_WITH_TOOLS
    for name in ("stream_options", "parallel_tool_calls", "reasoning_effort"):
        if not getattr(profile, name):
            yield name


def _goes_on_without_thoughts(messages: list[dict[str, Any]]) -> bool:
    """Whether Claude would go on after calls without the thoughts before them.

    It refuses that while it thinks, as when another model made the calls.
    """
    for message in reversed(messages):
        if message["role"] == "user":
            return False
        if message.get("tool_calls"):
            return "thinking_blocks" not in message
    return False
