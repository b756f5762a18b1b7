"""The watch over what an MCP server sends, before the client libraries work on it.

They put together messages of any size, wait for as many pages of a list as there are, and match
results against a schema of the server's choice, whose patterns may take for ever: for all users,
because the event loop waits for them. `watch` gives a server's client the limits.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Any, cast

import httpx2
from agents.mcp import MCPServerSse, MCPServerStdio, MCPServerStreamableHttp
from mcp.shared.message import SessionMessage
from mcp.types import (
    INTERNAL_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    Tool,
)
from pydantic import ValidationError
from pydantic_core import to_json

from ..bad_http import CHECK, http_problem, origin
from ..interim import guard_client
from ..probe import note_date
from .content import mend
from .exchange import SESSION_ID, current, response_problem
from .failures import (
    NO_ADDRESS,
    OLDER,
    TLS_PORT,
    body_problem,
    describe,
    endpoint_problem,
    is_tls_port,
    network_problem,
    redirect_problem,
    titled,
    too_many_redirects,
)
from .limits import (
    PART,
    Allowance,
    Flow,
    McpLimits,
    Reporter,
    is_dense,
    shown,
    size_text,
    too_dense,
    too_large,
    tool_problem,
    tools_too_large,
)
from .outcome import is_about_session, is_refusal
from .outlines import OUTLINE, outline
from .progress import Calls
from .repair import repaired
from .stdio import stdio_streams

Client = MCPServerStdio | MCPServerStreamableHttp | MCPServerSse
Streams = Callable[[], AbstractAsyncContextManager[Any]]
Item = SessionMessage | Exception

_PAGES = 50
_CONTENT = 1000
_COOKIES = 20
_SHOWN = 3

_BLANK_LINE = re.compile(rb"\r?\n\r?\n|\r\r")
_ENDPOINT = re.compile(rb"^event: ?endpoint\r?$", re.MULTILINE)
"""The first event of the older transport's stream."""
_DATA = re.compile(rb"^data: ?(\S+)", re.MULTILINE)

_REDIRECTS = 5
_HOPS = "chatkit_server.redirects"

_PROBED = (400, 404, 405)
_PROBE = 2.0

_STAGES = {
    "connect_tcp.started": "connect",
    "start_tls.started": "tls",
    "send_request_headers.started": "answer",
    "receive_response_headers.complete": "body",
}
"""How far a request has come, by the events of the HTTP library."""

_NOT_CONNECTED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)

_STREAM_FAILED = "SSE stream failed: "

_UNUSED = frozenset(
    f"notifications/{kind}"
    for kind in (
        "message",
        "progress",
        "prompts/list_changed",
        "resources/list_changed",
        "resources/updated",
    )
)
"""Notifications that the client library has no use for."""


def watch(
    server: Client,
    limits: McpLimits,
    reporter: Reporter,
    ended: Callable[[], None],
    calls: Calls,
) -> None:
    """Have a server's client keep the limits, in this and all its later connections.

    `ended` is called when nothing more will come over a connection. `calls` get the progress that
    the server reports of them.
    """
    listens = server.message_handler is not None
    calls.are_read = True
    streams: Streams = server.create_streams
    if isinstance(server, MCPServerStdio):
        if type(server).create_streams is MCPServerStdio.create_streams:
            streams = partial(stdio_streams, server.params, limits, reporter)
    else:
        params = cast(dict[str, Any], server.params)
        make = params.get("httpx_client_factory") or _new_client
        older = isinstance(server, MCPServerSse)
        factory = partial(_http_client, make, limits, reporter, older)
        server.params = cast(Any, {**params, "httpx_client_factory": factory})
    make_watch = partial(_Watch, limits, reporter, listens, calls)
    vars(server)["create_streams"] = partial(_watched, streams, make_watch, ended)


@asynccontextmanager
async def _watched(
    streams: Streams, make_watch: Callable[[], _Watch], ended: Callable[[], None]
) -> AsyncGenerator[tuple[Any, ...]]:
    async with streams() as (read, *others):
        yield (_Inbox(read, make_watch(), ended), *others)


