from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import studio_widgets as studio
from studio_core.errors import ConflictError, InvalidRequestError, NotFoundError
from studio_core.finding import Finding
from studio_core.overrides.records import Override, Overrides
from studio_core.samples import sample_path

from .modules import two_layers


@pytest.fixture
def explorer(tmp_path: Path) -> studio.ExplorerView:
    return studio.explore(two_layers(tmp_path))


def _node(explorer: studio.ExplorerView, name: str) -> str:
    return next(n.id for n in explorer.graph.nodes if f'loc("{name}"' in n.id)


def _about_overrides(explorer: studio.ExplorerView) -> list[Finding]:
    return [f for f in explorer.findings if f.override]


def test_the_selection_is_the_same_in_graph_and_panel(explorer: studio.ExplorerView) -> None:
    explorer.view.selected = _node(explorer, "matmul_1")
    assert explorer.selected == explorer.view.selected
    assert explorer.editor.node is not None
    assert explorer.editor.node.label == "ttnn.matmul"
    assert "Fits in L1" in explorer.editor.effect.value
    explorer.selected = ""
    assert explorer.editor.node is None
    assert explorer.editor.effect.value == ""


def test_an_edit_shows_fit_and_what_is_sent(explorer: studio.ExplorerView) -> None:
    explorer.selected = _node(explorer, "matmul_1")
    explorer.editor.set_value("grid_shape", "1x1")
    assert [dict(o.attributes) for o in explorer.overrides] == [{"grid_shape": "1x1"}]
    assert "studio-fact-bad" in explorer.editor.effect.value
    assert "more than there is" in explorer.editor.memory.value
    assert "matmul_1=1x1" in explorer.overrides_panel.sent.value
    assert [f.subject for f in _about_overrides(explorer)] == [explorer.selected]
    explorer.editor.reset()
    assert _about_overrides(explorer) == []
    assert len(explorer.overrides) == 0
    assert "studio-fact-good" in explorer.editor.effect.value


def test_an_override_taken_away_in_the_list_is_gone_in_the_panel(
    explorer: studio.ExplorerView,
) -> None:
    explorer.selected = _node(explorer, "relu_2")
    explorer.edit(explorer.selected, "data_type", "f32")
    assert explorer.editor.changes == {"data_type": "f32"}
    explorer.overrides_panel.clear_button.click()
    assert explorer.editor.changes == {}
    assert len(explorer.overrides) == 0


def test_a_policy_that_ignores_overrides_is_said(explorer: studio.ExplorerView) -> None:
    explorer.edit(_node(explorer, "relu_2"), "data_type", "f32")
    before = set(explorer.findings)
    explorer.run_panel.policy = "Optimizer Disabled"
    (told,) = set(explorer.findings) - before
    assert "Optimizer" in told.evidence + told.remedy + told.hazard


def test_other_limits_come_with_another_way_of_sharding(explorer: studio.ExplorerView) -> None:
    explorer.selected = _node(explorer, "matmul_1")
    explorer.editor.set_value("tensor_memory_layout", "height_sharded")
    assert explorer.editor.rows["grid_shape"].control._limits == [[1, 64], [1, 1]]


def test_a_run_brings_overlay_slowest_and_marks(explorer: studio.ExplorerView) -> None:
    matmul = _node(explorer, "matmul_1")
    explorer.selected = matmul
    explorer.edit(matmul, "grid_shape", "2x8")
    explorer.edit(matmul, "data_type", "bfp_bf8")
    explorer.run().wait(60)
    assert explorer.executed is not None
    assert explorer.overlay == "perf_data"
    assert explorer.view._overlay
    marks = {key: row.mark for key, row in explorer.editor.rows.items() if row.mark}
    assert marks == {"grid_shape": "rejected", "data_type": "applied"}
    first: Any = explorer.run_panel.slowest.children[1]
    explorer.selected = ""
    first.children[0].click()
    assert explorer.selected == matmul
    explorer.edit(matmul, "data_type", "f32")
    assert explorer.editor.rows["data_type"].mark == "changed"


def test_the_code_repeats_it(explorer: studio.ExplorerView, tmp_path: Path) -> None:
    matmul = _node(explorer, "matmul_1")
    explorer.edit(matmul, "grid_shape", "2x8")
    explorer.selected = matmul
    names: dict[str, Any] = {}
    exec(explorer.copy_as_code(), names)
    again = names["ex"]
    assert again.overrides == explorer.overrides
    assert again.selected == matmul


def test_an_override_of_no_node_is_said_and_nothing_breaks(
    explorer: studio.ExplorerView,
) -> None:
    explorer.overrides_panel._change(Overrides.of([Override("gone", "loc(gone)", {"x": "1"})]))
    assert len(_about_overrides(explorer)) == 2
    explorer._select_override("loc(gone)")
    assert "No node of this graph" in explorer.messages.value
    assert "ex.edit" not in explorer.copy_as_code()


def test_a_finding_leads_to_its_operation(explorer: studio.ExplorerView) -> None:
    matmul = _node(explorer, "matmul_1")
    explorer.edit(matmul, "grid_shape", "1x1")
    panel = explorer.findings_panel
    assert panel._shown["rows"][0]["where"] == "matmul_1"
    assert panel.title == f"Findings {len(explorer.findings)}"
    panel._answer(panel, {"kind": "select", "index": 0}, [])
    assert explorer.selected == matmul


def test_findings_follow_a_run(explorer: studio.ExplorerView) -> None:
    explorer.edit(_node(explorer, "matmul_1"), "grid_shape", "2x8")
    assert "override not applied" not in {f.name for f in explorer.findings}
    explorer.run().wait(60)
    names = {f.name for f in explorer.findings}
    assert {"override not applied", "random inputs"} <= names


def test_a_report_is_written_of_what_is_open(explorer: studio.ExplorerView, tmp_path: Path) -> None:
    explorer.edit(_node(explorer, "matmul_1"), "grid_shape", "1x1")
    path = explorer.write_report(tmp_path / "new" / "module.md")
    text = path.read_text(encoding="utf-8")
    assert "matmul\\_1" in text or "matmul_1" in text
    assert all(finding.hazard in text for finding in _about_overrides(explorer))
    with pytest.raises(ConflictError, match="is there already"):
        explorer.write_report(path)
    assert explorer.report_button.path.value == "two_layers-report.html"


def test_an_onnx_model_is_explored_by_the_same_view() -> None:
    explorer = studio.explore(sample_path("digits_cnn"))
    explorer.selected = next(n.id for n in explorer.graph.nodes if n.attribute("sparsity"))
    explorer.editor.set_value("sparsity", "[50]")
    assert [dict(o.attributes) for o in explorer.overrides] == [{"sparsity": "[50]"}]
    assert explorer.overrides_panel.sent.value == ""


def test_a_graph_view_alone_takes_a_path_or_what_was_explored(tmp_path: Path) -> None:
    path = two_layers(tmp_path)
    view = studio.GraphView(path)
    assert view.graph.id == "two_layers.mlir"
    explored = studio.explore(path)
    assert studio.GraphView(explored).graph is explored.graph


def test_what_is_no_file_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="not int"):
        studio.explore(3)  # type: ignore[arg-type]
    with pytest.raises(NotFoundError):
        studio.explore(tmp_path / "absent.mlir")
    with pytest.raises(TypeError, match="no setting 'hieght'"):
        studio.ExplorerView(None, hieght=3)  # type: ignore[arg-type]
