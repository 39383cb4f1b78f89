"""The use case of the explorer: open, edit, check, run, without any screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.execution.records import RunSettings
from studio_core.explorer.exploration import (
    OPTIMIZER_DISABLED,
    OPTIMIZER_ENABLED,
    Exploration,
    open_exploration,
)
from studio_core.explorer.opened import open_file
from studio_core.graphs.checks import check_graph
from studio_core.overrides.records import Override, Overrides
from studio_core.samples import sample_path

MODULE = """\
#dram = #ttnn.buffer_type<dram>
#l1 = #ttnn.buffer_type<l1>
#in = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, memref<4x8x!ttcore.tile<32x32, bf16>, #dram>, <interleaved>>
#out = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <4x8>, memref<1x1x!ttcore.tile<32x32, bf16>, #l1>, <block_sharded>>
func.func @f(%arg0: tensor<128x256xbf16, #in>, %arg1: tensor<128x256xbf16, #in>) -> tensor<128x256xbf16, #out> {
  %0 = "ttnn.add"(%arg0, %arg1) : (tensor<128x256xbf16, #in>, tensor<128x256xbf16, #in>) -> tensor<128x256xbf16, #out> loc("add_1")
  %1 = "ttnn.relu"(%0) : (tensor<128x256xbf16, #out>) -> tensor<128x256xbf16, #out>
  return %1 : tensor<128x256xbf16, #out>
}
"""  # noqa: E501
FAST = RunSettings(warmup=0, iterations=1)


@pytest.fixture
def exploration(tmp_path: Path) -> Exploration:
    path = tmp_path / "module.mlir"
    path.write_text(MODULE, encoding="utf-8")
    return open_exploration(path)


def _node(exploration: Exploration, label: str) -> str:
    return next(node.id for node in exploration.graph.nodes if node.label == label)


def test_an_edit_says_at_once_what_it_does(exploration: Exploration) -> None:
    add = _node(exploration, "ttnn.add")
    outcome = exploration.edit(add, "grid_shape", "1x1")
    assert outcome.changes == {"grid_shape": "1x1"}
    assert outcome.layout is not None
    assert outcome.layout.fits is True
    # 32 tiles of 2048 bytes in one core instead of one in each.
    assert (outcome.layout.before.l1_bytes, outcome.layout.after.l1_bytes) == (2048, 65536)
    before = exploration.opened.node(add).attribute("l1_memory")
    after = next(bar for bar in outcome.memory if bar.key == "l1_memory")
    assert before is not None
    assert float(after.value) > 20 * float(before.value)
    assert after.certainty == before.certainty


def test_the_value_of_the_model_takes_a_request_back(exploration: Exploration) -> None:
    add = _node(exploration, "ttnn.add")
    exploration.edit(add, "grid_shape", "2x8")
    exploration.edit(add, "data_type", "bfp_bf8")
    assert [o.named_location for o in exploration.overrides] == ["add_1"]
    assert exploration.edit(add, "grid_shape", "4x8").changes == {"data_type": "bfp_bf8"}
    assert exploration.reset(add).changes == {}
    assert len(exploration.overrides) == 0


@pytest.mark.parametrize(
    ("key", "value"),
    [("grid_shape", "9x1"), ("grid_shape", "x"), ("data_type", "f8"), ("shape", "[1]")],
)
def test_what_an_attribute_cannot_be_is_refused(
    exploration: Exploration, key: str, value: str
) -> None:
    with pytest.raises(InvalidRequestError):
        exploration.edit(_node(exploration, "ttnn.add"), key, value)
    assert len(exploration.overrides) == 0
    with pytest.raises(NotFoundError):
        exploration.edit("nowhere", "grid_shape", "1x1")


def test_another_way_of_sharding_allows_another_grid(exploration: Exploration) -> None:
    add = _node(exploration, "ttnn.add")
    with pytest.raises(InvalidRequestError):
        exploration.edit(add, "grid_shape", "64x1")
    exploration.edit(add, "tensor_memory_layout", "height_sharded")
    assert exploration.edit(add, "grid_shape", "64x1").changes["grid_shape"] == "64x1"
    with pytest.raises(InvalidRequestError):
        exploration.edit(add, "grid_shape", "1x2")


def test_findings_depend_on_the_policy_and_options_say_what_is_sent(
    exploration: Exploration,
) -> None:
    exploration.edit(_node(exploration, "ttnn.add"), "grid_shape", "2x8")
    assert exploration.findings(OPTIMIZER_ENABLED) == ()
    assert exploration.findings(OPTIMIZER_DISABLED)[0].name == "optimizer off"
    assert "add_1=2x8" in exploration.options().text
    assert "add_1" not in exploration.options(OPTIMIZER_DISABLED).text
    with pytest.raises(InvalidRequestError, match="no optimization policy"):
        exploration.findings("fast")


def test_an_op_without_a_location_is_told_so_before_the_run(exploration: Exploration) -> None:
    relu = _node(exploration, "ttnn.relu")
    exploration.edit(relu, "grid_shape", "2x8")
    assert exploration.changes(relu) == {"grid_shape": "2x8"}
    (override,) = exploration.overrides
    assert exploration.node_of(override.key) == relu
    assert [f.name for f in exploration.findings()] == ["no named location"]


def test_a_run_brings_overlays_and_says_what_was_applied(exploration: Exploration) -> None:
    add = _node(exploration, "ttnn.add")
    exploration.edit(add, "grid_shape", "2x8")
    exploration.edit(add, "data_type", "bfp_bf4")
    steps = list(exploration.run(settings=FAST))
    assert [s.result is None for s in steps] == [True] * (len(steps) - 1) + [False]
    executed = exploration.executed
    assert executed is not None
    assert check_graph(executed.graph) == []
    assert set(executed.graph.overlays["perf_data"].values) == {
        add,
        _node(exploration, "ttnn.relu"),
    }
    assert executed.graph.overlays["accuracy_data"].values[add] < 0.0099  # rounded to 4 bits
    assert executed.graph.overrides == {
        "loc(add_1)": {
            "named_location": "add_1",
            "full_location": "loc(add_1)",
            "attributes": [
                {"key": "grid_shape", "value": "2x8"},
                {"key": "data_type", "value": "bfp_bf4"},
            ],
        }
    }
    assert {a.key: a.is_applied for a in executed.applied} == {
        "grid_shape": False, "data_type": True,
    }  # fmt: skip
    assert exploration.graph is executed.graph


def test_an_unknown_policy_runs_nothing(exploration: Exploration) -> None:
    with pytest.raises(InvalidRequestError):
        exploration.run("fast")
    assert exploration.executed is None


def test_the_sparsity_of_an_onnx_layer_is_an_attribute_and_shows_in_the_run() -> None:
    exploration = open_exploration(sample_path("digits_cnn"))
    layer = next(n.id for n in exploration.graph.nodes if n.attribute("sparsity"))
    exploration.edit(layer, "sparsity", "[90]")
    assert exploration.findings() == ()
    assert exploration.changes(layer) == {"sparsity": "[90]"}
    executed = list(exploration.run(settings=FAST))[-1].result
    assert executed is not None
    accuracy = executed.graph.overlays["accuracy_data"].values
    assert float(accuracy[layer]) < -0.01
    exploration.overrides = Overrides()
    dense = list(exploration.run(settings=FAST))[-1].result
    assert dense is not None
    assert float(dense.graph.overlays["accuracy_data"].values[layer]) == pytest.approx(0.01)


def test_several_modules_are_several_graphs_with_overrides_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "two.mlir"
    path.write_text(f"{MODULE}\n// -----\n{MODULE}", encoding="utf-8")
    exploration = open_exploration(path)
    assert len(exploration.graphs) == 2
    exploration.edit(_node(exploration, "ttnn.add"), "grid_shape", "1x1")
    exploration.show(exploration.graphs[1].id)
    assert len(exploration.overrides) == 0
    exploration.show(exploration.graphs[0].id)
    assert len(exploration.overrides) == 1
    with pytest.raises(NotFoundError):
        exploration.show("third")


def test_another_chip_counts_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "module.mlir"
    path.write_text(MODULE, encoding="utf-8")
    exploration = open_exploration(path, arch="blackhole")
    assert exploration.system.grid == (10, 13)
    exploration.edit(_node(exploration, "ttnn.add"), "grid_shape", "10x13")


def test_overrides_of_another_module_reach_nothing(exploration: Exploration) -> None:
    exploration.overrides = Overrides.of([Override("gone", "loc(gone)", {"grid_shape": "1x1"})])
    assert exploration.node_of("loc(gone)") is None
    assert exploration.node_of("never") is None
    assert [f.name for f in exploration.findings()] == ["op not in module"]


def test_a_file_of_another_kind_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "model.txt"
    path.write_text("x", encoding="utf-8")
    with pytest.raises(InvalidRequestError, match=r"\.mlir, \.ttir, \.ttnn, \.onnx"):
        open_file(path)
    with pytest.raises(NotFoundError):
        open_file(tmp_path / "absent.mlir")
