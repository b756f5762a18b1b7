"""Every hook: what it is called with, when, in which order, and what an error does.

A plugin implements any of these as functions marked `@hookimpl`, and may leave out arguments it
does not use. Hooks declared `async def` must be implemented as `async def`. Hooks are called in
the order in which plugins stand in `settings.yaml`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from agents import Agent, ModelProvider
    from agents.mcp import MCPServer
    from aiohttp.web import Application, Request
    from chatkit.actions import Action
    from chatkit.store import AttachmentStore, Store
    from chatkit.types import (
        AudioInput,
        FeedbackKind,
        SyncCustomActionResponse,
        ThreadItem,
        ThreadStreamEvent,
        WidgetItem,
    )

    from ..turn import Outcome, StoreContext, ToolCall, ToolResult, Turn, User
    from ..turns.store import TurnStore

PROJECT = "chatkit_server"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def setup(app: Application) -> None:
    """Prepare the plugin, once at boot: add routes, middlewares or `cleanup_ctx` to `app`.

    `app[HOOKS]`, `app[SETTINGS]` and `app[STORE]` are the server's own parts. An error stops the
    boot.
    """


@hookspec
def store() -> Store[StoreContext] | None:
    """Return the store that keeps threads and items; the first answer wins.

    Its `context` argument is a `StoreContext`: who is asking, and for which turn. An error stops
    the boot.
    """


@hookspec
def turn_store() -> TurnStore | None:
    """Return where turns under way are written down; the first answer wins.

    Without one they are kept in memory: a turn whose process dies is then not found again, and its
    unfinished answer is lost. An error stops the boot.
    """


@hookspec
def attachment_store() -> AttachmentStore[StoreContext] | None:
    """Return the store that keeps the bytes of attachments; the first answer wins.

    An error stops the boot.
    """


@hookspec
def model_providers() -> Mapping[str, ModelProvider] | None:
    """Return model providers by the prefix of the models they serve; all are used.

    `{"acme": provider}` serves `acme/large`, and `provider.get_model("large")` is called. The
    prefix `""` serves every prefix that nobody claims, with the whole name. An error, or a prefix
    claimed twice, stops the boot.
    """


@hookspec
def mcp_servers() -> list[MCPServer] | None:
    """Return MCP servers whose tools every agent gets; all are used.

    The core connects them, keeps them connected, and closes them. A server with an attribute
    `required = True` makes a turn answer 503 while it is not connected; without others, the turn
    goes on. Other attributes it may have: `prefix`, put before the names of its tools; `timeout`
    and `connect_timeout`, in seconds. An error stops the boot.
    """


@hookspec
def tortoise_apps() -> Mapping[str, Mapping[str, Any]] | None:
    """Return Tortoise apps that the storage plugin opens in its own database; all are used.

    `{"todo": {"models": ["acme.todo.models"], "migrations": "acme.todo.migrations"}}`, as in
    Tortoise's own configuration. Called at boot, by the storage plugin. An error stops the boot.
    """


@hookspec
async def migrate() -> list[str] | None:
    """Bring what the plugin keeps up to date, and return lines that tell what was done.

    Called by `chatkit-server migrate` after `setup`, without the server having started; all are
    called in order. An error ends it.
    """


@hookspec
async def auth(request: Request) -> User | None:
    """Return who is asking, or None to pass on to the next plugin; called on every request.

    The first answer wins. When nobody answers, the request is refused with 401. Raise
    `Unauthorized` or `Forbidden` to refuse it with a message, `Unavailable` where it cannot be
    found out right now; any other error is a 401 too.
    """


@hookspec
async def agent(turn: Turn) -> Agent[Turn] | None:
    """Return the agent that answers this turn, or None to pass on.

    The first answer wins; when nobody answers, the agent of the settings does. An error stops the
    turn with its status and message, before anything was written.
    """


@hookspec
async def pre_turn(turn: Turn) -> None:
    """Change the turn before it begins: its instructions, model, tools, MCP servers or input.

    All are called in order, before anything is written or streamed. An error stops the turn with
    its status and message.
    """


@hookspec
async def tool_result(turn: Turn, call: ToolCall, result: ToolResult) -> None:
    """Change what a tool answered before the model, the log and the user see it.

    All are called in order after every tool: set `result.output` to redact, shorten or replace. On
    an error the tool counts as failed, and the model is told so.
    """


@hookspec
async def persist(turn: Turn, item: ThreadItem) -> None:
    """Keep a finished item; called for every one, in order, before the client is told it is done.

    The configured store has saved the item already. The call is shielded from cancellation. An
    error ends the turn with an `error` event, and the item is not shown as saved.
    """


@hookspec
async def post_turn(turn: Turn, outcome: Outcome) -> None:
    """Look back on a turn, on every way out: completed, failed, cancelled or interrupted.

    All are called in order, each on its own: an error is logged and changes nothing.
    """


@hookspec
async def action(
    turn: Turn, action: Action[str, Any], item: WidgetItem | None
) -> (
    AsyncIterator[ThreadStreamEvent] | Iterable[ThreadStreamEvent] | SyncCustomActionResponse | None
):
    """Answer what a user did with a widget, or None to pass on; the first answer wins.

    `item` is the widget, if the action came from one. For `threads.custom_action` the answer is a
    list or async iterator of events to stream; for `threads.sync_custom_action` a
    `SyncCustomActionResponse`. An error is an `error` event, or a 4xx for the latter.
    """


@hookspec
async def transcribe(user: User, audio: AudioInput) -> str | None:
    """Return the text of what was spoken, or None to pass on; the first answer wins.

    An error becomes a 4xx.
    """


@hookspec
async def feedback(
    user: User, thread_id: str, item_ids: list[str], kind: FeedbackKind
) -> bool | None:
    """Keep a user's thumbs up or down and return True, or None to pass on; the first answer wins.

    The thread is known to be the user's. An error becomes a 4xx.
    """
