"""`settings.yaml` and `CHATKIT_*` variables become validated settings, or one clear error."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from ..errors import SettingsError

ENV_PREFIX = "CHATKIT_"
KeyPath = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)

_VARIABLE = re.compile(r"(\$?)\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")
_MERGE = "tag:yaml.org,2002:merge"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d+)\s*(B|kB|MB|GB)")
_BYTES = {"B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3}
_SECRET = re.compile(r"key|secret|token|password|authorization|url", re.IGNORECASE)


def _duration(value: Any) -> Any:
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError("expected a duration such as 250ms, 10s or 5m")
        return float(match[1]) * _SECONDS[match[2]]
    raise ValueError("expected a duration with its unit, such as 250ms, 10s or 5m")


def _size(value: Any) -> Any:
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise ValueError("expected a size such as 64kB or 16MB")
        return int(match[1]) * _BYTES[match[2]]
    raise ValueError("expected a size with its unit, such as 64kB or 16MB")


def _nothing_is_empty(value: Any) -> Any:
    return {} if value is None else value


def _comma_separated(value: Any) -> Any:
    if value is None:
        return []
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


Duration = Annotated[float, BeforeValidator(_duration), Field(gt=0)]
"""Seconds as a float; written `250ms`, `10s`, `5m`, `2h` or `1d`."""

Size = Annotated[int, BeforeValidator(_size), Field(gt=0)]
"""Bytes as an int; written `512B`, `64kB`, `16MB` or `1GB`, in powers of 1000."""

CommaList = Annotated[list[str], BeforeValidator(_comma_separated)]
"""A list, or a string with commas."""


class Section(BaseModel):
    """A part of the settings: no unknown keys, no changes after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _only_a_heading(cls, data: Any) -> Any:
        return _nothing_is_empty(data)


class ServerSettings(Section):
    """Where the server listens, and for whom."""

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    path: str = Field("/api/chat", pattern=r"^/[^\s?#]*[^\s?#/]$")
    cors_origins: CommaList = Field(default_factory=list)
    cors_credentials: bool = True
    max_body: Size = 16_000_000
    keep_alive: Duration = 15.0
    drain: Duration = 30.0


class HistorySettings(Section):
    """How much of the earlier conversation the model is told; a token counts as four bytes."""

    items: int = Field(50, ge=1)
    tokens: int = Field(32_000, ge=1)


class AgentSettings(Section):
    """The agent that answers when no plugin brings another."""

    name: str = "Assistant"
    model: str = "demo/todo"
    models: CommaList = Field(default_factory=list)
    instructions: str = "You are a helpful assistant."
    model_settings: dict[str, Any] = Field(default_factory=dict)
    max_turns: int = Field(10, ge=1)
    tracing: bool = False
    history: HistorySettings = HistorySettings()


class DisconnectSettings(Section):
    """What a closed connection does to the turn it watched."""

    policy: Literal["cancel", "continue"] = "cancel"
    grace: Duration = 5.0


class TurnLimits(Section):
    """What a turn may take. `user` and `server` count turns at once, `steps` is `agent.max_turns`.

    `silence` is the longest time without an event while no tool runs. `message` and `answer` are
    the sizes of the user's message and of an answer's text, `tool_output` that of a tool's answer;
    what is beyond it is cut off.
    """

    turn: Duration = 600.0
    silence: Duration = 180.0
    tool: Duration = 60.0
    message: Size = 200_000
    answer: Size = 1_000_000
    tool_output: Size = 100_000
    user: int = Field(10, ge=1)
    server: int = Field(1000, ge=1)


class TurnSettings(Section):
    """How turns run, and what ends them.

    `when_busy` is what a new message does to a running turn of its thread. `keep` is how long the
    events of a turn that has ended can be followed, while all such events take up to `keep_size`.
    `repeat` is how long an equal request from the same page counts as a repetition. `stale` is how
    long a process may give no sign of life before another one ends its turns.
    """

    disconnect: DisconnectSettings = DisconnectSettings()
    when_busy: Literal["interrupt", "reject", "queue"] = "interrupt"
    limits: TurnLimits = TurnLimits()
    keep: Duration = 600.0
    keep_size: Size = 16_000_000
    repeat: Duration = 60.0
    stale: Duration = 8.0


class HookSettings(Section):
    """How long a plugin's hook may take; `timeouts` has other limits for plugins, by name."""

    timeout: Duration = 5.0
    timeouts: dict[str, Duration] = Field(default_factory=dict)


class LogSettings(Section):
    """What the server itself logs, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(Section):
    """A deployment. `plugins` keeps each plugin's own section as it was written."""

    server: ServerSettings = ServerSettings()
    agent: AgentSettings = AgentSettings()
    turns: TurnSettings = TurnSettings()
    hooks: HookSettings = HookSettings()
    log: LogSettings = LogSettings()
    plugin_dirs: list[Path] = Field(default_factory=list)
    plugins: Annotated[dict[str, dict[str, Any] | None], BeforeValidator(_nothing_is_empty)] = (
        Field(default_factory=dict)
    )

    _source: Source = PrivateAttr(default_factory=lambda: Source())

    @property
    def source(self) -> Source:
        """Where these settings were written, for error messages."""
        return self._source


