"""Servers that stop, die and come back, and two of them at once on one project root."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil

from studio_core.jobs import JobQueue, JobState, JobStore
from studio_core.jobs.processes import Adopted, ProcessMark, end_tree

from .conftest import until, until_measured
from .test_queue import LONG, lives, measured

SERVER = """
import json, sys, time
from studio_core.jobs import JobQueue
root, place, options = json.loads(sys.argv[1])
sys.path.insert(0, place)
queue = JobQueue(root, work="small_work:count").start()
for name in "ab":
    queue.submit("p", "loss", name, options)
print("up", flush=True)
time.sleep(99)
"""


@contextmanager
def another_server(root: Path, **options: object) -> Iterator[subprocess.Popen[str]]:
    """A process with a queue of its own, which runs job ``a`` and lets ``b`` wait."""
    order = json.dumps([str(root), str(Path(__file__).parent), options])
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, order],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert server.stdout is not None and server.stdout.readline() == "up\n"
    try:
        yield server
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def test_stopping_a_server_interrupts_its_jobs(
    make_queue: Callable[..., JobQueue], root: Path
) -> None:
    first = make_queue()
    running, waiting = (first.submit("p", "loss", name, LONG) for name in "ab")
    pid = until_measured(first, running, 2).pid
    first.stop()
    assert pid is not None and not lives(pid)
    second = make_queue()
    jobs = second.jobs()
    assert [job.id for job in jobs] == [running.id, waiting.id]
    assert [job.state for job in jobs] == ["interrupted", "interrupted"]
    assert "The server was stopped" in str(jobs[0].error)
    assert "had begun" in str(jobs[1].error)
    kept = len(measured(root, "a"))
    second.resume(running.id)
    until_measured(second, running, kept + 1)
    assert len(measured(root, "a")) > kept >= 2


def test_workers_survive_a_stop_where_that_is_wished(
    make_queue: Callable[..., JobQueue],
) -> None:
    first = make_queue()
    job = first.submit("p", "loss", "a", {"total": 10, "seconds": 0.1})
    pid = until_measured(first, job).pid
    first.stop(keep_workers=True)
    assert pid is not None and lives(pid)
    second = make_queue()
    assert (second.get(job.id).state, second.get(job.id).pid) == (JobState.RUNNING, pid)
    assert second.wait(job.id, 10).state == "done"


def test_a_worker_that_outlives_its_server_is_adopted(
    make_queue: Callable[..., JobQueue], root: Path
) -> None:
    with another_server(root, total=15, seconds=0.1) as server:
        until(lambda: any(j.progress.done for j in JobStore(root).jobs()))
        server.kill()
        server.wait()
        queue = make_queue()
        running, waiting = queue.jobs()
        assert (running.name, running.state) == ("a", JobState.RUNNING)
        assert (waiting.name, waiting.state) == ("b", JobState.INTERRUPTED)
        assert running.owner == ProcessMark.own()
        assert queue.wait(running.id, 10).state == "done"
        assert len({pid for _, pid in measured(root, "a")}) == 1, "the same worker all along"


def test_an_adopted_worker_can_be_cancelled(
    make_queue: Callable[..., JobQueue], root: Path
) -> None:
    with another_server(root, **LONG) as server:
        until(lambda: any(j.progress.done for j in JobStore(root).jobs()))
        server.kill()
        server.wait()
        queue = make_queue()
        job = queue.jobs()[0]
        assert job.pid is not None and lives(job.pid)
        assert queue.cancel(job.id).state == "cancelled"
        assert not lives(job.pid)


def test_an_adopted_worker_that_dies_is_failed(
    make_queue: Callable[..., JobQueue], root: Path
) -> None:
    with another_server(root, **LONG) as server:
        until(lambda: any(j.progress.done for j in JobStore(root).jobs()))
        server.kill()
        server.wait()
        queue = make_queue()
        job = queue.jobs()[0]
        assert job.pid is not None
        os.kill(job.pid, signal.SIGKILL)
        failed = queue.wait(job.id, 10)
        assert failed.state == "failed" and "under a server that is gone" in str(failed.error)


def test_a_server_and_its_worker_both_killed(
    make_queue: Callable[..., JobQueue], root: Path
) -> None:
    with another_server(root, **LONG) as server:
        job = until(lambda: next((j for j in JobStore(root).jobs() if j.progress.done), None))
        server.kill()
        server.wait()
        os.kill(job.pid, signal.SIGKILL)
        until(lambda: not lives(job.pid))
        queue = make_queue()
        found = queue.get(job.id)
        assert (found.state, found.pid) == (JobState.INTERRUPTED, None)
        assert "together with the server" in str(found.error)
        assert queue.resume(job.id).state == "queued"
        until_measured(queue, job, len(measured(root, "a")) + 1)


def test_a_pid_that_is_another_process_now_is_not_a_worker(
    make_queue: Callable[..., JobQueue], root: Path
) -> None:
    store = JobStore(root)
    first = make_queue()
    job = first.submit("p", "loss", "a", {"total": 1})
    done = first.wait(job.id, 10)
    first.stop()
    stranger = ProcessMark(os.getpid(), psutil.Process().create_time() - 1000)
    store.save(replace(done, state=JobState.RUNNING, process=stranger, owner=stranger, attempt=9))
    assert make_queue().get(job.id).state == "interrupted"
    assert lives(os.getpid())


def test_a_session_of_strangers_is_left_alone() -> None:
    """The worker's id was given to another leader of a session meanwhile."""
    stranger = subprocess.Popen(["sleep", "30"], start_new_session=True)
    try:
        end_tree(Adopted(ProcessMark(stranger.pid, psutil.boot_time())), 0)
        assert lives(stranger.pid)
        end_tree(Adopted(ProcessMark.of(stranger.pid)), 0)
        assert not lives(stranger.pid)
    finally:
        stranger.kill()
        stranger.wait()


def test_two_servers_on_one_root(make_queue: Callable[..., JobQueue], root: Path) -> None:
    with another_server(root, **LONG):
        queue = make_queue()
        running, waiting = until(lambda: (j := queue.jobs()) and j[0].progress.done and j)
        assert (running.state, waiting.state) == ("running", "queued")
        assert running.owner != ProcessMark.own(), "it is read, not taken"
        assert queue.cancel(waiting.id).state == "cancelled"
        assert queue.cancel(running.id).state == "cancelled"
        assert queue.get(running.id).error is None
