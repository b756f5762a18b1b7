"""`chatkit-server check`: what is wrong with a deployment, all at once."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import command

if TYPE_CHECKING:
    from ..checking.report import Report
    from ..finding import Finding


def _url(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    if text is not None and not text.startswith(("http://", "https://")):
        raise click.BadParameter("expected a URL, such as https://chat.example.com/api/chat")
    return text


@command("check", "Tell all that is wrong with the settings, the plugins, and what they need.")
@click.option(
    "--online",
    is_flag=True,
    help="Ask the database, the models, the MCP servers and all others, too.",
)
@click.option(
    "--url",
    callback=_url,
    help="With --online: ask the server that runs at this public address whether pages may call "
    "it.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def check(settings: Path, online: bool, url: str | None, as_json: bool) -> int:
    """Return 0 if all is fine, 1 if something needs care, 2 if the server cannot start."""
    if url is not None and not online:
        raise click.UsageError("--url is for --online")
    # The Agents SDK takes over a second to import: --help does without it
    from ..checking.probes import LooseThreads
    from ..checking.report import Report, shown
    from ..checking.run import check_deployment

    def tell(finding: Finding) -> None:
        if online and not as_json and finding.level == "ok":
            print(f"ok: {shown(str(finding))}", flush=True)

    report = Report(settings)

    async def run() -> bool:
        asyncio.get_running_loop().set_default_executor(LooseThreads())
        try:
            return await check_deployment(report, tell, online=online, url=url)
        except BaseException:
            # A plugin may end the process in ways that nobody can foresee
            _print_problems(report)
            raise

    runner = asyncio.Runner()
    ended = True
    try:
        ended = runner.run(run())
    finally:
        if ended:
            runner.close()
        else:
            # It would wait for what does not end when it is cancelled
            runner.get_loop().set_exception_handler(lambda *_: None)
    _print(report, as_json)
    return report.status


def _print(report: Report, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
        return
    if not report.stopping:
        names = ", ".join(report.plugins)
        print(f"{report.settings.absolute()}: OK. Plugins: {names}", flush=True)
    _print_problems(report)


def _print_problems(report: Report) -> None:
    for line in report.lines():
        print(line, file=sys.stderr)
