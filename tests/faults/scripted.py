"""The model of the fault runs: it calls a tool twice in each turn, and checks its history."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from chatkit_server.testing.model_script import Break, Call, End, Failure, Gate, Part, Raw, Reply
from chatkit_server.testing.model_server import ModelServer, plain_text
from chatkit_server.testing.model_wire import ChatWire, part_events

TAG = re.compile(r"\[(\w+\.\d+)\]")
STEPS = 3


class Pause(Gate):
    """A gate that opens after some seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def passed(self) -> None:
        """Wait here until then."""
        await asyncio.sleep(self._seconds)


@dataclass
class Script:
    """How the model answers one message, in `STEPS` steps with a tool call between them.

    `pace` is in seconds before each chunk, `tool` is how long each tool takes. `stop` is put before
    chunk `at[1]` of step `at[0]`; `failures` are answered instead of step `at[0]`, one for each
    request. `words` is how many pieces of text each step has.
    """

    pace: float = 0.002
    tool: float = 0.0
    words: int = 3
    at: tuple[int, int] = (0, 0)
    stop: Break | End | Gate | None = None
    failures: list[Failure] = field(default_factory=list)


class ScriptedModel(ModelServer):
    """Answers each message by its tag, `[name.number]`, after its script.

    `asked` counts the requests by tag and step, `told` has the tags of the messages that the newest
    request for a tag told, and `misled` what was wrong with the requests for a tag.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scripts: dict[str, Script] = defaultdict(Script)
        self.asked: Counter[tuple[str, int]] = Counter()
        self.told: dict[str, list[str]] = {}
        self.misled: dict[str, list[str]] = defaultdict(list)
        self._serial = itertools.count(1)

    def _answer(self, body: dict[str, Any]) -> Reply | Failure:
        messages = body["messages"]
        tags = [tag for message in messages for tag in _tags(message)]
        tag = tags[-1]
        self.told[tag] = tags
        self.misled[tag] += wrong_with(messages)
        latest = max(i for i, message in enumerate(messages) if tag in _tags(message))
        step = sum(message["role"] == "tool" for message in messages[latest:])
        script = self.scripts[tag]
        if script.failures and step == script.at[0]:
            return script.failures.pop()
        if not body.get("tools"):
            step = STEPS - 1
        self.asked[tag, step] += 1
        return self._reply(body, tag, step, script)

    def _reply(self, body: dict[str, Any], tag: str, step: int, script: Script) -> Reply:
        number = f"{tag}/{step}/{next(self._serial)}"
        is_last = step >= STEPS - 1
        parts: list[Part] = [f"<{number}> ", *(f"word{i} " for i in range(script.words))]
        if not is_last:
            parts.append(Call("note", {"number": number, "seconds": script.tool}))
        wire = ChatWire(body)
        chunks = [Raw(wire.encode(e)) for part in parts for e in part_events(wire, part)]
        paced: list[Part] = [part for chunk in chunks for part in (Pause(script.pace), chunk)]
        if script.stop is not None and script.at[0] == step:
            paced.insert(2 * script.at[1], script.stop)
        return Reply(tuple(paced), finish="stop" if is_last else "tool_calls")


def _tags(message: dict[str, Any]) -> list[str]:
    """The tags of what the user wrote: messages in a row come as one."""
    return TAG.findall(plain_text(message["content"])) if message["role"] == "user" else []


def wrong_with(messages: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong with a history: calls without results, and anything sent twice."""
    wrong = []
    open_calls: set[str] = set()
    calls: Counter[str] = Counter()
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                wrong.append(f"a result without its call: {message['tool_call_id']}")
            open_calls.discard(message["tool_call_id"])
            continue
        if open_calls:
            wrong.append(f"calls without results: {sorted(open_calls)}")
        open_calls = {call["id"] for call in message.get("tool_calls") or ()}
        calls.update(open_calls)
    if open_calls:
        wrong.append(f"calls without results: {sorted(open_calls)}")
    wrong += [f"told twice: call {call}" for call, count in calls.items() if count > 1]
    tags = Counter(tag for message in messages for tag in _tags(message))
    return wrong + [f"told twice: message {tag}" for tag, count in tags.items() if count > 1]


def chunks_of(step: int, words: int = Script.words) -> int:
    """Return how many chunks a step of the model's answer has before it is finished."""
    call = [] if step == STEPS - 1 else [Call("note", {"number": "n" * 12, "seconds": 0.0})]
    wire = ChatWire({})
    return 1 + words + sum(1 for part in call for _ in part_events(wire, part))
