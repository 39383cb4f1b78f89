"""Runs: times, accuracy, overrides, progress, cancelling; modules and ONNX models alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from studio_core.errors import InvalidModelError, InvalidRequestError
from studio_core.execution.cpu import finish, run_module, run_onnx
from studio_core.execution.records import (
    OpResult,
    RunCancelledError,
    RunResult,
    RunSettings,
    by_node,
)
from studio_core.execution.sessions import Cancellation
from studio_core.graphs.from_mlir import module_graph
from studio_core.mlir.reader import read_mlir
from studio_core.models.model import open_model

DATA = Path(__file__).parents[2] / "data" / "mlir"
QUICK = RunSettings(iterations=3)
ACCURACY = RunSettings(measure_time=False)
TIME = RunSettings(iterations=3, measure_accuracy=False)


@pytest.fixture
def mlp():
    return read_mlir(DATA / "run_mlp.mlir").modules[0]


@pytest.fixture
def convnet():
    return read_mlir(DATA / "run_convnet.mlir").modules[0]


def test_a_run_tells_time_and_accuracy_of_each_operation(mlp):
    result = finish(run_module(mlp, settings=QUICK))
    names = ["ttir.matmul", "ttir.add", "ttir.relu", "ttir.matmul", "ttir.softmax"]
    assert [op.name for op in result.ops] == names
    assert result.ops[0].key.location.name == "matmul_1"
    assert all(op.time_ns is not None and op.time_ns >= 0 for op in result.ops)
    assert {op.data_type for op in result.ops} == {"bf16"}
    assert all(0.999 < op.pcc < 1 for op in result.ops)
    assert sum(result.times_ns.values()) + result.unattributed_ns == pytest.approx(result.total_ns)
    assert result.function == "forward"
    assert set(result.versions) == {"onnxruntime", "onnx", "numpy"}
    assert result.settings == QUICK
    assert list(result.outputs) == ["scores"]


def test_times_are_medians_without_the_warm_up(mlp, monkeypatch):
    def trace(_):
        kernels = {"op0/MatMul_0": [90.0, 1.0, 3.0, 2.0], "op1/Add_0": [90.0, 5.0, 5.0, 5.0]}
        return np.array([99.0, 10.0, 30.0, 20.0]), {n: np.array(a) for n, a in kernels.items()}

    monkeypatch.setattr("studio_core.execution.sessions.read_trace", trace)
    result = finish(run_module(mlp, settings=TIME))
    assert result.total_ns == 20e6
    assert [op.time_ns for op in result.ops] == [2e6, 5e6, None, None, None]
    assert result.unattributed_ns == 13e6
    assert result.ops[2].note


def test_what_was_generated_is_said(mlp):
    given = {"x": np.ones((2, 8), np.float32)}
    result = finish(run_module(mlp, inputs=given, settings=ACCURACY))
    assert result.generated and result.generated_inputs == ("w1", "b1", "w2")
    assert "Generated inputs: w1, b1, w2." in result.notes
    np.testing.assert_array_equal(result.inputs["x"], given["x"])
    again = finish(run_module(mlp, inputs=result.inputs, settings=ACCURACY))
    assert not again.generated
    np.testing.assert_array_equal(again.outputs["scores"], result.outputs["scores"])


def test_that_floats_are_computed_in_single_precision_is_said_where_it_matters(mlp, convnet):
    said = [any("float32" in n for n in finish(run_module(m, settings=ACCURACY)).notes)
            for m in (mlp, convnet)]  # fmt: skip
    assert said == [True, False]


def test_without_rounding_everything_is_exact(convnet):
    result = finish(run_module(convnet, settings=ACCURACY))
    assert result.total_ns is None and result.unattributed_ns is None and result.times_ns == {}
    assert [op.pcc for op in result.ops] == [1.0] * 5
    assert [op.data_type for op in result.ops] == [None] * 5


def test_an_override_costs_accuracy_from_its_operation_on(convnet):
    plain = finish(run_module(convnet, settings=ACCURACY))
    relu = plain.ops[1].key
    costs = []
    for data_type in ("bf16", "bfp_bf8", "bfp_bf4", "bfp_bf2"):
        result = finish(run_module(convnet, data_types={relu: data_type}, settings=ACCURACY))
        found = [op.pcc for op in result.ops]
        assert found[0] == 1.0 and all(p < 1 for p in found[1:])
        assert [op.data_type for op in result.ops] == [None, data_type, None, None, None]
        costs.append(result.pcc[relu])
    assert costs == sorted(costs, reverse=True) and costs[-1] < 0.99
    assert result.accuracy()[relu] == pytest.approx(costs[-1] - 0.99)


def test_weights_can_be_rounded_on_their_own(convnet):
    plain = finish(run_module(convnet, settings=ACCURACY))
    conv = plain.ops[0].key
    types = {conv: "bfp_bf4"}
    result = finish(run_module(convnet, weight_data_types=types, settings=ACCURACY))
    assert 0.9 < result.ops[0].pcc < 0.9999
    assert result.ops[0].data_type is None
    weight = plain.inputs["conv.weight"]
    np.testing.assert_array_equal(result.inputs["conv.weight"], weight)


def test_overriding_to_full_precision_takes_the_modules_rounding_away(mlp):
    rounded = finish(run_module(mlp, settings=ACCURACY))
    types = {op.key: "f32" for op in rounded.ops}
    result = finish(run_module(mlp, data_types=types, settings=ACCURACY))
    assert all(op.pcc == 1.0 for op in result.ops)


def test_outputs_are_those_under_the_data_types(mlp):
    rounded = finish(run_module(mlp, settings=ACCURACY)).outputs["scores"]
    timed = finish(run_module(mlp, settings=TIME)).outputs["scores"]
    assert not np.array_equal(rounded, timed)
    np.testing.assert_allclose(rounded, timed, atol=0.05)


def test_an_unknown_data_type_is_refused_before_the_run(mlp):
    steps = run_module(mlp, data_types={next(mlp.walk()): "f17"})
    with pytest.raises(InvalidRequestError, match="no data type 'f17'"):
        list(steps)


def test_progress_rises_to_one_and_only_the_last_step_has_the_result(convnet):
    steps = list(run_module(convnet, settings=QUICK))
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert [step.result is None for step in steps] == [True] * (len(steps) - 1) + [False]
    assert any("Run 2 of 4" in step.message for step in steps)
    assert any("ttir.linear (5 of 5)" in step.message for step in steps)


@pytest.mark.parametrize("part", ["Run 1", "Checking"])
def test_a_run_can_be_cancelled(convnet, part):
    cancel = Cancellation()
    steps = run_module(convnet, settings=QUICK, cancel=cancel)
    for step in steps:
        if step.message.startswith(part):
            cancel.cancel()
            break
    with pytest.raises(RunCancelledError):
        list(steps)


def test_a_closed_run_leaves_nothing_behind(convnet, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    steps = run_module(convnet, settings=QUICK)
    while not next(steps).message.startswith("Run"):
        pass
    assert list(tmp_path.iterdir())
    steps.close()
    assert list(tmp_path.iterdir()) == []
    finish(run_module(convnet, settings=QUICK))
    assert list(tmp_path.iterdir()) == []


def test_an_index_outside_is_an_error_that_says_so():
    module = read_mlir(DATA / "run_attention.mlir").modules[0]
    given = {"token": np.array([[99]])}
    with pytest.raises(InvalidModelError, match="onnxruntime stopped in"):
        finish(run_module(module, inputs=given, settings=ACCURACY))


def test_a_module_whose_function_answers_its_arguments(parse):
    module = parse("func.func @main(%arg0: tensor<3xf32>) -> tensor<3xf32> "
                   "{ return %arg0 : tensor<3xf32> }")  # fmt: skip
    result = finish(run_module(module, settings=QUICK))
    assert result.ops == ()
    np.testing.assert_array_equal(result.outputs["result_0"], result.inputs["arg0"])


def test_values_that_are_no_numbers_are_pointed_out(parse):
    module = parse("""func.func @main(%arg0: tensor<3xf32>) -> tensor<3xf32> {
      %0 = "ttir.log"(%arg0) : (tensor<3xf32>) -> tensor<3xf32>
      return %0 : tensor<3xf32>
    }""")
    given = [np.array([-1, 1, 2], np.float32)]
    result = finish(run_module(module, inputs=given, settings=ACCURACY))
    assert "NaN" in result.ops[0].note


def test_fused_operations_have_no_time_of_their_own(convnet):
    result = finish(run_module(convnet, settings=RunSettings(iterations=2, optimize=True)))
    timed = [op.name for op in result.ops if op.time_ns is not None]
    assert "ttir.linear" in timed
    assert any("fused" in note for note in result.notes)
    assert all(op.note for op in result.ops if op.time_ns is None)
    assert result.total_ns >= 0


@pytest.mark.parametrize("wrong", [{"iterations": 0}, {"num_threads": 0}, {"warmup": -1}])
def test_settings_without_sense(wrong):
    with pytest.raises(InvalidRequestError, match="at least 1 thread"):
        RunSettings(**wrong)


@pytest.mark.parametrize("name", ["run_mlp", "run_convnet", "run_attention"])
def test_every_operation_that_ran_is_a_node_of_the_graph(name):
    module = read_mlir(DATA / f"{name}.mlir").modules[0]
    graph = module_graph(module, name)
    result = finish(run_module(module, settings=ACCURACY))
    values = by_node(result.pcc, graph.node_ids.get)
    assert len(values) == len(result.pcc) > 0
    assert values.keys() <= graph.graph.by_id.keys()


def test_one_operation_called_twice_is_summed_and_the_lowest_counts():
    ops = (
        OpResult("a", "x", 10.0, 0.9),
        OpResult("b", "x", None, None),
        OpResult("a", "x", 5.0, 0.8),
    )
    result = RunResult(ops, 20.0, {}, {}, False)
    assert result.times_ns == {"a": 15.0} and result.pcc == {"a": 0.8}
    assert result.unattributed_ns == 5.0
    assert by_node(result.times_ns, {"a": "node"}.get) == {"node": 15.0}
    assert by_node(result.times_ns, {}.get) == {}


# ONNX


@pytest.fixture
def model(write_model):
    rng = np.random.default_rng(1)
    path = write_model(
        """agraph (float[N, 3, 8, 8] x) => (float[N, 5] y) {
          [conv] c = Conv<pads = [1, 1, 1, 1]>(x, w)
          r = Relu(c)
          p = GlobalAveragePool(r)
          [flat] h = Flatten(p)
          [fc] y = MatMul(h, v)
        }""",
        {
            "w": rng.standard_normal((4, 3, 3, 3)).astype(np.float32),
            "v": rng.standard_normal((4, 5)).astype(np.float32),
        },
    )
    return open_model(path)


def test_an_onnx_model_runs_by_its_nodes(model):
    result = finish(run_onnx(model, settings=QUICK))
    assert [op.key for op in result.ops] == [node.id for node in model.nodes()]
    assert [op.name for op in result.ops] == [
        "Conv",
        "Relu",
        "GlobalAveragePool",
        "Flatten",
        "MatMul",
    ]
    assert all(op.pcc == 1.0 for op in result.ops)
    assert result.times_ns.keys() <= {node.id for node in model.nodes()}
    assert result.generated_inputs == ("x",)
    assert result.outputs["y"].shape == (1, 5)


def test_an_onnx_models_weights_and_data_types_can_be_changed(model):
    x = np.ones((2, 3, 8, 8), np.float32)
    plain = finish(run_onnx(model, inputs={"x": x}, settings=ACCURACY))
    conv, *_, fc = (op.key for op in plain.ops)
    weight = next(t for t in model.tensors() if t.name == "v").read()
    pruned = weight * (np.abs(weight) > np.median(np.abs(weight)))
    result = finish(run_onnx(model, inputs={"x": x}, weights={"v": pruned}, settings=QUICK))
    assert [op.pcc == 1.0 for op in result.ops] == [True] * 4 + [False]
    hidden = np.linalg.solve(weight[:, :4].T.astype(np.float64), plain.outputs["y"][:, :4].T).T
    np.testing.assert_allclose(result.outputs["y"], hidden @ pruned, rtol=1e-3, atol=1e-4)
    typed = finish(
        run_onnx(model, inputs={"x": x}, data_types={conv: "bfp_bf8"},
                 weight_data_types={fc: "bfp_bf4"}, settings=ACCURACY)
    )  # fmt: skip
    assert typed.pcc[conv] < 1 and typed.pcc[fc] < typed.pcc[conv]
    assert typed.ops[0].data_type == "bfp_bf8"


def test_inputs_of_an_onnx_model_that_do_not_fit(model):
    with pytest.raises(InvalidRequestError, match="no input 'z'; it has 'x'"):
        list(run_onnx(model, inputs={"z": np.zeros(1)}))
    with pytest.raises(InvalidRequestError, match="Input 'x' must have the shape"):
        list(run_onnx(model, inputs={"x": np.zeros((1, 3, 9, 8))}))


def test_an_onnx_model_with_branches_runs(write_model):
    text = """agraph (float[2] x, bool c) => (float[2] y) {
      [choice] y = If(c) <then_branch = thenGraph () => (float[2] t) { t = Add(x, one) },
        else_branch = elseGraph () => (float[2] e) { e = Neg(x) }>
    }"""
    model = open_model(write_model(text, {"one": np.ones(2, np.float32)}))
    x = np.array([1, 2], np.float32)
    for choice, expected in ((True, x + 1), (False, -x)):
        given = {"x": x, "c": np.array(choice)}
        result = finish(run_onnx(model, inputs=given, settings=QUICK))
        np.testing.assert_array_equal(result.outputs["y"], expected)
        assert len(result.ops) == 1


def test_large_constants_inside_branches_are_read(write_model):
    values = np.arange(5000, dtype=np.float32)
    info = [onnx.helper.make_tensor_value_info(n, 1, [5000]) for n in ("t", "e", "x", "y")]
    constant = onnx.helper.make_node(
        "Constant", [], ["k"], value=onnx.numpy_helper.from_array(values)
    )
    then = onnx.helper.make_graph(
        [constant, onnx.helper.make_node("Add", ["x", "k"], ["t"])], "then", [], info[:1]
    )
    other = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["x", "one"], ["e"])],
        "other",
        [],
        info[1:2],
        [onnx.numpy_helper.from_array(values, "one")],
    )
    branch = onnx.helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other)
    choice = onnx.helper.make_tensor_value_info("c", onnx.TensorProto.BOOL, [])
    graph = onnx.helper.make_graph([branch], "g", [info[2], choice], [info[3]])
    opsets = [onnx.helper.make_opsetid("", 21)]
    model = open_model(
        write_model(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10))
    )
    for choice_made in (True, False):
        given = {"x": np.ones(5000, np.float32), "c": np.array(choice_made)}
        result = finish(run_onnx(model, inputs=given, settings=ACCURACY))
        np.testing.assert_array_equal(result.outputs["y"], values + 1)
