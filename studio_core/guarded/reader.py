"""`Reader`: one process that reads files for a `Guard`, and what it died of."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from studio_core import errors
from studio_core.errors import InvalidModelError, LimitError, StorageError, StudioError
from studio_core.limits import Limits, beyond

OPEN, GRAPHS, EXECUTED = "open", "graphs", "executed"
"""The tasks of child.py: only open a file, its graphs, the graph that a run kept."""

_CHILD = "studio_core.guarded.child"
_MOST_FILES = 50
_MOST_MEMORY_KEPT = 600 << 20
"""In bytes: a process that once took more may never give all of it back."""

Texts = list[tuple[str, bytes]]


class ReaderFaultError(RuntimeError):
    """A fault of Studio's own, in the process that read; its traceback is the message."""


class Reader:
    """The process that reads, and the pipes to it; one file at a time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._num_files, self._peak = 0, 0
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
            )  # fmt: skip
        except OSError as error:
            raise StorageError(f"The process that opens models cannot start: {error}.") from error

    @property
    def is_worn(self) -> bool:
        """Whether another shall read the next file, so that nothing piles up."""
        return self._num_files >= _MOST_FILES or self._peak > _MOST_MEMORY_KEPT

    def read(self, task: str, path: Path) -> Texts:
        """Have a task of child.py done on the file; raises what is wrong with the file."""
        self._num_files += 1
        is_late = threading.Event()
        timer = threading.Timer(self._limits.max_open_seconds, self._expire, [is_late])
        timer.daemon = True
        timer.start()
        try:
            found = self._ask({"task": task, "path": str(path)})
        finally:
            timer.cancel()
        if found is None:
            raise self._death(path, is_late.is_set())
        told, texts = found
        self._peak = told["peak"]
        _raise_told(told)
        return texts

    def kill(self) -> None:
        """End the process; whoever waits for its answer gets an error. For any thread."""
        with suppress(OSError):
            self._process.kill()

    def end(self) -> None:
        """End the process and close the pipes to it. For the thread that had it read."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _ask(self, question: dict[str, str]) -> tuple[dict[str, Any], Texts] | None:
        """What the process answers; None if it ended instead."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write(json.dumps(question).encode("ascii") + b"\n")
            stdin.flush()
            line = stdout.readline()
            if not line.endswith(b"\n"):
                return None
            told: dict[str, Any] = json.loads(line)
            texts = [(name, stdout.read(size), size) for name, size in told["texts"]]
        except OSError:
            return None
        if any(len(text) < size for _, text, size in texts):
            return None
        return told, [(name, text) for name, text, _ in texts]

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


def _raise_told(told: dict[str, Any]) -> None:
    if "fault" in told:
        raise ReaderFaultError(told["fault"])
    kind = told.get("kind")
    if kind is None:
        return
    error: StudioError = getattr(errors, kind)(told["message"])
    if isinstance(error, errors.MlirSyntaxError):
        error.line, error.column = told["line"], told["column"]
    raise error
