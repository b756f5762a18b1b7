"""Whether each model of the settings answers."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from functools import partial
from socket import gaierror
from typing import Any, cast

from agents import Model, ModelSettings, ModelTracing
from aiohttp import web

from ..errors import causes
from ..finding import Finding
from ..turns import failures
from ..web.keys import MODEL_NAMES, MODELS, SETTINGS
from .probes import Question, Tell

PATIENCE = 9.0
"""Seconds that a model has to begin its answer."""

_TOKENS = 16
"""The fewest that OpenAI's Responses API takes. The connection is closed at the first one."""

_BEFORE_TOKENS = ("response.created", "response.in_progress", "response.queued")

_TOO_SHORT = re.compile(r"max_tokens or model output limit", re.IGNORECASE)

_KEY = "Set a valid `api_key` in plugins.{plugin}, or the variable that it reads"
_URL = "Check `base_url` in plugins.{plugin}, DNS, firewalls and proxies"
_TLS = (
    "Write http:// in `base_url` of plugins.{plugin} if the server has no TLS, or else have this "
    "machine trust its certificate (the variable SSL_CERT_FILE)"
)
_TODO: dict[str, tuple[str, str]] = {
    failures.WRONG_KEY: ("its provider refuses the API key", _KEY),
    failures.NO_PERMISSION: (
        "its provider does not allow this account to use it",
        "Enable it with the provider, or choose another model",
    ),
    failures.NO_QUOTA: ("there is no quota or credit left", "Renew it with the provider"),
    failures.UNKNOWN_MODEL: (
        "its provider does not know it",
        "Correct its name, or `base_url` in plugins.{plugin}",
    ),
    failures.MOVED: ("the address has changed", "Correct `base_url` in plugins.{plugin}"),
    failures.WEB_PAGE: (
        "its address answers with a web page",
        "Correct `base_url` in plugins.{plugin}: it often ends in /v1",
    ),
    failures.NO_CONNECTION: ("cannot be reached", _URL),
    failures.UNREACHABLE: ("cannot be reached", _URL),
    failures.NOT_HTTP: ("its address does not speak HTTP", _URL),
    failures.PROVIDER_DOWN: ("its provider has a problem", "Try again later"),
    failures.TIMEOUT: ("no answer in time", _URL),
    failures.REFUSED_REQUEST: (
        "its provider refuses the request",
        "Correct agent.model_settings, or the settings of plugins.{plugin}",
    ),
}
"""What is wrong and what to do, by what a user would be told."""

_RATE_LIMIT = ("rate-limited", "Try again in a minute, or raise the limit with the provider")
_OTHER = ("does not answer", "Look at the settings of plugins.{plugin}")


def questions_of_models(app: web.Application) -> Iterator[Question]:
    """Yield a question for each model of the agents, of the composer, and of plugins."""
    names: list[str] = app[MODEL_NAMES]
    for name in dict.fromkeys(names):
        yield Question(f"model {name}", partial(_ask, app, name))


async def _ask(app: web.Application, name: str, tell: Tell) -> None:
    began = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE):
            await _first_token(app[MODELS].get_model(name), _settings(app))
    except TimeoutError:
        tell(_finding(app, name, f"no answer within {PATIENCE:g} s", _URL))
    except Exception as error:
        if not _has_answered(error):
            tell(_finding(app, name, *_told(error)))
            return
        tell(_answered(name, began))
    else:
        tell(_answered(name, began))


async def _first_token(model: Model, settings: ModelSettings) -> None:
    stream = model.stream_response(
        None,
        "Say: ok",
        settings,
        [],
        None,
        [],
        ModelTracing.DISABLED,
        previous_response_id=None,
        conversation_id=None,
        prompt=None,
    )
    async with aclosing(cast("Any", _iterated(stream))) as events:
        async for event in events:
            if getattr(event, "type", "") not in _BEFORE_TOKENS:
                return


async def _iterated(stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for event in stream:
        yield event


def _settings(app: web.Application) -> ModelSettings:
    """Return the fewest settings; a gateway may need the headers of the others."""
    given = app[SETTINGS].agent.model_settings
    kept = {key: given[key] for key in ("extra_headers", "extra_query") if key in given}
    return ModelSettings(max_tokens=_TOKENS, **kept)


def _has_answered(error: Exception) -> bool:
    """Whether it has only not said all in so few tokens, as models that think first."""
    message = failures.explain(error).message
    return message == failures.CUT_OFF or bool(_TOO_SHORT.search(failures.reason_of(error)))


def _answered(name: str, began: float) -> Finding:
    return Finding(f"answered in {time.monotonic() - began:.1f} s", "", "ok", f"model {name}")


def _told(error: Exception) -> tuple[str, str]:
    """Return what is wrong, with what the provider says, and what to do."""
    message = failures.explain(error).message
    reason = failures.reason_of(error)
    for link in causes(error):
        if isinstance(link, ssl.SSLError) or "[SSL" in str(link):
            return f"TLS failed ({reason})", _TLS
        if isinstance(link, ConnectionRefusedError):
            return f"nothing listens at its address ({reason})", _URL
        if isinstance(link, gaierror):
            return f"the name of its host is not known ({reason})", _URL
    if message.startswith("The model is rate-limited"):
        problem, todo = _RATE_LIMIT
    else:
        problem, todo = _TODO.get(message, _OTHER)
    return f"{problem} ({reason})", todo


def _finding(app: web.Application, name: str, problem: str, todo: str) -> Finding:
    plugin = app[MODELS].owner(name) or "the provider"
    return Finding(problem.rstrip("."), todo.format(plugin=plugin), "error", f"model {name}")
