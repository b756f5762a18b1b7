"""Record the terminal session that the README shows: `python docs/record.py` writes session.svg.

It runs the server with the default settings, asks it with curl, cuts the connection in the middle
of the answer, and asks for the rest. The lines and their times are real; ids and
long lines are shortened, and the demo model writes slower than usual so that there is a middle to
cut.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

HERE = Path(__file__).parent
URL = "http://127.0.0.1:8000/api/chat"
MESSAGE = '{"messages": [{"role": "user", "content": "add buy milk to my list"}]}'
CUT_AFTER = 4
"""The number of the last event that the client gets before its connection is cut."""

WIDTH, ROW, TOP, LEFT = 950, 19, 34, 18
COLUMNS = 116
READING = 1.2
"""Seconds of pause after a command, to read it."""
HOLD = 6.0
"""Seconds for which the whole session stays, before it begins again."""


class Line(NamedTuple):
    """A line of the terminal, and the second at which it appears."""

    at: float
    text: str
    kind: str


class Session:
    """The lines of a terminal, with the time that passes between them."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._started = time.monotonic()

    def add(self, text: str, kind: str) -> None:
        """Add a line that appears now."""
        self.lines.append(Line(time.monotonic() - self._started, text, kind))

    def prompt(self, command: str) -> None:
        """Add a command, and leave time to read it."""
        self.add(f"$ {command}", "prompt")
        time.sleep(READING)

    def ask(self, command: str) -> Iterator[str]:
        """Run a command of curl and yield its lines as they come; closing it is Ctrl-C."""
        self.prompt(command)
        arguments = [part for part in shlex.split(command) if part != "\\"]
        with subprocess.Popen([*arguments, "-s"], stdout=subprocess.PIPE, text=True) as curl:
            assert curl.stdout is not None
            try:
                for line in curl.stdout:
                    if line.strip():
                        self.add(line.rstrip(), "id" if line.startswith("id:") else "data")
                        yield line
            finally:
                curl.send_signal(signal.SIGINT)


def record(session: Session) -> None:
    """Play the session against a server that is ready."""
    turn = ""
    asking = session.ask(f"curl -N {URL} -d '{MESSAGE}'")
    for line in asking:
        if line.startswith("id: "):
            turn = line.removeprefix("id: ").partition(":")[0]
        if line.startswith("data: ") and len(data(session)) == CUT_AFTER:
            break
    asking.close()
    session.add("^C", "cut")
    time.sleep(READING)
    session.add("# The connection is gone. The answer went on; ask for the rest of it:", "comment")
    for _ in session.ask(f"curl -N '{URL}/turns/{turn}/events?after={CUT_AFTER}'"):
        pass


def data(session: Session) -> list[Line]:
    return [line for line in session.lines if line.text.startswith("data: ")]


def main() -> None:
    """Record the session and write the picture."""
    with TemporaryDirectory() as folder:
        settings = Path(folder, "settings.yaml")
        settings.write_text((HERE.parent / "settings.yaml").read_text("utf-8"), "utf-8")
        program = Path(sys.executable).with_name("chatkit-server")
        environ = os.environ | {"CHATKIT_PLUGINS__DEMO_MODEL__PACE": "250ms"}
        session = Session()
        session.prompt("chatkit-server run")
        with subprocess.Popen(
            [program, "run"],
            cwd=folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as server:
            assert server.stdout is not None
            assert server.stderr is not None
            for line in server.stdout:
                if line.startswith("Try it:"):
                    break
                session.add(line.rstrip().replace(folder, "/home/you/my-chat"), "data")
            # The to-do list is an MCP server, which is connected a moment later
            server.stderr.readline()
            record(session)
            server.send_signal(signal.SIGTERM)
            server.communicate()
    (HERE / "session.svg").write_text(picture(session.lines), "utf-8")


def picture(lines: list[Line]) -> str:
    """Return the session as an SVG whose lines appear at their times, over and over."""
    length = lines[-1].at + HOLD
    height = TOP + len(lines) * ROW + 18
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" '
            'aria-label="A terminal: an answer that is cut off and fetched to its end">',
            f"<style>{style(lines, length)}</style>",
            f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#0d1117"/>',
            *(
                f'<circle cx="{LEFT + 6 + 20 * n}" cy="20" r="6" fill="{colour}"/>'
                for n, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
            ),
            *(
                f'<text x="{LEFT}" y="{TOP + n * ROW}" class="{line.kind} l{n}" '
                f'xml:space="preserve">{escape(shortened(line.text))}</text>'
                for n, line in enumerate(lines, 1)
            ),
            "</svg>\n",
        ]
    )


def style(lines: list[Line], length: float) -> str:
    """Return the colours, and the time at which each line appears."""
    appear = "".join(
        f".l{n}{{animation-name:a{n}}}"
        f"@keyframes a{n}{{0%{{opacity:0}}{line.at / length:.2%}{{opacity:1}}to{{opacity:1}}}}"
        for n, line in enumerate(lines, 1)
    )
    return (
        "text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
        f"animation:{length:.1f}s step-end infinite}}"
        ".prompt{fill:#fff;font-weight:600}.data{fill:#c9d1d9}.id{fill:#6e7681}"
        ".cut{fill:#ff7b72}.comment{fill:#7ee787}"
        f"{appear}"
        "@media(prefers-reduced-motion){text{animation:none}}"
    )


def shortened(text: str) -> str:
    """Return a line with short ids, cut off where the picture ends."""
    text = re.sub(r"\b((?:thr|turn)_[0-9a-f]{8})[0-9a-f]{24}", r"\1…", text)
    return text if len(text) <= COLUMNS else f"{text[: COLUMNS - 1]}…"


if __name__ == "__main__":
    main()
