"""Text that tries to be more than a part of a line."""

from __future__ import annotations

FORGED = "2026-01-01 00:00:00,000 INFO chatkit_server.serve: all is well"
"""What a text wants a reader to take for a record of the server."""

BREAKS = ("\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
"""What some reader takes for the end of a line."""

CONTROLS = {
    "nul": "\x00",
    "bell": "\a",
    "backspace": "\b",
    "escape": "\x1b[2J\x1b]0;title\x07",
    "delete": "\x7f",
    "c1": "\x9b2J\x90\x9d",
    "bidi": "\u202e\u202d\u2066\u2067\u2068\u200e\u200f\u061c",
    "invisible": "\u200b\u2060\ufeff\xad\U000e0041",
    "fillers": "\u3164\u115f\u1160\uffa0\u2800\u180e\u034f\ufe0f\U0001d159",
    "signs": "\u0600\u0605\u06dd\u070f\u08e2\ufff9\ufffc\U000110bd\U00013430",
    "surrogate": "\ud800 \udcff",
}
"""What a terminal acts on, what a reader cannot see, and what cannot be written."""

HOSTILE = [f"x{end}{FORGED}" for end in BREAKS] + list(CONTROLS.values())
