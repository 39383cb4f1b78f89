"""The thread of a queue: starts workers in turn, follows them, ends them, adopts lost ones."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from studio_core.errors import StorageError
from studio_core.jobs import endings
from studio_core.jobs.job import Job, JobProgress, JobState
from studio_core.jobs.processes import Adopted, Child, ProcessMark, Worker, end_tree
from studio_core.jobs.records import JobRecords
from studio_core.projects.project import now

WATCH_SECONDS = 0.1
IDLE_SECONDS = 5.0
"""Between two looks for jobs whose server died."""

GRACE_SECONDS = 1.0
"""In which a worker that is asked to end may save what it has; then it is killed."""

_log = logging.getLogger(__name__)


class Follower:
    """Cares for the jobs that this process owns; ``command`` is what runs one of them."""

    def __init__(
        self, records: JobRecords, command: Callable[[Job], tuple[str, ...]], max_running: int
    ) -> None:
        self.mark = ProcessMark.own()
        self._records, self._command, self._max_running = records, command, max_running
        self._store, self._lock = records.store, records.lock
        self._waiting: list[str] = []
        self._workers: dict[str, Worker] = {}
        self._shown: dict[str, JobProgress] = {}
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._watch, name="studio-jobs", daemon=True)

    def start(self) -> None:
        self._take_over()
        self._thread.start()

    def enqueue(self, job: Job) -> None:
        """Take a job, whose record is saved, to the end of the queue."""
        with self._lock:
            self._waiting.append(job.id)
        self._wake.set()

    def end(self, job_id: str, state: JobState) -> None:
        """End a job as ``state``, with all its processes, within two seconds."""
        with self._store.locked():
            # On disk, so that whoever owns the job calls its end by the right name.
            self._store.wish(self._records.get(job_id), state)
        if self._withdraw(job_id, state):
            return
        worker = self._workers.get(job_id)
        if worker is not None:
            end_tree(worker, GRACE_SECONDS)
            self._settle(job_id)
            return
        job = self._records.get(job_id)
        if not job.is_finished and job.process is not None:  # another server's
            end_tree(Adopted(job.process), GRACE_SECONDS)
        deadline = time.monotonic() + GRACE_SECONDS
        while not self._records.get(job_id).is_finished and time.monotonic() < deadline:
            self._records.wait_for_change(WATCH_SECONDS)

    def stop(self, *, keep_workers: bool) -> None:
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        for job_id in list(self._waiting):
            self._withdraw(job_id, JobState.INTERRUPTED, endings.NEVER_BEGUN)
        if keep_workers:
            self._release()
            return
        workers = list(self._workers)
        with ThreadPoolExecutor(max(1, len(workers))) as pool:
            list(pool.map(lambda job_id: self.end(job_id, JobState.INTERRUPTED), workers))

    def _watch(self) -> None:
        looked = time.monotonic()
        while not self._stopping.is_set():
            try:
                self._follow()
                if time.monotonic() - looked > IDLE_SECONDS:
                    looked = time.monotonic()
                    self._take_over()
            except Exception:  # whatever it is, the other jobs must still be followed
                _log.exception("Studio could not follow its jobs; it tries again.")
            busy = self._workers or self._waiting or self._records.has_unsaved
            self._wake.wait(WATCH_SECONDS if busy else IDLE_SECONDS)
            self._wake.clear()

    def _follow(self) -> None:
        for job_id, worker in list(self._workers.items()):
            if worker.is_alive:
                self._show_progress(job_id)
            else:
                self._settle(job_id)
        for job_id in list(self._waiting):
            if (state := self._store.wished(self._records.get(job_id))) is not None:
                self._withdraw(job_id, state)
        while (job := self._start_next()) is not None:
            self._records.tell(job)
        self._records.keep_unsaved()

    def _start_next(self) -> Job | None:
        with self._lock:
            is_full = len(self._workers) >= self._max_running
            if is_full or not self._waiting or self._stopping.is_set():
                return None
            job = self._records.get(self._waiting.pop(0))
            try:
                worker = Child(self._command(job), job.log_path)
            except StorageError as error:
                job = endings.closed(job, JobState.FAILED, error.message)
            else:
                self._workers[job.id] = worker
                running = JobState.RUNNING
                job = replace(job, state=running, started_at=now(), process=worker.mark)
            self._records.keep(job)
            return job

    def _settle(self, job_id: str) -> None:
        """Write down how the job ended, once, now that its worker has."""
        with self._lock:
            worker = self._workers.get(job_id)
            if worker is None:
                return
            job = self._records.get(job_id)
            wished, report = self._store.wished(job), self._store.report(job)
            job = endings.ended(job, report, wished, worker.exit_code)
            job = replace(job, progress=report.progress)
            self._records.keep(job)
            del self._workers[job_id]
            self._shown.pop(job_id, None)
        end_tree(worker, 0)  # what it may have left behind
        self._records.tell(job)
        self._wake.set()

    def _show_progress(self, job_id: str) -> None:
        job = self._records.get(job_id)
        if self._shown.get(job_id) != job.progress:
            self._shown[job_id] = job.progress
            self._records.tell(job)

    def _withdraw(self, job_id: str, state: JobState, error: str | None = None) -> bool:
        """Take a job that has not begun out of the queue."""
        with self._lock:
            if job_id not in self._waiting:
                return False
            self._waiting.remove(job_id)
            job = endings.closed(self._records.get(job_id), state, error)
            self._records.keep(job)
        self._records.tell(job)
        return True

    def _take_over(self) -> None:
        """Care for jobs whose owner is gone: follow their workers, or say how they ended."""
        if not any(map(_is_orphan, self._store.jobs())):
            return
        with self._store.locked():
            for job in filter(_is_orphan, self._store.jobs()):
                self._adopt(job)

    def _adopt(self, job: Job) -> None:
        with self._lock:
            if job.state is JobState.QUEUED:
                # It does not begin by itself: nobody asked this server for it.
                job = endings.closed(job, JobState.INTERRUPTED, endings.NEVER_BEGUN)
            elif job.process is not None and job.process.is_alive:
                self._workers[job.id] = Adopted(job.process)
                job = replace(job, owner=self.mark)
            else:
                wished, report = self._store.wished(job), self._store.report(job)
                job = endings.ended_unseen(job, report, wished)
            self._records.keep(job)
        self._records.tell(job)

    def _release(self) -> None:
        """Leave the workers at work, for the next queue to adopt."""
        with self._lock:
            for job_id in self._workers:
                self._records.keep(replace(self._records.get(job_id), owner=None))
            self._workers.clear()


def _is_orphan(job: Job) -> bool:
    return not job.is_finished and (job.owner is None or not job.owner.is_alive)
