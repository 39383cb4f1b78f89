"""`Guard`: opens a file in a process that may die of it, and says in a sentence what it died of.

Who opens models of others (the server) asks the guard first; a file that passed is then opened in
the server's own process, where the static limits hold a second time. A notebook opens its user's
own files without a guard.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from studio_core import errors
from studio_core.errors import InvalidModelError, LimitError, StorageError, StudioError
from studio_core.limits import DEFAULT_LIMITS, Limits, beyond

_CHILD = "studio_core.guarded.child"
_MOST_KNOWN = 10_000
_MOST_FILES = 50
"""Read by one process, so that nothing in it piles up."""

_Key = tuple[str, int, int, int]


class Guard:
    """Tries files within ``limits``, each once until it changes; safe for several threads.

    One process that is ready stays behind between files, so that a file costs what its opening
    costs. `close` ends it.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self._passed: OrderedDict[_Key, None] = OrderedDict()
        self._idle: list[_Reader] = []
        self._lock = threading.Lock()
        self._is_closed = False

    def check(self, path: Path) -> None:
        """Return if the file at ``path`` can be opened; raise what its opening raises if not.

        `LimitError` where it takes more time or memory than the limits allow,
        `InvalidModelError` where it ends the process that reads it.
        """
        key = _key(path)
        with self._lock:
            if key in self._passed:
                return
        reader = self._take()
        try:
            reader.read(path)
        except BaseException:
            # What a refused file leaves in a process, nobody knows.
            reader.end()
            self.warm_up()
            raise
        self._give_back(reader)
        self._note(key)

    def trust(self, path: Path) -> None:
        """Note that the file at ``path`` holds what has passed, such as a copy made just now."""
        self._note(_key(path))

    def warm_up(self) -> None:
        """Start the process that the next file needs; it gets ready by itself."""
        with self._lock:
            is_ready = bool(self._idle) or self._is_closed
        if not is_ready:
            self._give_back(_Reader(self.limits))

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for reader in idle:
            reader.end()

    def _take(self) -> _Reader:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return _Reader(self.limits)

    def _give_back(self, reader: _Reader) -> None:
        with self._lock:
            if not self._is_closed and not self._idle and reader.num_files < _MOST_FILES:
                self._idle.append(reader)
                return
        reader.end()

    def _note(self, key: _Key) -> None:
        with self._lock:
            self._passed[key] = None
            while len(self._passed) > _MOST_KNOWN:
                self._passed.popitem(last=False)


class _Reader:
    """The process that reads, and the pipes to it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.num_files = 0
        places = os.pathsep.join(str(Path(place).absolute()) for place in sys.path)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", _CHILD, json.dumps(asdict(limits))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # One thread each: the file is one, and each thread would take memory.
                env={**os.environ, "PYTHONPATH": places, "OMP_NUM_THREADS": "1",
                     "OPENBLAS_NUM_THREADS": "1"},
                start_new_session=True,
                text=True,
            )  # fmt: skip
        except OSError as error:
            raise StorageError(f"The process that opens models cannot start: {error}.") from error

    def read(self, path: Path) -> None:
        """Have the file read; raises what is wrong with it."""
        self.num_files += 1
        is_late = threading.Event()
        timer = threading.Timer(self._limits.max_open_seconds, self._expire, [is_late])
        timer.daemon = True
        timer.start()
        try:
            answer = self._ask(str(path))
        finally:
            timer.cancel()
        if answer is None:
            raise self._death(path, is_late.is_set())
        _raise_told(answer)

    def end(self) -> None:
        with suppress(OSError):
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _ask(self, path: str) -> dict[str, Any] | None:
        """What the process answers; None if it ended instead."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(path) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            return None
        answer: dict[str, Any] | None = json.loads(line) if line.endswith("\n") else None
        return answer

    def _expire(self, is_late: threading.Event) -> None:
        is_late.set()
        with suppress(OSError):
            self._process.kill()

    def _death(self, path: Path, is_late: bool) -> StudioError:
        code = self._process.wait()
        most = self._limits.max_open_seconds
        if is_late or code == -getattr(signal, "SIGXCPU", 0):
            return LimitError(
                beyond(f"{path.name} takes too long to open", "max_open_seconds", most)
            )
        ended_by = f"signal {-code}" if code < 0 else f"exit code {code}"
        with suppress(ValueError):
            ended_by = signal.Signals(-code).name
        return InvalidModelError(
            f"{path.name} cannot be opened: it ended the process that read it ({ended_by}). "
            "It may be damaged, or need more memory than the limit max_open_memory_bytes = "
            f"{self._limits.max_open_memory_bytes:,} allows."
        )


def _raise_told(answer: dict[str, Any]) -> None:
    kind = answer.get("kind")
    if kind is None:
        return
    error: StudioError = getattr(errors, kind)(answer["message"])
    if isinstance(error, errors.MlirSyntaxError):
        error.line, error.column = answer["line"], answer["column"]
    raise error


def _key(path: Path) -> _Key:
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return str(path), -1, -1, -1  # opening it says what is wrong
    return str(path), stat.st_ino, stat.st_mtime_ns, stat.st_size
