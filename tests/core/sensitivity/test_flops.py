"""The performance estimate: the contract's point, and formulas by hand."""

from __future__ import annotations

import numpy as np
import pytest

from studio_core.sensitivity import estimate_perf
from studio_core.session import Session


def test_the_contract_point(generated):
    layers = Session.open(generated("resnet18")).layers
    (curve,) = estimate_perf(layers[:1], resolution="full").curves
    assert curve.baseline_flops == 118013952.0
    assert curve.sparsities[0] == 0.00095663265306122445
    assert curve.flops[0] == 117901056.0
    assert curve.timings_ms is None and curve.baseline_timing_ms is None


def test_what_is_left_at_each_level(mlp):
    first, second, third = estimate_perf(mlp.layers, levels=[0.5, 1.0]).curves
    assert (first.baseline_flops, first.flops.tolist()) == (16.0, [10.0, 4.0])
    assert (second.baseline_flops, second.flops.tolist()) == (30.0, [18.0, 6.0])
    assert (third.baseline_flops, third.flops.tolist()) == (8.0, [4.0, 0.0])


@pytest.mark.parametrize("resolution", ["default", "full"])
def test_work_never_grows_with_sparsity(generated, resolution):
    analysis = estimate_perf(Session.open(generated("mobilenet_v2")).layers, resolution=resolution)
    for curve in analysis.curves:
        assert np.all(np.diff(curve.flops) <= 0)
        assert curve.flops[0] <= curve.baseline_flops
        assert np.all(np.isfinite(curve.flops)) and curve.flops[-1] >= 0


def test_levels_count_whole_weights(open_text):
    # Of 3 weights, 0.5 removes the nearest whole number: 2.
    session = open_text("g (float[N,3] x) => (y) { y = MatMul (x, w) }",
                        {"w": np.ones((3, 1), np.float32)})  # fmt: skip
    (curve,) = estimate_perf(session.layers, levels=[0.1, 0.5, 0.9]).curves
    assert curve.flops.tolist() == pytest.approx([3.0, 1.0, 0.0])


def test_unknown_work_is_not_zero(open_text):
    session = open_text("g (float[N,S,3] x) => (y) { y = MatMul (x, w) }",
                        {"w": np.ones((3, 4), np.float32)})  # fmt: skip
    (curve,) = session.perf.curves
    assert curve.baseline_flops is None and np.all(np.isnan(curve.flops))
    assert curve.flops.size == curve.sparsities.size
