"""The performance sweep: what it claims, what it does not, and its document."""

import json
from dataclasses import dataclass, field

import numpy as np
import pytest

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.data import Samples
from studio_core.layers import find_layers
from studio_core.models.model import open_model
from studio_core.pruning.masks import Granularity, element_mask
from studio_core.pruning.storage_bytes import storage_bytes
from studio_core.samples import sample_path
from studio_core.sensitivity.documents import from_document, to_document
from studio_core.sensitivity.sweep.engine import RunTimes
from studio_core.sensitivity.sweep.measured_perf import MeasuredPerf, done_of, perf_obstacles
from studio_core.sensitivity.sweep.perf_documents import perf_measurements_of, run_profile_of
from studio_core.sensitivity.sweep.perf_run import PerfRun
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
            if layer.id not in {*self.model.engine.not_run, *self.model.engine.unattributed}
        }
        return RunTimes(sum(times.values()), times, {})


@pytest.fixture(scope="module")
def cnn():
    return open_model(sample_path("digits_cnn"))


def element_run(model, engine, levels=(0.5, 0.9), **options):
    settings = PerfSettings(levels=levels, warmup=1, iterations=20)
    kinds = options.pop("granularities", [Granularity.ELEMENT])
    layers = find_layers(model)
    return PerfRun(model, layers, settings, engine=engine, granularities=kinds, **options)


def measured(run):
    found = MeasuredPerf(run, "test")
    for step in run:
        found.add(step)
    return found


def channels_of(model, levels=(0.5, 0.9), iterations=2):
    settings = PerfSettings(levels=levels, warmup=0, iterations=iterations)
    return PerfRun(model, find_layers(model), settings, granularities=[CHANNEL])


# Claims


def test_an_engine_that_skips_zeros_is_seen_to_gain(cnn):
    engine = SparseEngine()
    run = element_run(cnn, engine)
    found = measured(run)
    # The run as it is, two levels of each layer, the compressed sizes of each layer.
    assert found.num_done == run.num_steps == 1 + 3 * len(run.prunable)
    assert engine.num_loaded == 2  # one pruned model a level, not one a layer and level
    for curve in found.analysis().curves:
        assert curve.timings_ms / curve.baseline_timing_ms == pytest.approx([0.5, 0.1], abs=0.03)
        assert curve.flops / curve.baseline_flops == pytest.approx([0.5, 0.1], abs=0.01)


def test_onnxruntime_gains_nothing_from_zeros_and_the_curve_says_so(cnn):
    found = measured(element_run(cnn, None, levels=(0.9,)))
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


# The run, and bytes


def test_layers_and_the_unattributed_rest_are_the_run(cnn):
    found = measured(element_run(cnn, None, levels=(0.5,), granularities=[CHANNEL]))
    analysis, profile = found.analysis(), found.profile
    layers = sum(curve.baseline_timing_ms for curve in analysis.curves)
    run = analysis.provenance["run"]
    assert layers + run["unattributedMs"] == pytest.approx(analysis.run_ms, rel=1e-9)
    parts = [*profile.other_kernels.values(), profile.between_kernels]
    rest = sum(timing.median_ms for timing in parts) + profile.disturbance_ms
    assert rest == pytest.approx(run["unattributedMs"], rel=1e-9)
    assert 0 < layers < analysis.run_ms


