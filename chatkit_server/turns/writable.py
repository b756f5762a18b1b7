"""Whether a thread takes messages."""

from __future__ import annotations

from chatkit.types import ClosedStatus, LockedStatus, ThreadMetadata

from ..errors import Conflict
from ..words import words


def require_writable(thread: ThreadMetadata) -> None:
    """Raise `Conflict` with the reason if a thread is locked or closed."""
    if isinstance(thread.status, LockedStatus | ClosedStatus):
        raise Conflict(_refused_by(thread.status))


def _refused_by(status: LockedStatus | ClosedStatus) -> str:
    locked = isinstance(status, LockedStatus)
    if not status.reason:
        closed = words("This conversation is closed.")
        return words("This conversation is locked.") if locked else closed
    if locked:
        return words("This conversation is locked: {reason}", reason=status.reason)
    return words("This conversation is closed: {reason}", reason=status.reason)
