"""An MCP server whose tools ask the user: `python -m tests.mcp_asking [legacy]` for stdio.

By the protocol of 2026-07-28, a call ends with what is asked; by the earlier ones it waits.
"""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.types import (
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequiredResult,
    TextContent,
)
from pydantic import BaseModel, Field

from tests.mcp_http_server import HttpServer


class Seat(Enum):
    WINDOW = "window"
    AISLE = "aisle"


class Booking(BaseModel):
    """What the user is asked."""

    seat: Seat
    bags: int = Field(ge=0, le=3, description="Pieces of luggage")
    meal: bool = False


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


def build(name: str, calls: Path | None = None) -> MCPServer:
    """Return the server. What its tools do is written to the file `calls`."""
    server: MCPServer = MCPServer(name)

    def note(text: str) -> None:
        if calls is not None:
            with calls.open("a") as file:
                file.write(f"{text}\n")

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
        return CallToolResult(content=[TextContent(type="text", text=told)])

    return server


def build_legacy(name: str, calls: Path | None = None) -> MCPServer:
    """Return a server that asks while the call goes on."""
    server: MCPServer = MCPServer(name)

    def note(text: str) -> None:
        if calls is not None:
            with calls.open("a") as file:
                file.write(f"{text}\n")

    @server.tool()
    async def book(city: str, context: Context) -> str:
        """Book a flight."""
        note(f"asked for {city}")
        session = context.request_context.session
        answer = await session.elicit_form(
            message=f"Your flight to {city}",
            requested_schema=FORM,
            related_request_id=context.request_id,
        )
        told = f"{answer.action} {answer.content}"
        note(told)
        return told

    @server.tool()
    async def pay(context: Context) -> str:
        """Take the user to a page."""
        answer = await context.elicit_url("Pay 7 €", "https://pay.example/7", "e1")
        return answer.action

    return server


class AskingServer(HttpServer):
    """The server over HTTP."""

    def build(self) -> MCPServer:
        return build_legacy(self.name) if self.legacy else build(self.name)


if __name__ == "__main__":
    make = build_legacy if "legacy" in sys.argv else build
    file = Path(sys.argv[-1]) if len(sys.argv) > 2 else None
    make("flights", file).run("stdio")
