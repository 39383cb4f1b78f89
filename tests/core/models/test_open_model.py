"""Opening: dimensions, opsets, functions, subgraphs, and what a broken model says."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import TensorProto, helper, numpy_helper

from studio_core.errors import InvalidModelError, InvalidRequestError, StudioError
from studio_core.models.model import open_model
from studio_core.session import Session

W = np.arange(12, dtype=np.float32).reshape(3, 4) + 1


def test_a_small_model_opens(mlp):
    model = mlp.model
    assert model.name == "model"
    assert [i.name for i in model.inputs] == ["x"]
    assert model.inputs[0].shape == ("N", 3) and model.inputs[0].dtype == "float"
    assert model.outputs[0].name == "y"
    assert model.opsets["ai.onnx"] == 21
    assert model.notes == () and model.batch == 1
    assert model.data_files == ()
    assert len(model.sha256()) == 64


def test_the_declared_shapes_stay_as_declared_while_costs_use_one_sample(open_text):
    session = open_text(
        "g (float[batch,3] x) => (float[batch,4] y) { y = MatMul (x, w) }", {"w": W}
    )
    assert session.model.inputs[0].shape == ("batch", 3)
    assert session.model.dimensions == {"batch": 1}
    (layer,) = session.layers
    assert layer.macs == 12 and layer.output_shape == (1, 4)


@pytest.mark.parametrize("given", [0, -1, 1.5, "8", True, None])
def test_a_dimension_needs_a_whole_number(open_text, given):
    with pytest.raises(InvalidRequestError, match="'batch'"):
        open_text("g (float[batch,3] x) => (float[batch,3] y) { y = Relu (x) }",
                  dimensions={"batch": given})  # fmt: skip


def test_an_unknown_dimension_names_the_known_ones(open_text):
    with pytest.raises(InvalidRequestError, match=r"no dimension 'seq'.*'batch'"):
        open_text("g (float[batch,3] x) => (float[batch,3] y) { y = Relu (x) }",
                  dimensions={"seq": 4})  # fmt: skip


@pytest.mark.parametrize("opset", range(7, onnx.defs.onnx_opset_version() + 1))
def test_every_opset_opens(open_text, opset):
    ir_version = 4 if opset < 13 else 10
    session = open_text(
        f"""<ir_version: {ir_version}, opset_import: ["": {opset}]>
        g (float[N,3,8,8] x) => (float[N,4] y) {{
            c = Conv <kernel_shape = [3,3], pads = [1,1,1,1]> (x, k)
            r = Relu (c)
            p = GlobalAveragePool (r)
            f = Flatten (p)
            y = Gemm (f, w, b)
        }}""",
        {
            "k": np.ones((5, 3, 3, 3), np.float32),
            "w": np.ones((5, 4), np.float32),
            "b": np.ones(4, np.float32),
        },
    )
    assert [(x.op_type, x.status, x.macs) for x in session.layers] == [
        ("Conv", "prunable", 3 * 9 * 5 * 64),
        ("Gemm", "prunable", 20),
    ]


def test_initializers_that_are_listed_as_inputs(open_text):
    # Before IR version 4 every initializer had to be an input, too.
    session = open_text(
        """<ir_version: 3, opset_import: ["": 8]>
        g (float[1,3] x, float[3,4] w) => (float[1,4] y)
        <float[3,4] w = {1,2,3,4,5,6,7,8,9,10,11,12}> { y = MatMul (x, w) }"""
    )
    assert [i.name for i in session.model.inputs] == ["x"]
    assert session.layers[0].status == "prunable"


def test_functions_are_expanded(open_text):
    session = open_text(
        """<ir_version: 8, opset_import: ["": 17, "local": 1]>
        g (float[N,3] x) => (float[N,4] y) { h = local.linear (x, w) y = local.linear (h, v) }
        <opset_import: ["": 17], domain: "local">
        linear (a, weight) => (b) { m = MatMul (a, weight) b = Relu (m) }""",
        {"w": W, "v": np.ones((4, 4), np.float32)},
    )
    assert [layer.name for layer in session.layers] == ["w", "v"]
    assert [layer.macs for layer in session.layers] == [12, 16]
    assert len({layer.id for layer in session.layers}) == 2


def test_a_weight_inside_a_function_is_one_shared_weight_or_copies(open_text):
    session = open_text(
        """<ir_version: 8, opset_import: ["": 17, "local": 1]>
        g (float[N,2] x) => (float[N,2] y) { h = local.f (x) y = local.f (h) }
        <opset_import: ["": 17], domain: "local">
        f (a) => (b) { w = Constant <value = float[2,2] {1,2,3,4}> () b = MatMul (a, w) }"""
    )
    assert len(session.layers) == 2
    assert all(layer.is_prunable for layer in session.layers)


@pytest.mark.parametrize("width", [4, 200])
def test_subgraphs_see_outer_weights_and_have_their_own(open_text, width):
    session = open_text(
        f"""g (float[N,{width}] x, bool c) => (float[N,{width}] y) {{
            y = If (c) <
                then_branch = t () => (float[N,{width}] a) {{ a = MatMul (x, outer) }},
                else_branch = e () => (float[N,{width}] b) {{ b = MatMul (x, outer) }}
            >
        }}""",
        {"outer": np.ones((width, width), np.float32)},
    )
    first, second = session.layers
    assert first.status == second.status == "in_subgraph"
    assert first.shared_with == (second.id,) and second.shared_with == (first.id,)
    assert first.id != second.id
    assert first.macs == width * width


def loop_model(body_weight: np.ndarray) -> onnx.ModelProto:
    model = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["": 21]>
        g (float[1,3] x) => (float[1,3] y) {
            trips = Constant <value = int64 {5}> ()
            y = Loop (trips, , x) <
                body = b (int64 i, bool c, float[1,3] state) => (bool c2, float[1,3] next) {
                    c2 = Identity (c)
                    next = MatMul (state, w)
                }
            >
        }"""
    )
    body = model.graph.node[1].attribute[0].g
    body.initializer.append(numpy_helper.from_array(body_weight, "w"))
    return model


