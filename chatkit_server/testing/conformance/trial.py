"""A server with a plugin, and users who do what users do."""

from __future__ import annotations

import asyncio
import base64
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import orjson
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from chatkit.types import AssistantMessageItem

from ...errors import ServerError, SettingsError
from ...plugin.mistakes import described
from ...turn import User
from ...uploads import UploadedFile
from ...userdata.plugins import erasing, exporting
from ...web.keys import HOOKS
from ..app import client_of, hooks_of, watched_app
from ..client import ChatClient, Refused
from ..running import Unfinished
from ..scripts import ModelRequest, ScriptedModel, call, script
from .blocking import Blocking
from .complaints import Complaints
from .forgetting import Forgetting
from .given_plugins import own_files
from .hook_watch import HookWatch
from .leftovers import Leftovers
from .trial_parts import Parts, PartsWithFiles

SECRET = "zebra-4711"
OTHER_SECRET = "heron-2208"
"""What one user says, and no other may read."""

ODD_HEADERS: tuple[Mapping[str, str], ...] = (
    {},
    {"Authorization": ""},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer a.b.c"},
    {"Authorization": "Bearer " + "x" * 5000},
    {"Authorization": "Basic !!!"},
    {"Authorization": "Grüße"},
    {"X-API-Key": "", "X-User-Id": "", "Cookie": "session=; =;"},
    {"X-API-Key": "'\" --", "X-User-Id": "../\\", "Cookie": "session=%00"},
)

_ANSWERS = 100

_UNLIMITED = ("check", "migrate", "export", "erase")
"""Hooks of commands, for which no user waits."""


Use = Callable[[ChatClient], Awaitable[None]]


@dataclass
class Trial:
    """What came of a trial: lines that say what was wrong, by kind."""

    boot: str | None = None
    use: str | None = None
    types: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    blocking: list[str] = field(default_factory=list)
    unstopped: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    auth: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    called: set[str] = field(default_factory=set)


@dataclass
class Plan:
    """How a plugin is tried. `use` does what only its author knows, as a user.

    With a `config`, the settings name the plugin; without, it is given to the server.
    """

    name: str
    plugin: object
    config: Mapping[str, Any] | None
    sections: Mapping[str, Any]
    time_limit: float
    blocking: float
    patience: float
    use: Use

    def settings(self) -> dict[str, Any]:
        """Return the sections of the server's settings."""
        sections = {"hooks": {"timeout": f"{self.time_limit}s"}, **self.sections}
        if self.config is not None:
            others = sections.get("plugins") or {}
            sections["plugins"] = {**others, self.name: dict(self.config) or None}
        return sections

    def plugins(self) -> list[tuple[str, object]]:
        """Return the plugins that are given to the server."""
        brings_files = "attachment_store" in hooks_of(self.plugin)
        parts = ("trial_parts", Parts() if brings_files else PartsWithFiles())
        return [parts] if self.config is not None else [(self.name, self.plugin), parts]


async def run_trial(plan: Plan) -> Trial:
    """Start a server with the plugin, have users do everything, and stop it."""
    trial, leftovers = Trial(), Leftovers()
    watch = HookWatch(_limits(plan))
    blocking = Blocking(watch.codes, own_files(plan.plugin), plan.blocking)
    complaints = Complaints(plan.name)
    with leftovers.watch(), blocking.watch(), complaints.heard():
        ticking = asyncio.ensure_future(_tick(blocking))
        try:
            await _serve(plan, watch, trial)
        except SettingsError as error:
            trial.boot = str(error)
        finally:
            ticking.cancel()
    trial.types, trial.errors, trial.slow = watch.types, watch.errors, watch.slow
    # Of the hooks, all is known already
    trial.errors += [
        line for line in complaints.lines if not any(f": {hook} " in line for hook in watch.called)
    ]
    trial.unstopped += watch.unstopped
    trial.blocking, trial.called = blocking.lines, watch.called
    trial.leftovers = await leftovers.found()
    return trial


async def _tick(blocking: Blocking) -> None:
    while True:
        blocking.tick()
        await asyncio.sleep(0.002)


