"""The estimate from data ranks layers and levels nearly as the measured sweep does."""

import numpy as np
import onnx
import pytest
from scipy.stats import spearmanr

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.data import Samples, generate_samples, samples_from
from studio_core.evaluation.metrics import metric_named
from studio_core.models.model import open_model
from studio_core.samples import generate_model, sample_data, sample_path
from studio_core.sensitivity import Source
from studio_core.sensitivity.documents import from_document, to_document
from studio_core.sensitivity.sweep.data_aware import (
    EXPECTED,
    DataAwareEstimate,
    EstimateSettings,
    evenly,
    losses_from_errors,
)
from studio_core.sensitivity.sweep.loss_sweep import LossSweep, SweepSettings
from studio_core.session import Session

LEVELS = (0.2, 0.5, 0.8, 0.9, 0.975)


def estimate(session, samples, metric="relative_l2", **settings):
    return DataAwareEstimate(
        session.model, session.layers, samples, metric_named(metric), EstimateSettings(**settings)
    )


def points(curves):
    return {
        (curve.layer_id, level): loss
        for curve in curves
        for level, loss in zip(curve.sparsities.tolist(), curve.losses.tolist(), strict=True)
    }


def measured(session, samples, metric="relative_l2", **settings):
    sweep = LossSweep(
        session.model, session.layers, samples, metric_named(metric), SweepSettings(**settings)
    )
    return {(m.layer_id, m.sparsity): m.value for m in sweep}


def correlation(found, expected):
    assert set(found) == set(expected)
    return spearmanr([found[key] for key in expected], list(expected.values()))[0]


@pytest.fixture(scope="module", params=["digits_cnn", "digits_transformer"])
def bundled(request):
    session = Session.open(sample_path(request.param))
    data = sample_data(request.param)
    arrays = {**data.inputs, "labels": data.labels}
    return session, samples_from(arrays, session.model)


@pytest.mark.parametrize("metric", ["softmax_kl", "relative_l2", "cosine"])
def test_a_few_samples_rank_as_the_measured_sweep_of_many(bundled, metric):
    session, data = bundled
    expected = measured(session, evenly(data, 64), metric, levels=LEVELS)
    found = points(estimate(session, data, metric, levels=LEVELS))
    assert correlation(found, expected) >= 0.95


def test_labels_are_expected_and_not_needed(bundled):
    session, data = bundled
    expected = measured(session, evenly(data, 64), "cross_entropy", levels=LEVELS)
    found = points(estimate(session, Samples(data.inputs), "cross_entropy", levels=LEVELS))
    assert correlation(found, expected) >= 0.9


def test_a_generated_model_with_random_weights(tmp_path):
    session = Session.open(generate_model("mobilenet_v2", tmp_path / "m.onnx", batch_norm=True))
    picked = session.prunable_layers[::6]
    samples = generate_samples(session.model, 1)
    metric = metric_named("relative_l2")
    sweep = LossSweep(session.model, picked, samples, metric, SweepSettings(LEVELS))
    expected = {(m.layer_id, m.sparsity): m.value for m in sweep}
    run = DataAwareEstimate(session.model, picked, samples, metric, EstimateSettings(LEVELS))
    assert correlation(points(run), expected) >= 0.95


@pytest.fixture
def linear(tmp_path):
    """One layer, which is the whole model: its own output error is the loss."""
    path = tmp_path / "linear.onnx"
    onnx.save(
        onnx.parser.parse_model(
            """
            <ir_version: 8, opset_import: ["" : 17]>
            g (float[batch, 2] x) => (float[batch, 2] y)
            <float[2, 2] w = {4.0, 1.0, 2.0, 3.0}>
            { y = MatMul(x, w) }
            """
        ),
        path,
    )
    return Session.open(path)


def test_the_error_of_one_linear_layer_is_known_exactly(linear):
    # y = (4 + 2, 1 + 3) for x = (1, 1); the errors are those of the smallest weights of
    # 1, 2, 3, 4 taken from their columns: (0, 1), (2, 1), (2, 4), (6, 4).
    samples = samples_from(np.array([[1.0, 1.0]], np.float32), linear.model)
    (curve,) = estimate(linear, samples, levels=[0.25, 0.5, 0.75, 1.0], probes=[0.5, 1.0])
    expected = np.sqrt([1, 4 + 1, 4 + 16, 36 + 16]) / np.sqrt(36 + 16)
    assert curve.losses == pytest.approx(expected, rel=1e-6)
    assert curve.standard_errors is None


@pytest.mark.parametrize("scale", [1e-24, 1e24])
def test_errors_beyond_single_precision_are_known_too(linear, scale):
    samples = samples_from(np.array([[scale, scale]], np.float32), linear.model)
    (curve,) = estimate(linear, samples, levels=[0.25, 0.5, 0.75, 1.0], probes=[0.5, 1.0])
    expected = np.sqrt([1, 4 + 1, 4 + 16, 36 + 16]) / np.sqrt(36 + 16)
    assert curve.losses == pytest.approx(expected, rel=1e-5)


def test_a_power_law_through_the_probes():
    errors = np.array([0.0, 0.01, 1.0, 2.0, 4.0, 8.0, np.nan])
    # Probes (1, 3) and (4, 48): k is 2 between and above, 1 below (1/2 where told so).
    probes = [(4.0, 48.0), (1.0, 3.0)]
    expected = [0.0, 0.03, 3.0, 12.0, 48.0, 192.0, np.nan]
    assert losses_from_errors(errors, probes) == pytest.approx(expected, nan_ok=True)
    assert losses_from_errors(errors, probes, 0.5)[1] == pytest.approx(0.3)
    assert losses_from_errors(errors, [(4.0, 48.0)])[3] == pytest.approx(24.0)


