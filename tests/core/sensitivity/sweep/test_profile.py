"""The profile adds up to the run, and every layer is timed or named; no absolute times."""

import json

import numpy as np
import onnx
import pytest

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.data import generate_samples
from studio_core.layers import find_layers
from studio_core.models.model import open_model
from studio_core.samples import sample_path
from studio_core.sensitivity.sweep.engine import RunTimes, take_turns
from studio_core.sensitivity.sweep.profile import OnnxRuntimeEngine, profile_model
from studio_core.sensitivity.sweep.trace import own_times, read_trace


def prunable(model):
    return [layer for layer in find_layers(model) if layer.is_prunable]


def weights(**shapes):
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=s).astype(np.float32) for name, s in shapes.items()}


@pytest.fixture(params=["digits_cnn", "digits_transformer", "mobilenet_v2"])
def model(request, generated):
    if request.param == "mobilenet_v2":
        return open_model(generated(request.param, batch_norm=True))
    return open_model(sample_path(request.param))


def test_every_layer_is_timed_and_all_times_add_up_to_the_run(model):
    layers = prunable(model)
    profile = profile_model(model, layers, warmup=1, iterations=5)
    assert profile.unattributed == {}
    assert set(profile.layers) == {layer.id for layer in layers}
    assert profile.layers_ms + profile.unattributed_ms == pytest.approx(profile.total_ms)
    parts = profile.other_kernels_ms + profile.between_kernels.median_ms + profile.disturbance_ms
    assert parts == pytest.approx(profile.unattributed_ms)
    assert profile.iterations == 5
    for timing in profile.layers.values():
        assert 0 < timing.q1_ms <= timing.median_ms <= timing.q3_ms
        assert timing.num_iterations == 5


def test_each_run_is_its_kernels_and_what_is_between_them(model):
    layers = prunable(model)
    loaded = OnnxRuntimeEngine().load(model, layers)
    probe = loaded.probe(dict(generate_samples(model, 1).inputs))
    (times,) = take_turns([probe], 1, 4)
    kernels = sum(times.layers_ms.values()) + sum(times.others_ms.values())
    num_kernels = len(loaded.optimized.proto.graph.node)
    # Each duration is cut to whole microseconds, so a kernel may seem up to 1 longer.
    assert np.all(times.between_ms > -0.001 * (num_kernels + 2))
    assert times.between_ms + kernels == pytest.approx(times.total_ms)


