"""Graphs with their runs, models, plans and analyses side by side."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from studio_core.comparison import compare_analyses, compare_graphs, compare_models, compare_plans
from studio_core.errors import InvalidRequestError
from studio_core.graphs.overlays import ACCURACY_DATA, overlay_colours, perf_overlay
from studio_core.graphs.records import Graph, GraphAttribute, GraphEdge, GraphNode, Overlay
from studio_core.plans import PruningPlan
from studio_core.sensitivity import Analysis, AnalysisKind, LossCurve, Metric, Source
from studio_core.session import Session

OpenText = Callable[..., Session]

# Graphs and runs


def graph(times: dict[str, float], grid: str = "1x1", label: str = "add") -> Graph:
    nodes = (
        GraphNode("a", "relu", attributes=(GraphAttribute("schedule", "0"),)),
        GraphNode(
            "b",
            label,
            attributes=(
                GraphAttribute("grid_shape", grid),
                GraphAttribute("schedule", str(len(times))),
            ),
            incoming=(GraphEdge("a", "0", "0"),),
        ),
    )  # fmt: skip
    return Graph("g", nodes, overlays={"perf_data": perf_overlay(times)} if times else {})


def test_attributes_that_differ_are_told_and_names_are_not() -> None:
    found = compare_graphs(graph({}), graph({"a": 1.0}, grid="4x8"))
    (change,) = found.changes
    assert change.pair.left == "b"
    assert [(c.key, c.left, c.right) for c in change.attributes] == [("grid_shape", "1x1", "4x8")]
    assert found.values == {}


def test_times_of_two_runs_are_compared_relative_to_the_first() -> None:
    found = compare_graphs(graph({"a": 100.0, "b": 400.0}), graph({"a": 150.0, "b": 100.0}))
    assert found.changes == ()
    values = found.values["perf_data"]
    assert [(v.pair.right, v.difference, v.relative) for v in values] == [
        ("b", -300.0, -0.75),
        ("a", 50.0, 0.5),
    ]
    assert found.totals("perf_data") == (500.0, 250.0)
    overlay = found.overlay("perf_data")
    assert overlay.values == {"a": 0.5, "b": -0.75}
    # Faster is blue, slower is red.
    assert overlay_colours(overlay) == {"a": "#ef8a62", "b": "#2166ac"}


def test_a_time_that_is_unknown_in_one_run_is_no_change() -> None:
    found = compare_graphs(graph({"a": 100.0, "b": 4.0}), graph({"a": 0.0}))
    by_node = {v.pair.right: v for v in found.values["perf_data"]}
    assert by_node["b"].right is None
    assert by_node["b"].difference is None
    assert found.overlay("perf_data").values == {"a": -1.0}


def test_accuracy_changes_by_its_difference_and_more_is_better() -> None:
    def run(value: float) -> Graph:
        overlay = Overlay(ACCURACY_DATA, {"a": value}, unit="PCC")
        return replace(graph({}), overlays={ACCURACY_DATA: overlay})

    overlay = compare_graphs(run(0.0), run(-0.02)).overlay(ACCURACY_DATA)
    assert overlay.values == {"a": -0.02}
    assert overlay_colours(overlay) == {"a": "#b2182b"}


def test_missing_new_and_changed_nodes_are_marked_on_the_graph() -> None:
    left = graph({})
    right = Graph("r", (*graph({}, grid="2x2").nodes, GraphNode("c", "mul")))
    found = compare_graphs(left, right)
    assert found.structure_overlay().values == {"b": 0.5, "c": 1.0}
    assert found.structure_overlay("left").values == {"b": 0.5}
    assert set(overlay_colours(found.structure_overlay())) == {"b", "c"}


# Models

TWO = "g (float[N,4] x) => (float[N,4] y) { h = MatMul (x, a)  r = Relu (h)  y = MatMul (r, b) }"


def weights(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(4, 4)).astype(np.float32)


def test_a_pruned_model_differs_in_the_weights_of_one_layer(open_text: OpenText) -> None:
    pruned = weights(1)
    pruned[:2] = 0
    left = open_text(TWO, {"a": weights(0), "b": weights(1)})
    right = open_text(TWO, {"a": weights(0), "b": pruned})
    rows = compare_models(left, right).layers
    assert [(r.name, r.has_same_weight, r.is_changed) for r in rows] == [
        ("a", True, False),
        ("b", False, True),
    ]
    assert rows[1].right is not None
    assert rows[1].right.sparsity == 0.5


def test_a_renamed_model_is_the_same_model(open_text: OpenText) -> None:
    other = TWO.replace("h", "q1").replace("(x, a)", "(x, W1)").replace("(r, b)", "(r, W2)")
    left = open_text(TWO, {"a": weights(0), "b": weights(1)})
    right = open_text(other, {"W1": weights(0), "W2": weights(1)})
    found = compare_models(left, right)
    assert found.layer_ids == {"h": "q1", "y": "y"}
    assert not any(row.is_changed for row in found.layers)
    assert found.graphs.match.only_left == found.graphs.match.only_right == ()


def test_a_layer_that_only_one_model_has_is_kept(open_text: OpenText) -> None:
    longer = TWO.replace("y = MatMul (r, b)", "z = MatMul (r, c)  y = MatMul (z, b)")
    left = open_text(TWO, {"a": weights(0), "b": weights(1)})
    right = open_text(longer, {"a": weights(0), "b": weights(1), "c": weights(2)})
    found = compare_models(left, right)
    assert [(r.name, r.left is None, r.right is None) for r in found.layers] == [
        ("a", False, False),
        ("b", False, False),
        ("c", True, False),
    ]
    assert found.graphs.match.only_right == ("z",)


# Plans


def test_plans_are_compared_layer_by_layer() -> None:
    left = PruningPlan({"a": 0.5, "b": 0.5, "old": 0.1}, frozenset({"b"}))
    right = PruningPlan({"a": 0.8, "b": 0.5, "new": 0.2})
    found = compare_plans(left, right)
    assert [(r.layer_id, r.left, r.right) for r in found.rows] == [
        ("a", 0.5, 0.8),
        ("b", 0.5, 0.5),
        ("old", 0.1, None),
        ("new", None, 0.2),
    ]
    assert [r.is_changed for r in found.rows] == [True, True, True, True]  # b is no longer locked
    assert found.rows[0].difference == pytest.approx(0.3)
    assert found.rows[2].difference is None


def test_plans_of_a_renamed_model_go_by_weight_or_by_the_models_match() -> None:
    left = PruningPlan({"1": 0.5}, weight_names={"1": "w"})
    right = PruningPlan({"9": 0.5}, weight_names={"9": "w"})
    assert [r.is_changed for r in compare_plans(left, right).rows] == [False]
    other = replace(right, weight_names={"9": "v"})
    assert len(compare_plans(left, other).rows) == 2
    assert len(compare_plans(left, other, {"1": "9"}).rows) == 1


# Analyses

METRIC = Metric("m", "loss", "", False, "")


def analysis(
    levels: list[float], rows: dict[str, list[float]], error: float = math.nan
) -> Analysis:
    curves = tuple(
        LossCurve(name, f"{name}.w", np.array(levels), np.array(values, float),
                  standard_errors=np.full(len(levels), error))
        for name, values in rows.items()
    )  # fmt: skip
    return Analysis(AnalysisKind.LOSS, "a", Source.MEASURED, METRIC, curves)


def test_curves_are_compared_over_the_levels_of_both() -> None:
    left = analysis([0.5, 1.0], {"a": [1, 3], "b": [0, 0]})
    right = analysis([0.75], {"a": [5], "c": [0]})
    found = compare_analyses(left, right)
    (curve,) = found.curves
    assert curve.sparsities.tolist() == [0.0, 0.5, 0.75, 1.0]
    assert curve.left.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert curve.right[:3] == pytest.approx([0.0, 10 / 3, 5.0])
    assert math.isnan(curve.right[3])
    assert curve.largest == pytest.approx(3.0)
    assert (found.only_left, found.only_right) == (("b",), ("c",))
    assert curve.is_apart is None


@pytest.mark.parametrize(("error", "is_apart"), [(0.1, True), (1.0, False)])
def test_a_difference_counts_only_beyond_its_error(error: float, is_apart: bool) -> None:
    left, right = (analysis([0.5], {"a": [value]}, error) for value in (1.0, 2.0))
    assert compare_analyses(left, right).curves[0].is_apart is is_apart


def test_the_order_of_the_layers_is_compared_whatever_the_unit() -> None:
    left = analysis([0.5], {"a": [1], "b": [2], "c": [3], "d": [4]})
    right = analysis([0.5], {"a": [10], "b": [30], "c": [20], "d": [40]})
    other = replace(right, metric=replace(METRIC, name="another"))
    found = compare_analyses(left, other)
    assert not found.is_comparable
    # Spearman: 1 − 6·2 ÷ (4·15).
    assert found.rank_correlation(0.5) == pytest.approx(0.8)
    assert compare_analyses(left, left).rank_correlation(0.5) == pytest.approx(1.0)


def test_layers_go_by_name_where_ids_differ() -> None:
    left = analysis([0.5], {"a": [1]})
    renamed = replace(left, curves=(replace(left.curves[0], layer_id="z"),))
    assert [c.right_id for c in compare_analyses(left, renamed).curves] == ["z"]


def test_a_loss_and_a_time_are_not_compared(mlp: Session) -> None:
    with pytest.raises(InvalidRequestError, match="two of a kind"):
        compare_analyses(mlp.loss, mlp.perf)


def test_estimated_work_is_compared_as_work(mlp: Session) -> None:
    found = compare_analyses(mlp.perf, mlp.perf)
    assert found.is_comparable
    assert found.quantity != "milliseconds"
    assert found.curves[0].largest == 0.0


def test_means_are_over_what_both_curves_know() -> None:
    left = analysis([0.2, 0.6, 1.0], {"a": [1, 3, 5], "b": [5, 15, 25]})
    right = analysis([0.2, 0.6], {"a": [2, 6], "b": [1, 3]})
    found = compare_analyses(left, right)
    assert found.curves[0].means == pytest.approx((1.5, 3.0))  # 0 to 0.6; slopes of 5 and 10
    assert found.ranks.tolist() == [[2.0, 1.0], [1.0, 2.0]]
    assert compare_analyses(left, analysis([], {"a": []})).ranks.shape == (1, 2)


def test_the_order_by_means_needs_no_level() -> None:
    left = analysis([0.5, 0.9], {"a": [1, 9], "b": [2, 8], "c": [3, 7]})
    right = analysis([0.5, 0.9], {"a": [3, 3], "b": [2, 2], "c": [1, 1]})
    found = compare_analyses(left, right)
    assert found.rank_correlation(0.5) == pytest.approx(-1.0)
    assert found.rank_correlation(0.9) == pytest.approx(1.0)
    assert found.rank_correlation() == pytest.approx(-1.0)  # the means rise from a to c
