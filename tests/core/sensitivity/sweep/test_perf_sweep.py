"""The performance sweep: what it claims, what it does not, and its document."""

import json
from dataclasses import dataclass, field

import numpy as np
import pytest

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.data import Samples
from studio_core.layers import find_layers
from studio_core.models.model import open_model
from studio_core.pruning.masks import Granularity
from studio_core.samples import sample_path
from studio_core.sensitivity.documents import from_document, to_document
from studio_core.sensitivity.sweep.engine import RunTimes
from studio_core.sensitivity.sweep.measured_perf import (
    MeasuredPerf,
    continues_perf,
    perf_measurements_of,
)
from studio_core.sensitivity.sweep.perf_sweep import PerfSettings, PerfSweep
from studio_core.sensitivity.sweep.timing import Verdict, compare, sign_test

CHANNEL = Granularity.CHANNEL


@dataclass
class SparseEngine:
    """An engine that skips zeros: a layer takes 1 ms for each 1000 weights that are left."""

    name: str = "sparse"
    version: str = "1"
    num_threads: int = 1
    unattributed: dict = field(default_factory=dict)
    not_run: tuple = ()
    num_loaded: int = 0

    def load(self, _model, layers):
        return SparseModel(
            self, layers, {layer.name: layer.weight.tensor.read() for layer in layers}
        )


@dataclass
class SparseModel:
    engine: SparseEngine
    layers: list
    weights: dict

    @property
    def unattributed(self):
        return self.engine.unattributed

    def replaced(self, weights):
        self.engine.num_loaded += 1
        return SparseModel(self.engine, self.layers, self.weights | weights)

    def probe(self, _feed):
        return SparseProbe(self)


class SparseProbe:
    def __init__(self, model):
        self.model, self.runs = model, 0

    def run(self):
        self.runs += 1

    def finish(self):
        noise = 1 + 0.01 * np.random.default_rng(self.runs).random(self.runs)
        times = {
            layer.id: np.count_nonzero(self.model.weights[layer.name]) / 1000 * noise
            for layer in self.model.layers
            if layer.id not in self.model.engine.not_run
        }
        return RunTimes(sum(times.values()), times, {})


@pytest.fixture(scope="module")
def cnn():
    return open_model(sample_path("digits_cnn"))


def element_sweep(model, engine, levels=(0.5, 0.9), **options):
    settings = PerfSettings(levels=levels, warmup=1, iterations=20)
    return PerfSweep(model, find_layers(model), settings, engine=engine, **options)


def measured(sweep):
    found = MeasuredPerf(sweep, "test")
    for measurement in sweep:
        found.add(measurement)
    return found


# Claims


def test_an_engine_that_skips_zeros_is_seen_to_gain(cnn):
    engine = SparseEngine()
    sweep = element_sweep(cnn, engine)
    found = measured(sweep)
    assert found.num_measured == sweep.num_measurements == 2 * len(sweep.prunable)
    assert engine.num_loaded == 2  # one pruned model a level, not one a layer and level
    for curve in found.analysis().curves:
        assert curve.timings_ms / curve.baseline_timing_ms == pytest.approx([0.5, 0.1], abs=0.03)
        assert curve.flops / curve.baseline_flops == pytest.approx([0.5, 0.1], abs=0.01)


def test_onnxruntime_gains_nothing_from_zeros_and_the_curve_says_so(cnn):
    found = measured(element_sweep(cnn, None, levels=(0.9,)))
    curves = found.analysis().curves
    # On a busy machine a rare false claim is possible, many are not.
    assert sum(c.timings_ms[0] == c.baseline_timing_ms for c in curves) >= len(curves) - 2


def test_fewer_channels_are_really_faster(open_text):
    rng = np.random.default_rng(0)
    session = open_text(
        """
        big (float[1,128,28,28] x) => (float[1,128,28,28] y) {
            y = Conv <pads = [1,1,1,1]> (x, w)
        }
        """,
        {"w": rng.normal(size=(128, 128, 3, 3)).astype(np.float32)},
    )
    settings = PerfSettings(CHANNEL, levels=(0.75,), warmup=2, iterations=20)
    (measurement,) = PerfSweep(session.model, session.layers, settings)
    assert measurement.num_channels == 32
    assert measurement.comparison.timing.median_ms < 0.6 * measurement.comparison.baseline.median_ms


