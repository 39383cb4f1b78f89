"""A queue on a temporary root, whose workers do the work in small_work.py."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from studio_core.jobs import Job, JobQueue


@pytest.fixture(autouse=True)
def _small_work_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "projects"
    path.mkdir()
    return path


@pytest.fixture
def make_queue(root: Path) -> Iterator[Callable[..., JobQueue]]:
    """``make_queue("count", max_running=2)``: started, and stopped when the test ends."""
    queues: list[JobQueue] = []

    def make(work: str = "count", **options: Any) -> JobQueue:
        queues.append(JobQueue(root, work=f"small_work:{work}", **options).start())
        return queues[-1]

    yield make
    for queue in queues:
        queue.stop()


@pytest.fixture
def queue(make_queue: Callable[..., JobQueue]) -> JobQueue:
    return make_queue()


def until(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """What ``condition`` returns once that is true."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
    return value


def until_measured(queue: JobQueue, job: Job, done: int = 1) -> Job:
    until(lambda: queue.get(job.id).progress.done >= done or queue.get(job.id).is_finished)
    return queue.get(job.id)
