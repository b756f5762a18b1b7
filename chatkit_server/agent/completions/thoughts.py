"""Where models write their reasoning: in fields of their own, or at the start of their text.

| in a delta or a message | who |
|---|---|
| `reasoning_content` | DeepSeek, Qwen, Kimi, GLM, xAI, MiniMax, SGLang, llama.cpp, older vLLM, LiteLLM |
| `reasoning` | OpenRouter, Groq, Cerebras, Together, Ollama, LM Studio, newer vLLM |
| `reasoning_text` | GitHub Copilot |
| `reasoning_details`: objects with `text` or `summary` | OpenRouter and MiniMax, mostly beside one of those above |
| `thinking_blocks`: objects with `thinking` | LiteLLM for Claude, beside `reasoning_content` |
| `thinking`, `thought` | servers that copy Anthropic's or Gemini's names |
| `content`: pieces of the type `thinking`, `reasoning` or `thought` | Mistral, Cohere, Databricks |
| `content`, with `extra_content.google.thought` beside it | Gemini |
| `content`, in one of the `TAGS` at its start | models on servers that do not know their format |

The first field of the table that has text is shown. What other fields repeat of it is not.
"""  # noqa: E501

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

FIELDS = ("reasoning_content", "reasoning", "reasoning_text", "thinking", "thought")
"""Fields that hold reasoning as text, the first one that has any counts."""

DETAILS = ("reasoning_details", "thinking_blocks")
"""Fields that hold reasoning as objects. They go back unchanged to who understands them."""

PIECES = ("thinking", "reasoning", "reasoning_text", "thought")
"""Types of the pieces of a `content` that are reasoning."""

_TEXTS = ("text", "thinking", "summary", "reasoning", "content", "value")
"""Fields of an object that hold its text."""

TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<thoughts>": "</thoughts>",
    "<reason>": "</reason>",
    "<reasoning>": "</reasoning>",
    "<reflection>": "</reflection>",
    "<seed:think>": "</seed:think>",
    "<mm:think>": "</mm:think>",
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|channel>thought": "<channel|>",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "<|channel|>analysis<|message|>": "<|end|><|start|>assistant<|channel|>final<|message|>",
}
"""What opens and closes a thought at the start of a text, in any case of letters."""

_LONGEST = max(map(len, TAGS))
_OPENERS = {opener.lower(): closer.lower() for opener, closer in TAGS.items()}
_CLOSING_LINE = re.compile(
    "(?:^|\n)[ \t]*(?:" + "|".join(map(re.escape, TAGS.values())) + ")[ \t]*(?:\n|$)", re.IGNORECASE
)


def text_of(value: Any) -> str:
    """Return the text of reasoning of whatever form: text, objects with text, lists of them."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(text_of, value))
    if isinstance(value, dict):
        named = (
            value.get(key)
            for key in ("text", "thinking", "summary", "reasoning", "content", "value")
        )
        return next((text for one in named if (text := text_of(one))), "")
    return "" if value is None or isinstance(value, bool) else str(value)


class ThoughtSplitter:
    """Parts a text into what the model thought, in tags at the start, and what it said.

    Off from the first character that belongs to no tag: `done` is then true, and the rest of the
    answer needs no `split`. Blank space around tags belongs to neither.
    """

    def __init__(self, *, on: bool) -> None:
        self.done = not on
        self._closer: str | None = None
        self._held = ""
        self._trim = False

    def split(self, piece: str) -> Iterator[tuple[bool, str]]:
        """Yield pairs of whether this is a thought, and its text; some of it may be held back."""
        text, self._held = self._held + piece, ""
        while text:
            if self._trim:
                text = text.lstrip()
                self._trim = not text
            if not text:
                return
            if self.done:
                yield False, text
                return
            if self._closer is None:
                text = self._open(text)
                continue
            end = text.lower().find(self._closer)
            if end < 0:
                kept = _overlap(text.lower(), self._closer)
                self._held = text[len(text) - kept :]
                if thought := text[: len(text) - kept]:
                    yield True, thought
                return
            if thought := text[:end].rstrip():
                yield True, thought
            text, self._closer, self._trim = text[end + len(self._closer) :], None, True

    def _open(self, text: str) -> str:
        """Return the text after an opening tag, or all of it with `done` set if there is none."""
        start = text.lstrip()
        head = start[:_LONGEST].lower()
        for opener, closer in _OPENERS.items():
            if head.startswith(opener):
                self._closer, self._trim = closer, True
                return start[len(opener) :]
        if not any(opener.startswith(head) for opener in _OPENERS):
            self.done = True
            return text
        self._held = text
        return ""

    def end(self) -> tuple[bool, str]:
        """Return what was held back, and whether it is a thought."""
        text, self._held = self._held, ""
        return self._closer is not None, text


def without_unopened(text: str) -> tuple[str, str]:
    """Return the thought before a closing tag that stands in a line alone, and the text after it.

    The templates of some models open the tag before the answer begins. The thought is empty if
    there is none.
    """
    found = _CLOSING_LINE.search(text)
    if found is None:
        return "", text
    return text[: found.start()].strip(), text[found.end() :].lstrip()


def _overlap(text: str, closer: str) -> int:
    """Return how many characters at the end of a text may be the beginning of a closing tag."""
    longest = min(len(text), len(closer) - 1)
    return next((n for n in range(longest, 0, -1) if closer.startswith(text[-n:])), 0)
