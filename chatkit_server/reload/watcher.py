"""A process that says when something happens in some folders."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from ..shutdown.guard import close_all_but

QUIET = 50
"""Milliseconds without a change after which a burst of changes is over."""

LONGEST = 400
"""Milliseconds after which a burst is told of though it goes on."""

_LOOK = 250
"""Milliseconds between two looks at whether the process that asked is still there."""


class Watcher:
    """Watches folders, but not those inside of them; a byte can be read of `fd` for each burst.

    The first byte says that it has begun. It is a process of its own because the library watches
    in threads, and those would not survive a fork.
    """

    def __init__(self, folders: Collection[Path], *, poll: bool = False) -> None:
        """Start it. With `poll`, it looks at all files again and again: for odd file systems."""
        self.folders = frozenset(folders)
        self.polls = poll
        self.fd, write = os.pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _watch(parent, sorted(folders), write, poll)
            finally:
                os._exit(0)
        os.close(write)

    def end(self) -> None:
        """End the process."""
        os.close(self.fd)
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def _watch(parent: int, folders: list[Path], told: int, poll: bool) -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    close_all_but(0, 1, 2, told)
    from watchfiles import watch

    told_before = False
    try:
        for changes in watch(
            *folders,
            watch_filter=None,
            recursive=False,
            debounce=LONGEST,
            step=QUIET,
            rust_timeout=_LOOK,
            yield_on_timeout=True,
            raise_interrupt=False,
            force_polling=poll or None,
            ignore_permission_denied=True,
        ):
            if os.getppid() != parent:
                return
            if changes or not told_before:
                told_before = True
                os.write(told, b".")
    except (OSError, RuntimeError) as error:
        if not isinstance(error, BrokenPipeError):
            print(f"chatkit-server: cannot watch the files: {error}", file=sys.stderr, flush=True)