def test_a_layer_in_a_loop_says_where_it_runs(open_text):
    session = open_text(loop_model(np.ones((3, 3), np.float32)))
    (layer,) = session.layers
    assert layer.status == "in_subgraph" and layer.is_prunable
    assert "body" in layer.reason
    assert layer.scope[-1] == "body"


def test_a_scan_body(open_text):
    session = open_text(
        """g (float[1,3] s, float[6,3] x) => (float[1,3] y, float[6,1,3] ys) {
            y, ys = Scan <num_scan_inputs = 1> (s, x) <
                body = b (float[1,3] a, float[3] row) => (float[1,3] next, float[1,3] out) {
                    m = MatMul (a, w)
                    next = Add (m, row)
                    out = Identity (next)
                }
            >
        }""".replace("Scan <num_scan_inputs = 1> (s, x) <", "Scan (s, x) <num_scan_inputs = 1,"),
        {"w": np.ones((3, 3), np.float32)},
    )
    assert [(x.op_type, str(x.status)) for x in session.layers] == [("MatMul", "in_subgraph")]


def test_inner_names_hide_outer_ones(open_text):
    model = loop_model(np.full((3, 3), 2, np.float32))
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((3, 3), np.float32), "w"))
    (layer,) = open_text(model).layers
    assert layer.num_zeros == 0


def test_ids_are_unique_even_where_names_are_not(open_text):
    branch = "branch () => (float[N,2] o) { o = MatMul (x, w) }"
    session = open_text(
        f"""g (float[N,2] x, bool c) => (float[N,2] y, float[N,2] z) {{
            [if] y = If (c) <then_branch = {branch}, else_branch = {branch}>
            [if] z = If (c) <then_branch = {branch}, else_branch = {branch}>
        }}""",
        {"w": np.ones((2, 2), np.float32)},
    )
    ids = [layer.id for layer in session.layers]
    assert len(ids) == 4 == len(set(ids))


def test_an_unnamed_operator_set_is_refused(write_model):
    model = onnx.ModelProto(ir_version=8)
    model.graph.name = "g"
    with pytest.raises(InvalidModelError, match="no operator set"):
        open_model(write_model(model))


