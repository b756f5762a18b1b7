"""What a plugin with model providers imports.

`FastPathModel` and what it needs are optional: any `agents.Model` works.
"""

from __future__ import annotations

from .agent.completions.answer import Answer
from .agent.completions.endings import malformed_is_model_error
from .agent.completions.halves import is_whole
from .agent.completions.model import ChunkSource, CompletionsModel
from .agent.completions.parser import Chunk, check_parts
from .agent.completions.reader import Body, ChunkReader
from .agent.fast.direct import EventSink, FastPathModel
from .agent.output import OutputMeter
from .agent.pace import EventPace
from .agent.responses import UNPACKED, BodyLimits, has_more_parts, refused
from .agent.timeouts import ClosableStream, ModelTimeouts, RequestTimer
from .bad_http import CHECK as CHECK_SERVER
from .bad_http import http_problem
from .interim import guard_client, guard_session, guard_transport
from .settings.schema import TurnLimits

__all__ = [
    "CHECK_SERVER",
    "UNPACKED",
    "Answer",
    "Body",
    "BodyLimits",
    "Chunk",
    "ChunkReader",
    "ChunkSource",
    "ClosableStream",
    "CompletionsModel",
    "EventPace",
    "EventSink",
    "FastPathModel",
    "ModelTimeouts",
    "OutputMeter",
    "RequestTimer",
    "TurnLimits",
    "check_parts",
    "guard_client",
    "guard_session",
    "guard_transport",
    "has_more_parts",
    "http_problem",
    "is_whole",
    "malformed_is_model_error",
    "refused",
]


def __dir__() -> list[str]:
    return __all__
