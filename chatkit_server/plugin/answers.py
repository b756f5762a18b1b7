"""What each hook may return: one table, checked at boot or at the call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pkgutil import resolve_name
from typing import Any, get_args, get_origin

_SAME_WORD = 0.85
"""How alike two names are that differ by a letter."""

Check = Callable[[Any], str | None]
"""Returns what came instead, such as `a str`; None if the answer fits."""


@dataclass(frozen=True)
class Answer:
    """What a hook may return, in words and as a check; None always passes on to the next plugin."""

    words: str
    check: Check


def wrong_answer(hook: str, answer: Any) -> str | None:
    """Return what is wrong with a hook's answer, None if it fits."""
    if answer is None:
        return None
    expected = ANSWERS[hook]
    came = expected.check(answer)
    return None if came is None else f"returned {came}, expected {expected.words}"


def wrong_turn(turn: Any) -> str | None:
    """Return what a `pre_turn` hook has set to a wrong type, None if all fits."""
    for name, expected in TURN_FIELDS.items():
        came = expected.check(getattr(turn, name))
        if came is not None:
            return f"set `turn.{name}` to {came}, expected {expected.words}"
    return None


def likely_typo(turn: Any) -> str | None:
    """Return what an attribute that a plugin has added to a turn was likely meant to be."""
    for name in turn.model_extra or ():
        if near := get_close_matches(name, TURN_FIELDS, n=1, cutoff=_SAME_WORD):
            return f"set `turn.{name}`, which the server does not read: did it mean `{near[0]}`?"
    return None


def _described(value: Any) -> str:
    """Name the type of a value, never the value: it may be a secret."""
    if inspect.iscoroutine(value):
        value.close()
        return "a coroutine (an `await` is missing)"
    if inspect.isclass(value):
        return f"the class {value.__name__} (create an instance)"
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"


@cache
def _class(name: str) -> type:
    """Import a class by its public name: most of these libraries take long to import."""
    found: type = resolve_name(name)
    return found


@cache
def _event_classes() -> tuple[type, ...]:
    return get_args(get_args(resolve_name("chatkit.types.ThreadStreamEvent"))[0])


def _nothing(value: Any) -> str | None:
    return _described(value)


def _lifetime(value: Any) -> str | None:
    return None if inspect.isasyncgen(value) else _described(value)


@cache
def _tool_classes() -> tuple[type, ...]:
    return tuple(get_origin(kind) or kind for kind in get_args(resolve_name("agents.Tool")))


def _instance(name: str) -> Check:
    return lambda value: None if isinstance(value, _class(name)) else _described(value)


def _either(*checks: Check) -> Check:
    return lambda value: None if any(c(value) is None for c in checks) else _described(value)


def _none(value: Any) -> str | None:
    return None if value is None else _described(value)


def _tool(value: Any) -> str | None:
    return None if isinstance(value, _tool_classes()) else _described(value)


def _user(value: Any) -> str | None:
    if not isinstance(value, _class("chatkit_server.User")):
        return _described(value)
    fields = {name: getattr(value, name) for name in ("id", "tenant")}
    for name, found in fields.items():
        if not isinstance(found, str):
            return f"a User with {_described(found)} as `{name}`"
    return None if fields["id"] else "a User with an empty `id`"


def _held(value: Any) -> str | None:
    is_held = isinstance(value, Mapping) or hasattr(value, "__aiter__")
    return None if is_held else _described(value)


def _part(value: Any) -> str | None:
    known = isinstance(value, Mapping) and str(value.get("type", "")).startswith("input_")
    return None if known else _described(value)


def _list_of(check: Check) -> Check:
    def check_all(value: Any) -> str | None:
        if not isinstance(value, list | tuple):
            return _described(value)
        return _first_wrong(value, enumerate(value), check, "at index")

    return check_all


def _mapping_of(check: Check) -> Check:
    def check_all(value: Any) -> str | None:
        if not isinstance(value, Mapping):
            return _described(value)
        for key in value:
            if not isinstance(key, str):
                return f"{_described(value)} with {_described(key)} as a key"
        return _first_wrong(value, value.items(), check, "for")

    return check_all


def _first_wrong(
    whole: Any, parts: Iterable[tuple[Any, Any]], check: Check, where: str
) -> str | None:
    for key, part in parts:
        if came := check(part):
            return f"{_described(whole)} with {came} {where} {key!r}"
    return None


def _event(value: Any) -> str | None:
    return None if isinstance(value, _event_classes()) else _described(value)


def _events(value: Any) -> str | None:
    if isinstance(value, list | tuple):
        return _list_of(_event)(value)
    # Those of an iterator are not known yet. An event is iterable itself, as a pydantic model is
    iterator = hasattr(value, "__aiter__") or hasattr(value, "__next__")
    response = isinstance(value, _class("chatkit.types.SyncCustomActionResponse"))
    return None if iterator or response else _described(value)


