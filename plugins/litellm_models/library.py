"""Importing LiteLLM quiet and offline, and closing it."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .fitting import FittedLitellmModel

# LiteLLM would fetch these lists over the network while it is imported.
_OFFLINE = ("LITELLM_LOCAL_MODEL_COST_MAP", "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS")

_LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")


def load_model_class(
    *, log_content: bool, max_event: int = 16_000_000, max_answer: int = 200_000_000
) -> type[FittedLitellmModel]:
    """Import LiteLLM, which takes seconds, and return the class of its models.

    LiteLLM prints nothing. It logs through the root logger's handlers: warnings, and with
    `log_content`, once it is imported, whatever the level of the log lets through.
    """
    for variable in _OFFLINE:
        os.environ.setdefault(variable, "True")
    for name in _LOGGERS:
        # It adds handlers as it is imported, and uses them at once
        logging.getLogger(name).setLevel(logging.WARNING)

    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET if log_content else logging.WARNING)

    from .fitting import FittedLitellmModel, fit_requests
    from .guard import guard_requests

    guard_requests(max_event, max_answer)
    fit_requests()
    return FittedLitellmModel


async def close_litellm() -> None:
    """Close the clients that LiteLLM cached for this event loop, and stop its log worker."""
    import litellm
    from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER

    await GLOBAL_LOGGING_WORKER.stop()
    clients = litellm.in_memory_llm_clients_cache.cache_dict
    of_this_loop = f"-{id(asyncio.get_running_loop())}"
    for key in [key for key in clients if key.endswith(of_this_loop)]:
        client = clients.pop(key)
        close = getattr(client, "aclose", None) or getattr(client, "close", None)
        if close is not None and asyncio.iscoroutinefunction(close):
            await close()
        # LiteLLM would go on using this one
        if vars(litellm).get("module_level_aclient") is client:
            del litellm.module_level_aclient
