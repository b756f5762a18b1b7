"""The fixtures `chatkit_client` and `model_server`; pytest loads this by its entry point."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from pytest_asyncio import fixture

    from .app import GivenModel
    from .client import ChatClient
    from .model_server import ModelServer
else:
    try:
        from pytest_asyncio import fixture
    except ImportError:

        def fixture(function):
            """Have the tests that use it told what is missing."""

            @pytest.fixture(name=function.__name__)
            def missing():
                pytest.fail(
                    f"the fixture `{function.__name__}` needs pytest-asyncio: "
                    "pip install 'chatkit-server[dev]'",
                    pytrace=False,
                )

            return missing


def pytest_configure(config: pytest.Config) -> None:
    """Leave out a warning that ChatKit's package gives of itself as it is imported."""
    ours = "ignore:Direct usage of named widget classes:DeprecationWarning"
    config.addinivalue_line("filterwarnings", ours)
    # `-W error` counts more than any line of a file
    given = config.known_args_namespace.pythonwarnings
    if given:
        given.append(ours)


class MakeClient(Protocol):
    """What the fixture `chatkit_client` is."""

    def __call__(
        self, *plugins: object, model: GivenModel = None, **sections: Any
    ) -> Awaitable[ChatClient]:
        """Start a server with these plugins and sections of settings; return its client."""
        ...


@fixture
async def chatkit_client() -> AsyncIterator[MakeClient]:
    """A factory of servers: `client = await chatkit_client(plugin, ..., agent={...})`.

    It takes the plugins, `model=` as `make_app` does, and the sections of the settings, or
    `settings=` with a path or `Settings`. All servers are stopped after the test.
    """
    # Here, so that pytest starts at once in projects that don't use it
    from .app import open_client

    async with AsyncExitStack() as stack:

        async def make(*plugins: object, model: GivenModel = None, **sections: Any) -> ChatClient:
            settings = sections.pop("settings", None)
            if settings is not None and sections:
                raise TypeError(f"give `settings` or {', '.join(map(repr, sections))}, not both")
            given = sections if settings is None else settings
            return await stack.enter_async_context(open_client(given, plugins, model=model))

        yield make


@fixture
async def model_server() -> AsyncIterator[ModelServer]:
    """An OpenAI-compatible model server of the test's own."""
    from .model_server import ModelServer

    async with ModelServer() as server:
        yield server
