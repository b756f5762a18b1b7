"""What is known of models by their names, and of endpoints: the presets of profiles.

A preset is a dict of a `Profile`'s fields. The rules are applied in order, and a later one wins:
first what a model's name tells, then what its endpoint is known for. An endpoint wins because it
refuses what it does not know, whichever model it serves.

Where the facts come from: the providers' references, the messages of their refusals in public
reports, and what LiteLLM and the models' chat templates do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Preset = dict[str, Any]

_THOUGHTS_GO_BACK: Preset = {
    "reasoning": "reasoning_content",
    "reasoning_turns": "all",
    "reasoning_required": True,
}
_NO_THOUGHTS: Preset = {"reasoning": None, "reasoning_required": False}
_SEES: Preset = {"images": True}
_BLIND: Preset = {"images": False}

_MODELS: tuple[tuple[str, Preset], ...] = (
    # The templates of its family refuse other ids than nine letters and digits, and a user's
    # message after a tool's answer
    (
        r"mistral|mixtral|magistral|ministral|devstral|codestral|pixtral|voxtral",
        {"call_ids": "nine", "alternate": True},
    ),
    (r"mixtral|codestral|mathstral|mistral-(7b|nemo|tiny)|devstral-small-2505", _BLIND),
    (
        r"pixtral|ministral-?3|mistral-(small-(3\.[1-9]|25|26)|medium-(3|25|26)|large-(3|2512))",
        _SEES,
    ),
    (r"mistral-(small|medium|large)-latest", _SEES),
    # Up to 3, its templates know the roles of user and assistant alone, and want them in turn
    (r"gemma(?!-?4)", {"system": "user", "alternate": True, "calls": "text"}),
    # Its template refuses several calls in one message
    (r"llama-?v?3", {"calls": "single"}),
    # Their templates take the content for text, whether there is any
    (
        r"qwen|qwq|gpt-oss|granite|phi-?3|ministral|devstral|lfm-?2|bielik",
        {"empty_content": True},
    ),
    # Their templates look a type up, which fails with a list of types
    (r"hermes-?[23]|seed-oss|command-?r|gigachat", {"schemas": "loose"}),
    (r"gemma-?([3-9]|3n)(?!.*\b1b)", _SEES),
    # Ids in another form put the model off its track: its template shows them in place of names
    (r"kimi", {"call_ids": "functions"}),
    # The index begins anew in each answer
    (r"kimi-k([3-9]|\d\d)", {"call_ids": "given"}),
    # Refuses calls without their reasoning; a space is enough
    (r"kimi-(k2-thinking|k2\.[5-9]|k[3-9])|kimi-thinking", _THOUGHTS_GO_BACK),
    (r"kimi-k2(?!\.[5-9])", _BLIND),
    (r"kimi-(k2\.[5-9]|k[3-9]|vl)", _SEES),
    # Thinking is on by default, and then every message must have its reasoning
    (r"deepseek-?(v[4-9]|v3\.2|reasoner)", _THOUGHTS_GO_BACK),
    (r"deepseek(?!.*-?(vl|ocr))", _BLIND),
    # Say that they work best with their thoughts left in
    (r"minimax-?m", {"reasoning": "tags", "reasoning_turns": "all"}),
    (r"glm-?(4\.[5-9]|[5-9])", {"reasoning": "reasoning_content", "reasoning_turns": "all"}),
    (r"glm-.*v\b|qwen.*(vl|omni)|qvq|qwen-?3\.[5-9]", _SEES),
    (r"llava|moondream|minicpm-?v|internvl|molmo|vision|llama-?4|-vl\b|\bvl-", _SEES),
    (r"llama-?(2|3(?!\.2))|qwen-?2(?!.*(vl|omni))|qwq|phi-?[34](?!.*(vision|multi))", _BLIND),
    (r"gemini", _SEES | {"thought_signatures": "extra_content", "schemas": "loose"}),
    (r"claude", _SEES | {"max_tools": None}),
    # OpenAI's models that reason refuse `max_tokens` and everything about sampling
    (
        r"(^|[/.])(o[134]|gpt-5|gpt-6)(?!.*chat)",
        {"max_tokens": "max_completion_tokens", "sampling": False},
    ),
    # and those that do not reason refuse to be asked for it
    (r"gpt-(3|4)|gpt-5.*chat", {"reasoning_effort": False}),
    (r"(^|[/.])(o1-mini|o1-preview|o3-mini|gpt-3|gpt-4-0|gpt-oss)|gpt-oss", _BLIND),
    (r"gpt-4o|gpt-4\.1|gpt-4-turbo|chatgpt-4o|gpt-5|(^|[/.])(o1$|o3$|o3-pro|o4)", _SEES),
    (r"grok-(3(?!-mini)|4-0709|4$|4-latest|code)", {"reasoning_effort": False}),
    (r"grok-(4|2-vision|vision)", _SEES),
)
"""By a pattern that is in the model's name, in lower case."""

_OPENAI: Preset = {
    **_NO_THOUGHTS,
    "developer": True,
    "max_tokens": "max_completion_tokens",
    "think_tags": False,
}
_ANTHROPIC: Preset = {**_SEES, **_NO_THOUGHTS, "strict": False, "think_tags": False}
_LOCAL: Preset = {"empty_content": True, "max_tools": None, "schemas": "loose"}
"""What passes the templates and the grammars of most models."""
_SERVED: Preset = {"empty_content": True, "max_tools": None}
_MISTRAL: Preset = {
    **_NO_THOUGHTS,
    "call_ids": "nine",
    "alternate": True,
    "schemas": "loose",
    "strict": False,
    "think_tags": False,
}

