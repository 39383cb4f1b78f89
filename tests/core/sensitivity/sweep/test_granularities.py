"""N:M and channel sweeps measure the models that `prune_model` writes, or say why not."""

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.data import generate_samples
from studio_core.evaluation.metrics import metric_named
from studio_core.plans.plan import PruningPlan
from studio_core.pruning.apply import prune_model
from studio_core.samples import generate_model, sample_path
from studio_core.sensitivity.documents import from_document, to_document
from studio_core.sensitivity.sweep.loss_sweep import LossSweep, SweepSettings
from studio_core.sensitivity.sweep.pattern import Pattern
from studio_core.session import Session

METRIC = metric_named("relative_l2")


@pytest.fixture(scope="module", params=["digits_cnn", "digits_transformer", "mobilenet_v2"])
def session(request, tmp_path_factory):
    if request.param == "mobilenet_v2":
        path = tmp_path_factory.mktemp("models") / "mobilenet.onnx"
        return Session.open(generate_model(request.param, path, batch_norm=True))
    return Session.open(sample_path(request.param))


def outputs(path, feed):
    """The plain way: a new session over the whole model, on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, feed)


def sweep(session, samples, granularity, levels=None, layers=None):
    settings = SweepSettings(levels, granularity=granularity)
    return LossSweep(session.model, layers or session.layers, samples, METRIC, settings)


@pytest.mark.parametrize(("name", "levels"), [("2:4", None), ("1:4", None), ("channel", [0.4])])
def test_a_point_is_the_loss_of_the_model_pruned_so(session, tmp_path, name, levels):
    samples = generate_samples(session.model, 1)
    found = sweep(session, samples, name, levels, session.prunable_layers[1::7])
    measured = list(found)
    assert measured
    dense = outputs(session.model.path, dict(samples.inputs))
    for point in measured[:3]:
        pruned = prune_model(
            session.model,
            session.layers,
            PruningPlan({point.layer_id: point.sparsity}),
            tmp_path / f"{measured.index(point)}.onnx",
            granularity=Pattern.named(name).granularity,
            verify=False,
        )
        expected = METRIC.compare(outputs(pruned.path, dict(samples.inputs)), dense)
        assert point.value == expected.mean() > 0


def test_an_n_of_m_pattern_has_its_own_level():
    assert Pattern.named("2:4").only_level == 0.5
    assert Pattern.named("1:4").only_level == 0.75
    assert Pattern.named("n:m") == Pattern.named("2:4")
    assert Pattern.named("channel").only_level is None
    assert [str(Pattern.named(n)) for n in ("element", "channel", "4:8")] == [
        "element",
        "channel",
        "4:8",
    ]


@pytest.mark.parametrize("name", ["", "4:2", "4:4", "0:4", "2:", "1:5000", "filter", "２:４"])
def test_other_names_are_refused(name):
    with pytest.raises(InvalidRequestError, match=r"element, channel, or N:M"):
        Pattern.named(name)


def test_levels_that_a_pattern_does_not_have_are_refused():
    digits = Session.open(sample_path("digits_cnn"))
    samples = generate_samples(digits.model, 1)
    with pytest.raises(InvalidRequestError, match="has one sparsity"):
        sweep(digits, samples, "2:4", [0.5, 0.9])
    assert sweep(digits, samples, "2:4", [0.5]).levels.tolist() == [0.5]


def test_layers_that_cannot_have_the_pattern_are_named(open_text):
    text = """
    g (float[batch, 3] x) => (float[batch, 6] y, float[batch] z)
    { y = MatMul(x, w)  z = MatMul(x, v) }
    """
    session = open_text(text, {"w": np.ones((3, 6), np.float32), "v": np.ones(3, np.float32)})
    samples = generate_samples(session.model, 2)
    pairs = sweep(session, samples, "2:4")
    assert "sums over 3 weights" in pairs.skipped["y"]
    channels = sweep(session, samples, "channel", [0.5])
    assert channels.skipped == {"z": "Its weight has no output channels."}
    assert {m.layer_id for m in channels} == {"y"}
    assert sweep(session, samples, "element").skipped == {}


def test_layers_with_one_weight_are_measured_together(open_text, tmp_path):
    text = """
    g (float[batch, 8] x) => (float[batch, 8] y)
    { a = MatMul(x, w)  b = Relu(a)  y = MatMul(b, w) }
    """
    weights = {"w": np.random.default_rng(0).standard_normal((8, 8)).astype(np.float32)}
    session = open_text(text, weights)
    samples = generate_samples(session.model, 3)
    dense = outputs(session.model.path, dict(samples.inputs))
    for granularity in ("2:4", "channel"):
        measured = list(sweep(session, samples, granularity, [0.5]))
        assert {m.layer_id for m in measured} == {"a", "y"}
        assert len({m.value for m in measured}) == 1
        pruned = prune_model(
            session.model,
            session.layers,
            PruningPlan({"a": 0.5, "y": 0.5}),
            tmp_path / f"{granularity.replace(':', '_')}.onnx",
            granularity=Pattern.named(granularity).granularity,
        )
        expected = METRIC.compare(outputs(pruned.path, dict(samples.inputs)), dense)
        assert measured[0].value == pytest.approx(expected.mean(), rel=1e-6)


SUBGRAPH = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[batch, 4] x) => (float[batch, 4] y)
<float zero = {0.0}>
{
    a = MatMul(x, w)
    sum = ReduceSum<keepdims = 0>(x)
    square = Mul(sum, sum)
    is_negative = Less(square, zero)
    y = If(is_negative) <
        then_branch = t () => (float[batch, 4] p) { p = MatMul(a, v) },
        else_branch = e () => (float[batch, 4] q)
            { mean = ReduceMean<axes = [0]>(w)  shifted = Add(a, mean)  q = MatMul(shifted, v) }
    >
}
"""


