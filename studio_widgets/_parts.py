"""The parts of the workbench for one model, joined by the curves that they use.

Estimated curves are there at once. As soon as something is measured, chart and table show
that as it grows; the plan follows when the run has ended, so that it stands still meanwhile.
What was measured also says what the plan removes: single weights, N of every M, or channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
import traitlets

from studio_core.errors import InvalidRequestError
from studio_core.plan_runs.removal import Removal
from studio_core.plan_runs.request import Sources
from studio_core.plan_runs.solving import Known, PlanRoom, SolvedPlan
from studio_core.plan_runs.verifying import PlanVerification, VerifyOptions
from studio_core.plans import PruningPlan
from studio_core.plans.latency import PredictedLatency
from studio_core.plans.verification import Verification
from studio_core.projects import Project
from studio_core.pruning.masks import Granularity
from studio_core.sensitivity import Analysis
from studio_core.sensitivity.sweep.pattern import Pattern
from studio_core.session import Session
from studio_core.workbench import Workbench
from studio_widgets._insight import FINDINGS, Insight, Standing
from studio_widgets._measuring import MeasureRequest
from studio_widgets._plan_shelf import MemoryShelf, PlanShelf, ProjectShelf
from studio_widgets._steps import ESTIMATED, MEASURED, CurveSource, next_step, work_sections
from studio_widgets.export_panel import ExportPanel
from studio_widgets.goal_panel import GoalPanel
from studio_widgets.layer_table import LayerTable
from studio_widgets.measure_panel import MeasurePanel
from studio_widgets.performance_panel import PerformancePanel
from studio_widgets.plan_editor import PlanEditor
from studio_widgets.plans_panel import PlansPanel
from studio_widgets.sections import Sections
from studio_widgets.sensitivity_chart import SensitivityChart
from studio_widgets.summary_cards import SummaryCards
from studio_widgets.verify_panel import Prepare, VerifyPanel

_MOST_COMPRESSED_BYTES = 200_000_000  # beyond that zlib takes longer than the run


class Parts:
    """Cards, table, chart, plan and the sections below them, of one ``session``."""

    def __init__(
        self,
        session: Session,
        project: Project | None,
        workbench: Workbench,
        make_code: Callable[[], str],
        on_plan: Callable[[PruningPlan], None],
    ) -> None:
        self.session = session
        self.cards = SummaryCards(session)
        self.table = LayerTable(session, height=364)
        self.chart = SensitivityChart(session, height=320)
        self.editor = PlanEditor(session, make_code=make_code)
        self.measure = MeasurePanel(session, project, workbench)
        self.performance = PerformancePanel(session, project, workbench)
        self.verify = VerifyPanel(self._ask_verification, self._learn)
        shelf: PlanShelf = MemoryShelf() if project is None else ProjectShelf(workbench, project)
        self.plans = PlansPanel(shelf, self._ask_plan, on_plan)
        self.export = ExportPanel(session, lambda: self._ask_plan()[0])
        self.goal = GoalPanel(session.layers, self._ask_room, on_plan)
        self.source = CurveSource()
        self._room: PlanRoom | None = None
        self._made_by: tuple[Analysis, Analysis | None] = (session.loss, None)
        self._points_of: MeasureRequest | None = None
        self.insight = Insight(session, project, workbench, self._standing, self.table)
        self.sections = self._make_sections()
        self._listen()
        self._describe()
        self._advise()

    def _make_sections(self) -> Sections:
        export = ipywidgets.VBox([self.export, self.insight.report])
        work = work_sections(
            self.measure, self.performance, self.goal, self.verify, self.plans, export
        )
        return Sections([*work, *self.insight.sections()])

    def _listen(self) -> None:
        self.measure.observe(self._grew, "analysis")
        self.measure.observe(self._started_or_ended, "is_running")
        self.performance.observe(self._timed, "is_running")
        self.source.toggle.observe(self._switched, "value")
        traitlets.link((self.table, "selected_layer"), (self.performance, "selected_layer"))
        for part, name in ((self.measure, "is_running"), (self.verify, "verified")):
            part.observe(self._advise, name)
        self.editor.observe(self._advise, "plan")
        self.sections.observe(lambda change: self.insight.opened(change["new"]), "opened")
        self.insight.findings.observe(
            lambda change: self.sections.entitle(FINDINGS, change["new"]), "title"
        )

    def attach(self) -> None:
        """Show what the project has measured, and follow its jobs that go on."""
        for panel in (self.performance, self.measure):
            with panel.messages.catching():
                panel.attach()
        if not self.measure.is_running:
            self._started_or_ended({})
        if not self.performance.is_running:
            self._timed({})

    def leave(self) -> None:
        """Another model is shown: jobs go on, work in this kernel ends."""
        self.measure.leave()
        self.performance.leave()
        self.verify.cancel()

    @property
    def analysis(self) -> Analysis:
        """The curves in use."""
        measured = self.measure.analysis
        if measured is None or self.source.toggle.value == ESTIMATED:
            return self.session.loss
        return measured

    def arranged(self) -> list[Any]:
        left = ipywidgets.VBox([self.table, self.chart, self.source])
        left.add_class("studio-workbench-left")
        columns = ipywidgets.Box([left, self.editor])
        columns.add_class("studio-workbench-columns")
        return [self.cards, self.sections, columns]

    # Which curves are used

    def _grew(self, _change: Any) -> None:
        toggle = self.source.toggle
        if self.measure.analysis is None:
            return
        is_new = self.measure.measured_by is not self._points_of
        self._points_of = self.measure.measured_by
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

    def _timed(self, _change: Any) -> None:
        if not self.performance.is_running and not self.measure.is_running:
            self._plan_anew()
            self._advise()

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
            pattern = self.measure.analysis.granularity
            words += {"element": "", "channel": ", by channels"}.get(pattern, f", by {pattern}")
            if self.measure.is_running:
                words += "; the plan follows at the end"
            elif self.measure.request is not None and not self.measure.is_complete:
                words += ", not all levels"
        self.source.say(words)

    def _advise(self, _change: Any = None) -> None:
        """Say what comes next."""
        plan = self.editor.plan
        found = next((v for v in reversed(self.verify.verified) if v.plan == plan), None)
        step = next_step(
            is_measuring=self.measure.is_running,
            is_measured=self.measure.analysis is not None,
            verified=found,
        )
        self.sections.suggest(*step)
        self.insight.changed()

    def _standing(self) -> Standing:
        is_measured = self.analysis is not self.session.loss
        return Standing(
            self.editor.plan,
            self.analysis if is_measured else None,
            self.performance.analysis,
            tuple(self.verify.verified),
            self.plans.plans,
            self.room,
        )

    # What the plan is made and judged by

    @property
    def room(self) -> PlanRoom:
        """What plans are made, judged and explained with."""
        if self._room is None:
            self._room = self._make_room()
        return self._room

    def _make_room(self) -> PlanRoom:
        loss = None if self.analysis is self.session.loss else self.analysis
        removal = Removal() if loss is None else Removal(Pattern.named(loss.granularity))
        known = Known(loss, self.performance.analysis, self.plans.shelf.proven(removal))
        return PlanRoom(self.session, removal, known)

    def _plan_anew(self) -> None:
        made_by = (self.analysis, self.performance.analysis)
        if made_by == self._made_by:
            return
        self._made_by, self._room = made_by, None
        room = self.room
        self.goal.forget()
        stay_dense = room.removal.refusals(self.session.model, self.session.layers)
        is_estimate = self.analysis is self.session.loss
        self.editor.plan_by(
            room.solver.planner, None if is_estimate else room.solver.predict, stay_dense
        )
        self._offer_times()

    def _offer_times(self) -> None:
        """Limits on time need measured times of what the plan removes."""
        timed, dense = False, None
        if self.performance.analysis is not None:
            latency = self.room.solver.planner.predict_latency(PruningPlan({}))
            timed, dense = latency.value_ms is not None, latency.dense_ms
        by_channel = self.room.removal.timed is Granularity.CHANNEL
        self.goal.dense_ms = dense if timed and by_channel else None
        self.verify.timed.value = timed

    def _learn(self, found: Verification) -> None:
        with self.plans.messages.catching():
            self.plans.keep_verification(found)
        if self.analysis is not self.session.loss:
            self._room = None
            self.editor.predict_by(self.room.solver.predict)

    def _locked(self) -> Mapping[str, float]:
        return {} if self.editor.plan is None else self.editor.plan.locked_sparsities()

    def _ask_room(self) -> tuple[PlanRoom, Mapping[str, float]]:
        return self.room, self._locked()

    def _present(self) -> PruningPlan:
        if self.editor.plan is None:
            raise InvalidRequestError("There is no plan. Make one with the sliders first.")
        return self.editor.plan

    def _ask_plan(self) -> tuple[SolvedPlan, Sources]:
        """The present plan with what it should bring, and what it was made from."""
        is_measured = self.analysis is not self.session.loss
        perf = self.performance.analysis
        sources = Sources(
            self.analysis.name if is_measured else None, None if perf is None else perf.name
        )
        return self.room.judge(self._present()), sources

    def _ask_verification(
        self, latency_runs: int, on_unseen: bool
    ) -> tuple[Prepare, PredictedLatency]:
        if self.editor.plan is None:
            raise InvalidRequestError("There is no plan to verify. Make one with the sliders.")
        measured_by = self.measure.measured_by
        request = measured_by or self.measure.chosen()
        wants_unseen = on_unseen and measured_by is not None
        session, room = self.session, self.room
        plan = room.judge(self.editor.plan).plan
        compress = session.summary.num_bytes < _MOST_COMPRESSED_BYTES

        def prepare() -> tuple[PlanVerification, bool]:
            options = VerifyOptions(
                metric=request.metric_of(session.model),
                latency_runs=latency_runs,
                compress=compress,
            )
            unseen = request.unseen if wants_unseen else None
            samples = request.samples if unseen is None else unseen
            run = PlanVerification(session, plan, room.removal, samples, room.solver, options)
            return run, unseen is not None

        return prepare, room.solver.planner.predict_latency(plan)
