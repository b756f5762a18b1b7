"""A guardrail that trips takes back all that its turn has shown."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from agents import (
    Agent,
    FunctionTool,
    GuardrailFunctionOutput,
    InputGuardrail,
    ModelProvider,
    OutputGuardrail,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrail,
    ToolOutputGuardrail,
)
from agents.testing import ScriptedModel, function_call
from chatkit.types import ThreadItem, ThreadItemReplacedEvent, WidgetItem
from chatkit.widgets import Card, Text

from chatkit_server import Outcome, Turn, hookimpl
from chatkit_server.events.partial import PartialAnswer
from chatkit_server.testing.memory_store import MemoryStore, StorePlugin
from chatkit_server.testing.model_server import Call, ModelServer, Reasoning
from chatkit_server.turns.failures import GUARDRAIL_INPUT, GUARDRAIL_OUTPUT
from chatkit_server.turns.store import MemoryTurnStore
from tests.client import Chat, Streamed
from tests.conftest import MakeChat
from tests.image_steps import image_step
from tests.serving import served_by
from tests.test_workflows import TOOLS, Context, said, scripted, thought, tool

TRIPPED = GuardrailFunctionOutput(output_info="secret", tripwire_triggered=True)
PASSED = GuardrailFunctionOutput(output_info="", tripwire_triggered=False)


class Store(MemoryStore):
    """Notes what is deleted."""

    def __init__(self) -> None:
        super().__init__()
        self.deleted: list[str] = []

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        self.deleted.append(item_id)
        await super().delete_thread_item(thread_id, item_id, context)


class Guarded(ModelProvider):
    """Answers with a scripted model, whose agent has guardrails that trip when they are armed."""

    def __init__(self, model: ScriptedModel | None, *kinds: str) -> None:
        self.model = model
        self.kinds = kinds
        self.armed = True
        self.shown = asyncio.Event()
        self.outcomes: list[Outcome] = []

    def get_model(self, model_name: str | None) -> ScriptedModel:
        assert self.model is not None
        return self.model

    @hookimpl
    def model_providers(self) -> dict[str, ModelProvider]:
        return {"sdk": self}

    @hookimpl
    async def agent(self) -> Agent[Turn]:
        async def check_output(*_: Any) -> GuardrailFunctionOutput:
            return TRIPPED if self.armed else PASSED

        async def check_input(*_: Any) -> GuardrailFunctionOutput:
            # Beside the model: its first answer is on the screen, no tool has run
            await self.shown.wait()
            return TRIPPED if self.armed else PASSED

        agent = Agent[Turn]("a", tools=[*TOOLS.values(), *self.tools()])
        if "output" in self.kinds:
            agent.output_guardrails = [OutputGuardrail(check_output)]
        if "input" in self.kinds:
            agent.input_guardrails = [InputGuardrail(check_input)]
        return agent

    def tools(self) -> list[FunctionTool]:
        stop = ToolGuardrailFunctionOutput.raise_exception("secret")
        before, after = tool("before", nothing), tool("after", nothing)
        before.tool_input_guardrails = [ToolInputGuardrail(lambda data: stop)]
        after.tool_output_guardrails = [ToolOutputGuardrail(lambda data: stop)]
        return [before, after]

    @hookimpl
    async def persist(self, item: ThreadItem) -> None:
        if item.type == "assistant_message":
            self.shown.set()

    @hookimpl
    async def post_turn(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


async def nothing(ctx: Context) -> None:
    """Do nothing."""


SHOWN: list[Any] = [
    [said("First"), "search"],
    image_step("QUJD", after=[function_call("show", {}, call_id="call_image")]),
    [thought("Hm"), "add_task"],
    ["hide"],
    ["show_task"],
    ["show_states"],
    ["own_events"],
]
KINDS = {"widget", "task", "workflow", "generated_image", "assistant_message"}
CASES: dict[str, tuple[list[Any], str, set[str]]] = {
    "output": ([*SHOWN, [thought("Ah"), said("Last")]], GUARDRAIL_OUTPUT, KINDS),
    "input": ([[thought("Hm"), said("Last"), "show"]], GUARDRAIL_INPUT, {"assistant_message"}),
    "before a tool": ([*SHOWN, [said("Last"), "before"]], GUARDRAIL_OUTPUT, KINDS),
    "after a tool": ([*SHOWN, [said("Last"), "after"]], GUARDRAIL_OUTPUT, KINDS),
}


async def kept(chat: Chat, thread_id: str) -> list[str]:
    page = await chat.ask("items.list", thread_id=thread_id, order="asc")
    return [item["type"] for item in page["data"]]


def shown_at_the_end(streamed: Streamed) -> set[str]:
    """Return the ids of the items on the screen at the end, besides the user's."""
    shown: set[str] = set()
    for event in streamed.data:
        if event["type"] in ("thread.item.added", "thread.item.done"):
            shown |= {event["item"]["id"]} - {streamed.done("user_message")[0]["id"]}
        elif event["type"] == "thread.item.removed":
            assert event["item_id"] in shown, "only what was shown"
            shown.remove(event["item_id"])
    return shown


