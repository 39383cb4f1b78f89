"""Jobs on disk, where every server and notebook on one project root finds them.

    .jobs/<id>/
    ├── job.json        the record; its owner writes it
    ├── progress.json   how far it is; the worker writes it
    ├── wish.json       that somebody wants it to end, and how that is then called
    └── log.txt         what the worker printed

Each file has one writer at a time and is replaced in one step, so reads take no lock.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

from studio_core.errors import NotFoundError, StorageError
from studio_core.jobs import report as reports
from studio_core.jobs.job import Job, JobState, from_record, to_record
from studio_core.jobs.report import Report
from studio_core.projects import files

T = TypeVar("T")

JOBS, LOCK = ".jobs", "jobs.lock"
RECORD, WISH = "job.json", "wish.json"
MAX_RECORD_BYTES = 1 << 20
MAX_LOG_BYTES = 1 << 20


class JobStore:
    """The jobs below ``project_root``."""

    def __init__(self, project_root: Path) -> None:
        self.project_root = project_root.expanduser().absolute()
        self._folder = self.project_root / JOBS
        # By path: the file's identity, and what was read from it. Jobs are polled often.
        self._read: dict[Path, tuple[tuple[int, int, int], Any]] = {}

    def jobs(self) -> tuple[Job, ...]:
        """All jobs, the oldest first; damaged ones as failed ones that say so."""
        try:
            folders = [entry for entry in self._folder.iterdir() if _is_id(entry.name)]
        except OSError:
            return ()  # none was ever submitted
        found = [job for job in map(self._job_or_fault, folders) if job is not None]
        return tuple(sorted(found, key=lambda job: (job.created_at, job.id)))

    def get(self, job_id: str) -> Job:
        job = self._job_or_fault(self._folder / job_id) if _is_id(job_id) else None
        if job is None:
            raise NotFoundError(f"Job {job_id} does not exist")
        return job

    def new_folder(self) -> Path:
        """The folder of a job to be; its name is the job's id."""
        folder = self._folder / str(uuid4())
        files.make_folder(folder)
        return folder

    def save(self, job: Job) -> None:
        files.write_object(job.folder / RECORD, to_record(job), max_bytes=MAX_RECORD_BYTES)

    def remove(self, job: Job) -> None:
        """Forget a job with its log; it is gone from the lists in one step."""
        away = self._folder / f".deleting-{uuid4()}"
        files.rename_folder(job.folder, away)
        files.remove_folder(away)
        for name in (RECORD, reports.PROGRESS, WISH):
            self._read.pop(job.folder / name, None)

    def report(self, job: Job) -> Report:
        """What the worker of the present attempt said last."""
        found = self._cached(job.folder / reports.PROGRESS, reports.from_record)
        return found if found and found.attempt == job.attempt else Report(job.attempt)

    def wish(self, job: Job, state: JobState) -> None:
        """Say on disk that the job shall end as ``state``, whoever its owner is."""
        wish = {"attempt": job.attempt, "state": str(state)}
        files.write_object(job.folder / WISH, wish, max_bytes=MAX_RECORD_BYTES)

    def wished(self, job: Job) -> JobState | None:
        wish = self._cached(job.folder / WISH, dict)
        return JobState(wish["state"]) if wish and wish["attempt"] == job.attempt else None

    def log(self, job_id: str) -> str:
        """The last part of what the worker printed; empty before it has started."""
        path = self.get(job_id).log_path
        try:
            with path.open("rb") as log:
                log.seek(max(0, path.stat().st_size - MAX_LOG_BYTES))
                return log.read(MAX_LOG_BYTES).decode(errors="replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise StorageError(f"{path} cannot be read: {error.strerror}.") from error

    def locked(self) -> AbstractContextManager[None]:
        """Hold off all others who would submit, resume, end or take over a job."""
        return files.locked(self.project_root / ".locks" / LOCK, "The list of jobs")

    def _job_or_fault(self, folder: Path) -> Job | None:
        try:
            job = self._cached(folder / RECORD, lambda record: from_record(record, folder))
            return job and replace(job, progress=self.report(job).progress)
        except StorageError as error:
            return Job(folder.name, "", "", "", folder, state=JobState.FAILED, error=str(error))

    def _cached(self, path: Path, parse: Callable[[dict[str, Any]], T]) -> T | None:
        """The record in a file, parsed; read again only when the file is another one."""
        try:
            stat = path.stat()
        except OSError:
            return None
        identity = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        known = self._read.get(path)
        if known is None or known[0] != identity:
            record = files.read_object(path, max_bytes=MAX_RECORD_BYTES)
            if record is None:
                return None
            known = (identity, parse(record))
            self._read[path] = known
        parsed: T = known[1]
        return parsed


def _is_id(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
