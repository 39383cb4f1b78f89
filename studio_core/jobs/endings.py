"""How a job ended, told truly: by what its worker said, what was wished, and its exit code."""

from __future__ import annotations

import signal
from dataclasses import replace

from studio_core.jobs.job import Job, JobState
from studio_core.jobs.report import EXIT_STOPPED, Outcome, Report
from studio_core.projects.project import now

KEPT = "What was measured until then is kept; resume the job to go on."
STOPPED = f"The server was stopped while the job was at work. {KEPT}"
NEVER_BEGUN = "The server or notebook went away before the job had begun. Resume it to begin."
GONE = f"The job ended together with the server or notebook that ran it. {KEPT}"


def ended(job: Job, report: Report, wished: JobState | None, exit_code: int | None) -> Job:
    """``job`` as it stands once its worker is no more.

    What the worker said counts most: one that was done before it heard the wish is done.
    """
    if report.outcome is Outcome.DONE:
        return closed(job, JobState.DONE)
    if report.outcome is Outcome.FAILED:
        error = report.error or "The worker failed without saying why; the log may say more."
        return replace(closed(job, JobState.FAILED, error), error_kind=report.error_kind)
    if wished is not None:
        return closed(job, wished, STOPPED if wished is JobState.INTERRUPTED else None)
    return closed(job, JobState.FAILED, f"{_without_a_word(exit_code)} {KEPT}")


def ended_unseen(job: Job, report: Report, wished: JobState | None) -> Job:
    """``job`` whose worker ended while nobody followed it."""
    if report.outcome is None and wished is None:
        return closed(job, JobState.INTERRUPTED, GONE)
    return ended(job, report, wished, None)


def closed(job: Job, state: JobState, error: str | None = None) -> Job:
    return replace(
        job, state=state, error=error, error_kind=None, finished_at=now(), process=None, owner=None
    )


def _without_a_word(exit_code: int | None) -> str:
    if exit_code is None:
        return "The worker's process ended without a word, under a server that is gone."
    if exit_code == EXIT_STOPPED:
        exit_code = -signal.SIGTERM
    if exit_code >= 0:
        return (
            f"The worker's process ended with exit code {exit_code} without saying why; "
            "the log may say more."
        )
    name = _signal_name(-exit_code)
    if name == "SIGKILL":
        return "The worker's process was killed (SIGKILL), perhaps because memory ran out."
    return f"The worker's process was ended by {name}, which Studio did not send."


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
