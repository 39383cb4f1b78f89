"""The process of one job: ``python -m studio_core.jobs.worker ORDER``, an order as JSON.

It does the work, says in ``progress.json`` how far it is and how it ended, and prints into
the job's log. Asked to end (SIGTERM) it leaves the work, which then saves what it has.
"""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from types import FrameType

import psutil

from studio_core.errors import LimitError, StorageError, StudioError
from studio_core.guarded.resources import restrict_memory
from studio_core.jobs.job import Job, JobProgress, JobState
from studio_core.jobs.order import Order, Step, Work
from studio_core.jobs.pace import Pace
from studio_core.jobs.report import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_STOPPED,
    EXIT_UNWANTED,
    Outcome,
    Report,
    shown,
    write_report,
)
from studio_core.jobs.store import JobStore
from studio_core.limits import Limits, beyond

REPORT_SECONDS = 0.2
REPORT_SHARE = 0.05
"""Of the time, at most, that goes into reports, however slow the disk."""

RECORD_SECONDS = 10.0
_MEMORY_SHARE = 0.8
"""Of the machine's memory, where no limit says how much."""


class Stopped(BaseException):
    """Somebody asked this process to end; no `Exception`, so that no work swallows it."""


class Reporter:
    """Writes reports, not too often; a disk that refuses them does not stop the work."""

    def __init__(self, folder: Path, attempt: int) -> None:
        self._folder, self._attempt = folder, attempt
        self._pace, self._last = Pace(), JobProgress()
        self._next = 0.0

    def step(self, step: Step) -> None:
        self._pace.step(step.done)
        message = shown(step.message)
        eta = self._pace.eta_seconds(step.total)
        self._last = JobProgress(step.done, step.total, message, self._pace.rate, eta)
        if time.monotonic() >= self._next:
            log(f"{step.done} of {step.total}: {message}")
            self._write(Report(self._attempt, self._last))

    def finish(self, outcome: Outcome | None, error: Exception | None = None) -> None:
        kind = type(error).__name__ if isinstance(error, StudioError) else None
        text = None if error is None else shown(_sentence(error))
        log(f"{outcome or 'stopped'}{f': {text}' if text else ''}")
        self._write(Report(self._attempt, self._last, outcome, text, kind))

    def _write(self, report: Report) -> None:
        begun = time.monotonic()
        try:
            write_report(self._folder, report)
        except StorageError as error:
            log(f"could not report: {error}")
        ended = time.monotonic()
        self._next = ended + max(REPORT_SECONDS, (ended - begun) / REPORT_SHARE)


def main(order: Order) -> int:
    """Work until it is done; returns the exit code."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        job = _own_record(order)
        if job is None:
            log("nobody follows this job any more")
            return EXIT_UNWANTED
        reporter = Reporter(job.folder, order.attempt)
        _restrict(order.limits, reporter)
        return _work(order, job.title, reporter)
    except Stopped:
        return EXIT_STOPPED


def _restrict(limits: Limits, reporter: Reporter) -> None:
    """Bound the memory and the time of this process."""
    most = limits.max_job_memory_bytes or int(_MEMORY_SHARE * psutil.virtual_memory().total)
    restrict_memory(most)
    seconds = limits.max_job_seconds
    if seconds is not None:
        # A thread: a runtime that computes without end hears no signal.
        timer = threading.Timer(seconds, _expire, [reporter, seconds])
        timer.daemon = True
        timer.start()


def _expire(reporter: Reporter, seconds: float) -> None:
    what = "The job takes too long"
    reporter.finish(Outcome.FAILED, LimitError(beyond(what, "max_job_seconds", seconds)))
    os._exit(EXIT_FAILED)  # what it has measured is saved as it goes


def _work(order: Order, title: str, reporter: Reporter) -> int:
    try:
        log(f"{title} of project {order.project_id}")
        for step in work_named(order.work)(order):
            reporter.step(step)
    except Stopped:
        reporter.finish(None)
        return EXIT_STOPPED
    except Exception as error:
        if not isinstance(error, StudioError):
            traceback.print_exc()
        reporter.finish(Outcome.FAILED, error)
        return EXIT_FAILED
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is done: there is nothing to stop
    reporter.finish(Outcome.DONE)
    return EXIT_DONE


def work_named(name: str) -> Work:
    module, function = name.split(":")
    work: Work = getattr(importlib.import_module(module), function)
    return work


def log(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", flush=True)


def _own_record(order: Order) -> Job | None:
    """The job, once its record names this attempt's worker.

    A server that died just after it started this process never writes that, and the job
    may be resumed by another: two would then write one analysis.
    """
    store = JobStore(Path(order.project_root))
    deadline = time.monotonic() + RECORD_SECONDS
    while time.monotonic() < deadline:
        job = store.get(order.job_id)
        if job.attempt != order.attempt or job.is_finished:
            return None
        if job.state is JobState.RUNNING:
            return job
        time.sleep(0.01)
    return None


def _sentence(error: Exception) -> str:
    if isinstance(error, StudioError):
        return error.message
    if isinstance(error, MemoryError):
        return "Memory ran out. Take fewer samples or a smaller batch size, then resume the job."
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" at {error.filename}" if error.filename else ""
        return f"The disk is full{where}. Free some space, then resume the job."
    return (
        f"Studio failed at this, by a fault of its own ({type(error).__name__}: {error}). "
        "The log says more."
    )


def _stop(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: what is saved now is saved in peace
    raise Stopped


if __name__ == "__main__":
    code = main(Order.from_text(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a thread of the work that hangs must not keep a finished job running
