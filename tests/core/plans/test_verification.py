"""Verification on the bundled CNN, against onnx and onnxruntime used plainly."""

import json
import zlib
from collections import defaultdict

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.data import generate_samples, samples_from
from studio_core.evaluation.metrics import metric_named
from studio_core.plan_runs.documents import verification_document
from studio_core.plans import Planner, PruningPlan
from studio_core.plans.calibration import Calibration
from studio_core.plans.constraints import Constraints
from studio_core.plans.solver import Solver
from studio_core.plans.verification import VerificationRun, verify
from studio_core.samples import sample_data, sample_path
from studio_core.sensitivity.analysis import Analysis, AnalysisKind, LossCurve, Metric, Source
from studio_core.sensitivity.sweep.loss_sweep import LossSweep, SweepSettings
from studio_core.session import Session


@pytest.fixture(scope="module")
def cnn():
    return Session.open(sample_path("digits_cnn"))


@pytest.fixture(scope="module")
def samples(cnn):
    data = sample_data("digits_cnn")
    return samples_from({**data.inputs, "labels": data.labels}, cnn.model)


@pytest.fixture(scope="module")
def solver(cnn, samples):
    """A solver over a measured sweep of 60 samples."""
    metric = metric_named("softmax_kl")
    rows = defaultdict(list)
    settings = SweepSettings(levels=(0.2, 0.4, 0.6, 0.7, 0.8, 0.9))
    for m in LossSweep(cnn.model, cnn.layers, samples.first(60), metric, settings):
        rows[m.layer_id].append((m.sparsity, m.value, m.standard_error))
    curves = tuple(
        LossCurve(x.id, x.name, *table[:2], standard_errors=table[2])
        for x in cnn.prunable_layers
        for table in [np.array(sorted(rows[x.id])).T]
    )
    kl = Metric(metric.name, metric.label, "nats", False, metric.description)
    loss = Analysis(AnalysisKind.LOSS, "kl", Source.MEASURED, kl, curves)
    return Solver(Planner(cnn.layers, loss, cnn.perf))


@pytest.fixture(scope="module")
def solution(solver):
    return solver.solve("loss", Constraints(min_sparsity=0.7))


@pytest.fixture(scope="module")
def verification(cnn, samples, solution, solver):
    return verify(
        cnn.model, cnn.layers, solution.plan, samples, "softmax_kl", solver=solver, latency_runs=5
    )


def plainly_pruned(plan):
    """The pruned weights by name, by sorting; and the logits of the pruned model."""
    model = onnx.load(sample_path("digits_cnn"))
    by_name = {plan.weight_names[i]: s for i, s in plan.sparsities.items()}
    pruned = {}
    for tensor in model.graph.initializer:
        if tensor.name in by_name:
            values = onnx.numpy_helper.to_array(tensor).copy()
            count = int(np.floor(by_name[tensor.name] * values.size + 0.5))
            values.reshape(-1)[np.argsort(np.abs(values).reshape(-1), kind="stable")[:count]] = 0
            pruned[tensor.name] = values
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return pruned, session.run(None, sample_data("digits_cnn").inputs)[0]


def test_accuracy_before_and_after_is_the_true_one(verification, solution):
    _, logits = plainly_pruned(solution.plan)
    correct = int((logits.argmax(axis=1) == sample_data("digits_cnn").labels).sum())
    accuracy = verification.accuracy
    assert (accuracy.num_correct_dense, accuracy.num_samples) == (356, 360)
    assert accuracy.num_correct == correct
    assert accuracy.pruned == correct / 360 < accuracy.dense


def test_the_loss_is_that_of_the_plainly_pruned_model(verification, solution, samples):
    path = str(sample_path("digits_cnn"))
    dense = ort.InferenceSession(path, providers=["CPUExecutionProvider"]).run(
        None, dict(samples.inputs)
    )
    _, logits = plainly_pruned(solution.plan)
    expected = metric_named("softmax_kl").compare([logits], dense)
    assert verification.loss.mean == pytest.approx(expected.mean(), rel=1e-5)
    error = expected.std(ddof=1) / np.sqrt(360)
    assert verification.loss.standard_error == pytest.approx(error, rel=1e-5)


