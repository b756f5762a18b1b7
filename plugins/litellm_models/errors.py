"""The provider's errors behind LiteLLM's, and the models that are not offered."""

from __future__ import annotations

from json import JSONDecodeError
from typing import NoReturn

import openai
from agents.exceptions import ModelBehaviorError

from chatkit_server import TurnFailed, words

_UNGUARDED = "aiohttp_openai"
"""A provider for which LiteLLM has a client of its own, which `guard` does not reach."""

NOT_OFFERED = words(
    "The models of `{prefix}/` are not offered here: LiteLLM sends their requests without limits, "
    "and follows redirects. The server's operator has to use `openai/`, which speaks the same "
    "protocol.",
    prefix=_UNGUARDED,
)

# Base classes of openai's and httpx's exceptions; by name, because only LiteLLM imports httpx.
_ORIGINAL = {"OpenAIError", "TransportError"}


def raise_original(error: openai.APIError) -> NoReturn:
    """Raise the error that LiteLLM made `error` of, where that says more.

    LiteLLM drops the provider's code and headers. It also gives network failures and answers that
    cannot be parsed one class, with the status 500.
    """
    link: BaseException | None = error
    while link is not None:
        names = {kind.__name__ for kind in type(link).__mro__}
        if names & _ORIGINAL and not type(link).__module__.startswith("litellm"):
            # With its cause, and without LiteLLM's errors before it in the traceback
            raise link from link.__cause__
        if isinstance(link, ModelBehaviorError | TurnFailed):
            raise link from None
        if isinstance(link, JSONDecodeError | UnicodeDecodeError | AttributeError):
            raise ModelBehaviorError(
                f"the provider's answer could not be parsed: {type(link).__name__}: {link}"
            ) from None
        link = getattr(link, "original_exception", None) or link.__cause__ or link.__context__
    raise error


def is_unguarded(provider: object) -> bool:
    """Whether a provider, or the model of one, is not offered."""
    return isinstance(provider, str) and provider.partition("/")[0] == _UNGUARDED