def _stream(value: Any) -> str | None:
    response = isinstance(value, _class("chatkit.types.SyncCustomActionResponse"))
    return _described(value) if response else _events(value)


def _providers(value: Any) -> str | None:
    if came := _mapping_of(_instance("agents.ModelProvider"))(value):
        return came
    wrong = next((prefix for prefix in value if "/" in prefix), None)
    return None if wrong is None else f"a dict with the prefix {wrong!r}"


def _one(name: str) -> Answer:
    article = "an" if name[0] == "a" else "a"
    return Answer(f"{article} {name} or None", _instance(name))


_told = _either(_instance("builtins.str"), _instance("chatkit_server.Finding"))


ANSWERS: Mapping[str, Answer] = {
    "setup": Answer("nothing: `setup` adds to `app`", _lifetime),
    "store": _one("chatkit.store.Store"),
    "turn_store": _one("chatkit_server.storage.TurnStore"),
    "event_log": _one("chatkit_server.storage.EventLog"),
    "attachment_store": _one("chatkit.store.AttachmentStore"),
    "model_providers": Answer(
        "a dict of prefixes (without `/`) and agents.ModelProvider, or None",
        _providers,
    ),
    "mcp_servers": Answer(
        "a list of agents.mcp.MCPServer, or None", _list_of(_instance("agents.mcp.MCPServer"))
    ),
    "tortoise_apps": Answer(
        "a dict of labels and dicts, or None", _mapping_of(_instance("collections.abc.Mapping"))
    ),
    "cli": Answer("nothing: `cli` adds to `commands`", _nothing),
    "check": Answer(
        "a list of str and chatkit_server.Finding, or None",
        _list_of(_either(_instance("builtins.str"), _instance("chatkit_server.Finding"))),
    ),
    "migrate": Answer("a list of str, or None", _list_of(_instance("builtins.str"))),
    "export": Answer(
        "a dict, an async iterator of dicts and chatkit_server.UserFile, or None", _held
    ),
    "erase": Answer("a dict of names and counts, or None", _mapping_of(_instance("builtins.int"))),
    "auth": Answer(
        "a chatkit_server.User (`id`: a str, not empty; `tenant`: a str) or None", _user
    ),
    "context": Answer("anything", lambda value: None),
    "ready": Answer(
        "a str, a chatkit_server.Finding, a dict of names and these or None, or None",
        _either(_told, _mapping_of(_either(_told, _none))),
    ),
    "admit": Answer("nothing: `admit` raises to refuse a turn", _lifetime),
    "agent": _one("agents.Agent"),
    "pre_turn": Answer("nothing: `pre_turn` changes `turn`", _nothing),
    "respond": Answer(
        "a list or async iterator of chatkit.types.ThreadStreamEvent, or None", _stream
    ),
    "tool_result": Answer("nothing: `tool_result` changes `result`", _nothing),
    "persist": Answer("nothing", _nothing),
    "post_turn": Answer("nothing", _nothing),
    "action": Answer(
        "a list or async iterator of chatkit.types.ThreadStreamEvent, a "
        "chatkit.types.SyncCustomActionResponse, or None",
        _events,
    ),
    "scan": Answer("nothing: `scan` raises to refuse a file", _nothing),
    "attachment_input": Answer("a list of parts, which are dicts, or None", _list_of(_part)),
    "transcribe": Answer("a str or None", _instance("builtins.str")),
    "feedback": Answer("a bool or None", _instance("builtins.bool")),
}

_STR = _instance("builtins.str")

TURN_FIELDS: Mapping[str, Answer] = {
    "context": Answer(
        "a chatkit.agents.AgentContext or None",
        _either(_instance("chatkit.agents.AgentContext"), _none),
    ),
    "instructions": Answer("a str or None", _either(_STR, _none)),
    "model": Answer(
        "a str, an agents.Model, or None", _either(_STR, _instance("agents.Model"), _none)
    ),
    "model_settings": Answer("an agents.ModelSettings", _instance("agents.ModelSettings")),
    "tools": Answer("a list of agents.Tool", _list_of(_tool)),
    "mcp_servers": Answer(
        "a list of agents.mcp.MCPServer", _list_of(_instance("agents.mcp.MCPServer"))
    ),
    "input": Answer(
        "a str, or a list of input items, which are dicts",
        _either(_STR, _list_of(_instance("collections.abc.Mapping"))),
    ),
    "stream_converter": Answer(
        "a chatkit.agents.ResponseStreamConverter or None",
        _either(_instance("chatkit.agents.ResponseStreamConverter"), _none),
    ),
    "stream_options": Answer(
        "a chatkit.types.StreamOptions", _instance("chatkit.types.StreamOptions")
    ),
}
"""What `pre_turn` may set of a turn."""
