"""Starts the server again whenever its sources change, with the same sockets.

A generation of the server is forked for each change. One that does not start leaves the one before
it in place. One that was replaced ends when its turns have ended.
"""

from __future__ import annotations

import os
import selectors
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from socket import socket

from ..errors import SettingsError
from ..lines import escape
from .generation import Child, Generation, News
from .sources import Sources
from .supervisor import EXPLAINED, Supervisor, freeze, how_ended, import_libraries
from .watcher import Watcher

AGAIN = 0.5
"""Seconds until a server that ended by itself is started again."""

LONG = 5.0
"""Seconds after which a start that has not ended is told of."""

MOST_RETIRED = 8
"""Generations that may wait for the end of their turns."""


def supervise(settings: Path, folders: Sequence[Path]) -> Generation | int:
    """Run the server in forked processes until a signal; return the exit status.

    Returns a `Generation` in each forked process, which goes on as the server. Raises
    `SettingsError` if the files cannot be watched.
    """
    try:
        import_module("watchfiles")
    except ImportError:
        raise SettingsError(
            "--reload needs the library watchfiles: pip install 'chatkit-server[dev]'"
        ) from None
    sources = Sources()
    # As generations tell them
    file, *folders = (Path(os.path.abspath(path)) for path in (settings, *folders))
    sources.add([file], folders)
    return _Reloading(sources).run()


class _Reloading(Supervisor):
    def __init__(self, sources: Sources) -> None:
        super().__init__()
        self._sources = sources
        self._starting: Child | None = None
        self._serving: Child | None = None
        self._retired: list[Child] = []
        self._is_said = True

    def run(self) -> Generation | int:
        self._watcher = Watcher(self._sources.directories())
        self.selector.register(self._watcher.fd, selectors.EVENT_READ, self._watched)
        _import_what_stays()
        self.due[self._start_again] = time.monotonic()
        return super().run()

    @property
    def children(self) -> list[Child]:
        return [*filter(None, (self._starting, self._serving)), *self._retired]

    def is_starting(self, child: Child) -> bool:
        return child is self._starting

    def successors(self) -> Sequence[Child]:
        return [self._serving] if self._serving is not None else []

    def left(self) -> None:
        os.close(self._watcher.fd)

    def _start(self, changed: Sequence[Path]) -> None:
        """Fork a generation; the one that is still starting is out of date."""
        if self.signals:
            return
        if self._starting is not None:
            self._starting.cut_off()
            self._retired.append(self._starting)
            changed = [*self._starting.changed, *changed]
            self._starting = None
        child = self.fork(changed)
        if child is not None:
            self._starting = child
            self.due[self._say_it_takes_long] = time.monotonic() + LONG

    def told(self, child: Child, news: News) -> None:
        if news.files or news.folders:
            self._sources.add(map(Path, news.files), map(Path, news.folders))
            self._watch()
        if news.retired:
            self._say_reloaded()

    def serves(self, child: Child, news: News, sockets: Sequence[socket]) -> None:
        before, self._serving, self._starting = self._serving, child, None
        self.bind(news, sockets)
        self._is_said = not child.changed
        if before is None:
            self._say_reloaded()
        else:
            before.retire()
            self._retired.append(before)
        for child in self._retired[:-MOST_RETIRED]:
            child.signal(signal.SIGTERM)

    def _say_reloaded(self) -> None:
        """Say so once no request can reach the generation before."""
        if self._serving is not None and not self._is_said:
            self._is_said = True
            took = time.monotonic() - self._serving.began
            _say(f"reloaded in {took:.2f} s: {_named(self._serving.changed)}")

    def _say_it_takes_long(self) -> None:
        if self._starting is not None and not self.signals:
            files = self._starting.changed
            what = f" ({_named(files)})" if files else ""
            meanwhile = "" if self._serving is None else ", and goes on as before"
            _say(f"the server has not started after {LONG:g} s{what}{meanwhile}")

    def ended(self, child: Child, status: int) -> None:
        if child in self._retired:
            self._retired.remove(child)
            self._say_reloaded()
        elif child is self._serving:
            self._serving = None
            if not self.signals:
                _say(f"the server ended by itself ({how_ended(status)}), and is started again")
                self.due[self._start_again] = time.monotonic() + AGAIN
        else:
            self._starting = None
            self._failed(child, status)
        self.end_when_alone(status if status >= 0 else 128 - status)

    def _failed(self, child: Child, status: int) -> None:
        if self.signals:
            return
        why = [_named(child.changed)] if child.changed else []
        if self._serving is None or status not in EXPLAINED:
            why.append(how_ended(status))
        what = "not reloaded" if child.changed else "not started"
        what += f" ({'; '.join(why)})" if why else ""
        if self._serving is not None:
            _say(f"{what}: the server goes on as before")
        elif child.gives_up and not self._retired:
            self.status = status
        else:
            _say(f"{what}: tried again when a file changes")

    def _start_again(self) -> None:
        if self._serving is None and self._starting is None:
            self._start([])

    # Files

    def _watch(self, *, poll: bool = False) -> None:
        """Watch the folders that are there now."""
        folders = self._sources.directories()
        if folders == self._watcher.folders and poll == self._watcher.polls:
            return
        self.selector.unregister(self._watcher.fd)
        self._watcher.end()
        self._watcher = Watcher(folders, poll=poll or self._watcher.polls)
        self.selector.register(self._watcher.fd, selectors.EVENT_READ, self._watched)

    def _watched(self) -> None:
        if not os.read(self._watcher.fd, 64):
            if self._watcher.polls:
                self.selector.unregister(self._watcher.fd)
                _say("changes are not noticed any more. Start again to have them noticed")
            else:
                self._watch(poll=True)
            return
        changed = self._sources.changed()
        self._watch()
        if changed:
            self._start(changed)

    def close(self) -> None:
        super().close()
        self._watcher.end()


def _import_what_stays() -> None:
    """Import what no change concerns: the server, and what its own plugins are made with."""
    # The Agents SDK looks when it is imported; a generation may not allow what this one did
    os.environ |= {
        "OPENAI_AGENTS_DONT_LOG_MODEL_DATA": "1",
        "OPENAI_AGENTS_DONT_LOG_TOOL_DATA": "1",
    }
    import_libraries()
    for name in [name for name in sys.modules if name.partition(".")[0] == "chatkit_plugins"]:
        # These can be a part of what is being written
        del sys.modules[name]
    freeze()


def _named(files: Sequence[Path]) -> str:
    """Return the names of some files, as one sees them from here."""
    here = Path.cwd()
    names = [
        str(file.relative_to(here) if file.is_relative_to(here) else file)
        for file in dict.fromkeys(files)
    ]
    more = [f"and {len(names) - 3} more"] if len(names) > 3 else []
    return ", ".join([*names[:3], *more])


def _say(text: str) -> None:
    with suppress(OSError, ValueError):
        print(f"chatkit-server: {escape(text)}", file=sys.stderr, flush=True)
