"""What was met in place of an MCP server: in one line, what it was and what to do about it.

The client libraries keep the cause of few errors. `guard` and `stdio` see it where it happens, and
leave the words in the server's `Reporter`; `describe` finds them.
"""

from __future__ import annotations

import errno
import html
import os
import re
import shutil
import signal
import socket
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
from agents.exceptions import UserError
from agents.mcp import MCPServer
from mcp import MCPError
from mcp.types import CONNECTION_CLOSED, PARSE_ERROR, REQUEST_TIMEOUT
from pydantic import ValidationError

from ..bad_http import CHECK, http_problem
from ..masking import in_one_line
from .limits import McpRefused, Reporter, shown
from .outcome import CUT_OFF

LONGEST = 200
"""Characters that are quoted of what a server says."""

OLDER = (
    "this is the address of the older HTTP+SSE transport: set `transport: sse`, or `url` to the "
    "server's address for streamable HTTP, often `/mcp`"
)

_ADVICE = re.compile(r"[:;] .*", re.DOTALL)
"""What of a reason is for the operator: what may be the cause, and what to do."""

_ENCRYPTED = "the port speaks TLS; use `https://` in `url`"
_NOT_ENCRYPTED = "the port does not speak TLS; use `http://` in `url`, or the port for HTTPS"

_CLOSED = "closed the connection without an answer"

_STAGES = {
    "connect": "did not accept a connection in time; check the host and port in `url`, the DNS, "
    "and firewalls on the way",
    "tls": "accepted the connection, but did not complete the TLS handshake in time; if the port "
    "does not speak TLS, use `http://` in `url`",
    "answer": "accepted the connection, but did not answer in time; check `url`, and whether the "
    "server hangs",
    "body": "began an HTTP answer, but did not send an MCP message for the request in time; check "
    "`url`",
    "stream": "opened its event stream, but did not send the address for messages in time; check "
    "`url`, and if this server speaks streamable HTTP, remove `transport: sse`",
    "process": "was started, but did not answer in time; check whether it speaks MCP on standard "
    "input and output, and `args`",
    "running": "does not answer any more; check whether it hangs",
}

_OS = {
    errno.ECONNREFUSED: "refused the connection; check whether it runs, and the port in `url`",
    errno.ETIMEDOUT: _STAGES["connect"],
    errno.EHOSTUNREACH: "cannot be reached: no route to the host; check the address in `url`, and "
    "the network",
    errno.ENETUNREACH: "cannot be reached: no route to its network; check the address in `url`, "
    "and the network",
    errno.EACCES: "cannot be reached: this machine does not allow the connection; check its "
    "firewall",
    errno.EMFILE: "cannot be reached: this process has too many open files; raise its limit",
}
_OS[errno.EPERM] = _OS[errno.EACCES]

_CERTIFICATES = {
    9: "is not valid yet; check the clocks of both machines",
    10: "has expired; renew it",
    18: "is self-signed; give the server one that this machine trusts, or set SSL_CERT_FILE to a "
    "file with this one",
    19: "is from an authority that this machine does not trust; set SSL_CERT_FILE to a file with "
    "that authority's certificate",
    62: "is for another host name; check the host in `url`",
    64: "is for another address; use the server's host name in `url`",
}
_CERTIFICATES[20] = _CERTIFICATES[21] = _CERTIFICATES[19]

_TLS_TO_HTTP = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")
_HTTP_TO_TLS = re.compile(rb"to (?:an )?https (?:server|port)|ssl-enabled server port", re.I)
_BINARY = "illegal request line"
"""What h11 says of an answer that begins with a control character, as records of TLS do."""

_TITLE = re.compile(rb"<title[^>]{,1000}>(.{1,1000}?)</title", re.I | re.DOTALL)

_NO_REASON = re.compile(r"\s*at |Node\.js v|npm (?:error|ERR!) A complete log|\W*$")
_REASON = re.compile(r"error|exception|fatal|panic|cannot|can't|not found|missing|required", re.I)


