"""Findings, reports and comparisons, of projects and of files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from studio_core.comparison.documents import (
    analysis_comparison_document,
    model_comparison_document,
    plan_comparison_document,
)
from studio_core.errors import InvalidRequestError
from studio_core.insight import (
    ModelSubject,
    ModuleSubject,
    ProjectInsight,
    Subject,
    comparison_document,
    findings_document,
    open_subject,
)
from studio_core.plan_runs.fields import refuse_unknown
from studio_core.reports import report_html, report_markdown
from studio_core.reports.html import POLICY
from studio_core.reports.writing import report_bytes
from studio_server import wire
from studio_server.base import StudioHandler
from studio_server.requests import optional, read_fraction, read_object, required

HTML = "html"
FORMATS = {
    HTML: (report_html, "text/html; charset=utf-8", ".html"),
    "markdown": (report_markdown, "text/markdown; charset=utf-8", ".md"),
}

_NOT_IN_A_HEADER = re.compile(r"[^A-Za-z0-9._-]+")
_MOST_NAME = 80


class InsightOfProject(StudioHandler):
    """What handlers of a project's insight share: what the query names."""

    @property
    def insight(self) -> ProjectInsight:
        return self.workbench.insight

    def named(self, name: str) -> str | None:
        """A name in the query; None where it is absent or empty."""
        return self.get_query_argument(name, "") or None

    def both(self) -> tuple[str, str]:
        """``left`` and ``right`` of the query; raises `InvalidRequestError` without one."""
        left, right = self.named("left"), self.named("right")
        if left is None or right is None:
            raise InvalidRequestError("Name what to compare: ?left=NAME&right=NAME.")
        return left, right

    def subject(self, project_id: str) -> ModelSubject:
        plan, loss, perf = map(self.named, ("plan", "loss", "perf"))
        return self.insight.subject(project_id, plan=plan, loss=loss, perf=perf)


@dataclass(frozen=True)
class ReportFile:
    """A report as it is sent; ``name`` is of letters that every header may hold."""

    name: str
    media_type: str
    content: bytes

    @classmethod
    def of(cls, subject: Subject, format_name: str, title: str | None) -> ReportFile:
        """Raises `InvalidRequestError` for an unknown format."""
        if format_name not in FORMATS:
            raise InvalidRequestError(f"'format' must be one of {', '.join(FORMATS)}.")
        text_of, media_type, suffix = FORMATS[format_name]
        name = _NOT_IN_A_HEADER.sub("-", subject.name).strip("-.")[:_MOST_NAME] or "model"
        content = report_bytes(text_of(subject.report(title)))
        return cls(f"{name}-report{suffix}", media_type, content)


class ReportAnswers(StudioHandler):
    """Answers a report as a file. It tells names of a model: no page of ours may run it."""

    @property
    def content_security_policy(self) -> str:
        return f"{super().content_security_policy}; {POLICY}; sandbox"

    async def answer_file(self, make: Callable[[], ReportFile]) -> None:
        file = await self.in_thread(make)
        self.set_header("Content-Disposition", f'attachment; filename="{file.name}"')
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(file.content, set_content_type=file.media_type)


class FindingsHandler(InsightOfProject):
    """``/api/projects/:project_id/findings``"""

    @web.authenticated
    @authorized
    async def get(self, project_id: str) -> None:
        await self.answer(lambda: findings_document(self.subject(project_id)))


class ReportHandler(InsightOfProject, ReportAnswers):
    """``/api/projects/:project_id/report``"""

    @web.authenticated
    @authorized
    async def get(self, project_id: str) -> None:
        await self.answer_file(lambda: self._report(project_id))

    def _report(self, project_id: str) -> ReportFile:
        kind = self.named("format") or HTML
        return ReportFile.of(self.subject(project_id), kind, self.named("title"))


class ModelComparisonHandler(InsightOfProject):
    """``/api/projects/:project_id/comparison/models``"""

    @web.authenticated
    @authorized
    async def get(self, project_id: str) -> None:
        await self.answer(lambda: self._compared(project_id))

    def _compared(self, project_id: str) -> wire.Document:
        other = self.named("with")
        if other is None:
            raise InvalidRequestError("Name the other project: ?with=PROJECT_ID.")
        return model_comparison_document(self.insight.compare_models(project_id, other))


class PlanComparisonHandler(InsightOfProject):
    """``/api/projects/:project_id/comparison/plans``"""

    @web.authenticated
    @authorized
    async def get(self, project_id: str) -> None:
        await self.answer(
            lambda: plan_comparison_document(self.insight.compare_plans(project_id, *self.both()))
        )


class AnalysisComparisonHandler(InsightOfProject):
    """``/api/projects/:project_id/comparison/sparse-analysis/:kind``"""

    @web.authenticated
    @authorized
    async def get(self, project_id: str, kind: str) -> None:
        await self.answer(lambda: self._compared(project_id, kind))

    def _compared(self, project_id: str, kind: str) -> wire.Document:
        sparsity = read_fraction(self.named("sparsity"), "sparsity", 0.8)
        found = self.insight.compare_analyses(project_id, kind, *self.both())
        return analysis_comparison_document(found, sparsity)


class OfFiles(StudioHandler):
    """What handlers of files share: the file, resolved as the explorer's, tried, opened."""

    def given(self, *known: str) -> Mapping[str, Any]:
        given = read_object(self.body)
        refuse_unknown(given, known, "This request")
        return given

    def opened(self, model_path: str) -> ModelSubject | ModuleSubject:
        return open_subject(self.app.explorer.model(model_path), self.app.guard)


class FileFindingsHandler(OfFiles):
    """``/api/studio/findings``"""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        await self.answer(lambda: findings_document(self._subject()))

    def _subject(self) -> Subject:
        return self.opened(required(self.given("modelPath"), "modelPath", str))


class FileReportHandler(OfFiles, ReportAnswers):
    """``/api/studio/report``"""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        await self.answer_file(self._report)

    def _report(self) -> ReportFile:
        given = self.given("modelPath", "format", "title")
        kind = optional(given, "format", str) or HTML
        subject = self.opened(required(given, "modelPath", str))
        return ReportFile.of(subject, kind, optional(given, "title", str))


class FileComparisonHandler(OfFiles):
    """``/api/studio/comparison``"""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        await self.answer(self._compared)

    def _compared(self) -> wire.Document:
        given = self.given("left", "right")
        left, right = (required(given, side, str) for side in ("left", "right"))
        return comparison_document(self.opened(left), self.opened(right))