class _Inbox:
    """The stream of a server's messages, those that are let through."""

    def __init__(self, stream: Any, watch: _Watch, ended: Callable[[], None]) -> None:
        self._stream = stream
        self._watch = watch
        self._ended = ended

    @property
    def last_context(self) -> Any:
        return getattr(self._stream, "last_context", None)

    async def receive(self) -> Item:
        while True:
            item = self._watch.checked(await self._stream.receive())
            if item is not None:
                return item

    async def aclose(self) -> None:
        await self._stream.aclose()

    def __aiter__(self) -> _Inbox:
        return self

    async def __anext__(self) -> Item:
        while True:
            try:
                received = await self._stream.__anext__()
            except StopAsyncIteration:
                self._ended()
                raise
            item = self._watch.checked(received)
            if item is not None:
                return item

    async def __aenter__(self) -> _Inbox:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> bool | None:
        leave: bool | None = await self._stream.__aexit__(*error)
        return leave


class _Watch:
    """Decides about each message of one connection."""

    def __init__(self, limits: McpLimits, reporter: Reporter, listens: bool, calls: Calls) -> None:
        self._limits = limits
        self._reporter = reporter
        self._listens = listens
        self._calls = calls
        self._requests = Allowance(burst=50, rate=1)
        self._listed = self._pages = 0
        self._asks = False
        """Whether the server speaks a version in which a result may ask the user."""

    def checked(self, item: Item) -> Item | None:
        """Return the message, or what takes its place; None drops it."""
        if isinstance(item, Exception):
            return item
        message = item.message
        if isinstance(message, JSONRPCNotification):
            if message.method == "notifications/progress":
                self._calls.notify(message.params)
            return item if self._listens or message.method not in _UNUSED else None
        if isinstance(message, JSONRPCRequest):
            # Each is answered, with a refusal unless it is a ping, and waits for its turn to be
            if self._requests.take():
                return item
            self._reporter.note("asks this server too much; its requests are not answered")
            return None
        if isinstance(message, JSONRPCError) and message.error.message.startswith(_STREAM_FAILED):
            # The library reports the end of one answer as that of the connection
            message.error.code = INTERNAL_ERROR
        if isinstance(message, JSONRPCResponse):
            problem = self._problem(message.result)
            if problem is not None:
                self._reporter.refuse(problem)
                return _refusal(message.id, problem)
        return item

    def _problem(self, result: dict[str, Any]) -> str | None:
        """Return why a result is refused, and take out what is harmful in it."""
        if isinstance(result.get("tools"), list):
            return self._list_problem(result)
        if _has_more_than(self._limits.message // PART, result):
            return too_dense(self._limits.message)
        content = result.get("content")
        if isinstance(content, list) and len(content) > _CONTENT:
            return f"sent a result of more than {_CONTENT} pieces"
        self._asks = self._asks or "supportedVersions" in result
        if result.get("resultType") != "input_required":
            mend(result)
        elif not self._asks:
            return "asks for input of the user in a way that its version of MCP does not have"
        return None

    def _list_problem(self, result: dict[str, Any]) -> str | None:
        parts = self._limits.tools_size // PART
        result["tools"], left_out = _usable(result["tools"], self._limits.tools_size)
        if left_out:
            self._reporter.note(f"has tools that are left out: {left_out}")
        if _has_more_than(parts, list(result.values())):
            return (
                f"has a list of tools with more than {parts} objects and lists in it "
                "(`max_tools_size`); offer fewer tools, or simpler ones"
            )
        self._listed += len(to_json(result["tools"], inf_nan_mode="constants"))
        self._pages += 1
        size, pages = self._listed, self._pages
        if result.get("nextCursor") is None:
            self._listed = self._pages = 0
        if size > self._limits.tools_size:
            self._listed = self._pages = 0
            return tools_too_large(self._limits.tools_size)
        if pages > _PAGES:
            self._listed = self._pages = 0
            return f"has a list of tools with more than {_PAGES} pages"
        return None


def _has_more_than(parts: int, value: Any) -> bool:
    """Whether there are more objects and lists in a value, itself among them.

    They are what takes time: the client libraries copy each one several times.
    """
    waiting = [value]
    for _ in range(parts):
        if not waiting:
            return False
        part = waiting.pop()
        children = part.values() if isinstance(part, dict) else part
        waiting.extend(child for child in children if isinstance(child, dict | list))
    return bool(waiting)


def _usable(tools: list[Any], most: int) -> tuple[list[Any], str]:
    """Return the tools that can be used, and which cannot, in words.

    Of an output schema, only the outline is kept: the client would match each result against it.
    """
    usable: list[Any] = []
    problems: list[str] = []
    for tool in tools:
        problem = _problem(tool, most)
        if problem is None:
            usable.append(tool)
        else:
            name = tool.get("name") if isinstance(tool, dict) else None
            problems.append(f"{shown(name or '')} ({problem})")
    more = len(problems) - _SHOWN
    text = ", ".join(problems[:_SHOWN])
    return usable, f"{text}, and {more} more" if more > 0 else text


def _problem(tool: Any, most: int) -> str | None:
    if not isinstance(tool, dict):
        return "it is not an object"
    output = outline(tool.pop("outputSchema", None))
    if _has_more_than(most // PART, tool):
        return f"it has more than {most // PART} objects and lists (`max_tools_size`)"
    schema = tool.get("inputSchema")
    problem = tool_problem(tool.get("name"), schema)
    if problem is not None:
        return problem
    assert isinstance(schema, dict)
    schema.setdefault("type", "object")
    try:
        Tool.model_validate(tool, by_name=False)
    except ValidationError as error:
        return f"`{error.errors(include_input=False)[0]['loc'][0]}` is not as MCP has it"
    if len(to_json(tool, inf_nan_mode="constants")) > most:
        return f"it is larger than {size_text(most)} (`max_tools_size`)"
    if output:
        tool["_meta"] = {**(tool.get("_meta") or {}), OUTLINE: output}
    return None


def _stays(here: httpx2.URL, there: httpx2.URL) -> bool:
    """Whether a redirect stays at the same host and port, or goes from http to https there."""
    if there.userinfo and there.userinfo != here.userinfo:
        return False
    if (here.scheme, here.host, here.port) == (there.scheme, there.host, there.port):
        return True
    schemes = (here.scheme, there.scheme)
    return (
        here.host == there.host and schemes == ("http", "https") and not (here.port or there.port)
    )


def _is_cut(error: Exception) -> bool:
    """Whether the network, or what came over it, is why there is no answer."""
    return isinstance(error, httpx2.RequestError) and not isinstance(error, httpx2.SSEError)


def _refusal(request_id: Any, problem: str) -> SessionMessage:
    error = ErrorData(code=INTERNAL_ERROR, message=f"The server {problem}.")
    return SessionMessage(JSONRPCError(jsonrpc="2.0", id=request_id, error=error))


def _new_client(**options: Any) -> httpx2.AsyncClient:
    # Reading all certificates takes 35 ms of the event loop, and each connection is a new client
    file = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().openssl_cafile
    changed = os.stat(file).st_mtime_ns if os.path.isfile(file) else None
    return httpx2.AsyncClient(
        verify=_ssl_context(file, os.environ.get("SSL_CERT_DIR"), changed), **options
    )


@lru_cache(maxsize=1)
def _ssl_context(file: str, folder: str | None, changed: int | None) -> ssl.SSLContext:
    return httpx2.create_ssl_context()


def _http_client(
    make: Callable[..., httpx2.AsyncClient],
    limits: McpLimits,
    reporter: Reporter,
    older: bool,
    headers: dict[str, str] | None = None,
    timeout: Any = None,
    auth: Any = None,
) -> httpx2.AsyncClient:
    """Make a client with `make`, whose answers keep the limits.

    `older` is whether it speaks the older transport, HTTP with SSE.
    """
    client = make(headers=headers, timeout=timeout, auth=auth)
    reporter.begin()
    guard_client(client)
    watch = _HttpWatch(client, limits, reporter, older)
    vars(client)["send"] = partial(watch.send, client.send)
    client.event_hooks["request"].append(watch.sent)
    client.event_hooks["response"].append(watch.answered)
    return client


class _HttpWatch:
    """The limits of one HTTP client."""

    def __init__(
        self, client: httpx2.AsyncClient, limits: McpLimits, reporter: Reporter, older: bool
    ) -> None:
        self._client = client
        self._older = older
        self._stream: httpx2.Response | None = None
        self._streams_older: bool | None = None
        self._limit = limits.message
        self._reporter = reporter
        self._flow = Flow(limits.message, reporter)
        self._gets = Allowance(burst=10, rate=1)

    async def send(
        self,
        send: Callable[..., Awaitable[httpx2.Response]],
        request: httpx2.Request,
        **options: Any,
    ) -> httpx2.Response:
        """Send a request; say what is wrong with the answer, which the client libraries do not."""
        request.extensions = {"trace": self._trace, **request.extensions}
        try:
            response = await send(request, **options)
        except Exception as error:
            self._note_problem(error, request)
            if request.method == "POST" and self._stream is not None:
                # The library sends nothing any more, and waits for an answer in the stream
                await self._stream.aclose()
            if request.method == "POST" and not self._older and _is_cut(error):
                # The library would end the connection, with the calls of others
                return httpx2.Response(HTTPStatus.BAD_GATEWAY, request=request)
            raise
        if response.has_redirect_location:
            await self._redirect(response, response.next_request)
        return response

    async def _trace(self, event: str, info: dict[str, Any]) -> None:
        stage = _STAGES.get(event.partition(".")[2])
        if stage is not None:
            self._reporter.stage = stage

    def _note_problem(self, error: Exception, request: httpx2.Request) -> None:
        if (exchange := current()) is not None and isinstance(error, _NOT_CONNECTED):
            exchange.refused = True
        problem = http_problem(error)
        network = network_problem(error, self._reporter.stage)
        if network is not None:
            self._reporter.problem = network
        elif problem:
            self._reporter.refuse(f"{problem}; {CHECK}", origin(request.url))
        if request.method == "POST" and _is_cut(error):
            self._note(network or describe(error))

    async def sent(self, request: httpx2.Request) -> None:
        """Note a request. Streams that the server closes are opened again, as often as it wants."""
        if request.method == "GET":
            await asyncio.sleep(self._gets.wait())
        else:
            self._flow.earn()
            # The Agents SDK looks at it after the answer, and cannot if this is a redirect's
            await request.aread()

    async def _redirect(self, response: httpx2.Response, following: httpx2.Request | None) -> None:
        """Have the client library follow a redirect, if it stays where the request was sent.

        It follows with the method kept, and no other redirects. HTTP libraries make a GET of what
        servers redirect with 301 to 303, which would be without the message.
        """
        sent = response.request
        hops = sent.extensions.get(_HOPS, 0) + 1
        if following is None:
            problem = NO_ADDRESS
        elif not _stays(sent.url, following.url):
            problem = redirect_problem(sent.url, following.url)
        elif hops > _REDIRECTS:
            problem = too_many_redirects(_REDIRECTS)
        else:
            if following.method != sent.method:
                following = self._again(sent, following.url)
            following.extensions = {**sent.extensions, _HOPS: hops}
            response.next_request = following
            return
        response.next_request = None
        self._note(problem)
        if (exchange := current()) is not None:
            exchange.status, exchange.refused = response.status_code, True
        if self._stream is not None:
            # The library waits for an answer in the stream, and sends nothing any more
            await self._stream.aclose()

    def _again(self, sent: httpx2.Request, url: httpx2.URL) -> httpx2.Request:
        headers = {**sent.headers, "host": url.netloc.decode("ascii")}
        headers.pop("cookie", None)
        return self._client.build_request(sent.method, url, headers=headers, content=sent.content)

    def _note(self, problem: str) -> None:
        """Tell the task that the request is sent for what is wrong."""
        exchange = current()
        if exchange is not None:
            exchange.problem, exchange.says_why = problem, False

    async def answered(self, response: httpx2.Response) -> None:
        """Have the body counted as it is read, after it was unpacked."""
        if len(self._client.cookies) > _COOKIES:
            self._client.cookies.clear()
        note_date(response.request.url.host, response.headers.get("date"))
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        read = partial(self._told, response.request, response.aiter_bytes)
        if kind == "text/event-stream":
            vars(response)["aiter_bytes"] = partial(self._events, read)
        else:
            is_message = kind == "application/json" and response.status_code == 200
            vars(response)["aiter_bytes"] = partial(self._body, is_message, read)
        if response.has_redirect_location:
            # Whether it is followed is seen later
            return
        if self._older and response.request.method == "GET":
            self._stream = response
            self._reporter.stage = "stream"
        if response.request.method == "POST" or self._stream is response:
            await self._note_response(response, kind)

    async def _note_response(self, response: httpx2.Response, kind: str) -> None:
        """Tell the task that the request is sent for what is wrong with the response."""
        exchange, status = current(), response.status_code
        self._reporter.problem = None
        if exchange is None:
            return
        posted = self._older and self._stream is not response
        body = b""
        if (status >= 400 and kind != "text/event-stream") or "html" in kind:
            with suppress(httpx2.StreamError):
                body = await response.aread()
        accepted = posted and 200 <= status < 300 and kind != "text/html"
        exchange.says_why = kind == "application/json" and b'"error"' in body
        exchange.status = status
        has_session = posted or SESSION_ID in response.request.headers
        exchange.session_is_gone = has_session and is_about_session(status, body)
        exchange.refused = exchange.session_is_gone or is_refusal(status, kind, body)
        exchange.problem = None if accepted else await self._problem(response, kind, body)
        if posted and not accepted and self._stream is not None:
            # The library waits for an answer in the stream, and sends nothing any more
            await self._stream.aclose()

    async def _problem(self, response: httpx2.Response, kind: str, body: bytes) -> str | None:
        request, status = response.request, response.status_code
        if status == 400 and is_tls_port(body):
            return TLS_PORT
        if (
            status in _PROBED
            and not self._older
            and SESSION_ID not in request.headers
            and await self._is_older(request.url)
        ):
            return OLDER
        problem = response_problem(
            status,
            kind,
            older=self._older,
            page=titled(body) if "html" in kind else "",
            anonymous="authorization" not in request.headers,
        )
        if problem is not None and request.extensions.get(_HOPS):
            problem = f"redirects to {shown(request.url.path)}, and there {problem}"
        return problem

    async def _is_older(self, url: httpx2.URL) -> bool:
        """Whether a GET gets a stream of the older transport."""
        if self._streams_older is None:
            self._streams_older = False
            accept = {"accept": "text/event-stream"}
            with suppress(Exception):
                async with (
                    asyncio.timeout(_PROBE),
                    self._client.stream("GET", url, headers=accept) as response,
                ):
                    if response.headers.get("content-type", "").startswith("text/event-stream"):
                        async for event in response.aiter_bytes():
                            self._streams_older = _ENDPOINT.search(event) is not None
                            break
        return self._streams_older

    async def _told(
        self,
        request: httpx2.Request,
        read: Callable[..., AsyncGenerator[bytes]],
        chunk_size: int | None = None,
    ) -> AsyncGenerator[bytes]:
        """Yield a body; say what is wrong with it."""
        try:
            async with aclosing(read(chunk_size)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except Exception as error:
            self._note_problem(error, request)
            raise
        finally:
            if request.method == "GET" and not self._older:
                self._reporter.interrupted()

    async def _body(
        self,
        is_message: bool,
        read: Callable[..., AsyncGenerator[bytes]],
        chunk_size: int | None = None,
    ) -> AsyncGenerator[bytes]:
        body = bytearray()
        try:
            async with aclosing(read(chunk_size)) as chunks:
                async for chunk in chunks:
                    body += chunk
                    if len(body) > self._limit:
                        raise httpx2.StreamError(self._refused(too_large(self._limit)))
        except httpx2.RequestError as error:
            # Of any other error, the library would end the connection
            raise httpx2.StreamError(str(error)) from error
        if is_dense(body, self._limit):
            raise httpx2.StreamError(self._refused(too_dense(self._limit)))
        if is_message and (problem := body_problem(body)):
            self._note(problem)
        yield repaired(bytes(body))

    async def _events(
        self, read: Callable[..., AsyncGenerator[bytes]], chunk_size: int | None = None
    ) -> AsyncGenerator[bytes]:
        waiting, searched = bytearray(), 0
        async with aclosing(read(chunk_size)) as chunks:
            async for chunk in chunks:
                await self._flow.spend(chunk)
                waiting += chunk
                while blank := _BLANK_LINE.search(waiting, searched):
                    yield self._event(bytes(waiting[: blank.end()]))
                    del waiting[: blank.end()]
                    searched = 0
                searched = max(len(waiting) - 3, 0)
                if len(waiting) > self._limit:
                    raise httpx2.SSEError(self._refused(too_large(self._limit)))
        yield self._event(bytes(waiting))

    def _event(self, event: bytes) -> bytes:
        if _ENDPOINT.search(event[:200]):
            self._check_endpoint(event)
        if len(event) > self._limit:
            raise httpx2.SSEError(self._refused(too_large(self._limit)))
        if is_dense(event, self._limit):
            raise httpx2.SSEError(self._refused(too_dense(self._limit)))
        return repaired(event)

    def _check_endpoint(self, event: bytes) -> None:
        if not self._older:
            self._note(OLDER)
            raise httpx2.SSEError(f"The server {OLDER}.")
        data = _DATA.search(event)
        if data is not None and self._stream is not None:
            here = self._stream.request.url
            with suppress(httpx2.InvalidURL, UnicodeDecodeError):
                if problem := endpoint_problem(here, here.join(data[1].decode())):
                    self._note(problem)
                    raise httpx2.SSEError(f"The server {problem}.")

    def _refused(self, problem: str) -> str:
        self._reporter.refuse(problem)
        return f"The server {problem}."
