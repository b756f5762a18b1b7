"""The servers to compare, each as a command, and the model server that all of them use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .attacks import MODEL
from .load import Load
from .postgres import postgres
from .processes import Server, python, serving
from .redis import redis

CORES = len(os.sched_getaffinity(0))
"""Workers of a server with one for each core."""


@dataclass(frozen=True)
class Kind:
    """A kind of server: `items` says whether it sends finished items.

    One that is not `usual` is measured only if it is named. One with `redis` finds a Redis at
    `REDIS_URL`, one with `postgres` a PostgreSQL at `DATABASE_URL`. It has so many `workers`: as
    often as those of other servers, chats are kept with it.
    """

    name: str
    title: str
    command: Callable[[str, Path], list[str]]
    items: bool = True
    usual: bool = True
    redis: bool = False
    postgres: bool = False
    workers: int = 1


@dataclass(frozen=True)
class Target:
    """A server under load."""

    kind: Kind
    server: Server

    def load(self, tokens: int, **options: Any) -> Load:
        """Return a load for this server, not started yet."""
        server = self.server
        return Load(server.pid, server.port, server.path, self.kind.items, tokens, **options)


def _floor(model: str, folder: Path) -> list[str]:
    return python("benchmarks.floor", model)


def _official(model: str, folder: Path) -> list[str]:
    return python("benchmarks.official", model)


def _official_litellm(model: str, folder: Path) -> list[str]:
    return python("benchmarks.official", model, "--litellm")


def _ours(model: str, folder: Path) -> list[str]:
    return ours(write_settings(folder / "ours", "bench/bench", _compatible(model)))


def _ours_workers(model: str, folder: Path) -> list[str]:
    settings = write_settings(folder / "ours-workers", "bench/bench", _compatible(model))
    return [*ours(settings), "--workers", "auto"]


def _ours_postgres(model: str, folder: Path) -> list[str]:
    return ours(write_settings(folder / "ours-postgres", "bench/bench", _on_postgres(model)))


def _ours_workers_postgres(model: str, folder: Path) -> list[str]:
    name = folder / "ours-workers-postgres"
    settings = write_settings(name, "bench/bench", _on_postgres(model))
    return [*ours(settings), "--workers", "auto"]


def _ours_redis(model: str, folder: Path) -> list[str]:
    plugins = {"redis_events": {"url": "${REDIS_URL}"}, **_compatible(model)}
    return ours(write_settings(folder / "ours-redis", "bench/bench", plugins))


def _ours_run(model: str, folder: Path) -> list[str]:
    plugins = {"benchmarks.every_run": None, **_compatible(model)}
    return ours(write_settings(folder / "ours-run", "bench/bench", plugins))


def _ours_litellm(model: str, folder: Path) -> list[str]:
    plugins = {"litellm_models": {"providers": {"openai": _at(model)}}}
    return ours(write_settings(folder / "ours-litellm", "litellm/openai/bench", plugins))


KINDS = {
    kind.name: kind
    for kind in (
        Kind("floor", "the floor", _floor, items=False),
        Kind("ours", "this server", _ours),
        Kind(
            "ours-workers",
            "this server, a worker for each core",
            _ours_workers,
            usual=False,
            workers=CORES,
        ),
        Kind(
            "ours-postgres",
            "this server on PostgreSQL",
            _ours_postgres,
            usual=False,
            postgres=True,
        ),
        Kind(
            "ours-workers-postgres",
            "this server on PostgreSQL, a worker for each core",
            _ours_workers_postgres,
            usual=False,
            postgres=True,
            workers=CORES,
        ),
        Kind("ours-redis", "this server with redis_events", _ours_redis, usual=False, redis=True),
        Kind("ours-run", "this server, a run for each turn", _ours_run),
        Kind("official", "the official SDK", _official),
        Kind("ours-litellm", "this server through LiteLLM", _ours_litellm),
        Kind("official-litellm", "the official SDK through LiteLLM", _official_litellm),
    )
}


def _compatible(model: str) -> dict[str, Any]:
    return {"compatible_models": {"endpoints": {"bench": _at(model)}}}


def _on_postgres(model: str) -> dict[str, Any]:
    return {"tortoise_store": {"url": "${DATABASE_URL}"}, **_compatible(model)}


def _at(model: str) -> dict[str, str]:
    return {"base_url": model, "api_key": "none"}


def ours(settings: Path) -> list[str]:
    """Return the command that runs this server with a settings file."""
    return python("chatkit_server", "run", "--port", "0", "--settings", str(settings))


def write_settings(
    folder: Path, model: str, models: dict[str, Any], **sections: dict[str, Any]
) -> Path:
    """Write settings with the default plugins and one that implements every hook.

    The database is a file in `folder`. Users are told apart, and many may ask at once. `models` are
    further plugins; further settings of the agent may be among the `sections`.
    """
    folder.mkdir()
    settings = {
        **sections,
        "agent": {"model": model, **sections.get("agent", {})},
        "turns": {"limits": {"server": 5000}},
        "plugins": {
            "benchmarks.every_hook": None,
            "anonymous_auth": {"user_header": "X-User"},
            "tortoise_store": {"url": f"sqlite://{folder / 'chatkit.db'}"},
            "demo_model": None,
            "todo_mcp": None,
            **models,
        },
    }
    file = folder / "settings.yaml"
    file.write_text(yaml.safe_dump(settings, sort_keys=False))
    return file


def write_abused(folder: Path, model: str, hostile: str) -> Path:
    """Write settings with a hostile model and a hostile MCP server beside the usual ones.

    No address of this machine is taken for a proxy, so that each has a limit of connections.
    """
    endpoints = {"bench": _at(model), "hostile": _at(f"{hostile}v1")}
    plugins = {
        "compatible_models": {"endpoints": endpoints},
        "mcp_servers": {"servers": [{"name": "hostile", "url": f"{hostile}mcp"}]},
    }
    agent = {"models": [MODEL]}
    server: dict[str, Any] = {"trusted_proxies": []}
    return write_settings(folder, "bench/bench", plugins, agent=agent, server=server)


@contextmanager
def model_server() -> Iterator[str]:
    """Run the model server; the value is its base URL."""
    with serving(python("benchmarks.model")) as server:
        yield server.url


@contextmanager
def target(kind: Kind, model: str, folder: Path) -> Iterator[Target]:
    """Run a server of this kind, and warm it up with a few turns. Its data goes to `folder`."""
    with (
        redis() if kind.redis else nullcontext("") as redis_url,
        postgres() if kind.postgres else nullcontext("") as url,
        serving(kind.command(model, folder), REDIS_URL=redis_url, DATABASE_URL=url) as server,
    ):
        running = Target(kind, server)
        running.load(20, chats=4, turns=8).drive()
        yield running
