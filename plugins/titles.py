"""Gives conversations a title: the first words of the message, or what a model makes of it.

```yaml
plugins:
  titles: {by: model, model: openai/gpt-4.1-mini}
```

A title that a user or another plugin has set stays: what is stored decides, when the title is
written. Which titles are this plugin's own is noted in the thread's `metadata`, under `titles`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import unicodedata
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any, Literal

from agents import Agent, Runner
from aiohttp import web
from chatkit.store import NotFoundError
from chatkit.types import (
    AssistantMessageItem,
    ThreadItem,
    ThreadMetadata,
    UserMessageItem,
)
from pydantic import BaseModel, Field, model_validator

from chatkit_server import (
    MODEL_NAMES,
    MODELS,
    SETTINGS,
    Duration,
    Outcome,
    ServerError,
    SettingsError,
    Turn,
    hookimpl,
)
from chatkit_server.storage import TakenOver

log = logging.getLogger(__name__)

By = Literal["rule", "model"]

PROMPT = """\
Write a title for the conversation below. Use the language of the user's messages. At most six \
words, in plain text: no quotes, no Markdown, no full stop. Answer with the title alone, and do \
not answer the conversation."""

MARK = "titles"
"""The key of a thread's `metadata` where this plugin notes the title that it gave."""

TITLE_BY = "title_by"
"""The key that says whose the title is. The server puts `user` there when the user sets one."""

MOST_TEXT = 4000
"""Characters of a conversation that a model reads for its title, and that a rule looks at."""

_FOR_MODEL = ("model", "prompt", "renew_after")


class Config(BaseModel):
    """`by` is `rule`, the first words of the message, or `model`.

    `model` is the one to ask, `agent.model` without it; `{locale}` in `prompt` is the language of
    the user's browser. A title has `max_length` characters at most. The model is given up after
    `timeout`. An answer that ends earlier than the title is made waits for it for `wait`; then the
    title by rule is shown, and the model's is saved when it comes. With `renew_after`, the model
    makes a new title once, when the conversation has so many messages of its user.
    """

    by: By = "rule"
    model: str | None = None
    prompt: str | None = None
    max_length: int = Field(60, ge=10, le=200)
    timeout: Duration = 30.0
    wait: Duration = 1.0
    renew_after: int | None = Field(None, ge=2)

    @model_validator(mode="after")
    def _fitting(self) -> Config:
        given = [key for key in _FOR_MODEL if key in self.model_fields_set]
        if given and "by" not in self.model_fields_set:
            self.by = "model"
        if given and self.by == "rule":
            raise ValueError(f"`{given[0]}` has no effect with `by: rule`. Set `by: model`")
        return self


@dataclass(frozen=True)
class Mark:
    """A title that this plugin gave, as the thread's metadata has it."""

    title: str
    by: By
    renewed: bool = False

    @classmethod
    def of(cls, thread: ThreadMetadata) -> Mark | None:
        """Return the mark of the thread's title; None if somebody else has set that."""
        metadata = thread.metadata or {}
        found = metadata.get(MARK)
        if metadata.get(TITLE_BY, MARK) != MARK or not isinstance(found, dict):
            return None
        if found.get("title") != thread.title:
            return None
        return cls(found["title"], found.get("by", "rule"), bool(found.get("renewed")))

    def may_replace(self, thread: ThreadMetadata) -> bool:
        """Whether this title may be put in place of the one that is stored."""
        if thread.title is None:
            return not self.renewed
        known = Mark.of(thread)
        if known is None or known.renewed:
            return False
        return self.renewed or (self.by, known.by) == ("model", "rule")

    def put_on(self, thread: ThreadMetadata) -> None:
        """Give the thread this title, unless it has one that stays."""
        if self.may_replace(thread):
            thread.title = self.title
            thread.metadata = {**(thread.metadata or {}), TITLE_BY: MARK, MARK: vars(self)}


