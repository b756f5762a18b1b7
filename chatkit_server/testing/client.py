"""A client that speaks ChatKit's protocol, as a page does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from mimetypes import guess_type
from typing import Any, TypeAlias, TypedDict, TypeVar, Unpack

import orjson
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from chatkit.actions import Action, ActionConfig
from chatkit.types import (
    Attachment,
    Page,
    StructuredInputItem,
    SyncCustomActionResponse,
    Thread,
    ThreadItem,
    WidgetItem,
)
from pydantic import TypeAdapter
from yarl import URL

from ..agent.paused import APPROVAL
from ..client.requests import message_input, refusal, submission, text_content
from ..turn import User
from .answer import Answer
from .running import RunningAnswer
from .scripts import ScriptedModel
from .tool_calls import ToolCalls
from .users import NamedUsers

_ATTACHMENT: TypeAdapter[Attachment] = TypeAdapter(Attachment)
_ITEMS: TypeAdapter[Page[ThreadItem]] = TypeAdapter(Page[ThreadItem])
_THREADS: TypeAdapter[Page[Thread]] = TypeAdapter(Page[Thread])
_PAGE = 100

T = TypeVar("T")

GivenAction: TypeAlias = str | Mapping[str, Any] | Action[str, Any] | ActionConfig


class Refused(AssertionError):
    """The server has refused a request: `status` and `message` are what it said."""

    def __init__(self, status: int, message: str) -> None:
        why = " The log says why: pytest prints it below." if status >= 500 else ""
        super().__init__(f"the server answered {status}: {message}{why}")
        self.status = status
        self.message = message


class MessageOptions(TypedDict, total=False):
    """What a message may have beside its text.

    `model` and `tool` are what the user picks in the composer. `attachments` are those of
    `ChatClient.upload`, or their ids. `quoted_text` is what the user replies to.
    """

    model: str
    tool: str
    attachments: Sequence[Attachment | str]
    quoted_text: str
    content: Sequence[Mapping[str, Any]]


class ChatClient:
    """A user of a server under test, with one open conversation.

    `thread_id` is the conversation, None before the first message. `http` is aiohttp's client of
    the server, `headers` are sent with each request. An answer has `patience` seconds to end.
    """

    patience = 30.0

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
        other = ChatClient(
            self.http,
            self.path,
            users=self._users,
            calls=self._calls,
            model=self.model,
            headers=headers,
        )
        other.patience = self.patience
        return other

    def new_thread(self) -> None:
        """Begin a new conversation with the next message."""
        self.thread_id = None

    async def say(self, text: str, **message: Unpack[MessageOptions]) -> Answer:
        """Send a message and return the answer, when it has ended.

        Raises `Refused` if the server refuses the message, `Unfinished` if the answer does not end
        within `patience` seconds, and `ScriptEnded` if the script of the model is too short.
        """
        return await (await self.begin(text, **message)).end()

    async def begin(self, text: str, **message: Unpack[MessageOptions]) -> RunningAnswer:
        """Send a message and return the answer as it begins, to read, leave, resume or stop it."""
        given = _message(text, message)
        if self.thread_id is None:
            return await self._begin("threads.create", input=given)
        params = {"input": given, "thread_id": self.thread_id}
        return await self._begin("threads.add_user_message", **params)

    async def act(self, item: WidgetItem | None, action: GivenAction, **payload: Any) -> Answer:
        """Do what a click on a widget does: send an action.

        `action` is its type, and `payload` what it carries; or it is the widget's own action, as
        `button.onClickAction` has it. Without an item, the action comes from the page itself.
        """
        return await self.stream("threads.custom_action", **self._action(item, action, payload))

    async def act_sync(
        self, item: WidgetItem | None, action: GivenAction, **payload: Any
    ) -> SyncCustomActionResponse:
        """Send an action that is answered at once, without a stream."""
        params = self._action(item, action, payload)
        answer = await self.ask("threads.sync_custom_action", **params)
        return SyncCustomActionResponse.model_validate(answer)

    def _action(
        self, item: WidgetItem | None, action: GivenAction, payload: Mapping[str, Any]
    ) -> dict[str, Any]:
        if isinstance(action, str):
            action = {"type": action}
        elif not isinstance(action, Mapping):
            action = {"type": action.type, "payload": action.payload}
        given = action.get("payload")
        whole = {**(given or {}), **payload} if payload or given is None else given
        return {
            "thread_id": self._thread() if item is None else item.thread_id,
            "item_id": None if item is None else item.id,
            "action": {"type": action["type"], "payload": whole},
        }

    async def approve(self, asked: Answer | WidgetItem, *, always: bool = False) -> Answer:
        """Click "Approve" for each tool call that waits; return how the answer goes on.

        Raises `LookupError` if nothing waits for an approval.
        """
        return await self._decide(asked, "always" if always else "approve")

    async def deny(self, asked: Answer | WidgetItem) -> Answer:
        """Click "Deny" for each tool call that waits; return how the answer goes on."""
        return await self._decide(asked, "deny")

    async def _decide(self, asked: Answer | WidgetItem, decision: str) -> Answer:
        items = asked.approvals if isinstance(asked, Answer) else [asked]
        if not items:
            raise LookupError(f"no tool call waits for an approval; {_summary(asked)}")
        for item in items[:-1]:
            await self.act(item, APPROVAL, decision=decision)
        return await self.act(items[-1], APPROVAL, decision=decision)

    async def reply(
        self, asked: Answer | StructuredInputItem, *texts: str, **answers: str | Sequence[str]
    ) -> Answer:
        """Answer what a tool asks the user; return how the answer goes on.

        `texts` are the answers in the order of the questions, `answers` those by the ids of the
        questions. Others are skipped. Raises `LookupError` if nothing is asked.
        """
        item = _question(asked)
        ids = [each.id for each in item.inputs]
        given = {**dict(zip(ids, texts, strict=False)), **answers}
        surplus = [*map(repr, texts[len(ids) :]), *(name for name in answers if name not in ids)]
        if surplus:
            raise LookupError(f"no question for {', '.join(surplus)}; there are {', '.join(ids)}")
        return await self.stream(
            "threads.add_structured_input",
            thread_id=item.thread_id,
            item_id=item.id,
            input=submission(ids, given),
        )

    async def upload(
        self, data: bytes | str, name: str = "notes.txt", mime_type: str | None = None
    ) -> Attachment:
        """Upload a file as the composer does, for `say(attachments=[...])`.

        It is announced, and then sent to where the server's attachment store says.
        """
        content = data.encode() if isinstance(data, str) else data
        kind = mime_type or guess_type(name)[0] or "application/octet-stream"
        created = await self.ask("attachments.create", name=name, size=len(content), mime_type=kind)
        attachment = _ATTACHMENT.validate_python(created)
        to = attachment.upload_descriptor
        if to is not None:
            url = self.http.make_url("/").join(URL(str(to.url)))
            sending = self.http.session.request(
                to.method, url, data=content, headers={"Content-Type": kind, **to.headers}
            )
            async with sending as response:
                await _accepted(response)
        return attachment

    async def give_tool_output(self, output: Any) -> Answer:
        """Send what the page's client tool returned, and return how the answer goes on."""
        return await self.stream(
            "threads.add_client_tool_output", thread_id=self._thread(), result=output
        )

    async def cancel(self, turn_id: str) -> None:
        """Stop a turn, as the user's Stop button does."""
        path = f"{self.path}/turns/{turn_id}/cancel"
        await _accepted(await self.http.post(path, headers=self.headers))

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
        return await (await self._begin(operation, **params)).end()

    async def _begin(self, operation: str, **params: Any) -> RunningAnswer:
        response = await self._post({"type": operation, "params": params})
        answer = Answer([], [], [], self._calls)
        running = RunningAnswer(self, response, answer)
        if operation == "threads.create":
            await running.first()
            self.thread_id = answer.thread_id
        return running

    async def plain(self, text: str, **rest: Any) -> list[dict[str, Any]]:
        """Send a plain request, as `curl` does; return its lines."""
        thread = {} if self.thread_id is None else {"thread_id": self.thread_id}
        body = {"messages": [{"role": "user", "content": text}], **thread, **rest}
        response = await self._post(body)
        lines = (await response.read()).decode().split("\n")
        self.check_script()
        return [orjson.loads(line[6:]) for line in lines if line.startswith("data: ")]

    def check_script(self) -> None:
        """Raise `ScriptEnded` if the script of the model is too short."""
        if self.model is not None:
            self.model.refuse_surplus()

    async def get(self, path: str, **headers: str) -> ClientResponse:
        """Ask for a path of the server, such as that of a plugin's route. Raises `Refused`."""
        return await _accepted(await self.http.get(path, headers={**self.headers, **headers}))

    async def _post(self, body: Mapping[str, Any]) -> ClientResponse:
        headers = {"Content-Type": "application/json", **self.headers}
        sent = orjson.dumps(body)
        return await _accepted(await self.http.post(self.path, data=sent, headers=headers))

    def _thread(self) -> str:
        if self.thread_id is None:
            raise LookupError("there is no conversation yet: send a message with `say` first")
        return self.thread_id


def _message(text: str, options: MessageOptions) -> dict[str, Any]:
    files = options.get("attachments", ())
    return message_input(
        options.get("content", text_content(text)),
        attachments=[each if isinstance(each, str) else each.id for each in files],
        model=options.get("model"),
        tool=options.get("tool"),
        quoted_text=options.get("quoted_text"),
    )


def _question(asked: Answer | StructuredInputItem) -> StructuredInputItem:
    if not isinstance(asked, Answer):
        return asked
    match asked.questions:
        case [item]:
            return item
        case []:
            raise LookupError(f"the user is asked nothing; {asked.summary}")
        case _:
            raise LookupError("several tools ask: give one of `answer.questions` to `reply`")


def _summary(asked: Answer | WidgetItem) -> str:
    return asked.summary if isinstance(asked, Answer) else asked.id


async def _accepted(response: ClientResponse) -> ClientResponse:
    """Return a response; raises `Refused` for one that says no."""
    if response.status < 300:
        return response
    raise Refused(response.status, refusal(await response.text()))
