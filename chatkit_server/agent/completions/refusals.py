"""The setting that cures a provider's refusal of a request."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

import orjson

from .profile import Profile

log = logging.getLogger(__name__)

_STATUSES = (400, 404, 413, 415, 422, 500)
"""Servers with chat templates refuse with 500, a few gateways with 404."""

_MOST = 10_000
"""Characters of a refusal that are searched."""

_NULL = re.compile(r'"\w+": ?null,?')
"""Fields of an error without a value: they say nothing of the request."""

Cure = Mapping[str, Any]

_ROLES: Cure = {"alternate": True}
_ONE_TEXT: Cure = {"content": "text", "tool_answers": "text"}

_CURES: tuple[tuple[str, Cure], ...] = (
    (r"stream_options", {"stream_options": False}),
    (r"tool.?call.?id.{0,80}(length of 9|nine)|a-z, A-Z, 0-9", {"call_ids": "nine"}),
    (r"functions\.\w+:\d|functions\.func_name:idx", {"call_ids": "functions"}),
    (r"max_completion_tokens.{0,40}instead", {"max_tokens": "max_completion_tokens"}),
    (r"max_completion_tokens", {"max_tokens": "max_tokens"}),
    (r"parallel.?tool.?calls", {"parallel_tool_calls": False}),
    (r"(only supports? )?single tool.?calls?( at once)?", {"calls": "single"}),
    (
        r"reasoning_content.{0,80}(must be (passed|sent|provided)|is missing|is required)"
        r"|missing.{0,20}reasoning_content",
        {"reasoning": "reasoning_content", "reasoning_turns": "all", "reasoning_required": True},
    ),
    (
        r"(reasoning_content|reasoning_details|thinking_blocks|'reasoning')"
        r".{0,100}(unsupported|not supported|not permitted|not allowed|unexpected|unknown|extra)"
        r"|(unexpected|unknown|unsupported|extra|unrecognized).{0,80}"
        r"(reasoning_content|reasoning_details|thinking_blocks)"
        r"|extra_forbidden.{0,100}reasoning",
        {"reasoning": None, "reasoning_required": False},
    ),
    # Another effort is what helps then
    (r"reasoning.?effort.{0,60}(supported values|one of|must be|input should be)", {}),
    (
        r"reasoning_?.?effort|reasoning\.effort|does not support (thinking|reasoning)",
        {"reasoning_effort": False},
    ),
    (r"thought_?signature", {"thought_signatures": "extra_content"}),
    (
        r"\b(temperature|top_p|presence_?penalty|frequency_?penalty)\b.{0,60}"
        r"(not support|unsupported|only the default|deprecated|not allowed|not permitted|cannot)"
        r"|(unsupported|unknown|unrecognized|unexpected|extra).{0,60}"
        r"\b(temperature|top_p|presence_?penalty|frequency_?penalty)\b",
        {"sampling": False},
    ),
    (
        r"system message.{0,30}(at the beginning|first)|(multiple|only one) system message",
        {"system": "first"},
    ),
    (
        r"system.{0,20}(role|instruction|prompt|message).{0,30}"
        r"(not supported|unsupported|not enabled|not allowed)"
        r"|developer instruction is not enabled"
        r"|only user,? (and )?assistant.{0,40}roles.{0,30}system",
        {"system": "user"},
    ),
    (
        r"developer.{0,60}(role|unknown|invalid|unsupported|one of)|role.{0,40}developer",
        {"developer": False},
    ),
    (
        r"(must|should|roles?).{0,40}alternat|alternat.{0,40}(roles?|user)"
        r"|unexpected role|after role.{0,3}'?tool|expected last role",
        _ROLES,
    ),
    (r"without.{0,5}`?tools=?`?|toolConfig|must define tools", {"calls_need_tools": True}),
    (
        r"tools.{0,40}(too long|too many|maximum|at most|exceed)|too many (tools|functions)"
        r"|(maximum|at most|more than).{0,30}\d+ (tools|functions)",
        {"max_tools": 128},
    ),
    # A broken picture, which the next message does not have
    (
        r"(invalid|unsupported|corrupt|could not (decode|process)|unable to process).{0,20}image"
        r"|image.{0,30}(too large|corrupt|invalid)",
        {},
    ),
    (
        r"at most 0 image|not a multimodal model|image_url is only supported"
        r"|(image|vision|multimodal|multi-modal|mmproj).{0,80}"
        r"(not support|unsupported|cannot|can't|not allowed|not enabled|disabled|only text|no )"
        r"|(not support|unsupported|no endpoints found).{0,60}(image|vision|multimodal)"
        r"|unknown variant `image_url`",
        {"images": False},
    ),
    (
        r"\$ref|\$schema|\$defs|additionalProperties|anyOf|oneOf|\bconst\b|function_declarations"
        r"|unresolvable|json.?schema.{0,60}(unsupported|not supported|invalid)|grammar"
        r"|unhashable type",
        {"schemas": "loose"},
    ),
    (r"\bstrict\b", {"strict": False}),
    (
        r"content.{0,60}(\bnull\b|nonetype|<nil>|got none)|missing field `content`"
        r"|'?nonetype'? (object )?is not iterable|not \"?nonetype\"?\) to str"
        r"|content.{0,20} (is )?required",
        {"empty_content": True},
    ),
    (
        r"content.{0,60}(must be|should be|expected|be a valid).{0,20}(string|str\b)"
        r"|expected string, received array"
        r"|invalid type: sequence, expected a string|value must be a string",
        _ONE_TEXT,
    ),
    (
        r"content.{0,60}(must be|should be|expected).{0,20}(an? )?(array|list|sequence)",
        {"content": "parts", "tool_answers": "parts"},
    ),
)
"""What a refusal says, and the fields of a profile that keep from it; the first one counts."""


def cure_of(refusal: str, profile: Profile) -> dict[str, Any] | None:
    """Return the fields of a profile that cure a refusal, None if it names no known problem.

    What the profile has already is no cure; of a limit, the number in the refusal is.
    """
    text = _NULL.sub("", refusal[:_MOST])
    for pattern, cure in _CURES:
        if re.search(pattern, text, re.IGNORECASE | re.DOTALL) is None:
            continue
        found = dict(cure)
        if "max_tools" in found and (limit := _limit_in(text)) is not None:
            found["max_tools"] = limit
        # The first one that names the problem: what the profile has already did not help
        return {k: v for k, v in found.items() if getattr(profile, k) != v} or None
    return None


def _limit_in(text: str) -> int | None:
    """Return the smallest number of a refusal: the other one is how many there were."""
    numbers = [int(number) for number in re.findall(r"(?<![\w.-])\d{1,5}(?![\w-])", text)]
    allowed = [number for number in numbers if number >= 8 and number not in _STATUSES]
    return min(allowed, default=None)


class EndpointLog:
    """Tells of an endpoint's requests what its operator can do something about.

    `path` is where its settings are: `("plugins", "compatible_models", "endpoints", "mine")`.
    """

    def __init__(self, path: tuple[str, ...]) -> None:
        self._path = path
        self._told: set[str] = set()

    def sent_tools(self, sent: int, given: int) -> None:
        """Log that only the first tools were sent, the first time as a warning."""
        if sent == given:
            return
        told = f"{sent} of {given} tools"
        log.log(
            logging.INFO if told in self._told else logging.WARNING,
            "%s: only the first %s are sent; `profile.max_tools` is the limit",
            self._path[-1],
            told,
        )
        self._told.add(told)

    def refused(self, status: int, refusal: str, profile: Profile) -> None:
        """Log the setting that cures a refusal, if it names a known problem, once.

        The refusal is not quoted: there may be something of the conversation in it.
        """
        if status not in _STATUSES:
            return
        cure = cure_of(refusal, profile)
        if cure is None:
            return
        written = _yaml(cure)
        if written in self._told:
            return
        self._told.add(written)
        # In one line, as the log is
        log.warning(
            "%s refused the form of a request. This changes it, in the settings at %s: profile: %s",
            self._path[-1],
            ".".join(self._path),
            written,
        )


def _yaml(cure: Mapping[str, Any]) -> str:
    """Return values as YAML in one line, which JSON's are except for the quotes."""
    fields = [
        f"{key}: {orjson.dumps(value).decode().strip(chr(34))}" for key, value in cure.items()
    ]
    return "{" + ", ".join(fields) + "}"
