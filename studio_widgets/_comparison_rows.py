"""Comparisons of core as rows for the table: marks, quantities on both sides, what changed.

`rows_of` takes any of core's comparisons. A row's id is the layer's or node's on the right side,
or on the left one where only that has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from studio_core.comparison import (
    AnalysisComparison,
    GraphComparison,
    ModelComparison,
    PlanComparison,
)
from studio_core.comparison.graphs import NodeChange, ValueChange
from studio_core.comparison.matching import NodePair
from studio_core.comparison.models import LayerRow
from studio_core.errors import InvalidRequestError
from studio_core.graphs.overlays import ACCURACY_DATA, PERF_DATA, SENSITIVITY_DATA
from studio_core.graphs.records import Graph
from studio_core.layers import Layer
from studio_core.sensitivity.analysis import FloatArray
from studio_widgets import _format
from studio_widgets._graph_wire import name_of
from studio_widgets._overlay_wire import value_text

SAME, CHANGED, ONLY_LEFT, ONLY_RIGHT = range(4)
"""Marks of a row, as ``static/comparison_table.js`` numbers them."""

MINUS = "\u2212"
Better = Literal["", "lower", "higher"]
Comparison = PlanComparison | AnalysisComparison | ModelComparison | GraphComparison


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One layer or node. ``how`` and ``certainty`` say how it was matched, None by name.

    ``note`` stands beside the name (its operator), ``change`` says in words what differs.
    """

    id: str
    name: str
    mark: int = SAME
    note: str = ""
    change: str = ""
    how: str = ""
    certainty: float | None = None


@dataclass(frozen=True, eq=False)
class ComparedQuantity:
    """A quantity of all rows on both sides; arrays of shape [num_rows], NaN unknown.

    ``show`` writes a value, ``better`` says which way is good, "" where neither is.
    """

    key: str
    title: str
    left: FloatArray
    right: FloatArray
    show: Callable[[float], str]
    better: Better = ""
    hint: str = ""
    is_relative: bool = False

    @property
    def difference(self) -> FloatArray:
        return self.right - self.left


@dataclass(frozen=True, eq=False)
class ComparedRows:
    """What the table shows; ``one`` and ``many`` are what a row is called."""

    rows: tuple[ComparedRow, ...]
    quantities: tuple[ComparedQuantity, ...]
    one: str = "layer"
    many: str = "layers"


def rows_of(found: Any) -> ComparedRows:
    """The rows of a comparison; raises `InvalidRequestError` for what is none."""
    if isinstance(found, ComparedRows):
        return found
    if isinstance(found, PlanComparison):
        return _plan_rows(found)
    if isinstance(found, AnalysisComparison):
        return _analysis_rows(found)
    if isinstance(found, ModelComparison):
        return _model_rows(found)
    if isinstance(found, GraphComparison):
        return _graph_rows(found)
    raise InvalidRequestError(
        f"A comparison is wanted here, not {type(found).__name__}; `studio.compare(left, right)` "
        "makes one of two models, plans, analyses, files or runs."
    )


def signed(difference: float, show: Callable[[float], str]) -> str:
    """A difference with its sign, '+5.0 %'; '–' where it is unknown."""
    if not math.isfinite(difference):
        return _format.UNKNOWN
    text = show(abs(difference))
    if difference == 0 or text == show(0.0):
        return show(0.0)
    return f"{'+' if difference > 0 else MINUS}{text}"


def relative(left: float, right: float) -> str:
    """The change as a share of the left value, '−45 %'; "" where that is 0 or unknown."""
    if not (math.isfinite(left) and math.isfinite(right)) or not left or left == right:
        return ""
    share = (right - left) / abs(left)
    return signed(share, lambda v: f"{100 * v:.3g}\u2009%" if v < 10 else f"×{v + 1:.3g}")


# Plans


