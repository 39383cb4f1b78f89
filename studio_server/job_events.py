"""Changes of jobs, passed from the queue's thread to Jupyter's event bus and to who waits."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from importlib.resources import files
from typing import Any

import yaml

from studio_core.jobs import Job, job_document

SCHEMA: dict[str, Any] = yaml.safe_load(
    (files("studio_server") / "job_event.yaml").read_text(encoding="utf-8")
)
SCHEMA_ID: str = SCHEMA["$id"]
"""A name and nothing to be fetched; clients see it at ``/api/events/subscribe``."""


class JobEvents:
    """The way of a job's changes into the event loop of ``server``."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._waiting: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)
        server.event_logger.register_event_schema(SCHEMA)

    def tell(self, job: Job) -> None:
        """Called in any thread with each job that changed."""
        self._server.io_loop.add_callback(self._deliver, job)

    async def end_of(self, job_id: str) -> None:
        """Return when the job is told to have ended; begin before it can have."""
        future = asyncio.get_running_loop().create_future()
        self._waiting[job_id].add(future)
        try:
            await future
        finally:
            self._waiting[job_id].discard(future)
            if not self._waiting[job_id]:
                del self._waiting[job_id]

    def _deliver(self, job: Job) -> None:
        document = job_document(job)
        data = {key: document[key] for key in SCHEMA["required"]}
        if job.is_finished:
            for future in self._waiting.get(job.id, ()):
                if not future.done():
                    future.set_result(None)
        self._server.event_logger.emit(schema_id=SCHEMA_ID, data=data)
