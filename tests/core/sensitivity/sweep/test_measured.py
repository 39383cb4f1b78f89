"""Measured analyses: curves that grow, there and back through JSON, and what they go on from."""

import json

import numpy as np
import pytest

from studio_core.analysis_runs import RunOptions, run_loss
from studio_core.errors import InvalidRequestError
from studio_core.evaluation.data import generate_samples
from studio_core.samples import sample_data, sample_path
from studio_core.sensitivity import AnalysisKind, Source
from studio_core.sensitivity.documents import from_document, to_document
from studio_core.session import Session

LEVELS = (0.5, 0.9)


@pytest.fixture(scope="module")
def session():
    return Session.open(sample_path("digits_cnn"))


@pytest.fixture(scope="module")
def finished(session):
    images = sample_data("digits_cnn").inputs["image"][:8]
    *_, last = session.measure(images, metric="softmax_kl", levels=LEVELS)
    return last


def test_a_run_ends_with_every_level_of_every_layer(session, finished):
    analysis = finished.analysis()
    assert finished.done == finished.total == 2 * len(session.prunable_layers)
    assert analysis.source is Source.MEASURED
    assert all(np.isfinite(c.losses).all() for c in analysis.curves)
    assert all(np.isfinite(c.standard_errors).all() for c in analysis.curves)


def test_unmeasured_levels_are_unknown_not_zero(session):
    progress = session.measure(samples=2, levels=LEVELS)
    next(progress)
    first = next(progress)
    losses = np.concatenate([c.losses for c in first.analysis().curves])
    assert np.isnan(losses).sum() == losses.size - 1


def test_the_analysis_comes_back_from_json(finished):
    analysis = finished.analysis()
    document = json.loads(json.dumps(to_document(analysis), allow_nan=False))
    back = from_document(AnalysisKind.LOSS, analysis.name, document)
    assert (back.source, back.metric) == (analysis.source, analysis.metric)
    for ours, theirs in zip(back.curves, analysis.curves, strict=True):
        assert np.array_equal(ours.losses, theirs.losses)
        assert np.array_equal(ours.standard_errors, theirs.standard_errors)


def test_generated_data_is_said_to_be_so(session):
    *_, last = session.measure(samples=2, levels=[0.5])
    assert last.analysis().provenance["generatedData"] is True


def test_a_run_goes_on_only_from_points_of_the_same_model_and_data(session):
    options = RunOptions(levels=LEVELS, metric="relative_l2")
    samples = generate_samples(session.model, 2)
    run = run_loss(session.model, session.layers, samples, options, "a")
    for _ in range(6):
        progress = next(run)
    earlier = progress.analysis()
    same = run_loss(session.model, session.layers, samples, options, "a", earlier)
    assert next(same).done == 5
    other = generate_samples(session.model, 2, seed=1)
    fresh = run_loss(session.model, session.layers, other, options, "a", earlier)
    assert next(fresh).done == 0


def test_the_planner_plans_by_measured_curves(session, finished):
    planner = session.planner_over(finished.analysis())
    plan = planner.distribute(0.6)
    assert planner.estimate(plan).sparsity == pytest.approx(0.6, abs=1e-4)
    # The stem hurts most when it is measured, whatever its norm says.
    assert plan.sparsities[session.layers[0].id] < 0.5


def test_an_unknown_metric_stops_before_anything_runs(session):
    with pytest.raises(InvalidRequestError, match="softmax_kl"):
        next(session.measure(metric="mse"))
