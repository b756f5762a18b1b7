"""One check, from the settings to the report."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from aiohttp import web

from ..app import create_app
from ..errors import SettingsError
from ..finding import Level
from ..logs import WithoutContent
from ..probe import probing
from ..settings.load import collect_settings
from ..settings.problems import Problems
from ..settings.schema import Settings
from ..web.keys import HOOKS, MCP, MODELS
from .clock import check_clock
from .lines import finding_of
from .mcp import check_mcp_servers
from .models import questions_of_models
from .plugins import questions_of_plugins
from .port import check_port, place_of
from .preflight import check_preflight, check_url
from .probes import GRACE, Question, Tell, ask_all
from .report import Report

log = logging.getLogger(__name__)


async def check_deployment(
    report: Report,
    tell: Tell,
    *,
    online: bool = False,
    url: str | None = None,
) -> bool:
    """Check the settings of the report, and with `online` what the server needs of others.

    What the questions find is passed on to `tell` as it comes, too. Returns whether all questions
    have ended.
    """
    problems = Problems()
    try:
        settings = collect_settings(report.settings, problems)
    except SettingsError as error:
        report.stop(error)
        return True
    report.plugins = list(settings.plugins)
    app = _application(settings, problems, report)
    with _silence(), probing() as probe:
        questions = list(_questions(settings, app, online, url))
        ended = await ask_all(questions, report, tell)
        if app is not None and online:
            await _close_models(app)
    if finding := check_clock(probe):
        report.add([finding])
        tell(finding)
    return ended


def _application(settings: Settings, problems: Problems, report: Report) -> web.Application | None:
    with _warnings(report):
        try:
            app = create_app(settings, problems=problems)
        except SettingsError as error:
            report.stop(error)
            return None
    report.plugins = app[HOOKS].names
    return app


def _questions(
    settings: Settings, app: web.Application | None, online: bool, url: str | None
) -> Iterator[Question]:
    if app is None:
        return
    yield Question(place_of(settings), partial(check_port, settings))
    yield from questions_of_plugins(app[HOOKS], online)
    if not online:
        return
    yield from questions_of_models(app)
    if app[MCP].connections:
        yield Question("MCP servers", partial(check_mcp_servers, app))
    yield Question("pages", partial(check_preflight, app))
    if url is not None:
        yield Question(f"server at {url}", partial(check_url, url, app))


async def _close_models(app: web.Application) -> None:
    try:
        async with asyncio.timeout(GRACE):
            await app[MODELS].aclose()
    except Exception:
        log.debug("closing the models failed", exc_info=True)


class _Collected(logging.Handler):
    """Adds what is logged as a warning to a report."""

    def __init__(self, report: Report) -> None:
        super().__init__(logging.WARNING)
        self.setFormatter(WithoutContent("%(message)s"))
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        level: Level = "error" if record.levelno >= logging.ERROR else "warning"
        finding = finding_of(self.format(record), level)
        self._report.add([finding])


@contextmanager
def _warnings(report: Report) -> Iterator[None]:
    """Collect what is logged as the server is put together."""
    root = logging.getLogger()
    others, root.handlers = root.handlers, [_Collected(report)]
    try:
        yield
    finally:
        root.handlers = others


@contextmanager
def _silence() -> Iterator[None]:
    """Log nothing: what is wrong with others is told as findings."""
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
