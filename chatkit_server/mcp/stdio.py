"""MCP over a child process's standard input and output, with limits.

The MCP library's own client reads lines of any length, and leaves standard error to the child.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from functools import partial

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client.stdio import StdioServerParameters, _stop_server_process, get_default_environment
from mcp.os.posix.utilities import terminate_posix_process_tree
from mcp.shared.message import SessionMessage
from mcp.types import (
    CONNECTION_CLOSED,
    INTERNAL_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCRequest,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from ..masking import in_one_line
from .failures import command_problem, exit_problem, hang_problem
from .limits import Flow, McpLimits, Reporter, is_dense, too_dense, too_large
from .lines import Lines, Overlong
from .outcome import NOT_SENT
from .output import Output
from .repair import repaired

_GONE = (anyio.ClosedResourceError, anyio.BrokenResourceError, anyio.EndOfStream, OSError)

_CHUNK = 65_536
_FLUSH = 0.5

_ID_FIRST = re.compile(rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(\d{1,18})\s*[,}]')
_ID_LAST = re.compile(
    rb'"id"\s*:\s*(\d{1,18})\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$', re.ASCII
)
_JUNK = 100
_PROBE = "server/discover"
"""What servers of older protocols do not know."""
_LAST = 0.5
"""Seconds for the exit status and the last output of a process that ended."""
_SKIPPED = 20
"""How much cheaper it is to skip a byte than to read it."""

Read = MemoryObjectReceiveStream[SessionMessage | Exception]
Write = MemoryObjectSendStream[SessionMessage]


@asynccontextmanager
async def stdio_streams(
    params: StdioServerParameters, limits: McpLimits, reporter: Reporter
) -> AsyncGenerator[tuple[Read, Write]]:
    """Start the process, and stop it with all that it has started when the block ends.

    Its standard error goes to the log, line by line, as far as it is not too much.
    """
    reporter.begin("process")
    env = get_default_environment() | (params.env or {})
    try:
        process = await anyio.open_process(
            [params.command, *params.args], env=env, cwd=params.cwd, start_new_session=True
        )
    except OSError as error:
        reporter.problem = command_problem(error, params.command, params.cwd, env)
        raise
    child = _Child(process, params, limits, reporter)
    async with anyio.create_task_group() as group:
        group.start_soon(child.read)
        group.start_soon(child.write)
        group.start_soon(child.output.read)
        try:
            yield child.received, child.to_send
        finally:
            with anyio.CancelScope(shield=True):
                await child.stop()
            group.cancel_scope.cancel()


class _Child:
    def __init__(
        self,
        process: Process,
        params: StdioServerParameters,
        limits: McpLimits,
        reporter: Reporter,
    ) -> None:
        self._process = process
        self._params = params
        self._limit = limits.message
        self._reporter = reporter
        self._flow = Flow(limits.message, reporter)
        self._parsed, self.received = anyio.create_memory_object_stream[SessionMessage | Exception](
            0
        )
        self.to_send, self._sent = anyio.create_memory_object_stream[SessionMessage](0)
        self._written = anyio.Event()
        assert process.stderr is not None
        self.output = Output(partial(_chunk, process.stderr), reporter)
        self._junk: str | None = None
        self._stopping = False
        self._writing = anyio.Lock()

    async def read(self) -> None:
        """Read messages until the end of standard output; skip the rest when nobody wants them."""
        assert self._process.stdout is not None
        lines = Lines(self._limit)
        async with self._parsed:
            while chunk := await _chunk(self._process.stdout):
                if lines.overlong:
                    await self._flow.spend_bytes(len(chunk) // _SKIPPED)
                else:
                    await self._flow.spend(chunk)
                try:
                    for line in lines.feed(chunk):
                        message = self._message(line)
                        if message is not None:
                            self._works()
                            await self._parsed.send(message)
                except _GONE:
                    break
            # Requests are told first that they were not sent
            with anyio.move_on_after(_FLUSH):
                async with self._writing:
                    pass
            if lines.rest.strip():
                self._note_junk(bytes(lines.rest))
            await self._note_end("output")
        while await _chunk(self._process.stdout):
            pass

    async def _note_end(self, closed: str) -> None:
        """Tell how the process ended, with the last that it wrote."""
        if self._stopping:
            return
        with anyio.move_on_after(_LAST):
            await self._process.wait()
            await self.output.ended.wait()
        status = self._process.returncode
        if status is None:
            self._reporter.problem = f"closed its standard {closed}, which ends the connection"
        else:
            self._reporter.problem = exit_problem(status, self.output.last(), self._junk)

    def _works(self) -> None:
        """Note a message; before the first, junk may be the reason why there is none."""
        if self._reporter.stage != "running":
            self._reporter.stage = "running"
            self._warn_of_junk()

    def _note_junk(self, line: bytes) -> None:
        """Tell what the process wrote that is no message, and go on."""
        self._junk = in_one_line(line.decode(errors="replace"), _JUNK)
        if self._reporter.stage == "running":
            self._warn_of_junk()

    def _warn_of_junk(self) -> None:
        if self._junk is None:
            return
        self._reporter.note(
            f'wrote no MCP message to its standard output: "{self._junk}"; it has to log to its '
            "standard error"
        )

    def _message(self, line: bytes | Overlong) -> SessionMessage | Exception | None:
        if isinstance(line, Overlong):
            return self._refused(line, too_large(self._limit))
        if is_dense(line, self._limit):
            return self._refused(Overlong.of(line), too_dense(self._limit))
        try:
            text = repaired(line).decode(self._params.encoding, self._params.encoding_error_handler)
            return SessionMessage(jsonrpc_message_adapter.validate_json(text, by_name=False))
        except (ValidationError, UnicodeError) as error:
            if b'"jsonrpc"' in line:
                return error
            if line.strip():
                self._note_junk(line)
            return None

    def _refused(self, line: Overlong, problem: str) -> SessionMessage | Exception:
        self._reporter.refuse(problem)
        found = _ID_FIRST.match(line.begin) or _ID_LAST.search(line.end)
        if found is None:
            return ValueError(problem)
        error = ErrorData(code=INTERNAL_ERROR, message=f"The server {problem}.")
        return SessionMessage(JSONRPCError(jsonrpc="2.0", id=int(found[1]), error=error))

    async def write(self) -> None:
        """Write messages until there are no more."""
        assert self._process.stdin is not None
        try:
            async with self._sent:
                async for message in self._sent:
                    async with self._writing:
                        await self._write(message.message, self._process.stdin)
        except _GONE:
            # The process may live on: without this, requests would wait for it
            await self._parsed.aclose()
        finally:
            self._written.set()

    async def _write(self, message: JSONRPCMessage, stream: ByteSendStream) -> None:
        if isinstance(message, JSONRPCRequest):
            self._flow.earn()
            if message.method == _PROBE:
                self.output.probed()
        text = message.model_dump_json(by_alias=True, exclude_unset=True)
        data = f"{text}\n".encode(self._params.encoding, self._params.encoding_error_handler)
        try:
            await stream.send(data)
        except _GONE:
            await self._note_end("input")
            await self._not_sent(message)
            raise

    async def _not_sent(self, message: JSONRPCMessage) -> None:
        """Say that the process did not get a request: it is safe to send it again."""
        if isinstance(message, JSONRPCRequest):
            error = ErrorData(code=CONNECTION_CLOSED, message=NOT_SENT)
            with suppress(*_GONE):
                await self._parsed.send(
                    SessionMessage(JSONRPCError(jsonrpc="2.0", id=message.id, error=error))
                )

    async def stop(self) -> None:
        """Send what was accepted, and end the process."""
        self._note_hang()
        self._stopping = True
        self.received.close()
        self.to_send.close()
        with anyio.move_on_after(_FLUSH):
            await self._written.wait()
        await _stop_server_process(self._process)
        # It waits for the process only, and leaves what that has started
        await terminate_posix_process_tree(self._process, _FLUSH)
        with anyio.move_on_after(_LAST):
            await self.output.ended.wait()
        if self._process.stderr is not None:
            await self._process.stderr.aclose()
        for stream in (self._parsed, self._sent):
            await stream.aclose()

    def _note_hang(self) -> None:
        """Keep for the end of the time to connect what the process has said until now."""
        if self._reporter.problem is None and self._reporter.stage == "process":
            self._reporter.problem = hang_problem(self.output.last(), self._junk)


async def _chunk(stream: ByteReceiveStream) -> bytes:
    """Return the next bytes, none at the end of the stream."""
    try:
        return await stream.receive(_CHUNK)
    except _GONE:
        return b""
