"""What a plugin with model providers imports.

`FastPathModel` and what it needs are optional: any `agents.Model` works.
"""

from __future__ import annotations

from .agent.fast.direct import EventSink, FastPathModel, TextFastPath
from .agent.timeouts import ClosableStream, ModelTimeouts, RequestTimer

__all__ = [
    "ClosableStream",
    "EventSink",
    "FastPathModel",
    "ModelTimeouts",
    "RequestTimer",
    "TextFastPath",
]


def __dir__() -> list[str]:
    return __all__
