"""What a turn said between its last heartbeat and the death of its process."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
from agents import Agent, GuardrailFunctionOutput, OutputGuardrail, function_tool
from agents.tool_context import ToolContext
from chatkit.types import (
    AssistantMessageItem,
    CustomTask,
    HiddenContextItem,
    ThreadItem,
    ThreadMetadata,
    Workflow,
)
from chatkit.widgets import Card, Text

from chatkit_server import Turn, hookimpl
from chatkit_server.events.log import TurnLog
from chatkit_server.events.shared import NoEventLog
from chatkit_server.events.threads import ThreadWriter
from chatkit_server.events.wire import dump
from chatkit_server.plugin.calls import Hooks
from chatkit_server.storage import (
    EventLog,
    MemoryEventLog,
    MemoryTurnStore,
    StoreContext,
    TurnRecord,
)
from chatkit_server.testing.memory_store import MemoryStore
from chatkit_server.testing.model_server import Call, ModelServer
from chatkit_server.testing.model_server import Text as Words
from chatkit_server.turns.recovery import Leftover, Recovery
from chatkit_server.web.keys import ENGINE
from tests.conftest import MakeChat
from tests.serving import served_by
from tests.test_elsewhere import PLAIN, Deployment
from tests.test_resume import create
from tests.test_turns import Tools

FIRST = ("Grüße", ", ", "日本", "\n\n", "data: 🎈")
LAST = (" One", " moment", ": ", "done.")


async def growing() -> AsyncGenerator[Card]:
    for text in ("Once", "Once upon", "Once upon a time"):
        yield Card(id="card", children=[Text(id="text", value=text, streaming=True)])


@function_tool
async def show(context: ToolContext[Turn]) -> str:
    """Show something that takes its time."""
    turn = context.context
    await turn.start_workflow(Workflow(type="custom", tasks=[]))
    await turn.add_workflow_task(CustomTask(title="Read", status_indicator="loading"))
    await turn.update_workflow_task(CustomTask(title="Read it all"), 0)
    await turn.end_workflow()
    await turn.stream_widget(growing())
    return "shown"


TOOLS = Tools(show)


@dataclass
class Moment:
    """What there was after an event: its frame, the partial answer, and the stored items."""

    frame: bytes
    partial: bytes
    items: dict[str, ThreadItem]


@dataclass
class Said:
    """A turn of which all is known: its record, its thread, and what there was after each event."""

    record: TurnRecord
    thread: ThreadMetadata
    moments: list[Moment]

    async def after(
        self, at: int, beat: int, events: EventLog, attempt: int = 1
    ) -> list[ThreadItem]:
        """Return what is stored after a recovery of the turn, whose process died after one event,
        and had saved a partial answer after another one."""
        store, turn_store = MemoryStore(), MemoryTurnStore()
        context = StoreContext(self.record.user, self.record.id)
        await store.save_thread(self.thread, context)
        for item in self.moments[at].items.values():
            await store.add_thread_item(self.thread.id, item, context)
        record = replace(self.record, state="running", partial=self.moments[beat].partial)
        record = replace(record, attempt=attempt)
        assert await turn_store.begin(record) is None
        assert await turn_store.take_over(record.id, record.attempt, -1)
        recovery = Recovery(turn_store, store, Hooks.of([]), ThreadWriter(store), events)
        await recovery.end(record, record.attempt + 1, Leftover())
        return list(store.items[self.thread.id].values())

    def log(self, numbers: Iterable[int]) -> MemoryEventLog:
        """Return an event log with these of the events."""
        events = MemoryEventLog()
        for number in numbers:
            frame = self.moments[number].frame
            events.append(self.record.id, self.record.attempt, [(number + 1, frame)])
        return events


class Guarded:
    """An agent whose answers are refused at their end."""

    @hookimpl
    async def agent(self) -> Agent[Turn]:
        async def refuse(*_: Any) -> GuardrailFunctionOutput:
            return GuardrailFunctionOutput(output_info="", tripwire_triggered=True)

        return Agent[Turn]("guarded", tools=[show], output_guardrails=[OutputGuardrail(refuse)])


async def said(
    make_chat: MakeChat, model_server: ModelServer, body: dict[str, Any], plugin: object = TOOLS
) -> Said:
    """Send a request, and return all of its turn."""
    deployment = Deployment(lambda: None)
    chat = await make_chat(deployment, plugin, **served_by(model_server))
    model_server.reply(Words(*FIRST), Call("show"))
    model_server.reply(*LAST)
    append, moments = TurnLog.append, list[Moment]()
    turns = chat.client.app[ENGINE].turns

    def noted(log: TurnLog, data: bytes) -> None:
        append(log, data)
        [running] = turns.active
        [*_, items] = {}, *deployment.memory.items.values()
        moments.append(Moment(log._frames[-1], running.partial().dump(), copy.deepcopy(items)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TurnLog, "append", noted)
        response = await chat.post(body)
        await chat.read(response)
    turn_id = response.headers["X-Turn-Id"]
    [[thread]] = [list(threads.values()) for threads in deployment.memory.threads.values()]
    return Said(deployment.turns._rows[turn_id].record, thread, moments)


def shown(items: Iterable[ThreadItem]) -> list[dict[str, Any]]:
    """Return items as users see them, without the time that they took."""
    visible = [item for item in items if not isinstance(item, HiddenContextItem)]
    seen = [orjson.loads(dump(item)) for item in visible]
    for item in seen:
        item.get("workflow", {}).pop("summary", None)
    return seen


def written(items: Iterable[ThreadItem]) -> str:
    """Return the text of all messages of the assistant."""
    messages = [item for item in items if isinstance(item, AssistantMessageItem)]
    return "".join(content.text for message in messages for content in message.content)


@pytest.mark.parametrize("plugin", [TOOLS, Guarded()], ids=["answered", "refused"])
async def test_a_recovery_saves_all_that_the_event_log_has(
    make_chat: MakeChat, model_server: ModelServer, plugin: object
) -> None:
    whole = await said(make_chat, model_server, create("Hello"), plugin)
    count = len(whole.moments)
    assert count > 25
    removed = [n for n, one in enumerate(whole.moments) if b"thread.item.removed" in one.frame]
    assert (len(removed) > 1) == (plugin is not TOOLS)
    for at in range(count):
        if at in removed[:-1]:
            # Amid that, only a partial answer knows that all of it is refused
            continue
        expected = shown(await whole.after(at, at, NoEventLog()))
        for beat in range(at % 3, at + 1, 3):
            found = shown(await whole.after(at, beat, whole.log(range(at + 1))))
            assert found == expected, (beat, at)


@pytest.mark.parametrize("plugin", [TOOLS, Guarded()], ids=["answered", "refused"])
async def test_a_recovery_saves_all_that_a_plain_client_was_sent(
    make_chat: MakeChat, model_server: ModelServer, plugin: object
) -> None:
    whole = await said(make_chat, model_server, PLAIN, plugin)
    count = len(whole.moments)
    assert count > 12
    for at in range(count):
        expected = written(await whole.after(at, at, NoEventLog()))
        for beat in range(at % 2, at + 1, 2):
            found = await whole.after(at, beat, whole.log(range(at + 1)))
            assert written(found) == expected, (beat, at)
            assert len({item.id for item in found}) == len(found)


@pytest.mark.parametrize("body", [create("Hello"), PLAIN], ids=["chatkit", "plain"])
async def test_what_comes_after_a_missing_event_is_left_out(
    make_chat: MakeChat, model_server: ModelServer, body: dict[str, Any]
) -> None:
    whole = await said(make_chat, model_server, body)
    texts = [n for n, moment in enumerate(whole.moments) if "日本".encode() in moment.frame]
    [missing] = [n for n in texts if b"done" not in whole.moments[n].frame]
    begun, at = missing - 1, missing + 1
    kept = [n for n in range(at + 1) if n != missing]
    assert written(await whole.after(at, begun, whole.log(kept))) == "Grüße, "
    # What is saved is beyond that
    assert written(await whole.after(at, at, whole.log(kept))) == "Grüße, 日本\n\n"


async def test_an_event_that_cannot_be_read_costs_what_comes_after_it(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    whole = await said(make_chat, model_server, create("Hello"))
    texts = [n for n, moment in enumerate(whole.moments) if "日本".encode() in moment.frame]
    broken = whole.moments[texts[0]]
    broken.frame = broken.frame.replace(b'"type":"assistant', b'"type":"another')
    at = texts[0] + 1
    assert written(await whole.after(at, 0, whole.log(range(at + 1)))) == "Grüße, "
    assert "what it said since its last heartbeat cannot be read" in caplog.text


@pytest.mark.parametrize("body", [create("Hello"), PLAIN], ids=["chatkit", "plain"])
async def test_a_recovery_that_is_repeated_saves_the_same(
    make_chat: MakeChat, model_server: ModelServer, body: dict[str, Any]
) -> None:
    whole = await said(make_chat, model_server, body)
    at = len(whole.moments) - 4
    events = whole.log(range(at + 1))
    once = await whole.after(at, 0, events)
    whole.moments[at].items = {item.id: item for item in once}
    again = await whole.after(at, 0, events, attempt=2)
    assert [item.id for item in again] == [item.id for item in once]
    assert written(again) == written(once) != ""
