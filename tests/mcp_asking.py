"""An MCP server whose tools ask the user: `python -m tests.mcp_asking [legacy|both]` for stdio.

By the protocol of 2026-07-28, a call ends with what is asked; by the earlier ones it waits.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.lowlevel import server as lowlevel
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.runner import serve_loop
from mcp.types import (
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequiredResult,
    TextContent,
)

from tests.mcp_http_server import HttpServer

FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "seat": {
            "type": "string",
            "title": "Seat",
            "oneOf": [
                {"const": "w", "title": "Window"},
                {"const": "a", "title": "Aisle"},
            ],
        },
        "bags": {"type": "integer", "title": "Bags", "minimum": 0, "maximum": 3},
        "meal": {"type": "boolean", "title": "Meal", "default": False},
    },
    "required": ["seat", "bags"],
}


async def _at_once() -> None:
    pass


def build(
    name: str,
    note: Callable[[str], None] = print,
    gate: Callable[[], Awaitable[None]] = _at_once,
) -> MCPServer:
    """Return the server. Its tools `note` what they do; a call with answers waits for `gate`."""
    server: MCPServer = MCPServer(name)

    @server.tool()
    async def book(city: str, context: Context) -> InputRequiredResult | CallToolResult:
        """Book a flight."""
        given = context.input_responses
        if given is None:
            note(f"asked for {city}")
            params = ElicitRequestFormParams(
                message=f"Your flight to {city}", requested_schema=FORM
            )
            return InputRequiredResult(
                input_requests={"booking": ElicitRequest(params=params)},
                request_state=f"state of {city}",
            )
        answer: Any = given["booking"]
        told = f"{answer.action} {answer.content} {context.request_state}"
        note(told)
        await gate()
        return CallToolResult(content=[TextContent(type="text", text=told)])

    @server.tool()
    async def nag() -> InputRequiredResult:
        """Ask for ever."""
        nothing: dict[str, Any] = {"type": "object", "properties": {}}
        params = ElicitRequestFormParams(message="Sure?", requested_schema=nothing)
        return InputRequiredResult(input_requests={"sure": ElicitRequest(params=params)})

    @server.tool()
    async def trip(context: Context) -> InputRequiredResult | CallToolResult:
        """Ask twice."""
        given: Any = context.input_responses
        if given is not None and "there" in given:
            told = f"{context.request_state}, then {given['there'].content['city']}"
            return CallToolResult(content=[TextContent(type="text", text=told)])
        key, state = ("there", given["here"].content["city"]) if given else ("here", "nothing")
        city = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
        params = ElicitRequestFormParams(message=f"From {state}", requested_schema=city)
        return InputRequiredResult(
            input_requests={key: ElicitRequest(params=params)}, request_state=state
        )

    return server


def build_legacy(name: str) -> MCPServer:
    """Return a server that asks while the call goes on."""
    server: MCPServer = MCPServer(name)

    @server.tool()
    async def book(city: str, context: Context) -> str:
        """Book a flight."""
        session = context.request_context.session
        answer = await session.elicit_form(
            message=f"Your flight to {city}",
            requested_schema=FORM,
            related_request_id=context.request_id,
        )
        return f"{answer.action} {answer.content}"

    @server.tool()
    async def pay(context: Context) -> str:
        """Take the user to a page."""
        answer = await context.elicit_url("Pay 7 €", "https://pay.example/7", "e1")
        return answer.action

    return server


class AskingServer(HttpServer):
    """The server over HTTP. `notes` is what its tools did; `slow` calls wait for the gate."""

    def __init__(self, name: str, *, legacy: bool = False, slow: bool = False) -> None:
        super().__init__(name, legacy=legacy)
        self.notes: list[str] = []
        self._slow = slow

    def build(self) -> MCPServer:
        if self.legacy:
            return build_legacy(self.name)
        return build(self.name, self.notes.append, self._wait if self._slow else _at_once)


def _no_note(text: str) -> None:
    """Write nothing: standard output belongs to the protocol."""


if __name__ == "__main__":
    if "legacy" in sys.argv:
        # It would speak the newer protocol too, and not ask while a call goes on
        vars(lowlevel)["serve_dual_era_loop"] = serve_loop
        build_legacy("flights").run("stdio")
    elif "both" in sys.argv:
        build_legacy("flights").run("stdio")
    else:
        build("flights", _no_note).run("stdio")
