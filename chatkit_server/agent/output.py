"""How much a model may write besides the text of its answer."""

from __future__ import annotations

import logging

from agents.exceptions import ModelBehaviorError

from ..errors import TurnFailed
from ..events.recorder import LONG_ANSWER
from ..settings.schema import TurnLimits
from ..words import words

log = logging.getLogger(__name__)

LONGEST_NAME = 256
"""Characters of a tool's name, and of the id of a call. Providers allow 64 or 128."""

IMAGE_SIZE = 64_000_000
"""Characters of all images of a turn with their previews, as base64."""

PARTS_SIZE = 1_000_000
"""Characters of a turn's citations, and of what else makes a message of its text."""

LONG_REASONING = words(
    "The model thought longer than allowed and was stopped. Ask for less at once."
)
LONG_ARGUMENTS = words("The model wrote too much for a tool and was stopped. Ask for less at once.")
MANY_CALLS = words("The model used too many tools at once and was stopped. Ask for less at once.")
LARGE_IMAGES = words(
    "The model sent more images than allowed and was stopped. Ask for fewer at once."
)


class OutputMeter:
    """Counts a turn's reasoning, and the tool calls of each answer of the model.

    Every method raises `TurnFailed` beyond its limit.
    """

    def __init__(self, limits: TurnLimits) -> None:
        self._limits = limits
        self._thoughts_left = limits.reasoning
        self._images_left = IMAGE_SIZE
        self._parts_left = PARTS_SIZE
        self._calls = 0
        self._arguments: dict[int, int] = {}

    def next_answer(self) -> None:
        """Begin another answer of the model: its calls are counted from zero."""
        self._calls = 0
        self._arguments.clear()

    def reasoning(self, characters: int) -> None:
        """Count reasoning."""
        self._thoughts_left -= characters
        if self._thoughts_left < 0:
            raise _beyond("reasoning", self._limits.reasoning, LONG_REASONING)

    def image(self, characters: int) -> None:
        """Count an image."""
        self._images_left -= characters
        if self._images_left < 0:
            raise TurnFailed(LARGE_IMAGES)

    def part(self, characters: int) -> None:
        """Count a part of a message, or an annotation."""
        self._parts_left -= characters
        if self._parts_left < 0:
            raise TurnFailed(LONG_ANSWER)

    def call(self, name: str, call_id: str = "") -> None:
        """Count a tool call. Raises `ModelBehaviorError` for a name or an id that is none."""
        for what, text in (("name", name), ("id", call_id)):
            if len(text) > LONGEST_NAME:
                raise ModelBehaviorError(
                    f"the model called a tool with {what} of {len(text)} characters"
                )
        self._calls += 1
        if self._calls > self._limits.tool_calls:
            raise _beyond("tool_calls", self._limits.tool_calls, MANY_CALLS)

    def arguments(self, index: int, characters: int) -> None:
        """Count a piece of the arguments of the call at this index of the answer."""
        self.all_arguments(index, self._arguments.get(index, 0) + characters)

    def all_arguments(self, index: int, characters: int) -> None:
        """Set how many characters the arguments of the call at this index have."""
        self._arguments[index] = characters
        if characters > self._limits.tool_arguments:
            raise _beyond("tool_arguments", self._limits.tool_arguments, LONG_ARGUMENTS)


def _beyond(key: str, limit: int, message: str) -> TurnFailed:
    log.warning("a model went beyond turns.limits.%s, which is %d", key, limit)
    return TurnFailed(message)
