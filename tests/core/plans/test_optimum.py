"""The solver's core against all combinations: multiple-choice knapsacks of every kind."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio_core.plans import optimum
from studio_core.plans.optimum import NoAnswerError, Problem, minimise


def brute_force(problem):
    """The least cost over all combinations, or None if none keeps the bounds."""
    groups = [np.flatnonzero(problem.unit == u) for u in range(problem.num_units)]
    costs = [
        float(problem.cost[chosen].sum())
        for chosen in map(np.array, itertools.product(*groups))
        if problem.is_met(chosen)
    ]
    return min(costs, default=None)


@st.composite
def problems(draw):
    counts = draw(st.lists(st.integers(1, 5), min_size=1, max_size=5))
    unit = np.repeat(np.arange(len(counts)), counts)
    num_rows = draw(st.integers(0, 3))
    small, real = st.integers(-3, 9), st.floats(-1e3, 1e6, allow_nan=False, width=32)
    values = draw(st.sampled_from([small, real]))
    columns = draw(
        st.lists(
            st.lists(values, min_size=unit.size, max_size=unit.size),
            min_size=num_rows + 1,
            max_size=num_rows + 1,
        )
    )
    table = np.array(columns, np.float64)
    # Bounds between the least and the most, where they matter.
    starts = np.searchsorted(unit, np.arange(len(counts)))
    low = np.minimum.reduceat(table[1:], starts, axis=1).sum(axis=1) if num_rows else np.zeros(0)
    high = np.maximum.reduceat(table[1:], starts, axis=1).sum(axis=1) if num_rows else np.zeros(0)
    shares = draw(st.lists(st.floats(-0.1, 1.0), min_size=num_rows, max_size=num_rows))
    return Problem(unit, table[0], table[1:], low + np.array(shares) * (high - low))


@settings(max_examples=80, deadline=None)
@given(problems())
def test_the_optimum_is_that_of_all_combinations(problem):
    found, expected = minimise(problem, 10.0), brute_force(problem)
    assert (found is None) == (expected is None)
    if found is not None:
        scale = max(1.0, float(np.abs(problem.cost).sum()))
        assert found.cost == pytest.approx(expected, abs=1e-8 * scale)
        assert found.gap == 0.0
        assert problem.is_met(found.chosen)
        assert found.chosen.tolist() == sorted(found.chosen.tolist())
        assert problem.unit[found.chosen].tolist() == list(range(problem.num_units))


def large(num_units, num_levels, seed=0):
    rng = np.random.default_rng(seed)
    levels = np.linspace(0, 1, num_levels)
    size = rng.integers(100, 1_000_000, (num_units, 1))
    power = rng.uniform(1, 5, (num_units, 1))
    noise = 1 + 0.3 * rng.random((num_units, num_levels))
    loss = np.maximum.accumulate(rng.random((num_units, 1)) * levels**power * noise, axis=1)
    left, macs = np.rint(size * (1 - levels)), rng.integers(10, 9999, (num_units, 1)) * size
    macs = macs * (1 - levels)
    return Problem(
        np.repeat(np.arange(num_units), num_levels),
        loss.reshape(-1),
        np.array([left.reshape(-1), macs.reshape(-1)]),
        np.array([left[:, 0].sum() * 0.2, macs[:, 0].sum() * 0.17]),
    )


def test_when_time_is_over_the_gap_is_reported_and_holds():
    problem = large(60, 30)
    quick, patient = minimise(problem, 0.1), minimise(problem, 10.0)
    assert problem.is_met(quick.chosen)
    assert quick.bound <= patient.cost + 1e-9 <= quick.cost + 2e-9
    assert quick.gap == pytest.approx((quick.cost - quick.bound) / quick.cost, abs=1e-12)
    assert quick.gap < 0.05


def test_a_price_is_what_a_wider_bound_is_worth():
    # Ten units on straight lines, the dearest at 10 a step; four of them can be spared.
    unit = np.repeat(np.arange(10), 5)
    steps = np.tile(np.arange(5.0), 10)
    found = minimise(Problem(unit, (unit + 1) * steps, 4 - steps[None], np.array([16.5])))
    assert found.cost == 4 * sum(range(1, 7))
    assert 6.0 <= found.prices[0] <= 7.0


def test_no_units_and_bounds_that_cannot_be_kept():
    nothing = Problem(np.zeros(0, np.int64), np.zeros(0), np.zeros((1, 0)), np.array([1.0]))
    assert minimise(nothing).cost == 0.0
    assert minimise(Problem(nothing.unit, nothing.cost, nothing.rows, np.array([-1.0]))) is None
    # Each bound can be kept alone, but not both.
    rows = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert minimise(Problem(np.zeros(2, np.int64), np.ones(2), rows, np.array([0.5, 0.5]))) is None


@pytest.fixture
def no_time(monkeypatch):
    """HiGHS finds nothing within its time."""

    class Result:
        x, status, mip_dual_bound = None, 1, None

    monkeypatch.setattr("scipy.optimize.milp", lambda *_, **__: Result())


def test_without_an_answer_of_highs_the_best_choice_on_the_way_comes_with_its_gap(no_time):
    problem = large(10, 5)
    found = minimise(problem, 0.1)
    assert problem.is_met(found.chosen)
    assert found.bound <= found.cost
    assert found.gap > 0


def test_nothing_found_in_time_is_told_apart_from_nothing_there(no_time, monkeypatch):
    prices = optimum._best_prices
    monkeypatch.setattr(optimum, "_best_prices", lambda scaled: (*prices(scaled)[:2], None))
    with pytest.raises(NoAnswerError):
        minimise(large(10, 5), 0.1)


def test_the_solver_is_silent():
    program = (
        "import numpy as np\n"
        "from studio_core.plans.quiet import quiet_stdout\n"
        "import ctypes\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.printf(b'before ')\n"
        "with quiet_stdout(), quiet_stdout():\n"
        "    libc.printf(b'inside ')\n"
        "libc.printf(b'after')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"before after"
