"""A client that speaks ChatKit's protocol, as a page does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import orjson
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from chatkit.types import (
    AssistantMessageItem,
    ClientToolCallItem,
    ErrorEvent,
    Page,
    Thread,
    ThreadItem,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    WidgetItem,
)
from chatkit.widgets import WidgetRoot
from pydantic import TypeAdapter

from ..turn import User
from .scripts import ScriptedModel
from .tool_calls import CalledTool, ToolCalls
from .users import NamedUsers

_EVENT: TypeAdapter[ThreadStreamEvent] = TypeAdapter(ThreadStreamEvent)
_ITEMS: TypeAdapter[Page[ThreadItem]] = TypeAdapter(Page[ThreadItem])
_THREADS: TypeAdapter[Page[Thread]] = TypeAdapter(Page[Thread])
_PAGE = 100

T = TypeVar("T")


class Refused(AssertionError):
    """The server has refused a request: `status` and `message` are what it said."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"the server answered {status}: {message}")
        self.status = status
        self.message = message


@dataclass
class Answer:
    """A stream that was read to its end.

    `events` are ChatKit's events, in order. `data` is the same as JSON, `ids` are their ids: a lost
    connection goes on after one of them.
    """

    events: list[ThreadStreamEvent]
    data: list[dict[str, Any]]
    ids: list[str]
    _calls: ToolCalls = field(repr=False)

    @cached_property
    def items(self) -> list[ThreadItem]:
        """The items that are done, in order, the user's message too."""
        return [event.item for event in self.events if isinstance(event, ThreadItemDoneEvent)]

    @property
    def text(self) -> str:
        """What the assistant said: all its messages, or the part that came if one was cut off."""
        said = [
            "".join(part.text for part in item.content)
            for item in self.items
            if isinstance(item, AssistantMessageItem)
        ]
        return "\n\n".join(said) if said else self._deltas

    @property
    def _deltas(self) -> str:
        updates = [e.update for e in self.events if isinstance(e, ThreadItemUpdatedEvent)]
        return "".join(getattr(update, "delta", "") for update in updates)

    @property
    def widgets(self) -> list[WidgetRoot]:
        """The widgets, as they are in the end."""
        return [item.widget for item in self.widget_items]

    @property
    def widget(self) -> WidgetRoot | None:
        """The last widget, None without one."""
        return self.widgets[-1] if self.widgets else None

    @property
    def widget_items(self) -> list[WidgetItem]:
        """The items of the widgets, for `ChatClient.act`."""
        return [item for item in self.items if isinstance(item, WidgetItem)]

    @property
    def client_tool_call(self) -> ClientToolCallItem | None:
        """The client tool that the page is to run, None without one."""
        calls = [item for item in self.items if isinstance(item, ClientToolCallItem)]
        return calls[-1] if calls else None

    @property
    def turn_id(self) -> str:
        """The id of the turn."""
        return self.ids[-1].rpartition(":")[0]

    @property
    def tool_calls(self) -> list[CalledTool]:
        """The tools that ran, in the order in which they ended."""
        return self._calls.of_turn.get(self.turn_id, [])

    @property
    def error(self) -> str | None:
        """The message of the error that ended the turn, None if there was none."""
        errors = [event for event in self.events if isinstance(event, ErrorEvent)]
        return (errors[-1].message or errors[-1].code) if errors else None

    @property
    def thread_id(self) -> str:
        """The conversation that the events are about; raises `LookupError` if none is named."""
        for event in self.data:
            if "thread" in event:
                return str(event["thread"]["id"])
            if "thread_id" in event.get("item", {}):
                return str(event["item"]["thread_id"])
        raise LookupError(f"no event names a conversation: {self.data}")

    @property
    def title(self) -> str | None:
        """The title that the conversation got, None without one."""
        titles = [event["thread"].get("title") for event in self.data if "thread" in event]
        return titles[-1] if titles else None


