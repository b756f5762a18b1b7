"""`chatkit-server chat`: talk to a running server in the terminal, as a user does."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from ..options import command


@command("chat", "Talk to a running server in the terminal, as a user does.")
@click.option("--url", metavar="URL", help="The server's chat endpoint; by default, the settings'.")
@click.option(
    "--socket", type=click.Path(path_type=Path), help="The Unix socket that the server listens on."
)
@click.option("--start", is_flag=True, help="Start a server for this conversation, and stop it.")
@click.option("--token", envvar="CHATKIT_TOKEN", show_envvar=True, help="Sends Authorization.")
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Sent each time.")
@click.option("--user", help="Talk as this user, where the settings believe a header.")
@click.option("--thread", "thread_id", metavar="ID", help="Go on with this conversation.")
@click.option("--model", metavar="NAME", help="Take this model instead of the server's.")
@click.option(
    "--message", metavar="TEXT", help="Send only this, and print only the answer; - for stdin."
)
@click.option("--json", "as_json", is_flag=True, help="Write each event of the answer as JSON.")
def chat(
    settings: Path,
    url: str | None,
    socket: Path | None,
    start: bool,
    token: str | None,
    headers: tuple[str, ...],
    user: str | None,
    thread_id: str | None,
    model: str | None,
    message: str | None,
    as_json: bool,
) -> int:
    # aiohttp takes a while to import: --help does without it
    from .place import find_place, headers_of, user_header
    from .session import Options, talk

    if start and (url or socket):
        raise click.UsageError("--start starts a server of the settings: leave --url out")
    place = find_place(settings, url, socket)
    given = headers_of(headers, token)
    if user is not None:
        given |= user_header(place.settings, user)
    text = _message(message, as_json)
    options = Options(thread_id, text, as_json, model, settings if start else None)
    return talk(replace(place, headers=given), options)


def _message(given: str | None, as_json: bool) -> str | None:
    """Return the message of a script, None in a terminal."""
    if given is None and sys.stdin.isatty():
        if as_json:
            raise click.UsageError("--json needs --message, or a message on the standard input")
        return None
    text = sys.stdin.read().removesuffix("\n") if given in (None, "-") else given
    if not (text or "").strip():
        raise click.UsageError("the message is empty: give --message TEXT, or write it to stdin")
    return text
