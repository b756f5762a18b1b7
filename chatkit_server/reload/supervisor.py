"""Starts the server again whenever its sources change, with the same sockets.

Importing the libraries takes almost two seconds, and nobody changes them: this process imports
them once, and forks a generation of the server from it for each change. A generation that does not
start leaves the one before it in place. One that was replaced ends when its turns have ended.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib import import_module, invalidate_caches
from importlib.metadata import entry_points
from pathlib import Path
from types import FrameType

from ..errors import SettingsError
from ..lines import escape
from ..web.unix_socket import SocketFile
from .generation import Bound, Child, Generation, News
from .sources import Sources
from .watcher import Watcher

PASS_ON = 0.2
"""Seconds that a signal of the terminal has to arrive at all processes, before it is passed on."""

AGAIN = 0.5
"""Seconds until a server that ended by itself is started again."""

LONG = 5.0
"""Seconds after which a start that has not ended is told of."""

MOST_RETIRED = 8
"""Generations that may wait for the end of their turns."""

EXPLAINED = (1, 2)
"""Exit statuses of a server that has said why it did not start."""

_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

_LIBRARIES = (
    "chatkit_server.serve",
    "tortoise.backends.sqlite",
    "tortoise.backends.asyncpg",
    "tortoise.migrations",
)


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
    return _Supervisor(sources).run()


class _Supervisor:
    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._selector = selectors.DefaultSelector()
        self._bound: Bound | None = None
        self._file: SocketFile | None = None
        self._starting: Child | None = None
        self._serving: Child | None = None
        self._retired: list[Child] = []
        self._generation: Generation | None = None
        """What this process is once it was forked."""
        self._is_said = True
        self._signals: list[int] = []
        self._due: dict[Callable[[], None], float] = {}
        """What is to be called, and when."""
        self._status: int | None = None

    def run(self) -> Generation | int:
        self._watcher = Watcher(self._sources.directories())
        self._selector.register(self._watcher.fd, selectors.EVENT_READ, self._watched)
        _import_libraries()
        self._hear_signals()
        self._due[self._start_again] = time.monotonic()
        try:
            while True:
                for call in self._calls():
                    call()
                    if self._generation is not None:
                        return self._generation
                    if self._status is not None:
                        return self._status
        finally:
            if self._generation is None:
                self._close()

    def _calls(self) -> Iterator[Callable[[], None]]:
        """Yield what is to be called now; wait for it if there is nothing."""
        now = time.monotonic()
        for call in [call for call, when in self._due.items() if when <= now]:
            del self._due[call]
            yield call
        wait = min(self._due.values(), default=None)
        for key, _ in self._selector.select(wait and max(0.0, wait - time.monotonic())):
            yield key.data

    @property
    def _children(self) -> list[Child]:
        return [*filter(None, (self._starting, self._serving)), *self._retired]

    # Signals

    def _hear_signals(self) -> None:
        self._wake, write = socket.socketpair()
        self._wake.setblocking(False)
        write.setblocking(False)
        self._write = write
        ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        numbers = [n for n in _ENDING if n != signal.SIGHUP or not ignored]
        self._handlers = {n: signal.getsignal(n) for n in (*numbers, signal.SIGCHLD)}
        for number in self._handlers:
            signal.signal(number, _heard)
        signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._wake, selectors.EVENT_READ, self._signalled)

    def _signalled(self) -> None:
        for number in self._wake.recv(64):
            if number != signal.SIGCHLD:
                self._signals.append(number)
                self._due[self._pass_on] = time.monotonic() + PASS_ON
        self._reap()

    def _pass_on(self) -> None:
        """End the generations that have not heard the signal themselves, or have no turns yet."""
        for child in self._children:
            if child is self._starting:
                child.cut_off()
            elif child.heard < len(self._signals):
                child.heard = len(self._signals)
                child.signal(self._signals[-1])
        self._end_when_alone()

    def _end_when_alone(self, status: int = 0) -> None:
        if self._signals and not self._children:
            self._status = status

    def _reap(self) -> None:
        for child in self._children:
            with suppress(ChildProcessError):
                pid, ended = os.waitpid(child.pid, os.WNOHANG)
                if pid:
                    self._ended(child, os.waitstatus_to_exitcode(ended))

    # Generations

    def _start(self, changed: Sequence[Path]) -> None:
        """Fork a generation; the one that is still starting is out of date."""
        if self._signals:
            return
        if self._starting is not None:
            self._starting.cut_off()
            self._retired.append(self._starting)
            changed = [*self._starting.changed, *changed]
        ours, theirs = socket.socketpair()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        but = set(sys.modules)
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._become(Generation(theirs, self._bound, but))
            return
        theirs.close()
        ours.setblocking(False)
        self._starting = Child(pid, ours, time.monotonic(), changed, heard=len(self._signals))
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._told_by(ours))
        self._due[self._say_it_takes_long] = time.monotonic() + LONG

    def _become(self, generation: Generation) -> None:
        """Leave to the parent what is its own, in the forked process."""
        # Bytecode is out of date only a second after it was written, or for another size
        sys.dont_write_bytecode = True
        invalidate_caches()
        signal.set_wakeup_fd(-1)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._selector.close()
        self._wake.close()
        self._write.close()
        os.close(self._watcher.fd)
        for child in self._children:
            child.close()
        self._generation = generation

    def _told_by(self, link: socket.socket) -> None:
        for child in self._children:
            if child.link is link:
                self._listen_to(child)
                if link.fileno() >= 0 and _is_closed(link):
                    self._selector.unregister(link)

    def _listen_to(self, child: Child) -> None:
        for news, sockets in child.news():
            if news.files or news.folders:
                self._sources.add(map(Path, news.files), map(Path, news.folders))
                self._watch()
            if news.serves and child is self._starting:
                self._serves(child, news, sockets)
            else:
                self._move(sockets)
            if news.retired:
                self._say_reloaded()

    def _move(self, connections: Sequence[socket.socket]) -> None:
        """Give connections of an earlier generation to the one that serves."""
        for connection in connections:
            if self._serving is not None:
                self._serving.take(connection)
            connection.close()

    def _serves(self, child: Child, news: News, sockets: Sequence[socket.socket]) -> None:
        before, self._serving, self._starting = self._serving, child, None
        if sockets:
            host, port, path = news.address
            self._unbind()
            self._bound = Bound((host, port, path), sockets)
            with suppress(OSError):
                self._file = SocketFile(Path(path)) if path else None
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
        if self._starting is not None and not self._signals:
            files = self._starting.changed
            what = f" ({_named(files)})" if files else ""
            meanwhile = "" if self._serving is None else ", and goes on as before"
            _say(f"the server has not started after {LONG:g} s{what}{meanwhile}")

    def _ended(self, child: Child, status: int) -> None:
        self._listen_to(child)
        with suppress(KeyError, ValueError):
            self._selector.unregister(child.link)
        child.close()
        if child in self._retired:
            self._retired.remove(child)
            self._say_reloaded()
        elif child is self._serving:
            self._serving = None
            if not self._signals:
                _say(f"the server ended by itself ({_told(status)}), and is started again")
                self._due[self._start_again] = time.monotonic() + AGAIN
        else:
            self._starting = None
            self._failed(child, status)
        self._end_when_alone(status if status >= 0 else 128 - status)

    def _failed(self, child: Child, status: int) -> None:
        if self._signals:
            return
        why = [_named(child.changed)] if child.changed else []
        if self._serving is None or status not in EXPLAINED:
            why.append(_told(status))
        what = "not reloaded" if child.changed else "not started"
        what += f" ({'; '.join(why)})" if why else ""
        if self._serving is not None:
            _say(f"{what}: the server goes on as before")
        elif child.gives_up and not self._retired:
            self._status = status
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
        self._selector.unregister(self._watcher.fd)
        self._watcher.end()
        self._watcher = Watcher(folders, poll=poll or self._watcher.polls)
        self._selector.register(self._watcher.fd, selectors.EVENT_READ, self._watched)

    def _watched(self) -> None:
        if not os.read(self._watcher.fd, 64):
            if self._watcher.polls:
                self._selector.unregister(self._watcher.fd)
                _say("changes are not noticed any more. Start again to have them noticed")
            else:
                self._watch(poll=True)
            return
        changed = self._sources.changed()
        self._watch()
        if changed:
            self._start(changed)

    def _unbind(self) -> None:
        if self._bound is not None:
            for each in self._bound.sockets:
                each.close()
        if self._file is not None:
            self._file.remove()
        self._bound = self._file = None

    def _close(self) -> None:
        for child in self._children:
            child.signal(signal.SIGTERM)
        self._watcher.end()
        self._unbind()
        self._selector.close()


def import_bundled_plugins() -> None:
    """Import those whose libraries are installed; a generation says so of others that it needs."""
    for plugin in entry_points(group="chatkit_server"):
        if plugin.module.partition(".")[0] == "chatkit_plugins":
            with suppress(ImportError, SettingsError):
                import_module(plugin.module)


def _import_libraries() -> None:
    """Import what no change concerns: the server, and what its own plugins are made with."""
    # The Agents SDK looks when it is imported; a generation may not allow what this one did
    os.environ |= {
        "OPENAI_AGENTS_DONT_LOG_MODEL_DATA": "1",
        "OPENAI_AGENTS_DONT_LOG_TOOL_DATA": "1",
    }
    for name in _LIBRARIES:
        with suppress(ImportError):
            import_module(name)
    import_bundled_plugins()
    for name in [name for name in sys.modules if name.partition(".")[0] == "chatkit_plugins"]:
        # These can be a part of what is being written
        del sys.modules[name]
    gc.collect()
    gc.freeze()


def _heard(number: int, frame: FrameType | None) -> None:
    """Do nothing: the number is read where the system writes it."""


def _is_closed(link: socket.socket) -> bool:
    try:
        return not link.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _named(files: Sequence[Path]) -> str:
    """Return the names of some files, as one sees them from here."""
    here = Path.cwd()
    names = [
        str(file.relative_to(here) if file.is_relative_to(here) else file)
        for file in dict.fromkeys(files)
    ]
    more = [f"and {len(names) - 3} more"] if len(names) > 3 else []
    return ", ".join([*names[:3], *more])


def _told(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"signal {-status}"


def _say(text: str) -> None:
    with suppress(OSError, ValueError):
        print(f"chatkit-server: {escape(text)}", file=sys.stderr, flush=True)
