"""Loss metrics against scipy and by hand; each says which direction is worse."""

import numpy as np
import pytest
from scipy.special import log_softmax, rel_entr, softmax

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.metrics import METRICS, metric_named

rng = np.random.default_rng(0)
DENSE = rng.standard_normal((5, 7)).astype(np.float32)
PRUNED = DENSE + rng.standard_normal((5, 7)).astype(np.float32)
LABELS = np.array([0, 3, 6, 2, 2])


def test_softmax_kl_agrees_with_scipy():
    expected = rel_entr(softmax(DENSE, -1), softmax(PRUNED, -1)).sum(-1)
    assert metric_named("softmax_kl").compare([PRUNED], [DENSE]) == pytest.approx(expected, 1e-5)


def test_softmax_kl_stands_an_outlier():
    outlier = DENSE.copy()
    outlier[0, 0] = 1e4
    assert np.isfinite(metric_named("softmax_kl").compare([outlier], [DENSE])).all()


def test_cross_entropy_agrees_with_scipy():
    expected = -log_softmax(PRUNED.astype(float), -1)[np.arange(5), LABELS]
    assert metric_named("cross_entropy").compare([PRUNED], [LABELS]) == pytest.approx(expected)


def test_accuracy_counts_the_right_ones_and_falls_when_worse():
    metric = metric_named("accuracy")
    right = metric.compare([np.eye(3)[[0, 1, 1]]], [np.array([0, 1, 2])])
    assert right.tolist() == [1.0, 1.0, 0.0]
    assert metric.degradation(np.array([0.0]), np.array([1.0])).tolist() == [1.0]


@pytest.mark.parametrize("name", ["softmax_kl", "relative_l2", "cosine"])
def test_equal_outputs_lose_nothing(name):
    assert metric_named(name).compare([DENSE], [DENSE]) == pytest.approx(np.zeros(5), abs=1e-7)


def test_relative_l2_by_hand_over_two_outputs():
    dense = [np.array([[3.0]]), np.array([[4.0]])]
    pruned = [np.array([[3.0]]), np.array([[1.0]])]
    assert metric_named("relative_l2").compare(pruned, dense) == pytest.approx([3 / 5])


def test_cosine_of_opposite_outputs_is_two():
    assert metric_named("cosine").compare([-DENSE], [DENSE]) == pytest.approx(np.full(5, 2.0))


def test_an_unknown_metric_is_told_with_those_there_are():
    with pytest.raises(InvalidRequestError, match="relative_l2"):
        metric_named("mse")


def test_every_metric_says_what_it_is():
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.description.endswith(".")
