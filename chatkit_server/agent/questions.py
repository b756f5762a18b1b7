"""What MCP servers ask the user in a tool call: shown as ChatKit's questions, and kept.

A hidden item beside each question keeps what is needed when it is answered, after a restart too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, cast

from chatkit.types import (
    ClientToolCallItem,
    HiddenContextItem,
    StructuredInputItem,
    ThreadItem,
)
from mcp.types import ElicitResult

from ..mcp.forms import Form, NoForm
from ..turn import Turn
from ..words import Words
from .asked import NOT_ANSWERED, answers_text, asked_ids
from .memory import QUESTION_TYPE, TurnMemory, is_question

DECLINED = ElicitResult(action="decline")
CANCELLED = ElicitResult(action="cancel")

ROUNDS = 3
"""How often the user is asked the same before what is wrong counts as declined."""


@dataclass
class SavedQuestion:
    """What is kept of a question of an MCP server.

    `requests` are the parameters of `elicitation/create`, and `known` the values of earlier rounds,
    by the server's key. `fields` has the key and the field of each input. `call_id`, `tool`,
    `arguments` and `state` are those of the call that is made again; `asks` counts how often it has
    asked, `output` is its result, and `next` the id of the item that asks on. With `live`, the id
    of a turn, the call has not ended: the turn waits. Who followed it has its events up to number
    `event`. `settled` says that the answers were used.
    """

    item_id: str
    server: str
    requests: dict[str, dict[str, Any]]
    call_id: str
    tool: str
    arguments: str
    fields: dict[str, tuple[str, str]] = field(default_factory=dict)
    known: dict[str, dict[str, Any]] = field(default_factory=dict)
    round: int = 1
    asks: int = 1
    state: str | None = None
    live: str | None = None
    event: int | None = None
    settled: bool = False
    output: Any = None
    next: str | None = None

    def as_item(self, thread_id: str) -> HiddenContextItem:
        """Return the hidden item that keeps this in a thread."""
        return HiddenContextItem(
            id=kept_id(self.item_id),
            thread_id=thread_id,
            created_at=datetime.now(UTC),
            content={"type": QUESTION_TYPE, **asdict(self)},
        )

    @classmethod
    def of(cls, item: ThreadItem) -> SavedQuestion | None:
        """Return the question that a hidden item keeps, None for other items."""
        if not is_question(item):
            return None
        content = cast(HiddenContextItem, item).content
        known = {one.name for one in fields(cls)}
        return cls(**{key: value for key, value in content.items() if key in known})

    def forms(self) -> dict[str, Form]:
        """Return the forms that can be shown, by the server's key."""
        found: dict[str, Form] = {}
        for key, params in self.requests.items():
            try:
                found[key] = Form.of(self.server, params)
            except NoForm:
                continue
        return found

    def item(
        self, turn: Turn, wrong: Mapping[str, Mapping[str, Words]] | None = None
    ) -> StructuredInputItem | None:
        """Return the item that asks this, None if nothing of it can be shown.

        With `wrong`, only what was not answered as the server wants it, by key and field.
        """
        inputs = []
        self.fields = {}
        for number, (key, form) in enumerate(self.forms().items(), 1):
            if wrong is not None and key not in wrong:
                continue
            problems = None if wrong is None else wrong[key]
            for name, question in form.questions(number, turn.translate, problems):
                self.fields[question.id] = (key, name)
                inputs.append(question)
        if not inputs:
            return None
        return StructuredInputItem(
            id=self.item_id,
            thread_id=turn.thread.id,
            created_at=datetime.now(UTC),
            inputs=inputs,
        )

    def read(
        self, item: StructuredInputItem
    ) -> tuple[dict[str, ElicitResult], dict[str, dict[str, Words]]]:
        """Return the server's answers by key, and what is wrong with them by key and field."""
        forms = {} if item.status == "skipped" else self.forms()
        given: dict[str, dict[str, list[str] | None]] = {}
        for question in item.inputs:
            key, name = self.fields.get(question.id, ("", ""))
            if key in forms:
                given.setdefault(key, {})[name] = forms[key].given(name, question)
        results: dict[str, ElicitResult] = {}
        problems: dict[str, dict[str, Words]] = {}
        for key in self.requests:
            form = forms.get(key)
            if form is None:
                results[key] = DECLINED
                continue
            content, wrong = form.read(given.get(key, {}), self.known.get(key, {}))
            if wrong:
                problems[key] = wrong
            if content is None:
                results[key] = DECLINED
            elif form.url is not None:
                results[key] = ElicitResult(action="accept")
            else:
                results[key] = ElicitResult(action="accept", content=content)
        return results, problems

    def again(self, item_id: str, results: Mapping[str, ElicitResult]) -> SavedQuestion:
        """Return the question for what was wrong, with what was right."""
        known = {key: dict(result.content or {}) for key, result in results.items()}
        return replace(
            self,
            item_id=item_id,
            fields={},
            known=known,
            round=self.round + 1,
            event=None,
            settled=False,
        )


