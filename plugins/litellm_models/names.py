"""The names that LiteLLM has for providers, without importing it, which takes seconds."""

from __future__ import annotations

import difflib
import json
import logging
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

log = logging.getLogger(__name__)

_FILE = "provider_endpoints_support_backup.json"


def warn_of_unknown(names: Iterable[str]) -> None:
    """Log each name that is not one of LiteLLM's; its settings are for nothing."""
    known = _known()
    for name in names:
        if known and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean `{close[0]}`?" if close else ""
            log.warning(
                "plugins.litellm_models.providers.%s: LiteLLM lists no provider of this name.%s",
                name,
                hint,
            )


@cache
def _known() -> frozenset[str]:
    """Return the names in the list that LiteLLM comes with, none if it has no such list."""
    spec = find_spec("litellm")
    if spec is None or spec.origin is None:
        return frozenset()
    try:
        document = json.loads(Path(spec.origin).with_name(_FILE).read_bytes())
        return frozenset(document["providers"])
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()
