"""What an endpoint and a model accept in a request, as far as that differs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...settings.types import Section


class Profile(Section):
    """What one model of one endpoint accepts; the defaults suit an endpoint nothing is known of."""

    content: Literal["text", "parts"] = "text"
    """Messages that are only text: as one string, or as a list of parts."""

    tool_answers: Literal["text", "parts"] = "text"
    """A tool's answer: as one string, its images in a user message after it, or as parts."""

    call_ids: Literal["own", "given", "nine"] = "own"
    """Ids of tool calls: ours, the ones the model gave, or nine letters and digits."""

    system: Literal["anywhere", "first", "user"] = "first"
    """System messages: where they are, as one at the start, or before the first user's text."""

    developer: bool = False
    """Whether the role `developer` is known; else it is sent as `system`."""

    alternate: bool = False
    """Whether an assistant's text must come between a tool's answer and a user's message, and a
    user's message first."""

    reasoning: Literal["reasoning_content", "reasoning", "thinking"] | None = None
    """The field that carries a model's earlier reasoning back to it; None: it is not sent.

    `thinking` is Mistral's parts of `content`, or `thinking_blocks` where LiteLLM sends them.
    """

    reasoning_turns: Literal["tools", "all"] = "tools"
    """Which reasoning goes back: since the last user's message, or all."""

    reasoning_required: bool = False
    """Whether messages with tool calls are refused without the field; it is sent as "" then."""

    thought_signatures: bool = False
    """Whether the signatures of Gemini's tool calls go back in `extra_content`."""

    images: bool | None = None
    """Whether the model sees images. Not known (None): only those of users are sent."""

    schemas: Literal["as_written", "loose"] = "as_written"
    """Schemas of tools: as they are, or without what simple servers refuse.

    Loose schemas have no `$schema`, `$ref`, `const`, lists of types or `additionalProperties`.
    """

    strict: bool = False
    """Whether the field `strict` of a tool is known."""

    max_tools: int | None = Field(128, ge=1)
    """The most tools of one request."""

    max_tokens: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """The name of the parameter that limits the answer's tokens."""

    stream_options: bool = True
    """Whether `stream_options` is known: the number of tokens used is asked for with it."""

    parallel_tool_calls: bool = True
    """Whether the parameter `parallel_tool_calls` is known."""

    sampling: bool = True
    """Whether `temperature`, `top_p` and the penalties may be set."""

    reasoning_effort: bool = True
    """Whether `reasoning_effort` may be set."""

    think_tags: bool = True
    """Whether `<think>` and the like at the start of a text begin the model's thoughts."""


def profile_of(
    endpoint: str, model: str, settings: Profile | None = None, *, litellm: bool = False
) -> Profile:
    """Return the profile of a model: the settings of the user win, where any are set.

    `endpoint` is the name of the endpoint, or LiteLLM's prefix with `litellm`.
    """
    own = settings.model_dump(include=settings.model_fields_set) if settings is not None else {}
    return Profile(**own)
