"""The records of jobs as one queue sees and writes them, and who is told of changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from studio_core.errors import StorageError
from studio_core.jobs.job import Job
from studio_core.jobs.store import JobStore

OnChange = Callable[[Job], None]
_log = logging.getLogger(__name__)


class JobRecords:
    """`JobStore`, with a memory for what a full disk refused to keep."""

    def __init__(self, project_root: Path, on_change: OnChange | None) -> None:
        self.store = JobStore(project_root)
        self.lock = threading.RLock()
        """Held while a record is changed and, with it, what the queue knows of its job."""
        self._on_change = on_change
        self._changed = threading.Condition()
        self._unsaved: dict[str, Job] = {}

    def get(self, job_id: str) -> Job:
        return self._unsaved.get(job_id) or self.store.get(job_id)

    def jobs(self) -> tuple[Job, ...]:
        return tuple(self._unsaved.get(job.id, job) for job in self.store.jobs())

    def keep(self, job: Job) -> None:
        """Save the record; where the disk refuses, hold it until it does not."""
        with self.lock:
            try:
                self.store.save(job)
                self._unsaved.pop(job.id, None)
            except StorageError as error:
                if job.id not in self._unsaved:
                    _log.warning("Studio: job %s could not be saved. %s", job.id, error)
                self._unsaved[job.id] = job

    @property
    def has_unsaved(self) -> bool:
        return bool(self._unsaved)

    def keep_unsaved(self) -> None:
        with self.lock:
            for job in list(self._unsaved.values()):
                self.keep(job)

    def remove(self, job: Job) -> None:
        with self.lock:
            self._unsaved.pop(job.id, None)
            self.store.remove(job)

    def tell(self, job: Job) -> None:
        """Tell those who wait, and the listener, that ``job`` is another now."""
        with self._changed:
            self._changed.notify_all()
        if self._on_change is None:
            return
        try:
            self._on_change(job)
        except Exception:  # a listener's fault must not stop the queue
            _log.exception("Studio could not tell of a change of job %s.", job.id)

    def wait_for_change(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait(seconds)
