"""Findings before a run, one planted hazard at a time, and what was applied after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio_core.graphs.from_mlir import graphs_from_mlir
from studio_core.hardware.system import builtin_system
from studio_core.mlir.reader import read_mlir
from studio_core.overrides.checks import check_overrides
from studio_core.overrides.comparison import is_same, requested_against_applied
from studio_core.overrides.documents import from_json, to_json
from studio_core.overrides.records import Override, Overrides
from studio_core.overrides.targets import Target, TargetIndex, targets_of_graph, targets_of_module

MODULE = Path(__file__).parents[2] / "data" / "mlir" / "hw_overridable.mlir"
WORMHOLE = builtin_system()


@pytest.fixture(scope="module")
def graph():
    (found,) = graphs_from_mlir(read_mlir(MODULE))
    return found.graph


def findings(graph, *overrides, optimizer_enabled=True):
    found = check_overrides(
        Overrides.of(overrides), graph, WORMHOLE, optimizer_enabled=optimizer_enabled
    )
    for finding in found:
        assert finding.hazard.endswith(".")
        assert finding.evidence.endswith((".", ")"))
        assert finding.remedy
    return [(finding.name, finding.severity) for finding in found]


def relu(**values):
    return Override("relu_1", "loc(relu_1(model.py:3:1))", values)


def test_nothing_is_wrong_with_a_sound_override(graph):
    assert findings(graph, relu(data_type="f32")) == []
    sharded = relu(buffer_type="l1", tensor_memory_layout="block_sharded", grid_shape="8x8")
    assert findings(graph, sharded) == []
    assert findings(graph) == []
    assert findings(graph, optimizer_enabled=False) == []


@pytest.mark.parametrize(
    ("override", "name", "severity"),
    [
        (Override("twin", "loc(twin(model.py:4:1))", {"data_type": "f32"}),
         "shared location", "warning"),
        (Override("a=b,c", "loc(a=b,c(model.py:5:1))", {"data_type": "f32"}),
         "name breaks the options", "error"),
        (Override("", "loc(model.py:6:1)", {"data_type": "f32"}), "no named location", "error"),
        (Override("", "loc(unknown)", {"data_type": "f32"}), "no named location", "error"),
        (Override("gone", "loc(gone)", {"data_type": "f32"}), "op not in module", "error"),
        (relu(colour="red"), "unknown key", "error"),
        (relu(shape="[1]"), "unknown key", "error"),
        (relu(activation="relu"), "not a convolution", "error"),
        (relu(data_type="f8"), "invalid value", "error"),
        (relu(grid_shape="4"), "invalid value", "error"),
        (relu(data_type="bf16"), "same as now", "note"),
        (relu(buffer_type="l1", tensor_memory_layout="block_sharded", grid_shape="9x9"),
         "illegal layout: block-sharded grid", "error"),
        (relu(tensor_memory_layout="block_sharded", grid_shape="1x2"),
         "illegal layout: block sharding in DRAM", "error"),
        (relu(data_type="i1"), "illegal layout: unsupported data type", "error"),
        (relu(tensor_memory_layout="nd_sharded"), "layout not checked", "warning"),
        (Override("conv1", "loc(conv1)", {"act_block_h_override": "[33]"}), "none", ""),
        (Override("conv1", "loc(conv1)", {"transpose_shards": "perhaps"}),
         "invalid value", "error"),
    ],
)  # fmt: skip
def test_each_hazard_is_found(graph, override, name, severity):
    found = findings(graph, override)
    assert found == [] if name == "none" else (name, severity) in found


def test_an_override_with_the_optimizer_off(graph):
    found = findings(graph, relu(data_type="f32"), optimizer_enabled=False)
    assert found == [("optimizer off", "error")]


def test_the_sparsity_of_an_onnx_layer_needs_no_optimizer_and_no_location():
    target = Target("Conv", "conv_out", "conv_out", {"sparsity": "[0]"})
    override = Override("conv_out", "conv_out", {"sparsity": "[50]"})
    assert findings([target], override, optimizer_enabled=False) == []
    too_much = Override("conv_out", "conv_out", {"sparsity": "[101]"})
    assert findings([target], too_much) == [("invalid value", "error")]


def test_findings_say_which_override_and_attribute(graph):
    (found,) = check_overrides(
        Overrides.of([relu(data_type="f8")]), graph, WORMHOLE, optimizer_enabled=True
    )
    assert (found.override, found.attribute) == ("loc(relu_1(model.py:3:1))", "data_type")


def test_an_op_is_found_by_its_location_without_quotes(graph):
    index = TargetIndex(targets_of_graph(graph))
    sent = from_json(to_json(Overrides.of([Override("", 'loc("model.py":6:1)', {"a": "b"})])))
    (override,) = sent
    assert [t.op_name for t in index.of(override)] == ["ttnn.relu"]
    # The argument and the deallocate of the same name are no ops to override.
    assert len(index.of(relu())) == 1


def test_an_op_is_found_by_its_name_wherever_the_compiler_has_moved_it():
    moved = Target("ttnn.relu", "r", "loc(r(other.py:9:9))")
    index = TargetIndex([moved, Target("ttnn.add", "s", "loc(r(m.py:1:1))")])
    assert index.of(Override("r", "loc(r(m.py:1:1))", {})) == (moved,)


def test_a_module_gives_the_same_targets_as_its_graph(graph):
    module = {t.named_location: t for t in targets_of_module(read_mlir(MODULE).modules[0])}
    drawn = {t.named_location: t for t in targets_of_graph(graph)}
    for name in ("relu_1", "conv1"):
        assert module[name].layout == drawn[name].layout
        assert module[name].tensor_shape == drawn[name].tensor_shape
    assert module["relu_1"].layout.memref_shape == (8, 16)


def test_a_module_without_layouts_is_checked_as_if_in_dram():
    target = Target("ttir.relu", "r", "loc(r)", {"shape": "[256, 512]", "dtype": "bf16"})
    legal = Override("r", "loc(r)", {"buffer_type": "l1", "tensor_memory_layout": "width_sharded",
                                     "grid_shape": "1x16"})  # fmt: skip
    assert findings([target], legal) == []
    wide = Target("ttir.add", "r", "loc(r)", {"shape": "[2]", "dtype": "i64", "data_type": "si64"})
    kept = Override("r", "loc(r)", {"data_type": "si64"})
    assert findings([wide], kept) == [("same as now", "note")]
    illegal = Override("r", "loc(r)", {**legal.attributes, "grid_shape": "4x4"})
    assert findings([target], illegal) == [("illegal layout: width-sharded grid", "error")]
    unknown = Target("ttir.relu", "r", "loc(r)", {"shape": "[?, 512]", "dtype": "bf16"})
    assert findings([unknown], illegal) == []


def test_requested_against_applied():
    before = [Target("ttir.relu", "r", "loc(r)", {"grid_shape": "1x1", "data_type": "bf16",
                                                  "buffer_type": "dram"})]  # fmt: skip
    after = [
        Target("ttnn.to_layout", "r", "loc(r)", {"data_type": "bf16"}),
        Target("ttnn.relu", "r", "loc(r)", {"grid_shape": "4x8", "data_type": "f32",
                                            "buffer_type": "system_memory"}),
    ]  # fmt: skip
    asked = {"grid_shape": "4x8", "data_type": "bfp_bf8", "buffer_type": "l1", "activation": "relu"}
    overrides = Overrides.of(
        [Override("r", "loc(r)", asked), Override("s", "loc(s)", {"data_type": "f32"})]
    )
    found = requested_against_applied(overrides, after, before)
    outcomes = {(v.override, v.attribute): (v.outcome, v.applied) for v in found}
    assert outcomes == {
        ("loc(r)", "grid_shape"): ("applied", "4x8"),
        ("loc(r)", "data_type"): ("not applied", "bf16"),
        ("loc(r)", "buffer_type"): ("changed differently", "system_memory"),
        ("loc(r)", "activation"): ("unknown", None),
        ("loc(s)", "data_type"): ("op gone", None),
    }
    assert all(value.sentence.endswith(".") for value in found)


def test_against_a_graph(graph):
    overrides = Overrides.of([relu(data_type="bf16"), relu(buffer_type="l1")])
    outcomes = [v.outcome for v in requested_against_applied(overrides, graph, graph)]
    assert outcomes == ["applied", "not applied"]


@pytest.mark.parametrize(
    ("key", "a", "b", "same"),
    [
        ("transpose_shards", "True", "true", True),
        ("act_block_h_override", "[32]", "32", True),
        ("act_block_h_override", "[32]", "[64]", False),
        ("activation", "None", "relu", False),
        ("grid_shape", "4x8", "4x8 ", True),
        ("grid_shape", "4x8", "8x4", False),
        ("sparsity", "[50]", "[ 50 ]", True),
        ("data_type", "bf16", "f16", False),
    ],
)
def test_values_that_mean_the_same(key, a, b, same):
    assert is_same(key, a, b) is same