def test_the_profile_is_removed(tmp_path, monkeypatch):
    model = open_model(sample_path("digits_cnn"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    profile_model(model, prunable(model), warmup=0, iterations=1)
    assert list(tmp_path.iterdir()) == []


def test_a_layer_of_a_hundred_times_the_work_is_the_slower_one(open_text):
    session = open_text(
        """
        two (float[32,1024] x) => (float[32,8] y) {
            a = MatMul (x, heavy)
            b = Relu (a)
            y = MatMul (b, light)
        }
        """,
        weights(heavy=(1024, 1024), light=(1024, 8)),
    )
    profile = profile_model(session.model, session.layers, iterations=10)
    assert profile.layers["a"].median_ms > 5 * profile.layers["y"].median_ms
    assert profile.batch_size == 32


def test_a_fused_and_reordered_convolution_is_found_without_its_weight(open_text):
    """Two equal weights cannot be told apart by content; then the names say it."""
    (w,) = weights(w=(16, 16, 3, 3)).values()
    session = open_text(
        """
        twins (float[1,16,8,8] x) => (float[1,16,8,8] y) {
            a = Conv <pads = [1,1,1,1]> (x, w)
            ra = Relu (a)
            b = Conv <pads = [1,1,1,1]> (ra, v)
            rb = Relu (b)
            y = Add (rb, x)
        }
        """,
        {"w": w, "v": w.copy()},
    )
    profile = profile_model(session.model, session.layers, warmup=0, iterations=2)
    assert set(profile.layers) == {"a", "b"}


def test_layers_that_share_a_weight_have_a_time_each(open_text):
    session = open_text(
        """
        shared (float[64,64] x) => (float[64,64] y) {
            a = MatMul (x, w)
            b = Relu (a)
            y = MatMul (b, w)
        }
        """,
        weights(w=(64, 64)),
    )
    profile = profile_model(session.model, session.layers, warmup=0, iterations=2)
    assert set(profile.layers) == {"a", "y"}


BRANCHES = """
    branches (float[64,64] x, bool take) => (float[64,64] y) {
        a = MatMul (x, w)
        y = If (take) <
            then_branch = yes () => (float[64,64] t) { t = MatMul (a, v) },
            else_branch = no () => (float[64,64] e) { e = MatMul (a, u) }
        >
    }
"""


def test_nested_kernels_count_once_and_a_branch_not_taken_is_named(open_text):
    session = open_text(BRANCHES, weights(w=(64, 64), v=(64, 64), u=(64, 64)))
    ids = {layer.name: layer.id for layer in session.layers}
    feed = {"x": np.ones((64, 64), np.float32), "take": np.array(True)}
    loaded = OnnxRuntimeEngine().load(session.model, session.layers)
    (times,) = take_turns([loaded.probe(feed)], 0, 3)
    assert set(times.layers_ms) == {ids["w"], ids["v"]}
    assert np.all(times.between_ms > -0.01)
    profile = profile_model(session.model, session.layers, feed, warmup=0, iterations=3)
    assert "did not run" in profile.unattributed[ids["u"]]


def test_quantized_layers_are_timed_or_named(open_text):
    session = open_text(
        """
        quantized (float[8,32] x) => (float[8,16] y) {
            w = DequantizeLinear (stored, scale)
            y = MatMul (x, w)
        }
        """,
        {
            "stored": np.arange(-256, 256).clip(-127, 127).reshape(32, 16).astype(np.int8),
            "scale": np.float32(0.1),
        },
    )
    profile = profile_model(session.model, session.layers, warmup=0, iterations=1)
    assert {*profile.layers, *profile.unattributed} == {layer.id for layer in session.layers}


def event(name, ts, dur, cat="Node"):
    return {"cat": cat, "name": name, "ts": ts, "dur": dur, "ph": "X", "args": {}}


def test_a_trace_is_read_by_run_also_where_it_was_cut_off(tmp_path):
    path = tmp_path / "trace.json"
    events = [
        event("session_initialization", 0, 50, "Session"),
        event("n0_kernel_time", 101, 10),
        event("n0_kernel_time", 112, 5),
        event("model_run", 100, 20, "Session"),
        event("n0_kernel_time", 201, 30),
        event("n1_kernel_time", 235, 1),
        event("model_run", 200, 40, "Session"),
        event("n0_kernel_time", 301, 30),
    ]
    path.write_text("[\n" + ",\n".join(json.dumps(e) for e in events) + "\n]\n")
    total, kernels = read_trace(path)
    assert total.tolist() == [0.020, 0.040]
    assert kernels["n0"].tolist() == pytest.approx([0.015, 0.030])
    assert kernels["n1"].tolist() == pytest.approx([0.0, 0.001])


def test_the_time_of_a_subgraph_is_not_counted_twice():
    times = {"n0": np.array([10.0]), "n0/0.0.0": np.array([7.0]), "n0/0.0.1": np.array([2.0])}
    own = own_times(times, {"n0": None, "n0/0.0.0": "n0", "n0/0.0.1": "n0"})
    assert own["n0"].tolist() == [1.0]


class CountingProbe:
    """Run i takes i ms."""

    def __init__(self, log, name):
        self.log, self.name, self.runs = log, name, 0

    def run(self):
        self.log.append(self.name)
        self.runs += 1

    def finish(self):
        return RunTimes(np.arange(self.runs, dtype=float), {}, {})


def test_turns_are_short_alternate_and_leave_out_the_first_run_of_each():
    log = []
    a, b = take_turns([CountingProbe(log, "a"), CountingProbe(log, "b")], 2, 4)
    assert "".join(log) == "aabb" + "aaaabbbb" + "bbaa"
    assert a.total_ms.tolist() == b.total_ms.tolist() == [3, 4, 5, 7]


def test_a_single_model_needs_no_settling():
    (times,) = take_turns([CountingProbe([], "a")], 1, 4)
    assert times.total_ms.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(("warmup", "iterations"), [(0, 0), (-1, 3)])
def test_impossible_counts_are_refused(warmup, iterations):
    with pytest.raises(InvalidRequestError):
        take_turns([CountingProbe([], "a")], warmup, iterations)


def test_threads_are_always_said():
    with pytest.raises(InvalidRequestError):
        OnnxRuntimeEngine(num_threads=0)


def test_external_data_is_profiled_as_well(write_model, tmp_path):
    path = write_model(
        "m (float[4,64] x) => (float[4,64] y) { y = MatMul (x, w) }", weights(w=(64, 64))
    )
    proto = onnx.load(path)
    external = tmp_path / "external.onnx"
    onnx.save(proto, external, save_as_external_data=True, size_threshold=0)
    model = open_model(external)
    assert set(profile_model(model, prunable(model), iterations=1).layers) == {"y"}