def describe(error: BaseException, reporter: Reporter | None = None) -> str:
    """Return in one line what is wrong and what to do, without anything that may be secret.

    `reporter` knows what the server's connection met.
    """
    links = list(_links(error))
    for link in links:
        if isinstance(link, McpRefused):
            return str(link)
    if reporter is not None and reporter.problem is not None:
        return reporter.problem
    if any(map(_is_timeout, links)):
        return (reporter and _STAGES.get(reporter.stage or "")) or "timed out"
    for link in links:
        if problem := http_problem(link):
            return f"{problem}; {CHECK}"
    return network_problem(error) or _in_words(links[0])


def without_advice(reason: str) -> str:
    """Return a reason for users and models: the rest is for the operator."""
    return _ADVICE.sub("", reason)


def _in_words(error: BaseException) -> str:
    code = _code(error)
    if code is not None and str(error).startswith(CUT_OFF):
        return "ended its answer without the result; check the server, and proxies on the way"
    if code == CONNECTION_CLOSED or isinstance(
        error, EOFError | anyio.EndOfStream | anyio.ClosedResourceError | anyio.BrokenResourceError
    ):
        return "closed the connection"
    if code == PARSE_ERROR:
        return "answered with what is no MCP message; check `url`"
    if code is not None:
        said = in_one_line(str(error), LONGEST)
        return f"answered with the MCP error {code}: {said}"
    if isinstance(error, ValidationError):
        return "answered with a result that is not as MCP has it"
    if isinstance(error, UnicodeEncodeError):
        return "cannot be asked: `headers` have a character that HTTP does not allow"
    if isinstance(error, UserError):
        # With the reason phrase of the server's response, and `/readyz` shows it to strangers
        return in_one_line(str(error).rpartition("': ")[2].rstrip("."), LONGEST)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def network_problem(error: BaseException, stage: str | None = None) -> str | None:
    """Return what is wrong with the network or with TLS, None if this is another error.

    `stage` is how far the request had come.
    """
    links = list(_links(error, contexts=True))
    names = {type(link).__name__ for link in links}
    for link in links:
        if isinstance(link, socket.gaierror):
            return _dns_problem(link)
        if isinstance(link, ssl.SSLError) or type(link).__name__ == "SSLError":
            return _tls_problem(link)
    if str(links[0]) == _BINARY:
        return f"answered with what is not HTTP, probably TLS: if so, {_ENCRYPTED}"
    numbers = {link.errno for link in links if isinstance(link, OSError)}
    for number, words in _OS.items():
        if number in numbers and (number != errno.ETIMEDOUT or stage in (None, "connect")):
            return words
    if "ProxyError" in names:
        return "cannot be reached through the proxy that HTTP_PROXY or HTTPS_PROXY names; check it"
    if "LocalProtocolError" in names:
        return "cannot be asked: a value in `headers` is not valid in HTTP; check them"
    if "UnsupportedProtocol" in names or "InvalidURL" in names:
        return "cannot be asked: this is no address for HTTP; check `url`"
    if "DecodingError" in names:
        return "sent an answer that cannot be unpacked; check the server, and proxies on the way"
    if names & {"ConnectTimeout", "ReadTimeout", "WriteTimeout"}:
        return _STAGES.get(stage or "answer", _STAGES["answer"])
    if stage == "tls":
        return f"closed the connection during the TLS handshake; {_NOT_ENCRYPTED}"
    if _is_closed(error, names):
        if stage in (None, "answer"):
            return f"{_CLOSED}; check `url`, and whether its port speaks HTTPS"
        return "broke off its answer; check the server, and proxies on the way"
    return None


def _is_closed(error: BaseException, names: set[str]) -> bool:
    if names & {"ReadError", "WriteError", "CloseError", "ConnectionResetError", "BrokenPipeError"}:
        return True
    return "RemoteProtocolError" in names and http_problem(error) is None