def _limits(plan: Plan) -> Callable[[str], float]:
    own: Mapping[str, float] = getattr(plan.plugin, "hook_timeouts", None) or {}
    return lambda hook: inf if hook in _UNLIMITED else float(own.get(hook, plan.time_limit))


async def _serve(plan: Plan, watch: HookWatch, trial: Trial) -> None:
    model = script(*[_answer] * _ANSWERS)
    app = watched_app(
        plan.settings(), plan.plugins(), model, lambda hooks: watch.put_on(hooks, plan.name)
    )
    await _operate(app)
    http = TestClient(TestServer(app))
    try:
        await http.start_server()
        client = client_of(app, http, None)
        client.patience = plan.patience
        await _Users(plan, trial, app, client, model).do_all()
    finally:
        await http.close()


async def _operate(app: web.Application) -> None:
    """Run the commands of operators, before the server starts."""
    hooks = app[HOOKS]
    hooks.boot_all("cli", commands=click.Group())
    hooks.boot_all("tortoise_apps")
    given: tuple[tuple[str, dict[str, Any]], ...] = (("check", {"online": False}), ("migrate", {}))
    for hook, arguments in given:
        with suppress(SettingsError):
            async for _ in hooks.boot_each(hook, **arguments):
                pass


class _Users:
    """Ann does all that a page can, and Bob a little after her."""

    def __init__(
        self,
        plan: Plan,
        trial: Trial,
        app: web.Application,
        client: ChatClient,
        model: ScriptedModel,
    ) -> None:
        self._plan = plan
        self._trial = trial
        self._app = app
        self._client = client
        self._model = model
        self._own = hooks_of(plan.plugin)
        self._ann = client.as_user("annabel", tenant="acme", name="Annabel")
        self._bob = client.as_user("bobadilla", tenant="acme", name="Bobadilla")

    async def do_all(self) -> None:
        try:
            for step in (self._come, self._talk, self._act, self._attach, self._fail, self._stop):
                await step()
            await self._use()
            await self._keep_apart()
            await self._forget()
        except Unfinished as error:
            # All others would wait as long
            self._trial.unstopped.append(str(error))
        await self._client.http.get("/readyz")
        await self._leave()

    async def _leave(self) -> None:
        """Take out what plugins hold of a user, and have it deleted."""
        ann = User("annabel", "acme", "Annabel")
        for _, held in exporting(self._app[HOOKS], ann):
            with suppress(Exception):
                async for _ in held:
                    pass
        for _, erased in erasing(self._app[HOOKS], ann):
            with suppress(Exception):
                await erased

    async def _use(self) -> None:
        try:
            await self._plan.use(self._client.as_user("cleo", tenant="acme", name="Cleo"))
        except Unfinished:
            raise
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)[1:]
            shown = "".join(traceback.format_list(frames)).rstrip()
            self._trial.use = f"it raised {described(error)}\n{shown}"

    async def _try(self, doing: Awaitable[Any]) -> Any:
        """Do something that a plugin may refuse."""
        with suppress(Refused, LookupError):
            return await doing

    async def _come(self) -> None:
        """Send odd credentials, and none."""
        if "auth" not in self._own:
            return
        body = orjson.dumps({"type": "threads.list", "params": {}})
        for given in ODD_HEADERS:
            # As a client sends them that knows no ASCII
            headers = {name: text.encode().decode("latin-1") for name, text in given.items()}
            headers["Content-Type"] = "application/json"
            response = await self._client.http.post(self._client.path, data=body, headers=headers)
            if response.status >= 500 and response.status != 503:
                self._trial.auth.append(f"{response.status} came for {_short(given)}")

    async def _talk(self) -> None:
        ann = self._ann
        await self._try(ann.say(f"Remember the word {SECRET}."))
        items = await self._try(ann.items()) or []
        said = [one.id for one in items if isinstance(one, AssistantMessageItem)]
        for kind in ("positive", "negative"):
            params = {"thread_id": ann.thread_id, "item_ids": said[:1], "kind": kind}
            await self._try(ann.ask("items.feedback", **params))
        asked = [one.id for one in items if one.type == "user_message"]
        if asked:
            await self._try(ann.retry(asked[-1]))
        recording = {"audio_base64": base64.b64encode(b"RIFF").decode(), "mime_type": "audio/wav"}
        await self._try(ann.ask("input.transcribe", **recording))

    async def _act(self) -> None:
        ann = self._ann
        if ann.thread_id is None:
            return
        items = await self._try(ann.items()) or []
        widgets = [one for one in items if one.type == "widget"]
        for item in [None, *widgets[:2]]:
            await self._try(ann.act(item, "conformance.unknown", id=1, text=None))
            await self._try(ann.act_sync(item, "conformance.unknown"))

    async def _attach(self) -> None:
        file = await self._try(self._ann.upload(f"{SECRET}\n", "list.txt"))
        if file is not None:
            await self._try(self._ann.say("What is in it?", attachments=[file]))
        if "scan" not in self._own:
            return
        with TemporaryDirectory() as folder:
            path = Path(folder) / "list.txt"
            path.write_bytes(b"Buy milk.\n")
            ann = User("annabel", "acme", "Annabel")
            scanned = UploadedFile("list.txt", "text/plain", 10, ann, path)
            with suppress(ServerError):
                await self._app[HOOKS].each("scan", file=scanned)

    async def _fail(self) -> None:
        for text in ("The model fails now.", "Use the tool break_down."):
            # The model gets a question without an answer again, with the next one
            self._ann.new_thread()
            await self._try(self._ann.say(text))

    async def _stop(self) -> None:
        """Stop an answer, whose tool would wait for ever."""
        self._ann.new_thread()
        running = await self._try(self._ann.begin("Use the tool wait_for_ever."))
        if running is None:
            return
        await self._try(running.stop())

    async def _keep_apart(self) -> None:
        """Have two users talk at once, and look for what is the other one's."""
        self._ann.new_thread()
        people = {"Annabel": (self._ann, SECRET), "Bobadilla": (self._bob, OTHER_SECRET)}
        talking = {
            name: self._try(client.say(f"Use the tool meet. It is {secret}."))
            for name, (client, secret) in people.items()
        }
        answers = dict(zip(talking, await asyncio.gather(*talking.values()), strict=True))
        for name, answer in answers.items():
            secret = people[name][1]
            asked = [one for one in self._model.requests if secret in one.said]
            others = {each for each in people if each != name}
            self._look(others, f"what the model gets for {name}", _texts(asked))
            self._look(others, f"the answer to {name}", answer and answer.data)
        for name, (client, _) in people.items():
            others = {each for each in people if each != name}
            listed = await self._try(client.threads())
            self._look(others, f"the conversations of {name}", listed)

    async def _forget(self) -> None:
        """Export and erase one of two users."""
        if {"export", "erase"} & set(self._own):
            forgetting = Forgetting(self._app[HOOKS], self._plan.name)
            ann, bob = User("annabel", "acme"), User("bobadilla", "acme")
            self._trial.users += await forgetting.wrong(ann, bob, SECRET, OTHER_SECRET)

    def _look(self, others: set[str], where: str, found: object) -> None:
        """Note what is not this user's own."""
        text = str(found).lower()
        for other in others:
            secret = SECRET if other == "Annabel" else OTHER_SECRET
            for word in (secret, other.lower()):
                line = f"{word!r}, which is {other}'s, is in {where}"
                if word in text and line not in self._trial.users:
                    self._trial.users.append(line)


def _answer(request: ModelRequest) -> Any:
    """What the model says: it calls the tool that the user names, once."""
    asked = request.said
    if "The model fails now." in asked:
        raise RuntimeError("the model of the trial fails")
    came: Any = request.input[-1] if request.input else {}
    if came.get("type") != "function_call_output":
        for name in request.tools:
            if f"Use the tool {name}." in asked:
                return call(name)
    return "It is noted."


def _texts(requests: Sequence[ModelRequest]) -> list[object]:
    return [(one.instructions, one.input, one.tools) for one in requests]


def _short(headers: Mapping[str, str]) -> str:
    shown = ", ".join(f"{name}: {text[:20]!r}" for name, text in headers.items())
    return shown or "a request without credentials"
