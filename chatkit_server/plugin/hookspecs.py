"""Every hook: its arguments, when it is called, what it returns, and what an error does.

Name a function, or a method of the class `Plugin`, like a hook, and mark it `@hookimpl`:

    @hookimpl
    async def pre_turn(turn: Turn) -> None:
        turn.instructions = f"{turn.instructions or ''}\\nAnswer in one sentence."

- Leave out arguments that you do not use.
- Write `async def` for hooks that are `async def` here, and `def` for the others.
- Plugins are called in the order of `plugins:` in `settings.yaml`. "The first answer wins" means
  that a plugin which returns None passes on to the next one.
- What a hook returns is checked. A wrong type is an error that names the plugin, the hook, what
  came, and what was expected.
- Raise an error of `chatkit_server` (`BadRequest`, `Forbidden`, `Unavailable`, ...) to tell the
  user something: it has an HTTP status and a message. `CustomStreamError` and `StreamError` of
  `chatkit.errors` work too, and so does an HTTP exception of FastAPI, Starlette or aiohttp with a
  4xx. Any other exception is logged with the name of the plugin, and the user reads only that
  something went wrong; that includes `SystemExit` and a cancellation of a task of your own.
- A plugin may say that the turn goes on without it where it fails: `policy = "skip"`, or by hook
  `policy = {"pre_turn": "skip"}`. `auth`, `context` and `scan` are never skipped, nor are hooks at
  boot. `requires_api = "1.0"` names the version of these hooks (`chatkit_server.API_VERSION`).
- Raise `EndTurn` in a hook of a turn to end it with words that the user reads as the answer.
- An async hook has `hooks.timeout` (5 s) for each call, and as long again to clean up when it is
  cancelled. A plugin may have an attribute `hook_timeouts` with the seconds of hooks that need
  more: `{"transcribe": 60.0}`. Never block in one: `time.sleep` or `requests.get` stops the answers
  of all users. Call those with `asyncio.to_thread`.
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
        Attachment,
        AudioInput,
        FeedbackKind,
        SyncCustomActionResponse,
        ThreadItem,
        ThreadStreamEvent,
        WidgetItem,
    )
    from click import Group

    from ..events.shared import EventLog
    from ..finding import Finding
    from ..turn import Outcome, StoreContext, ToolCall, ToolResult, Turn, User
    from ..turns.store import TurnStore
    from ..uploads import UploadedFile
    from ..user_file import UserFile

PROJECT = "chatkit_server"

STREAMS = ("respond", "action")
"""Hooks that answer with events: an `async def` with `yield` is one, too."""

YIELDING = ("setup", "export", "admit", *STREAMS)
"""Hooks that may be an `async def` with `yield`."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def setup(app: Application) -> AsyncIterator[None] | None:
    """Prepare the plugin, once at boot: add routes, middlewares or `cleanup_ctx` to `app`.

    `app[HOOKS]`, `app[SETTINGS]`, `app[MODELS]` and `app[STORE]` are the server's own parts. To
    start something and stop it again, write an `async def` with one `yield`: what is before the
    `yield` runs when the server starts, the rest when it stops. That is too late for routes: if
    you have both, append the `async def` to `app.cleanup_ctx` in a plain `setup`.
    An error in `setup`, or in what it added, stops the boot; raise `SettingsError` to say what to
    change. An error when the server stops is logged.
    """


@hookspec
def store() -> Store[StoreContext] | None:
    """Return the store of threads and items; the first answer wins.

    Its methods get a `StoreContext` as their `context`: for which user, and in which turn. An error
    stops the boot.
    """


@hookspec
def turn_store() -> TurnStore | None:
    """Return the store of running turns; the first answer wins.

    Without one they are kept in memory: if the process dies, its unfinished answers are lost. An
    error stops the boot.
    """


@hookspec
def event_log() -> EventLog | None:
    """Return what carries the events of turns to other processes; the first answer wins.

    With it, an answer streams on at any process. Without this hook, other processes read what a
    turn has said from the turn store, once a second. An error stops the boot.
    """


