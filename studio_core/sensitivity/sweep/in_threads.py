"""Jobs run by threads of this process, their results in order, a few jobs ahead of the caller."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_JOBS_AHEAD = 4


def in_threads(jobs: Iterable[Callable[[], T]], num_threads: int) -> Iterator[T]:
    """The results of ``jobs``, which are taken from their iterator as threads come free.

    Few jobs wait for a thread, since each keeps the tensors it begins with alive.
    """
    threads = ThreadPoolExecutor(num_threads)
    waiting: deque[Future[T]] = deque()
    try:
        for job in jobs:
            waiting.append(threads.submit(job))
            while len(waiting) > _JOBS_AHEAD * num_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # whoever stops asking does not wait for what is queued
        threads.shutdown(cancel_futures=True)