class ChatClient:
    """A user of a server under test, with one open conversation.

    `thread_id` is the conversation, None before the first message. `http` is aiohttp's client of
    the server, `headers` are sent with each request.
    """

    def __init__(
        self,
        http: TestClient[Any, Any],
        path: str,
        *,
        users: NamedUsers,
        calls: ToolCalls,
        model: ScriptedModel | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.http = http
        self.path = path
        self.model = model
        self.headers = dict(headers or {})
        self.thread_id: str | None = None
        self._users = users
        self._calls = calls

    def as_user(
        self,
        id: str,
        *,
        tenant: str = "",
        name: str | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> ChatClient:
        """Return a client of the same server for this user, without a conversation."""
        user = self._users.header(User(id, tenant, name, claims or {}))
        return self._other({**self.headers, **user})

    def with_headers(self, headers: Mapping[str, str]) -> ChatClient:
        """Return a client that sends these headers too, for the `auth` hooks under test."""
        return self._other({**self.headers, **headers})

    def _other(self, headers: Mapping[str, str]) -> ChatClient:
        return ChatClient(
            self.http,
            self.path,
            users=self._users,
            calls=self._calls,
            model=self.model,
            headers=headers,
        )

    def new_thread(self) -> None:
        """Begin a new conversation with the next message."""
        self.thread_id = None

    async def say(
        self,
        text: str,
        *,
        model: str | None = None,
        tool: str | None = None,
        attachments: Sequence[str] = (),
        **message: Any,
    ) -> Answer:
        """Send a message and return the answer, when it has ended.

        `model` and `tool` are what the user picks in the composer, `attachments` are ids, and
        `message` has other fields of a `UserMessageInput`. Raises `Refused` if the server refuses
        the message, and `ScriptEnded` if the script of the model is too short.
        """
        options: dict[str, Any] = {} if model is None else {"model": model}
        if tool is not None:
            options["tool_choice"] = {"id": tool}
        given = {
            "content": [{"type": "input_text", "text": text}],
            "attachments": list(attachments),
            "inference_options": options,
            **message,
        }
        if self.thread_id is None:
            return await self.stream("threads.create", input=given)
        return await self.stream("threads.add_user_message", input=given, thread_id=self.thread_id)

    async def act(self, item: WidgetItem | None, type: str, **payload: Any) -> Answer:
        """Do what a click on a widget does: send an action of this type with this payload."""
        return await self.stream("threads.custom_action", **self._action(item, type, payload))

    async def act_sync(self, item: WidgetItem | None, type: str, **payload: Any) -> dict[str, Any]:
        """Send an action that is answered at once, without a stream; return the JSON."""
        params = self._action(item, type, payload)
        return await self.ask("threads.sync_custom_action", **params)

    def _action(
        self, item: WidgetItem | None, type: str, payload: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {
            "thread_id": self._thread(),
            "item_id": None if item is None else item.id,
            "action": {"type": type, "payload": dict(payload)},
        }

    async def give_tool_output(self, output: Any) -> Answer:
        """Send what the page's client tool returned, and return how the answer goes on."""
        return await self.stream(
            "threads.add_client_tool_output", thread_id=self._thread(), result=output
        )

    async def retry(self, item_id: str) -> Answer:
        """Ask for another answer to the user's message with this id."""
        return await self.stream(
            "threads.retry_after_item", thread_id=self._thread(), item_id=item_id
        )

    async def items(self, thread_id: str | None = None) -> list[ThreadItem]:
        """Return what a page shows of a conversation, by default the open one."""
        thread = self._thread() if thread_id is None else thread_id
        return await self._pages(_ITEMS, "items.list", thread_id=thread)

    async def threads(self) -> list[Thread]:
        """Return the user's conversations, the newest first."""
        return await self._pages(_THREADS, "threads.list", order="desc")

    async def _pages(self, kind: TypeAdapter[Page[T]], operation: str, **params: Any) -> list[T]:
        rows: list[T] = []
        after: str | None = None
        while True:
            given = {"limit": _PAGE, "order": "asc", "after": after, **params}
            page = kind.validate_python(await self.ask(operation, **given))
            rows += page.data
            if not page.has_more:
                return rows
            after = page.after

    async def ask(self, operation: str, **params: Any) -> dict[str, Any]:
        """Perform an operation that answers JSON, such as `threads.update`. Raises `Refused`."""
        response = await self._post({"type": operation, "params": params})
        answer: dict[str, Any] = await response.json()
        return answer

    async def stream(self, operation: str, **params: Any) -> Answer:
        """Perform an operation that answers a stream, and read it to its end. Raises `Refused`."""
        response = await self._post({"type": operation, "params": params})
        answer = self._parsed((await response.read()).decode())
        if self.model is not None:
            self.model.refuse_surplus()
        if operation == "threads.create":
            self.thread_id = answer.thread_id
        return answer

    async def plain(self, text: str, **rest: Any) -> list[dict[str, Any]]:
        """Send a plain request, as `curl` does; return its lines."""
        thread = {} if self.thread_id is None else {"thread_id": self.thread_id}
        body = {"messages": [{"role": "user", "content": text}], **thread, **rest}
        response = await self._post(body)
        lines = (await response.read()).decode().split("\n")
        return [orjson.loads(line[6:]) for line in lines if line.startswith("data: ")]

    async def _post(self, body: Mapping[str, Any]) -> ClientResponse:
        headers = {"Content-Type": "application/json", **self.headers}
        response = await self.http.post(self.path, data=orjson.dumps(body), headers=headers)
        if response.status != 200:
            text = await response.text()
            with suppress(ValueError, KeyError, TypeError):
                text = orjson.loads(text)["message"]
            raise Refused(response.status, text)
        return response

    def _parsed(self, text: str) -> Answer:
        ids, data = [], []
        for line in text.split("\n"):
            if line.startswith("id: "):
                ids.append(line[4:])
            elif line.startswith("data: "):
                data.append(orjson.loads(line[6:]))
        return Answer([_EVENT.validate_python(each) for each in data], data, ids, self._calls)

    def _thread(self) -> str:
        if self.thread_id is None:
            raise LookupError("there is no conversation yet: send a message with `say` first")
        return self.thread_id
