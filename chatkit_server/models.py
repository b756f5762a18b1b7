"""What a plugin with model providers imports.

`FastPathModel` and what it needs are optional: any `agents.Model` works.
"""

from __future__ import annotations

from .agent.completions.answer import Answer
from .agent.completions.endings import error_in
from .agent.completions.fitting import FittedRequests, fitted
from .agent.completions.model import ChunkSource, CompletionsModel
from .agent.completions.parser import Chunk
from .agent.completions.profile import Profile, profile_of
from .agent.completions.reader import Body, ChunkReader
from .agent.completions.refusals import EndpointLog
from .agent.fast.direct import EventSink, FastPathModel
from .agent.output import OutputMeter
from .agent.pace import EventPace
from .agent.responses import UNPACKED, BodyLimits, has_more_parts, refused
from .agent.timeouts import ClosableStream, ModelTimeouts, RequestTimer
from .bad_http import CHECK as CHECK_SERVER
from .bad_http import http_problem
from .interim import guard_client, guard_session, guard_transport
from .outgoing import certificates, proxy_of
from .probe import is_probe, note_date
from .settings.schema import TurnLimits
from .settings.urls import BaseUrl
from .text import HalfJoiner, valid_text, valid_values

__all__ = [
    "CHECK_SERVER",
    "UNPACKED",
    "Answer",
    "BaseUrl",
    "Body",
    "BodyLimits",
    "Chunk",
    "ChunkReader",
    "ChunkSource",
    "ClosableStream",
    "CompletionsModel",
    "EndpointLog",
    "EventPace",
    "EventSink",
    "FastPathModel",
    "FittedRequests",
    "HalfJoiner",
    "ModelTimeouts",
    "OutputMeter",
    "Profile",
    "RequestTimer",
    "TurnLimits",
    "certificates",
    "error_in",
    "fitted",
    "guard_client",
    "guard_session",
    "guard_transport",
    "has_more_parts",
    "http_problem",
    "is_probe",
    "note_date",
    "profile_of",
    "proxy_of",
    "refused",
    "valid_text",
    "valid_values",
]


def __dir__() -> list[str]:
    return __all__
