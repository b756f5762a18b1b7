"""Which model answers."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from agents import (
    Agent,
    Model,
    ModelProvider,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
)
from agents.models import get_default_model_settings
from chatkit.types import UserMessageItem
from pydantic import BaseModel, ValidationError

from ..errors import BadRequest, SettingsError, TurnFailed
from ..plugin.calls import Hooks
from ..settings.agents import AgentParts
from ..settings.problems import nearest
from ..settings.schema import AgentSettings
from ..settings.source import KeyPath, Source
from ..words import words
from .fast.direct import MAX_TOOLS

USUAL_DEFAULTS = ("openai", "")
"""Prefixes of names without one, the first that has a provider: the Agents SDK means OpenAI."""


class ModelRouter(ModelProvider):
    """All model providers; the part of a name before the first `/` chooses one.

    A name without a `/` goes to the provider with the prefix `default`. Without a `default`, that
    is `openai`, or else the provider of all other names, where there is one.
    """

    def __init__(self, hooks: Hooks, default: str | None = None) -> None:
        self._providers: dict[str, ModelProvider] = {}
        self._owners = owners = dict[str, str]()
        for plugin, providers in hooks.boot_all("model_providers"):
            for prefix, provider in providers.items():
                if prefix in owners:
                    raise SettingsError(
                        f"plugin {plugin}: the models `{prefix}/…` are already served by the "
                        f"plugin {owners[prefix]}; enable one of the two"
                    )
                owners[prefix] = plugin
                self._providers[prefix] = provider
        usual = next((prefix for prefix in USUAL_DEFAULTS if prefix in self._providers), "")
        self.default = usual if default is None else default

    def check_default(self) -> None:
        """Raise `SettingsError` if no plugin has the provider of names without a prefix."""
        if not self.default or self.default in self._providers:
            return
        hint = nearest(self.default, self._providers)
        raise SettingsError(
            f"no enabled plugin serves the models `{self.default}/…`.{hint} Known prefixes: "
            f"{', '.join(p for p in self.prefixes if p) or 'none'}"
        )

    @property
    def prefixes(self) -> list[str]:
        """The prefixes that have a provider; `""` is the provider of all others."""
        return sorted(self._providers)

    def get_model(self, model_name: str | None) -> Model:
        """Return the model of this name, such as `demo/todo`.

        Raises `TurnFailed` when no provider serves it.
        """
        name = model_name or ""
        provider, rest = self._serving(name)
        if provider is None:
            raise TurnFailed(self._unserved(name))
        return provider.get_model(rest)

    async def aclose(self) -> None:
        """Close the connections of all providers, as a server does when it stops."""
        for provider in {id(each): each for each in self._providers.values()}.values():
            await provider.aclose()

    def owner(self, name: str) -> str | None:
        """Return the plugin that serves this model, None if there is none."""
        provider, _ = self._serving(name)
        found = (prefix for prefix, each in self._providers.items() if each is provider)
        return next((self._owners[prefix] for prefix in found), None)

    def serves(self, name: str) -> bool:
        """Whether a provider serves this model, if it has it."""
        return self._serving(name)[0] is not None

    def max_tools(self, name: str) -> int | None:
        """Return how many tools one request to the model of this name may have, None for any."""
        try:
            return max_tools(self.get_model(name))
        except Exception:
            # A turn that asks this model will say what is wrong
            return MAX_TOOLS

    def check(self, name: str) -> None:
        """Raise `SettingsError` when no provider serves this model, or its provider refuses it."""
        provider, rest = self._serving(name)
        if provider is None:
            raise SettingsError(
                f"{self._unserved(name)}. For others, enable a plugin that serves them, such as "
                "`compatible_models`"
            )
        check_model = getattr(provider, "check_model", None)
        if callable(check_model):
            check_model(rest)

    def _serving(self, name: str) -> tuple[ModelProvider | None, str]:
        """Return the provider of a model, None if there is none, and its name for the model."""
        prefix, _, rest = name.partition("/")
        if rest and prefix in self._providers:
            return self._providers[prefix], rest
        if not name:
            return None, name
        if "/" in name or name in self._providers:
            return self._providers.get(""), name
        return self._providers.get(self.default), name

    def _unserved(self, name: str) -> str:
        prefix = name.partition("/")[0]
        known = ", ".join(f"{p}/…" for p in self.prefixes if p) or "none"
        hint = nearest(prefix, self._providers)
        if prefix and prefix in self._providers:
            hint = f" Write a name after the prefix: `{prefix}/NAME`."
        elif prefix and "/" not in name:
            hint = hint or " Write a prefix before it, or set `agent.default_provider`."
        return f"no enabled plugin serves the model `{name}`.{hint} Served: {known}"


def max_tools(model: str | Model | None) -> int | None:
    """Return how many tools one request to a model may have, None if no limit is known.

    Any model may say so in its attribute `max_tools`.
    """
    of_openai = isinstance(model, OpenAIResponsesModel | OpenAIChatCompletionsModel)
    limit = getattr(model, "max_tools", MAX_TOOLS if of_openai else None)
    return limit if isinstance(limit, int) else None


def name_of(model: str | Model | None) -> str:
    """Return the name of a model, or that of its class; "" if there is none."""
    if model is None or isinstance(model, str):
        return model or ""
    return type(model).__name__


_OTHERS = "Parameters of other names, such as `top_k`, go into `extra_body`"


def model_settings(
    settings: AgentParts,
    source: Source = Source(),  # noqa: B008
    section: KeyPath = ("agent",),
) -> ModelSettings:
    """Return the model settings of a section of the settings file as the Agents SDK's.

    Raises `SettingsError` with a line for each setting that it does not know or take.
    """
    given = settings.model_settings
    known = sorted(vars(ModelSettings()))
    wrong: dict[KeyPath, str] = {
        (key,): f"unknown key.{nearest(key, known)} {_OTHERS}" for key in given if key not in known
    }
    try:
        result = ModelSettings(**{key: value for key, value in given.items() if key in known})
    except ValidationError as error:
        # The first one for each key: the others are about other types that it may have
        wrong |= {(problem["loc"][0],): problem["msg"] for problem in reversed(error.errors())}
    else:
        wrong |= dict(_unknown_inside(given, result))
    if not wrong:
        return result
    where = {path: source.where((*section, "model_settings", *path)) for path in wrong}
    raise SettingsError("\n".join(f"{where[path]}: {told}" for path, told in wrong.items()))


def _unknown_inside(given: Any, made: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Yield the path of each key that a section had and that the object made of it has not."""
    if isinstance(made, BaseModel):
        known = set(type(made).model_fields)
    elif dataclasses.is_dataclass(made):
        known = {field.name for field in dataclasses.fields(made)}
    else:
        return
    for key, value in given.items() if isinstance(given, Mapping) else ():
        if key in known:
            yield from _unknown_inside(value, getattr(made, key), (*path, key))
        elif path:
            hint = nearest(key, known)
            yield (*path, key), f"unknown key.{hint} Known here: {', '.join(sorted(known))}"


