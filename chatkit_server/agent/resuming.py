"""Makes the calls of MCP tools again for which the user has answered what their server asked."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from agents import Agent, FunctionTool, ItemHelpers
from agents.tool_context import ToolContext
from chatkit.types import StructuredInputItem, ThreadItemReplacedEvent, ThreadStreamEvent
from openai.types.responses import ResponseFunctionToolCall

from ..mcp.elicitation import ROUNDS as ASKS
from ..mcp.elicitation import answering
from ..turn import Turn
from .asked import asked_ids, ids_in
from .media import remembered
from .questions import DECLINED, NOT_CALLED, ROUNDS, SavedQuestion
from .runner import AgentRunner

NO_TOOL = "The user answered, but this tool is not available any more. It was not carried out."

TOO_OFTEN = "The tool asks the user again and again. It was given up."

Emit = Callable[[ThreadStreamEvent], Awaitable[None]]


async def resume(
    runner: AgentRunner,
    agent: Agent[Turn],
    questions: Sequence[tuple[SavedQuestion, StructuredInputItem]],
    emit: Emit,
) -> None:
    """Make each call again with the user's answers, and put its result into the turn's input.

    That a call begins is saved first: it is never made twice. What is asked on is in
    `runner.asked`.
    """
    for saved, item in questions:
        await _Resumed(runner, agent, saved, item, emit).run()


class _Resumed:
    """One call that is made again."""

    def __init__(
        self,
        runner: AgentRunner,
        agent: Agent[Turn],
        saved: SavedQuestion,
        item: StructuredInputItem,
        emit: Emit,
    ) -> None:
        self._runner = runner
        self._turn = runner.turn
        self._agent = agent
        self._saved = saved
        self._item = item
        self._emit = emit

    async def run(self) -> None:
        saved = self._saved
        results, wrong = saved.read(self._item)
        saved.settled = True
        if wrong and saved.round < ROUNDS:
            again = saved.again(self._turn.generate_id("message"), results)
            item = again.item(self._turn, wrong)
            if item is not None:
                saved.next = item.id
                self._runner.live.saved[item.id] = again
                self._runner.asked.append(item)
                await self._save()
                return
        if wrong:
            results |= dict.fromkeys(wrong, DECLINED)
        await self._save()
        output = await self._call(results)
        asked = ids_in(output)
        if asked and saved.asks >= ASKS:
            runner = self._runner
            runner.asked[:] = [item for item in runner.asked if item.id not in asked]
            asked, output = [], TOO_OFTEN
        if asked:
            saved.next = asked[0]
            self._runner.live.saved[asked[0]].asks = saved.asks + 1
        else:
            saved.output = self._kept(output)
        await self._save()
        if not asked:
            self._tell(output)

    async def _call(self, results: dict[str, Any]) -> Any:
        saved = self._saved
        tools = self._runner.tools_of(self._agent)
        tool = next((one for one in tools if one.name == saved.tool), None)
        if not isinstance(tool, FunctionTool):
            return NO_TOOL
        context: ToolContext[Any] = ToolContext(
            context=self._turn.run_context,
            tool_name=saved.tool,
            tool_call_id=saved.call_id,
            tool_arguments=saved.arguments,
            agent=self._agent,
        )
        with answering(results, saved.state):
            return await tool.on_invoke_tool(context, saved.arguments)

    def _entry(self, output: Any) -> dict[str, Any]:
        call = ResponseFunctionToolCall(
            type="function_call",
            call_id=self._saved.call_id,
            name=self._saved.tool,
            arguments=self._saved.arguments,
        )
        return cast(dict[str, Any], ItemHelpers.tool_call_output_item(call, output))

    def _kept(self, output: Any) -> str:
        """Return the output for later turns."""
        kept = remembered(self._entry(output))["output"]
        return kept if isinstance(kept, str) else json.dumps(kept, ensure_ascii=False)

    def _tell(self, output: Any) -> None:
        """Put the result into the turn's input, in place of the words that it is waited for."""
        if not isinstance(self._turn.input, list):
            return
        result = self._entry(output)
        given = cast(list[dict[str, Any]], self._turn.input)
        for place in reversed(range(len(given))):
            found = given[place]
            if found.get("call_id") == self._saved.call_id and _waits(found):
                given[place] = {**found, "output": result["output"]}
                return
        # What was said before is not kept, as when the process died at that moment
        call = {
            "type": "function_call",
            "call_id": self._saved.call_id,
            "name": self._saved.tool,
            "arguments": self._saved.arguments,
        }
        given += [call, result]

    async def _save(self) -> None:
        hidden = self._saved.as_item(self._turn.thread.id)
        await self._emit(ThreadItemReplacedEvent.model_construct(item=hidden))


def _waits(entry: dict[str, Any]) -> bool:
    """Whether an output says that it is waited for, or that the user has skipped the question."""
    return bool(asked_ids(entry)) or entry.get("output") == NOT_CALLED
