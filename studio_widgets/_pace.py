"""How fast work goes and how long it will take, in words."""

from __future__ import annotations

import time


class Pace:
    """Watches a run; the first step is its start, since what comes before is preparation."""

    def __init__(self) -> None:
        self._base: int | None = None  # what was done before this run
        self._began: tuple[float, int] | None = None
        self.done = self.total = 0

    def move(self, done: int, total: int) -> None:
        """The run has come to ``done`` of ``total``."""
        if self._base is None:
            self._base = done
        if self._began is None and done > self._base:
            self._began = (time.monotonic(), done)
        self.done, self.total = done, total

    @property
    def rate(self) -> float | None:
        """Steps a second; None until there are some."""
        if self._began is None or self.done <= self._began[1]:
            return None
        seconds = time.monotonic() - self._began[0]
        return (self.done - self._began[1]) / seconds if seconds > 0 else None

    def words(self) -> str:
        """'42 of 140 · 31 a second · about 4 s left'."""
        text = f"{self.done:,} of {self.total:,}"
        if self.rate is None:
            return text
        left = duration((self.total - self.done) / self.rate)
        return f"{text} · {_rate(self.rate)} · about {left} left"


def duration(seconds: float) -> str:
    """4.2 → '4 s'; 130 → '2 min 10 s'; 3900 → '1 h 5 min'."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 10:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(whole / 60), 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def _rate(rate: float) -> str:
    if rate >= 1:
        return f"{rate:.0f} a second" if rate >= 10 else f"{rate:.1f} a second"
    return f"{1 / rate:.1f} s each"
