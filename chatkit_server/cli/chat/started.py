"""A server that is started for one conversation, on a free port of this machine."""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from yarl import URL

from ...errors import SettingsError

_LISTENS = re.compile(r"listens on (http://\S+)")
_LOOK = 0.05
"""Seconds between two looks at what it has said."""


@asynccontextmanager
async def started_server(settings: Path) -> AsyncIterator[URL]:
    """Run `chatkit-server run` with these settings, and stop it at the end.

    Raises `SettingsError` with what it said if it does not start.
    """
    with tempfile.TemporaryFile() as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "chatkit_server", "run"),
            *("--host", "127.0.0.1", "--port", "0", "--settings", str(settings)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            # Ctrl-C is for the conversation
            start_new_session=True,
        )
        try:
            while True:
                ended = process.returncode is not None
                said.seek(0)
                text = said.read().decode(errors="replace")
                if found := _LISTENS.search(text):
                    break
                if ended:
                    raise SettingsError(f"the server has not started:\n{text.strip()}")
                await asyncio.sleep(_LOOK)
            yield URL(found[1])
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
