"""Levels: the default ones, the original grid, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio_core.errors import InvalidRequestError
from studio_core.sensitivity import DEFAULT_LEVELS, full_grid
from studio_core.sensitivity.levels import checked_levels

MEASURED_LOSS = (0.05, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99)
MEASURED_PERF = (0.4, 0.6, 0.7, 0.8, 0.85, 0.875, 0.9, 0.925, 0.95, 0.975, 0.99)


def test_the_default_levels_hold_those_of_the_measured_sweeps():
    assert set(MEASURED_LOSS) | set(MEASURED_PERF) <= set(DEFAULT_LEVELS)
    assert list(DEFAULT_LEVELS) == sorted(set(DEFAULT_LEVELS))
    assert DEFAULT_LEVELS[-1] == 1.0 and DEFAULT_LEVELS[0] > 0


@given(st.integers(1, 10_000_000))
def test_the_original_grid(size):
    interval = max(1, size // 1000)
    points = math.ceil(size / interval)
    grid = full_grid(size)
    assert grid.shape == (points,)
    some = {0, 1, points // 2, points - 2, points - 1} & set(range(points))
    for i in some:
        assert grid[i] == pytest.approx(min((i + 1) * interval / size, 1.0), abs=1e-15)
    assert grid[-1] == 1.0 and np.all(np.diff(grid) > 0)


@pytest.mark.parametrize(
    ("size", "points", "first"),
    [
        (9408, 1046, 9 / 9408),
        (1000, 1000, 0.001),
        (999, 999, 1 / 999),
        (1, 1, 1.0),
        (2001, 1001, 2 / 2001),
    ],
)
def test_the_original_grid_by_hand(size, points, first):
    assert len(full_grid(size)) == points and full_grid(size)[0] == first


@given(st.lists(st.floats(0, 1), min_size=1))
def test_levels_are_sorted_once_each_and_without_the_baseline(levels):
    expected = sorted(set(levels) - {0.0})
    if not expected:
        with pytest.raises(InvalidRequestError):
            checked_levels(levels)
    else:
        assert checked_levels(levels).tolist() == expected


@pytest.mark.parametrize(
    "levels", [[], [0.0], [-0.1], [1.1], [0.5, 2], [math.nan], [math.inf], [0.5, math.nan]]
)
def test_levels_that_are_no_fractions_are_refused(levels):
    with pytest.raises(InvalidRequestError):
        checked_levels(levels)


@pytest.mark.parametrize("levels", [["a"], [None], "0.5 and more", {"a": 1}, [[0.5], [0.5, 0.6]]])
def test_levels_of_another_kind_are_refused(levels):
    with pytest.raises(InvalidRequestError):
        checked_levels(levels)
