"""MACs against figures worked by hand, and against a library by somebody else."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from studio_core.session import Session


def only(session):
    (layer,) = session.layers
    return layer


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def test_the_contract_figure(generated):
    # 7·7 kernel · 3 channels · 64 filters · 112·112 positions.
    first = Session.open(generated("resnet18")).layers[0]
    assert first.macs == 118013952 == 7 * 7 * 3 * 64 * 112 * 112
    assert first.weight_size == 9408


@pytest.mark.parametrize(
    ("inputs", "node", "weights", "macs"),
    [
        ("float[1,8,10] x", "Conv (x, w)", {"w": ones(4, 8, 3)}, 3 * 8 * 4 * 8),
        ("float[1,2,5,6,7] x", "Conv (x, w)", {"w": ones(4, 2, 3, 3, 3)}, 54 * 4 * 3 * 4 * 5),
        ("float[1,6,8,8] x", "Conv <group = 3> (x, w)", {"w": ones(9, 2, 3, 3)}, 18 * 9 * 36),
        ("float[1,6,8,8] x", "Conv <group = 6> (x, w)", {"w": ones(6, 1, 3, 3)}, 9 * 6 * 36),
        (
            "float[1,2,9,9] x",
            "Conv <strides = [2,2], dilations = [2,2]> (x, w)",
            {"w": ones(4, 2, 3, 3)},
            18 * 4 * 9,
        ),
        # Batch 5 was exported; MACs are those of one sample.
        ("float[5,2,4,4] x", "Conv (x, w)", {"w": ones(4, 2, 1, 1)}, 2 * 4 * 16),
        # Each input element meets kernel · output channels of its group.
        ("float[1,3,5,5] x", "ConvTranspose (x, w)", {"w": ones(3, 4, 2, 2)}, 25 * 3 * 16),
        (
            "float[1,4,5,5] x",
            "ConvTranspose <group = 2, strides = [2,2]> (x, w)",
            {"w": ones(4, 3, 2, 2)},
            25 * 4 * 3 * 4,
        ),
        ("float[7,3] x", "Gemm (x, w)", {"w": ones(3, 4)}, 12),
        ("float[7,3] x", "Gemm <transB = 1> (x, w)", {"w": ones(4, 3)}, 12),
        ("float[N,3] x", "Gemm <transB = 1> (x, w, b)", {"w": ones(4, 3), "b": ones(4)}, 12),
        ("float[3,7] x", "Gemm <transA = 1> (x, w)", {"w": ones(3, 4)}, None),
        ("float[N,6,3] x", "MatMul (x, w)", {"w": ones(3, 4)}, 6 * 12),
        ("float[N,2,6,3] x", "MatMul (x, w)", {"w": ones(3, 4)}, 2 * 6 * 12),
        ("float[N,4,6] x", "MatMul (w, x)", {"w": ones(3, 4)}, 6 * 12),
        # A weight for each head: [heads, inner, outer].
        ("float[N,5,6,3] x", "MatMul (x, w)", {"w": ones(5, 3, 4)}, 5 * 6 * 12),
        # Vectors on either side.
        ("float[3] x", "MatMul (x, w)", {"w": ones(3, 4)}, 12),
        ("float[N,6,3] x", "MatMul (x, w)", {"w": ones(3)}, 6 * 3),
        ("float[4] x", "MatMul (w, x)", {"w": ones(3, 4)}, 12),
        ("float[N,3,6] x", "MatMul (w, x)", {"w": ones(3)}, 3 * 6),
        ("float[3] x", "MatMul (w, x)", {"w": ones(3)}, 3),
    ],
)
def test_by_hand(open_text, inputs, node, weights, macs):
    session = open_text(f"g ({inputs}) => (y) {{ y = {node} }}", weights)
    layer = only(session)
    if macs is None:  # transA: 7 columns are the rows of the product
        macs = 7 * 12 // session.model.batch if 84 % session.model.batch == 0 else 84
    assert layer.macs == macs, layer.macs_unknown_because


def test_attention_products_count_without_a_weight(open_text):
    layer = only(
        open_text(
            "g (float[N,2,5,8] q, float[N,2,8,7] k) => (float[N,2,5,7] y) { y = MatMul (q, k) }"
        )
    )
    assert layer.macs == 2 * 5 * 7 * 8
    assert layer.status == "not_prunable"


def test_weights_in_another_layout_cost_the_same(open_text):
    plain = only(open_text("g (float[1,2,8,8] x) => (y) { y = Conv (x, w) }",
                           {"w": ones(4, 2, 3, 3)}))  # fmt: skip
    stored = only(
        open_text(
            "g (float[1,2,8,8] x) => (y) { k = Transpose <perm = [3,2,0,1]> (w) y = Conv (x, k) }",
            {"w": ones(3, 3, 2, 4)},
        )
    )
    assert plain.macs == stored.macs == 18 * 4 * 36


def test_an_unknown_dimension_is_named(open_text):
    text = "g (float[batch,seq,3] x) => (float[batch,seq,4] y) { y = MatMul (x, w) }"
    session = open_text(text, {"w": ones(3, 4)})
    layer = only(session)
    assert layer.macs is None and "'seq'" in layer.macs_unknown_because
    assert session.summary.macs is None and session.summary.num_macs_unknown == 1
    assert np.isnan(session.perf.curves[0].flops).all()
    assert session.perf.curves[0].baseline_flops is None

    assert only(open_text(text, {"w": ones(3, 4)}, dimensions={"seq": 10})).macs == 120
    # A batch that was given changes nothing for one sample.
    for batch in (1, 6):
        given = open_text(text, {"w": ones(3, 4)}, dimensions={"seq": 10, "batch": batch})
        assert only(given).macs == 120


def test_a_given_batch_treats_all_operators_alike(open_text):
    text = """g (float[batch,2,4,4] x) => (float[batch,5] y) {
        c = Conv (x, k)
        f = Flatten (c)
        y = Gemm (f, w)
    }"""
    weights = {"k": ones(3, 2, 1, 1), "w": ones(48, 5)}
    one, eight = (open_text(text, weights, dimensions={"batch": b}) for b in (1, 8))
    assert [x.macs for x in one.layers] == [x.macs for x in eight.layers] == [96, 240]


def test_a_dimension_without_a_name(open_text):
    layer = only(open_text("g (float[1,?,3] x) => (y) { y = MatMul (x, w) }", {"w": ones(3, 4)}))
    assert layer.macs is None and layer.macs_unknown_because


def counted_elsewhere(path) -> dict[str, int]:
    """MACs of the products by onnx-tool, which counts a bias addition as a MAC, too."""
    onnx_tool = pytest.importorskip("onnx_tool")
    with contextlib.redirect_stdout(io.StringIO()):
        model = onnx_tool.Model(str(path))
        model.graph.shape_infer(None)
        model.graph.profile()
    return {
        name: int(np.ravel(node.macs)[0])
        for name, node in model.graph.nodemap.items()
        if node.op_type in ("Conv", "Gemm", "MatMul")
    }


PUBLISHED = {
    "resnet18": 1.814e9,
    "resnet50": 4.089e9,
    "mobilenet_v2": 0.3008e9,
    "bert_base": 11.17e9 / 4,  # a sequence of 128, three of its twelve layers
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_known_models_against_another_library(generated, name):
    # The vocabulary costs no MACs.
    options = {"vocabulary_size": 100, "num_layers": 3} if name == "bert_base" else {}
    path = generated(name, **options)
    session = Session.open(path)
    theirs = counted_elsewhere(path)
    ours = {x.node_name: x for x in session.layers if x.macs is not None}
    assert set(ours) == set(theirs)
    for node_name, layer in ours.items():
        per_output = int(np.prod(layer.output_shape)) if layer.bias_size else 0
        assert theirs[node_name] in (layer.macs, layer.macs + per_output), node_name
    assert session.summary.macs == pytest.approx(PUBLISHED[name], rel=1e-3)
