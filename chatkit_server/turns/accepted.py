"""A turn that is written down and has not begun, and what is written down of it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chatkit.types import ThreadMetadata, UserMessageItem
from pydantic import BaseModel, ConfigDict

from ..text import valid_values
from ..turn import TurnRequest, User
from .admission import Admission
from .identity import RequestIdentity

if TYPE_CHECKING:
    from typing import Any

    from .running import Ending, Owner, RunningTurn
    from .store import TurnRecord

log = logging.getLogger(__name__)


class AcceptedRequest(BaseModel):
    """What an accepted turn is to answer, as the turn store keeps it.

    `thread` is the thread that the turn makes, None for one that is stored. Of the user, `name` is
    kept beside the record's tenant and id.
    """

    # Built when it is first used: it takes a megabyte
    model_config = ConfigDict(defer_build=True)

    message: UserMessageItem
    thread: ThreadMetadata | None = None
    locale: str | None = None
    name: str | None = None

    def dump(self) -> bytes:
        """Return it as JSON."""
        valid: AcceptedRequest = valid_values(self)
        return valid.model_dump_json(exclude_none=True).encode()

    @classmethod
    def load(cls, data: bytes) -> AcceptedRequest:
        """Read what `dump` wrote."""
        return cls.model_validate_json(data)


@dataclass(frozen=True)
class Sender:
    """Who asked for a turn, as far as this process knows: nothing after it was taken over."""

    user: User | None = None
    context: Any = None
    """What a `context` hook returned for the request."""
    request: TurnRequest = field(default_factory=TurnRequest)


@dataclass(eq=False)
class AcceptedTurn:
    """A turn that this process is to begin, until its own task works at it.

    `began` is the running turn then; None if it never began here. `admission` is what plugins hold
    for it since it was accepted here.
    """

    record: TurnRecord
    request: AcceptedRequest
    sender: Sender
    began: asyncio.Future[RunningTurn | None]
    admission: Admission = field(default_factory=Admission)
    ending: Ending | None = None
    task: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        """The id of the turn."""
        return self.record.id

    @property
    def thread_id(self) -> str:
        """The thread in which it is to run."""
        return self.record.thread_id

    @property
    def attempt(self) -> int:
        """The number of this process among those that worked at it."""
        return self.record.attempt

    @property
    def user(self) -> User:
        """Who asked: of a turn that was taken over, only the tenant, the id and the name."""
        known = self.record.user
        return self.sender.user or User(known.id, known.tenant, self.request.name)

    @property
    def owner(self) -> Owner:
        """The tenant and the id of the user."""
        return self.record.user.tenant, self.record.user.id

    @property
    def identity(self) -> RequestIdentity:
        """What identifies the request that was accepted."""
        return RequestIdentity.stored(self.record.request, self.record.content)

    def end(self, ending: Ending) -> None:
        """Do not begin the turn: this has ended it. Only the first ending counts."""
        if self.ending is None and self.task is not None and not self.began.done():
            self.ending = ending
            self.task.cancel()
