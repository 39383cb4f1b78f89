"""Long work beside the kernel: a thread that iterates, and news of it in the kernel's loop.

Widgets are changed where they always are, in the loop that started the run, so that a run
and a person who moves a slider never change the same thing at once. News is sent at most
four times a second; what nobody has fetched yet is replaced by what is newer. Outside of
Jupyter there is no loop, and the thread brings its news itself.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Generic, TypeVar

NEWS_SECONDS = 0.25

Step = TypeVar("Step")
News = TypeVar("News")


class BackgroundRun(Generic[Step, News]):
    """One run of ``steps`` in a thread of its own.

    ``snapshot`` makes the news of a step, in the thread; ``on_news`` and ``on_end`` hear of
    it in the loop. ``error`` is what ended the run too early, if anything did. Where
    ``on_cancel`` is given, it sees to it that the steps come to an end.
    """

    def __init__(
        self,
        steps: Callable[[], Iterator[Step]],
        snapshot: Callable[[Step], News],
        on_news: Callable[[News], None],
        on_end: Callable[[BackgroundRun[Step, News]], None],
        on_cancel: Callable[[], None] | None = None,
    ) -> None:
        self._on_cancel = on_cancel
        self._steps, self._snapshot = steps, snapshot
        self._on_news, self._on_end = on_news, on_end
        self.error: Exception | None = None
        self._loop = _running_loop()
        self._news: list[News] = []
        self._cancelled, self._ended = threading.Event(), threading.Event()
        self._left = threading.Event()
        self._is_end_told = False
        self._telling = threading.RLock()
        self._thread = threading.Thread(target=self._work, name="studio-run", daemon=True)

    def __repr__(self) -> str:
        state = "cancelled" if self.is_cancelled else "ended" if self.has_ended else "running"
        return f"<run, {state}>"

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    @property
    def has_ended(self) -> bool:
        return self._ended.is_set()

    def start(self) -> None:
        self._thread.start()

    def cancel(self) -> None:
        """Stop after the present step; what was found stays."""
        if self.has_ended:
            return
        self._cancelled.set()
        if self._on_cancel is not None:
            self._on_cancel()
        else:
            self._left.set()

    def leave(self) -> None:
        """Take no further step; what works elsewhere, such as a job, goes on there."""
        self._left.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end while the widgets go on; False if ``timeout`` seconds were too few.

        Raises what ended the run too early.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._ended.wait(NEWS_SECONDS / 2):
            self._tell()  # a cell that waits keeps the loop from doing so
            if deadline is not None and time.monotonic() > deadline:
                return False
        self._tell()
        if self.error is not None:
            raise self.error
        return True

    def _work(self) -> None:
        steps: Iterator[Step] | None = None
        last: list[Step] = []
        try:
            steps = self._steps()
            sent_at = 0.0
            for step in steps:
                last = [step]
                if self._left.is_set():
                    break
                if time.monotonic() - sent_at >= NEWS_SECONDS:
                    self._bring(step)
                    sent_at, last = time.monotonic(), []
        except Exception as error:
            self.error = error
        try:
            for step in last:
                self._bring(step)
        except Exception as error:
            self.error = self.error or error
        self._ended.set()
        self._ask_to_tell()
        with suppress(Exception):
            _close(steps)  # may take a while: it waits for what is under way

    def _bring(self, step: Step) -> None:
        self._news = [self._snapshot(step)]
        self._ask_to_tell()

    def _ask_to_tell(self) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop was closed
                self._loop.call_soon_threadsafe(self._tell)
                return
        self._tell()

    def _tell(self) -> None:
        with self._telling:
            has_ended = self.has_ended  # before the news is taken, so that none comes after
            news, self._news = self._news, []
            for item in news:
                self._on_news(item)
            if has_ended and not self._is_end_told:
                self._is_end_told = True
                self._on_end(self)


def _close(steps: Any) -> None:
    close = getattr(steps, "close", None)
    if close is not None:
        close()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
