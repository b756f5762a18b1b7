"""A plugin that implements every hook and does almost nothing: calling hooks costs time.

Named `benchmarks.every_hook` in a settings file.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from aiohttp import web

from chatkit_server import Outcome, ToolCall, ToolResult, Turn, UploadedFile, User, hookimpl

_SEEN: Counter[str] = Counter()


@hookimpl
def setup(app: web.Application) -> None:
    _SEEN["setup"] += 1


@hookimpl
def store() -> None:
    _SEEN["store"] += 1


@hookimpl
def turn_store() -> None:
    _SEEN["turn_store"] += 1


@hookimpl
def event_log() -> None:
    _SEEN["event_log"] += 1


@hookimpl
def attachment_store() -> None:
    _SEEN["attachment_store"] += 1


@hookimpl
def model_providers() -> None:
    _SEEN["model_providers"] += 1


@hookimpl
def mcp_servers() -> None:
    _SEEN["mcp_servers"] += 1


@hookimpl
def tortoise_apps() -> None:
    _SEEN["tortoise_apps"] += 1


@hookimpl
async def migrate() -> None:
    _SEEN["migrate"] += 1


@hookimpl
def cli() -> None:
    _SEEN["cli"] += 1


@hookimpl
async def check() -> None:
    _SEEN["check"] += 1


@hookimpl
async def auth(request: web.Request) -> None:
    _SEEN["auth"] += 1


@hookimpl
async def context(request: web.Request, user: User) -> None:
    _SEEN["context"] += 1


@hookimpl
async def admit(user: User, thread_id: str) -> None:
    _SEEN["admit"] += 1


@hookimpl
async def agent(turn: Turn) -> None:
    _SEEN["agent"] += 1


@hookimpl
async def pre_turn(turn: Turn) -> None:
    turn.state["every_hook"] = turn.user.id


@hookimpl
async def respond(turn: Turn) -> None:
    _SEEN["respond"] += 1


@hookimpl
async def tool_result(turn: Turn, call: ToolCall, result: ToolResult) -> None:
    _SEEN["tool_result"] += 1


@hookimpl
async def persist(turn: Turn, item: Any) -> None:
    _SEEN[item.type] += 1


@hookimpl
async def post_turn(turn: Turn, outcome: Outcome) -> None:
    _SEEN[outcome.status] += 1


@hookimpl
async def action(turn: Turn, action: Any, item: Any) -> None:
    _SEEN["action"] += 1


@hookimpl
async def scan(file: UploadedFile) -> None:
    _SEEN["scan"] += 1


@hookimpl
async def attachment_input(turn: Turn, attachment: Any) -> None:
    _SEEN["attachment_input"] += 1


@hookimpl
async def transcribe(user: User, audio: Any) -> None:
    _SEEN["transcribe"] += 1


@hookimpl
async def feedback(user: User, thread_id: str, item_ids: list[str], kind: Any) -> None:
    _SEEN["feedback"] += 1


@hookimpl
async def ready() -> None:
    _SEEN["ready"] += 1


@hookimpl
async def export(user: User) -> None:
    _SEEN["export"] += 1


@hookimpl
async def erase(user: User) -> None:
    _SEEN["erase"] += 1