@pytest.mark.parametrize(("steps", "words", "kinds"), CASES.values(), ids=CASES)
async def test_nothing_of_a_refused_answer_stays(
    make_chat: MakeChat,
    steps: list[Any],
    words: str,
    kinds: set[str],
    request: pytest.FixtureRequest,
) -> None:
    kind = request.node.callspec.id
    model = scripted([*steps, [said("Better")]])
    plugin, store = Guarded(model, kind), Store()
    chat = await make_chat(plugin, StorePlugin(store), agent={"model": "sdk/any"})
    streamed = await chat.say("Go")
    done = [e["item"]["type"] for e in streamed.data if e["type"] == "thread.item.done"]
    assert kinds <= set(done)
    assert shown_at_the_end(streamed) == set()
    assert streamed.error is not None
    assert streamed.data[-1] == streamed.error
    assert streamed.error["message"] == words
    thread_id = streamed.thread_id
    assert await kept(chat, thread_id) == ["user_message"]
    [outcome] = plugin.outcomes
    assert {item.type for item in outcome.items} <= {"user_message", "hidden_context_item"}
    assert "secret" not in str(outcome.items)
    plugin.armed = False
    plugin.shown.set()
    again = await chat.say("Again", thread_id)
    assert (again.error, again.text) == (None, "Better")
    seen = str(model.calls[-1].input)
    assert [word for word in ("First", "Last", "Hm", "QUJD", "secret") if word in seen] == []


@pytest.mark.parametrize(
    ("kinds", "last"), [(["output"], ["Two ", "words."]), ([], ["Two ", "words.", Call("after")])]
)
async def test_what_the_fast_path_has_shown_goes_too(
    make_chat: MakeChat, model_server: ModelServer, kinds: list[str], last: list[Any]
) -> None:
    """Without guardrails of the agent, the model is asked before the run."""
    plugin = Guarded(None, *kinds)
    chat = await make_chat(plugin, **served_by(model_server))
    model_server.reply(Reasoning("Hm. "), "One ", Call("search"))
    model_server.reply(*last)
    streamed = await chat.say("Go")
    assert streamed.text == "One Two words."
    assert streamed.error is not None
    assert streamed.error["message"] == GUARDRAIL_OUTPUT
    assert shown_at_the_end(streamed) == set()
    assert await kept(chat, streamed.thread_id) == ["user_message"]


async def test_items_of_earlier_turns_stay(make_chat: MakeChat) -> None:
    widgets: list[ThreadItem] = []

    class Replaces(Guarded):
        @hookimpl
        async def persist(self, item: ThreadItem) -> None:
            if isinstance(item, WidgetItem):
                widgets.append(item)

        def tools(self) -> list[FunctionTool]:
            return [tool("replace", self.replace)]

        async def replace(self, ctx: Context) -> None:
            update = {"widget": Card(children=[Text(value="New")])}
            item = widgets[0].model_copy(update=update)
            await ctx.stream(ThreadItemReplacedEvent(item=item))

    steps = [["show"], [said("One")], ["replace", "show"], [said("Two")]]
    plugin, store = Replaces(scripted(steps), "output"), Store()
    plugin.armed = False
    chat = await make_chat(plugin, StorePlugin(store), agent={"model": "sdk/any"})
    thread_id = (await chat.say("Go")).thread_id
    plugin.armed = True
    streamed = await chat.say("Again", thread_id)
    assert len([e for e in streamed.data if e["type"] == "thread.item.removed"]) == 2
    expected = ["user_message", "widget", "assistant_message", "user_message"]
    assert await kept(chat, thread_id) == expected
    changed: Any = store.items[thread_id][widgets[0].id]
    assert changed.widget.children[0].value == "New"


async def test_a_workflow_of_the_turn_before_is_what_it_was(make_chat: MakeChat) -> None:
    steps = [["search"], ["locate"], [thought("Secret"), "add_task"], [said("No")]]
    plugin, store = Guarded(scripted(steps), "output"), Store()
    chat = await make_chat(plugin, StorePlugin(store), agent={"model": "sdk/any"})
    plugin.armed = False
    thread_id = (await chat.say("Go")).thread_id
    before: Any = next(i for i in store.items[thread_id].values() if i.type == "workflow")
    assert before.workflow.summary is None
    plugin.armed = True
    streamed = await chat.stream("threads.add_client_tool_output", thread_id=thread_id, result=1)
    assert streamed.error is not None
    after: Any = store.items[thread_id][before.id]
    assert after.workflow.tasks == before.workflow.tasks
    assert after.workflow.summary is not None, "it does not look as if it still ran"
    replaced = [e["item"] for e in streamed.data if e["type"] == "thread.item.replaced"]
    assert [item["id"] for item in replaced] == [before.id]
    assert await kept(chat, thread_id) == ["user_message", "workflow", "client_tool_call"]
    assert store.deleted
    assert before.id not in store.deleted


async def test_the_turn_store_is_told_before_anything_is_deleted(
    make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store()
    told: list[PartialAnswer] = []
    beat = MemoryTurnStore.beat

    async def noted(self: MemoryTurnStore, beats: Any) -> Any:
        partials = [PartialAnswer.load(one.partial) for one in beats if one.partial]
        if partials and not store.deleted:
            told[:] = partials
        return await beat(self, beats)

    monkeypatch.setattr(MemoryTurnStore, "beat", noted)
    plugin = Guarded(scripted([["show"], [said("No")]]), "output")
    chat = await make_chat(plugin, StorePlugin(store), agent={"model": "sdk/any"})
    await chat.say("Go")
    [partial] = told
    assert [item.type for item in partial.items] == ["hidden_context_item"], "that it was withheld"
    assert (list(partial.entries), list(partial.messages)) == ([], [])
    assert set(partial.withdrawn) == set(store.deleted) != set()
    assert not set(partial.saved) & set(store.deleted)