def test_an_unknown_operator_does_not_stop_the_rest(open_text):
    session = open_text(
        """<ir_version: 8, opset_import: ["": 17, "my.own": 1]>
        g (float[N,3] x) => (float[N,4] y) { h = my.own.Thing (x, v) y = MatMul (h, w) }""",
        {"w": W, "v": W},
    )
    thing, matmul = session.layers
    assert thing.op_type == "Thing" and "not an operator Studio prunes" in thing.reason
    # The output is declared; the inner dimension is known from the weight.
    assert matmul.status == "prunable" and matmul.macs == 12


def test_what_stands_at_fault_in_a_model_is_a_studio_error(write_model):
    def broken(**changes):
        tensor = numpy_helper.from_array(np.ones((3, 4), np.float32), "w")
        for key, value in changes.items():
            if key == "dims":
                tensor.ClearField("dims")
                tensor.dims.extend(value)
            else:
                setattr(tensor, key, value)
        text = '<ir_version: 8, opset_import: ["": 17]> g (float[N,3] x) => (float[N,4] y)'
        model = onnx.parser.parse_model(text + "{ y = MatMul (x, w) }")
        model.graph.initializer.append(tensor)
        return write_model(model)

    for changes, said in [
        ({"dims": [-3, 4]}, "negative"),
        ({"dims": [2**40, 2**20]}, "'w'"),
        ({"dims": [3, 5]}, "needs 60 bytes; the model stores 48"),
        ({"data_type": 0}, "'w'"),
        ({"data_type": TensorProto.DOUBLE}, "needs 96 bytes"),
        ({"raw_data": b""}, "needs 48 bytes"),
    ]:
        with pytest.raises(InvalidModelError, match=said):
            session = Session.open(broken(**changes))
            _ = session.loss


def test_a_declared_size_without_values_takes_no_memory(write_model):
    text = '<ir_version: 8, opset_import: ["": 17]> g (float[N,3] x) => (float[N,4] y)'
    model = onnx.parser.parse_model(text + "{ y = MatMul (x, w) }")
    model.graph.initializer.add(name="w", data_type=1, dims=[2**30, 2**30])
    with pytest.raises(InvalidModelError, match="too few values"):
        open_model(write_model(model))


def test_names_that_are_no_text_are_refused(write_model):
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[N,3] xXx) => (float[N,3] y)'
        "{ y = Relu (xXx) }"
    )
    data = model.SerializeToString().replace(b"xXx", b"x\xffx")
    with pytest.raises(InvalidModelError, match="not UTF-8"):
        open_model(write_model(data))


def test_a_model_whose_shapes_cannot_be_inferred_still_has_layers(open_text):
    session = open_text(
        "g (float[N,7] x) => (float[N,4] y) { h = MatMul (x, w) y = Relu (h) }",  # 7 is not 3
        {"w": W},
    )
    (layer,) = session.layers
    assert layer.status == "prunable" and layer.weight_size == 12


def test_sequence_and_optional_inputs(open_text):
    session = open_text("g (seq(float[N,3]) s, optional(float[2]) o) => (int64 n)"
                        "{ n = SequenceLength (s) }")  # fmt: skip
    assert [i.name for i in session.model.inputs] == ["s", "o"]
    assert session.layers == ()
    assert session.summary.macs is None and session.summary.sparsity is None


def test_an_odd_path_is_a_studio_error(tmp_path):
    for path in ("a\0b.onnx", "x" * 5000 + ".onnx", tmp_path / "no" / "model.onnx", ""):
        with pytest.raises(StudioError):
            open_model(path)


def test_the_source_file_is_never_written(generated):
    path = generated("mobilenet_v2")
    before = (path.stat().st_mtime_ns, path.read_bytes())
    session = Session.open(path)
    _ = session.summary, session.loss, session.perf, session.planner.distribute(0.5)
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before


def test_training_info_and_metadata_do_not_disturb(open_text):
    graph = helper.make_graph([], "g", [], [], [numpy_helper.from_array(np.ones(5000), "big")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    training = onnx.TrainingInfoProto()
    training.initialization.CopyFrom(graph)
    model.training_info.append(training)
    assert open_text(model).summary.num_params == 5000