@hookspec
def attachment_store() -> AttachmentStore[StoreContext] | None:
    """Return the store of attachments' bytes; the first answer wins.

    A `chatkit_server.storage.FileStore` is also asked whether a message may have an attachment, and
    where a page finds its preview. An error stops the boot.
    """


@hookspec
def model_providers() -> Mapping[str, ModelProvider] | None:
    """Return model providers by the prefix of the models they serve; all are used.

    `{"acme": provider}` serves `acme/large`, and `provider.get_model("large")` is called. The
    prefix `""` serves all other models, and gets the whole name. An error stops the boot, as do
    two providers for the same prefix.
    """


@hookspec
def mcp_servers() -> list[MCPServer] | None:
    """Return MCP servers whose tools every agent gets; all are used.

    The server connects, reconnects and closes them. Optional attributes of an MCP server:
    `required = True` (turns answer 503 while it is not connected; by default they go on without
    it), `prefix` (is put before the names of its tools), `timeout`, `max_timeout` (for calls that
    report progress), `elicitation_timeout` (for a call that waits for the user) and
    `connect_timeout` (seconds), `elicitation = False` (it may not ask the user), `max_tools` (how
    many), `max_tools_size` and `max_message` (bytes), `require_approval` (`"always"`, `"never"`, or
    names and patterns of the tools that the user has to approve). An error stops the boot.
    """


@hookspec
def tortoise_apps() -> Mapping[str, Mapping[str, Any]] | None:
    """Return Tortoise apps that the storage plugin opens in its database; all are used.

    `{"todo": {"models": ["acme.todo.models"], "migrations": "acme.todo.migrations"}}`, as in
    Tortoise's own configuration. Called at boot, by the storage plugin. An error stops the boot.
    """


@hookspec
def cli(commands: Group) -> None:
    """Add commands of the plugin to `chatkit-server`, as to any group of click.

    `chatkit-server NAME --settings FILE` runs the command of this name, after `setup`, without
    starting the server. Its function may be `async def`, and returns the exit status; None is 0.
    Every command takes `--settings`, too. A `SettingsError`, or an exception of click, ends it with
    its message.
    """


@hookspec
async def check(online: bool) -> list[str | Finding] | None:
    """Return what is wrong with the plugin's part: in a line each, or as a `Finding`.

    `chatkit-server check` shows it: a str is a warning, and a `Finding` says what to do about it.
    With level `ok` it is what was tried and works, with `notice` what is allowed and may surprise:
    both leave the exit status at 0. The server is not started; `setup` was called.

    Only where `online` is true (`check --online`), ask others than this machine: a database, an
    API. All plugins are asked at the same time, and each has 10 s. Raise `SettingsError` for what
    keeps the server from starting, with a line for each reason; any other error counts as one, too.
    """


@hookspec
async def migrate() -> list[str] | None:
    """Update the plugin's tables or files, and return a list of lines that say what was done.

    `chatkit-server migrate` calls this after `setup`, without starting the server; all plugins are
    called in order. An error ends the command.
    """


@hookspec
async def export(
    user: User,
) -> Mapping[str, Any] | AsyncIterator[Mapping[str, Any] | UserFile] | None:
    """Return what the plugin holds of this user; None for nothing.

    `chatkit-server export` awaits this after the plugins have started, without a server. Return a
    dict of lists that JSON can hold, such as `{"notes": [...]}`; or yield dicts, and a `UserFile`
    for each file. What the store holds is exported without this hook. An error is told, and the
    other plugins go on. It has no time limit.
    """


@hookspec
async def erase(user: User) -> Mapping[str, int] | None:
    """Delete what the plugin holds of this user, and return how much: `{"notes": 3}`.

    `chatkit-server erase` awaits this after the plugins have started, without a server, when the
    user's conversations are deleted. It is called again if anything has failed, so nothing to
    delete is no error. With `--dry-run` it is not called: `export` tells what there is. An error is
    told, and the other plugins go on. It has no time limit.
    """


