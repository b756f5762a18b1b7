"""Factories: a server with the plugins a test needs, and a client for it."""

from __future__ import annotations

import compileall
import gc
import logging
import os
import re
import signal
import sys
import threading
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import AsyncExitStack
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import chatkit_plugins
import pytest
from aiohttp.test_utils import TestClient

import chatkit_server
from chatkit_server.masking import SECRETS
from chatkit_server.testing.model_server import ModelServer
from tests.client import Chat
from tests.databases import DATABASES, new_url
from tests.disks import small_disk
from tests.replicas import Replica, Start, replica
from tests.serving import served_app

# The Agents SDK exports traces in a thread, and warns of it in the middle of any test
logging.getLogger("openai.agents").addFilter(
    lambda record: "skipping trace export" not in record.getMessage()
)

MakeChat = Callable[..., Awaitable[Chat]]

# llama.cpp's server, which comes with the extra `llama`
collect_ignore = [] if find_spec("xllamacpp") and find_spec("gguf") else ["test_llama.py"]


_NOT_OURS = re.compile(r"/(template|node_modules)/")


def pytest_sessionstart() -> None:
    """Compile the server once: where `PYTHONDONTWRITEBYTECODE` is set, each process would."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        for package in (chatkit_server, chatkit_plugins):
            compileall.compile_dir(str(Path(str(package.__file__)).parent), quiet=2, rx=_NOT_OURS)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage among what is imported: that takes a third of the time.

    The rewritten tests are kept: all processes together would take a minute to rewrite them again.
    """
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = False
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        sys.dont_write_bytecode = before


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Collect the garbage of each test, and fail the test for what nobody has closed.

    Otherwise, it would be another test that fails, where the collector runs by chance. What is left
    is not looked through again, which takes most of the time once LiteLLM is imported.
    """
    done = yield
    if problems := _collected():
        report = pytest.TestReport(
            item.nodeid, item.location, {}, "failed", "\n".join(problems), "teardown"
        )
        item.ihook.pytest_runtest_logreport(report=report)
    return done


def _collected() -> list[str]:
    """Collect garbage, and return the errors and warnings that came of it."""
    problems: list[str] = []
    before = sys.unraisablehook
    sys.unraisablehook = lambda error: problems.append(
        f"in the garbage of this test: {error.exc_value!r}, {error.object!r}"
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            gc.collect()
    finally:
        sys.unraisablehook = before
    gc.freeze()
    return problems


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Use one process more than there are cores: tests wait for browsers, servers and databases."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(autouse=True, scope="session")
def known_entry_points() -> Iterator[None]:
    """Look once in a folder for the plugins installed there: each server looks in a hundred."""

    @cache
    def found(path: tuple[str, ...], group: str) -> EntryPoints:
        return entry_points(group=group)

    with pytest.MonkeyPatch.context() as patch:
        for module in ("plugin.discovery", "logs"):
            patch.setattr(
                f"chatkit_server.{module}.entry_points",
                lambda group: found(tuple(sys.path), group),
            )
        yield


@pytest.fixture(autouse=True)
def no_secrets() -> Iterator[None]:
    """Forget the secrets of a test, which the process would hide in the logs of all others."""
    yield
    SECRETS.forget()


@pytest.fixture
def kept_process() -> Iterator[None]:
    """Put back what the command `run` changes in this process: signals, the log, the hooks."""
    environment = dict(os.environ)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    root = logging.getLogger()
    level, of_the_root = root.level, root.handlers[:]
    levels = {logger: logger.level for logger in _loggers()}
    yield
    logging.captureWarnings(False)
    for logger in _loggers():
        logger.setLevel(levels.get(logger, logging.NOTSET))
    root.setLevel(level)
    root.handlers[:] = of_the_root
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    for number, handler in handlers.items():
        signal.signal(number, handler)
    os.environ.clear()
    os.environ.update(environment)


def _loggers() -> list[logging.Logger]:
    known = logging.getLogger().manager.loggerDict.values()
    return [logger for logger in known if isinstance(logger, logging.Logger)]


@pytest.fixture
def in_vienna(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's clock shows another time than UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "CET-1")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def make_chat(aiohttp_client: Callable[..., Awaitable[TestClient[Any, Any]]]) -> MakeChat:
    """Return a factory: `await make_chat(plugin, ..., agent={...}, plugins={...})`.

    It takes what `served_app` takes.
    """

    async def make(*given: object, **sections: Any) -> Chat:
        app, path = served_app(*given, **sections)
        return Chat(await aiohttp_client(app), path)

    return make


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind, without rows."""
    return new_url(request.param, tmp_path)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of the test's own."""
    with small_disk(tmp_path / "disk") as folder:
        yield folder


@pytest.fixture
async def start(url: str, model_server: ModelServer) -> AsyncIterator[Start]:
    """Return a factory of servers on one database: `await start(plugin, ...)`."""
    async with AsyncExitStack() as stack:

        async def start(*plugins: object, **sections: Any) -> Replica:
            opened = replica(url, model_server, plugins, sections)
            return await stack.enter_async_context(opened)

        yield start
