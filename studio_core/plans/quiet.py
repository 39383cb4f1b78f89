"""Keeping a C library from writing to the process's standard output.

HiGHS 1.12 has a print left in the repair of a rounded solution that no option silences; it
would end up between the lines of `studio … --json`, or in a notebook's cell.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_STDOUT = 1
_lock = threading.Lock()
_depth = 0
_saved: int | None = None


@contextmanager
def quiet_stdout() -> Iterator[None]:
    """File descriptor 1 leads nowhere in here. Several threads may be inside at once.

    Python's own `sys.stdout` is not flushed meanwhile by the calling thread, and Jupyter's
    does not use the descriptor, so nothing of theirs is lost.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _depth, _saved
    with _lock:
        _depth += 1
        if _depth > 1:
            return
        with suppress(OSError):  # a process without a standard output has nothing to keep quiet
            _flush()
            _saved = os.dup(_STDOUT)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, _STDOUT)
            os.close(nowhere)


def _leave() -> None:
    global _depth, _saved
    with _lock:
        _depth -= 1
        if _depth or _saved is None:
            return
        _flush()
        os.dup2(_saved, _STDOUT)
        os.close(_saved)
        _saved = None


def _flush() -> None:
    """Write out what C's own buffers hold, while it leads where it should."""
    with suppress(OSError, AttributeError, TypeError):  # Windows has no such library handle
        ctypes.CDLL(None).fflush(None)
