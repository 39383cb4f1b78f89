"""The summary's numbers against direct counting."""

from __future__ import annotations

import numpy as np
import pytest

from studio_core.session import Session


def test_counts_of_a_small_model(mlp):
    summary = mlp.summary
    assert summary.num_layers == summary.num_prunable == 3
    assert summary.num_params == 12 + 4 + 24 + 6 + 8
    assert summary.num_bytes == 54 * 4 + 3 * 8  # and three integers for Slice
    assert summary.macs == 12 + 24 + 8
    assert summary.num_macs_unknown == 0
    assert summary.sparsity == 0.0
    assert summary.num_nodes == 6
    assert summary.opset == "ai.onnx 21, com.microsoft 1"
    assert summary.file_bytes == mlp.model.path.stat().st_size
    assert [i.name for i in summary.inputs] == ["x"]


def test_zeros_are_counted_once_for_a_shared_weight(open_text):
    weight = np.ones((4, 4), np.float32)
    weight[:2] = 0
    session = open_text(
        "g (float[N,4] x) => (y) { a = MatMul (x, w) b = MatMul (a, w) y = MatMul (b, v) }",
        {"w": weight, "v": np.ones((4, 4), np.float32)},
    )
    assert session.summary.sparsity == 8 / 32
    assert session.summary.num_params == 32
    assert session.summary.macs == 48  # but used, and paid for, twice


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("resnet18", 11_684_776),  # batch norms folded, all but the first
        ("resnet50", 25_530_472),
        ("mobilenet_v2", 3_487_816),
    ],
)
def test_parameters_of_known_models(generated, name, params):
    session = Session.open(generated(name))
    assert session.summary.num_params == params
    # Everything float and not a scalar, but for the batch norms' running statistics.
    tensors = [t for t in session.model.tensors() if t.is_float and t.shape]
    assert sum(t.size for t in tensors if "running" not in t.name) == params


def test_the_file_and_its_data_are_weighed_together(generated):
    path = generated("many_layers", num_layers=40, external_data=True)
    data = path.with_name(path.name + ".data")
    summary = Session.open(path).summary
    assert summary.file_bytes == path.stat().st_size + data.stat().st_size


def test_a_model_of_nothing(open_text):
    summary = open_text("g (float[N,3] x) => (float[N,3] y) { y = Relu (x) }").summary
    assert (summary.num_params, summary.macs, summary.sparsity) == (0, None, None)
    assert (summary.num_layers, summary.num_nodes) == (0, 1)
