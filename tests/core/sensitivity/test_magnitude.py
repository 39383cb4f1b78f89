"""The loss estimate against the plainest numpy that computes the same."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from studio_core.layers.layer import Layer, LayerStatus
from studio_core.layers.weight import Quantization, Weight
from studio_core.models.tensor import Tensor
from studio_core.sensitivity import estimate_loss, full_grid
from studio_core.sensitivity.magnitude import METRICS
from studio_core.session import Session

LEVELS = (0.05, 0.25, 0.5, 0.9, 1.0)


def layer_of(array: np.ndarray, quantization: Quantization | None = None) -> Layer:
    tensor = Tensor("w", onnx.numpy_helper.from_array(np.asarray(array), "w"), None)
    weight = Weight(tensor, (), quantization)
    return Layer("y", "w", "n", "MatMul", (), ("y",), {}, LayerStatus.PRUNABLE, weight=weight)


def curve(array, metric, levels=LEVELS, quantization=None) -> np.ndarray:
    analysis = estimate_loss([layer_of(array, quantization)], levels=levels, metric=metric)
    (found,) = analysis.curves
    assert found.sparsities.tolist() == sorted(set(levels))
    return found.losses


def naive(array: np.ndarray, metric: str, levels=LEVELS) -> list[float]:
    """Prune for real: zero the smallest, and look at what is gone."""
    flat = np.abs(np.asarray(array).astype(np.float64)).reshape(-1)
    order = np.argsort(flat, kind="stable")
    result = []
    for level in sorted(set(levels)):
        gone = flat[order[: int(np.floor(level * flat.size + 0.5))]]
        if metric == "magnitude":
            result.append(float(gone.sum()))
        else:
            total = float((flat**2).sum())
            result.append(float(np.sqrt((gone**2).sum() / total)) if total else 0.0)
    return result


ordinary = st.floats(-1000, 1000, width=16)
arrays = hnp.arrays(
    np.float32,
    hnp.array_shapes(max_dims=3, max_side=12),
    elements=st.one_of(ordinary, st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5])),
)


@settings(max_examples=150, deadline=None)
@given(
    array=arrays,
    metric=st.sampled_from(["magnitude", "l2_share"]),
    levels=st.lists(st.floats(0.001, 1), min_size=1, max_size=8),
)
def test_equals_the_plainest_computation(array, metric, levels):
    found = curve(array, metric, levels)
    assert np.allclose(found, naive(array, metric, levels), rtol=2e-5, atol=1e-6)
    assert np.all(np.diff(found) >= 0), "a curve never falls"
    if metric == "l2_share":
        assert np.all((found >= 0) & (found <= 1))


@pytest.mark.parametrize("metric", ["magnitude", "l2_share"])
@pytest.mark.parametrize(
    "array",
    [
        np.zeros(7, np.float32),
        np.full(10, 3, np.float32),
        np.array([2.0], np.float32),
        np.array([0.0], np.float32),
        np.array([1, 1, 1, 2, 2, 0, 0], np.float32),
        np.linspace(-1, 1, 999, dtype=np.float16),
        np.linspace(-1, 1, 999).astype(ml_dtypes.bfloat16),
        np.linspace(-1, 1, 999, dtype=np.float64),
    ],
    ids=lambda a: f"{a.dtype}-{a.size}",
)
def test_ties_constants_zeros_and_types(array, metric):
    assert np.allclose(curve(array, metric), naive(array, metric), rtol=1e-5, atol=1e-7)


def test_a_constant_layer_is_pruned_by_count_not_by_threshold():
    # The ancestors removed nothing here, and called the layer the most robust of all.
    assert np.allclose(curve(np.full(10, 3, np.float32), "magnitude", [0.5, 0.9]), [15, 27])


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e-10, 1.0, 1e15, 1e25, 3e37])
def test_shares_do_not_depend_on_the_scale(scale):
    # In float32 the squares of these would vanish, or be infinite.
    array = np.linspace(0.1, 1, 200, dtype=np.float32)
    scaled = (array * np.float32(scale)).astype(np.float32)
    assert np.allclose(curve(scaled, "l2_share"), naive(array, "l2_share"), rtol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_weights_that_are_no_numbers_make_the_share_unknown(bad, dtype):
    array = np.array([1, 2, bad, 3], dtype)
    assert np.all(np.isnan(curve(array, "l2_share"))), "unknown, not a layer that loses nothing"
    # The plain sum is known as long as only finite weights go.
    found = curve(array, "magnitude", [0.25, 0.5, 0.75, 1.0])
    assert found[:3].tolist() == [1, 3, 6] and not np.isfinite(found[3])


def test_quantized_weights_by_their_real_values():
    stored = np.array([[0, 10, 20], [4, 4, 5]], np.int8)
    q = Quantization(np.array([1.0, 100.0]), np.array([0.0, 4.0]), axis=0)
    real = np.array([[0, 10, 20], [0, 0, 100]])
    assert np.allclose(curve(stored, "magnitude", quantization=q), naive(real, "magnitude"))
    assert np.allclose(curve(stored, "l2_share", quantization=q), naive(real, "l2_share"))


def test_the_contract_grid_on_the_contract_layer(generated):
    layers = Session.open(generated("resnet18")).layers
    analysis = estimate_loss(layers[:1], resolution="full", metric="magnitude")
    (found,) = analysis.curves
    assert found.sparsities[0] == 0.00095663265306122445
    assert len(found.sparsities) == 1046
    weights = np.sort(np.abs(layers[0].weight.tensor.read()).reshape(-1).astype(np.float64))
    expected = np.cumsum(weights)[np.minimum(np.arange(1, 1047) * 9, 9408) - 1]
    assert np.allclose(found.losses, expected, rtol=1e-5)
    assert found.losses[0] == pytest.approx(weights[:9].sum(), rel=1e-6)


def test_full_grids_have_their_own_length_a_layer(mlp):
    analysis = estimate_loss(mlp.layers, resolution="full")
    assert [c.sparsities.size for c in analysis.curves] == [12, 24, 8]
    for c in analysis.curves:
        assert np.array_equal(c.sparsities, full_grid(c.sparsities.size))
    assert analysis.provenance["resolution"] == "full"


def test_threads_change_nothing(generated):
    layers = Session.open(generated("mobilenet_v2")).layers
    one = estimate_loss(layers, num_threads=1)
    for num_threads in (2, 7):
        more = estimate_loss(layers, num_threads=num_threads)
        for a, b in zip(one.curves, more.curves, strict=True):
            assert a.layer_id == b.layer_id and np.array_equal(a.losses, b.losses)


def test_curves_are_those_of_the_prunable_layers_in_order(generated):
    session = Session.open(generated("bert_base", num_layers=1, vocabulary_size=50))
    prunable = [layer.id for layer in session.layers if layer.is_prunable]
    assert list(session.loss.layer_ids) == prunable == list(session.perf.layer_ids)
    assert session.loss.curve("nothing") is None
    first = session.loss.curve(prunable[0])
    assert first.layer_id == prunable[0]
    assert first.baseline_loss == 0.0 and first.at(0.0) == 0.0
    assert first.at(1.0) == pytest.approx(1.0)


def test_no_layers_no_curves():
    assert estimate_loss([]).curves == ()


def test_what_the_metrics_say_of_themselves():
    for metric in METRICS.values():
        assert not metric.higher_is_better and metric.label and metric.description


def test_a_curve_between_its_levels(mlp):
    found = estimate_loss(mlp.layers, levels=[0.5, 1.0]).curves[0]
    assert found.at(0.25) == pytest.approx(found.losses[0] / 2)
    assert found.at(0.75) == pytest.approx((found.losses[0] + found.losses[1]) / 2)