@pytest.mark.parametrize("granularity", ["element", "2:4", "channel"])
def test_what_reads_a_weight_inside_a_subgraph_sees_its_zeros(open_text, tmp_path, granularity):
    rng = np.random.default_rng(1)
    weights = {n: rng.standard_normal((4, 4)).astype(np.float32) for n in ("w", "v")}
    session = open_text(SUBGRAPH, weights)
    samples = generate_samples(session.model, 3)
    run = sweep(session, samples, granularity, [0.5])
    assert run.skipped == {}
    found = {m.layer_id: m.value for m in run}
    dense = outputs(session.model.path, dict(samples.inputs))
    for name in ("w", "v"):
        ids = [layer.id for layer in session.prunable_layers if layer.name == name]
        pruned = prune_model(
            session.model,
            session.layers,
            PruningPlan(dict.fromkeys(ids, 0.5)),
            tmp_path / f"{name}.onnx",
            granularity=Pattern.named(granularity).granularity,
        )
        expected = METRIC.compare(outputs(pruned.path, dict(samples.inputs)), dense)
        assert len({found[i] for i in ids}) == 1
        assert found[ids[0]] == pytest.approx(expected.mean(), rel=1e-6)


def test_a_weight_defined_in_a_subgraph_is_named_as_not_measured(open_text):
    proto = onnx.parser.parse_model(SUBGRAPH)
    values = np.eye(4, dtype=np.float32)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(values, "w"))
    for attribute in proto.graph.node[-1].attribute:
        attribute.g.initializer.append(onnx.numpy_helper.from_array(values, "v"))
    session = open_text(proto)
    run = sweep(session, generate_samples(session.model, 2), "channel", [0.5])
    inside = {layer.id for layer in session.layers if layer.name == "v"}
    assert run.skipped.keys() == inside
    assert all("inside a subgraph" in reason for reason in run.skipped.values())
    assert {m.layer_id for m in run} == {"a"}


@pytest.mark.parametrize("granularity", ["2:4", "channel"])
def test_the_granularity_comes_back_from_the_document(granularity):
    digits = Session.open(sample_path("digits_cnn"))
    *_, last = digits.measure(samples=1, granularity=granularity, metric="relative_l2")
    document = json.loads(json.dumps(to_document(last.analysis()), allow_nan=False))
    back = from_document("loss", "a", document)
    assert back.granularity == last.analysis().granularity == granularity
    again = digits.measure(samples=1, granularity=granularity, metric="relative_l2", earlier=back)
    assert next(again).done == last.total
    other = digits.measure(samples=1, granularity="element", metric="relative_l2", earlier=back)
    assert next(other).done == 0
