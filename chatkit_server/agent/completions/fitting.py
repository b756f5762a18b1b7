"""A model of the Agents SDK whose requests are made to fit its endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any, Self

import openai
from agents import ModelSettings

from .profile import Profile
from .refusals import EndpointLog
from .requests import fit

FITTING = "chatkit_server_fitting"
"""The name of an argument besides a request's: the client has to call it with the others."""


class Fitting:
    """Fits one request. The messages are made of the input items, not by the Agents SDK."""

    def __init__(self, profile: Profile, items: Any, endpoint_log: EndpointLog) -> None:
        self._profile = profile
        self._items = items
        self._log = endpoint_log
        self.messages: list[dict[str, Any]] = []

    def __call__(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of the request as they are sent."""
        fitted = fit(request, self._profile, self._items)
        self._items = ()
        self.messages = fitted["messages"]
        given = request.get("tools")
        if isinstance(given, list):
            self._log.sent_tools(len(fitted.get("tools", ())), len(given))
        return fitted


class FittedRequests:
    """What a model's class has before the SDK's among its bases, so that its requests fit.

    The client that it calls has to apply the argument `FITTING`.
    """

    max_tools: int | None
    _profile = Profile()
    _log = EndpointLog(("models",))

    def fit_to(self, profile: Profile, endpoint_log: EndpointLog) -> Self:
        """Set the profile of this model, and return it."""
        self._profile = profile
        self.max_tools = profile.max_tools
        self._log = endpoint_log
        return self

    async def _fetch_response(
        self,
        system_instructions: Any,
        input: Any,
        model_settings: ModelSettings,
        *others: Any,
        **more: Any,
    ) -> Any:
        *_, span, tracing = others
        fitting = Fitting(self._profile, input, self._log)
        settings = copy(model_settings)
        settings.extra_args = {**(model_settings.extra_args or {}), FITTING: fitting}
        fetch: Any = super()._fetch_response  # type: ignore[misc]
        try:
            answer = await fetch(system_instructions, [], settings, *others, **more)
        except openai.APIStatusError as error:
            self._log.refused(error.status_code, str(error), self._profile)
            raise
        finally:
            if tracing.include_data():
                span.span_data.input = fitting.messages
        return answer


def fitted(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the arguments of a request as they are sent, if a `Fitting` is among them."""
    fitting: Fitting | None = arguments.get(FITTING)
    if fitting is None:
        return arguments
    return fitting({key: value for key, value in arguments.items() if key != FITTING})
