"""A job as a record: what is to be done, how far it is, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from studio_core.errors import StorageError
from studio_core.jobs.plan_work import APPLY, PLAN, PLAN_KINDS, VERIFY
from studio_core.jobs.processes import ProcessMark


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """Neither it nor its user is at fault: the server that ran it went away."""

    @property
    def is_finished(self) -> bool:
        return self not in (JobState.QUEUED, JobState.RUNNING)

    @property
    def can_resume(self) -> bool:
        return self.is_finished and self is not JobState.DONE


_TITLES = {
    PLAN: "search for plan",
    VERIFY: "verification of plan",
    APPLY: "pruning by plan",
}


@dataclass(frozen=True)
class JobProgress:
    """``done`` of ``total`` steps; ``rate`` in steps a second, None while unknown."""

    done: int = 0
    total: int = 0
    message: str = ""
    rate: float | None = None
    eta_seconds: float | None = None


@dataclass(frozen=True)
class Job:
    """One piece of work in a project: the analysis ``name`` of a ``kind`` (loss, perf), or
    something done (plan, verify, apply) to the plan of that name.

    ``options`` are those of the request, in its own keys. ``error`` is a sentence, and
    ``error_kind`` the class of `studio_core.errors` it came from, if it came from one.
    ``attempt`` grows when the job is resumed. ``process`` is the worker's, ``owner`` that
    of the server which follows it. Times are as in projects, UTC.
    """

    id: str
    project_id: str
    kind: str
    name: str
    folder: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    state: JobState = JobState.QUEUED
    progress: JobProgress = JobProgress()
    error: str | None = None
    error_kind: str | None = None
    attempt: int = 1
    created_at: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    process: ProcessMark | None = None
    owner: ProcessMark | None = None

    @property
    def is_finished(self) -> bool:
        return self.state.is_finished

    @property
    def pid(self) -> int | None:
        return None if self.process is None else self.process.pid

    @property
    def log_path(self) -> Path:
        return self.folder / "log.txt"

    @property
    def target(self) -> tuple[str, str, str]:
        """What the job writes: two jobs may not have the same at one time."""
        place = "plans" if self.kind in PLAN_KINDS else self.kind
        return self.project_id, place, self.name.lower()

    @property
    def title(self) -> str:
        """What it works on, in words: ``verification of plan 'one-point'``."""
        return f"{_TITLES.get(self.kind, f'{self.kind} analysis')} '{self.name}'"


def to_record(job: Job) -> dict[str, Any]:
    """What ``job.json`` holds: all but the progress, which the worker writes itself."""
    record = asdict(job)
    del record["progress"], record["folder"]
    return {**record, "options": dict(job.options), "state": str(job.state)}


def from_record(record: Mapping[str, Any], folder: Path) -> Job:
    """Raises `StorageError` for what is not a job's record."""
    try:
        values = {**record, "folder": folder, "state": JobState(record["state"])}
        for key in ("process", "owner"):
            values[key] = None if values[key] is None else ProcessMark(**values[key])
        job = Job(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"The record of the job is damaged ({error}). Delete it.") from error
    if job.id != folder.name:
        raise StorageError("The record of the job is that of another one. Delete it.")
    return job