def _dns_problem(error: socket.gaierror) -> str:
    if error.errno == socket.EAI_AGAIN:
        return (
            "its host name could not be looked up: the DNS does not answer, or does not know it; "
            "check the host in `url`, and the DNS of this machine"
        )
    return "its host name was not found in the DNS; check the host in `url`"


def _tls_problem(error: BaseException) -> str:
    code = getattr(error, "verify_code", None)
    if code in _CERTIFICATES:
        return f"its TLS certificate {_CERTIFICATES[code]}"
    if message := getattr(error, "verify_message", None):
        return f"its TLS certificate is not accepted: {in_one_line(message, LONGEST)}"
    reason = str(getattr(error, "reason", None) or "")
    if reason in _TLS_TO_HTTP:
        return f"did not answer in TLS: {_NOT_ENCRYPTED}"
    if reason == "CERTIFICATE_VERIFY_FAILED":
        return f"its TLS certificate is not accepted: {in_one_line(str(error), LONGEST)}"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or not reason:
        return f"closed the connection during the TLS handshake; {_NOT_ENCRYPTED}"
    words = reason.lower().replace("_", " ")
    return f"the TLS handshake failed: {words}; check its TLS settings, and the port in `url`"


def is_tls_port(body: bytes) -> bool:
    """Whether an error page says that plain HTTP was sent to a port for HTTPS."""
    return _HTTP_TO_TLS.search(body[:2000]) is not None


TLS_PORT = f"wants HTTPS: {_ENCRYPTED}"


def titled(body: bytes) -> str:
    """Return the title of a web page, in words; nothing if it has none."""
    match = _TITLE.search(body)
    if match is None:
        return ""
    title = in_one_line(html.unescape(match[1].decode(errors="replace")), 80)
    return f' titled "{title}"' if title else ""


def body_problem(body: bytes | bytearray) -> str | None:
    """Return what is wrong with JSON that has to be a message, None if it may be one."""
    begin = body.lstrip()[:1]
    if not begin:
        return "answered with an empty body (HTTP 200); check `url`, and proxies on the way"
    if begin not in b"{[":
        return f"answered with what is not JSON, though it says so: {_quoted(body)}; check `url`"
    if b'"jsonrpc"' not in body:
        return f"answered with JSON that is no MCP message: {_quoted(body)}; check `url`"
    return None


def endpoint_problem(here: Any, there: Any) -> str | None:
    """Return what is wrong with the address for messages that the older transport names."""
    if (here.scheme, here.host, here.port) == (there.scheme, there.host, there.port):
        return None
    return (
        f"names another address for messages, {_origin(there)}; have the server or its proxy name "
        "the one in `url`, or only its path"
    )


def redirect_problem(here: Any, there: Any) -> str:
    """Return why a redirect is not followed; both are the addresses, of `httpx2.URL`."""
    place = _origin(there)
    if (here.scheme, there.scheme) == ("https", "http") and here.host == there.host:
        return (
            f"redirects from https to {place}, where `headers` would go unencrypted; add or remove "
            "the `/` at the end of `url`, or have the server trust the proxy's X-Forwarded-Proto"
        )
    return (
        f"redirects to another address, {shown(there.host)}, where `headers` and conversations "
        f"would go; if {place} is right, set `url` to an address there, or else check whether a "
        "login page is in front of the server"
    )


NO_ADDRESS = "redirects to what is no address; check `url`, and proxies on the way"


def too_many_redirects(most: int) -> str:
    """Return what a server did that redirects without end."""
    return f"redirects in a circle, or more than {most} times; check `url`, and proxies on the way"


