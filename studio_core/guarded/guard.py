"""`Guard`: reads a file in a process that may die of it, and says in a sentence what it died of.

Who opens models of others (the server) asks the guard first; a file that passed is then opened in
the server's own process, where the static limits hold a second time. What is only passed on, such
as the graphs of a file, is made in that process and never read here. A notebook opens its user's
own files without a guard.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from studio_core.guarded.reader import EXECUTED, GRAPHS, OPEN, Reader, ReaderFaultError, Texts
from studio_core.limits import DEFAULT_LIMITS, Limits

_MOST_KNOWN = 10_000
_MOST_IDLE = 2
"""Processes that wait for files: 60 MB each, and starting one takes half a second."""

_MOST_READING = 4
"""Each may take as much memory as the limits allow."""

_Key = tuple[str, int, int, int]


class Guard:
    """Reads files within ``limits``; safe for several threads.

    Processes that are ready stay behind between files, so that a file costs what its opening
    costs. `close` ends them, those that read as well.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.waiting: Callable[[], AbstractContextManager[None]] = nullcontext
        """Entered by a thread while a process reads for it; the server's others go on then."""
        self._places = threading.BoundedSemaphore(_MOST_READING)
        self._passed: OrderedDict[_Key, None] = OrderedDict()
        self._idle: list[Reader] = []
        self._busy: set[Reader] = set()
        self._lock = threading.Lock()
        self._is_closed = False

    def check(self, path: Path) -> None:
        """Return if the file at ``path`` can be opened; raise what its opening raises if not.

        Each file is tried once until it changes. `LimitError` where it takes more time or
        memory than the limits allow, `InvalidModelError` where it ends the process that reads it.
        """
        key = _key(path)
        with self._lock:
            if key in self._passed:
                return
        with suppress(ReaderFaultError):  # whoever opens it next meets it, with its traceback
            self._read(OPEN, path)
        self._note(key)

    def graphs(self, path: Path) -> Texts:
        """The graphs of a file: of each its id, and its JSON as Model Explorer reads it.

        Raises as `open_file` and `check` do; `ReaderFaultError` for a defect of Studio's own.
        """
        return self._read(GRAPHS, path)

    def executed(self, path: Path) -> bytes:
        """The JSON of a graph that a run kept; raises as `executed_text` and `check` do."""
        [(_, text)] = self._read(EXECUTED, path)
        return text

    def trust(self, path: Path) -> None:
        """Note that the file at ``path`` holds what has passed, such as a copy made just now."""
        self._note(_key(path))

    def warm_up(self) -> None:
        """Start the process that the next file needs; it gets ready by itself."""
        with self._lock:
            is_ready = bool(self._idle) or self._is_closed
        if not is_ready:
            self._give_back(Reader(self.limits))

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
            for reader in self._busy:
                reader.kill()  # whoever waits for it hears so, and ends it
        for reader in idle:
            reader.end()

    def _read(self, task: str, path: Path) -> Texts:
        with self.waiting(), self._places:
            return self._read_in_place(task, path)

    def _read_in_place(self, task: str, path: Path) -> Texts:
        reader = self._take()
        try:
            texts = self._read_by(reader, task, path)
        except BaseException:
            # What a refused file leaves in a process, nobody knows.
            reader.end()
            self.warm_up()
            raise
        self._give_back(reader)
        return texts

    def _read_by(self, reader: Reader, task: str, path: Path) -> Texts:
        with self._lock:
            self._busy.add(reader)
            if self._is_closed:
                reader.kill()
        try:
            return reader.read(task, path)
        finally:
            with self._lock:
                self._busy.discard(reader)

    def _take(self) -> Reader:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return Reader(self.limits)

    def _give_back(self, reader: Reader) -> None:
        with self._lock:
            is_kept = not self._is_closed and len(self._idle) < _MOST_IDLE and not reader.is_worn
            if is_kept:
                self._idle.append(reader)
        if not is_kept:
            reader.end()

    def _note(self, key: _Key) -> None:
        with self._lock:
            self._passed[key] = None
            while len(self._passed) > _MOST_KNOWN:
                self._passed.popitem(last=False)


def _key(path: Path) -> _Key:
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return str(path), -1, -1, -1  # opening it says what is wrong
    return str(path), stat.st_ino, stat.st_mtime_ns, stat.st_size
