"""A token of this server costs little more than it must: a guard against slips by a lot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks import every_hook
from benchmarks.servers import KINDS, Target, model_server, target
from chatkit_server.plugin import hookspecs

GENEROUS = 3
"""How many times the goal a figure may be: other work shares the machine."""

TOKENS = 250
"""So many that what turns cost besides, which varies more, does not matter much."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Target, Target]]:
    """Run this server and the floor, on one model server."""
    folder = tmp_path_factory.mktemp("speed")
    with (
        model_server() as model,
        target(KINDS["floor"], model, folder) as floor,
        target(KINDS["ours"], model, folder) as ours,
    ):
        yield ours, floor


@pytest.mark.parametrize(
    ("goal", "load"),
    [
        pytest.param(1.5, {"chats": 10, "interval": 5}, id="one by one"),
        pytest.param(2.0, {"chats": 8, "turns": 2}, id="at once"),
    ],
)
def test_a_token_costs_little_more_than_at_the_floor(
    servers: tuple[Target, Target], goal: float, load: dict[str, Any]
) -> None:
    ours, floor = (cost_of_the_tokens(on, load) for on in servers)
    assert ours < GENEROUS * goal * floor


def cost_of_the_tokens(on: Target, load: dict[str, Any]) -> float:
    """Return the processor time of a turn's tokens beyond the first, without the turn's own."""
    whole, one = (on.load(tokens, **load).drive().cpu_per_turn for tokens in (TOKENS, 1))
    return whole - one


def test_the_plugin_of_the_benchmark_implements_every_hook() -> None:
    specs = {name for name, spec in vars(hookspecs).items() if hasattr(spec, "chatkit_server_spec")}
    hooks = {
        name for name, hook in vars(every_hook).items() if hasattr(hook, "chatkit_server_impl")
    }
    assert hooks == specs
