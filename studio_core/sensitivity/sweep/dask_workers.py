"""A Dask cluster as the workers of a sweep, through `distributed`'s own client.

The data is scattered once to every worker; the model is opened by each at its path. Dask
itself gives the tasks of a worker that was lost to another, and starts workers again.
"""

from __future__ import annotations

import time
from concurrent.futures import CancelledError, Executor, Future
from contextlib import suppress
from typing import Any

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.data import Samples
from studio_core.sensitivity.sweep.prepared import Task
from studio_core.sensitivity.sweep.tasks import SweepOrder, TaskResult, run_task

_CONNECT_SECONDS = 10.0
_NOBODY_SECONDS = 60.0
_END_SECONDS = 1.0


class DaskWorkers:
    """The workers of the cluster whose scheduler answers at ``address`` (``tcp://…``)."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._client: Any = None
        self._executor: Executor
        self._order: SweepOrder
        self._given: Samples
        self._samples: Any = None
        self._event: Any = None
        self._futures: set[Future[TaskResult]] = set()
        self._seen_at = time.monotonic()

    @property
    def num_workers(self) -> int:
        """Threads of all workers: so many tasks are run at one time."""
        threads: dict[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    def start(self, order: SweepOrder, samples: Samples) -> None:
        distributed = _distributed()
        try:
            self._client = distributed.Client(
                self._address, timeout=_CONNECT_SECONDS, set_as_default=False
            )
        except (OSError, TimeoutError, ValueError) as error:
            raise InvalidRequestError(
                f"No Dask scheduler answers at {self._address} ({error}). Start one with "
                "`dask scheduler`, and workers with `dask worker ADDRESS`."
            ) from error
        if not self._client.nthreads():
            raise InvalidRequestError(
                f"The Dask cluster at {self._address} has no workers. Start some with "
                f"`dask worker {self._address}`."
            )
        self._order, self._given = order, samples
        self._event = distributed.Event(f"studio-{order.key}", client=self._client)
        self._executor = self._client.get_executor(pure=False)
        self._scatter()

    def _scatter(self) -> None:
        self._samples = self._client.scatter(self._given, broadcast=True, hash=False)

    def submit(self, task: Task) -> Future[TaskResult]:
        future = self._executor.submit(
            run_dask_task, self._order, self._samples, task, self._event.name
        )
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def is_loss(self, error: BaseException) -> bool:
        # Cancelled by the cluster: the data went with the workers that held it.
        return isinstance(error, (CancelledError, _distributed().KilledWorker))

    def recover(self) -> None:
        try:
            self._scatter()
        except Exception as error:  # of distributed's own many kinds
            raise InvalidRequestError(
                f"The Dask cluster at {self._address} is gone ({error}). What was measured is "
                "kept; go on from it once there is one."
            ) from error

    def check(self) -> None:
        if self._client.status == "running" and self._client.nthreads():
            self._seen_at = time.monotonic()
        elif time.monotonic() - self._seen_at > _NOBODY_SECONDS:
            raise InvalidRequestError(
                f"The Dask cluster at {self._address} has had no worker for a minute. What was "
                "measured is kept; go on from it once there are workers."
            )

    def stop(self) -> None:
        """Take back what waits, and tell the tasks that run to end."""
        if self._client is None:
            return
        with suppress(Exception):  # the cluster may be gone; there is nothing to end then
            if self._futures:
                self._event.set()  # stays set: nobody says when the last task has seen it
                self._executor.shutdown(wait=False)
        with suppress(Exception):
            self._client.close(timeout=_END_SECONDS)
        self._client = None


def run_dask_task(order: SweepOrder, samples: Samples, task: Task, event: str) -> TaskResult:
    """`run_task` on a worker of the cluster, until the event called ``event`` is set."""
    return run_task(order, samples, task, _distributed().Event(event).is_set)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise InvalidRequestError(
            "A Dask cluster needs the package distributed: pip install 'studio-workbench[dask]'."
        ) from None
    return distributed
