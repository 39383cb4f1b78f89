"""What a worker says of itself in ``progress.json``; it alone writes that file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from studio_core.errors import StorageError
from studio_core.jobs.job import JobProgress
from studio_core.projects import files

PROGRESS = "progress.json"
MAX_REPORT_BYTES = 1 << 20
MAX_TEXT = 2000
"""Of a message or an error: names in models can be as long as they like."""


EXIT_DONE, EXIT_FAILED, EXIT_STOPPED, EXIT_UNWANTED = 0, 3, 4, 5
"""Exit codes of a worker: what it says where no report can be written."""


class Outcome(StrEnum):
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Report:
    """How far the worker of an ``attempt`` is; ``outcome`` is None while it works."""

    attempt: int
    progress: JobProgress = field(default_factory=JobProgress)
    outcome: Outcome | None = None
    error: str | None = None
    error_kind: str | None = None


def write_report(folder: Path, report: Report) -> None:
    files.write_object(folder / PROGRESS, asdict(report), max_bytes=MAX_REPORT_BYTES)


def from_record(record: Mapping[str, Any]) -> Report:
    try:
        outcome = record["outcome"]
        progress = JobProgress(**record["progress"])
        known = {"progress": progress, "outcome": None if outcome is None else Outcome(outcome)}
        return Report(**{**record, **known})
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"The progress of the job is damaged ({error}).") from error


def shown(text: str) -> str:
    """``text`` on one line without control characters, cut where it is endless."""
    line = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text[:MAX_TEXT])
    return line if len(text) <= MAX_TEXT else f"{line}…"
