"""`Turns`: how many threads of the server compute at one time, so that its event loop can.

Threads share one interpreter with the event loop: the more of them compute, the longer the loop
waits until it is back, for everybody's kernels. Threads that wait for another process cost nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """At most ``number`` threads between `taken` and its end, those apart that have `left`."""

    def __init__(self, number: int) -> None:
        self._free = threading.Semaphore(number)
        self._own = threading.local()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for a turn, and keep it until the block ends."""
        with self._free:
            self._own.has_turn = True
            try:
                yield
            finally:
                self._own.has_turn = False

    @contextmanager
    def left(self) -> Iterator[None]:
        """Let another thread have this one's turn until the block ends; nothing without a turn."""
        if not getattr(self._own, "has_turn", False):
            yield
            return
        self._own.has_turn = False
        self._free.release()
        try:
            yield
        finally:
            self._free.acquire()
            self._own.has_turn = True
