"""Who runs the tasks of a sweep: any executor, processes of this machine, a Dask cluster.

A worker that dies loses its tasks, and they are given again; the result is the same as if
nothing had happened, since a task's numbers do not depend on who runs it.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import suppress
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Protocol

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.data import Samples
from studio_core.pruning.staging import told_in_words
from studio_core.sensitivity.sweep.prepared import Task
from studio_core.sensitivity.sweep.tasks import SweepOrder, TaskResult, run_task, save_samples

MOST_WORKERS = 256

_MOST_LOSSES = 3
_LOOK_SECONDS = 1.0
_BREAK_SECONDS = 10.0
_END_SECONDS = 1.0


class Workers(Protocol):
    """Who runs tasks. `start` comes first and sends the data, once; `stop` ends all work."""

    @property
    def num_workers(self) -> int: ...
    def start(self, order: SweepOrder, samples: Samples) -> None: ...
    def submit(self, task: Task) -> Future[TaskResult]: ...
    def is_loss(self, error: BaseException) -> bool:
        """Whether this error of a task says that its worker is gone, and not what it did."""
        ...

    def recover(self) -> None:
        """Make ready for tasks after a loss; raises where that cannot be."""
        ...

    def check(self) -> None:
        """Asked now and then while nothing comes; raises where nothing will come."""
        ...

    def stop(self) -> None: ...


def results(workers: Workers, tasks: Sequence[Task]) -> Iterator[TaskResult]:
    """The results of ``tasks`` in the order in which they are done, each task once."""
    waiting = _submitted(workers, tasks)
    num_losses = 0
    while waiting:
        done, _ = wait(waiting, _LOOK_SECONDS, FIRST_COMPLETED)
        if not done:
            workers.check()
        lost = []
        for future in done:
            task = waiting.pop(future)
            error = _error(future)
            if error is None:
                num_losses = 0
                yield future.result()
            elif not workers.is_loss(error):
                raise error
            else:
                lost.append((task, error))
        if lost:
            num_losses += 1
            if num_losses > _MOST_LOSSES:
                raise _too_many_losses(lost[0][1])
            again = [task for task, _ in lost]
            if isinstance(lost[0][1], BrokenExecutor):  # no other task of it will be done
                wait(waiting, _BREAK_SECONDS)
                for future in [f for f in waiting if _error(f) is not None]:
                    again.append(waiting.pop(future))
            workers.recover()
            waiting |= _submitted(workers, again)


def _submitted(workers: Workers, tasks: Sequence[Task]) -> dict[Future[TaskResult], Task]:
    return {_submit(workers, task): task for task in tasks}


def _submit(workers: Workers, task: Task) -> Future[TaskResult]:
    try:
        return workers.submit(task)
    except BrokenExecutor as error:  # a worker died between two tasks
        broken: Future[TaskResult] = Future()
        broken.set_exception(error)
        return broken


def _error(future: Future[TaskResult]) -> BaseException | None:
    if not future.done():
        return None
    return CancelledError() if future.cancelled() else future.exception()


def _too_many_losses(error: BaseException) -> InvalidRequestError:
    return InvalidRequestError(
        f"Workers died {_MOST_LOSSES + 1} times in a row ({type(error).__name__}: {error}). "
        "Perhaps memory ran out: take fewer workers. A script of your own that starts workers "
        'must do so below `if __name__ == "__main__":`.'
    )


class ExecutorWorkers:
    """Any `concurrent.futures.Executor` of the caller's; it is not shut down.

    Its workers must see the model's path and this machine's temporary folder.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor: Executor = executor
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._futures: set[Future[TaskResult]] = set()
        self._order: SweepOrder

    @property
    def num_workers(self) -> int:
        number = getattr(self._executor, "_max_workers", None)
        return number if isinstance(number, int) and number > 0 else os.cpu_count() or 1

    def start(self, order: SweepOrder, samples: Samples) -> None:
        self._order = order
        with told_in_words(Path(tempfile.gettempdir())):
            self._folder = tempfile.TemporaryDirectory(prefix="studio-")
            save_samples(samples, self._data)

    @property
    def _data(self) -> Path:
        assert self._folder is not None  # started
        return Path(self._folder.name, "samples")

    def submit(self, task: Task) -> Future[TaskResult]:
        future = self._executor.submit(run_task, self._order, str(self._data), task)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def is_loss(self, error: BaseException) -> bool:
        return isinstance(error, BrokenExecutor)

    def recover(self) -> None:
        raise InvalidRequestError(
            "The executor is broken: one of its workers died. What was measured is kept; go on "
            "from it with a new executor, or let Studio start the workers (workers=2)."
        )

    def check(self) -> None: ...

    def stop(self) -> None:
        """Take back what has not begun; a task that runs ends by itself."""
        for future in list(self._futures):
            future.cancel()
        if self._folder is not None:
            self._folder.cleanup()


class ProcessWorkers(ExecutorWorkers):
    """Processes of this machine; those that die are replaced, and all end with the sweep."""

    def __init__(self, num_workers: int) -> None:
        if not 1 <= num_workers <= MOST_WORKERS:
            raise InvalidRequestError(f"Workers are 1 to {MOST_WORKERS} processes.")
        self._num_workers = num_workers
        super().__init__(self._pool())

    def _pool(self) -> ProcessPoolExecutor:
        # Started anew and not forked: threads of onnxruntime do not survive a fork.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._num_workers, context, begin_worker)

    @property
    def num_workers(self) -> int:
        return self._num_workers

    @property
    def pids(self) -> list[int]:
        """Ids of the processes that there are now."""
        return [process.pid for process in self._processes() if process.pid is not None]

    def _processes(self) -> list[multiprocessing.process.BaseProcess]:
        return list((getattr(self._executor, "_processes", None) or {}).values())

    def start(self, order: SweepOrder, samples: Samples) -> None:
        try:
            pickle.dumps(order)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise InvalidRequestError(
                f"The metric '{order.metric.name}' cannot be sent to other processes ({error}). "
                "Define its function in a module that they can import, or leave workers out."
            ) from error
        super().start(order, samples)

    def recover(self) -> None:
        self._end_processes()
        self._executor = self._pool()

    def stop(self) -> None:
        self._end_processes()
        super().stop()

    def _end_processes(self) -> None:
        processes = self._processes()
        self._executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(_END_SECONDS)
            if process.is_alive():
                process.kill()


def begin_worker() -> None:
    """What a process of `ProcessWorkers` does first: it leaves Ctrl-C to its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for tasks for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        with suppress(OSError):
            wait_for([parent.sentinel])
        os._exit(1)


def split(
    points: Sequence[tuple[str, tuple[float, ...]]], first: int, end: int, num_workers: int
) -> list[Task]:
    """Tasks of contiguous weights, about equally long, the longest first.

    A task runs the model up to its first layer once, and for each point from its layer on;
    so layers near the input cost most, and tasks are made large against that first run.
    """
    total = sum(len(levels) for _, levels in points)
    number = min(len(points), max(num_workers, min(4 * num_workers, total // 12)))
    weights = [len(levels) * (len(points) - i) for i, (_, levels) in enumerate(points)]
    tasks: list[Task] = []
    begin, gathered = 0, 0
    for i, weight in enumerate(weights):
        gathered += weight
        if gathered * number >= sum(weights) * (len(tasks) + 1) or i == len(weights) - 1:
            tasks.append(Task(tuple(points[begin : i + 1]), first, end))
            begin = i + 1
    return tasks