def test_a_difference_needs_to_exceed_the_spread_and_the_chance():
    rng = np.random.default_rng(0)
    baseline = 1.0 + 0.02 * rng.random(30)
    assert compare(baseline * 0.5, baseline).verdict is Verdict.FASTER
    assert compare(baseline * 2.0, baseline).verdict is Verdict.SLOWER
    assert compare(baseline * 0.97, baseline).verdict is Verdict.SAME  # two sessions may differ so
    noisy = 1.0 + rng.random(30)
    assert compare(noisy * 0.9, noisy).verdict is Verdict.SAME
    assert compare(baseline[:4] * 0.5, baseline[:4]).verdict is Verdict.SAME  # 4 runs prove nothing
    assert compare(baseline[:4] * 0.5, baseline[:4]).accepted_gain == 0.0


def test_a_baseline_without_time_has_no_gain():
    found = compare(np.zeros(5), np.zeros(5))
    assert (found.gain, found.verdict, found.p_value) == (None, Verdict.SAME, 1.0)


def test_the_sign_test_is_exact():
    assert sign_test(np.array([-1.0] * 10)) == 2 / 2**10
    assert sign_test(np.array([-1.0, 1.0, 0.0])) == 1.0
    assert sign_test(np.array([-1.0] * 9 + [1.0])) == 2 * 11 / 2**10
    assert sign_test(np.array([])) == 1.0


# Channels


@pytest.mark.parametrize("name", ["digits_cnn", "digits_transformer"])
def test_every_layer_is_timed_with_fewer_channels(name):
    model = open_model(sample_path(name))
    settings = PerfSettings(CHANNEL, levels=(0.5, 0.9), warmup=0, iterations=2)
    sweep = PerfSweep(model, find_layers(model), settings)
    found = measured(sweep)
    assert sweep.skipped == {}
    assert found.num_measured == sweep.num_measurements
    for curve in found.analysis().curves:
        assert np.all(curve.flops <= curve.baseline_flops)
        assert curve.timings_ms is not None


def test_all_kinds_of_layers_can_be_built_smaller(open_text):
    rng = np.random.default_rng(0)
    shapes = {
        "depth": (32, 1, 3, 3),
        "grouped": (64, 16, 1, 1),
        "up": (64, 32, 2, 2),
        "left": (48, 32),
        "flipped": (64, 2592),
        "bias": (64,),
    }
    session = open_text(
        """
        kinds (float[1,32,8,8] x) => (float[1,64] y, float[1,48,324] z) {
            a = Conv <group = 32, pads = [1,1,1,1]> (x, depth)
            b = Conv <group = 2> (a, grouped)
            c = ConvTranspose <pads = [0,0,0,0], strides = [1,1]> (b, up)
            d = Reshape (c, cut)
            e = Slice (d, zero, columns, two)
            z = MatMul (left, e)
            f = Slice (c, zero, rows, two)
            g = Reshape (c, flat)
            h = Slice (g, zero, wide, one)
            y = Gemm <transB = 1> (h, flipped, bias)
        }
        """,
        {n: rng.normal(size=s).astype(np.float32) for n, s in shapes.items()}
        | {
            "cut": np.array([1, 32, 81], np.int64),
            "flat": np.array([1, 2592], np.int64),
            "zero": np.array([0], np.int64),
            "one": np.array([1], np.int64),
            "two": np.array([2], np.int64),
            "columns": np.array([81], np.int64),
            "rows": np.array([8], np.int64),
            "wide": np.array([2592], np.int64),
        },
    )
    settings = PerfSettings(CHANNEL, levels=(0.5,), warmup=0, iterations=1)
    sweep = PerfSweep(session.model, session.layers, settings)
    kept = {m.layer_id: m.num_channels for m in sweep}
    assert sweep.skipped == {}
    assert kept == {"a": 16, "b": 32, "c": 16, "z": 32, "y": 32}


