"""Which nodes are layers, what status they get, and that none is left out silently."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from studio_core.layers import LayerStatus
from studio_core.session import Session

K = np.arange(1, 3 * 2 * 3 * 3 + 1, dtype=np.float32).reshape(3, 2, 3, 3)
W = np.arange(1, 13, dtype=np.float32).reshape(3, 4)


def only(session: Session):
    (layer,) = session.layers
    return layer


def statuses(session: Session) -> dict[str, str]:
    return {layer.op_type: str(layer.status) for layer in session.layers}


def test_a_plain_convolution_has_the_contract_fields(open_text):
    layer = only(
        open_text(
            """g (float[1,2,8,8] input) => (float[1,3,4,4] y) {
                [conv_node] y = Conv <dilations = [1,1], group = 1, kernel_shape = [3,3],
                                      pads = [1,1,1,1], strides = [2,2]> (input, k, b)
            }""",
            {"k": K, "b": np.ones(3, np.float32)},
        )
    )
    assert layer.attributes == {
        "dilations": [1, 1],
        "group": 1,
        "kernel_shape": [3, 3],
        "pads": [1, 1, 1, 1],
        "strides": [2, 2],
    }
    assert (layer.id, layer.name, layer.node_name) == ("y", "k", "conv_node")
    assert layer.inputs == ("input", "k", "b") and layer.outputs == ("y",)
    assert layer.op_type == "Conv" and layer.status is LayerStatus.PRUNABLE
    assert layer.reason == "" and layer.shared_with == () and layer.scope == ()
    assert layer.input_shape == (1, 2, 8, 8) and layer.output_shape == (1, 3, 4, 4)
    assert (layer.weight_size, layer.bias_size, layer.num_params) == (54, 3, 57)
    assert layer.num_bytes == 57 * 4
    assert layer.num_zeros == 0 and layer.sparsity == 0.0


@pytest.mark.parametrize(
    ("op", "inner", "attributes", "stored"),
    [
        ("Transpose", "t", "<perm = [1,0]>", W.T),
        ("Identity", "t", "", W),
        ("Cast", "t", "<to = 1>", W.astype(np.float16)),
        ("Cast", "t", "<to = 1>", W.astype(np.float64)),
        ("Reshape", "t, shape", "", W.reshape(2, 6)),
        ("Squeeze", "t, axis", "", W.reshape(1, 3, 4)),
        ("Unsqueeze", "t, axis", "", W),
        ("Flatten", "t", "<axis = 1>", W),
    ],
)
def test_weights_are_found_behind_trivial_operators(open_text, op, inner, attributes, stored):
    layer = only(
        open_text(
            f"""g (float[N,3] x) => (float[N,4] y) {{
                w = {op} {attributes} ({inner})
                y = MatMul (x, w)
            }}""",
            {"t": stored, "shape": np.array([3, 4]), "axis": np.array([0])},
        )
    )
    assert layer.status == "prunable" and layer.name == "t"
    assert layer.weight.steps == (op,)
    assert layer.macs == 12
    assert sorted(layer.weight.magnitudes().tolist()) == list(range(1, 13))


def test_a_chain_of_operators_and_a_constant_node(open_text):
    layer = only(
        open_text(
            """g (float[N,3] x) => (float[N,4] y) {
                c = Constant <value = float[1,4,3] {1,2,3,4,5,6,7,8,9,10,11,12}> ()
                i = Identity (c)
                s = Squeeze (i, axis)
                t = Transpose <perm = [1,0]> (s)
                y = MatMul (x, t)
            }""",
            {"axis": np.array([0])},
        )
    )
    assert layer.weight.steps == ("Identity", "Squeeze", "Transpose")
    assert layer.name == "c" and layer.weight_size == 12 and layer.macs == 12


def test_a_chain_without_an_end_is_left(open_text):
    # Not a valid graph, but a file may hold it: a value that depends on itself.
    session = open_text(
        "g (float[N,3] x) => (float[N,4] y) { a = Identity (b) b = Identity (a) y = MatMul (x, a) }"
    )
    assert only(session).status == "not_prunable"


@pytest.mark.parametrize("name", ["value_floats = [1.0,2.0,3.0]", "value_float = 2.0"])
def test_scalar_and_list_constants_are_no_layers(open_text, name):
    session = open_text(
        f"g (float[N,3] x) => (float[N,3] y) {{ c = Constant <{name}> () y = Mul (x, c) }}"
    )
    assert session.layers == ()


def qdq(open_text, weight, scale, zero, attributes="", then="w = Identity (d)"):
    weights = {"q": weight, "s": scale, "z": zero}
    return open_text(
        f"""g (float[N,3] x) => (float[N,4] y) {{
            d = DequantizeLinear {attributes} (q, s, z)
            {then}
            y = MatMul (x, w)
        }}""",
        weights,
    )


Q = np.array([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 127]], np.int8)


def test_quantized_per_tensor(open_text):
    layer = only(qdq(open_text, Q, np.float32(0.5), np.int8(4)))
    assert layer.status == "prunable"
    assert layer.weight.steps == ("DequantizeLinear", "Identity")
    expected = np.abs((Q.astype(float) - 4) * 0.5).reshape(-1)
    assert np.array_equal(layer.weight.magnitudes(), expected)
    assert layer.num_zeros == 1 and layer.num_bytes == 12


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
def test_quantized_per_channel(open_text, axis):
    size = Q.shape[axis]
    scale = np.arange(1, size + 1, dtype=np.float32)
    zero = np.arange(size, dtype=np.int8)
    layer = only(qdq(open_text, Q, scale, zero, f"<axis = {axis}>"))
    shape = (size, 1) if axis in (0, -2) else (1, size)
    real = (Q.astype(float) - zero.reshape(shape)) * scale.reshape(shape)
    assert np.array_equal(layer.weight.magnitudes(), np.abs(real).reshape(-1))
    assert layer.num_zeros == int((real == 0).sum())


def test_quantized_in_blocks(open_text):
    weight = np.arange(-8, 7, dtype=np.int8).reshape(3, 5)  # blocks of 2 along 5: 2, 2, 1
    scale = np.arange(1, 10, dtype=np.float32).reshape(3, 3)
    zero = np.zeros((3, 3), np.int8)
    layer = only(qdq(open_text, weight, scale, zero, "<axis = 1, block_size = 2>"))
    spread = np.repeat(scale, 2, axis=1)[:, :5]
    assert np.array_equal(layer.weight.magnitudes(), np.abs(weight * spread).reshape(-1))


def test_a_huge_block_takes_no_memory(open_text):
    scale = np.ones((3, 1), np.float32)
    layer = only(qdq(open_text, Q, scale, np.zeros((3, 1), np.int8),
                     f"<axis = 1, block_size = {2**40}>"))  # fmt: skip
    assert np.array_equal(layer.weight.magnitudes(), np.abs(Q.reshape(-1)))


@pytest.mark.parametrize(
    ("scale", "attributes"),
    [
        (np.ones(5, np.float32), "<axis = 0>"),
        (np.ones(3, np.float32), "<axis = 1>"),
        (np.ones(3, np.float32), "<axis = 7>"),
        (np.ones((3, 4), np.float32), "<axis = 1, block_size = 3>"),
    ],
)
def test_scales_that_do_not_fit_are_a_reason(open_text, scale, attributes):
    session = qdq(open_text, Q, scale, np.int8(0), attributes)
    layer = only(session)
    assert layer.status == "not_prunable" and "scales" in layer.reason
    assert layer.num_zeros is None and layer.sparsity is None
    assert session.loss.curves == () and session.summary.sparsity is None


def test_scales_of_a_transposed_weight_are_a_reason(open_text):
    session = open_text(
        """g (float[N,3] x) => (float[N,4] y) {
            t = Transpose <perm = [1,0]> (q)
            d = DequantizeLinear <axis = 1> (t, s)
            y = MatMul (x, d)
        }""",
        {"q": np.ascontiguousarray(Q.T), "s": np.ones(4, np.float32)},
    )
    assert only(session).status == "not_prunable" and "Transpose" in only(session).reason


def test_float_weights_quantized_at_run_time(open_text):
    layer = only(
        open_text(
            """g (float[N,3] x) => (float[N,4] y) {
                q = QuantizeLinear (w, s, z)
                d = DequantizeLinear (q, s, z)
                y = MatMul (x, d)
            }""",
            {"w": W, "s": np.float32(0.5), "z": np.int8(0)},
        )
    )
    assert layer.status == "prunable" and layer.weight.quantization is None
    assert layer.weight.steps == ("QuantizeLinear", "DequantizeLinear")
    assert np.array_equal(layer.weight.magnitudes(), W.reshape(-1))


def test_a_computed_scale_is_no_constant_weight(open_text):
    session = open_text(
        """g (float[N,3] x, float s) => (float[N,4] y) {
            d = DequantizeLinear (q, s)
            y = MatMul (x, d)
        }""",
        {"q": Q},
    )
    assert only(session).status == "not_prunable"


def test_a_plain_integer_weight_is_refused(open_text):
    session = open_text("g (int32[N,3] x) => (int32[N,4] y) { y = MatMul (x, w) }",
                        {"w": W.astype(np.int32)})  # fmt: skip
    assert "integer type int32" in only(session).reason


def test_shared_weights_name_each_other(open_text):
    session = open_text(
        """g (float[N,4] x) => (float[N,4] y) {
            a = MatMul (x, w)
            t = Identity (w)
            b = MatMul (a, t)
            y = MatMul (b, v)
        }""",
        {"w": np.ones((4, 4), np.float32), "v": np.ones((4, 4), np.float32)},
    )
    a, b, y = session.layers
    assert a.status == b.status == "shared_weight" and y.status == "prunable"
    assert a.shared_with == ("b",) and b.shared_with == ("a",)
    assert "'b'" in a.reason and "'a'" in b.reason
    assert session.summary.num_params == 32


def test_large_weights_are_shared_by_place(open_text):
    session = open_text(
        "g (float[N,99] x) => (float[N,99] y) { a = MatMul (x, w) y = MatMul (a, w) }",
        {"w": np.ones((99, 99), np.float32)},
    )
    assert [str(layer.status) for layer in session.layers] == ["shared_weight"] * 2


def test_a_table_shared_with_an_output_layer(open_text):
    # Tied embeddings: the table is looked up and, transposed, is the last layer.
    session = open_text(
        """g (int64[N] ids) => (float[N,5] y) {
            e = Gather (table, ids)
            t = Transpose <perm = [1,0]> (table)
            y = MatMul (e, t)
        }""",
        {"table": np.ones((5, 3), np.float32)},
    )
    gather, matmul = session.layers
    assert gather.status == "not_prunable" and "looked up" in gather.reason
    assert matmul.status == "shared_weight" and matmul.shared_with == ("e",)


def test_groups(open_text):
    def conv(group, shape, x=4):
        return only(
            open_text(
                f"g (float[1,{x},8,8] x) => (y) {{ y = Conv <group = {group}> (x, k) }}",
                {"k": np.ones(shape, np.float32)},
            )
        )

    depthwise = conv(4, (4, 1, 3, 3))
    assert depthwise.status == "depthwise" and depthwise.group == 4 and depthwise.is_prunable
    grouped = conv(2, (4, 2, 3, 3))
    assert grouped.status == "grouped" and "2 groups" in grouped.reason
    assert conv(1, (4, 4, 3, 3)).status == "prunable"
    # One input channel is no depthwise convolution.
    assert conv(1, (4, 1, 3, 3), x=1).status == "prunable"


def test_a_depthwise_kernel_stored_in_another_layout(open_text):
    # As TensorFlow keeps it: [height, width, in, multiplier].
    layer = only(
        open_text(
            """g (float[1,4,8,8] x) => (float[1,4,6,6] y) {
                w = Transpose <perm = [2,3,0,1]> (k)
                y = Conv <group = 4> (x, w)
            }""",
            {"k": np.ones((3, 3, 4, 1), np.float32)},
        )
    )
    assert layer.status == "depthwise" and layer.macs == 9 * 4 * 36


@pytest.mark.parametrize(
    ("text", "weights", "reason"),
    [
        ("float[2,3] x, float[3,4] w", {}, "both inputs are computed"),
        ("float[2,3] x", {"w": np.zeros((3, 0), np.float32)}, "empty"),
    ],
)
def test_products_without_a_weight(open_text, text, weights, reason):
    session = open_text(f"g ({text}) => (float[M,N] y) {{ y = MatMul (x, w) }}", weights)
    assert only(session).status == "not_prunable" and reason in only(session).reason
    assert session.summary.num_layers == 1 and session.summary.num_prunable == 0


def test_two_constants_are_no_layer(open_text):
    session = open_text("g () => (float[3,3] y) { y = MatMul (a, b) }", {"a": W, "b": W.T})
    assert "Both inputs are constant" in only(session).reason


def test_a_constant_on_the_left(open_text):
    layer = only(
        open_text("g (float[B,4,5] x) => (float[B,3,5] y) { y = MatMul (w, x) }", {"w": W})
    )
    assert layer.status == "prunable" and layer.name == "w" and layer.macs == 12 * 5


def test_a_computed_kernel(open_text):
    session = open_text(
        "g (float[1,2,8,8] x, float[3,2,3,3] k) => (float[1,3,6,6] y) { y = Conv (x, k) }"
    )
    assert "kernel is computed" in only(session).reason


def test_a_sparse_initializer_is_said(open_text):
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 21]> g (float[N,3] x) => (float[N,4] y)'
        "{ y = MatMul (x, w) }"
    )
    values = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    indices = helper.make_tensor("i", TensorProto.INT64, [2], [0, 5])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [3, 4]))
    layer = only(open_text(model))
    assert layer.status == "not_prunable" and "sparse" in layer.reason


UNPRUNED = {
    "Gather": ("int64[N] i", "y = Gather (w, i)", "looked up"),
    "LSTM": ("float[5,1,3] x", "y = LSTM <hidden_size = 4> (x, w3, r3)", "Recurrent"),
    "GRU": ("float[5,1,3] x", "y = GRU <hidden_size = 4> (x, w3, r3)", "Recurrent"),
    "Einsum": ("float[N,3] x", 'y = Einsum <equation = "ab,bc->ac"> (x, w)', "Einsum"),
    "MatMulInteger": ("int8[N,3] x", "y = MatMulInteger (x, q)", "QDQ"),
    "QLinearMatMul": ("int8[N,3] x", "y = QLinearMatMul (x, s, z, q, s, z, s, z)", "QDQ"),
    "QLinearConv": ("int8[1,2,8,8] x", "y = QLinearConv (x, s, z, k, s, z, s, z)", "QDQ"),
    "MatMulNBits": (
        "float[N,32] x",
        "y = com.microsoft.MatMulNBits <K = 32, N = 2, bits = 4, block_size = 16> (x, p, s2)",
        "before quantizing",
    ),
    "Add": ("float[N,3,4] x", "y = Add (x, w)", "not an operator Studio prunes"),
}


@pytest.mark.parametrize("op", UNPRUNED)
def test_other_operators_with_weights_are_listed_with_a_reason(open_text, op):
    inputs, node, reason = UNPRUNED[op]
    session = open_text(
        f"g ({inputs}) => (float[A] y) {{ {node} }}",
        {
            "w": W,
            "q": Q,
            "k": K.astype(np.int8),
            "w3": np.ones((1, 16, 3), np.float32),
            "r3": np.ones((1, 16, 4), np.float32),
            "s": np.float32(1),
            "z": np.int8(0),
            "p": np.ones((2, 2, 8), np.uint8),
            "s2": np.ones(4, np.float32),
        },
    )
    layer = only(session)
    assert layer.op_type == op and layer.status == "not_prunable" and reason in layer.reason
    assert not layer.is_prunable and layer.macs is None
    assert session.loss.curves == () and session.perf.curves == ()


def test_the_same_name_in_another_domain_is_another_operator(open_text):
    session = open_text(
        """<ir_version: 8, opset_import: ["": 17, "my": 1]>
        g (float[N,3] x) => (float[N,4] y) { y = my.MatMul (x, w) }""",
        {"w": W},
    )
    assert only(session).status == "not_prunable"


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "bert_base"])
def test_every_weight_of_a_known_model_belongs_to_a_layer(generated, name):
    options = {"num_layers": 2, "vocabulary_size": 100} if name == "bert_base" else {}
    session = Session.open(generated(name, **options))
    listed = {layer.name for layer in session.layers if layer.weight is not None}
    matrices = {
        t.name for t in session.model.tensors() if t.is_float and sum(d > 1 for d in t.shape) > 1
    }
    assert matrices <= listed
    used = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
    candidates = [n.id for n in session.model.nodes() if n.op_type in used]
    assert set(candidates) <= {layer.id for layer in session.layers}
    assert all(layer.reason for layer in session.layers if layer.status != "prunable")


def test_layers_come_in_the_order_of_the_nodes(generated):
    session = Session.open(generated("resnet18"))
    order = [n.id for n in session.model.nodes()]
    ids = [layer.id for layer in session.layers]
    assert ids == [i for i in order if i in set(ids)]
    assert ids[0] == "123" and session.layers[0].name == "input.conv.weight"


def test_labels_are_words():
    assert LayerStatus.SHARED_WEIGHT.label == "shared weight"
    assert {s.value for s in LayerStatus} >= {"prunable", "in_subgraph", "not_prunable"}
