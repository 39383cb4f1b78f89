"""`ProjectInsight`: findings, reports and comparisons of what a project keeps."""

from __future__ import annotations

from typing import Protocol

from studio_core.comparison import (
    AnalysisComparison,
    ModelComparison,
    PlanComparison,
    compare_analyses,
    compare_models,
    compare_plans,
)
from studio_core.insight.subjects import ModelSubject
from studio_core.plan_runs.project_plans import ProjectPlans, Projects
from studio_core.plan_runs.saved_plan import SavedPlan
from studio_core.projects.names import split_version
from studio_core.sensitivity import Analysis, AnalysisKind


class ProjectsWithPlans(Projects, Protocol):
    """What is asked of the projects; `Workbench` has it."""

    @property
    def plans(self) -> ProjectPlans: ...


class ProjectInsight:
    """What is known of the projects' models.

    A plan is named as ``NAME``, or ``NAME@2`` for its second version; an analysis by its name,
    the estimate as ``approx``.
    """

    def __init__(self, projects: ProjectsWithPlans) -> None:
        self._projects = projects

    def subject(
        self,
        project_id: str,
        *,
        plan: str | None = None,
        loss: str | None = None,
        perf: str | None = None,
    ) -> ModelSubject:
        """The model with what is named; the most recent of what is not, where there is one."""
        return ModelSubject(
            self._projects.session(project_id),
            self.analysis(project_id, AnalysisKind.LOSS, loss),
            self.analysis(project_id, AnalysisKind.PERF, perf),
            self.plan(project_id, plan),
        )

    def analysis(
        self, project_id: str, kind: AnalysisKind | str, name: str | None = None
    ) -> Analysis | None:
        """The analysis of that name, or the most recent of its kind; None without any."""
        if name is None:
            name = next(iter(self._projects.store.analyses(project_id, str(kind))), None)
        return None if name is None else self._projects.analysis(project_id, kind, name)

    def plan(self, project_id: str, name: str | None = None) -> SavedPlan | None:
        """The plan of that name, or the most recent; None without any."""
        if name is None:
            name = next(iter(self._projects.store.plans(project_id)), None)
        return None if name is None else self._saved(project_id, name)

    def compare_models(self, project_id: str, other_id: str) -> ModelComparison:
        """The models of two projects."""
        left, right = (self._projects.session(found) for found in (project_id, other_id))
        return compare_models(left, right)

    def compare_plans(self, project_id: str, left: str, right: str) -> PlanComparison:
        """Two saved plans, or two versions of one."""
        return compare_plans(
            self._saved(project_id, left).plan, self._saved(project_id, right).plan
        )

    def compare_analyses(
        self, project_id: str, kind: AnalysisKind | str, left: str, right: str
    ) -> AnalysisComparison:
        """Two saved analyses of a kind."""
        return compare_analyses(
            self._projects.analysis(project_id, kind, left),
            self._projects.analysis(project_id, kind, right),
        )

    def _saved(self, project_id: str, name: str) -> SavedPlan:
        return self._projects.plans.get(project_id, *split_version(name))
