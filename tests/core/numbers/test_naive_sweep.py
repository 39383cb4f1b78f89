"""The measured loss of every layer is that of a sweep that builds the model anew each time.

To 1e-6, on the generated models and on one small model for each way a weight is read;
``python -m tests.core.numbers`` takes all generated models, and more levels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio_core.evaluation.data import generate_samples
from studio_core.evaluation.metrics import metric_named
from studio_core.samples import sample_path
from studio_core.sensitivity.sweep.loss_sweep import LossSweep, SweepSettings
from studio_core.session import Session

from .naive import NaiveSweep

TOLERANCE = 1e-6

GENERATED: dict[str, dict[str, int]] = {
    "mobilenet_v2": {"batch_norm": True},  # depthwise, and norms that are folded when it is run
    "bert_base": {"num_layers": 1, "vocabulary_size": 50, "sequence_length": 12},
    "many_layers": {"num_layers": 13},
    "large_mlp": {"num_layers": 4, "width": 48},
}


def compare(session: Session, metric: str, levels: tuple[float, ...], num_samples: int) -> int:
    """Measure both ways and return how many points were compared."""
    samples = generate_samples(session.model, num_samples, seed=3)
    settings = SweepSettings(levels, batch_size=num_samples)
    run = LossSweep(session.model, session.layers, samples, metric_named(metric), settings)
    assert run.skipped == {}
    found = {(m.layer_id, m.sparsity): m.value for m in run}
    naive = NaiveSweep(session.model.path, samples.inputs)
    for layer in session.prunable_layers:
        for level in levels:
            expected = getattr(naive, metric)(layer.name, level)
            measured = found.pop((layer.id, level))
            assert measured == pytest.approx(expected, rel=TOLERANCE, abs=TOLERANCE), layer.id
            assert expected > 0, "nothing was pruned: the comparison would hold of itself"
    assert not found
    return len(session.prunable_layers) * len(levels)


@pytest.mark.parametrize("name", GENERATED)
def test_generated_models(generated: Any, name: str) -> None:
    session = Session.open(generated(name, **GENERATED[name]))
    assert compare(session, "relative_l2", (0.7,), 1) >= 4


@pytest.mark.parametrize("name", ["digits_cnn", "digits_transformer"])
def test_trained_models_in_the_metric_of_classes(name: str) -> None:
    assert compare(Session.open(sample_path(name)), "softmax_kl", (0.9,), 3) >= 8


def normal(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def whole(low: int, high: int, dtype: type, *shape: int) -> Any:
    return np.random.default_rng(7).integers(low, high, shape).astype(dtype)


READ: dict[str, tuple[str, dict[str, Any]]] = {
    "grouped": (
        "g (float[N,4,5,5] x) => (float[N,6,5,5] y) "
        "{ y = Conv <group = 2, pads = [1,1,1,1]> (x, w) }",
        {"w": normal(6, 2, 3, 3)},
    ),
    "depthwise": (
        "g (float[N,4,5,5] x) => (float[N,3,5,5] y) "
        "{ d = Conv <group = 4, pads = [1,1,1,1]> (x, w)  r = Relu (d)  y = Conv (r, v) }",
        {"w": normal(4, 1, 3, 3), "v": normal(3, 4, 1, 1)},
    ),
    "transposed convolution": (
        "g (float[N,4,5,5] x) => (float[N,6,11,11] y) "
        "{ y = ConvTranspose <group = 2, strides = [2,2]> (x, w) }",
        {"w": normal(4, 3, 3, 3)},
    ),
    "gemm, each way": (
        "g (float[N,6] x) => (float[N,5] y) "
        "{ a = Gemm <transB = 1, alpha = 0.5> (x, w, b)  r = Relu (a)  y = Gemm (r, v) }",
        {"w": normal(7, 6), "b": normal(7), "v": normal(7, 5)},
    ),
    "matmul, the weight on the left": (
        "g (float[N,6,3] x) => (float[N,5,4] y) { a = MatMul (w, x)  y = MatMul (a, v) }",
        {"w": normal(5, 6), "v": normal(3, 4)},
    ),
    "one weight, two layers": (
        "g (float[N,6] x) => (float[N,6] y) "
        "{ a = MatMul (x, w)  r = Relu (a)  b = MatMul (r, w)  y = MatMul (b, v) }",
        {"w": normal(6, 6), "v": normal(6, 6)},
    ),
    "through a transposition": (
        "g (float[N,6] x) => (float[N,5] y) "
        "{ t = Transpose <perm = [1,0]> (w)  y = MatMul (x, t) }",
        {"w": normal(5, 6)},
    ),
    "constant node": (
        "g (float[N,2] x) => (float[N,3] y) { "
        "w = Constant <value = float[2,3] {0.1, 2.0, -0.3, 0.1, -5.0, 6.0}> ()  "
        "y = MatMul (x, w) }",
        {},
    ),
    "inside a subgraph": (
        """g (float[N,4] x) => (float[N,4] y) {
            a = MatMul (x, w)
            sum = ReduceSum <keepdims = 0> (x)
            square = Mul (sum, sum)
            zero = Constant <value_float = 0.0> ()
            is_negative = Less (square, zero)
            y = If (is_negative) <
                then_branch = t () => (float[N,4] p) { p = MatMul (a, v) },
                else_branch = e () => (float[N,4] q) { b = MatMul (a, w)  q = MatMul (b, v) }
            >
        }""",
        {"w": normal(4, 4), "v": normal(4, 4)},
    ),
    "quantized, a zero point a channel": (
        "g (float[N,8] x) => (float[N,6] y) "
        "{ w = DequantizeLinear <axis = 1> (q, s, z)  y = MatMul (x, w) }",
        {"q": whole(-7, 8, np.int8, 8, 6), "z": whole(-2, 3, np.int8, 6),
         "s": np.linspace(0.1, 0.9, 6).astype(np.float32)},
    ),
    "quantized, one unsigned zero point": (
        "g (float[N,3,4,4] x) => (float[N,5,4,4] y) "
        "{ w = DequantizeLinear (q, s, z)  y = Conv (x, w) }",
        {"q": whole(0, 20, np.uint8, 5, 3, 1, 1), "z": np.array(9, np.uint8),
         "s": np.array(0.25, np.float32)},
    ),
    "many equal magnitudes": (
        "g (float[N,9] x) => (float[N,9] y) { y = MatMul (x, w) }",
        {"w": np.where(whole(0, 2, np.int8, 9, 9) > 0, 1, -1).astype(np.float32)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_each_way_a_weight_is_read(open_text: Any, name: str) -> None:
    session = open_text(*READ[name])
    assert compare(session, "relative_l2", (0.3, 0.5, 0.95), 4) >= 3


def test_the_naive_sweep_by_hand(write_model: Any) -> None:
    """[[1, 2], [3, 4]] without its smallest half keeps the 3 and the 4."""
    path: Path = write_model(
        "g (float[N,2] x) => (float[N,2] y) { y = MatMul (x, w) }",
        {"w": np.array([[1, -2], [3, -4]], np.float32)},
    )
    naive = NaiveSweep(path, {"x": np.array([[1, 1]], np.float32)})
    assert naive.relative_l2("w", 0.5) == pytest.approx(np.hypot(1, 2) / np.hypot(4, 6))