@hookspec
async def auth(request: Request) -> User | None:
    """Return the user who sends this request, or None if you do not know; the first answer wins.

    Called on every request. If no plugin answers, the response is a 401. Raise `Unauthorized` or
    `Forbidden` to refuse the request with a message, `Unavailable` if you cannot tell right now.
    Any other error is a 401 too.

    A plugin may have an attribute `curl_credentials`, which the example request at start shows:
    the options of `curl` that let a request in, such as `-H "Authorization: Bearer $TOKEN"`; `""`
    if it needs none; None if requests without credentials pass on to the next plugin. With
    `-H "X-User: somebody"`, `chatkit-server chat --user ann` sends `X-User: ann`.

    Two plugins must never return the same user. Beside another plugin with this hook, set an
    attribute `auth_tenants`: the set of the tenants that your users are in, such as `{"staff"}`;
    empty if the hook only refuses requests. `anonymous_auth` needs no such declaration of others.
    """


@hookspec
async def context(request: Request, user: User) -> Any:
    """Return what tools, stores and other hooks get as the context of this request.

    The first answer wins. It is `turn.request_context`, and `StoreContext.context` for stores;
    without an answer, `turn.request_context` is the `StoreContext`. Called once for each request of
    a user, before anything is loaded: an error refuses the request with its status and message.
    """


@hookspec
async def ready() -> str | Finding | Mapping[str, str | Finding | None] | None:
    """Return in one line why turns would fail because of your plugin's part; None if they work.

    Or return the same for several checks by name: `{"queue": None, "disk": "it is full"}`.
    `/readyz?verbose` shows each, and the server is ready if all are None. Return a `Finding` for
    what turns can do without: it is shown as degraded, and the server is ready all the same.

    `/readyz` asks all plugins at the same time when somebody asks it, at most once a second, and
    waits 1.5 s. Anybody can read the reason: leave out secrets and addresses. An error, or no
    answer, counts as a reason. Remember the answer of a check that costs something.
    """


@hookspec
async def admit(
    user: User, operation: str, thread_id: str, beside: bool, context: Any
) -> AsyncIterator[None] | None:
    """Let in a request that asks for a turn; return nothing, or raise to refuse it.

    Called for all plugins in order, before the turn claims its thread: nothing is written yet, and
    no answer that runs there is interrupted. Raise `TooManyRequests` or `Unavailable`, with
    `retry_after`, if the client may ask again later; an error refuses the request with its status
    and message. A request that joins a turn which runs already, or is a repetition of its request,
    is not asked about, nor is the answer that `turn.go_on` begins.

    To count what runs, write an `async def` with one `yield`: the rest runs when the turn has
    ended, before its client is told. If the turn is refused after all, such as by `pre_turn`, the
    reason is raised at the `yield`. `operation` is that of ChatKit, or `plain`; `beside` says that
    the turn runs beside the answer in its thread, as actions do. `context` is what the hook
    `context` returned, or None.
    """


@hookspec
async def agent(turn: Turn) -> Agent[Turn] | None:
    """Return the agent that answers this turn; the first answer wins.

    If no plugin answers, the agents of the settings do. `turn.last_agent` is the name of the one
    that answered last in this conversation. Nothing is saved yet: an error refuses the turn with
    its status and message. An agent with a model takes a model that the user picked in
    the composer and that the settings do not offer.
    """


@hookspec
async def pre_turn(turn: Turn) -> None:
    """Change the turn before it begins: its instructions, model, tools, MCP servers or input.

    Called for all plugins in order; return nothing. Nothing is saved or streamed yet: an error
    refuses the turn with its status and message. Keep notes for later hooks in `turn.state`.

    - If the user picked a model that the settings do not offer, the turn is refused unless a hook
      sets `turn.model`; `turn.message.inference_options.model` is the one picked.
    - To tell the model of attachments, tags and other items in your own way, make the input again:
      `turn.input = await turn.make_input(converter)`.
    - Set `turn.context` to give tools an `AgentContext` of your own, in place of the turn.
    - What you send with `turn.stream`, such as a `NoticeEvent`, comes after the user's message.
    - After `turn.stream_options = StreamOptions(allow_cancel=False)`, the user can stop the turn
      only with a new message.
    """