def test_probes_that_lost_nothing_are_gone_through_on_a_line():
    errors = np.array([0.0, 0.5, 1.0, 2.0, 3.0])
    assert losses_from_errors(errors, [(1.0, 0.0), (3.0, 0.5)]).tolist() == [0, 0, 0, 0.25, 0.5]
    assert losses_from_errors(errors, [(1.0, -0.5)]).tolist() == [0, -0.25, -0.5, -0.5, -0.5]


@pytest.mark.parametrize("probes", [[], [(1.0, np.nan)], [(np.inf, 2.0)]])
def test_what_no_probe_knows_is_unknown(probes):
    losses = losses_from_errors(np.array([0.0, 1.0]), probes)
    assert losses == pytest.approx([0.0, np.nan], nan_ok=True)


def test_expected_labels_by_hand():
    probabilities = np.array([[0.75, 0.25], [0.5, 0.5]])
    pruned = np.log(np.array([[0.25, 0.75], [0.5, 0.5]]))
    dense = np.log(probabilities)
    lost = EXPECTED["accuracy"].compare([pruned], [dense])
    assert lost == pytest.approx([0.5, 0.0])  # the choice moves from 0.75 to 0.25
    lost = EXPECTED["cross_entropy"].compare([pruned], [dense])
    assert lost == pytest.approx([0.75 * np.log(3) - 0.25 * np.log(3), 0.0])


def test_an_n_of_m_pattern_has_one_level_which_is_measured():
    session = Session.open(sample_path("digits_cnn"))
    samples = samples_from(sample_data("digits_cnn").inputs, session.model)
    found = points(estimate(session, samples, granularity="2:4", num_samples=4))
    expected = measured(session, evenly(samples, 4), granularity="2:4")
    assert set(found) == set(expected)
    assert found == {key: pytest.approx(value, rel=1e-4) for key, value in expected.items()}


def test_channels_are_estimated_too(bundled):
    session, data = bundled
    settings = {"levels": LEVELS, "granularity": "channel"}
    run = estimate(session, data, **settings)
    expected = measured(session, evenly(data, 48), **settings)
    assert correlation(points(run), expected) >= 0.9
    assert run.skipped.keys().isdisjoint(layer for layer, _ in expected)


SHARED = """
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[batch, 2] x) => (float[batch, 2] y)
    <float[2, 2] w = {1.0, 0.1, 0.2, 2.0}, float[2, 2] v = {1.0, 0.5, 0.2, 2.0}>
    { a = MatMul(x, w)  b = Relu(a)  c = MatMul(b, v)  y = MatMul(c, w) }
"""


def test_a_shared_weight_is_estimated_by_its_weights_and_named(tmp_path):
    path = tmp_path / "shared.onnx"
    onnx.save(onnx.parser.parse_model(SHARED), path)
    session = Session(open_model(path))
    samples = generate_samples(session.model, 3)
    run = estimate(session, samples, levels=(0.25, 0.5, 0.75), probes=(0.5, 0.75))
    found = points(run)
    assert run.by_weights == ("a", "y")
    assert run.analysis().provenance["byWeights"] == ["a", "y"]
    expected = measured(session, samples, levels=(0.5, 0.75))
    assert {key: found[key] for key in expected} == pytest.approx(expected, rel=1e-5)
    # Of the energy 5.05 the level 0.25 removes 0.01, the probe at 0.5 five times that.
    assert found["a", 0.25] == pytest.approx(found["a", 0.5] / 5**0.5)


def test_the_analysis_says_where_it_comes_from(bundled):
    session, data = bundled
    run = estimate(session, data, "softmax_kl", levels=LEVELS, num_samples=4)
    unknown = run.analysis()
    assert len(unknown.curves) == run.num_layers
    assert all(np.isnan(curve.losses).all() for curve in unknown.curves)
    curves = list(run)
    analysis = run.analysis("few")
    assert run.num_done == run.num_layers == len(curves)
    assert analysis.source is Source.DATA_AWARE
    assert "estimated from 4 samples" in analysis.metric.label
    assert analysis.provenance["numSamples"] == 4
    assert analysis.provenance["probeLevels"] == [0.7, 0.95]
    again = from_document("loss", "few", to_document(analysis))
    assert again.source is Source.DATA_AWARE
    assert points(again.curves) == points(curves)


def test_random_data_is_said(linear):
    run = estimate(linear, generate_samples(linear.model, 2))
    assert "random data" in run.analysis().metric.label


def test_a_session_estimates_with_progress(bundled):
    session, data = bundled
    steps = list(session.estimate_from_data(data, samples=4, levels=LEVELS, metric="softmax_kl"))
    assert [step.done for step in steps] == list(range(len(session.prunable_layers) + 1))
    analysis = steps[-1].analysis()
    direct = estimate(session, data.first(4), "softmax_kl", levels=LEVELS)
    assert points(analysis.curves) == pytest.approx(points(direct))
    with pytest.raises(InvalidRequestError, match="stop error"):
        list(session.estimate_from_data(data, stop_error=0.1))


def test_samples_are_taken_from_all():
    samples = Samples({"x": np.arange(10.0)}, np.arange(10))
    assert evenly(samples, 4).inputs["x"].tolist() == [0, 2, 5, 7]
    assert evenly(samples, 4).labels.tolist() == [0, 2, 5, 7]
    assert evenly(samples, 20) is samples
