"""Sensitivity analyses: estimated, read, run and saved."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from studio_core.jobs import Job
from studio_server import wire
from studio_server.base import StudioHandler
from studio_server.job_handlers import JobAnswers
from studio_server.requests import RunRequest, read_analysis


def _as_saved(document: wire.Document) -> wire.Document:
    return document


class LatestAnalysisHandler(StudioHandler):
    """``…/sparse-analysis/:kind``: the one of its kind that was saved last"""

    @web.authenticated
    @authorized
    async def get(self, project_id: str, kind: str) -> None:
        await self.answer(lambda: self.workbench.analysis_document(project_id, kind))


class AnalysisHandler(JobAnswers):
    """``…/sparse-analysis/:kind/:analysis_id``"""

    @web.authenticated
    @authorized
    async def get(self, project_id: str, kind: str, name: str) -> None:
        await self.answer(lambda: self.workbench.analysis_document(project_id, kind, name))

    @web.authenticated
    @authorized
    async def post(self, project_id: str, kind: str, name: str) -> None:
        schedulers = self.app.schedulers
        wanted = await self.in_thread(lambda: RunRequest.read(self.body, schedulers, kind))
        if wanted.is_estimate:
            await self.answer(lambda: self._save_estimate(project_id, kind, name, wanted))
            return
        job = await self.in_thread(lambda: self._submit(project_id, kind, name, wanted))
        if wanted.is_async:
            self.accept(job)
        else:
            await self.answer_after(
                job, lambda: self.workbench.analysis_document(project_id, kind, name)
            )

    @web.authenticated
    @authorized
    async def put(self, project_id: str, kind: str, name: str) -> None:
        await self.answer_change(lambda: self._save(project_id, kind, name))

    def _submit(self, project_id: str, kind: str, name: str, wanted: RunRequest) -> Job:
        project = self.workbench.project(project_id)
        return self.jobs.submit(project.id, kind, name, wanted.options)

    def _save_estimate(
        self, project_id: str, kind: str, name: str, wanted: RunRequest
    ) -> wire.Document:
        self.jobs.check_free(project_id, kind, name)
        return self.workbench.run_estimate(project_id, kind, name, levels=wanted.levels)

    def _save(self, project_id: str, kind: str, name: str) -> wire.Document:
        self.jobs.check_free(project_id, kind, name)
        document, only_if = read_analysis(self.body, kind), self.only_if(_as_saved)
        return self.workbench.save_analysis(project_id, kind, name, document, only_if=only_if)


class EstimateHandler(AnalysisHandler):
    """``…/sparse-analysis/:kind/approx``: computed when asked for, never saved

    To run or save under this name is refused by the core, as for any name it cannot take.
    """

    @web.authenticated
    @authorized
    async def get(self, project_id: str, kind: str, name: str) -> None:  # noqa: ARG002
        resolution = self.get_query_argument("resolution", "default")
        metric = self.get_query_argument("metric", "magnitude")
        await self.answer(lambda: self._estimate(project_id, kind, resolution, metric))

    def _estimate(self, project_id: str, kind: str, resolution: str, metric: str) -> wire.Document:
        return wire.analysis(
            self.workbench.estimate(project_id, kind, resolution=resolution, metric=metric)
        )
