"""Code of plugins that raises what ends a task or the event loop: it ends one turn, with words."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from agents import FunctionTool, function_tool
from chatkit.types import ProgressUpdateEvent, ThreadItem

from chatkit_server import hookimpl
from chatkit_server.plugin.call import PluginFailed
from chatkit_server.tasks import resumed
from chatkit_server.testing.memory_store import MemoryStorePlugin
from chatkit_server.testing.model_server import Call, ModelServer
from chatkit_server.turns.failures import GENERAL
from chatkit_server.turns.running import STOPPED
from chatkit_server.web.keys import ENGINE
from tests.conftest import MakeChat
from tests.serving import served_by
from tests.test_sdk_errors import HELLO, Act, Acts, action_on, raising, thread_of


class Odd(BaseException):
    """What no code expects."""


async def await_a_cancelled_task() -> None:
    task = asyncio.create_task(asyncio.sleep(3600))
    task.cancel()
    await task


async def wait_and_exit() -> None:
    await asyncio.sleep(0)
    raise SystemExit(3)


ESCAPES: dict[str, Act] = {
    "cancelled": raising(asyncio.CancelledError()),
    "a cancelled task": await_a_cancelled_task,
    "exit": raising(SystemExit(3)),
    "exit later": wait_and_exit,
    "interrupt": raising(KeyboardInterrupt()),
    "generator": raising(GeneratorExit()),
    "odd": raising(Odd()),
}

FEW = {kind: ESCAPES[kind] for kind in ("a cancelled task", "exit")}
"""Of those, for where all go the same way."""


async def cancel_itself() -> None:
    this_task().cancel()
    await asyncio.sleep(0)


async def cancel_itself_at_the_end() -> None:
    this_task().cancel()


async def cancel_itself_later() -> None:
    asyncio.get_running_loop().call_soon(this_task().cancel)
    await asyncio.Event().wait()


def this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


OF_HOOKS = {
    **ESCAPES,
    "itself": cancel_itself,
    "itself at the end": cancel_itself_at_the_end,
}


@function_tool
async def weather() -> str:
    """Tell the weather."""
    return "sunny"


FAILED = PluginFailed().message
RETRY = {"allow_retry": True}
SHOWN: dict[str, tuple[int, str]] = {
    "auth": (401, "Could not verify who you are. Sign in again."),
    "agent": (500, FAILED),
    "pre_turn": (500, FAILED),
    "sync action": (422, "A plugin's `action` hook failed."),
    "transcribe": (422, "A plugin's `transcribe` hook failed."),
    "feedback": (422, "A plugin's `feedback` hook failed."),
    "context": (500, FAILED),
    "persist": (200, FAILED),
    "respond": (200, FAILED),
    "response": (200, FAILED),
    "action": (200, FAILED),
    "iterator": (200, FAILED),
    "tool_result": (200, ""),
    "post_turn": (200, ""),
}
"""The status and the words by the hook that fails; "" if the answer is complete."""


@pytest.mark.parametrize("hook", SHOWN)
async def test_what_escapes_a_hook_is_told(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture, hook: str
) -> None:
    tools: list[FunctionTool] = [weather] if hook == "tool_result" else []
    acts = Acts(*tools)
    chat = await make_chat(acts, **served_by(model_server))
    model_server.reply("Hello.")
    thread_id, item_id = await thread_of(chat)
    in_thread = {**HELLO, "thread_id": thread_id}
    thumbs = {"thread_id": thread_id, "item_ids": [item_id], "kind": "positive"}
    sound = {"audio_base64": "AAAA", "mime_type": "audio/webm"}
    bodies: dict[str, Any] = {
        "action": action_on(thread_id),
        "iterator": action_on(thread_id),
        "sync action": action_on(thread_id, "threads.sync_custom_action"),
        "transcribe": {"type": "input.transcribe", "params": sound},
        "feedback": {"type": "items.feedback", "params": thumbs},
    }
    names = {"iterator": "action", "sync action": "action", "response": "respond"}
    name = names.get(hook, hook)
    status, words = SHOWN[hook]
    for kind, act in OF_HOOKS.items():
        caplog.clear()
        acts.when(hook if hook != "sync action" else name, act)
        if hook == "tool_result":
            model_server.reply(Call("weather", {}))
        model_server.reply("Hello.")
        response = await chat.post(bodies.get(hook, in_thread))
        assert response.status == status, kind
        if status == 200:
            streamed = await chat.read(response)
            errors = [e for e in streamed.data if "error" in (e.get("type"), *e)]
            told = errors[0].get("message", errors[0].get("error")) if errors else ""
            assert told == words, kind
            outcome = await acts.outcomes.get()
            assert outcome.status == ("failed" if words else "completed"), kind
        else:
            assert (await response.json())["message"] == words, kind
        lines = [m for m in caplog.messages if f"plugin Acts_0: {name} failed" in m]
        assert len(lines) == 1, (kind, caplog.text)
        assert chat.client.server.app[ENGINE].turns.active == [], kind  # type: ignore[attr-defined]
        acts.when("", act)
        model_server.script.clear()
        model_server.reply("And on.")
        assert (await chat.say("Go on", thread_id)).text == "And on.", kind
        await acts.outcomes.get()


STORE_METHODS = {
    "load_thread": 500,
    "load_thread_items": 500,
    "add_thread_item": 200,
}


@pytest.mark.parametrize("method", STORE_METHODS)
async def test_what_escapes_a_store_is_told(make_chat: MakeChat, method: str) -> None:
    store, acts = MemoryStorePlugin(), Acts()
    chat = await make_chat(acts, store)
    thread_id, _ = await thread_of(chat)
    for kind, act in FEW.items():
        acts.when("", act)

        async def fail(*_: Any, act: Act = act) -> Any:
            await act()

        setattr(store.memory, method, fail)
        response = await chat.post({**HELLO, "thread_id": thread_id})
        assert response.status == STORE_METHODS[method], kind
        if method == "add_thread_item":
            streamed = await chat.read(response)
            assert streamed.data[-2] == {"error": GENERAL, "allow_retry": True}
            assert (await acts.outcomes.get()).status == "failed", kind
        else:
            assert (await response.json())["message"], kind
        delattr(store.memory, method)
        assert (await chat.say("Go on", thread_id)).error is None, kind


@pytest.mark.parametrize("method", ["begin", "end", "withdraw"])
async def test_what_escapes_a_turn_store_is_told(make_chat: MakeChat, method: str) -> None:
    acts = Acts()
    chat = await make_chat(acts)
    turn_store = chat.client.server.app[ENGINE].turn_store  # type: ignore[attr-defined]
    for kind, act in FEW.items():
        acts.when("pre_turn" if method == "withdraw" else "", raising(ZeroDivisionError()))

        async def fail(*_: Any, act: Act = act) -> Any:
            await act()

        setattr(turn_store, method, fail)
        response = await chat.post(HELLO)
        assert response.status == (200 if method == "end" else 500), kind
        if method == "end":
            assert (await chat.read(response)).data[-1]["status"] == "completed", kind
            assert (await acts.outcomes.get()).status == "completed", kind
        else:
            assert (await response.json())["message"], kind
        delattr(turn_store, method)
        acts.when("", act)
        assert (await chat.say("Go on")).error is None, kind


@pytest.mark.parametrize("hook", ["agent", "persist", "action", "iterator"])
async def test_a_hook_whose_timer_cancels_its_own_turn(make_chat: MakeChat, hook: str) -> None:
    acts = Acts()
    chat = await make_chat(acts)
    thread_id, _ = await thread_of(chat)
    acts.when(hook, cancel_itself_later)
    is_action = hook in ("action", "iterator")
    body = action_on(thread_id) if is_action else {**HELLO, "thread_id": thread_id}
    response = await chat.post(body)
    if hook == "agent":
        assert (response.status, (await response.json())["message"]) == (500, GENERAL)
    else:
        last = [e.get("message", e.get("error")) for e in (await chat.read(response)).data]
        assert GENERAL in last
        assert (await acts.outcomes.get()).status == "failed"
    acts.when("", cancel_itself_later)
    assert (await chat.say("Go on", thread_id)).error is None


async def test_a_hook_that_cancels_every_save_of_an_answer(make_chat: MakeChat) -> None:
    """The end of the turn saves what is open, and meets the hook again."""

    class Cancels:
        @hookimpl
        async def persist(self, item: ThreadItem) -> None:
            if item.type == "assistant_message":
                await cancel_itself_later()

    acts = Acts()
    chat = await make_chat(Cancels(), acts)
    failed = await chat.say("Hello")
    assert failed.error == {"type": "error", "code": "custom", "message": GENERAL} | RETRY
    assert (await acts.outcomes.get()).status == "failed"
    assert chat.client.server.app[ENGINE].turns.active == []  # type: ignore[attr-defined]


# Code that does not end when its turn does


async def test_a_stopped_turn_ends_although_its_hook_goes_on(make_chat: MakeChat) -> None:
    entered = asyncio.Event()

    async def stubborn() -> Any:
        entered.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return [ProgressUpdateEvent(text="Going on")]

    acts = Acts()
    chat = await make_chat(acts)
    thread_id, _ = await thread_of(chat)
    acts.when("action", stubborn)
    asking = asyncio.create_task(chat.post(action_on(thread_id)))
    await entered.wait()
    response = await asking
    turn = f"{chat.path}/turns/{response.headers['X-Turn-Id']}"
    stopped = await (await chat.client.post(f"{turn}/cancel")).json()
    assert (stopped["state"], stopped["error"]) == ("cancelled", STOPPED.problem.message)
    assert (await chat.read(response)).types == ["stream_options", "error"]
    assert (await acts.outcomes.get()).status == "cancelled"
    assert (await chat.say("Go on", thread_id)).error is None


async def test_code_that_swallows_every_cancellation_is_closed() -> None:
    closed = asyncio.Event()

    async def stubborn() -> None:
        try:
            while True:
                with suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
        finally:
            closed.set()

    async def call() -> None:
        work = stubborn()
        await resumed(work, work.send(None), lambda seconds: None, cleanup=0.01)

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed.is_set()
    assert task.cancelling() == 1


async def test_a_hook_that_swallows_the_end_of_its_time(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    """It has as much time again to clean up, as others need."""
    cleaned = asyncio.Event()

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.sleep(0)
                cleaned.set()

    acts = Acts()
    acts.when("pre_turn", stubborn)
    chat = await make_chat(acts, hooks={"timeout": "20ms"})
    assert (await chat.refused(HELLO))[0] == 503
    assert cleaned.is_set()
    assert caplog.text.count("plugin Acts_0: pre_turn took longer than the 0.02 s") == 1