def command_problem(error: OSError, command: str, cwd: Any, env: Mapping[str, str]) -> str:
    """Return why a process could not be started."""
    if cwd is not None and not Path(cwd).is_dir():
        return "its folder does not exist; check `cwd`"
    found = shutil.which(command, path=env.get("PATH"))
    path = Path(command)
    if os.sep in command:
        path = path if cwd is None else Path(cwd) / path
        found = str(path) if path.exists() else None
    if isinstance(error, FileNotFoundError):
        if found is not None:
            return "the program that its first line (`#!`) names was not found; install it"
        return (
            "the command was not found; install it, or write its full path in `command`, without "
            "arguments"
        )
    if isinstance(error, PermissionError):
        if path.is_dir():
            return "the command is a folder; write the program's path in `command`"
        return "the command is not executable, or not for this user; check its permissions"
    if error.errno == errno.ENOEXEC:
        return (
            "the command is no program for this machine; if it is a script, put the program that "
            "runs it in `command`, and the script in `args`"
        )
    return f"the command could not be started: {error.strerror or type(error).__name__}"


def exit_problem(status: int, output: list[str], junk: str | None) -> str:
    """Return how a process ended; `output` is the end of its standard error.

    `junk` is what it wrote to its standard output that is no message.
    """
    if status < 0:
        try:
            how = f"was killed by {signal.Signals(-status).name}"
        except ValueError:
            how = f"was killed by signal {-status}"
    else:
        how = f"exited with status {status}"
    if reason := last_words(output):
        return f'{how}; it wrote: "{reason}"'
    if junk is not None:
        return f'{how}; it wrote to its standard output: "{junk}"'
    return f"{how}, and wrote nothing; check `args`, `env` and `cwd`"


def hang_problem(output: list[str], junk: str | None) -> str:
    """Return what is known of a process that does not answer."""
    if junk is not None:
        return (
            f'was started, but wrote no MCP message to its standard output: "{junk}"; check '
            "whether it speaks MCP there, and logs to standard error"
        )
    if reason := last_words(output):
        return f'was started, but did not answer in time; it wrote: "{reason}"'
    return _STAGES["process"]


def last_words(output: list[str]) -> str:
    """Return the line of a program's output that most likely says why it failed."""
    lines = [line for line in output if not _NO_REASON.match(line)]
    reasons = [line for line in lines if _REASON.search(line)] or lines
    return in_one_line(reasons[-1], LONGEST) if reasons else ""


def address(server: MCPServer) -> str | None:
    """Return where a server is: host and port, or the command without arguments.

    Paths, queries, arguments and headers may have secrets.
    """
    params = getattr(server, "params", None)
    if isinstance(params, Mapping) and isinstance(params.get("url"), str):
        return urlsplit(params["url"]).netloc.rpartition("@")[2]
    command = getattr(params, "command", None)
    return f"command {command}" if isinstance(command, str) else None


def _origin(url: Any) -> str:
    return in_one_line(str(url.copy_with(userinfo=b"", raw_path=b"/", fragment=None)), LONGEST)[:-1]


def _quoted(body: bytes | bytearray) -> str:
    return f'"{in_one_line(body[: 4 * LONGEST].decode(errors="replace"), 80)}"'


def _links(error: BaseException | None, *, contexts: bool = False) -> Iterator[BaseException]:
    """Yield an error and all that it was raised from, those of groups too, but not the groups.

    HTTP libraries hide some causes: they are `contexts`.
    """
    waiting, seen = [error], set[int]()
    while waiting:
        link = waiting.pop(0)
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        if isinstance(link, BaseExceptionGroup):
            waiting += link.exceptions
        else:
            yield link
            waiting.append(link.__cause__ or (link.__context__ if contexts else None))


def _is_timeout(error: BaseException) -> bool:
    if isinstance(error, TimeoutError):
        # With a number, it is the operating system's
        return error.errno is None
    return _code(error) == REQUEST_TIMEOUT


def _code(error: BaseException) -> int | None:
    return error.code if isinstance(error, MCPError) else None
