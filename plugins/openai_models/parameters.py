"""Which parameters a model takes: some are known by its name, others by what it refuses."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

import openai
from openai import omit

log = logging.getLogger(__name__)

ENCRYPTED = "reasoning.encrypted_content"

DO_NOT_REASON = re.compile(r"(ft:|.*/)?(gpt-3|gpt-4|chatgpt-|gpt-5(\.\d+)?-chat)")
"""Names of the models of OpenAI that do not reason. All others are asked for their reasoning: the
o-series, gpt-5 and later do, and of unknown ones it is learned."""

OPTIONAL = frozenset(
    {
        *("include", "store", "temperature", "top_p", "truncation", "parallel_tool_calls"),
        *("reasoning", "reasoning.effort", "reasoning.summary", "text.verbosity"),
    }
)
"""What an answer is possible without."""

_REFUSALS = (400, 422, 501)
_REFUSED = re.compile(
    r"not support|unsupported|unknown|unrecogni[sz]ed|unexpected|extra_forbidden|extra inputs"
    r"|not permitted|not allowed|additional propert|must be verified",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"""['"`]([a-z_]+(?:\.[a-z_]+)*)(?:\[\d+\])?['"`]""")
_NAMED = re.compile(r"(?:parameter|field|argument|property|key)s?:? +([a-z_]+(?:\.[a-z_]+)*)")
_SEARCHED = 4000


class Parameters:
    """What is asked of a model, and what is left out because the model refused it.

    `store` is for requests whose model settings have none.
    """

    def __init__(self, model: str, store: bool) -> None:
        self.model = model
        self.store = store
        self.reasons = DO_NOT_REASON.match(model) is None
        self.refused: frozenset[str] = frozenset()

    def fit(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a request with the parameters that the model takes."""
        fitted = dict(request)
        include = [name for name in request["include"] if name != ENCRYPTED]
        if self.reasons:
            include.append(ENCRYPTED)
        else:
            fitted["reasoning"] = omit
        fitted["include"] = include or omit
        if fitted["store"] is omit:
            fitted["store"] = self.store
        for name in self.refused:
            _leave_out(fitted, name)
        return fitted

    def learn(self, error: openai.APIStatusError, known: frozenset[str]) -> bool:
        """Whether a request is to be sent again, without a parameter that `error` names.

        `known` is what the refused request was already sent without.
        """
        named = next(_named(error), None) if error.status_code in _REFUSALS else None
        if named is None or named in known:
            return False
        if named not in self.refused:
            self.refused |= {named}
            log.warning("the model %s refuses `%s`: it is left out from now on", self.model, named)
        return True


def _named(error: openai.APIStatusError) -> Iterator[str]:
    """Yield the optional parameters that a refusal names."""
    text = f"{error} {error.body}"[:_SEARCHED]
    if not _REFUSED.search(text):
        return
    if re.search("encrypted.content is not supported", text, re.IGNORECASE):
        yield "include"
    param = re.sub(r"\[.*", "", error.param) if isinstance(error.param, str) else ""
    names = [param] if param else [*_QUOTED.findall(text), *_NAMED.findall(text)]
    for name in names:
        yield from (known for known in (name, name.partition(".")[0]) if known in OPTIONAL)


def _leave_out(request: dict[str, Any], name: str) -> None:
    parameter, _, field = name.partition(".")
    if not field:
        request[parameter] = omit
        return
    value = request.get(parameter, omit)
    fields = value if isinstance(value, dict) else getattr(value, "model_dump", dict)()
    rest = {key: one for key, one in fields.items() if key != field and one is not None}
    request[parameter] = rest or omit
