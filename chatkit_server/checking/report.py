"""What a check has found, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..finding import Finding
from ..lines import escape
from ..masking import mask_secrets
from .lines import findings_of, what_to_do

_WORST_FIRST = ("error", "warning", "notice")

FINE, NEEDS_CARE, CANNOT_START = 0, 1, 2


@dataclass
class Report:
    """All findings, those that keep the server from starting apart; and what works."""

    settings: Path
    plugins: list[str] = field(default_factory=list)
    stopping: list[Finding] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)
    works: list[Finding] = field(default_factory=list)

    def stop(self, error: BaseException) -> None:
        """Add what a `SettingsError` says, which the start would raise."""
        self.stopping += findings_of(error)

    def add(self, findings: Iterable[Finding]) -> None:
        """Add what was found, or works."""
        for finding in findings:
            (self.works if finding.level == "ok" else self.found).append(finding)

    @property
    def status(self) -> int:
        """The exit status: 2 where the server cannot start, 1 where something needs care."""
        if self.stopping:
            return CANNOT_START
        return NEEDS_CARE if any(finding.is_wrong for finding in self.found) else FINE

    def problems(self) -> Iterator[Finding]:
        """Yield what is wrong, the worst first, nothing twice; notices come last."""
        found = sorted(self.found, key=lambda finding: _WORST_FIRST.index(finding.level))
        yield from dict.fromkeys([*self.stopping, *found])

    def lines(self) -> Iterator[str]:
        """Yield a line for each problem; those of the start are written as `run` writes them."""
        for finding in self.problems():
            start = finding in self.stopping
            yield f"{'chatkit-server' if start else finding.level}: {shown(str(finding))}"

    def as_json(self) -> dict[str, Any]:
        """Return all of it, without secrets."""
        return {
            "settings": str(self.settings.absolute()),
            "status": self.status,
            "plugins": self.plugins,
            "findings": [
                {
                    "level": finding.level,
                    "where": mask_secrets(finding.where),
                    "problem": mask_secrets(finding.problem),
                    "todo": mask_secrets(what_to_do(finding)),
                }
                for finding in self.problems()
            ],
            "works": [
                {"where": mask_secrets(each.where), "told": mask_secrets(each.problem)}
                for each in self.works
            ],
        }


def shown(text: str) -> str:
    """Return a text as a line for a terminal, without secrets."""
    return escape(mask_secrets(text))