def _plan_rows(found: PlanComparison) -> ComparedRows:
    rows = tuple(
        ComparedRow(
            row.layer_id,
            row.name,
            _mark(row.left is None, row.right is None, row.is_changed),
            change=_lock_words(row.is_locked_left, row.is_locked_right),
        )
        for row in found.rows
    )
    sparsity = ComparedQuantity(
        "sparsity",
        "Sparsity",
        _floats(row.left for row in found.rows),
        _floats(row.right for row in found.rows),
        _format.percent,
        hint="Fraction of zeros that the plan gives to the layer",
    )
    return ComparedRows(_unique(rows), (sparsity,))


def _lock_words(left: bool, right: bool) -> str:
    if left == right:
        return ""
    return "locked in A only" if left else "locked in B only"


# Analyses


def _analysis_rows(found: AnalysisComparison) -> ComparedRows:
    rows = [
        ComparedRow(c.right_id, c.name, CHANGED if c.is_apart else SAME, change=_apart(c.is_apart))
        for c in found.curves
    ]
    for analysis, ids, mark in (
        (found.left, found.only_left, ONLY_LEFT),
        (found.right, found.only_right, ONLY_RIGHT),
    ):
        names = {curve.layer_id: curve.layer_name for curve in analysis.curves}
        rows += [ComparedRow(layer_id, names[layer_id], mark) for layer_id in ids]
    missing = [math.nan] * (len(rows) - len(found.curves))
    means = [curve.means for curve in found.curves]
    ranks = found.ranks
    mean = ComparedQuantity(
        "mean",
        "Mean",
        _floats([*(left for left, _ in means), *missing]),
        _floats([*(right for _, right in means), *missing]),
        _format.value,
        "higher" if found.right.metric.higher_is_better else "lower",
        f"{found.quantity}: the mean of the curve, over the sparsities that both know",
        is_relative=True,
    )
    rank = ComparedQuantity(
        "rank",
        "Rank",
        _floats([*ranks[:, 0], *missing]),
        _floats([*ranks[:, 1], *missing]),
        lambda v: f"{v:g}",
        hint="Place in the order of the means; rank 1 has the largest",
    )
    quantities = (mean, rank) if found.is_comparable else (rank,)
    return ComparedRows(_unique(rows), quantities)


def _apart(is_apart: bool | None) -> str:
    return "more than 2 standard errors apart" if is_apart else ""


# Models


def _model_rows(found: ModelComparison) -> ComparedRows:
    rows = tuple(_layer_row(row) for row in found.layers)

    def values(of: Callable[[Layer], float | None], side: str) -> FloatArray:
        layers = (getattr(row, side) for row in found.layers)
        return _floats(None if layer is None else of(layer) for layer in layers)

    def quantity(
        key: str, title: str, of: Callable[[Layer], float | None], **more: Any
    ) -> ComparedQuantity:
        return ComparedQuantity(key, title, values(of, "left"), values(of, "right"), **more)

    return ComparedRows(
        _unique(rows),
        (
            quantity("sparsity", "Zeros", lambda x: x.sparsity, show=_format.percent,
                     hint="Fraction of the weights that are zero"),
            quantity("params", "Params", lambda x: x.num_params, show=_format.count,
                     better="lower", hint="Weights and biases", is_relative=True),
            quantity("macs", "MACs", lambda x: x.macs, show=_format.count, better="lower",
                     hint="Multiply-accumulates for one sample", is_relative=True),
        ),
    )  # fmt: skip


def _layer_row(row: LayerRow) -> ComparedRow:
    layer = row.right or row.left
    assert layer is not None  # a row has one side at least
    mark = _mark(row.left is None, row.right is None, row.is_changed)
    change = "; ".join(_layer_changes(row))
    return ComparedRow(layer.id, row.name, mark, layer.op_type, change, *_match(row.pair))


def _layer_changes(row: LayerRow) -> Iterator[str]:
    a, b = row.left, row.right
    if a is None or b is None:
        return
    if a.op_type != b.op_type:
        yield f"{a.op_type} → {b.op_type}"
    if a.weight_shape != b.weight_shape:
        yield f"{_format.shape(a.weight_shape)} → {_format.shape(b.weight_shape)}"
    elif row.has_same_weight is False:
        yield "other weights"
    if a.name != b.name:
        yield f"was {a.name}"


# Graphs and runs


