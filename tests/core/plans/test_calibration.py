"""Calibration: what verified plans teach about the next prediction."""

import json

import pytest

from studio_core.errors import InvalidRequestError
from studio_core.plans.calibration import Calibration, VerifiedPoint
from studio_core.plans.prediction import PredictedLoss
from studio_core.sensitivity.analysis import Source


def predicted(value, error=None):
    return PredictedLoss(value, error, "softmax_kl", "sum", Source.MEASURED, False, "Said.")


def points(formula, values):
    return [VerifiedPoint(x, formula(x)) for x in values]


def test_without_points_nothing_changes():
    calibration = Calibration.fit([VerifiedPoint(0.0, 0.3), VerifiedPoint(0.1, -0.2)])
    assert calibration == Calibration()
    assert calibration.predict(predicted(0.3)) == predicted(0.3)


def test_one_point_only_scales():
    calibration = Calibration.fit([VerifiedPoint(0.1, 0.3)])
    assert (calibration.scale, calibration.exponent) == (pytest.approx(3.0), 1.0)
    found = calibration.predict(predicted(0.2, 0.01))
    assert found.value == pytest.approx(0.6)
    assert found.standard_error is None  # one point says nothing about the spread
    assert "1 verified plans" in found.statement
    assert "outside" in found.statement


def test_a_power_law_is_found_again():
    calibration = Calibration.fit(points(lambda x: 2.0 * x**0.6, [0.001, 0.01, 0.1, 1.0, 3.0]))
    assert calibration.exponent == pytest.approx(0.6, abs=0.02)
    assert calibration.value(0.05) == pytest.approx(2.0 * 0.05**0.6, rel=0.05)
    found = calibration.predict(predicted(0.05, 0.005))
    assert found.standard_error == pytest.approx(found.value * 0.078, rel=0.3)
    assert "outside" not in found.statement


def test_two_close_points_do_not_turn_the_curve():
    calibration = Calibration.fit([VerifiedPoint(0.1, 0.3), VerifiedPoint(0.101, 0.2)])
    assert calibration.exponent == pytest.approx(1.0, abs=0.2)


def test_it_never_falls_and_can_be_turned_round():
    calibration = Calibration.fit([VerifiedPoint(0.01, 3.0), VerifiedPoint(1.0, 0.1)])
    assert calibration.exponent > 0
    assert calibration.invert(calibration.value(0.37)) == pytest.approx(0.37)


def test_a_calibration_survives_json():
    calibration = Calibration.fit(points(lambda x: 3 * x, [0.1, 0.4, 0.8]))
    document = json.loads(json.dumps(calibration.to_document()))
    assert Calibration.from_document(document) == calibration
    with pytest.raises(InvalidRequestError, match="needs 'scale'"):
        Calibration.from_document({"scale": "much"})