def kept_id(item_id: str) -> str:
    """Return the id of the hidden item that is kept beside a question."""
    return f"ask_{item_id}"


def saved_in(items: Iterable[ThreadItem]) -> dict[str, SavedQuestion]:
    """Return the questions that are kept among items, by the ids of what the user sees."""
    found = (SavedQuestion.of(item) for item in items)
    return {saved.item_id: saved for saved in found if saved is not None}


NOT_CALLED = "The user did not answer what the tool asked. It was not carried out."
LOST = (
    "The user answered what the tool asked, and it was called again. Its result was lost: it may "
    "have been carried out or not. Check before you call it again."
)


def chain(memory: TurnMemory, saved: Mapping[str, SavedQuestion]) -> list[str]:
    """Return the ids of the items that the calls in a turn's memory asked with, one by one."""
    waiting = [item_id for entry in memory.input for item_id in asked_ids(entry)]
    found: list[str] = []
    while waiting:
        item_id = waiting.pop()
        found.append(item_id)
        following = saved[item_id].next if item_id in saved else None
        if following is not None and following not in found:
            waiting.append(following)
    return found


def is_for_server(item: ThreadItem, saved: Mapping[str, SavedQuestion]) -> bool:
    """Whether an item's answers are for an MCP server, and the model gets what it made of them.

    So it is not for the call of a process that died while it waited.
    """
    kept = saved.get(item.id)
    return kept is not None and (kept.live is None or kept.settled)


def told(
    asked: Sequence[str], items: Mapping[str, ThreadItem], saved: Mapping[str, SavedQuestion]
) -> str | None:
    """Return the output of a call that asked with these items; None if it is still to be made."""
    item_id, seen = asked[-1], set[str]()
    while (kept := saved.get(item_id)) is not None and item_id not in seen:
        seen.add(item_id)
        if kept.next is not None:
            item_id = kept.next
            continue
        item = items.get(item_id)
        if kept.output is not None:
            return str(kept.output)
        if not isinstance(item, StructuredInputItem) or kept.settled:
            return LOST
        if item.status == "skipped":
            return NOT_CALLED
        return NOT_ANSWERED if item.status == "pending" else None
    found = [items.get(one) for one in asked]
    return answers_text([one for one in found if isinstance(one, StructuredInputItem)])


def to_resume(
    items: Sequence[ThreadItem], answered: Collection[str]
) -> list[tuple[SavedQuestion, StructuredInputItem]]:
    """Return the questions whose calls are to be made again, now that these are answered.

    With them are those that were answered before, while another one was waited for.
    """
    saved = saved_in(items)
    beside = {one.id for one in asked_together(items, answered, saved)}
    return [
        (saved[item.id], item)
        for item in items
        if isinstance(item, StructuredInputItem)
        and item.id in beside
        and item.status != "pending"
        and (kept := saved.get(item.id)) is not None
        and not (kept.settled or kept.live)
    ]


def asked_together(
    items: Sequence[ThreadItem],
    answered: Collection[str],
    saved: Mapping[str, SavedQuestion],
) -> list[ThreadItem]:
    """Return what one answer of the model has asked for, the items with these ids among it."""
    of_turn: list[ThreadItem] = []
    by_id = {item.id: item for item in items}
    for item in items:
        memory = TurnMemory.of(item)
        if memory is None:
            of_turn.append(item)
            continue
        calls = {entry.get("call_id") for entry in memory.input}
        asked = [by_id[item_id] for item_id in chain(memory, saved) if item_id in by_id]
        asked += [
            one for one in of_turn if isinstance(one, ClientToolCallItem) and one.call_id in calls
        ]
        if any(one.id in answered for one in asked):
            return asked
        of_turn = []
    return [item for item in items if item.id in answered]


def still_waiting(items: Sequence[ThreadItem], answered: Collection[str]) -> bool:
    """Whether something still waits of what one answer of the model has asked for."""
    together = asked_together(items, answered, saved_in(items))
    return any(getattr(item, "status", "") == "pending" for item in together)
