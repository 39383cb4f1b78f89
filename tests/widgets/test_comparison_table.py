from __future__ import annotations

import json
import math
import zlib
from typing import Any

import numpy as np
import pytest
import traitlets

import studio_widgets as studio
from studio_core.comparison import compare_analyses, compare_graphs, compare_models, compare_plans
from studio_core.errors import InvalidRequestError
from studio_core.graphs.records import Graph, GraphEdge, GraphNode, Overlay
from studio_core.plans import PruningPlan
from studio_core.samples import sample_path
from studio_core.sensitivity import Analysis
from studio_core.session import Session
from studio_widgets._comparison_rows import CHANGED, ONLY_LEFT, ONLY_RIGHT, SAME, relative, signed

from .conftest import Wire
from .fakes import HOSTILE, FakePlanner, loss_of_layers, make_layers

LEFT = PruningPlan({"a": 0.2, "b": 0.5, "gone": 0.4}, locked=frozenset({"b"}))
RIGHT = PruningPlan({"a": 0.5, "b": 0.5, "new": 0.9}, locked=frozenset({"b"}))


def _document(table: studio.ComparisonTable) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(zlib.decompress(table._rows))
    return found


def _numbers(table: studio.ComparisonTable) -> Any:
    rows = len(table.compared.rows)
    return np.frombuffer(table._values, "<f4").reshape(-1, 3, rows)


def _run(times: dict[str, float], node_ids: tuple[str, ...] = ("a", "b")) -> Graph:
    nodes = []
    for i, node_id in enumerate(node_ids):
        edges = (GraphEdge(node_ids[i - 1], "0", "0"),) if i else ()
        nodes.append(GraphNode(node_id, f"op {i}", incoming=edges))
    overlay = Overlay("perf_data", dict(times), gradient=((0.0, "yellow"), (1.0, "red")), unit="ns")
    return Graph("g", tuple(nodes), overlays={"perf_data": overlay})


def test_what_only_one_side_has_is_marked_and_unknown_is_said() -> None:
    table = studio.ComparisonTable(compare_plans(LEFT, RIGHT))
    document = _document(table)
    assert document["ids"] == ["a", "b", "gone", "new"]
    assert document["marks"] == [CHANGED, SAME, ONLY_LEFT, ONLY_RIGHT]
    texts = document["quantities"][0]["texts"]
    assert texts["left"] == ["20.0\u2009%", "50.0\u2009%", "40.0\u2009%", "–"]
    assert texts["difference"] == ["+30.0\u2009%", "0.0\u2009%", "–", "–"]
    left, right, difference = _numbers(table)[0]
    assert np.isnan(difference).tolist() == [False, False, True, True]
    assert np.isnan(right[2]) and np.isnan(left[3])


def test_a_lock_on_one_side_is_said() -> None:
    loose = PruningPlan(RIGHT.sparsities)
    rows = studio.ComparisonTable(compare_plans(LEFT, loose)).compared.rows
    assert rows[1].change == "locked in A only"
    assert rows[1].mark == CHANGED


def test_five_thousand_rows_are_one_small_message(wire: Wire) -> None:
    layers = make_layers(5000)
    planner = FakePlanner(layers)
    table = studio.ComparisonTable(compare_plans(planner.distribute(0.3), planner.distribute(0.6)))
    assert sum(wire.take()) < 300_000
    table.selected = table.compared.rows[7].id
    table.only_changed = True
    assert max(wire.take()) < 200


def test_hostile_names_travel_as_text() -> None:
    plan = PruningPlan({HOSTILE: 0.5})
    assert _document(studio.ComparisonTable(compare_plans(plan, plan)))["names"] == [HOSTILE]


