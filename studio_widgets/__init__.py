"""Studio in Jupyter: see a network's layers, how each one minds pruning, and make a plan.

    import studio_widgets as studio

    wb = studio.open("model.onnx")          # the whole workbench
    studio.LayerTable("model.onnx")         # or one part of it
    studio.explore("module.mlir")           # a compiler's graph, edited and run
    studio.compare("model.onnx", "pruned.onnx")     # two of a kind side by side

What a person does in a widget can be read from it in Python, and the other way round.
"""

from __future__ import annotations

from studio_widgets.attribute_editor import AttributeEditor
from studio_widgets.charts_panel import ChartsPanel
from studio_widgets.compare_panel import ComparePanel
from studio_widgets.comparison_table import ComparisonTable
from studio_widgets.comparison_view import ComparisonView, compare
from studio_widgets.curve_pair import CurvePair
from studio_widgets.explorer import ExplorerView
from studio_widgets.exploring import explore, explore_sample
from studio_widgets.export_panel import ExportPanel
from studio_widgets.findings_panel import FindingsPanel
from studio_widgets.goal_panel import GoalPanel
from studio_widgets.graph_view import GraphView
from studio_widgets.layer_table import LayerTable
from studio_widgets.measure_panel import MeasurePanel
from studio_widgets.op_times import OpTimes
from studio_widgets.opening import open_sample, open_workbench
from studio_widgets.performance_panel import PerformancePanel
from studio_widgets.performance_view import PerformanceView
from studio_widgets.plan_editor import PlanEditor
from studio_widgets.plans_panel import PlansPanel
from studio_widgets.report_button import ReportButton
from studio_widgets.sensitivity_chart import SensitivityChart
from studio_widgets.summary_cards import SummaryCards
from studio_widgets.trade_off import TradeOff
from studio_widgets.verify_panel import VerifyPanel
from studio_widgets.workbench import WorkbenchView

open = open_workbench
"""`studio.open(model_or_project)` shows the workbench; see `open_workbench`."""

__all__ = [
    "AttributeEditor",
    "ChartsPanel",
    "ComparePanel",
    "ComparisonTable",
    "ComparisonView",
    "CurvePair",
    "ExplorerView",
    "ExportPanel",
    "FindingsPanel",
    "GoalPanel",
    "GraphView",
    "LayerTable",
    "MeasurePanel",
    "OpTimes",
    "PerformancePanel",
    "PerformanceView",
    "PlanEditor",
    "PlansPanel",
    "ReportButton",
    "SensitivityChart",
    "SummaryCards",
    "TradeOff",
    "VerifyPanel",
    "WorkbenchView",
    "compare",
    "explore",
    "explore_sample",
    "open",
    "open_sample",
]