@hookspec
async def respond(
    turn: Turn,
) -> AsyncIterator[ThreadStreamEvent] | Iterable[ThreadStreamEvent] | None:
    """Answer this turn yourself, in place of the server's agent; the first answer wins.

    Yield ChatKit's events in an `async def` with `yield`, or return a list or async iterator of
    them. Each item is saved, and passed to `persist`, before the client learns that it is done.
    Stop, resume, limits and recovery hold as for any turn. Called after `pre_turn`; `turn.items`
    has the conversation. An error is an `error` event. If the turn is stopped, the iterator gets an
    `asyncio.CancelledError` where it waits.

    A new message ends client tool calls and questions that the page has not answered, before this
    hook's events. If the plugin has an attribute `keeps_pending = True`, they stay as they are.
    """


@hookspec
async def tool_result(turn: Turn, call: ToolCall, result: ToolResult) -> None:
    """Change what a tool returned before the model, the log and the user see it.

    Called after every tool, for all plugins in order. Set `result.output` to redact, shorten or
    replace the output; return nothing. On an error the tool has failed, and the model
    does not see the output. A `CustomStreamError` or `StreamError` ends the turn.
    """


@hookspec
async def persist(turn: Turn, item: ThreadItem) -> None:
    """Do something with an item that was just saved, such as copying it to an archive.

    Called for every item, for all plugins in order, before the client learns that the item is done.
    A cancellation of the turn does not interrupt it. An error ends the turn with an `error` event.
    """


@hookspec
async def post_turn(turn: Turn, outcome: Outcome) -> None:
    """Look back on a turn that has ended: `outcome` says how, and what it took.

    Called once for each turn and plugin, for all in order: after a turn that completed, failed, was
    cancelled or interrupted, and after one that was refused once this plugin's `pre_turn` ran. An
    error is logged and changes nothing.

    The client has the end of the answer already, and gets the end of the stream after this hook.
    What you change in `turn.thread` is still saved and sent, unless the turn was refused. Wait here
    for tasks that change it: what they change later is lost.
    """


@hookspec
async def action(
    turn: Turn, action: Action[str, Any], item: WidgetItem | None
) -> (
    AsyncIterator[ThreadStreamEvent] | Iterable[ThreadStreamEvent] | SyncCustomActionResponse | None
):
    """Answer a user's action on a widget; the first answer wins.

    `item` is the widget, None if the action came from elsewhere. For `threads.custom_action`,
    return a list or async iterator of events to stream; an `async def` with `yield` answers all
    actions. For `threads.sync_custom_action`, return a
    `SyncCustomActionResponse`. An error is an `error` event for the former, a 4xx for the latter.
    An `ErrorEvent` among the events makes the turn fail; the page gets it after all others.

    An action runs beside a running answer and other actions of the thread, and in a locked or
    closed thread too. What you change in `turn.thread` is saved.

    `turn.go_on("The user picked Friday.")` lets the agent answer when the hook's events have ended:
    a turn with all its hooks, which claims the thread as a new message does.
    """


@hookspec
async def scan(file: UploadedFile) -> None:
    """Look at an uploaded file before it can be used; return nothing, or raise to refuse it.

    Called for all plugins in order, once for each upload. The user reads the message of a
    `BadRequest` or the like. Any other error refuses the file too, and is logged.
    """


@hookspec
async def attachment_input(turn: Turn, attachment: Attachment) -> list[dict[str, Any]] | None:
    """Return what the model gets of an attachment, as parts of the user's message.

    The first answer wins: a list of `{"type": "input_text", "text": ...}`, `input_image` or
    `input_file`. Without an answer, the model gets the file's name, and an image's preview if its
    address is public. Called for each attachment of the conversation whenever the model's input is
    made, so keep what takes time. An error refuses the turn with its status and message.
    """


@hookspec
async def transcribe(user: User, audio: AudioInput, context: Any) -> str | None:
    """Return the text of a recording; the first answer wins. An error is a 4xx.

    `context` is what the hook `context` returned, or else a `StoreContext`.
    """


@hookspec
async def feedback(
    user: User, thread_id: str, item_ids: list[str], kind: FeedbackKind, context: Any
) -> bool | None:
    """Save a user's thumbs up or down and return True, or None if you do not.

    Called for all plugins in order. The request succeeds if one returns True; otherwise the first
    error is shown, as a 4xx. The thread and the items are the user's: that is checked before.
    """
