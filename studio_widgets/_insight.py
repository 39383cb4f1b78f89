"""What the workbench notices, draws, compares and reports of its model as things stand.

Findings are there at once; charts and comparison are made when they are first asked for, since
most people open one of them and each costs time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import traitlets

from studio_core.findings import looked_at_in_model, model_findings
from studio_core.plan_runs.saved_plan import SavedPlan
from studio_core.plan_runs.solving import PlanRoom
from studio_core.plans import PruningPlan
from studio_core.plans.verification import Verification
from studio_core.projects import Project
from studio_core.reports import Report, model_report
from studio_core.sensitivity import Analysis
from studio_core.session import Session
from studio_core.workbench import Workbench
from studio_widgets._compare_choices import analysis_choices, model_choices
from studio_widgets.charts.facts import ChartFacts
from studio_widgets.charts_panel import ChartsPanel
from studio_widgets.compare_panel import ComparePanel
from studio_widgets.findings_panel import FindingsPanel
from studio_widgets.report_button import ReportButton
from studio_widgets.sections import Section

FINDINGS, CHARTS, COMPARE = "findings", "charts", "compare"


@dataclass(frozen=True)
class Standing:
    """How things stand; ``loss`` and ``perf`` are None until something was measured."""

    plan: PruningPlan | None
    loss: Analysis | None
    perf: Analysis | None
    verified: tuple[Verification, ...]
    plans: Iterable[SavedPlan]
    room: PlanRoom

    @property
    def proofs(self) -> list[Verification]:
        """The runs of the present plan."""
        return [found for found in self.verified if found.plan == self.plan]


class Insight:
    """Findings, charts, comparison and report of ``session``, from what ``ask`` answers.

    ``shared`` has the traits ``plan`` and ``selected_layer``, which charts and comparison follow.
    """

    def __init__(
        self,
        session: Session,
        project: Project | None,
        workbench: Workbench,
        ask: Callable[[], Standing],
        shared: Any,
    ) -> None:
        self._session, self._project, self._workbench = session, project, workbench
        self._ask, self._shared = ask, shared
        names = {layer.id: layer.name for layer in session.layers}
        self.findings = FindingsPanel(
            self._findings,
            lambda layer_id: setattr(shared, "selected_layer", layer_id),
            name_of=lambda layer_id: names.get(layer_id, layer_id),
            looked_at=self._looked_at,
        )
        self.report = ReportButton(self._report, session.model.path.stem)

    def sections(self) -> list[Section]:
        return [
            Section(
                *(FINDINGS, self.findings.title, "What Studio noticed, and what to do about it."),
                *(self.findings, "lightbulb-o", True),
            ),
            Section(
                *(CHARTS, "Charts", "Layers by size, work, sensitivity and time."),
                *(lambda: self.charts, "bar-chart", True),
            ),
            Section(
                *(COMPARE, "Compare", "Two plans, two analyses, or this model and another."),
                *(lambda: self.compare, "columns", True),
            ),
        ]

    @cached_property
    def charts(self) -> ChartsPanel:
        panel = ChartsPanel(self._chart_facts)
        traitlets.link((self._shared, "selected_layer"), (panel, "selected_layer"))
        return panel

    @cached_property
    def compare(self) -> ComparePanel:
        session, workbench, project = self._session, self._workbench, self._project
        panel = ComparePanel(
            session,
            plans=lambda: tuple(self._ask().plans),
            room=lambda: self._ask().room,
            analyses=lambda: analysis_choices(session, self._measured(), project, workbench),
            models=lambda: model_choices(workbench, project),
        )
        for name in ("plan", "selected_layer"):
            traitlets.link((self._shared, name), (panel, name))
        return panel

    def changed(self) -> None:
        """Things stand otherwise than before."""
        self.findings.refresh_soon()
        if "charts" in self.__dict__:
            self.charts.refresh()

    def opened(self, key: str) -> None:
        """A person opened this section."""
        if key == CHARTS or "charts" in self.__dict__:
            self.charts.is_shown = key == CHARTS
        if key == COMPARE:
            self.compare.refresh()

    # What is asked

    def _findings(self) -> Any:
        now = self._ask()
        return model_findings(
            self._session, now.plan, now.loss, now.perf, now.proofs, now.room.removal
        )

    def _looked_at(self) -> str:
        now = self._ask()
        return looked_at_in_model(self._session, now.plan, now.loss, now.perf, now.proofs)

    def _chart_facts(self) -> ChartFacts:
        now = self._ask()
        loss = self._session.loss if now.loss is None else now.loss
        layers = self._session.layers
        return ChartFacts(layers, now.plan, loss, now.perf, now.verified, now.room)

    def _measured(self) -> dict[str, Analysis | None]:
        now = self._ask()
        return {"measured loss": now.loss, "measured times": now.perf}

    def _report(self) -> Report:
        now = self._ask()
        return model_report(
            self._session,
            loss=now.loss,
            perf=now.perf,
            plan=now.plan,
            removal=now.room.removal,
            verifications=now.proofs,
        )