def test_a_selected_row_that_another_comparison_lacks_is_let_go() -> None:
    table = studio.ComparisonTable(compare_plans(LEFT, RIGHT))
    table.selected = "gone"
    table.show(compare_plans(RIGHT, RIGHT))
    assert table.selected == ""
    assert table.selected_row is None
    table.selected = "new"
    table.show(compare_plans(LEFT, RIGHT))
    assert table.selected_row is not None
    assert table.selected_row.mark == ONLY_RIGHT


def test_analyses_are_compared_by_mean_and_rank() -> None:
    layers = make_layers(6)
    found = compare_analyses(loss_of_layers(layers), loss_of_layers(layers, errors=True))
    table = studio.ComparisonTable(found)
    assert [q.key for q in table.compared.quantities] == ["mean", "rank"]
    mean, rank = table.compared.quantities
    assert np.argmax(mean.left) == np.argmin(rank.left)
    assert sorted(rank.left) == list(range(1, len(found.curves) + 1))


def test_of_analyses_in_other_units_only_the_ranks_are_compared() -> None:
    left = loss_of_layers(make_layers(6))
    metric = left.metric.__class__("kl", "divergence", "nats", False, "")
    right = Analysis(left.kind, "other", left.source, metric, left.curves)
    table = studio.ComparisonTable(compare_analyses(left, right))
    assert [q.key for q in table.compared.quantities] == ["rank"]


def test_a_model_beside_itself_differs_nowhere() -> None:
    session = Session.open(sample_path("digits_cnn"))
    rows = studio.ComparisonTable(compare_models(session, session)).compared
    assert {row.mark for row in rows.rows} == {SAME}
    assert {row.certainty for row in rows.rows} == {None}  # by name
    assert all(not q.difference.any() for q in rows.quantities)


def test_times_of_two_runs_stand_beside_each_other() -> None:
    found = compare_graphs(_run({"a": 1000.0, "b": 400.0}), _run({"a": 500.0, "b": 400.0}))
    quantity = _document(studio.ComparisonTable(found))["quantities"][0]
    assert quantity["texts"]["difference"] == ["−500\u2009ns", "0\u2009ns"]
    assert quantity["relative"] == ["−50\u2009%", ""]
    assert quantity["better"] == "lower"


def test_a_match_by_structure_says_how_certain_it_is() -> None:
    found = compare_graphs(_run({"a": 1.0}), _run({"x": 1.0}, ("x", "y")))
    document = _document(studio.ComparisonTable(found))
    assert document["hows"] == ["structure"]
    assert all(0 < value <= 1 for value in document["certainty"])


def test_one_id_on_both_sides_for_different_things_stays_two_rows() -> None:
    left, right = _run({"a": 1.0, "b": 1.0}), _run({"b": 1.0}, ("z", "q", "b"))
    ids = [row.id for row in studio.ComparisonTable(compare_graphs(left, right)).compared.rows]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("left", "right", "text"),
    [(100, 150, "+50\u2009%"), (100, 55, "−45\u2009%"), (1, 1, ""), (0, 5, ""),
     (1, 21, "+×21"), (1, math.nan, "")],
)  # fmt: skip
def test_a_change_relative_to_the_left_side(left: float, right: float, text: str) -> None:
    assert relative(left, right) == text


def test_a_difference_too_small_to_see_has_no_sign() -> None:
    assert signed(1e-9, lambda v: f"{v:.1f}") == "0.0"
    assert signed(math.nan, str) == "–"


def test_what_is_no_comparison_or_column_is_refused_in_words() -> None:
    with pytest.raises(InvalidRequestError, match="not int"):
        studio.ComparisonTable(3)
    table = studio.ComparisonTable(compare_plans(LEFT, RIGHT))
    with pytest.raises(traitlets.TraitError, match="is no column"):
        table.sort_by = "weight"
    with pytest.raises(InvalidRequestError, match="no quantity 'time'"):
        table.quantity = "time"
    with pytest.raises(TypeError, match="Did you mean 'height'"):
        studio.ComparisonTable(compare_plans(LEFT, RIGHT), hieght=3)
