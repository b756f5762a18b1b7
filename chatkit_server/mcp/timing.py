"""How long the connection to an MCP server may take for what it does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class McpTiming:
    """Timeouts and intervals for MCP servers, in seconds.

    `start`: how long the start of this server waits for them. `recover`: how long a turn waits for
    one that was lost a moment ago, and `call` how long its calls do. `check`: the limit for looking
    whether a session works. `check_after`: a turn looks if a connection was silent for this long.
    `check_every`: the interval while no turn uses it. `retry_first`, `retry_most`: the first and
    the longest pause between attempts to connect; each pause doubles the last. `retry_asked`: the
    longest pause if turns ask for the server, or cannot begin without it. `list_pause`: the pause
    between two lists of tools, however often the server says that they have changed. `close`: the
    limit for closing, and `leave` that for closing a session over HTTP that does not work.
    `renewals`: how many lost connections are made anew without a pause, and one more each 10 s.
    `doubts`: how many failed calls begin a new session, in case the server does not know the old
    one, and one more each 20 s.
    """

    start: float = 1.0
    recover: float = 2.0
    call: float = 8.0
    check: float = 5.0
    check_after: float = 15.0
    check_every: float = 60.0
    retry_first: float = 0.5
    retry_most: float = 60.0
    retry_asked: float = 5.0
    list_pause: float = 2.0
    close: float = 8.0
    leave: float = 1.0
    renewals: int = 6
    doubts: int = 3
