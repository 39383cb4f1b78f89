"""Plans: solved for, saved with their history, verified, applied, downloaded, exported."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from jupyter_server.auth.decorator import authorized
from tornado import web

from studio_core.jobs import Job
from studio_core.jobs.plan_work import APPLY, PLAN, VERIFY
from studio_core.plan_runs import documents
from studio_core.plan_runs.project_plans import ProjectPlans
from studio_core.plan_runs.request import ParetoRequest, PlanRequest
from studio_core.plan_runs.saved_plan import SavedPlan
from studio_server import wire
from studio_server.job_handlers import JobAnswers
from studio_server.requests import (
    PlanJobRequest,
    SpreadRequest,
    read_note,
    read_object,
    read_version,
    split_async,
)

MODEL_TYPE = "application/octet-stream"
CHUNK_BYTES = 1 << 20
MAX_NOTES_HEADER = 4000
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,15})?")
_TEXT_OPTIONS = ("method", "masks_file")
_NO_OPTIONS = ("version", "token")


def _shown(saved: SavedPlan) -> wire.Document:
    return {"plan": saved.to_document()}


class PlansOfProject(JobAnswers):
    """What handlers of plans share: the project, the version asked for."""

    @property
    def plans(self) -> ProjectPlans:
        return self.workbench.plans

    @property
    def version(self) -> int | None:
        return read_version(self.get_query_argument("version", None))

    def attach(self, file_name: str, content_type: str) -> None:
        """Make the answer a file to be kept; ``file_name`` is of letters that every one has."""
        self.set_header("Content-Type", content_type)
        self.set_header("Content-Disposition", f'attachment; filename="{file_name}"')

    def saved(self, project_id: str, name: str, version: int | None = None) -> wire.Document:
        return _shown(self.plans.get(project_id, name, version))


class PlanHandler(PlansOfProject):
    """``/api/projects/:project_id/plan``: computed at once, nothing is saved."""

    @web.authenticated
    @authorized
    async def post(self, project_id: str) -> None:
        await self.answer(lambda: self._plan(project_id))

    def _plan(self, project_id: str) -> wire.Document:
        given = read_object(self.body)
        if "goal" in given or "plan" in given:
            return documents.solved_document(
                self.plans.solve(project_id, PlanRequest.from_document(given))
            )
        wanted = SpreadRequest.read(given)
        plan, estimate = self.workbench.plan(
            project_id,
            wanted.sparsity,
            balance=wanted.balance,
            locked=wanted.locked,
            max_sparsity=wanted.max_sparsity,
        )
        return wire.plan(plan, estimate)


class PlansHandler(PlansOfProject):
    """``/api/projects/:project_id/plans``"""

    @web.authenticated
    @authorized
    async def get(self, project_id: str) -> None:
        await self.answer(lambda: {"plans": self.plans.summaries(project_id)})

    @web.authenticated
    @authorized
    async def post(self, project_id: str) -> None:
        given, is_async = await self.in_thread(lambda: split_async(self.body))
        wanted = await self.in_thread(lambda: PlanRequest.from_document(given))
        if wanted.goal is None or wanted.goal.max_accuracy_loss is None:
            await self.answer(lambda: self._save(project_id, wanted))
            return
        job = await self.in_thread(lambda: self._search(project_id, wanted, given))
        if is_async:
            self.accept(job)
        else:
            await self.answer_after(job, lambda: self.saved(project_id, job.name))

    def _save(self, project_id: str, wanted: PlanRequest) -> wire.Document:
        return _shown(self.plans.save(project_id, wanted))

    def _search(self, project_id: str, wanted: PlanRequest, given: Mapping[str, Any]) -> Job:
        name = self.plans.name_for(project_id, wanted)
        return self.jobs.submit(project_id, PLAN, name, {**given, "name": name})


class ParetoHandler(PlansOfProject):
    """``/api/projects/:project_id/pareto``: the trade-off, computed at once, never saved"""

    @web.authenticated
    @authorized
    async def post(self, project_id: str) -> None:
        await self.answer(lambda: self._points(project_id))

    def _points(self, project_id: str) -> wire.Document:
        given = read_object(self.body) if self.body.strip() else {}
        points = self.plans.pareto(project_id, ParetoRequest.from_document(given))
        return {"points": [documents.pareto_document(point) for point in points]}


class SavedPlanHandler(PlansOfProject):
    """``/api/projects/:project_id/plans/:plan``"""

    @web.authenticated
    @authorized
    async def get(self, project_id: str, name: str) -> None:
        version = self.version
        await self.answer(lambda: self.saved(project_id, name, version))

    @web.authenticated
    @authorized
    async def patch(self, project_id: str, name: str) -> None:
        version = self.version
        await self.answer_change(lambda: self._annotate(project_id, name, version))

    @web.authenticated
    @authorized
    async def delete(self, project_id: str, name: str) -> None:
        await self.in_thread(lambda: self._delete(project_id, name))
        self.set_status(204)
        self.finish()

    def _annotate(self, project_id: str, name: str, version: int | None) -> wire.Document:
        note, only_if = read_note(self.body), self.only_if(_shown)
        return _shown(self.plans.annotate(project_id, name, note, version, only_if=only_if))

    def _delete(self, project_id: str, name: str) -> None:
        self.jobs.check_free(project_id, VERIFY, name)
        self.plans.delete(project_id, name)


class PlanHistoryHandler(PlansOfProject):
    """``…/plans/:plan/history``"""

    @web.authenticated
    @authorized
    async def get(self, project_id: str, name: str) -> None:
        await self.answer(lambda: {"versions": self.plans.history(project_id, name)})


class VerifyPlanHandler(PlansOfProject):
    """``…/plans/:plan/verify``"""

    @web.authenticated
    @authorized
    async def post(self, project_id: str, name: str) -> None:
        wanted = await self.in_thread(lambda: PlanJobRequest.read_verify(self.body))
        job = await self.in_thread(lambda: self._submit(project_id, name, wanted))
        if wanted.is_async:
            self.accept(job)
        else:
            await self.answer_after(job, lambda: self._verification(job))

    def _submit(self, project_id: str, name: str, wanted: PlanJobRequest) -> Job:
        version = self.plans.get(project_id, name, wanted.version).version
        options = {**wanted.options, "version": version}
        return self.jobs.submit(project_id, VERIFY, name, options)

    def _verification(self, job: Job) -> wire.Document:
        version = job.options["version"]
        found = self.plans.verification(job.project_id, job.name, version)
        return {"name": job.name, "version": version, "verification": found}


class ApplyPlanHandler(PlansOfProject):
    """``…/plans/:plan/apply``"""

    @web.authenticated
    @authorized
    async def post(self, project_id: str, name: str) -> None:
        wanted = await self.in_thread(lambda: PlanJobRequest.read_apply(self.body))
        job = await self.in_thread(lambda: self._submit(project_id, name, wanted))
        if wanted.is_async:
            self.accept(job)
        else:
            await self.answer_after(job, lambda: self._pruned(job))

    def _submit(self, project_id: str, name: str, wanted: PlanJobRequest) -> Job:
        version = self.plans.get(project_id, name, wanted.version).version
        return self.jobs.submit(project_id, APPLY, name, {"version": version})

    def _pruned(self, job: Job) -> wire.Document:
        found = self.plans.pruned(job.project_id, job.name, job.options["version"])
        return {"name": job.name, "pruned": found}


class PrunedModelHandler(PlansOfProject):
    """``…/plans/:plan/model``: a file of the pruned model, read as it is sent"""

    @web.authenticated
    @authorized
    async def get(self, project_id: str, name: str) -> None:
        version, wanted = self.version, self.get_query_argument("file", None)
        path = await self.in_thread(
            lambda: self.plans.pruned_file(project_id, name, version, wanted)
        )
        with await self.in_thread(lambda: path.open("rb")) as file:
            await self._send(path, file)

    async def _send(self, path: Path, file: BinaryIO) -> None:
        self.attach(path.name, MODEL_TYPE)
        self.set_header("Content-Length", str(path.stat().st_size))
        while chunk := await self.in_thread(lambda: file.read(CHUNK_BYTES)):
            self.write(chunk)
            await self.flush()
        self.finish(set_content_type=MODEL_TYPE)


class PlanExportHandler(PlansOfProject):
    """``…/plans/:plan/exports/:format``; options of the format in the query"""

    @web.authenticated
    @authorized
    async def get(self, project_id: str, name: str, format_name: str) -> None:
        version, options = self.version, self._options()
        kind, exported, file_name = await self.in_thread(
            lambda: self.plans.export(project_id, name, format_name, options, version)
        )
        self.attach(file_name, kind.media_type)
        notes = json.dumps(exported.notes)
        if exported.notes:
            shown = (
                notes if len(notes) <= MAX_NOTES_HEADER else json.dumps([exported.notes[0][:999]])
            )
            self.set_header("Studio-Notes", shown)
        self.finish(exported.content, set_content_type=kind.media_type)

    def _options(self) -> dict[str, Any]:
        names = [name for name in self.request.query_arguments if name not in _NO_OPTIONS]
        return {name: self._option(name) for name in names}

    def _option(self, name: str) -> Any:
        text = self.get_query_argument(name)
        if name in _TEXT_OPTIONS or not _NUMBER.fullmatch(text):
            return text
        return float(text) if "." in text else int(text)
