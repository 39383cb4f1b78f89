"""The measured sweep is the plain one, bit for bit: a new session for each layer and level."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.data import generate_samples, samples_from
from studio_core.evaluation.metrics import metric_named
from studio_core.evaluation.runtime import RuntimeModel
from studio_core.layers import find_layers
from studio_core.models.model import open_model
from studio_core.pruning.masks import element_mask
from studio_core.samples import generate_model, sample_data, sample_path
from studio_core.sensitivity.sweep import segments
from studio_core.sensitivity.sweep.loss_sweep import LossSweep, SweepSettings
from studio_core.sensitivity.sweep.optimized import optimize
from studio_core.sensitivity.sweep.segments import SegmentedModel

LEVELS = (0.5, 0.8, 0.99)


def plain_outputs(path, weight_name, sparsity, feed):
    """The naive way: load, prune, make a session, run."""
    model = onnx.load(path)
    tensors = {t.name: t for t in model.graph.initializer}
    values = onnx.numpy_helper.to_array(tensors[weight_name]).copy()
    keep = element_mask(np.abs(values).reshape(-1), sparsity).reshape(values.shape)
    tensors[weight_name].CopyFrom(onnx.numpy_helper.from_array(values * keep, weight_name))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, feed)


@pytest.fixture(scope="module", params=["digits_cnn", "digits_transformer", "mobilenet_v2"])
def model(request, tmp_path_factory):
    if request.param == "mobilenet_v2":
        path = tmp_path_factory.mktemp("models") / "mobilenet.onnx"
        return open_model(generate_model(request.param, path, batch_norm=True))
    return open_model(sample_path(request.param))


def test_every_layer_has_its_place_and_agrees_with_the_plain_way(model):
    layers = [layer for layer in find_layers(model) if layer.is_prunable]
    weights = {layer.name: layer.weight.tensor.read() for layer in layers}
    segmented = SegmentedModel(optimize(RuntimeModel(model.path, list(weights)), weights))
    assert set(segmented.layers) == set(weights)
    feed = dict(generate_samples(model, 1).inputs)
    dense = RuntimeModel(model.path).session().run(None, feed)
    assert all(map(np.array_equal, segmented.dense(feed), dense))
    state = segmented.begin(feed)
    for position, name in enumerate(segmented.layers):
        if position % 4 == 0:
            magnitudes = np.abs(weights[name]).reshape(-1)
            removed = ~element_mask(magnitudes, 0.8).reshape(weights[name].shape)
            run = segmented.pruned(position, segmented.place(position).pruned(removed))
            expected = plain_outputs(model.path, name, 0.8, feed)
            for ours, theirs in zip(run(state), expected, strict=True):
                assert np.array_equal(ours, theirs), name
        state = segmented.advance(state, position)


def test_matrices_are_packed_again_for_few_tails_only(monkeypatch):
    model = open_model(sample_path("digits_transformer"))
    layers = [layer for layer in find_layers(model) if layer.is_prunable]
    weights = {layer.name: layer.weight.tensor.read() for layer in layers}

    def segmented():
        return SegmentedModel(optimize(RuntimeModel(model.path, list(weights)), weights))

    feed = dict(generate_samples(model, 1).inputs)
    many = segmented()
    # As much as the last tail packs, and no more.
    last = max(many._tail_starts)
    packed = sum(map(many._packed_bytes, range(last, len(many.layers) + 1)))
    assert packed > 0
    monkeypatch.setattr(segments, "_MOST_PACKED_BYTES", packed)
    few = segmented()
    assert few._tail_starts == {last} < many._tail_starts
    outputs = [s.outputs_dense(s.begin(feed), 0) for s in (many, few)]
    assert all(map(np.array_equal, *outputs))


@pytest.fixture(scope="module")
def cnn():
    return open_model(sample_path("digits_cnn"))


@pytest.fixture(scope="module")
def labelled(cnn):
    data = sample_data("digits_cnn")
    return samples_from({**data.inputs, "labels": data.labels}, cnn).first(40)


def sweep(model, samples, metric, **settings):
    layers = find_layers(model)
    return LossSweep(model, layers, samples, metric_named(metric), SweepSettings(**settings))


def test_measurements_are_the_metrics_of_the_plain_outputs(cnn, labelled):
    found = {
        (m.layer_id, m.sparsity): m
        for m in sweep(cnn, labelled, "softmax_kl", levels=LEVELS, batch_size=40)
    }
    layer = find_layers(cnn)[3]
    feed = dict(labelled.inputs)
    dense = RuntimeModel(cnn.path).session().run(None, feed)
    for level in LEVELS:
        outputs = plain_outputs(cnn.path, layer.name, level, feed)
        expected = metric_named("softmax_kl").compare(outputs, dense)
        measured = found[layer.id, level]
        assert measured.value == expected.mean()
        assert measured.standard_error == pytest.approx(expected.std(ddof=1) / np.sqrt(40))


def test_accuracy_is_measured_as_points_lost(cnn, labelled):
    measured = {m.layer_id: m for m in sweep(cnn, labelled, "accuracy", levels=[0.8])}
    feed = dict(labelled.inputs)
    stem = find_layers(cnn)[0]
    outputs = plain_outputs(cnn.path, stem.name, 0.8, feed)
    dense = RuntimeModel(cnn.path).session().run(None, feed)
    lost = (dense[0].argmax(1) == labelled.labels).mean() - (
        outputs[0].argmax(1) == labelled.labels
    ).mean()
    assert measured[stem.id].value == pytest.approx(lost)
    assert lost > 0.3  # the stem is fragile; a sweep that prunes nothing would read 0


def test_a_coarse_level_of_every_layer_comes_first_and_all_levels_follow(cnn, labelled):
    run = sweep(cnn, labelled.first(2), "softmax_kl", levels=LEVELS)
    found = list(run)
    num_layers = len(find_layers(cnn))
    assert {m.sparsity for m in found[:num_layers]} == {0.8}
    assert len(found) == run.num_measurements == num_layers * len(LEVELS)
    assert len({(m.layer_id, m.sparsity) for m in found}) == len(found)


def test_neither_workers_nor_the_order_of_levels_change_a_number(cnn, labelled):
    one = set(sweep(cnn, labelled.first(3), "relative_l2", levels=LEVELS, num_workers=1))
    two = set(sweep(cnn, labelled.first(3), "relative_l2", levels=LEVELS[::-1], num_workers=2))
    assert one == two


def test_a_metric_without_its_labels_says_what_to_do(cnn, labelled):
    with pytest.raises(InvalidRequestError, match="needs labels"):
        sweep(cnn, generate_samples(cnn, 2), "accuracy")


def test_a_weight_used_by_two_nodes_is_pruned_in_both(tmp_path):
    path = tmp_path / "shared.onnx"
    onnx.save(
        onnx.parser.parse_model(
            """
            <ir_version: 8, opset_import: ["" : 17]>
            g (float[batch, 2] x) => (float[batch, 2] y)
            <float[2, 2] w = {1.0, 0.1, 0.2, 2.0}>
            { a = MatMul(x, w)  b = Relu(a)  y = MatMul(b, w) }
            """
        ),
        path,
    )
    model = open_model(path)
    samples = samples_from(np.array([[1.0, 1.0]], np.float32), model)
    found = list(sweep(model, samples, "relative_l2", levels=[0.5]))
    assert {m.layer_id for m in found} == {"a", "y"}
    x, pruned = np.array([[1.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 2.0]])
    dense = np.array([[1.0, 0.1], [0.2, 2.0]])
    expected = np.linalg.norm(x @ pruned @ pruned - x @ dense @ dense)
    expected /= np.linalg.norm(x @ dense @ dense)
    assert {round(m.value, 5) for m in found} == {round(float(expected), 5)}


def test_a_model_of_fixed_batch_takes_whole_batches(tmp_path):
    model = open_model(generate_model("many_layers", tmp_path / "m.onnx", batch=4, num_layers=3))
    found = list(sweep(model, generate_samples(model, 9), "relative_l2", levels=[0.5]))
    assert {m.num_samples for m in found} == {8}
    with pytest.raises(InvalidRequestError, match="batches of 4"):
        sweep(model, generate_samples(model, 3), "relative_l2")


def test_a_sweep_goes_on_where_another_stopped(cnn, labelled):
    whole = list(sweep(cnn, labelled.first(3), "softmax_kl", levels=LEVELS))
    layers = find_layers(cnn)
    rest = LossSweep(
        cnn,
        layers,
        labelled.first(3),
        metric_named("softmax_kl"),
        SweepSettings(LEVELS),
        whole[:20],
    )
    found = list(rest)
    assert len(found) == len(whole) - 20
    assert set(whole[:20]) | set(found) == set(whole)
