"""What the workers of one server know of each other, in memory that they share."""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

MOST_WORKERS = 256

FREE, STARTING, SERVING, ENDING = range(4)
"""States of a seat."""

LATE = 3.0
"""Seconds without a step of its event loop after which a worker counts as late."""

FRESH = 10.0
"""Seconds for which others believe what a worker has said of itself."""

_SEATS = 8 * MOST_WORKERS
"""Also for workers that were replaced, and end."""

_SIZE = 512
"""Bytes of a seat."""

_FIRST = 64
"""Where the first seat begins, behind what concerns all."""

_ENDING, _WANTED, _TAKEN, _ASKED = 0, 4, 8, 16
_STATE, _PID, _CONNECTIONS, _BEATEN, _TOLD_AT, _TOLD = 0, 4, 8, 16, 24, 32
"""Where each value is. Each has one writer, and is written at once."""

_INT = struct.Struct("=i")
_TIME = struct.Struct("=d")
_NUMBERS = struct.Struct("=iiixxxxdd")


@dataclass(frozen=True)
class State:
    """What is known of the worker in a seat."""

    seat: int
    state: int
    pid: int
    connections: int
    beaten: float
    told_at: float

    @property
    def is_late(self) -> bool:
        """Whether its event loop has not run for some seconds."""
        return time.monotonic() - self.beaten > LATE

    @property
    def is_fresh(self) -> bool:
        """Whether it has told not long ago how it is."""
        return time.monotonic() - self.told_at < FRESH


class Board:
    """A seat for each worker. Make it before the workers are forked."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _FIRST + _SEATS * _SIZE)

    @property
    def is_ending(self) -> bool:
        """Whether all workers end, or are about to."""
        return bool(self._int(_ENDING))

    @property
    def wanted(self) -> int:
        """How many workers there should be."""
        return self._int(_WANTED)

    @property
    def asked(self) -> float:
        """When somebody last asked how the workers are."""
        asked: float = _TIME.unpack_from(self._memory, _ASKED)[0]
        return asked

    def _int(self, at: int) -> int:
        value: int = _INT.unpack_from(self._memory, at)[0]
        return value

    def end(self) -> None:
        """Say that all workers end."""
        _INT.pack_into(self._memory, _ENDING, 1)

    def want(self, workers: int) -> None:
        """Say how many workers there should be."""
        _INT.pack_into(self._memory, _WANTED, workers)

    def ask(self) -> None:
        """Have all workers tell how they are."""
        _TIME.pack_into(self._memory, _ASKED, time.monotonic())

    def take_seat(self) -> Seat:
        """Return a free seat, for a worker that starts."""
        for number in range(_SEATS):
            seat = Seat(self, self._memory, number)
            if seat.state == FREE:
                seat.state = STARTING
                _INT.pack_into(self._memory, _TAKEN, max(self._int(_TAKEN), number + 1))
                return seat
        raise RuntimeError("too many workers have not ended")

    def states(self) -> Iterator[State]:
        """Yield what is known of each worker."""
        for number in range(self._int(_TAKEN)):
            at = _FIRST + number * _SIZE
            state, *known = _NUMBERS.unpack_from(self._memory, at)
            if state != FREE:
                yield State(number, state, *known)

    def told(self, number: int) -> str:
        """Return what is wrong with the worker of a seat, as it told; empty if nothing is."""
        at = _FIRST + number * _SIZE
        return self._memory[at + _TOLD : at + _SIZE].partition(b"\0")[0].decode(errors="replace")


class Seat:
    """A worker's place on the board, where it says how it is."""

    def __init__(self, board: Board, memory: mmap.mmap, number: int) -> None:
        self.board = board
        self.number = number
        self._memory = memory
        self._at = _FIRST + number * _SIZE

    @property
    def state(self) -> int:
        """Whether the worker starts, serves or ends."""
        return self._int(_STATE)

    @state.setter
    def state(self, state: int) -> None:
        self._set(_PID, os.getpid())
        self._set(_STATE, state)
        self.beat()

    @property
    def connections(self) -> int:
        """How many connections the worker has."""
        return self._int(_CONNECTIONS)

    @connections.setter
    def connections(self, count: int) -> None:
        self._set(_CONNECTIONS, count)

    @property
    def beaten(self) -> float:
        """When the worker's event loop last ran."""
        beaten: float = _TIME.unpack_from(self._memory, self._at + _BEATEN)[0]
        return beaten

    def beat(self) -> None:
        """Say that the event loop runs."""
        _TIME.pack_into(self._memory, self._at + _BEATEN, time.monotonic())

    def tell(self, problem: str) -> None:
        """Say what is wrong with this worker; nothing if it is empty."""
        room = _SIZE - _TOLD
        text = problem.encode(errors="replace")[: room - 1].ljust(room, b"\0")
        self._memory[self._at + _TOLD : self._at + _SIZE] = text
        _TIME.pack_into(self._memory, self._at + _TOLD_AT, time.monotonic())

    def free(self) -> None:
        """Forget the worker: it has ended."""
        self._memory[self._at : self._at + _SIZE] = bytes(_SIZE)

    def others(self) -> list[State]:
        """Return what is known of the others that serve, and are not late."""
        return [
            each
            for each in self.board.states()
            if each.state == SERVING and each.seat != self.number and not each.is_late
        ]

    def has_more(self) -> bool:
        """Whether another worker has fewer connections than this one."""
        own = self.connections
        return any(other.connections < own for other in self.others())

    def _int(self, at: int) -> int:
        value: int = _INT.unpack_from(self._memory, self._at + at)[0]
        return value

    def _set(self, at: int, value: int) -> None:
        _INT.pack_into(self._memory, self._at + at, value)


def usable_cores() -> int:
    """Return how many cores this process may use: those of the machine, or of its container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, _allowed(Path("/sys/fs/cgroup"))))


def _allowed(cgroups: Path) -> int:
    """Return how many whole cores the limit of a container allows."""
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            quota, period = " ".join((cgroups / name).read_text() for name in names).split()
            if quota not in ("max", "-1"):
                return max(1, int(quota) // int(period))
        except (OSError, ValueError):
            continue
    return MOST_WORKERS


Workers = int | Literal["auto"]


def count_of(workers: Workers | None) -> int:
    """Return how many workers are meant."""
    return usable_cores() if workers == "auto" else workers or 1
