"""Settings of agents and of guardrails."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from .types import Chosen, CommaList, Named, Section, Words, nothing_is_empty

Show = Literal["error", "message"]
"""How a refusal is shown: as an error, or as a message of the assistant."""


class AgentParts(Section):
    """What each agent of the settings has.

    `from` is where an agent of the Agents SDK is found, or a function that returns one; the other
    keys override only what they set. `handoffs` are the agents that it can hand over to,
    `agent_tools` those that it can ask as tools. `tools` and `mcp_servers` choose from the tools of
    plugins and MCP servers, by name or pattern; without them, it has all.
    """

    from_: Named | None = Field(None, alias="from")
    handoff_description: str | None = None
    model_settings: Annotated[dict[str, Any], BeforeValidator(nothing_is_empty)] = Field(
        default_factory=dict
    )
    handoffs: CommaList = Field(default_factory=list)
    agent_tools: CommaList = Field(default_factory=list)
    tools: Chosen = None
    mcp_servers: Chosen = None


class MemberSettings(AgentParts):
    """Another agent, which is handed over to or asked.

    Without a `model`, it has that of `agent`, and its model settings, which its own override.
    """

    model: str | None = None
    instructions: str | None = None

    @model_validator(mode="after")
    def _says_what_it_does(self) -> Self:
        if self.from_ is None and not (self.instructions or "").strip():
            raise ValueError("write its `instructions`, or where it is found: `from`")
        return self


class GuardrailSettings(Section):
    """A guardrail of the Agents SDK, and what the user is told when it trips.

    Without `from`, it is one that an agent or a tool has already, under this name. `agents` and
    `tools` are those that it guards, by name or pattern; without them, it guards all. Without
    `words` and `show`, those of `agent` are used.
    """

    from_: Named | None = Field(None, alias="from")
    words: Words | None = None
    show: Show | None = None
    agents: Chosen = None
    tools: Chosen = None