class HasMessage(Protocol):
    """A turn, or the plan of one."""

    @property
    def message(self) -> UserMessageItem | None:
        """What the user has said."""


def picked_model(turn: HasMessage) -> str | None:
    """Return the model picked in the composer, if one was."""
    options = turn.message.inference_options if turn.message else None
    return options.model if options else None


def offered_model(turn: HasMessage, settings: AgentSettings) -> str | None:
    """Return the model picked in the composer, if the settings offer it."""
    picked = picked_model(turn)
    return picked if picked == settings.model or picked in settings.models else None


def choose_model(turn: HasMessage, settings: AgentSettings) -> str | None:
    """Return the model picked in the composer, if one was.

    Raises `BadRequest` when the settings do not offer the one picked.
    """
    picked, offered = picked_model(turn), offered_model(turn, settings)
    if picked == offered:
        return offered
    allowed = ", ".join(dict.fromkeys([settings.model, *settings.models]))
    raise BadRequest(
        words(
            "The model `{model}` is not offered here. Use: {others}",
            model=(picked or "")[:100],
            others=allowed,
        )
    )


def own_settings(agent: Agent[Any]) -> ModelSettings:
    """Return a copy of the model settings of a plugin's agent.

    An agent without a model has the settings of the SDK's default model, such as its reasoning
    effort. They are dropped: nobody chose them, and other models refuse them.
    """
    if agent.model is None and agent.model_settings == get_default_model_settings():
        return ModelSettings()
    return copy.copy(agent.model_settings)
