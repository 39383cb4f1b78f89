"""Predicted losses: how layers add up, how their errors do, and what is said of it."""

import numpy as np
import pytest

from studio_core.plans import PruningPlan
from studio_core.plans.prediction import LossModel
from studio_core.sensitivity.analysis import Metric, Source

from . import small_cases as cases

LOSSES = [[0.1, 0.2, 0.4, 0.9], [0.01, 0.02, 0.03, 0.05], [0.2, 0.3, 0.4, 0.8]]
ERRORS = [[0.01, 0.02, 0.03, 0.04], [0.001, 0.002, 0.003, 0.004], [0.02, 0.02, 0.02, 0.02]]
L2 = Metric("relative_l2", "relative L2 error", "", False, "", additive_power=2.0)


def predict(session, sparsities, losses=LOSSES, errors=ERRORS, **options):
    layers = session.prunable_layers
    analysis = cases.loss_analysis(layers, losses, errors, **options)
    plan = PruningPlan({x.id: s for x, s in zip(layers, sparsities, strict=True)})
    return LossModel(analysis, [[layer] for layer in layers]).predict(plan)


def test_measured_losses_add_and_their_errors_add_in_squares(mlp):
    found = predict(mlp, [0.5, 0.75, 0.25])
    assert found.value == pytest.approx(0.2 + 0.03 + 0.2)
    assert found.standard_error == pytest.approx(np.sqrt(0.02**2 + 0.003**2 + 0.02**2))
    assert (found.source, found.on_random_data) == (Source.MEASURED, False)
    assert "independent" in found.statement


def test_relative_errors_add_in_squares(mlp):
    found = predict(mlp, [0.5, 0, 0.25], metric=L2)
    assert found.value == pytest.approx(np.hypot(0.2, 0.2))
    # d/dl sqrt(Σ l²) = l / sqrt(Σ l²), by hand.
    share = 0.2 / np.hypot(0.2, 0.2)
    assert found.standard_error == pytest.approx(share * np.hypot(0.02, 0.02))


def test_between_two_levels_the_error_is_that_of_not_knowing_where(mlp):
    found = predict(mlp, [0.6, 0, 0])
    assert found.value == pytest.approx(0.2 + 0.4 * 0.2)
    noise = np.hypot(0.6 * 0.02, 0.4 * 0.03)
    assert found.standard_error == pytest.approx(np.hypot(noise, 0.2 / np.sqrt(12)))


def test_a_dip_is_noise_and_takes_the_value_and_error_of_the_level_before(mlp):
    found = predict(mlp, [0.5, 0, 0], [[0.3, 0.1, 0.4, 0.9], *LOSSES[1:]])
    assert (found.value, found.standard_error) == (pytest.approx(0.3), pytest.approx(0.01))
    assert predict(mlp, [0.25, 0, 0], [[-0.1, 0.1, 0.4, 0.9], *LOSSES[1:]]).value == 0.0


def test_random_data_is_said_wherever_the_number_goes(mlp):
    found = predict(mlp, [0.5, 0, 0], provenance={"generatedData": True})
    assert found.on_random_data
    assert "random data" in found.statement
    assert found.to_document()["onRandomData"] is True


def test_a_missing_error_leaves_the_whole_without_one(mlp):
    found = predict(mlp, [0.5, 0.5, 0], errors=[[np.nan] * 4, *ERRORS[1:]])
    assert found.standard_error is None
    assert "No error bar" in found.statement
    assert predict(mlp, [0, 0.5, 0], errors=[[np.nan] * 4, *ERRORS[1:]]).standard_error == 0.002


def test_an_estimate_has_no_error_bar(mlp):
    found = predict(mlp, [0.5, 0.5, 0.5], source=Source.ESTIMATED)
    assert found.value == pytest.approx((0.2 + 0.02 + 0.3) / 3)
    assert found.standard_error is None
    assert "nothing was run" in found.statement


def test_an_estimate_from_data_adds_up_as_measurements_do(mlp):
    found = predict(mlp, [0.5, 0.5, 0.5], source=Source.DATA_AWARE, errors=[[np.nan] * 4] * 3)
    assert found.value == pytest.approx(0.2 + 0.02 + 0.3)
    assert found.standard_error is None
    assert "nothing was run" not in found.statement


def test_losses_that_add_below_power_one_keep_a_finite_error(mlp):
    kl = Metric("softmax_kl", "KL", "nats", False, "", additive_power=0.5)
    found = predict(mlp, [0.5, 0, 0.25], metric=kl)
    assert found.value == pytest.approx((np.sqrt(0.2) + np.sqrt(0.2)) ** 2)
    assert np.isfinite(found.standard_error)
