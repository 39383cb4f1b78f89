"""Explore a compiler's module or a model: graph, attributes, overrides and runs, joined.

    ex = explore("module.mlir")             # studio.explore
    ex.selected                             # the node a person looks at
    ex.edit(ex.selected, "grid_shape", "4x8").layout.fits
    ex.run().wait()                         # on this machine's CPU; overlays follow
    ex.findings[0].remedy                   # what Studio noticed, the gravest first
    ex.write_report("module.html")
    print(ex.copy_as_code())

Each part can be used alone; here they share one `Exploration`.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets

from studio_core.comparison import GraphComparison
from studio_core.errors import InvalidRequestError
from studio_core.execution.sessions import Cancellation
from studio_core.explorer.edits import NodeOutcome
from studio_core.explorer.exploration import POLICIES, Exploration
from studio_core.explorer.running import ExecutedRun, ExplorationStep
from studio_core.finding import Finding
from studio_core.findings import looked_at_in_module, module_findings
from studio_core.graphs.records import Graph
from studio_core.overrides.records import Overrides
from studio_core.reports import module_report
from studio_widgets._base import ShortRepr, reject_unknown, settings_of
from studio_widgets._effects import effect_html
from studio_widgets._explorer_parts import (
    code_of,
    marks_of,
    section,
    slow_ops,
    times_toggle,
    title_html,
)
from studio_widgets._graph_wire import name_of
from studio_widgets.attribute_editor import AttributeEditor
from studio_widgets.copy_button import CopyButton
from studio_widgets.findings_panel import FindingsPanel
from studio_widgets.graph_view import GraphView
from studio_widgets.messages import MessageArea
from studio_widgets.op_times import OpTimes
from studio_widgets.overrides_panel import OverridesPanel
from studio_widgets.panel_style import PanelStyle
from studio_widgets.report_button import ReportButton
from studio_widgets.run_comparison import KeptRun, RunComparison
from studio_widgets.run_panel import ModelRun, RunPanel

_MOST_NOTES = 12


class ExplorerView(ShortRepr, ipywidgets.VBox):
    """One opened file with everything Studio shows of its graphs.

    ``exploration`` is the opened file, ``opened_by`` the Python expression that opens it again.
    """

    selected = traitlets.Unicode()
    """Id of the node selected in all parts, "" for none. Type: str. Default: ""."""

    overlay = traitlets.Unicode()
    """Key of the overlay shown, "" for the kinds of nodes. Type: str. Default: "" before a run,
    then "perf_data"."""

    def __init__(self, exploration: Exploration, *, opened_by: str = "", **settings: Any) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self.exploration = exploration
        self._opened_by = opened_by or f"studio.explore({str(exploration.path)!r})"
        self._cancellation = Cancellation()
        self._is_drawing = False
        self._make_parts()
        super().__init__(self._arranged(), **settings)
        self.layout.width = "100%"
        for name in ("studio", "studio-explorer"):
            self.add_class(name)
        for name in ("selected", "overlay"):
            traitlets.link((self, name), (self.view, name))
        self.observe(self._show_node, "selected")
        self._show_graph()

    def _make_parts(self) -> None:
        exploration = self.exploration
        self.title = ipywidgets.HTML()
        self.choice = ipywidgets.Dropdown(
            options=[graph.id for graph in exploration.graphs], description="Graph"
        )
        self.choice.layout.display = "" if len(exploration.graphs) > 1 else "none"
        self.choice.observe(lambda change: self.show_graph(change["new"]), "value")
        self.copy_button = CopyButton(self.copy_as_code)
        self.copy_button.layout.width = "auto"
        self.messages = MessageArea()
        self.view = GraphView(exploration.graph, height=620)
        self.notes = ipywidgets.HTML()
        self.editor = AttributeEditor()
        self.editor.on_change(self._edited)
        self.overrides_panel = OverridesPanel(on_select=self._select_override)
        self.overrides_panel.observe(self._overrides_changed, "overrides")
        self.run_panel = RunPanel(
            self._steps,
            POLICIES[::-1],
            on_select=self._select,
            on_cancel=lambda: self._cancellation.cancel(),
        )
        self.run_panel.observe(self._took_result, "result")
        self.run_panel.observe(lambda _: self._show_overrides(), "policy")
        self.run_comparison = RunComparison(self.view)
        self.op_times = OpTimes()
        traitlets.link((self.view, "selected"), (self.op_times, "selected"))
        self.findings_panel = FindingsPanel(
            lambda: module_findings(self.exploration, self.run_panel.policy),
            self._select,
            name_of=self._name_of,
            looked_at=lambda: looked_at_in_module(self.exploration),
        )
        self.findings_panel.add_class("studio-explorer-findings")
        self.report_button = ReportButton(
            lambda: module_report(self.exploration, policy=self.run_panel.policy),
            exploration.path.stem,
        )

    def _arranged(self) -> list[Any]:
        style = PanelStyle("panel", "explorer")
        head = ipywidgets.HBox([self.title, self.choice])
        head.add_class("studio-explorer-head")
        left = ipywidgets.VBox(
            [
                self.view,
                self.notes,
                section("Findings", self.findings_panel),
                section("Run", ipywidgets.VBox([self.run_panel, times_toggle(self.op_times)])),
                self.run_comparison,
            ]
        )
        right = ipywidgets.VBox(
            [
                self.editor,
                section("Overrides", self.overrides_panel),
                section("Report and code", ipywidgets.VBox([self.report_button, self.copy_button])),
            ]
        )
        left.add_class("studio-explorer-left")
        right.add_class("studio-explorer-right")
        columns = ipywidgets.GridBox([left, right])
        columns.add_class("studio-explorer-columns")
        return [style, head, self.messages, columns]

    # What can be read and repeated in Python

    @property
    def graph(self) -> Graph:
        """The graph shown; after a run the executed one, with its overlays."""
        return self.exploration.graph

    @property
    def overrides(self) -> Overrides:
        """What is asked of the graph."""
        return self.exploration.overrides

    @property
    def executed(self) -> ExecutedRun | None:
        """The last run of the graph; None before the first."""
        return self.exploration.executed

    @property
    def runs(self) -> tuple[KeptRun, ...]:
        """Every finished run of this session, oldest first, each with its ``label``."""
        return tuple(self.run_comparison.runs)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What Studio noticed, the gravest first; ``subject`` is a node's id."""
        return self.findings_panel.latest()

    def write_report(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write what is known into one .html or .md file; errors as in `ReportButton.write`."""
        return self.report_button.write(path, overwrite=overwrite)

    def edit(self, node_id: str, key: str, value: str) -> NodeOutcome:
        """Ask for a value of a node's attribute as the panel does, and say what it does.

        Raises `InvalidRequestError` for a value that the attribute cannot have.
        """
        outcome = self.exploration.edit(node_id, key, value)
        if node_id == self.selected:
            self._show_node({})
        self._show_overrides()
        return outcome

    def run(self, policy: str | None = None) -> ModelRun:
        """Run the model in the background under the overrides; ``ex.run().wait()`` waits."""
        return self.run_panel.run(policy)

    def compare_runs(self, left: Any, right: Any) -> GraphComparison:
        """Show two of ``runs`` side by side, also by number; core's record of it."""
        return self.run_comparison.compare_runs(left, right)

    def compare_with(self, other: Any) -> GraphComparison:
        """Mark what is new beside another file: a path, an opened file or an explorer."""
        return self.run_comparison.compare_with(self.exploration, other)

    def show_graph(self, graph_id: str) -> None:
        """Look at another graph of the file."""
        self.exploration.show(graph_id)
        self._show_graph()

    def copy_as_code(self) -> str:
        """The cell that opens this file and asks for the same."""
        return code_of(self.exploration, self._opened_by, self.selected)

    # What a person does

    def _select(self, node_id: str) -> None:
        with self.messages.catching():
            self.view.selected = node_id

    def _name_of(self, node_id: str) -> str:
        node = self.graph.by_id.get(node_id)
        return name_of(node) if node is not None else node_id

    def _select_override(self, key: str) -> None:
        node_id = self.exploration.node_of(key)
        with self.messages.catching():
            if node_id is None:
                raise InvalidRequestError(f"No node of this graph has the location {key!r}.")
            self.view.selected = node_id

    def _edited(self, changes: dict[str, str]) -> None:
        """A control was moved: ask core, then show fit and cost."""
        exploration, node_id = self.exploration, self.selected
        before = exploration.changes(node_id)
        for key in (*before, *changes):
            if changes.get(key) == exploration.changes(node_id).get(key):
                continue
            try:
                if key in changes:
                    exploration.edit(node_id, key, changes[key])
                else:
                    exploration.reset(node_id, key)
            except InvalidRequestError as error:
                self.editor.mark(key, "rejected", str(error))
        layout = "tensor_memory_layout"
        if changes.get(layout) != before.get(layout):
            self._show_node({})  # another way of sharding has other limits
        else:
            self._show_effect(exploration.outcome(node_id))
        self._show_overrides()

    def _overrides_changed(self, change: Any) -> None:
        if self._is_drawing or change["new"] is self.exploration.overrides:
            return
        self.exploration.overrides = change["new"]
        self._show_node({})
        self._show_overrides()

    # Running

    def _steps(self, policy: str) -> Iterator[ExplorationStep]:
        self._cancellation = Cancellation()
        return self.exploration.run(policy, cancel=self._cancellation)

    def _took_result(self, change: Any) -> None:
        if isinstance(change["new"], ExecutedRun):
            self._show_graph()
            self.run_comparison.keep(change["new"])
            self.op_times.executed = change["new"]

    # What is drawn

    def _show_graph(self) -> None:
        graph, executed = self.exploration.graph, self.exploration.executed
        self.view.graph = graph
        self.view.overlay = next(iter(graph.overlays), "")
        self.run_comparison.show_graph(graph.id)
        notes = [*graph.notes]
        lines = "".join(f"<li>{html.escape(note)}</li>" for note in notes[:_MOST_NOTES])
        self.notes.value = f'<ul class="studio-run-notes">{lines}</ul>' if lines else ""
        if executed is None:
            self.run_panel.show_slowest([])
        else:
            self.run_panel.show_slowest(slow_ops(executed), executed.result.notes)
        self._show_node({})
        self._show_overrides()

    def _show_node(self, _change: Any) -> None:
        node_id = self.selected
        if not node_id:
            self.editor.show(None)
            return
        node = self.exploration.node(node_id)
        self.editor.show(
            node, self.exploration.changes(node_id), marks_of(self.exploration, node_id)
        )
        self._show_effect(self.exploration.outcome(node_id))

    def _show_effect(self, outcome: NodeOutcome) -> None:
        self.editor.show_memory(outcome.memory)
        self.editor.show_effect(effect_html(self.exploration.opened, outcome))

    def _show_overrides(self) -> None:
        self.title.value = title_html(self.exploration)
        policy = self.run_panel.policy
        self._is_drawing = True
        try:
            self.overrides_panel.show(
                self.exploration.overrides,
                self.exploration.options(policy) if self._is_module else None,
            )
        finally:
            self._is_drawing = False
        self.findings_panel.refresh_soon()

    @property
    def _is_module(self) -> bool:
        return self.exploration.opened.module is not None
