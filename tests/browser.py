"""Headless Chromium, driven over its DevTools protocol."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

COMMANDS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first starts a page in half of the time: it has no window, and no interface of its own."""

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-port=0",
)
PATIENCE = 60.0
"""Seconds that the browser may take to start on a cold disk, and a page to do what it is told."""


@contextmanager
def chromium(command: str, folder: Path) -> Iterator[int]:
    """Run the browser with a profile of its own in a folder, and yield its debugging port."""
    arguments = [command, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
    with (folder / "browser.log").open("wb") as log:
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield _port(process, folder)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(process: subprocess.Popen[bytes], folder: Path) -> int:
    file = folder / "DevToolsActivePort"
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        if file.exists() and (lines := file.read_text().splitlines()):
            return int(lines[0])
        time.sleep(0.02)
    raise AssertionError((folder / "browser.log").read_text(errors="replace"))


_ATTEMPTS = 3
"""Times to go to a page."""


class Page:
    """A tab."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._calls: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._listener = asyncio.create_task(self._listen())

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol, and return its result."""
        number = len(self._calls) + 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._calls[number] = answer
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(PATIENCE):
            return await answer

    async def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, awaited if it is a promise."""
        answer = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def open(self, url: str, ready: str) -> None:
        """Go to a page, and wait until an expression is true there."""
        for _ in range(_ATTEMPTS):
            # A new tab that still goes to its blank page, or a change of the network, ends it
            went = await self.call("Page.navigate", url=url)
            deadline = time.monotonic() + PATIENCE / _ATTEMPTS
            while time.monotonic() < deadline:
                if await self._is_true(ready):
                    return
        raise AssertionError(f"{url}: {ready} does not come true; {went}")

    async def _is_true(self, expression: str) -> bool:
        await asyncio.sleep(0.01)
        # The page may just be going away
        with suppress(AssertionError):
            return bool(await self.evaluate(expression))
        return False

    async def close(self) -> None:
        """Stop to listen; the browser closes the tab."""
        self._listener.cancel()
        await asyncio.gather(self._listener, return_exceptions=True)

    async def _listen(self) -> None:
        async for message in self._socket:
            answer = message.json()
            call = self._calls.get(answer.get("id"))
            if call is None or call.done():
                continue
            if "error" in answer:
                call.set_exception(AssertionError(answer["error"]))
            else:
                call.set_result(answer["result"])


@asynccontextmanager
async def new_page(port: int) -> AsyncIterator[Page]:
    """Open a tab in the browser with this debugging port."""
    url = f"http://127.0.0.1:{port}/json"
    async with ClientSession() as session:
        async with session.put(f"{url}/new?about:blank") as response:
            target = await response.json(content_type=None)
        async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            page = Page(socket)
            try:
                yield page
            finally:
                await page.close()
        async with session.get(f"{url}/close/{target['id']}"):
            pass