def test_costs_are_counted_on_the_pruned_weights(verification, solution):
    pruned, _ = plainly_pruned(solution.plan)
    costs, estimate = verification.costs, verification.estimate
    assert costs.num_zeros == sum(int((a == 0).sum()) for a in pruned.values())
    assert (costs.num_weights, costs.sparsity) == (estimate.num_weights, estimate.sparsity)
    assert costs.bytes_dense == estimate.bytes_dense
    assert costs.bytes_sparse == estimate.bytes_sparse
    assert costs.flops == estimate.flops
    biases = costs.bytes_dense - sum(a.nbytes for a in pruned.values())
    by_hand = sum(len(zlib.compress(a.tobytes(), 6)) for a in pruned.values())
    assert costs.bytes_compressed == by_hand + biases
    assert costs.bytes_compressed < 0.5 * costs.bytes_compressed_dense


def test_predicted_and_actual_stand_side_by_side(verification, solution):
    assert verification.is_comparable
    assert verification.predicted == solution.loss
    assert verification.point.predicted == solution.loss.value
    assert verification.latency.num_runs == 5
    assert verification.latency.pruned_ms > 0
    document = json.loads(json.dumps(verification_document(verification)))
    assert document["accuracy"]["numCorrectDense"] == 356


def test_verified_plans_improve_the_prediction_of_others(cnn, samples, solver):
    def verified(sparsity):
        plan = solver.solve("loss", Constraints(min_sparsity=sparsity)).plan
        return verify(
            cnn.model, cnn.layers, plan, samples, "softmax_kl", solver=solver, compress=False
        ).point

    calibration = Calibration.fit(map(verified, (0.4, 0.5, 0.6, 0.7, 0.8)))
    held_out = list(map(verified, (0.45, 0.55, 0.65, 0.75, 0.85)))
    before = [abs(np.log(p.predicted / p.actual)) for p in held_out]
    after = [abs(np.log(calibration.value(p.predicted) / p.actual)) for p in held_out]
    assert np.mean(after) < 0.8 * np.mean(before), (before, after)


def test_dense_plans_lose_nothing_and_the_file_is_untouched(cnn, samples):
    before = sample_path("digits_cnn").read_bytes()
    found = verify(cnn.model, cnn.layers, PruningPlan({}), samples.first(20), "relative_l2")
    assert (found.loss.mean, found.loss.standard_error) == (0.0, 0.0)
    assert found.predicted is found.estimate is found.latency is found.point is None
    assert not found.is_comparable
    assert sample_path("digits_cnn").read_bytes() == before


def test_random_data_is_said_and_has_no_accuracy(cnn, solution):
    data = generate_samples(cnn.model, 3)
    found = verify(cnn.model, cnn.layers, solution.plan, data, "softmax_kl", compress=False)
    assert found.on_random_data
    assert found.accuracy is None
    assert found.costs.bytes_compressed is None
    with pytest.raises(InvalidRequestError, match="needs labels"):
        verify(cnn.model, cnn.layers, solution.plan, data, "accuracy")


def test_progress_comes_batch_by_batch_and_a_result_only_at_the_end(cnn, samples, solution):
    run = VerificationRun(cnn.model, cnn.layers, solution.plan, samples.first(100), "accuracy")
    with pytest.raises(InvalidRequestError, match="has not finished"):
        run.result()
    assert list(run) == [64, 100]
    accuracy = run.result().accuracy
    lost = (accuracy.num_correct_dense - accuracy.num_correct) / 100
    assert run.result().loss.mean == pytest.approx(lost)


def test_what_cannot_be_applied_is_named(cnn, samples):
    plan = PruningPlan({"nowhere": 0.5})
    found = verify(cnn.model, cnn.layers, plan, samples.first(2), "softmax_kl", compress=False)
    assert found.skipped == {"nowhere": "It is not a prunable layer of this model."}


def test_one_weight_has_one_sparsity(open_text):
    shared = open_text(
        "g (float[N,2] x) => (float[N,2] y) { a = MatMul(x, w)  b = Relu(a)  y = MatMul(b, w) }",
        {"w": np.array([[1.0, 0.1], [0.2, 2.0]], np.float32)},
    )
    data = samples_from(np.array([[1.0, 1.0]], np.float32), shared.model)
    with pytest.raises(InvalidRequestError, match="share one weight"):
        plan = PruningPlan({"a": 0.5, "y": 0.25})
        verify(shared.model, shared.layers, plan, data, "relative_l2")
    plan = PruningPlan({"a": 0.5, "y": 0.5})
    found = verify(shared.model, shared.layers, plan, data, "relative_l2")
    x, kept = np.array([[1.0, 1.0]]), np.diag([1.0, 2.0])
    full = np.array([[1.0, 0.1], [0.2, 2.0]])
    dense = x @ full @ full
    expected = np.linalg.norm(x @ kept @ kept - dense) / np.linalg.norm(dense)
    assert found.loss.mean == pytest.approx(expected, rel=1e-5)
    assert found.costs.num_zeros == 2