@dataclass(frozen=True)
class Source:
    """Where each key was written: a line of the file (from 1), or an overriding variable.

    `variables` are the names inside `${...}` for the keys whose text had some.
    """

    file: Path | None = None
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    variables: Mapping[KeyPath, str] = field(default_factory=dict)
    overrides: Mapping[KeyPath, str] = field(default_factory=dict)

    def where(self, path: KeyPath) -> str:
        """Return `file:line: path`, with the line of the nearest key that was written down.

        A key that came from a variable such as `CHATKIT_SERVER__PORT` is `variable: path`.
        """
        dotted = _dotted(path)
        for end in range(len(path), 0, -1):
            if variable := self.overrides.get(path[:end]):
                return f"{variable}: {dotted}"
            if line := self.lines.get(path[:end]):
                return f"{self.file}:{line}: {dotted}"
        return ": ".join(str(part) for part in (self.file, dotted) if part)


def load(file: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and validate a settings file; variables come from `environ`.

    Raises `SettingsError` with the file, the line, the path of the key, and what was expected.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"{file.absolute()}: no such file. Pass the settings with --settings FILE, or run "
            "where settings.yaml is."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read: {error}") from None
    reader = _Reader(file, environ)
    data = reader.read(text)
    source = Source(file, reader.lines, reader.variables, _override(data, environ))
    settings = validate(Settings, data, source)
    if "plugin_dirs" in data:
        directories = [file.parent / directory for directory in settings.plugin_dirs]
    else:
        directories = [d for d in (file.parent / "plugins",) if d.is_dir()]
    loaded = settings.model_copy(update={"plugin_dirs": directories})
    loaded._source = source
    return loaded


def validate(model: type[M], data: Mapping[str, Any], source: Source, base: KeyPath = ()) -> M:
    """Validate the section at `base` against its model.

    Unknown keys are refused, except where the model says `extra` itself. Raises `SettingsError`
    with one line for each thing that is wrong.
    """
    try:
        return model.model_validate(data, extra=model.model_config.get("extra", "forbid"))
    except ValidationError as error:
        problems = [_explain(problem, model, data, source, base) for problem in error.errors()]
        raise SettingsError("\n".join(dict.fromkeys(problems))) from None


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint at the known name that looks most like `name`, or an empty string."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean `{matches[0]}`?" if matches else ""


class _Reader:
    """Turns YAML into values, and remembers the line and the variables of each key."""

    def __init__(self, file: Path, environ: Mapping[str, str]) -> None:
        self.file = file
        self.environ = environ
        self.lines: dict[KeyPath, int] = {}
        self.variables: dict[KeyPath, str] = {}
        self.constructor = yaml.SafeLoader("")

    def read(self, text: str) -> dict[str, Any]:
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
            data = None if root is None else self.value(root, ())
        except yaml.MarkedYAMLError as error:
            # str(error) quotes the text around the mistake, which may be a secret
            mark = error.problem_mark or error.context_mark
            line = "" if mark is None else f":{mark.line + 1}"
            told = ", ".join(part for part in (error.context, error.problem) if part)
            raise SettingsError(f"{self.file}{line}: not valid YAML: {told}") from None
        except yaml.YAMLError as error:
            told = " ".join(str(error).split())
            raise SettingsError(f"{self.file}: not valid YAML: {told}") from None
        except RecursionError:
            raise SettingsError(
                f"{self.file}: nested too deeply, or an alias stands inside its own anchor"
            ) from None
        if data is not None and not isinstance(data, dict):
            raise SettingsError(f"{self.file}:1: expected sections such as `server:`, `plugins:`")
        return data or {}

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self.lines.setdefault(path, _line(node))
        if isinstance(node, yaml.MappingNode):
            pairs = self.pairs(node)
            for key, (key_node, _) in pairs.items():
                self.lines[(*path, key)] = _line(key_node)
            return {key: self.value(child, (*path, key)) for key, (_, child) in pairs.items()}
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*path, i)) for i, child in enumerate(node.value)]
        return self.scalar(node, path)

    def pairs(self, node: yaml.MappingNode) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Return the key and value nodes by key; those of `<<:` first, and overridden."""
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key_node, value_node in node.value:
            where = f"{self.file}:{_line(key_node)}"
            if key_node.tag == _MERGE:
                for other in self.merged(value_node, where):
                    merged = {**self.pairs(other), **merged}
            elif not isinstance(key_node, yaml.ScalarNode):
                raise SettingsError(f"{where}: a key must be a plain word")
            elif key_node.value in own:
                raise SettingsError(f"{where}: `{key_node.value}` is written twice here; keep one")
            else:
                own[key_node.value] = key_node, value_node
        return {**merged, **own}

    def merged(self, node: yaml.Node, where: str) -> list[yaml.MappingNode]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        sections = [other for other in nodes if isinstance(other, yaml.MappingNode)]
        if len(sections) < len(nodes):
            raise SettingsError(f"{where}: `<<` takes a section, or a list of sections")
        return sections

    def scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        if "${" in node.value:
            return _VARIABLE.sub(lambda match: self.variable(match, node, path), node.value)
        try:
            return self.constructor.construct_object(node)
        except (yaml.YAMLError, ValueError):
            kind = node.tag.rpartition(":")[2]
            raise SettingsError(
                f"{self.file}:{_line(node)}: {_dotted(path)}: cannot be read as {kind}; "
                "put it in quotes if it is text"
            ) from None

    def variable(self, match: re.Match[str], node: yaml.Node, path: KeyPath) -> str:
        escape, name, default = match.groups()
        if escape:
            return match[0][1:]
        where = f"{self.file}:{_line(node)}: {_dotted(path)}"
        if name is None:
            raise SettingsError(
                f"{where}: write ${{NAME}} or ${{NAME:-default}}, and $${{ for the characters ${{"
            )
        names = [self.variables[path]] if path in self.variables else []
        self.variables[path] = ", ".join([*names, name])
        value = self.environ.get(name) or default
        if value is None:
            raise SettingsError(
                f"{where}: the environment variable {name} is not set, or empty. "
                f"Set it, or write a default: ${{{name}:-value}}"
            )
        return value


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _dotted(path: KeyPath) -> str:
    return ".".join(str(part) for part in path)


def _override(data: dict[str, Any], environ: Mapping[str, str]) -> dict[KeyPath, str]:
    """Put `CHATKIT_SERVER__PORT=9000` and the like into the data read from the file.

    Returns the variable's name for each key it gave, the sections it made included.
    """
    given: dict[KeyPath, str] = {}
    for variable in sorted(environ):
        keys = variable.removeprefix(ENV_PREFIX).lower().split("__")
        if not variable.startswith(ENV_PREFIX) or len(keys) < 2:
            continue
        section: Any = data
        for depth, key in enumerate(keys[:-1], 1):
            if key not in section:
                given[tuple(keys[:depth])] = variable
            if section.get(key) is None:
                section[key] = {}
            section = section[key]
            if not isinstance(section, dict):
                raise SettingsError(f"{variable}: `{_dotted(tuple(keys[:depth]))}` is no section")
        section[keys[-1]] = environ[variable] or None
        given[tuple(keys)] = variable
    return given


def _explain(
    problem: ErrorDetails,
    model: type[BaseModel],
    data: Mapping[str, Any],
    source: Source,
    base: KeyPath,
) -> str:
    kind, location = problem["type"], problem["loc"]
    path = (*base, *_keys_in(data, location, keep_last=kind == "missing"))
    where = source.where(path)
    if kind == "extra_forbidden":
        known = _fields_at(model, location[:-1])
        hint = nearest(str(location[-1]), known)
        return f"{where}: unknown key.{hint} Known here: {', '.join(sorted(known))}"
    if kind == "missing":
        return f"{where}: this key is needed and missing"
    if kind in ("dict_type", "model_type"):
        return f"{where}: expected a section, with keys of its own"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{where}: {message}{_shown(problem['input'], path, source)}"


def _shown(given: Any, path: KeyPath, source: Source) -> str:
    """Return what was given instead, unless it may be a secret."""
    starts = [path[:end] for end in range(len(path), 0, -1)]
    if any(start in source.overrides for start in starts):
        return ""
    for start in starts:
        if start in source.variables:
            return f" (its value is taken from the variable {source.variables[start]})"
    if given is None:
        return ", and it is empty"
    secret = any(_SECRET.search(str(part)) for part in path)
    if secret or not isinstance(given, str | int | float | bool):
        return ""
    return f", not {given!r}"


def _keys_in(data: Any, location: KeyPath, *, keep_last: bool) -> KeyPath:
    """Return `location` without the names of types, which pydantic adds for unions."""
    path: list[str | int] = []
    for position, part in enumerate(location, 1):
        keys = range(len(data)) if isinstance(data, list) else data
        if isinstance(keys, Mapping | range) and part in keys:
            data = data[part]
        elif not (keep_last and position == len(location)):
            continue
        path.append(part)
    return tuple(path)


def _fields_at(model: type[BaseModel], location: KeyPath) -> list[str]:
    """Return the names of the keys that the models at `location` take."""
    models = [model]
    for part in location:
        named = [f for m in models for n, f in m.model_fields.items() if part in (n, f.alias)]
        if named:
            models = [inner for f in named for inner in _models_in(f.annotation)]
        else:
            models = [m for m in models if m.__name__ == part] or models
    names = [f.alias or name for m in models for name, f in m.model_fields.items()]
    return list(dict.fromkeys(names))


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
