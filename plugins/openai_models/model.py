"""A model of the Responses API, as the Agents SDK runs it."""

from __future__ import annotations

import re
from typing import Any

import openai
from agents import OpenAIResponsesModel
from openai.types.responses import Response

from chatkit_server.models import ModelTimeouts

from .answer import checked, complete
from .history import call_ids, plain, stateless
from .parameters import Parameters

_NO_HISTORY = re.compile(
    r"invalid_encrypted_content|encrypted content.{0,2000}could not be|items are not persisted"
    r"|without its required|reasoning input items can only|item with id .{0,200} not found",
    re.IGNORECASE | re.DOTALL,
)
"""What OpenAI says of items that are of another account, or that are not complete."""


class ResponsesModel(OpenAIResponsesModel):
    """A model with timeouts, whose answers are complete or an error.

    OpenAI is not asked to store anything, and gets the whole conversation in each request. A
    request that is refused for a part that is not essential is sent again without it.
    """

    def __init__(
        self,
        model: str,
        client: openai.AsyncOpenAI,
        timeouts: ModelTimeouts,
        parameters: Parameters,
    ) -> None:
        super().__init__(model, client)
        self._timeouts = timeouts
        self._parameters = parameters

    async def _fetch_response(self, *args: Any, **kwargs: Any) -> Any:
        timer = self._timeouts.timer()
        instructions, said, *others = args
        reasons = self._parameters.reasons
        history = said if isinstance(said, str) else stateless(said, reasons)
        ids = call_ids(history)
        answer = await timer.answer(self._ask(instructions, history, *others, **kwargs))
        if isinstance(answer, Response):
            return checked(answer, ids)
        return complete(answer, timer, ids)

    async def _ask(self, instructions: str | None, history: Any, *args: Any, **kwargs: Any) -> Any:
        while True:
            known = self._parameters.refused
            try:
                return await super()._fetch_response(instructions, history, *args, **kwargs)
            except openai.APIStatusError as error:
                shorter = plain(history) if _refuses_history(error) else history
                if len(shorter) == len(history) and not self._parameters.learn(error, known):
                    raise
                history = shorter

    def _build_response_create_kwargs(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return self._parameters.fit(super()._build_response_create_kwargs(*args, **kwargs))


def _refuses_history(error: openai.APIStatusError) -> bool:
    return error.status_code in (400, 404) and bool(_NO_HISTORY.search(f"{error} {error.body}"))