class Plugin:
    """Gives each new conversation a title while its first answer runs."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.hook_timeouts = {"post_turn": config.wait + 5}
        self._model = config.model or ""
        self._context = Context()
        self._asking: set[asyncio.Task[None]] = set()
        self._fails = False

    @hookimpl
    def setup(self, app: web.Application) -> None:
        if self.config.by == "model":
            self._model = self.config.model or app[SETTINGS].agent.model
            try:
                app[MODELS].check(self._model)
            except SettingsError as error:
                raise SettingsError(f"model: {error}") from None
            # `chatkit-server check --online` tries it
            app[MODEL_NAMES].append(self._model)
        app.cleanup_ctx.append(self._while_running)

    async def _while_running(self, _: web.Application) -> AsyncIterator[None]:
        # Where a model is asked from here, its tokens count for no turn
        self._context = copy_context()
        yield
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    @hookimpl
    async def persist(self, turn: Turn) -> None:
        """Begin with the first item that is saved: the turn is not refused any more."""
        if Plugin not in turn.state:
            turn.state[Plugin] = await self._begin(turn)

    @hookimpl
    async def post_turn(self, turn: Turn, outcome: Outcome) -> None:
        """Wait a moment for the model; give the title by rule if that takes longer."""
        task = turn.state.pop(Plugin, None)
        if task is None or task.done():
            return
        if outcome.status == "completed":
            await asyncio.wait({task}, timeout=self.config.wait)
        if not task.done() and turn.thread.title is None:
            await self._give_by_rule(turn)

    async def _begin(self, turn: Turn) -> asyncio.Task[None] | None:
        """Give the title by rule, or ask the model; return the task that does."""
        renewed = turn.thread.title is not None
        if (renewed and not self._is_due(turn)) or not user_text(turn.items):
            return None
        if self.config.by == "rule":
            await self._give_by_rule(turn)
            return None
        return self._start(self._give_by_model(turn, renewed))

    def _is_due(self, turn: Turn) -> bool:
        """Whether the title is to be renewed with this turn."""
        if self.config.renew_after is None:
            return False
        known = Mark.of(turn.thread)
        messages = sum(isinstance(item, UserMessageItem) for item in turn.items)
        return known is not None and not known.renewed and messages >= self.config.renew_after

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, context=self._context.copy())
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        return task

    async def _give_by_rule(self, turn: Turn) -> None:
        title = title_by_rule(user_text(turn.items), self.config.max_length)
        if title:
            await _save(turn, Mark(title, "rule"))

    async def _give_by_model(self, turn: Turn, renewed: bool) -> None:
        title = await self._ask(turn, renewed)
        if title:
            await _save(turn, Mark(title, "model", renewed))
        elif not renewed:
            await self._give_by_rule(turn)

    async def _ask(self, turn: Turn, renewed: bool) -> str:
        """Return the title that the model makes, "" if it makes none."""
        prompt = (self.config.prompt or PROMPT).replace(
            "{locale}", turn.locale or "the user's language"
        )
        said = conversation(turn.items) if renewed else user_text(turn.items)[:MOST_TEXT]
        agent = Agent[Any](name="Titles", instructions=prompt, model=self.config.model)
        try:
            async with asyncio.timeout(self.config.timeout):
                result = await Runner.run(
                    agent, f"<conversation>\n{said}\n</conversation>", max_turns=1
                )
        except TimeoutError:
            self._note_failure(f"no answer within {self.config.timeout:g} s")
            return ""
        except Exception as error:
            self._note_failure(_in_words(error))
            log.debug("turn %s: no title", turn.id, exc_info=True)
            return ""
        if self._fails:
            self._fails = False
            log.info("titles: %s makes titles again", self._model)
        usage = result.context_wrapper.usage
        counts = usage.input_tokens, usage.output_tokens
        log.info(
            "turn %s: a title by %s: %d tokens read, %d written", turn.id, self._model, *counts
        )
        return clean_title(str(result.final_output or ""), self.config.max_length)

    def _note_failure(self, reason: str) -> None:
        """Log the first of a row of failures."""
        if not self._fails:
            self._fails = True
            log.warning(
                "titles: %s makes no title: %s. Until it does, titles are made by rule",
                self._model,
                reason,
            )


async def _save(turn: Turn, mark: Mark) -> None:
    """Save a title. No turn fails for want of one."""
    try:
        await turn.change_thread(mark.put_on)
    except (NotFoundError, TakenOver):
        log.debug("turn %s: its thread is gone, or another process has taken it over", turn.id)
    except Exception as error:
        log.warning("turn %s: its title could not be saved: %s", turn.id, _in_words(error))


def _in_words(error: Exception) -> str:
    """Return what went wrong, without what a user or a model may have said."""
    if isinstance(error, ServerError):
        return error.message.rstrip(".")
    status = getattr(error, "status_code", None)
    return f"{type(error).__name__} (HTTP {status})" if status else type(error).__name__


def user_text(items: Iterable[ThreadItem]) -> str:
    """Return the user's first words: a message, or the name of the file that it consists of."""
    for item in items:
        if isinstance(item, UserMessageItem):
            names = [attachment.name for attachment in item.attachments]
            text = "".join(part.text for part in item.content).strip() or next(iter(names), "")
            if text:
                return text
    return ""


def conversation(items: Iterable[ThreadItem]) -> str:
    """Return what was said, the end of it if it is long."""
    said = []
    for item in items:
        if isinstance(item, UserMessageItem | AssistantMessageItem):
            who = "User" if isinstance(item, UserMessageItem) else "Assistant"
            text = "".join(part.text for part in item.content)
            said.append(f"{who}: {text[: MOST_TEXT // 4]}")
    return "\n".join(said)[-MOST_TEXT:]


