"""The plugin my_plugin: it answers `/my_plugin` itself, and gives the model a rule."""

from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    ThreadItemDoneEvent,
    ThreadStreamEvent,
)
from pydantic import BaseModel

from chatkit_server import Turn, hookimpl


class Config(BaseModel):
    """The section `my_plugin:` in settings.yaml."""

    answer: str = "Hello from my_plugin."
    rule: str = "Answer in one sentence."


class Plugin:
    def __init__(self, config: Config) -> None:
        self.config = config

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        """Add the rule to what the model is told."""
        turn.instructions = f"{turn.instructions or ''}\n{self.config.rule}"

    @hookimpl
    async def respond(self, turn: Turn) -> list[ThreadStreamEvent] | None:
        """Answer `/my_plugin`, and leave every other message to the model."""
        if turn.said.strip() != "/my_plugin":
            return None
        content = [AssistantMessageContent(text=self.config.answer)]
        return [ThreadItemDoneEvent(item=turn.new_item(AssistantMessageItem, content=content))]