_ENDPOINTS: dict[str, Preset] = {
    # Its compatible endpoint ignores `strict`, and neither shows nor takes thoughts
    "anthropic": _ANTHROPIC,
    "azure": _OPENAI,
    # Refuses fields it does not know; `reasoning` it takes
    "cerebras": {"reasoning": "reasoning", "reasoning_turns": "tools", "reasoning_required": False},
    "cohere": {**_NO_THOUGHTS, "stream_options": False, "think_tags": False},
    "dashscope": {},
    "deepinfra": {},
    "deepseek": {**_THOUGHTS_GO_BACK, **_BLIND, "think_tags": False},
    "fireworks": {"reasoning": "reasoning_content"},
    # Schemas are a part of OpenAPI's; a call of Gemini 3 without a signature is refused
    "gemini": {
        **_NO_THOUGHTS,
        "schemas": "loose",
        "strict": False,
        "thought_signatures": "extra_content",
        "max_tools": 512,
    },
    "github": {},
    # Refuses fields it does not know, and more tools than 128
    "groq": {**_NO_THOUGHTS, "strict": False},
    "huggingface": {},
    "hyperbolic": {},
    "jan": _LOCAL,
    "koboldcpp": _LOCAL,
    "llamacpp": {**_LOCAL, "reasoning": "reasoning_content", "reasoning_required": False},
    "lmstudio": _LOCAL,
    "localai": _LOCAL,
    "minimax": {"max_tokens": "max_completion_tokens", "strict": False},
    # Refuses fields it does not know, such as `max_completion_tokens`, and `stream_options`
    "mistral": {**_MISTRAL, "stream_options": False, "max_tokens": "max_tokens"},
    "moonshot": {**_THOUGHTS_GO_BACK, "empty_content": False, "think_tags": False},
    "nvidia": {"strict": False},
    "ollama": {**_LOCAL, "reasoning": "reasoning", "reasoning_required": False},
    "openai": _OPENAI,
    "openrouter": {
        "reasoning": "reasoning_details",
        "reasoning_turns": "all",
        "reasoning_required": False,
        "think_tags": False,
    },
    "perplexity": {
        **_NO_THOUGHTS,
        "alternate": True,
        "stream_options": False,
        "strict": False,
        "images": True,
    },
    "sambanova": {},
    "sglang": {**_SERVED, "reasoning": "reasoning_content", "reasoning_required": False},
    "together": {},
    "vllm": _SERVED,
    # The reasoning that it tells of is not taken back
    "xai": {**_NO_THOUGHTS, "think_tags": False},
    "zai": {"think_tags": False},
}
"""By the name of an endpoint in the settings, or by LiteLLM's prefix."""

_ALIASES = {
    "azure_ai": "azure",
    "cohere_chat": "cohere",
    "fireworks_ai": "fireworks",
    "hosted_vllm": "vllm",
    "lm_studio": "lmstudio",
    "ollama_chat": "ollama",
    "together_ai": "together",
    "vertex_ai": "gemini",
    "vertex_ai_beta": "gemini",
}
"""LiteLLM's prefixes that are known by another name."""

_CLAUDE_THROUGH_LITELLM: Preset = {
    **_SEES,
    "tool_answers": "parts",
    "reasoning": "thinking_blocks",
    "reasoning_turns": "all",
    "calls_need_tools": True,
    "max_tools": None,
    "think_tags": False,
}

_LITELLM: tuple[tuple[str, str, Preset], ...] = (
    # LiteLLM renames the limit of tokens itself, and refuses what it does not map
    (r".*", r"", {"max_tokens": "max_tokens"}),
    # LiteLLM makes the schemas fit, and knows another field for the signatures
    (
        r"gemini|vertex_ai.*",
        r"",
        {"schemas": "as_written", "thought_signatures": "provider_specific_fields"},
    ),
    (r"bedrock.*", r"", {"calls_need_tools": True, "strict": False, "think_tags": False}),
    (r"vertex_ai.*|azure_ai", r"mistral|codestral|ministral", _MISTRAL),
    (
        r"vertex_ai.*|azure_ai",
        r"claude|mistral|codestral|llama|deepseek|qwen|kimi|gpt-oss",
        {"thought_signatures": None},
    ),
    (r"anthropic|(bedrock|vertex_ai|azure_ai).*", r"claude|^anthropic/", _CLAUDE_THROUGH_LITELLM),
    # LiteLLM moves `thinking` to where Ollama looks for it, from this field
    (r"ollama_chat", r"", {"reasoning": "reasoning_content"}),
    (r"ollama", r"", {"reasoning": None}),
)
"""By patterns for LiteLLM's prefix and for what is in the model's name."""


def preset_of(endpoint: str, model: str, *, litellm: bool = False) -> Preset:
    """Return the preset of a model at an endpoint, or at LiteLLM's provider of that prefix."""
    found: Preset = {}
    for preset in _presets(endpoint, model.lower(), litellm=litellm):
        found |= preset
    return found


def _presets(endpoint: str, model: str, *, litellm: bool) -> Iterator[Preset]:
    for pattern, preset in _MODELS:
        if re.search(pattern, model):
            yield preset
    name = _ALIASES.get(endpoint, endpoint) if litellm else endpoint
    yield _ENDPOINTS.get(name, {})
    if litellm:
        for prefix, pattern, preset in _LITELLM:
            if re.fullmatch(prefix, endpoint) and re.search(pattern, model):
                yield preset