_BLOCK_MARKS = re.compile(r"^(?:#+\s+|>\s*|[-*+•]\s+|1[.)]\s+)+")
_INLINE_MARKS = re.compile(r"(\*\*|~~|(?<!`)`++)(.+?)\1")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")
_WORD = r"(?:title|titel|titre|título|titolo)"
_LABEL = re.compile(
    rf"^[\W_]*(?:(?:chat|conversation|short|suggested)\s+)?{_WORD}"
    r"(?:\s+(?:de[rs]?|de la|della?|for|of)\s[^:]{,30})?[\W_]*[:\uff1a][*_\s]*",
    re.IGNORECASE,
)
_LEAD = re.compile(rf"^[^:]*\b{_WORD}\b[^:]*:\s*(?=[\"'*\u201c\u201e\u00ab])", re.IGNORECASE)
"""What stands before a title in quotes: `Here is a title for it: "…"`."""
_ELEMENT = re.compile(r"^<(\w+)>(.*)</\1>$")
_THOUGHTS_END = re.compile(r"</(?:think|thinking|thought|reasoning)>")
_FENCE = re.compile(r"^(?:`{3,}|~{3,})\w*$")
_NO_TITLE = re.compile(
    r"(?:i['\u2019]m|i am|sorry,?) (?:sorry|unable|but i|i )|as an ai\b"
    r"|i can(?:not|['\u2019]t) (?:help|assist|create|generate|make|provide|write)"
    r"|(?:es )?tut mir leid|ich kann (?:ihnen|dir|dabei|das|keinen)\b|je suis désolé|lo siento"
    r"|mi dispiace|(?:no title|none|null|n/a|unknown|untitled)$",
    re.IGNORECASE,
)
"""The beginning of an answer that is not a title: the model refuses, or finds none."""
_QUESTION = re.compile(r".{8,}?(?:[?!](?=\s|$)|[\u3002\uff01\uff1f])")
_QUOTES = (
    "\"'*_\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a\u2018\u2019"
    "\u300c\u300d\u300e\u300f\u300a\u300b"
)
_JOINERS = "\u200c\u200d"
_MARKS = ("Mn", "Mc", "Me", "Cf", "Sk")
"""Categories of characters that belong to the one before them."""


def title_by_rule(text: str, most: int) -> str:
    """Return the first question or line of a message, or as many of its words as fit."""
    lines = [line for line in map(_without_marks, text.lstrip()[:MOST_TEXT].splitlines()) if line]
    if not lines:
        return ""
    first = lines[0] if len(lines[0]) >= most // 4 else " ".join(lines)
    question = _QUESTION.match(first)
    if question is not None and len(question[0]) <= most:
        return question[0]
    return _cut(first.rstrip(" ,;:") or first, most)


def clean_title(answer: str, most: int) -> str:
    """Return a model's title without what models put around it; "" if it is no title."""
    lines = _lines(_THOUGHTS_END.split(answer)[-1].lstrip()[:MOST_TEXT])
    lines = _lines(_unwrapped("\n".join(lines)))
    if len(lines) > 1 and (
        lines[0].endswith(":") or re.fullmatch(rf"\W*{_WORD}\W*", lines[0], re.I)
    ):
        # "Here is a title:"
        del lines[0]
    title = _LEAD.sub("", _LABEL.sub("", lines[0])) if lines else ""
    title = _unquoted(_without_marks(title))
    if _NO_TITLE.match(title) or not any(map(str.isalnum, title)):
        return ""
    return _cut(title if title.endswith("..") else title.rstrip(".\u3002"), most)


def _unwrapped(text: str) -> str:
    """Return the one text of a JSON object, or what is in `<title>…</title>`."""
    with suppress(ValueError, RecursionError):
        found = json.loads(text)
        texts = list(found.values()) if isinstance(found, dict) else []
        if len(texts) == 1 and isinstance(texts[0], str):
            return texts[0]
    element = _ELEMENT.match(text)
    return element[2] if element else text


def _lines(text: str) -> list[str]:
    """Return the lines that are more than marks."""
    lines = (line for line in map(str.strip, text.splitlines()) if not _FENCE.match(line))
    return [line for line in lines if line.strip("`~-*_=# ")]


def _without_marks(line: str) -> str:
    """Return a line of Markdown as text, in one line, and without what is invisible."""
    line = " ".join(line.split())
    line = "".join(char for char in line if char.isprintable() or char in _JOINERS)
    line = _BLOCK_MARKS.sub("", line)
    return _INLINE_MARKS.sub(r"\2", _LINK.sub(r"\1", line)).strip("` ")


def _unquoted(text: str) -> str:
    while len(text) > 1 and text[0] in _QUOTES and text.rstrip(".")[-1:] in _QUOTES:
        text = text.rstrip(".")[1:-1].strip()
    return text.removeprefix('"') if text.count('"') == 1 else text


def _cut(text: str, most: int) -> str:
    """Return at most so many characters, whole words if they are not too long."""
    if len(text) <= most:
        return text
    end = text.rfind(" ", 0, most)
    if end < most // 2:
        end = most - 1
        while end > 1 and unicodedata.category(text[end]) in _MARKS:
            end -= 1
    return text[:end].rstrip(" ,;:.-\u2013" + _JOINERS) + "\N{HORIZONTAL ELLIPSIS}"
