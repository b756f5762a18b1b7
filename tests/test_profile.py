"""What is known of endpoints and models by their names, and what a refusal tells."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from chatkit_plugins.compatible_models import PRESETS
from pydantic import ValidationError

from chatkit_server.agent.completions import presets
from chatkit_server.agent.completions.refusals import cure_of
from chatkit_server.models import EndpointLog, Profile, profile_of

KNOWN: dict[tuple[str, str], dict[str, Any]] = {
    ("mistral", "mistral-large-latest"): {
        "call_ids": "nine",
        "alternate": True,
        "stream_options": False,
        "max_tokens": "max_tokens",
        "reasoning": None,
    },
    ("openrouter", "mistralai/mistral-small-3.2"): {"call_ids": "nine", "alternate": True},
    ("vllm", "mistralai/Ministral-3-8B"): {"call_ids": "nine", "images": True},
    ("deepseek", "deepseek-chat"): {
        "reasoning": "reasoning_content",
        "reasoning_turns": "all",
        "reasoning_required": True,
        "images": False,
    },
    ("mine", "deepseek-ai/DeepSeek-V4-Pro"): {"reasoning_required": True},
    ("mine", "deepseek-r1:8b"): {"reasoning": None},
    ("groq", "moonshotai/kimi-k2-thinking"): {
        "reasoning": None,
        "reasoning_required": False,
        "call_ids": "functions",
    },
    ("cerebras", "zai-glm-4.7"): {"reasoning": "reasoning"},
    ("vllm", "moonshotai/Kimi-K2.5"): {"call_ids": "functions", "images": True},
    ("fireworks", "accounts/fireworks/models/kimi-k3"): {"call_ids": "given"},
    ("ollama", "gemma3:4b"): {"system": "user", "alternate": True, "images": True},
    ("ollama", "gemma4:12b"): {"system": "first", "alternate": False},
    ("gemini", "gemini-3-pro"): {
        "schemas": "loose",
        "strict": False,
        "thought_signatures": "extra_content",
        "images": True,
    },
    ("mine", "gpt-4o"): {"reasoning_effort": False, "sampling": True, "images": True},
    ("mine", "openai/gpt-5-mini"): {"max_tokens": "max_completion_tokens", "sampling": False},
    ("mine", "o3-mini"): {"max_tokens": "max_completion_tokens", "images": False},
    ("openrouter", "openai/gpt-oss-120b"): {"reasoning": "reasoning_details", "images": False},
    ("anthropic", "claude-sonnet-4-5"): {"max_tools": None, "images": True, "reasoning": None},
    ("perplexity", "sonar"): {"stream_options": False, "alternate": True},
    ("mine", "MiniMaxAI/MiniMax-M2"): {"reasoning": "tags"},
    ("mine", "any"): Profile().model_dump(),
}

THROUGH_LITELLM: dict[tuple[str, str], dict[str, Any]] = {
    ("anthropic", "claude-sonnet-4-5"): {
        "reasoning": "thinking_blocks",
        "tool_answers": "parts",
        "calls_need_tools": True,
    },
    ("bedrock", "us.anthropic.claude-3-7-sonnet"): {"reasoning": "thinking_blocks"},
    ("bedrock", "meta.llama3-1-70b"): {"calls_need_tools": True, "reasoning": None},
    ("vertex_ai", "claude-opus-4"): {
        "reasoning": "thinking_blocks",
        "thought_signatures": None,
    },
    ("vertex_ai", "mistral-large@2411"): {"call_ids": "nine", "thought_signatures": None},
    ("gemini", "gemini-3-pro"): {
        "schemas": "as_written",
        "thought_signatures": "provider_specific_fields",
    },
    ("openai", "gpt-5"): {"max_tokens": "max_tokens", "sampling": False},
    ("hosted_vllm", "qwen3"): {"max_tools": None},
    ("together_ai", "any"): {"think_tags": True},
    ("openrouter", "anthropic/claude-opus-4"): {
        "reasoning": "reasoning_details",
        "calls_need_tools": False,
        "tool_answers": "text",
    },
    ("ollama_chat", "qwen3"): {"reasoning": "reasoning_content"},
}


def chosen(profile: Profile, fields: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(profile, name) for name in fields}


@pytest.mark.parametrize(("names", "fields"), KNOWN.items(), ids="/".join)
def test_names_tell_what_is_accepted(names: tuple[str, str], fields: dict[str, Any]) -> None:
    assert chosen(profile_of(*names), fields) == fields


@pytest.mark.parametrize(("names", "fields"), THROUGH_LITELLM.items(), ids="/".join)
def test_names_tell_what_litellm_accepts(names: tuple[str, str], fields: dict[str, Any]) -> None:
    assert chosen(profile_of(*names, litellm=True), fields) == fields


@pytest.mark.parametrize("name", PRESETS)
def test_every_known_endpoint_has_a_preset(name: str) -> None:
    assert name in presets._ENDPOINTS


def test_all_presets_are_fields_of_a_profile() -> None:
    tables = [
        *presets._ENDPOINTS.values(),
        *(preset for _, preset in presets._MODELS),
        *(preset for *_, preset in presets._LITELLM),
    ]
    for preset in tables:
        Profile(**preset)


@pytest.mark.parametrize("name", ["ollama", "lmstudio", "vllm", "mine"])
def test_thoughts_in_tags_are_looked_for_where_a_server_may_not_know_them(name: str) -> None:
    assert profile_of(name, "any").think_tags
    assert not profile_of("deepseek", "any").think_tags


def test_settings_win() -> None:
    own = Profile(call_ids="own", max_tools=40)
    profile = profile_of("mistral", "mistral-small", own)
    assert (profile.call_ids, profile.max_tools, profile.alternate) == ("own", 40, True)
    # A default that is written down is a setting too
    assert not profile_of("mistral", "any", Profile(alternate=False)).alternate


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError):
        Profile(**{"call_id": "nine"})


REFUSALS: dict[str, dict[str, Any]] = {
    "Invalid 'messages[2].content': expected string, received array": {},
    "Invalid image data. You uploaded an unsupported image. Use png, jpeg": {},
    "'reasoning_effort' does not support 'minimal'. Supported values are: 'low'": {},
    "This model only supports single tool-calls at once!": {"calls": "single"},
    "'NoneType' object is not iterable": {"empty_content": True},
    "unhashable type: 'list'": {"schemas": "loose"},
    "At most 0 image(s) may be provided in one prompt.": {"images": False},
    "foo is not a multimodal model": {"images": False},
    "image_url is only supported by certain models": {"images": False},
    "Requests which include `tool_use` blocks must define tools": {"calls_need_tools": True},
    '{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"]}]}': {
        "stream_options": False
    },
    "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.": {"call_ids": "nine"},
    "Conversation roles must alternate user/assistant/user/assistant/...": {"alternate": True},
    "Unexpected role 'user' after role 'tool'": {"alternate": True},
    "user or tool message(s) should alternate with assistant message(s).": {"alternate": True},
    "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.": {
        "max_tokens": "max_completion_tokens"
    },
    "The `reasoning_content` in the thinking mode must be passed back to the API.": {
        "reasoning": "reasoning_content",
        "reasoning_turns": "all",
        "reasoning_required": True,
    },
    "thinking is enabled but reasoning_content is missing in assistant tool call message": {
        "reasoning": "reasoning_content",
        "reasoning_turns": "all",
        "reasoning_required": True,
    },
    "Invalid 'tools': array too long. Expected an array with maximum length 64, but got an array "
    "with length 150 instead.": {"max_tools": 64},
    "'tools' : maximum number of items is 100": {"max_tools": 100},
    "image input is not supported - hint: you may need to provide the mmproj": {"images": False},
    "No endpoints found that support image input": {"images": False},
    "messages[0]: unknown variant `image_url`, expected `text`": {"images": False},
    'Unknown name "$schema" at tools[0].function_declarations[0].parameters: Cannot find field.': {
        "schemas": "loose"
    },
    "System message must be at the beginning.": {},
    "System role not supported": {"system": "user"},
    "Developer instruction is not enabled for models/gemma-3-27b-it": {"system": "user"},
    "Unsupported value: 'temperature' does not support 0.3 with this model.": {"sampling": False},
    "Unrecognized request argument supplied: reasoning_effort": {"reasoning_effort": False},
    "Bedrock doesn't support tool calling without `tools=` param specified.": {
        "calls_need_tools": True
    },
    "Function call is missing a thought_signature in functionCall parts.": {
        "thought_signatures": "extra_content"
    },
    "messages.3.content must be a string": {},
    "Invalid value for 'content': expected a string, got null.": {"empty_content": True},
    "You exceeded your current quota": {},
    '{"error": {"message": "The response was filtered", "param": null, "code": null}}': {},
}


@pytest.mark.parametrize(("refusal", "cure"), REFUSALS.items(), ids=lambda x: str(x)[:30])
def test_a_refusal_names_its_cure(refusal: str, cure: dict[str, Any]) -> None:
    found = cure_of(refusal, Profile()) or {}
    assert found == cure
    if found:
        Profile(**found)
        assert cure_of(refusal, Profile(**found)) != found


def test_refused_reasoning_is_left_out() -> None:
    refusal = "'messages.1' : property 'reasoning_content' is unsupported"
    profile = Profile(reasoning="reasoning_content")
    assert cure_of(refusal, profile) == {"reasoning": None}


def test_a_cure_is_logged_once_as_settings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    endpoint_log = EndpointLog(("plugins", "compatible_models", "endpoints", "mine"))
    for status, refusal in [(400, "bad stream_options"), (422, "no stream_options, secret")]:
        endpoint_log.refused(status, refusal, Profile())
    endpoint_log.refused(401, "stream_options", Profile())
    endpoint_log.refused(400, "something else", Profile())
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "mine refused the form of a request. This changes it, in the settings at "
        "plugins.compatible_models.endpoints.mine: profile: {stream_options: false}"
    )


def test_tools_that_are_left_out_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    endpoint_log = EndpointLog(("plugins", "compatible_models", "endpoints", "mine"))
    endpoint_log.sent_tools(128, 128)
    endpoint_log.sent_tools(128, 140)
    endpoint_log.sent_tools(128, 140)
    [first, second] = caplog.records
    assert (first.levelno, second.levelno) == (logging.WARNING, logging.INFO)
    assert "mine: only the first 128 of 140 tools are sent" in first.getMessage()
