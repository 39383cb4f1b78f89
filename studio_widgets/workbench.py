"""The workbench: projects, summary, layers, curves and plan of one model, joined.

    wb = open_workbench("model.onnx")      # studio.open
    wb.selected_layer                      # the same in table, chart and plan
    wb.plan.to_recipe()
    wb.measure("data.npz").wait()          # the curves grow; the plan follows them
    wb.measure_perf().wait()               # the time of each layer, dense and pruned
    wb.verify().wait()
    wb.save_plan("half", note="a start")
    wb.apply("pruned.onnx").wait()
    print(wb.copy_as_code())

Each part can be used alone; here their selection and plan are linked. The model of a project
is measured by jobs, which go on without this kernel and are found again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ipywidgets
import traitlets

from studio_core.evaluation.data import Samples
from studio_core.finding import Finding
from studio_core.layers import Layer
from studio_core.models.model import Model
from studio_core.plan_runs.saved_plan import SavedPlan
from studio_core.plans import Planner, PruningPlan
from studio_core.projects import Project
from studio_core.sensitivity import Analysis
from studio_core.sensitivity.documents import to_document
from studio_core.session import Session
from studio_core.workbench import Workbench
from studio_widgets._base import ShortRepr, close_all, reject_unknown, settings_of
from studio_widgets._data_choices import held_out
from studio_widgets._parts import Parts
from studio_widgets._repeating import measuring_code, opening_code
from studio_widgets._steps import ESTIMATED, EXPORT, MEASURE, MEASURED, PERFORMANCE, VERIFY
from studio_widgets.charts_panel import ChartsPanel
from studio_widgets.compare_panel import ComparePanel
from studio_widgets.export_panel import ApplyRun, ExportPanel
from studio_widgets.goal_panel import GoalPanel
from studio_widgets.layer_table import LayerTable
from studio_widgets.measure_panel import MeasurePanel, MeasureRun
from studio_widgets.messages import MessageArea
from studio_widgets.panel_style import PanelStyle
from studio_widgets.performance_panel import PerformancePanel
from studio_widgets.plan_editor import PlanEditor
from studio_widgets.plans_panel import PlansPanel
from studio_widgets.project_bar import ProjectBar
from studio_widgets.sections import Sections
from studio_widgets.sensitivity_chart import SensitivityChart
from studio_widgets.verify_panel import VerifiedPlan, VerifyPanel, VerifyRun


class WorkbenchView(ShortRepr, ipywidgets.VBox):
    """One model with everything Studio shows of it; what a person selects or plans is here.

    ``session`` is an opened model, ``project`` the one it belongs to, if any, and
    ``opened_by`` the Python expression that opens it again.
    """

    selected_layer = traitlets.Unicode()
    """Id of the layer selected in all parts, "" for none. Type: str. Default: ""."""

    plan = traitlets.Instance(PruningPlan, allow_none=True)
    """The pruning plan in all parts. Type: PruningPlan. Default: average sparsity 0.5."""

    curves = traitlets.Enum((ESTIMATED, MEASURED), default_value=ESTIMATED)
    """The curves that are drawn and planned by. Type: str. Default: "estimated"."""

    session: Session
    project: Project | None
    _parts: Parts
    measure_panel: MeasurePanel
    performance_panel: PerformancePanel
    goal_panel: GoalPanel
    plans_panel: PlansPanel
    export_panel: ExportPanel
    verify_panel: VerifyPanel
    table: LayerTable
    chart: SensitivityChart
    editor: PlanEditor
    sections: Sections

    def __init__(
        self,
        workbench: Workbench,
        session: Session,
        project: Project | None = None,
        *,
        opened_by: str = "",
        **settings: Any,
    ) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self.workbench = workbench
        self.messages = MessageArea()
        self.projects = ProjectBar(
            workbench, self.messages, on_open=self.open_project, on_save=self.save_as_project
        )
        self._links: list[traitlets.link] = []
        self._body = ipywidgets.VBox()
        style = PanelStyle("panel", "runs")
        super().__init__([style, self.projects, self.messages, self._body], **settings)
        self.layout.width = "100%"
        for name in ("studio", "studio-workbench"):
            self.add_class(name)
        self.show(session, project, opened_by)

    # What can be read and repeated in Python

    @property
    def model(self) -> Model:
        return self.session.model

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers of the model, prunable or not."""
        return self.session.layers

    @property
    def analysis(self) -> Analysis:
        """The loss sensitivities that are shown: measured ones, or the estimate."""
        return self._parts.analysis

    @property
    def measured(self) -> Analysis | None:
        """What was measured so far; None before any measurement."""
        return self.measure_panel.analysis

    @property
    def planner(self) -> Planner:
        """What the plan is made by: the estimate, or the measured curves once the run ended."""
        planner: Planner = self.editor.planner
        return planner

    @property
    def held_out_data(self) -> Samples | None:
        """Labelled data of a bundled model; None for any other."""
        return held_out(self.model)

    @property
    def verified(self) -> tuple[VerifiedPlan, ...]:
        """Every plan that was verified here, oldest first, with its note."""
        note_of = self.plans_panel.note_of
        return tuple(VerifiedPlan(v, note_of(v.plan)) for v in self.verify_panel.verified)

    @property
    def measured_perf(self) -> Analysis | None:
        """The times that were measured so far; None before any measurement."""
        return self.performance_panel.analysis

    @property
    def saved_plans(self) -> tuple[SavedPlan, ...]:
        """The plans that are kept, the newest first: in the project, or in this kernel."""
        return tuple(self.plans_panel.plans)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What Studio noticed, the gravest first; ``subject`` is a layer's id."""
        return self._parts.insight.findings.latest()

    @property
    def charts_panel(self) -> ChartsPanel:
        return self._parts.insight.charts

    @property
    def compare_panel(self) -> ComparePanel:
        return self._parts.insight.compare

    def write_report(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write what is known into one .html or .md file; errors as in `ReportButton.write`."""
        return self._parts.insight.report.write(path, overwrite=overwrite)

    def measure(self, data: Any = None, **options: Any) -> MeasureRun:
        """Measure the loss sensitivities in the background, as the button does.

        ``data`` is a path, arrays, `held_out_data` or anything `samples_from` reads, or None
        for random samples; ``options`` are those of `MeasurePanel.measure` (``metric``,
        ``samples``, ``levels``, ``granularity``, ``stop_error``, ``workers``,
        ``stop_after``). ``wb.measure(…).wait()`` waits for the end.
        """
        self.sections.opened = MEASURE
        return self.measure_panel.measure(data, **options)

    def measure_perf(self, data: Any = None, **options: Any) -> MeasureRun:
        """Measure the time of each layer in the background; options as in
        `PerformancePanel.measure`.
        """
        self.sections.opened = PERFORMANCE
        return self.performance_panel.measure(data, **options)

    def verify(
        self, *, latency_runs: int | None = None, on_unseen: bool | None = None
    ) -> VerifyRun:
        """Run the whole plan in the background; options as in `VerifyPanel.verify`."""
        self.sections.opened = VERIFY
        return self.verify_panel.verify(latency_runs=latency_runs, on_unseen=on_unseen)

    def save_plan(self, name: str | None = None, note: str = "") -> SavedPlan:
        """Keep the plan with a note: as a new one, or as the next version of ``name``."""
        return self.plans_panel.save(name, note)

    def apply(self, path: str | Path, *, overwrite: bool = False) -> ApplyRun:
        """Write the model pruned by the plan to ``path``, in the background."""
        self.sections.opened = EXPORT
        return self.export_panel.apply(path, overwrite=overwrite)

    def export(self, format_name: str, path: str | Path, **options: Any) -> Path:
        """Write the plan in a format of `studio_core.exports.FORMATS`."""
        return self.export_panel.export(format_name, path, **options)

    def copy_as_code(self) -> str:
        """The cell that opens this model, measures it and makes this plan."""
        is_whole = self.curves == ESTIMATED or self.measure_panel.is_complete
        editor = self.editor
        # The points of a run that was cancelled may come in another order next time.
        plan = editor.expression("wb.planner") if is_whole else editor.literal()
        needs = editor.imports() if is_whole else editor.literal_imports()
        lines = ["import studio_widgets as studio", *(needs or [""])]
        lines.append(f"wb = {self._opened_by}")
        lines += measuring_code(self.performance_panel, "wb.measure_perf")
        lines += measuring_code(self.measure_panel, "wb.measure")
        has_measured = self.measure_panel.analysis is not None
        if has_measured and self.curves == ESTIMATED:
            lines.append(f"wb.curves = {ESTIMATED!r}")
        lines.append(f"wb.plan = {plan}")
        if self.selected_layer:
            lines.append(f"wb.selected_layer = {self.selected_layer!r}")
        return "\n".join([*lines, "wb"])

    # What a person does with projects

    def open_project(self, project_id: str) -> None:
        """Show the model of a project in place of the present one."""
        project = self.workbench.project(project_id)
        opened_by = opening_code("open", project.id, self.workbench)
        self.show(self.workbench.session(project.id), project, opened_by)

    def save_as_project(self, name: str) -> None:
        """Make a project with a copy of the present model, and show that."""
        plan, selected, before = self.plan, self.selected_layer, self._parts
        curves = self.curves
        config = {"projectName": name} if name else {}
        project = self.workbench.create_project(self.model.path, config)
        for panel in (before.measure, before.performance):
            if panel.analysis is not None:
                document = {**to_document(panel.analysis), "complete": panel.is_complete}
                analysis = panel.analysis
                self.workbench.save_analysis(project.id, analysis.kind, analysis.name, document)
        self.open_project(project.id)
        self._parts.measure.adopt(before.measure)
        self._parts.performance.adopt(before.performance)
        self._parts.plans.adopt(before.plans)
        self._parts.verify.adopt(before.verify)
        self.curves = curves
        self.plan, self.selected_layer = plan, selected

    def show(self, session: Session, project: Project | None, opened_by: str = "") -> None:
        """Show another opened model; its plan and selection start anew."""
        # Fails before anything has changed.
        parts = Parts(session, project, self.workbench, self.copy_as_code, self._use_plan)
        for link in self._links:
            link.unlink()
        former = self._body.children
        if former:
            self._parts.leave()
        self._parts = parts
        self.measure_panel, self.performance_panel = parts.measure, parts.performance
        self.goal_panel, self.verify_panel = parts.goal, parts.verify
        self.plans_panel, self.export_panel = parts.plans, parts.export
        self.session, self.project = session, project
        self._opened_by = opened_by or opening_code("open", str(session.model.path), self.workbench)
        self.table, self.chart, self.editor = parts.table, parts.chart, parts.editor
        self.plan, self.selected_layer = self.editor.plan, ""
        self.curves = ESTIMATED
        self._links = [
            traitlets.link((self, name), (part, name))
            for part in (parts.editor, parts.table, parts.chart)
            for name in ("plan", "selected_layer")
        ]
        self._links.append(traitlets.link((self, "curves"), (parts.source.toggle, "value")))
        self._body.children = parts.arranged()
        self.sections = parts.sections
        self.projects.show(session.model, project)
        for widget in former:
            close_all(widget)
        parts.attach()

    def _use_plan(self, plan: PruningPlan) -> None:
        self.plan = plan
