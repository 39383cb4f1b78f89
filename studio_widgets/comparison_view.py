"""Two of a kind side by side: heading, totals, table, and what suits the kind below it.

studio.compare("model.onnx", "pruned.onnx")
studio.compare(wb.plan, wb.saved_plans[0])
studio.compare(wb.session.loss, wb.measured)        # with both curves of the selected layer
studio.compare(ex.runs[0], ex.runs[1])              # with the difference on the graph
view.found                                          # core's record of the comparison
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets

from studio_core.comparison import (
    AnalysisComparison,
    GraphComparison,
    compare_analyses,
    compare_graphs,
    compare_models,
    compare_plans,
    compare_runs,
)
from studio_core.errors import InvalidRequestError
from studio_core.explorer.exploration import Exploration, open_exploration
from studio_core.explorer.opened import ONNX_SUFFIX
from studio_core.explorer.running import ExecutedRun
from studio_core.graphs.records import Graph
from studio_core.models.model import Model
from studio_core.plans import PruningPlan
from studio_core.sensitivity import Analysis
from studio_core.session import Session
from studio_widgets._base import ShortRepr, reject_unknown, settings_of
from studio_widgets._comparison_rows import Comparison
from studio_widgets._comparison_totals import (
    Total,
    facts_of,
    head_html,
    run_totals,
    totals_html,
    totals_of,
)
from studio_widgets._curves import source_in_words
from studio_widgets._difference_overlays import difference_overlays
from studio_widgets.comparison_table import ComparisonTable
from studio_widgets.curve_pair import CurvePair
from studio_widgets.graph_view import GraphView
from studio_widgets.panel_style import PanelStyle


class ComparisonView(ShortRepr, ipywidgets.VBox):
    """One comparison. ``found`` is core's record, ``left`` and ``right`` name the sides.

    ``totals`` come before those that the record knows itself; ``graph`` adds the right graph
    with the difference as colours, where graphs are compared.
    """

    selected = traitlets.Unicode()
    """Id of the selected layer or op, "" for none. Type: str. Default: ""."""

    def __init__(
        self,
        found: Comparison,
        *,
        left: str = "A",
        right: str = "B",
        totals: Sequence[Total] = (),
        graph: bool = True,
        **settings: Any,
    ) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self.left, self.right, self._has_graph = left, right, graph
        self.head, self.totals = ipywidgets.HTML(), ipywidgets.HTML()
        self.table = ComparisonTable(found)
        self.curves = CurvePair()
        self.graph: GraphView | None = None
        self._below = ipywidgets.VBox()
        parts = [
            PanelStyle("panel", "comparison"), self.head, self.totals, self.table, self._below,
        ]  # fmt: skip
        super().__init__(parts, **settings)
        for name in ("studio", "studio-compared"):
            self.add_class(name)
        traitlets.link((self, "selected"), (self.table, "selected"))
        self.observe(self._follow, "selected")
        self.show(found, left=left, right=right, totals=totals)

    def show(
        self, found: Comparison, *, left: str, right: str, totals: Sequence[Total] = ()
    ) -> None:
        """Show another comparison in place of this one."""
        self.found, self.left, self.right = found, left, right
        self.head.value = head_html(left, right, facts_of(found))
        self.totals.value = totals_html((*totals, *totals_of(found)))
        self.table.show(found)
        if isinstance(found, GraphComparison) and not found.values:
            self.table.only_changed = True
        self._below.children = self._parts_below(found)
        self._follow({})

    def _parts_below(self, found: Comparison) -> tuple[Any, ...]:
        if isinstance(found, AnalysisComparison):
            return (self.curves,)
        if isinstance(found, GraphComparison) and self._has_graph:
            overlays = difference_overlays(found)
            self.graph = GraphView(
                found.right, height=420, overlays={**found.right.overlays, **overlays}
            )
            self.graph.overlay = next(iter(overlays), "")
            self.graph.observe(self._follow_graph, "selected")
            return (self.graph,)
        return ()

    def _follow(self, _change: Any) -> None:
        found, selected = self.found, self.selected
        if isinstance(found, AnalysisComparison):
            curves = next((c for c in found.curves if c.right_id == selected), None)
            if curves is None and not selected:
                curves = max(found.curves, key=lambda c: abs(c.largest), default=None)
            self.curves.show(
                curves,
                left=self.left,
                right=self.right,
                label=found.quantity,
                is_comparable=found.is_comparable,
            )
        elif self.graph is not None and selected in self.graph.graph.by_id:
            self.graph.selected = selected

    def _follow_graph(self, change: Any) -> None:
        if change["new"] in self.table.row_ids:
            self.selected = change["new"]


def compare(left: Any, right: Any) -> ComparisonView:
    """Show two of a kind side by side: models, plans, analyses, opened files or runs.

    Paths of two ``.onnx`` files are compared as models, those of other files as graphs. A
    workbench stands for its model, an explorer for the graph that it shows. Raises
    `InvalidRequestError` where the two are not of one kind.
    """
    a, b = _comparable(left), _comparable(right)
    found = compared(a, b)
    if found is None:
        raise InvalidRequestError(
            f"A {type(left).__name__} and a {type(right).__name__} cannot be compared. Give two "
            "models, two plans, two analyses, two opened files or two runs."
        )
    is_run = isinstance(a, ExecutedRun) and isinstance(b, ExecutedRun)
    totals = run_totals(a, b) if is_run else ()
    return ComparisonView(found, left=_title(left, a), right=_title(right, b), totals=totals)


def compared(a: Any, b: Any) -> Comparison | None:
    """Core's comparison of two records of a kind; None where they are not."""
    if isinstance(a, PruningPlan) and isinstance(b, PruningPlan):
        return compare_plans(a, b)
    if isinstance(a, Analysis) and isinstance(b, Analysis):
        return compare_analyses(a, b)
    if isinstance(a, Session) and isinstance(b, Session):
        return compare_models(a, b)
    if isinstance(a, ExecutedRun) and isinstance(b, ExecutedRun):
        return compare_runs(a, b)
    left, right = (x.graph if isinstance(x, ExecutedRun | Exploration) else x for x in (a, b))
    if isinstance(left, Graph) and isinstance(right, Graph):
        return compare_graphs(left, right)
    return None


def _comparable(source: Any) -> Any:
    """What is compared of ``source``; the thing itself where nothing better is known."""
    if isinstance(source, str | Path):
        is_model = Path(source).suffix.lower() == ONNX_SUFFIX
        return Session.open(source) if is_model else open_exploration(source)
    if isinstance(source, Model):
        return Session(source)
    for name, kind in (
        ("executed", ExecutedRun),  # of a kept run, an explorer, an opened file
        ("session", Session),
        ("exploration", Exploration),
        ("plan", PruningPlan),
    ):
        found = getattr(source, name, None)
        if isinstance(found, kind):
            return found
    return source


def _title(source: Any, found: Any) -> str:
    """What a side is called in the heading."""
    label = getattr(source, "label", None)
    if isinstance(label, str):
        return label
    if isinstance(found, PruningPlan):
        named = getattr(source, "name", None), getattr(source, "version", None)
        return f"{named[0]} v{named[1]}" if named[0] else "plan"
    if isinstance(found, Analysis):
        return f"{found.name} ({source_in_words(found)})"
    if isinstance(found, Session):
        return found.model.path.name
    if isinstance(found, Exploration):
        return found.path.name
    graph = found.graph if isinstance(found, ExecutedRun) else found
    return str(getattr(graph, "id", type(source).__name__))
