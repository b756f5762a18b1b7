"""An example plugin: it adds to the agent's instructions, and logs each answer."""

import logging

from pydantic import BaseModel

from chatkit_server import Outcome, Turn, hookimpl

log = logging.getLogger("hello")


class Config(BaseModel):
    """The section `hello:` in settings.yaml."""

    tone: str = "friendly"


class Plugin:
    def __init__(self, config: Config) -> None:
        self.config = config

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        tone = f"Answer {turn.user.name or 'the user'} in a {self.config.tone} tone."
        turn.instructions = f"{turn.instructions or ''}\n{tone}"

    @hookimpl
    async def post_turn(self, turn: Turn, outcome: Outcome) -> None:
        log.info("turn %s %s after %.1f s", turn.id, outcome.status, outcome.seconds)
