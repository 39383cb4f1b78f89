"""Work that may be asked for many times in a moment and is then done once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Later:
    """Calls ``work`` ``seconds`` after it was last asked for; at once where no loop runs."""

    def __init__(self, work: Callable[[], None], seconds: float = 0.25) -> None:
        self._work, self._seconds = work, seconds
        self._asked: asyncio.TimerHandle | None = None

    def ask(self) -> None:
        self.forget()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._work()
        else:
            self._asked = loop.call_later(self._seconds, self._work)

    def forget(self) -> None:
        """What was asked for is not done."""
        if self._asked is not None:
            self._asked.cancel()
            self._asked = None
