"""The model of both sides, with a script for each model name."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Any

from chatkit_server.testing.model_script import Json, Part, Reply
from chatkit_server.testing.model_server import Answer, ModelServer


class Models(ModelServer):
    """A model server whose answers may be meant for one model name.

    Two runs that ask different models at once then always get the same answers.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._named: defaultdict[str, deque[Answer]] = defaultdict(deque)

    def reply_as(self, model: str, *parts: Part, **options: Any) -> None:
        """Queue a `Reply` of this model."""
        self._named[model].append(Reply(parts, **options))

    @property
    def left(self) -> int:
        """How many scripted answers nobody asked for."""
        return len(self.script) + sum(map(len, self._named.values()))

    def forget(self) -> None:
        """Forget the answers that are left, and the requests."""
        self.script.clear()
        self._named.clear()
        self.requests.clear()

    def _answer(self, body: Json) -> Answer:
        named = self._named.get(body["model"])
        return named.popleft() if named else super()._answer(body)
