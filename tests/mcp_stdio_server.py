"""A real MCP server on standard input and output: `python -m tests.mcp_stdio_server [FIFO]`.

Calls of `slow` wait until the test has opened the named pipe to write, and closed it again.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.mcp_tools import build


async def _gate() -> None:
    await asyncio.to_thread(Path(sys.argv[1]).read_text)


if __name__ == "__main__":
    build("stdio", _gate).run("stdio")
