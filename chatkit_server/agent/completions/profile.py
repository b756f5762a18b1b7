"""What an endpoint and a model accept in a request, as far as that differs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...settings.types import Section
from .presets import preset_of


class Profile(Section):
    """What one model of one endpoint accepts; the defaults suit an endpoint nothing is known of."""

    content: Literal["text", "parts"] = "text"
    """Messages that are only text: as one string, or as a list of parts."""

    empty_content: bool = False
    """Whether the `content` of a message that has only tool calls is an empty string, not null."""

    tool_answers: Literal["text", "parts"] = "text"
    """A tool's answer: as one string, its images in a user message after it, or as parts."""

    call_ids: Literal["own", "given", "nine", "functions"] = "own"
    """Ids of tool calls: ours, those of the model, nine letters and digits, or `functions.NAME:0`.

    A model's own ids go back where they are unique in the request.
    """

    calls: Literal["kept", "single", "text"] = "kept"
    """Earlier tool calls: as they were, each in a message of its own, or as text."""

    calls_need_tools: bool = False
    """Whether earlier tool calls are refused in a request without tools; they become text then."""

    system: Literal["anywhere", "first", "user"] = "first"
    """System messages: where they are, as one at the start, or before the first user's text."""

    developer: bool = False
    """Whether the role `developer` is known; else it is sent as `system`."""

    alternate: bool = False
    """Whether an assistant's message must come between a tool's answer and a user's message."""

    reasoning: (
        Literal[
            "reasoning_content",
            "reasoning",
            "reasoning_details",
            "thinking_blocks",
            "content",
            "tags",
        ]
        | None
    ) = None
    """Where a model's earlier reasoning goes back to it; None: it is not sent.

    A field of the message, or in its `content`: as Mistral's parts, or in `<think>` tags.
    `thinking_blocks` are Claude's through LiteLLM.
    """

    reasoning_turns: Literal["tools", "all"] = "tools"
    """Which reasoning goes back: what came after the last user message, or all."""

    reasoning_required: bool = False
    """Whether the field must be in every message of the model; it is a space if there was none."""

    thought_signatures: Literal["extra_content", "provider_specific_fields"] | None = None
    """The field of a tool call that carries Gemini's signature of the thought before it."""

    images: bool | None = None
    """Whether the model sees images. Not known (None): those of users are sent, tools' are not."""

    schemas: Literal["as_written", "loose"] = "as_written"
    """Schemas of tools: as they are, or without what simple servers refuse.

    Loose schemas have no `$schema`, `$ref`, `const`, lists of types or `additionalProperties`.
    """

    strict: bool = True
    """Whether a tool's field `strict` is known; it is sent for tools with strict schemas."""

    max_tools: int | None = Field(128, ge=0)
    """The most tools of one request; 0 for a model that takes none, None for no limit."""

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

    def but(self, own: Profile | None) -> Profile:
        """Return this profile with what is set in `own`."""
        if own is None or not own.model_fields_set:
            return self
        return self.model_copy(update=own.model_dump(include=own.model_fields_set))


def profile_of(
    endpoint: str, model: str, settings: Profile | None = None, *, litellm: bool = False
) -> Profile:
    """Return the profile of a model; what is set in `settings` wins over the presets.

    `endpoint` is the name of the endpoint, or LiteLLM's prefix with `litellm`.
    """
    return Profile(**preset_of(endpoint, model, litellm=litellm)).but(settings)
