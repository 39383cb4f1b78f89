"""Jobs from being queued to their end, done by real worker processes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from studio_core.errors import ConflictError, InvalidRequestError, NotFoundError
from studio_core.jobs import Job, JobQueue, JobState
from studio_core.jobs import queue as queue_module

from .conftest import until, until_measured

LONG = {"total": 1000, "seconds": 0.02}


def measured(root: Path, name: str) -> list[list[int]]:
    return json.loads((root / f"{name}.json").read_text())


def test_a_job_is_done_and_tells_of_it(make_queue: Callable[..., JobQueue], root: Path) -> None:
    told: list[Job] = []
    queue = make_queue(on_change=told.append)
    job = queue.submit("p", "loss", "a", {"total": 40, "seconds": 0.025})
    assert (job.state, job.progress.eta_seconds, job.pid) == (JobState.QUEUED, None, None)
    assert str(UUID(job.id)) == job.id
    half = until_measured(queue, job, 30)
    assert half.state is JobState.RUNNING and half.pid is not None
    assert half.progress.rate == pytest.approx(40, rel=0.7)
    assert half.progress.eta_seconds == pytest.approx(10 / 40, abs=0.5)
    done = queue.wait(job.id, 10)
    assert (done.state, done.error, done.pid) == (JobState.DONE, None, None)
    assert (done.progress.done, done.progress.total, done.progress.message) == (40, 40, "layer 39")
    assert done.created_at < str(done.started_at) < str(done.finished_at)
    assert len(measured(root, "a")) == 40
    until(lambda: told[-1].is_finished)  # it is on disk a moment before anybody is told
    states = [j.state for j in told]
    assert states == sorted(states, key=["queued", "running", "done"].index)
    assert states[0] == "queued" and states[-1] == "done"
    rates = [j.progress.done for j in told]
    assert 3 < len(set(rates)) < 30, "progress is told, but not every step"


def test_jobs_take_turns_in_order(queue: JobQueue) -> None:
    jobs = [queue.submit("p", "loss", name, {"seconds": 0.01}) for name in "abc"]
    assert [job.id for job in queue.jobs()] == [job.id for job in jobs]
    done = [queue.wait(job.id, 20) for job in jobs]
    assert [job.state for job in done] == ["done"] * 3
    for before, after in pairwise(done):
        assert str(before.finished_at) <= str(after.started_at)


def test_as_many_run_as_the_queue_may(make_queue: Callable[..., JobQueue]) -> None:
    queue = make_queue(max_running=2)
    jobs = [queue.submit("p", "loss", name, LONG) for name in "abc"]
    until(lambda: [queue.get(j.id).state for j in jobs] == ["running", "running", "queued"])
    queue.cancel(jobs[0].id)
    until(lambda: queue.get(jobs[2].id).state == "running")


def test_two_runs_of_one_analysis_conflict(queue: JobQueue) -> None:
    first = queue.submit("p", "loss", "same", LONG)
    for name in ("same", "SAME"):  # one file on many disks
        with pytest.raises(ConflictError, match=r"'same' is (queued|running) already"):
            queue.submit("p", "loss", name)
    queue.submit("p", "perf", "same", {"total": 1})
    queue.submit("q", "loss", "same", {"total": 1})
    queue.cancel(first.id)
    second = queue.submit("p", "loss", "same", {"total": 1})
    with pytest.raises(ConflictError, match="already"):
        queue.resume(first.id)
    assert queue.wait(second.id, 20).state == "done"


def test_the_queue_has_an_end(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "MOST_ACTIVE", 2)
    for name in "ab":
        queue.submit("p", "loss", name, LONG)
    with pytest.raises(ConflictError, match="2 jobs wait already"):
        queue.submit("p", "loss", "c")


@pytest.mark.parametrize("name", ["approx", "../x", "", "a/b"])
def test_names_are_those_of_analyses(queue: JobQueue, name: str) -> None:
    with pytest.raises(InvalidRequestError):
        queue.submit("p", "loss", name)
    assert queue.jobs() == ()


def test_cancel_ends_the_whole_family_and_frees_its_memory(
    make_queue: Callable[..., JobQueue],
) -> None:
    queue = make_queue("family")
    job = queue.submit("p", "loss", "a")
    pids = json.loads(until_measured(queue, job).progress.message)
    assert all(psutil.pid_exists(pid) for pid in pids) and len(set(pids)) == 3
    assert psutil.Process(pids[0]).memory_info().rss > 64 << 20
    begun = time.monotonic()
    cancelled = queue.cancel(job.id)
    assert time.monotonic() - begun < 2
    assert (cancelled.state, cancelled.error) == (JobState.CANCELLED, None)
    assert [pid for pid in pids if lives(pid)] == []


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_cancel_of_one_that_waits_and_of_one_that_is_over(queue: JobQueue) -> None:
    running, waiting = (queue.submit("p", "loss", name, LONG) for name in "ab")
    assert queue.cancel(waiting.id).state == "cancelled"
    assert queue.get(waiting.id).started_at is None
    assert queue.cancel(running.id).state == "cancelled"
    for job in (running, waiting):
        with pytest.raises(ConflictError, match="is cancelled already"):
            queue.cancel(job.id)


def test_a_cancelled_job_goes_on_where_it_was(queue: JobQueue, root: Path) -> None:
    job = queue.submit("p", "loss", "a", {"total": 12, "seconds": 0.1})
    until_measured(queue, job, 2)
    queue.cancel(job.id)
    kept = measured(root, "a")
    assert 2 <= len(kept) < 12
    again = queue.resume(job.id)
    assert (again.id, again.state, again.attempt) == (job.id, "queued", 2)
    assert queue.wait(job.id, 10).state == "done"
    assert measured(root, "a")[: len(kept)] == kept, "nothing is measured twice"
    assert len(measured(root, "a")) == 12
    with pytest.raises(ConflictError, match="is done; it cannot be resumed"):
        queue.resume(job.id)


def test_finished_jobs_can_be_forgotten(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    job = queue.submit("p", "loss", "a", LONG)
    with pytest.raises(ConflictError, match="Cancel it first"):
        queue.remove(job.id)
    queue.cancel(job.id)
    queue.remove(job.id)
    with pytest.raises(NotFoundError, match="does not exist"):
        queue.get(job.id)
    assert not job.folder.exists()
    monkeypatch.setattr(queue_module, "MOST_KEPT", 1)
    jobs = []
    for name in "abc":
        jobs.append(queue.submit("p", "loss", name, LONG))
        queue.cancel(jobs[-1].id)
    assert [j.id for j in queue.jobs()] == [jobs[1].id, jobs[2].id]


def test_the_jobs_of_a_project_that_goes(queue: JobQueue) -> None:
    mine = [queue.submit("mine", "loss", name, LONG) for name in "ab"]
    other = queue.submit("other", "loss", "a", LONG)
    assert [j.id for j in queue.jobs("mine")] == [j.id for j in mine]
    queue.forget_project("mine")
    assert [j.id for j in queue.jobs()] == [other.id]


@pytest.mark.parametrize("job_id", ["", "..", "x", "../../etc", "0" * 36, "a\0b"])
def test_an_id_is_never_a_path(queue: JobQueue, job_id: str) -> None:
    with pytest.raises(NotFoundError):
        queue.get(job_id)


def test_looking_writes_nothing(queue: JobQueue, root: Path) -> None:
    assert queue.jobs() == ()
    assert list(root.iterdir()) == []