def test_a_layer_of_unknown_shape_is_named_and_stays_unknown(open_text):
    session = open_text(
        "free (float[N,rows,8] x) => (float[N,rows,64] y) { y = MatMul (x, w) }",
        {"w": np.ones((8, 64), np.float32)},
    )
    sweep = PerfSweep(session.model, session.layers, PerfSettings(CHANNEL))
    assert list(sweep) == []
    assert "free dimensions" in sweep.skipped["y"]
    assert sweep.num_measurements == 0
    document = to_document(MeasuredPerf(sweep, "x").analysis())
    (entry,) = document["layerSensitivities"]
    assert entry["baseline"] == {"sparsity": 0.0, "flops": None, "timing": None}
    assert {point["timing"] for point in entry["sparse"]} == {None}


# Sweeps


def test_a_layer_that_is_not_found_or_does_not_run_has_no_time(cnn):
    layers = [layer for layer in find_layers(cnn) if layer.is_prunable]
    engine = SparseEngine(unattributed={layers[0].id: "fused"}, not_run=(layers[1].id,))
    found = measured(element_sweep(cnn, engine))
    first, second, third = found.analysis().curves[:3]
    assert first.timings_ms is None and first.baseline_timing_ms is None
    assert second.timings_ms is None
    assert third.timings_ms is not None
    reasons = found.analysis().provenance["notMeasured"]
    assert reasons[layers[0].id] == "fused" and "did not run" in reasons[layers[1].id]
    assert found.num_measured == found.sweep.num_measurements


def test_an_interrupted_sweep_goes_on_where_it_was(cnn):
    whole = measured(element_sweep(cnn, SparseEngine())).analysis()
    part = MeasuredPerf(element_sweep(cnn, SparseEngine()), "test")
    for measurement, _ in zip(part.sweep, range(20), strict=False):
        part.add(measurement)
    saved = from_document("perf", "test", json.loads(json.dumps(to_document(part.analysis()))))
    engine = SparseEngine()
    sweep = element_sweep(cnn, engine, done=perf_measurements_of(saved))
    assert continues_perf(saved, sweep)
    resumed = measured(sweep)
    assert resumed.num_measured == sweep.num_measurements
    assert engine.num_loaded == 1  # only the level that was not finished
    assert to_document(resumed.analysis()) == to_document(whole)


def test_another_model_or_setting_does_not_continue(cnn):
    saved = measured(element_sweep(cnn, SparseEngine())).analysis()
    other = PerfSweep(cnn, find_layers(cnn), PerfSettings(iterations=7), engine=SparseEngine())
    assert not continues_perf(saved, other)


def test_the_document_has_the_keys_of_the_contract(cnn):
    document = to_document(measured(element_sweep(cnn, SparseEngine())).analysis())
    entry = document["layerSensitivities"][0]
    assert set(entry["baseline"]) == {"flops", "sparsity", "timing"}
    assert all(set(point) == {"flops", "sparsity", "timing"} for point in entry["sparse"])
    layer = next(layer for layer in find_layers(cnn) if layer.id == entry["id"])
    assert entry["baseline"]["flops"] == 2 * layer.macs
    assert document["source"] == "measured"
    known = document["provenance"]
    assert known["numThreads"] == 1 and known["iterations"] == 20 and known["warmup"] == 1
    assert known["versions"]["sparse"] == "1" and known["cpu"]
    assert known["timings"][0]["baseline"]["q1"] <= known["timings"][0]["baseline"]["q3"]
    json.dumps(document, allow_nan=False)
    assert to_document(from_document("perf", "test", document)) == document


def test_the_default_levels_are_those_of_the_contract():
    assert PerfSettings().levels == (0.4, 0.6, 0.7, 0.8, 0.85, 0.875, 0.9, 0.925, 0.95, 0.975, 0.99)
    assert (PerfSettings().warmup, PerfSettings().iterations) == (5, 30)


def test_what_cannot_be_measured_is_refused(cnn):
    with pytest.raises(InvalidRequestError, match="element"):
        PerfSweep(cnn, find_layers(cnn), PerfSettings(Granularity.N_OF_M))
    few = Samples({"image": np.zeros((2, 1, 8, 8), np.float32)})
    sweep = PerfSweep(cnn, find_layers(cnn), PerfSettings(batch_size=3), few)
    with pytest.raises(InvalidRequestError, match="batch of 3"):
        next(iter(sweep))
