"""A job as a JSON document, for REST, events and scripts."""

from __future__ import annotations

from typing import Any

from studio_core.jobs.job import Job


def job_document(job: Job) -> dict[str, Any]:
    """What is known of the job; null where it is not, times in UTC."""
    progress = job.progress
    return {
        "id": job.id,
        "projectId": job.project_id,
        "kind": job.kind,
        "name": job.name,
        "title": job.title,
        "options": dict(job.options),
        "state": str(job.state),
        "done": progress.done,
        "total": progress.total,
        "message": progress.message,
        "rate": progress.rate,
        "etaSeconds": None if job.is_finished else progress.eta_seconds,
        "error": job.error,
        "attempt": job.attempt,
        "createdAt": job.created_at or None,
        "startedAt": job.started_at,
        "finishedAt": job.finished_at,
        "pid": job.pid,
        "logPath": str(job.log_path),
    }
