"""Compare runs: two finished runs of a module, or two files, as a table and on the graph.

    ex.runs                                     # every finished run of the session, with its label
    ex.compare_runs(ex.runs[0], ex.runs[1])     # also by their labels or numbers
    ex.compare_with("before.mlir")              # what is new, changed and missing

The differences are overlays of the graph: blue is less (or better), red is more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets

from studio_core.comparison import GraphComparison, compare_graphs, compare_runs
from studio_core.comparison.graphs import DIFFERENCE
from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.explorer.exploration import Exploration, open_exploration
from studio_core.explorer.running import ExecutedRun
from studio_core.graphs.overlays import PERF_DATA
from studio_widgets import _format
from studio_widgets._base import ShortRepr, reject_unknown, settings_of
from studio_widgets._comparison_totals import run_totals
from studio_widgets._difference_overlays import difference_overlays
from studio_widgets._overlay_wire import value_text
from studio_widgets.comparison_view import ComparisonView
from studio_widgets.graph_view import GraphView
from studio_widgets.messages import MessageArea
from studio_widgets.panel_style import PanelStyle

RUNS_KEPT = 50
"""Older runs of a session are let go."""


@dataclass(frozen=True, slots=True, eq=False)
class KeptRun:
    """A finished run of the session. Its arrays (inputs, outputs) are not kept."""

    number: int
    graph_id: str
    executed: ExecutedRun

    @property
    def label(self) -> str:
        """Such as '1 · Optimizer Enabled · 2 overrides · 26.3 µs'."""
        total = self.executed.result.total_ns
        time = _format.UNKNOWN if total is None else value_text(total, "ns")
        asked = len(self.executed.applied)
        noun = "override" if asked == 1 else "overrides"
        return f"{self.number} · {self.executed.policy} · {asked} {noun} · {time}"


class RunComparison(ShortRepr, ipywidgets.VBox):
    """The runs of a session, two of them side by side; takes no room before there are two.

    The op that is selected here is selected in ``graph_view``, whose overlays get the
    differences; where the box is ticked they are what it shows.
    """

    runs = traitlets.Tuple()
    """The finished runs of all graphs, oldest first, as `KeptRun`. Type: tuple. Default: ()."""

    def __init__(self, graph_view: GraphView, **settings: Any) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self._graph_view = graph_view
        self._graph_id, self._count, self._is_drawing = graph_view.graph.id, 0, False
        self.found: GraphComparison | None = None
        self.view: ComparisonView | None = None
        self._make_controls()
        self.messages = MessageArea()
        self._place = ipywidgets.VBox()
        title = ipywidgets.HTML('<div class="studio-section-title">Compare runs</div>')
        style = PanelStyle("panel", "comparison")
        super().__init__([style, title, self.line, self.messages, self._place], **settings)
        for name in ("studio", "studio-section", "studio-run-comparison"):
            self.add_class(name)
        graph_view.observe(lambda change: self._follow(change["new"]), "selected")
        self._draw()

    def _make_controls(self) -> None:
        self.left = ipywidgets.Dropdown(description="A", options=[])
        self.right = ipywidgets.Dropdown(description="B", options=[])
        for choice in (self.left, self.right):
            choice.observe(self._chosen, "value")
        self.on_graph = ipywidgets.Checkbox(
            description="colour the graph by the difference", indent=False
        )
        self.on_graph.observe(lambda _: self._show_overlays(), "value")
        self.line = ipywidgets.HBox([self.left, self.right, self.on_graph])
        self.line.add_class("studio-compare-line")

    # The runs

    def keep(self, executed: ExecutedRun) -> KeptRun:
        """Keep a finished run of the graph that is shown."""
        self._count += 1
        light = replace(executed, result=replace(executed.result, inputs={}, outputs={}))
        kept = KeptRun(self._count, self._graph_id, light)
        self.runs = (*self.runs, kept)[-RUNS_KEPT:]
        self._draw(latest=True)
        return kept

    def show_graph(self, graph_id: str) -> None:
        """A graph is looked at: its own runs are offered, its overlays completed."""
        if graph_id != self._graph_id:
            self._graph_id = graph_id
            self._forget()
            self._draw(latest=True)
        self._show_overlays()

    @property
    def _all(self) -> tuple[KeptRun, ...]:
        return tuple(self.runs)

    @property
    def _own(self) -> list[KeptRun]:
        return [run for run in self._all if run.graph_id == self._graph_id]

    # Comparing

    def compare_runs(self, left: Any, right: Any) -> GraphComparison:
        """Show two runs side by side: `KeptRun`, their labels or numbers, or `ExecutedRun`."""
        a, b = self._run(left), self._run(right)
        found = compare_runs(a.executed, b.executed)
        self._choose(a, b)
        self._show(found, a.label, b.label, totals=run_totals(a.executed, b.executed))
        return found

    def compare_with(self, shown: Exploration, other: Any) -> GraphComparison:
        """Show what is new in ``shown`` beside ``other``, which is side A: a path, an opened file
        or an explorer.
        """
        before = _opened(other)
        found = compare_graphs(before.graph, shown.graph)
        self._show(found, before.path.name, f"{shown.path.name}, shown here")
        self.on_graph.value = True
        return found

    def _run(self, wanted: Any) -> KeptRun:
        if isinstance(wanted, KeptRun):
            return wanted
        if isinstance(wanted, ExecutedRun):
            for run in self._all:
                if run.executed.result.ops is wanted.result.ops:
                    return run
            return KeptRun(0, self._graph_id, wanted)
        for run in self._all:
            if wanted in (run.label, run.number):
                return run
        there = ", ".join(repr(run.label) for run in self._all) or "none yet"
        raise NotFoundError(f"There is no run {wanted!r}. There are: {there}.")

    def _show(self, found: GraphComparison, left: str, right: str, **more: Any) -> None:
        self.found = found
        if self.view is None:
            self.view = ComparisonView(found, left=left, right=right, graph=False, **more)
            self.view.observe(self._selected, "selected")
            self._place.children = (self.view,)
        else:
            self.view.show(found, left=left, right=right, **more)
        self.line.layout.display = "" if self._own else "none"
        self.layout.display = ""
        self._show_overlays()

    def _forget(self) -> None:
        self.found = None
        if self.view is not None:
            self._place.children = ()
            self.view.close()
            self.view = None

    def _show_overlays(self) -> None:
        view, own = self._graph_view, self._graph_view.graph.overlays
        more = difference_overlays(self.found) if self.found is not None else {}
        chosen = f"{PERF_DATA}_{DIFFERENCE}"
        wanted = chosen if chosen in more else next(iter(more), "")
        with view.hold_sync():
            shown = view.overlay
            view.overlays = {**own, **more}
            if self.on_graph.value and wanted:
                view.overlay = wanted
            elif shown not in own and shown:
                view.overlay = next(iter(own), "")

    def _selected(self, change: Any) -> None:
        if change["new"] in self._graph_view.graph.by_id:
            self._graph_view.selected = change["new"]

    def _follow(self, node_id: str) -> None:
        if self.view is not None and node_id in self.view.table.row_ids:
            self.view.selected = node_id

    # What is drawn

    def _draw(self, *, latest: bool = False) -> None:
        options = [(run.label, run.number) for run in self._own]
        before = self.left.value, self.right.value
        self._is_drawing = True
        try:
            self.left.options = self.right.options = options
            if len(options) > 1:
                numbers = [number for _, number in options]
                kept = before[0] if before[0] in numbers[:-1] else numbers[-2]
                self.left.value = kept if latest else before[0] or numbers[-2]
                self.right.value = numbers[-1] if latest else before[1] or numbers[-1]
        finally:
            self._is_drawing = False
        self.layout.display = "" if len(options) > 1 or self.found is not None else "none"
        if len(options) > 1 and latest:
            self._chosen({})

    def _choose(self, left: KeptRun, right: KeptRun) -> None:
        numbers = [run.number for run in self._own]
        self._is_drawing = True
        try:
            for choice, run in ((self.left, left), (self.right, right)):
                if run.number in numbers:
                    choice.value = run.number
        finally:
            self._is_drawing = False

    def _chosen(self, _change: Any) -> None:
        if self._is_drawing or self.left.value is None or self.right.value is None:
            return
        with self.messages.catching():
            self.compare_runs(self.left.value, self.right.value)


def _opened(source: Any) -> Exploration:
    """A path, an opened file or an explorer as an opened file."""
    found = getattr(source, "exploration", source)
    if isinstance(found, str | Path):
        return open_exploration(found)
    if isinstance(found, Exploration):
        return found
    raise InvalidRequestError(
        f"The path of an .mlir or .onnx file is wanted here, not {type(source).__name__}."
    )
