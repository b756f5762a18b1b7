"""What `chatkit-server check` tells, whoever has looked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "notice", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found: what is wrong, and what to do about it.

    `level` is `warning` where the server works and needs care, `error` where a part of it does not
    work, `notice` where nothing is wrong and somebody may expect something else, and `ok` for what
    was tried and works: `problem` then says that. `where` is the part, such as
    `model openai/gpt-5`; without it, it is the plugin that returns this.
    """

    problem: str
    todo: str = ""
    level: Level = "warning"
    where: str = ""

    @property
    def is_wrong(self) -> bool:
        """Whether something has to be done."""
        return self.level in ("warning", "error")

    def __str__(self) -> str:
        told = ": ".join(part for part in (self.where, self.problem) if part)
        return f"{told}. {self.todo}" if self.todo else told
