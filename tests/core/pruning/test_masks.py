"""Masks: exact counts, ties by position, N of M along the summed axis, whole channels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from studio_core.errors import InvalidRequestError
from studio_core.pruning.counts import num_pruned
from studio_core.pruning.masks import ElementRanking, channel_mask, element_mask, n_of_m_mask

magnitudes = hnp.arrays(
    np.float32, st.integers(1, 60), elements=st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.25])
)


@given(magnitudes, st.floats(0, 1))
def test_exactly_as_many_weights_go_as_the_sparsity_says(weights, sparsity):
    keep = element_mask(weights, sparsity)
    assert (~keep).sum() == num_pruned(weights.size, sparsity)
    # Nothing that stays is smaller than anything that goes.
    if keep.any() and not keep.all():
        assert weights[keep].min() >= weights[~keep].max()


@given(magnitudes, st.floats(0, 1))
def test_ties_go_by_position(weights, sparsity):
    order = np.argsort(weights, kind="stable")
    expected = np.ones(weights.size, bool)
    expected[order[: num_pruned(weights.size, sparsity)]] = False
    assert np.array_equal(element_mask(weights, sparsity), expected)


def test_a_constant_tensor_is_pruned_to_the_count():
    ranking = ElementRanking.of(np.full(10, 0.25, np.float32))
    assert ranking.pruned(0.9).tolist() == [True] * 9 + [False]


def test_two_of_four_along_the_axis_that_is_summed():
    weights = np.array([[1, 4], [2, 3], [3, 2], [4, 1], [9, 9]], np.float32)
    keep = n_of_m_mask(weights, 2, 4, axis=0)
    assert keep.tolist() == [
        [False, True],
        [False, True],
        [True, False],
        [True, False],
        [True, True],  # a rest that does not fill a group stays
    ]


def test_an_impossible_pattern_is_refused():
    with pytest.raises(InvalidRequestError, match="5:4"):
        n_of_m_mask(np.ones((4, 4), np.float32), 5, 4, axis=0)


def test_channels_go_by_their_norm():
    weights = np.array([[3, 0], [0, 1], [2, 2]], np.float32)
    assert channel_mask(weights, 1 / 3, axis=0).tolist() == [True, False, True]
    assert channel_mask(weights, 0.5, axis=1).tolist() == [True, False]
