"""What a plugin may cost the others: the time of its hooks, and what their failures do."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from ..errors import SettingsError
from ..settings.hooks import HookSettings
from ..settings.problems import Problems, nearest
from ..version import API_VERSION
from .checks import specs

SKIPPABLE = (
    "admit",
    "agent",
    "pre_turn",
    "respond",
    "tool_result",
    "persist",
    "post_turn",
    "action",
    "attachment_input",
    "transcribe",
    "feedback",
)
"""Hooks without which a turn may go on. Without the others, a stranger or a virus would get in,
or the server would not be what the settings say."""

_ONLY_BY_NAME = ("tool_result",)
"""Hooks that may take secrets out of what others see: `skip` for a whole plugin is not for them."""

_POLICIES = ("fail", "skip")

_IN_TURNS = ("admit", "agent", "pre_turn", "respond", "tool_result", "persist")
"""Hooks whose failure ends a turn."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one hook of one plugin.

    `setting` is the one that the time limit comes from. `skips`: the turn goes on without it.
    """

    limit: float
    setting: str = "hooks.timeout"
    skips: bool = False
    needed: bool = False
    breakable: bool = False


def terms_of(settings: HookSettings, plugin: str, hook: str, owner: object) -> Terms:
    """Return the terms by the settings, else by the plugin, else for every plugin."""
    mine = f"hooks.timeouts.{plugin}"
    limits: Any = getattr(owner, "hook_timeouts", None) or {}
    found: tuple[float, str] = settings.timeout, "hooks.timeout"
    if hook in limits:
        found = limits[hook], mine
    given = settings.timeouts.get(plugin)
    if isinstance(given, dict):
        if hook in given:
            found = given[hook], f"{mine}.{hook}"
    elif given is not None:
        found = given, mine
    skips = hook in SKIPPABLE and _policy(settings, plugin, hook, owner) == "skip"
    needed = hook in _IN_TURNS and not skips
    return Terms(*found, skips, needed, hook in SKIPPABLE and settings.breaker is not None)


def _policy(settings: HookSettings, plugin: str, hook: str, owner: object) -> str:
    for said in (settings.policies.get(plugin), getattr(owner, "policy", None)):
        if isinstance(said, Mapping):
            if hook in said:
                return str(said[hook])
        elif said in _POLICIES and not (said == "skip" and hook in _ONLY_BY_NAME):
            return str(said)
    return "fail"


def check_terms(name: str, plugin: object) -> None:
    """Raise `SettingsError` for what a plugin says of itself that cannot be."""
    problems = Problems()
    where = f"plugin {name}"
    with problems.collect():
        _check_api(where, getattr(plugin, "requires_api", None))
    policy = getattr(plugin, "policy", None)
    # A module or a class may have a function of this name, for its own use
    if policy is not None and not inspect.isroutine(policy):
        _check_policy(problems, f"{where}: policy", policy)
    limits = getattr(plugin, "hook_timeouts", None)
    if limits is not None:
        _check_limits(problems, f"{where}: hook_timeouts", limits)
    problems.raise_any()


def _check_api(where: str, wanted: Any) -> None:
    if wanted is None:
        return
    try:
        if not isinstance(wanted, str):
            raise InvalidSpecifier
        exact = wanted[:1].isdigit()
        asked = SpecifierSet(f">={wanted},<{Version(wanted).major + 1}" if exact else wanted)
    except (InvalidSpecifier, InvalidVersion):
        raise SettingsError(
            f'{where}: requires_api must be a version such as "1.0", or a range such as '
            f'">=1.0,<3", not {wanted!r}'
        ) from None
    if asked.contains(API_VERSION, prereleases=True):
        return
    advice = "install a version of the plugin for it, or another chatkit-server"
    if any(one.operator in (">=", ">", "==", "~=") and _above(one.version) for one in asked):
        advice = "update chatkit-server, or install an older version of the plugin"
    raise SettingsError(
        f"{where}: it requires the plugin API {wanted}, and this chatkit-server has {API_VERSION}: "
        f"{advice}"
    )


def _above(version: str) -> bool:
    return Version(version.removesuffix(".*")) > Version(API_VERSION)


def _check_policy(problems: Problems, where: str, policy: Any) -> None:
    if not isinstance(policy, Mapping):
        if policy not in _POLICIES:
            problems.lines.append(
                f'{where}: expected "fail", "skip", or a dict of these by hook, not {policy!r}'
            )
        return
    check_hook_names(problems, where, policy)
    for hook, said in policy.items():
        if said not in _POLICIES:
            problems.lines.append(f'{where}: {hook}: expected "fail" or "skip", not {said!r}')
    check_skips(problems, where, policy)


def check_skips(problems: Problems, where: str, policy: Mapping[str, Any]) -> None:
    """Add a line for each hook that is never skipped."""
    for hook, said in policy.items():
        if said == "skip" and hook in specs() and hook not in SKIPPABLE:
            problems.lines.append(
                f"{where}: {hook}: this hook is never skipped, as what it guards would then be "
                f"open, or missing. Hooks that may be: {', '.join(SKIPPABLE)}"
            )


def _check_limits(problems: Problems, where: str, limits: Any) -> None:
    if not isinstance(limits, Mapping):
        problems.lines.append(f"{where}: expected a dict of seconds by hook, not {limits!r}")
        return
    check_hook_names(problems, where, limits)
    for hook, seconds in limits.items():
        good = isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0
        if not good:
            problems.lines.append(f"{where}: {hook}: expected seconds above 0, not {seconds!r}")


def check_hook_names(problems: Problems, where: str, names: Iterable[str]) -> None:
    """Add a line for each name that is no hook."""
    for hook in names:
        if hook not in specs():
            told = f"{where}: `{hook}` is not a hook.{nearest(str(hook), specs())}"
            problems.lines.append(f"{told} Hooks: {', '.join(specs())}")
