"""Jobs: listed, read, ended, resumed; and answers for what is done by a job."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import url_path_join
from tornado import web

from studio_core.jobs import Job, JobState
from studio_server import wire
from studio_server.base import StudioHandler
from studio_server.errors import job_error

LOG_TYPE = "text/plain; charset=utf-8"
LOOK_SECONDS = 5.0


class JobAnswers(StudioHandler):
    """How a handler answers that hands its work to a job."""

    def accept(self, job: Job) -> None:
        """202, with the job and where to ask for it."""
        self.set_status(HTTPStatus.ACCEPTED)
        self.set_header("Location", url_path_join(self.base_url, "api/jobs", job.id))
        self.finish(wire.to_text(wire.job(job)))

    async def answer_after(self, job: Job, make: Callable[[], wire.Document]) -> None:
        """What ``make`` returns once the job is done; the job goes on if the client does not."""
        ended = await self._end_of(job)
        if ended.state is not JobState.DONE:
            raise job_error(ended)
        await self.answer(make)

    async def _end_of(self, job: Job) -> Job:
        told = asyncio.ensure_future(self.app.job_events.end_of(job.id))
        try:
            # Looking now and then as well: it may have ended before we listened.
            while not (job := await self.in_thread(lambda: self.jobs.get(job.id))).is_finished:
                await asyncio.wait([told], timeout=LOOK_SECONDS)
        finally:
            told.cancel()
        return job


class JobsHandler(StudioHandler):
    """``/api/jobs``"""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        await self.answer(lambda: wire.jobs(self.jobs.jobs()))


class ProjectJobsHandler(StudioHandler):
    """``/api/projects/:project_id/jobs``"""

    @web.authenticated
    @authorized
    async def get(self, project_id: str) -> None:
        await self.answer(lambda: self._jobs(project_id))

    def _jobs(self, project_id: str) -> wire.Document:
        return wire.jobs(self.jobs.jobs(self.workbench.project(project_id).id))


class JobHandler(StudioHandler):
    """``/api/jobs/:job_id``"""

    @web.authenticated
    @authorized
    async def get(self, job_id: str) -> None:
        await self.answer(lambda: wire.job(self.jobs.get(job_id)))

    @web.authenticated
    @authorized
    async def delete(self, job_id: str) -> None:
        # To end a process takes up to two seconds, in which nothing is computed here.
        cancelled = await self.in_thread(lambda: self.jobs.end_or_remove(job_id), only_waits=True)
        if cancelled is None:
            self.set_status(HTTPStatus.NO_CONTENT)
            self.finish()
        else:
            self.finish(wire.to_text(wire.job(cancelled)))


class JobLogHandler(StudioHandler):
    """``/api/jobs/:job_id/log``"""

    @web.authenticated
    @authorized
    async def get(self, job_id: str) -> None:
        text = await self.in_thread(lambda: self.jobs.log(job_id))
        self.finish(text, set_content_type=LOG_TYPE)


class ResumeJobHandler(JobAnswers):
    """``/api/jobs/:job_id/resume``"""

    @web.authenticated
    @authorized
    async def post(self, job_id: str) -> None:
        self.accept(await self.in_thread(lambda: self.jobs.resume(job_id)))
