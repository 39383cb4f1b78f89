from __future__ import annotations

import re
from pathlib import Path

import pytest

import studio_widgets as studio
from studio_core.comparison import GraphComparison, compare_runs
from studio_core.errors import InvalidRequestError, NotFoundError
from studio_widgets._graph_wire import name_of
from studio_widgets._overlay_wire import overlay_document

from .modules import TWO_LAYERS, two_layers


@pytest.fixture
def explorer(tmp_path: Path) -> studio.ExplorerView:
    return studio.explore(two_layers(tmp_path))


def _node(explorer: studio.ExplorerView, name: str) -> str:
    return next(n.id for n in explorer.graph.nodes if name_of(n) == name)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> studio.ExplorerView:
    """Two runs, the second with one value asked for; shared by tests that only look."""
    explorer = studio.explore(two_layers(tmp_path_factory.mktemp("ran")))
    _run_twice(explorer)
    return explorer


def _run_twice(explorer: studio.ExplorerView) -> None:
    explorer.run().wait(60)
    explorer.edit(_node(explorer, "matmul_1"), "data_type", "bfp_bf4")
    explorer.run().wait(60)


def test_there_is_nothing_to_see_before_the_second_run(explorer: studio.ExplorerView) -> None:
    panel = explorer.run_comparison
    assert panel.layout.display == "none"
    explorer.run().wait(60)
    assert panel.layout.display == "none"
    assert [run.number for run in explorer.runs] == [1]
    assert explorer.runs[0].label.startswith("1 · Optimizer Enabled · 0 overrides · ")


def test_two_runs_say_what_was_asked_and_what_it_did(ran: studio.ExplorerView) -> None:
    panel = ran.run_comparison
    assert panel.layout.display == ""
    assert panel.view is not None
    matmul = _node(ran, "matmul_1")
    rows = {row.id: row for row in panel.view.table.compared.rows}
    assert rows[matmul].change == "data_type bf16 → bfp_bf4"
    assert [q.key for q in panel.view.table.compared.quantities] == ["perf_data", "accuracy_data"]
    accuracy = panel.view.table.compared.quantities[1]
    assert accuracy.difference[list(rows).index(matmul)] < -0.001
    assert "Lowest accuracy" in panel.view.totals.value
    assert re.search(r"\u22120\.00\d+</b> · correlation", panel.view.totals.value)


def test_the_difference_is_an_overlay_only_where_it_is_wanted(
    explorer: studio.ExplorerView,
) -> None:
    _run_twice(explorer)
    assert explorer.overlay == "perf_data"
    assert "perf_data_difference" in explorer.view.overlays
    explorer.run_comparison.on_graph.value = True
    assert explorer.overlay == "perf_data_difference"
    document = overlay_document("", explorer.view.overlays[explorer.overlay], ())
    assert document["steps"][0][1] == "≤ −50\u2009%"
    explorer.run().wait(60)
    assert explorer.overlay == "perf_data_difference"  # now of the latest run
    assert explorer.run_comparison.right.value == 3
    explorer.run_comparison.on_graph.value = False
    assert explorer.overlay == "perf_data"


def test_row_and_node_are_selected_together(ran: studio.ExplorerView) -> None:
    view = ran.run_comparison.view
    assert view is not None
    view.table.selected = _node(ran, "relu_2")
    assert ran.selected == _node(ran, "relu_2")
    ran.selected = _node(ran, "matmul_3")
    assert view.selected == _node(ran, "matmul_3")


def test_runs_are_compared_from_python(ran: studio.ExplorerView) -> None:
    first, second = ran.runs
    found = ran.compare_runs(second, 1)
    assert isinstance(found, GraphComparison)
    assert [c.attributes[0].left for c in found.changes] == ["bfp_bf4"]
    assert ran.run_comparison.left.value == 2
    assert not first.executed.result.outputs  # arrays are let go
    assert ran.executed is not None
    assert ran.executed.result.outputs
    with pytest.raises(NotFoundError, match="no run 7"):
        ran.compare_runs(7, 1)


def test_a_request_for_the_models_own_value_changes_nothing(
    explorer: studio.ExplorerView,
) -> None:
    explorer.run().wait(60)
    explorer.run().wait(60)
    found = compare_runs(explorer.runs[0].executed, explorer.runs[1].executed)
    assert found.changes == ()


def test_another_file_shows_what_is_new_on_the_graph(
    explorer: studio.ExplorerView, tmp_path: Path
) -> None:
    before = tmp_path / "before.mlir"
    line = next(line for line in TWO_LAYERS.splitlines() if "ttnn.softmax" in line)
    shorter = TWO_LAYERS.replace(f"{line}\n", "").replace("return %3", "return %2")
    before.write_text(shorter, encoding="utf-8")
    found = explorer.compare_with(before)
    assert [found.right.by_id[i].label for i in found.match.only_right] == ["ttnn.softmax"]
    assert explorer.overlay == "structure_difference"
    shown = overlay_document("", explorer.view.overlays[explorer.overlay], found.match.only_right)
    assert shown["texts"] == ["only here"]
    assert [words for _, words in shown["steps"]] == ["changed", "only here"]
    panel = explorer.run_comparison
    assert panel.layout.display == ""
    assert panel.view is not None
    assert panel.view.table.only_changed
    assert "only in B 1" in panel.view.head.value
    with pytest.raises(InvalidRequestError, match="not int"):
        explorer.compare_with(3)


def test_two_runs_at_the_front_door_bring_their_graph(ran: studio.ExplorerView) -> None:
    view = studio.compare(*(run.executed for run in ran.runs))
    assert view.graph is not None
    assert view.graph.overlay == "perf_data_difference"
    view.table.selected = _node(ran, "relu_2")
    assert view.graph.selected == view.table.selected
    view.graph.selected = _node(ran, "matmul_1")
    assert view.selected == _node(ran, "matmul_1")
    assert studio.compare(ran, ran).found.changes == ()
