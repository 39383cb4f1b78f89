"""Worker processes: started in a session of their own, told apart, and ended with all they began.

A process is known by its id and its start time, since systems give ids again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from studio_core.errors import StorageError

_SAME_START_SECONDS = 2.0
"""Start times are computed from the system's clock, which is corrected now and then."""

_KILL_SECONDS = 0.5
_POLL_SECONDS = 0.01


@dataclass(frozen=True)
class ProcessMark:
    """A process by its id and start time (seconds since the epoch)."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> ProcessMark:
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.Error:  # it is over already; nothing else started just now
            return cls(pid, time.time())

    @classmethod
    def own(cls) -> ProcessMark:
        return cls.of(os.getpid())

    @property
    def process(self) -> psutil.Process | None:
        """The process, None where it has ended; one that nobody has buried has ended too."""
        try:
            process = psutil.Process(self.pid)
            if not self.is_of(process):
                return None
            return None if process.status() == psutil.STATUS_ZOMBIE else process
        except psutil.Error:
            return None

    @property
    def is_alive(self) -> bool:
        return self.process is not None

    def is_of(self, process: psutil.Process) -> bool:
        """Whether it marks ``process``, and not one that had the id before or after."""
        return bool(abs(process.create_time() - self.started) <= _SAME_START_SECONDS)


class Worker(Protocol):
    """A process that works on a job."""

    @property
    def mark(self) -> ProcessMark: ...

    @property
    def is_alive(self) -> bool: ...

    @property
    def exit_code(self) -> int | None:
        """Negative for a signal; None while it runs, or where nobody can know."""


class Child:
    """A worker that this process started."""

    def __init__(self, command: Sequence[str], log_path: Path) -> None:
        # The same modules as here, wherever they came from; -P keeps out those that happen
        # to lie in the folder a server was started in.
        places = os.pathsep.join(str(Path(place).absolute()) for place in sys.path)
        try:
            # A growing text, not state: nobody trusts its last line, so it is not atomic.
            with log_path.open("ab") as log:
                self._popen = subprocess.Popen(
                    [sys.executable, "-P", *command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, "PYTHONPATH": places},
                    start_new_session=True,
                )
        except OSError as error:
            raise StorageError(f"The worker could not be started: {error}.") from error
        self.mark = ProcessMark.of(self._popen.pid)

    @property
    def is_alive(self) -> bool:
        return self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        return self._popen.poll()


@dataclass(frozen=True)
class Adopted:
    """A worker that outlived the server which started it."""

    mark: ProcessMark

    @property
    def is_alive(self) -> bool:
        return self.mark.is_alive

    @property
    def exit_code(self) -> int | None:
        return None


def end_tree(worker: Worker, grace_seconds: float) -> None:
    """End ``worker`` and everything it started, within ``grace_seconds`` and a half.

    It is asked first, so that it can save what it has, and killed where it does not obey.
    """
    tree = _descendants(worker.mark)
    root = worker.mark.process
    if root is not None:
        _quietly(root.terminate)
    _wait_for_end(worker, grace_seconds)
    deadline = time.monotonic() + _KILL_SECONDS
    while True:
        tree |= _descendants(worker.mark) | _session(worker.mark)
        living = [p for p in tree if _is_alive(p)]
        if not living or time.monotonic() > deadline:
            break
        for process in living:
            _quietly(process.kill)  # psutil makes sure that it is still the same one
        time.sleep(_POLL_SECONDS)
    _wait_for_end(worker, _KILL_SECONDS)


def _wait_for_end(worker: Worker, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while worker.is_alive and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def _descendants(mark: ProcessMark) -> set[psutil.Process]:
    root = mark.process
    try:
        return set() if root is None else {root, *root.children(recursive=True)}
    except psutil.Error:
        return set()


def _session(leader: ProcessMark) -> set[psutil.Process]:
    """Who is left of a worker's session once their parents are gone."""
    if not hasattr(os, "getsid"):
        return set()
    members = set()
    for pid in psutil.pids():
        if _session_of(pid) == leader.pid:
            with suppress(psutil.Error):
                members.add(psutil.Process(pid))
    # An id is given again only when nobody of its session is left: these are strangers.
    is_another = any(p.pid == leader.pid and not leader.is_of(p) for p in members)
    return set() if is_another else members


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _quietly(action: Callable[[], object]) -> None:
    with suppress(psutil.Error):  # it ended by itself meanwhile
        action()
