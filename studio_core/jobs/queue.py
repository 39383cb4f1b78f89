"""The queue: what people do with jobs. A process for each in turn does the work.

A job has one owner, the queue that follows it (follower.py); another queue on the same
project root reads it, may ask it to end, and takes it over once the owner's process is gone.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from studio_core.errors import ConflictError
from studio_core.jobs.follower import WATCH_SECONDS, Follower
from studio_core.jobs.job import Job, JobState
from studio_core.jobs.order import Order
from studio_core.jobs.plan_work import PLAN_KINDS
from studio_core.jobs.project_work import PROJECT_WORK
from studio_core.jobs.records import JobRecords, OnChange
from studio_core.limits import DEFAULT_LIMITS, Limits
from studio_core.projects.names import RESERVED_ANALYSES, check_name
from studio_core.projects.project import now

WORKER = "studio_core.jobs.worker"
MOST_ACTIVE = 100
MOST_KEPT = 200
"""Finished jobs; of more the oldest are forgotten. What they measured is the project's."""


class JobQueue:
    """The jobs below ``project_root``, at most ``max_running`` of them at work.

    ``work`` names a function as `studio_core.jobs.order.Work` says. ``model_roots`` are
    those of the workbench in the worker, ``limits`` those of its models and of itself.
    ``on_change`` is called, in any thread, with each job that changed.
    """

    def __init__(
        self,
        project_root: str | Path,
        *,
        max_running: int = 1,
        work: str = PROJECT_WORK,
        model_roots: Iterable[str | Path] | None = None,
        on_change: OnChange | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._limits = limits
        self._work = work
        self._model_roots = None if model_roots is None else tuple(map(str, model_roots))
        self._records = JobRecords(Path(project_root), on_change)
        self._store, self._lock = self._records.store, self._records.lock
        self._follower = Follower(self._records, self._worker_command, max_running)

    def start(self) -> JobQueue:
        """Take over what an earlier queue left, and begin to work."""
        self._follower.start()
        return self

    def stop(self, *, keep_workers: bool = False) -> None:
        """Stop following. Workers are asked to stop, and their jobs can be resumed.

        They do not go on by themselves: who stops a server expects the machine back, and a
        process without an owner is one that nobody sees or cancels. With ``keep_workers``
        they go on, and the next queue finds them.
        """
        self._follower.stop(keep_workers=keep_workers)

    def __enter__(self) -> JobQueue:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def submit(
        self, project_id: str, kind: str, name: str, options: Mapping[str, Any] | None = None
    ) -> Job:
        """A new job at the end of the queue; `ConflictError` while another does the same."""
        _check_name(kind, name)
        with self._store.locked(), self._lock:
            wanted = Job("", project_id, kind, name, Path())
            active = self.check_free(project_id, kind, name)
            if active >= MOST_ACTIVE:
                raise ConflictError(f"{active} jobs wait already. Cancel some, or wait.")
            folder = self._store.new_folder()
            job = replace(
                wanted, id=folder.name, folder=folder, options=dict(options or {}),
                created_at=now(),
            )  # fmt: skip
            job = self._enqueue(job)
            self._forget_old()
        self._records.tell(job)
        return job

    def get(self, job_id: str) -> Job:
        return self._records.get(job_id)

    def jobs(self, project_id: str | None = None) -> tuple[Job, ...]:
        """All jobs or those of a project, the oldest first."""
        return tuple(j for j in self._records.jobs() if project_id in (None, j.project_id))

    def log(self, job_id: str) -> str:
        """The last part of what the job's worker printed."""
        return self._store.log(job_id)

    def cancel(self, job_id: str) -> Job:
        """End the job with all its processes, within two seconds."""
        job = self.get(job_id)
        if job.is_finished:
            raise ConflictError(f"The {job.title} is {job.state} already.")
        self._follower.end(job_id, JobState.CANCELLED)
        return self.get(job_id)

    def resume(self, job_id: str) -> Job:
        """Queue again a job that did not get done; what it measured is not measured again."""
        with self._store.locked(), self._lock:
            job = self.get(job_id)
            if not job.state.can_resume:
                raise ConflictError(f"The {job.title} is {job.state}; it cannot be resumed.")
            self.check_free(job.project_id, job.kind, job.name)
            job = replace(
                job, state=JobState.QUEUED, attempt=job.attempt + 1, error=None, error_kind=None,
                options={**job.options, "resume": True}, started_at=None, finished_at=None,
            )  # fmt: skip
            job = self._enqueue(job)
        self._records.tell(job)
        return job

    def check_free(self, project_id: str, kind: str, name: str) -> int:
        """Raise `ConflictError` if a job writes this analysis, or works on this plan; returns
        how many jobs go on."""
        active = [job for job in self.jobs() if not job.is_finished]
        wanted = Job("", project_id, kind, name, Path()).target
        for job in active:
            if job.target == wanted:
                raise ConflictError(
                    f"The {job.title} is {job.state} already (job {job.id}). Wait for it, "
                    "cancel it, or choose another name."
                )
        return len(active)

    def end_or_remove(self, job_id: str) -> Job | None:
        """Cancel a job that goes on, and return it; forget a finished one."""
        if not self.get(job_id).is_finished:
            return self.cancel(job_id)
        self.remove(job_id)
        return None

    def remove(self, job_id: str) -> None:
        """Forget a finished job and its log; what it measured stays."""
        with self._store.locked(), self._lock:
            job = self.get(job_id)
            if not job.is_finished:
                raise ConflictError(f"The {job.title} is {job.state}. Cancel it first.")
            self._records.remove(job)

    def forget_project(self, project_id: str) -> None:
        """End and forget all jobs of a project that is about to go."""
        for job in self.jobs(project_id):
            if not job.is_finished:
                self._follower.end(job.id, JobState.CANCELLED)
            self.remove(job.id)

    def wait(self, job_id: str, timeout_seconds: float | None = None) -> Job:
        """The job once it is finished, or as it is when the time is over."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while not (job := self.get(job_id)).is_finished:
            if deadline is not None and time.monotonic() >= deadline:
                break
            self._records.wait_for_change(WATCH_SECONDS)
        return job

    def _enqueue(self, job: Job) -> Job:
        job = replace(job, owner=self._follower.mark)
        self._store.save(job)
        self._follower.enqueue(job)
        return self.get(job.id)

    def _forget_old(self) -> None:
        finished = [job for job in self.jobs() if job.is_finished]
        for job in finished[: max(0, len(finished) - MOST_KEPT)]:
            self._records.remove(job)

    def _worker_command(self, job: Job) -> tuple[str, ...]:
        order = Order(
            str(self._store.project_root), self._model_roots, job.id, job.attempt, self._work,
            job.project_id, job.kind, job.name, job.options, self._limits,
        )  # fmt: skip
        return "-m", WORKER, order.to_text()


def _check_name(kind: str, name: str) -> None:
    if kind in PLAN_KINDS:
        check_name(name, "a pruning plan")
    else:
        check_name(name, f"a {kind} analysis", RESERVED_ANALYSES)
