"""The parts of the workbench for one model, joined by the curves that they use.

Estimated curves are there at once. As soon as something is measured, chart and table show
that as it grows; the plan follows when the run has ended, so that it stands still meanwhile.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets

from studio_core.errors import InvalidRequestError
from studio_core.plans import Planner, PruningPlan
from studio_core.plans.calibration import Calibration
from studio_core.plans.solver import Solver
from studio_core.plans.verification import VerificationRun
from studio_core.projects import Project
from studio_core.sensitivity import Analysis
from studio_core.session import Session
from studio_widgets._measuring import MeasureRequest
from studio_widgets.goal_panel import GoalPanel
from studio_widgets.layer_table import LayerTable
from studio_widgets.measure_panel import MeasurePanel
from studio_widgets.plan_editor import PlanEditor
from studio_widgets.sensitivity_chart import SensitivityChart
from studio_widgets.summary_cards import SummaryCards
from studio_widgets.verify_panel import Prepare, VerifyPanel

ESTIMATED, MEASURED = "estimated", "measured"
_MOST_COMPRESSED_BYTES = 200_000_000  # beyond that zlib takes longer than the run


class CurveSource(ipywidgets.HBox):
    """Which curves are used, and what can be said about them."""

    def __init__(self) -> None:
        self.toggle = ipywidgets.ToggleButtons(
            options=[ESTIMATED, MEASURED], description="Curves", disabled=True
        )
        self.toggle.style.button_width = "auto"
        self.words = ipywidgets.HTML()
        super().__init__([self.toggle, self.words])
        self.add_class("studio-curve-source")

    def say(self, words: str) -> None:
        self.words.value = f'<div class="studio-hint">{html.escape(words)}</div>'


class Parts:
    """Cards, table, chart, plan, Measure and Verify of one ``session``."""

    def __init__(
        self,
        session: Session,
        project: Project | None,
        make_code: Callable[[], str],
        on_plan: Callable[[PruningPlan], None],
    ) -> None:
        self.session = session
        self.cards = SummaryCards(session)
        self.table = LayerTable(session, height=364)
        self.chart = SensitivityChart(session, height=320)
        self.editor = PlanEditor(session, make_code=make_code)
        self.measure = MeasurePanel(session, project)
        self.verify = VerifyPanel(self._ask, on_plan)
        self.source = CurveSource()
        self._solver: Solver | None = None
        self._points_of: MeasureRequest | None = None
        self._first_point = 0
        self.measure.observe(self._grew, "analysis")
        self.measure.observe(self._started_or_ended, "is_running")
        self.source.toggle.observe(self._switched, "value")
        self.verify.observe(self._learn, "verified")
        self._describe()
        self.goal = GoalPanel(session.layers, self._ask_solver, on_plan)
        self.more = ipywidgets.Accordion([self.measure, self.goal, self.verify])
        self.more.titles = (
            "Measure – prune each layer alone and run the model",
            "Goal – the best plan under a limit",
            "Verify – run the whole plan",
        )
        self.more.add_class("studio-more")

    @property
    def analysis(self) -> Analysis:
        """The curves in use."""
        measured = self.measure.analysis
        if measured is None or self.source.toggle.value == ESTIMATED:
            return self.session.loss
        return measured

    def arranged(self) -> list[Any]:
        left = ipywidgets.VBox([self.table, self.chart, self.source, self.more])
        left.add_class("studio-workbench-left")
        columns = ipywidgets.Box([left, self.editor])
        columns.add_class("studio-workbench-columns")
        return [self.cards, columns]

    # Which curves are used

    def _grew(self, _change: Any) -> None:
        toggle = self.source.toggle
        if self.measure.analysis is None:
            return
        is_new = self.measure.measured_by is not self._points_of
        if is_new:
            self._points_of = self.measure.measured_by
            self._first_point = len(self.verify.verified)
        if toggle.disabled or (is_new and toggle.value == ESTIMATED):
            toggle.disabled = False
            toggle.value = MEASURED
        self._draw()

    def _switched(self, _change: Any) -> None:
        self._draw()
        if not self.measure.is_running:
            self._plan_anew()

    def _started_or_ended(self, _change: Any) -> None:
        if not self.measure.is_running:
            self._plan_anew()
        self._describe()

    def _draw(self) -> None:
        analysis = self.analysis
        if self.chart.analysis is not analysis:
            self.chart.analysis = analysis
            self.table.loss = analysis
        self._describe()

    def _describe(self) -> None:
        if self.measure.analysis is None:
            words = "from the weights alone; nothing was run"
        elif self.source.toggle.value == ESTIMATED:
            words = "from the weights alone"
        else:
            words = f"measured {self.measure.said_data()}"
            if self.measure.is_running:
                words += "; the plan follows at the end"
            elif not self.measure.is_complete:
                words += ", not all levels"
        self.source.say(words)

    # What the plan is made and judged by

    def _plan_anew(self) -> None:
        if self.analysis.source == ESTIMATED:
            if self.editor.planner is not self.session.planner:
                self._solver = None
                self.editor.plan_by(self.session.planner)
        elif self.editor.planner.loss is not self.analysis:
            planner = self.session.planner_over(self.analysis)
            self._solver = self._solver_of(planner)
            self.editor.plan_by(planner, self._solver.predict)

    def _solver_of(self, planner: Planner) -> Solver:
        verified = [plan.verification for plan in self.verify.verified[self._first_point :]]
        points = [v.point for v in verified if v.is_comparable and v.point is not None]
        return Solver(planner, calibration=Calibration.fit(points))

    def _learn(self, _change: Any) -> None:
        if self._solver is not None:
            self._solver = self._solver_of(self._solver.planner)
            self.editor.predict_by(self._solver.predict)

    def _ask_solver(self) -> tuple[Solver, Mapping[str, float]]:
        locked = {} if self.editor.plan is None else self.editor.plan.locked_sparsities()
        return self._solver or Solver(self.editor.planner), locked

    def _ask(self) -> Prepare:
        plan, session = self.editor.plan, self.session
        if plan is None:
            raise InvalidRequestError("There is no plan to verify. Make one with the sliders.")
        request = self.measure.measured_by or self.measure.chosen()
        solver, planner = self._solver, self.editor.planner

        def prepare() -> VerificationRun:
            return VerificationRun(
                session.model,
                session.layers,
                plan,
                request.samples,
                request.metric_of(session.model),
                solver=solver or Solver(planner),
                compress=session.summary.num_bytes < _MOST_COMPRESSED_BYTES,
            )

        return prepare