def _graph_rows(found: GraphComparison) -> ComparedRows:
    kinds = [kind for kind in found.values if kind in _KINDS]
    values = {kind: {v.pair.right: v for v in found.values[kind]} for kind in kinds}
    changes = {change.pair.right: change for change in found.changes}
    timed = {node_id for by_node in values.values() for node_id in by_node}
    pairs = [p for p in found.match.pairs if not kinds or p.right in timed or p.right in changes]
    rows = [_node_row(found.right, pair, changes.get(pair.right)) for pair in pairs]
    rows += [_only_row(found.left, i, ONLY_LEFT) for i in found.match.only_left]
    rows += [_only_row(found.right, i, ONLY_RIGHT) for i in found.match.only_right]
    ids = [pair.right for pair in pairs] + [""] * (len(rows) - len(pairs))
    quantities = tuple(_overlay_quantity(kind, found, values[kind], ids) for kind in kinds)
    return ComparedRows(_unique(rows), quantities, "op", "ops")


def _node_row(graph: Graph, pair: NodePair, change: NodeChange | None) -> ComparedRow:
    node = graph.by_id[pair.right]
    mark = SAME if change is None else CHANGED
    words = "; ".join(change_words(change)) if change is not None else ""
    return ComparedRow(pair.right, name_of(node), mark, node.label, words, *_match(pair))


def change_words(change: NodeChange) -> Iterator[str]:
    """What differs in a matched node, such as 'data_type bf16 → bfp_bf8'."""
    if change.left_label != change.right_label:
        yield f"{change.left_label} → {change.right_label}"
    for a in change.attributes:
        yield f"{a.key} {a.left or _format.UNKNOWN} → {a.right or _format.UNKNOWN}"


def _only_row(graph: Graph, node_id: str, mark: int) -> ComparedRow:
    node = graph.by_id[node_id]
    return ComparedRow(node_id, name_of(node), mark, node.label)


_KINDS: dict[str, tuple[str, Better, str]] = {
    PERF_DATA: ("Time", "lower", "Time of the op in a run"),
    ACCURACY_DATA: ("Accuracy", "higher", "Correlation (PCC) reached less the expected one"),
    SENSITIVITY_DATA: ("Sensitivity", "lower", "Loss with this layer alone pruned"),
}


def _overlay_quantity(
    kind: str, found: GraphComparison, values: dict[str, ValueChange], ids: Sequence[str]
) -> ComparedQuantity:
    title, better, hint = _KINDS[kind]
    unit = found.right.overlays[kind].unit
    sides = ([getattr(values.get(i), side, None) for i in ids] for side in ("left", "right"))
    left, right = map(_floats, sides)

    def show(value: float) -> str:
        return _accuracy_text(value) if kind == ACCURACY_DATA else value_text(value, unit)

    return ComparedQuantity(kind, title, left, right, show, better, hint, kind == PERF_DATA)


def _accuracy_text(value: float) -> str:
    return f"{value:.4f}" if abs(value) >= 1e-4 or value == 0 else f"{value:.0e}"


# What all have in common


def _mark(is_left_missing: bool, is_right_missing: bool, is_changed: bool) -> int:
    if is_left_missing:
        return ONLY_RIGHT
    return ONLY_LEFT if is_right_missing else CHANGED if is_changed else SAME


def _match(pair: NodePair | None) -> tuple[str, float | None]:
    """How a pair was found, where that was not by its name alone."""
    return ("", None) if pair is None or pair.how == "name" else (pair.how, pair.certainty)


def _floats(values: Iterable[float | None]) -> FloatArray:
    return np.array([math.nan if v is None else v for v in values], dtype=np.float64)


def _unique(rows: Iterable[ComparedRow]) -> tuple[ComparedRow, ...]:
    """The same id may stand on both sides for different things; the second one gets a mark."""
    seen: set[str] = set()
    found = []
    for row in rows:
        row_id = row.id
        while row_id in seen:
            row_id = f"A:{row_id}"
        seen.add(row_id)
        if row_id != row.id:
            row = ComparedRow(
                row_id, row.name, row.mark, row.note, row.change, row.how, row.certainty
            )
        found.append(row)
    return tuple(found)
