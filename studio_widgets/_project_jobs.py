"""The jobs of a project as a notebook has them: begun here, alive without it, found again.

This kernel owns the jobs that it begins and follows their processes. Once it is gone, the
server on the same project root follows them (it looks for such jobs every few seconds), or
the next kernel that opens the project; whoever it is, all read the same files.
"""

from __future__ import annotations

import atexit
import io
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from studio_core import errors
from studio_core.analysis_runs import RunProgress
from studio_core.errors import ConflictError, NotFoundError, StorageError
from studio_core.evaluation.data import LABELS, Samples
from studio_core.jobs import Job, JobQueue, JobState
from studio_core.projects import Project, files
from studio_core.sensitivity import Analysis, AnalysisKind, Source
from studio_core.workbench import Workbench

POLL_SECONDS = 0.2
READ_SECONDS = 0.5
"""Between two looks at the analysis that a job saves as it goes."""

_GIVEN = "given-data"

_queues: dict[Path, JobQueue] = {}
_lock = threading.Lock()


def queue_of(project_root: Path) -> JobQueue:
    """This process's queue for ``project_root``, started; its workers outlive the process."""
    with _lock:
        queue = _queues.get(project_root)
        if queue is None:
            queue = JobQueue(project_root).start()
            atexit.register(partial(queue.stop, keep_workers=True))
            _queues[project_root] = queue
        return queue


class ProjectJobs:
    """Jobs of ``project`` that measure analyses, and what they have saved."""

    def __init__(self, workbench: Workbench, project: Project) -> None:
        self.workbench, self.project = workbench, project

    @property
    def queue(self) -> JobQueue:
        return queue_of(self.workbench.store.root)

    def submit(self, kind: AnalysisKind, name: str, options: Mapping[str, Any]) -> Job:
        """A new job; `ConflictError` while another one measures the same analysis."""
        return self.queue.submit(self.project.id, str(kind), name, options)

    def latest(self, kind: AnalysisKind) -> Job | None:
        """The job of this kind that goes on, else the last one; None where there was none."""
        found = [job for job in self.queue.jobs(self.project.id) if job.kind == kind]
        going_on = [job for job in found if not job.is_finished]
        chosen = going_on or found
        return chosen[-1] if chosen else None

    def latest_name(self, kind: AnalysisKind) -> str | None:
        """Name of the analysis that was saved last; None where none is."""
        names = self.workbench.store.analyses(self.project.id, str(kind))
        return names[0] if names else None

    def analysis(self, kind: AnalysisKind, name: str) -> Analysis | None:
        """The measured analysis as far as it is saved; None where there is none yet."""
        try:
            found = self.workbench.analysis(self.project.id, kind, name)
        except NotFoundError:
            return None
        return found if found.source is Source.MEASURED else None

    def keep_samples(self, name: str, samples: Samples) -> Path:
        """Samples given as arrays, written for the job, which is a process of its own."""
        arrays = dict(samples.inputs)
        if samples.labels is not None:
            arrays[LABELS] = samples.labels
        content = io.BytesIO()
        np.savez(content, **arrays)  # type: ignore[arg-type]
        path = self.project.folder / _GIVEN / f"{name}.npz"
        files.make_folder(path.parent)
        files.write_atomically(path, content.getvalue())
        return path


class JobSteps:
    """What a job measures, step by step as a run in this process would yield it.

    ``begin`` submits, resumes or finds the job, in the thread that iterates. `cancel` ends
    the job; who merely stops iterating leaves it at work.
    """

    def __init__(
        self,
        jobs: ProjectJobs,
        begin: Callable[[], Job],
        stop_after: int | None = None,
    ) -> None:
        self._jobs, self._begin, self._stop_after = jobs, begin, stop_after
        self._is_unwanted = threading.Event()
        self._analysis: Analysis | None = None
        self._read = (-1, -READ_SECONDS)  # steps done and time, when it was read
        self.job: Job | None = None

    def cancel(self) -> None:
        self._is_unwanted.set()

    def __iter__(self) -> Iterator[RunProgress]:
        job = self._begin()
        while True:
            self.job = job = self._ended(job) if self._is_enough(job) else job
            yield self._progress(job)
            if job.is_finished:
                break
            self._is_unwanted.wait(POLL_SECONDS)
            job = self._jobs.queue.get(job.id)
        if job.state is JobState.FAILED:
            raise _error_of(job)

    def _is_enough(self, job: Job) -> bool:
        is_far = self._stop_after is not None and job.progress.done >= self._stop_after
        return not job.is_finished and (is_far or self._is_unwanted.is_set())

    def _ended(self, job: Job) -> Job:
        try:
            return self._jobs.queue.cancel(job.id)
        except ConflictError:  # it was done just now
            return self._jobs.queue.get(job.id)

    def _progress(self, job: Job) -> RunProgress:
        progress = job.progress
        message = progress.message
        if job.state is JobState.QUEUED:
            message = "waiting for another job to end"
        return RunProgress(progress.done, progress.total, message, lambda: self._saved(job))

    def _saved(self, job: Job) -> Analysis:
        done, at = self._read
        is_new = job.progress.done != done or job.is_finished
        if self._analysis is None or (
            is_new and (job.is_finished or time.monotonic() - at >= READ_SECONDS)
        ):
            found = self._jobs.analysis(AnalysisKind(job.kind), job.name)
            if found is None:
                raise StorageError(f"What the {job.title} measured is gone from the project.")
            self._analysis = found
            self._read = (job.progress.done, time.monotonic())
        return self._analysis


def _error_of(job: Job) -> Exception:
    """What ended the job, as the error that a run in this process would have raised."""
    kind = getattr(errors, job.error_kind or "", errors.StudioError)
    error: Exception = kind(job.error or "The job failed; its log may say more.")
    return error
