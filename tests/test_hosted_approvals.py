"""Calls that a model's provider makes, or wants made, which wait for the user's approval."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from agents import (
    Agent,
    ApplyPatchTool,
    HostedMCPTool,
    Model,
    ModelProvider,
    ModelResponse,
    ShellTool,
    Tool,
)
from agents.editor import ApplyPatchResult
from openai.types.responses import (
    Response,
    ResponseApplyPatchToolCall,
    ResponseCompletedEvent,
    ResponseFunctionShellToolCall,
    ResponseFunctionToolCall,
    ResponseOutputItemDoneEvent,
    ResponseOutputMessage,
    ResponseOutputText,
)
from openai.types.responses.response_output_item import McpApprovalRequest

from chatkit_server import hookimpl
from chatkit_server.testing.memory_store import MemoryStorePlugin
from tests.approving import asked, click, says
from tests.client import Chat
from tests.conftest import MakeChat
from tests.test_approvals import SENT, Answers, mailer, no_mails

__all__ = ["no_mails"]


class Scripted(Model):
    """Answers with these items, one list for each request; keeps what it was asked."""

    def __init__(self, *answers: Sequence[Any]) -> None:
        self.answers = list(answers)
        self.inputs: list[Any] = []

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        raise AssertionError

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        self.inputs.append(args[1])
        output = list(self.answers.pop(0))
        for index, item in enumerate(output):
            yield ResponseOutputItemDoneEvent(
                item=item,
                output_index=index,
                sequence_number=0,
                type="response.output_item.done",
            )
        response = Response(
            id="resp",
            created_at=0,
            model="scripted",
            object="response",
            output=output,
            parallel_tool_calls=True,
            tool_choice="auto",
            tools=[],
        )
        yield ResponseCompletedEvent(
            response=response, sequence_number=0, type="response.completed"
        )


class Serves(ModelProvider):
    """A plugin whose one model is this."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def get_model(self, model_name: str | None) -> Model:
        return self.model

    @hookimpl
    def model_providers(self) -> dict[str, ModelProvider]:
        return {"scripted": self}


def text(words: str) -> ResponseOutputMessage:
    part = ResponseOutputText(annotations=[], text=words, type="output_text")
    return ResponseOutputMessage(
        id="msg", content=[part], role="assistant", status="completed", type="message"
    )


async def _chat(make_chat: MakeChat, model: Model, *tools: Tool) -> tuple[Chat, Chat]:
    """Return two servers with one store, which may be one before a restart and one after it."""
    store = MemoryStorePlugin()
    agent = Answers(lambda: Agent(name="Assistant", tools=list(tools)))
    sections = {"agent": {"model": "scripted/any"}}
    chats = [await make_chat(Serves(model), agent, store, **sections) for _ in range(2)]
    return chats[0], chats[1]


SHOP = HostedMCPTool(
    tool_config={
        "type": "mcp",
        "server_label": "shop",
        "server_url": "https://shop.example",
        "require_approval": "always",
    }
)
BUY = McpApprovalRequest(
    id="mcpr_1",
    arguments='{"what": "milk"}',
    name="buy",
    server_label="shop",
    type="mcp_approval_request",
)


@pytest.mark.parametrize("decision", ["approve", "deny"])
async def test_a_tool_of_a_hosted_mcp_server_waits(make_chat: MakeChat, decision: str) -> None:
    model = Scripted([BUY], [text("Done.")], [text("Bye.")])
    chat, other = await _chat(make_chat, model, SHOP)
    [item] = asked(await chat.say("Buy milk"))
    assert "buy" in says(item)
    assert "shop" in says(item)
    assert '"what": "milk"' in says(item)
    streamed = await click(other, item, decision)
    assert streamed.error is None
    [message] = streamed.done("assistant_message")
    assert message["content"][0]["text"] == "Done."
    [response] = [e for e in model.inputs[-1] if e.get("type") == "mcp_approval_response"]
    assert response["approval_request_id"] == "mcpr_1"
    assert response["approve"] is (decision == "approve")
    await chat.say("Thanks", item["thread_id"])
    kinds = [e["type"] for e in model.inputs[-1] if e.get("type", "").startswith("mcp_approval")]
    assert kinds == ["mcp_approval_request", "mcp_approval_response"]


