"""The settings `hooks`: what a plugin may cost the others."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from .types import Duration, Section, nothing_is_empty

Policy = Literal["fail", "skip"]


def _kind(value: Any) -> str:
    return "each" if isinstance(value, dict) else "all"


Timeouts = Annotated[
    Annotated[Duration, Tag("all")] | Annotated[dict[str, Duration], Tag("each")],
    Discriminator(_kind),
]
"""The limit of all hooks of a plugin, or of each by name."""

Policies = Annotated[
    Annotated[Policy, Tag("all")] | Annotated[dict[str, Policy], Tag("each")],
    Discriminator(_kind),
]


class BreakerSettings(Section):
    """A hook that failed `failures` times within `window` is not called for `pause`."""

    failures: int = Field(5, ge=1)
    window: Duration = 60.0
    pause: Duration = 30.0


class HookSettings(Section):
    """How long a hook may take, and its answer to clean up after Stop; what its failures do.

    `timeouts` and `policies` override for plugins, by name, what they say of themselves.
    """

    timeout: Duration = 5.0
    timeouts: Annotated[dict[str, Timeouts], BeforeValidator(nothing_is_empty)] = Field(
        default_factory=dict
    )
    policies: Annotated[dict[str, Policies], BeforeValidator(nothing_is_empty)] = Field(
        default_factory=dict
    )
    breaker: BreakerSettings | None = None
