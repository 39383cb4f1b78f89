"""Progress of long work on stderr: a bar on a terminal, a line now and then elsewhere.

The answer on stdout stays the same with both.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from studio_cli.output import note
from studio_cli.text import visible

Report = Callable[[int, int, str], None]
"""Takes how many are done, of how many, and what was last."""

_LINE_SECONDS = 10.0
_LINE_SHARE = 0.25
"""A log gets a line after so long or so much, whichever is first."""


@contextmanager
def progress(title: str) -> Iterator[Report]:
    """Show how far the work called ``title`` is, until the block ends."""
    if sys.stderr.isatty():
        with _bar(title) as report:
            yield report
    else:
        yield _Lines(title)


@contextmanager
def _bar(title: str) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        Task,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(TextColumn):
        def render(self, task: Task) -> Text:
            return Text("" if not task.speed else _rate(task.speed))

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(""),
        TimeRemainingColumn(),
        TextColumn("{task.fields[what]}", markup=False),
        console=Console(stderr=True, force_jupyter=False, markup=False, emoji=False),
        # What is left on the screen afterwards is the answer.
        transient=True,
    )
    task: TaskID | None = None

    def report(done: int, total: int, what: str) -> None:
        nonlocal task
        if task is None:  # what an earlier run has done is no part of the rate
            task = bar.add_task(title, total=total, completed=done, what=visible(what))
        else:
            bar.update(task, completed=done, total=total, what=visible(what))

    with bar:
        yield report


class _Lines:
    """Plain lines, few enough for a log."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._first: tuple[float, int] | None = None
        self._last: tuple[float, int] = (0.0, 0)

    def __call__(self, done: int, total: int, what: str) -> None:  # noqa: ARG002
        now = time.monotonic()
        if self._first is None:
            self._first = self._last = now, done
            earlier = f", {done:,} of them done before" if done else ""
            note(f"{self._title}: {total:,} to do{earlier}")
            return
        seconds, at = now - self._last[0], self._last[1]
        is_end = done >= total > at
        if is_end or seconds >= _LINE_SECONDS or done - at >= total * _LINE_SHARE:
            self._last = now, done
            note(f"{self._title}: {done:,} of {total:,}{self._speed(now, done, total)}")

    def _speed(self, now: float, done: int, total: int) -> str:
        assert self._first is not None
        start, before = self._first
        if done <= before or now <= start:
            return ""
        rate = (done - before) / (now - start)
        left = "" if done >= total else f", {_duration((total - done) / rate)} left"
        return f", {_rate(rate)}{left}"


def _rate(per_second: float) -> str:
    return f"{per_second:.3g}/s" if per_second >= 0.1 else f"{60 * per_second:.2g}/min"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