def test_flops_are_twice_the_macs_of_the_layers_that_are_left(cnn):
    kinds = [Granularity.ELEMENT, CHANNEL]
    run = element_run(cnn, None, levels=(0.5,), granularities=kinds)
    found = MeasuredPerf(run, "test").analysis()
    layers = {layer.id: layer for layer in find_layers(cnn)}
    for curve in found.curves:
        layer = layers[curve.layer_id]
        assert curve.baseline_flops == 2 * layer.macs
        assert curve.flops[0] == layer.macs * 2 * (layer.weight_size // 2) / layer.weight_size
        kept = curve.channels.num_channels[0] / layer.output_shape[1]
        assert curve.channels.flops[0] == pytest.approx(2 * layer.macs * kept)


def test_bytes_are_those_of_the_weights_that_pruning_leaves(cnn):
    run = element_run(cnn, SparseEngine(), levels=(0.5, 0.9))
    before = MeasuredPerf(run, "test").analysis().curves[1]
    assert before.stored[0].compressed is None  # zeros are counted at once, compression takes time
    curve = measured(run).analysis().curves[1]
    layer = next(layer for layer in find_layers(cnn) if layer.id == curve.layer_id)
    values, magnitudes = layer.weight.tensor.read(), layer.weight.magnitudes()
    assert curve.baseline_stored == storage_bytes(values)
    for level, stored in zip(curve.sparsities, curve.stored, strict=True):
        kept = element_mask(magnitudes, level).reshape(values.shape)
        assert stored == storage_bytes(np.where(kept, values, np.float32(0)))
        assert stored.sparse_initializer < before.baseline_stored.sparse_initializer


def test_an_analysis_reloaded_is_the_same(cnn):
    kinds = [Granularity.ELEMENT, CHANNEL]
    analysis = measured(element_run(cnn, None, levels=(0.5,), granularities=kinds)).analysis()
    document = json.loads(json.dumps(to_document(analysis), allow_nan=False))
    again = from_document("perf", "test", document)
    assert to_document(again) == document
    for mine, theirs in zip(analysis.curves, again.curves, strict=True):
        assert theirs.stored == mine.stored
        assert np.array_equal(theirs.channels.num_channels, mine.channels.num_channels)
        timings = theirs.timings_of(CHANNEL), mine.timings_of(CHANNEL)
        assert np.array_equal(*timings, equal_nan=True)
    assert vars(run_profile_of(again)) == vars(run_profile_of(analysis))
    assert perf_measurements_of(again) == perf_measurements_of(analysis)


# Channels


@pytest.mark.parametrize("name", ["digits_cnn", "digits_transformer"])
def test_every_layer_is_timed_with_fewer_channels(name):
    run = channels_of(open_model(sample_path(name)))
    found = measured(run)
    assert run.sweeps[CHANNEL].skipped == {}
    assert found.num_done == run.num_steps
    for curve in found.analysis().curves:
        assert curve.timings_ms is None  # single weights were not timed
        channels = curve.channels
        assert np.all(channels.flops <= curve.baseline_flops)
        whole = channels.flops[0] / curve.baseline_flops
        assert channels.num_bytes[0] == pytest.approx(whole * curve.baseline_stored.dense)
        if curve.baseline_timing_ms is not None:
            assert not np.isnan(channels.timings_ms).any()


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
    run = PerfRun(session.model, session.layers, granularities=[CHANNEL])
    sweep = run.sweeps[CHANNEL]
    assert list(sweep) == []
    assert "free dimensions" in sweep.skipped["y"]
    assert sweep.num_measurements == 0
    document = to_document(MeasuredPerf(run, "x").analysis())
    (entry,) = document["layerSensitivities"]
    known = {key: entry["baseline"][key] for key in ("sparsity", "flops", "timing")}
    assert known == {"sparsity": 0.0, "flops": None, "timing": None}
    assert {point["timing"] for point in entry["sparse"]} == {None}
    assert not any("channels" in point for point in entry["sparse"])
    assert "free dimensions" in document["provenance"]["channelsNotMeasured"]["y"]


# Sweeps


def test_a_layer_that_is_not_found_or_does_not_run_has_no_time(cnn):
    layers = [layer for layer in find_layers(cnn) if layer.is_prunable]
    engine = SparseEngine(unattributed={layers[0].id: "fused"}, not_run=(layers[1].id,))
    found = measured(element_run(cnn, engine))
    first, second, third = found.analysis().curves[:3]
    assert first.timings_ms is None and first.baseline_timing_ms is None
    assert second.timings_ms is None
    assert third.timings_ms is not None
    reasons = found.analysis().provenance["notMeasured"]
    assert reasons[layers[0].id] == "fused" and "did not run" in reasons[layers[1].id]
    assert found.num_done == found.run.num_steps


def test_an_interrupted_sweep_goes_on_where_it_was(cnn):
    whole = measured(element_run(cnn, SparseEngine())).analysis()
    part = MeasuredPerf(element_run(cnn, SparseEngine()), "test")
    for step, _ in zip(part.run, range(20), strict=False):
        part.add(step)
    saved = from_document("perf", "test", json.loads(json.dumps(to_document(part.analysis()))))
    engine = SparseEngine()
    fresh = element_run(cnn, engine)
    assert perf_obstacles(saved, fresh) == ()
    run = element_run(cnn, engine, done=done_of(saved, fresh))
    assert MeasuredPerf(run, "test").num_done == 20
    resumed = measured(run)
    assert resumed.num_done == run.num_steps
    assert engine.num_loaded == 1  # only the level that was not finished
    assert to_document(resumed.analysis()) == to_document(whole)


def test_what_is_done_is_not_measured_again(cnn):
    kinds = [Granularity.ELEMENT, CHANNEL]
    whole = measured(element_run(cnn, None, granularities=kinds, levels=(0.5,))).analysis()
    saved = from_document("perf", "test", json.loads(json.dumps(to_document(whole))))
    fresh = element_run(cnn, None, granularities=kinds, levels=(0.5,))
    assert list(element_run(cnn, None, granularities=kinds, levels=(0.5,),
                            done=done_of(saved, fresh))) == []  # fmt: skip
    more = element_run(cnn, None, granularities=kinds, levels=(0.5, 0.9))
    done = done_of(saved, more)
    assert len(done.measurements) == 2 * len(more.prunable)
    assert done.stored == ()  # its byte curves are those of other levels


@pytest.mark.parametrize(
    "provenance",
    [{"timings": [{"id": "x"}]}, {"timings": 3}, {"run": {"total": {}}}, {"run": "fast"}],
)
def test_timings_that_cannot_be_read_are_refused(cnn, provenance):
    document = {"layerSensitivities": [], "provenance": provenance}
    saved = from_document("perf", "mine", document)
    with pytest.raises(InvalidRequestError, match="'mine' cannot be read"):
        done_of(saved, element_run(cnn, SparseEngine()))
    assert saved.run_ms is None


def test_another_model_or_setting_does_not_continue(cnn):
    saved = measured(element_run(cnn, SparseEngine())).analysis()
    other = PerfRun(cnn, find_layers(cnn), PerfSettings(iterations=7), engine=SparseEngine())
    assert perf_obstacles(saved, other)


def test_the_document_has_the_keys_of_the_contract(cnn):
    document = to_document(measured(element_run(cnn, SparseEngine())).analysis())
    entry = document["layerSensitivities"][0]
    keys = {"flops", "sparsity", "timing", "timingSpread", "bytes"}
    assert set(entry["baseline"]) == keys
    assert all(set(point) == keys for point in entry["sparse"])
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
