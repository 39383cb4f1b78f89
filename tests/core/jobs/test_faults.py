"""Jobs that go wrong: told truly, and with what they measured kept."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from studio_core.errors import StorageError
from studio_core.jobs import JobQueue, JobState, JobStore
from studio_core.projects import files

from .conftest import until, until_measured
from .test_queue import LONG, measured


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGKILL, "was killed (SIGKILL), perhaps because memory ran out"),
        (signal.SIGSEGV, "ended by SIGSEGV, which Studio did not send"),
        (signal.SIGTERM, "ended by SIGTERM, which Studio did not send"),
    ],
)
def test_a_killed_worker_is_told_and_its_measurements_kept(
    queue: JobQueue, root: Path, number: int, words: str
) -> None:
    job = queue.submit("p", "loss", "a", {"total": 5, "dies_at": 2, "signal": number})
    failed = queue.wait(job.id, 10)
    assert failed.state is JobState.FAILED
    assert words in str(failed.error) and "resume the job" in str(failed.error)
    assert len(measured(root, "a")) == 3
    queue.resume(job.id)
    done = queue.wait(job.id, 10)
    assert (done.state, done.error) == (JobState.DONE, None)
    workers = [pid for _, pid in measured(root, "a")]
    assert len(workers) == 5 and len(set(workers[:3])) == 1 and workers[3] != workers[0]


def test_an_error_of_the_family_keeps_its_words_and_kind(
    make_queue: Callable[..., JobQueue],
) -> None:
    queue = make_queue("refuse")
    failed = queue.wait(queue.submit("p", "loss", "a").id, 10)
    assert (failed.state, failed.error) == (JobState.FAILED, "It needs labels.")
    assert failed.error_kind == "InvalidRequestError"
    assert "Traceback" not in queue.log(failed.id)


def test_a_fault_of_our_own_is_logged(make_queue: Callable[..., JobQueue]) -> None:
    queue = make_queue("crash")
    failed = queue.wait(queue.submit("p", "loss", "a").id, 10)
    assert "fault of its own (ZeroDivisionError: by nothing)" in str(failed.error)
    assert failed.error_kind is None
    log = queue.log(failed.id)
    assert "Traceback" in log and "ZeroDivisionError" in log
    assert failed.progress.message == r"name\x0awith\x1b[31m control", "names are hostile text"


def test_a_disk_that_is_full_for_other_files_is_told(make_queue: Callable[..., JobQueue]) -> None:
    queue = make_queue("fill")
    failed = queue.wait(queue.submit("p", "loss", "a").id, 10)
    assert failed.error == "The disk is full at /somewhere. Free some space, then resume the job."


def test_a_worker_that_says_nothing(make_queue: Callable[..., JobQueue]) -> None:
    queue = make_queue("vanish")
    failed = queue.wait(queue.submit("p", "loss", "a").id, 10)
    assert "exit code 7 without saying why" in str(failed.error)


def test_work_that_does_not_exist(make_queue: Callable[..., JobQueue]) -> None:
    queue = make_queue("nothing_of_the_kind")
    failed = queue.wait(queue.submit("p", "loss", "a").id, 10)
    assert failed.state is JobState.FAILED and "AttributeError" in str(failed.error)


def test_the_log_can_be_read_while_it_grows(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = queue.submit("p", "loss", "a", LONG)
    until_measured(queue, job)
    assert "loss analysis 'a' of project p" in queue.log(job.id)
    queue.cancel(job.id)
    assert queue.log(job.id).rstrip().endswith("stopped")
    monkeypatch.setattr("studio_core.jobs.store.MAX_LOG_BYTES", 9)
    assert queue.log(job.id) == " stopped\n"
    job.log_path.unlink()
    assert queue.log(job.id) == ""


def test_a_full_disk_does_not_lose_a_job(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    job = queue.submit("p", "loss", "a", {"total": 3, "seconds": 0.2})
    until_measured(queue, job)
    real = files.write_atomically

    def refuse(path: Path, data: bytes, **options: Any) -> None:
        raise StorageError("The disk is full.") from OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(files, "write_atomically", refuse)
    assert queue.wait(job.id, 10).state == "done"
    assert json.loads((job.folder / "job.json").read_text())["state"] == "running"
    with pytest.raises(StorageError, match="full"):
        queue.submit("p", "loss", "b")
    monkeypatch.setattr(files, "write_atomically", real)
    until(lambda: json.loads((job.folder / "job.json").read_text())["state"] == "done")
    assert queue.wait(queue.submit("p", "loss", "b").id, 10).state == "done"


def test_a_damaged_record_hides_no_other(queue: JobQueue, root: Path) -> None:
    good, bad = (queue.wait(queue.submit("p", "loss", n).id, 10) for n in "ab")
    for text in ("", "{}", "[1]", '{"state": "odd"}'):
        (bad.folder / "job.json").write_text(text)
        listed = {job.id: job for job in queue.jobs()}
        assert listed[good.id].state == "done"
        assert listed[bad.id].state == "failed" and "damaged" in str(listed[bad.id].error)
    queue.remove(bad.id)
    assert [job.id for job in JobStore(root).jobs()] == [good.id]


def test_a_listener_that_fails_stops_nothing(make_queue: Callable[..., JobQueue]) -> None:
    def fail(job: object) -> None:
        raise ZeroDivisionError

    queue = make_queue(on_change=fail)
    assert queue.wait(queue.submit("p", "loss", "a").id, 10).state == "done"


def test_jobs_leave_no_open_files_behind(queue: JobQueue) -> None:
    queue.wait(queue.submit("p", "loss", "a").id, 10)
    me = psutil.Process(os.getpid())
    before = me.num_fds()
    for name in "bc":
        queue.wait(queue.submit("p", "loss", name).id, 10)
    assert me.num_fds() <= before
    assert [p for p in me.children() if p.status() == psutil.STATUS_ZOMBIE] == []
