"""How fast a job goes and when it will be done, from its latest steps."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

WINDOW_SECONDS = 20.0
LEAST_SECONDS = 0.5


class Pace:
    """Counts steps; what was done before the first `step` (a resumed job) does not count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steps: deque[tuple[float, int]] = deque()

    def step(self, done: int) -> None:
        now = self._clock()
        self._steps.append((now, done))
        while len(self._steps) > 2 and now - self._steps[1][0] > WINDOW_SECONDS:
            self._steps.popleft()

    @property
    def rate(self) -> float | None:
        """Steps a second over the latest seconds; None until there is something to tell."""
        if len(self._steps) < 2:
            return None
        (then, before), (now, done) = self._steps[0], self._steps[-1]
        if now - then < LEAST_SECONDS or done <= before:
            return None
        return (done - before) / (now - then)

    def eta_seconds(self, total: int) -> float | None:
        rate = self.rate
        return None if rate is None else max(0, total - self._steps[-1][1]) / rate