async def test_a_request_of_a_provider_that_was_left_is_not_sent_again(
    make_chat: MakeChat,
) -> None:
    model = Scripted([text("Let me."), BUY], [text("Never mind.")])
    chat, _ = await _chat(make_chat, model, SHOP)
    [item] = asked(await chat.say("Buy milk"))
    await chat.say("Forget it", item["thread_id"])
    assert not [e for e in model.inputs[-1] if e.get("type", "").startswith("mcp_approval")]


async def test_commands_of_a_shell_wait(make_chat: MakeChat) -> None:
    ran: list[list[str]] = []

    async def run(request: Any) -> str:
        ran.append(list(request.data.action.commands))
        return "3 files"

    shell = ShellTool(executor=run, needs_approval=True)
    call = ResponseFunctionShellToolCall.model_validate(
        {
            "id": "sh_1",
            "call_id": "call_1",
            "type": "shell_call",
            "status": "completed",
            "action": {"commands": ["ls -l", "rm x"]},
        }
    )
    model = Scripted([call], [text("There are three.")])
    chat, other = await _chat(make_chat, model, shell)
    [item] = asked(await chat.say("How many files?"))
    assert "ls -l" in says(item)
    assert "rm x" in says(item)
    assert ran == []
    streamed = await click(other, item)
    assert streamed.error is None
    assert ran == [["ls -l", "rm x"]]


@pytest.mark.parametrize("decision", ["approve", "deny"])
async def test_a_patch_waits(make_chat: MakeChat, decision: str) -> None:
    patched: list[str] = []

    class Editor:
        def create_file(self, operation: Any) -> ApplyPatchResult:
            raise AssertionError

        def update_file(self, operation: Any) -> ApplyPatchResult:
            patched.append(operation.path)
            return ApplyPatchResult(output="patched")

        def delete_file(self, operation: Any) -> ApplyPatchResult:
            raise AssertionError

    call = ResponseApplyPatchToolCall.model_validate(
        {
            "id": "ap_1",
            "call_id": "call_1",
            "type": "apply_patch_call",
            "status": "completed",
            "operation": {"type": "update_file", "path": "a.txt", "diff": "@@\n-one\n+two\n"},
        }
    )
    model = Scripted([call], [text("So be it.")], [text("Yes.")])
    chat, other = await _chat(
        make_chat, model, ApplyPatchTool(editor=Editor(), needs_approval=True)
    )
    [item] = asked(await chat.say("Write two"))
    assert "a.txt" in says(item)
    assert "+two" in says(item)
    assert patched == []
    streamed = await click(other, item, decision)
    assert streamed.error is None
    assert (await click(chat, item)).done("assistant_message") == []
    assert patched == (["a.txt"] if decision == "approve" else [])
    assert (await chat.say("Really?", item["thread_id"])).error is None
    [output] = [e for e in model.inputs[-1] if e.get("type") == "apply_patch_call_output"]
    told = "patched" if decision == "approve" else "The user denied this call"
    assert told in output["output"]


async def test_a_model_that_repeats_the_ids_of_its_calls_is_understood(
    make_chat: MakeChat,
) -> None:
    def send(to: str) -> ResponseFunctionToolCall:
        return ResponseFunctionToolCall(
            arguments=f'{{"to": "{to}"}}', call_id="call_0", name="send_mail", type="function_call"
        )

    model = Scripted([send("ann")], [send("bob")], [text("Both.")])
    chat, other = await _chat(make_chat, model, mailer())
    [first] = asked(await chat.say("Write to both"))
    [second] = asked(await click(other, first))
    assert (await click(chat, second)).error is None
    assert SENT == ["ann", "bob"]
    outputs = [e["output"] for e in model.inputs[-1] if e.get("type") == "function_call_output"]
    assert outputs == ["sent to ann", "sent to bob"]
