"""The exact optimum of a multiple-choice knapsack: one row of each unit, the least cost, bounds.

    minimise Σ cost[x_u]  subject to  Σ rows[j, x_u] ≤ bounds[j],  x_u one of the rows of unit u

The choice itself is made by HiGHS (`scipy.optimize.milp`); what is here keeps its problem
small without losing the optimum:

1. Rows that alone break a bound, or that another row of their unit beats in everything, go.
2. Prices λ ≥ 0 on the bounds give a lower bound on every plan, Σ_u min (cost + λ·rows) − λ·bounds
   (Lagrangian relaxation; Fisher 1981). The best prices are found by cutting planes
   (Kelley 1960): their master problem has one variable for each bound, whatever the model.
3. A row whose reduced cost cost + λ·row − min_u is above τ costs every plan that takes it more
   than lower bound + τ. So HiGHS chooses among the rows below τ, and if its answer is no
   worse than lower bound + τ, it is the optimum over all rows (core method; Pisinger 1995);
   otherwise τ grows to the difference.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studio_core.plans.quiet import quiet_stdout
from studio_core.sensitivity.analysis import FloatArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_TOLERANCE = 1e-12
_GAP = 1e-9
_SCALE = 1e3
"""Rows are scaled to this bound and costs to this sum: HiGHS's tolerances are absolute."""
_FIRST_CORE = 32
_CORE_GROWTH = 3
_MOST_STEPS = 200
_MOST_REPAIRS = 3
_MOST_CUTS = 60
_PRICE_GAP = 1e-7
"""Prices need not be the best: a worse bound only lets more rows into the core."""
_HIGHEST_PRICE = 1e9
_MOST_COMPARED = 4_000_000
_SHORTEST_S = 0.05


@dataclass(frozen=True, eq=False)
class Problem:
    """``unit`` [N] rises from 0, without a gap; ``cost`` [N]; ``rows`` [M, N]; ``bounds`` [M]."""

    unit: IntArray
    cost: FloatArray
    rows: FloatArray
    bounds: FloatArray

    @property
    def num_units(self) -> int:
        return int(self.unit[-1]) + 1 if self.unit.size else 0

    def starts(self) -> IntArray:
        """First row of each unit, shape [L]."""
        return np.searchsorted(self.unit, np.arange(self.num_units)).astype(np.int64)

    def is_met(self, chosen: IntArray) -> bool:
        """Whether the chosen rows keep every bound, up to rounding."""
        slack = _TOLERANCE * np.maximum(np.abs(self.bounds), 1e-300)
        return bool(np.all(self.rows[:, chosen].sum(axis=1) <= self.bounds + slack))


@dataclass(frozen=True, eq=False)
class Optimum:
    """``chosen`` [L] are rows of the problem, one a unit. No plan costs less than ``bound``.

    ``prices`` [M]: what the cost would fall by if a bound were one unit wider.
    """

    chosen: IntArray
    cost: float
    bound: float
    prices: FloatArray

    @property
    def gap(self) -> float:
        """How far from the bound the answer is at most, as a share of its cost."""
        difference = max(0.0, self.cost - self.bound)
        return difference / max(abs(self.cost), 1e-300) if difference else 0.0


class NoAnswerError(Exception):
    """The time was over before any plan was found."""


def minimise(problem: Problem, time_limit_s: float = 2.0) -> Optimum | None:
    """The optimum, or None if no choice keeps the bounds.

    When the time is over the best choice so far comes back with its gap; raises
    `NoAnswerError` if there is none.
    """
    deadline = time.monotonic() + time_limit_s
    if not problem.num_units:
        kept = bool(np.all(problem.bounds >= 0))
        return (
            Optimum(np.zeros(0, np.int64), 0.0, 0.0, np.zeros(len(problem.bounds)))
            if (kept)
            else None
        )
    cheapest = _first_minimum(problem.cost, problem.unit, problem.starts())
    if problem.is_met(cheapest):
        cost = float(problem.cost[cheapest].sum())
        return Optimum(cheapest, cost, cost, np.zeros(len(problem.bounds)))
    scaled = _Scaled.of(problem)
    return None if scaled is None else _solve(scaled, deadline)


def _first_minimum(values: FloatArray, unit: IntArray, starts: IntArray) -> IntArray:
    """Row of the least value in each unit, the first of equals, shape [L]."""
    least = np.minimum.reduceat(values, starts)
    rows = np.flatnonzero(values <= least[unit])
    first = np.searchsorted(unit[rows], np.arange(starts.size))
    return np.asarray(rows[first], np.int64)


@dataclass(frozen=True, eq=False)
class _Scaled:
    """The problem without hopeless rows: costs from 0, adding to 1; bounds 1; rows from 0 to 1.

    ``kept`` [n] are its rows in the problem.
    """

    problem: Problem
    kept: IntArray
    unit: IntArray
    starts: IntArray
    cost: FloatArray
    rows: FloatArray
    cost_range: float
    cost_offset: float
    slack: FloatArray

    @classmethod
    def of(cls, problem: Problem) -> _Scaled | None:
        """None if some bound cannot be kept even alone."""
        starts = problem.starts()
        least = np.minimum.reduceat(problem.rows, starts, axis=1)
        rows = problem.rows - least[:, problem.unit]
        slack = problem.bounds - least.sum(axis=1)
        rounding = _TOLERANCE * np.maximum(np.abs(problem.bounds), np.abs(least).sum(axis=1))
        if np.any(slack < -rounding):
            return None
        slack = np.maximum(slack, 0.0) + rounding
        possible = np.all(rows <= slack[:, None], axis=0)
        if np.unique(problem.unit[possible]).size < starts.size:
            return None
        kept = np.flatnonzero(possible)
        kept = kept[_undominated(problem.unit[kept], problem.cost[kept], rows[:, kept])]
        unit = problem.unit[kept]
        starts = np.searchsorted(unit, np.arange(starts.size)).astype(np.int64)
        lowest = np.minimum.reduceat(problem.cost[kept], starts)
        cost = problem.cost[kept] - lowest[unit]
        cost_range = float(np.maximum.reduceat(cost, starts).sum()) or 1.0
        unscaled = np.where(slack > 0, slack, 1.0)
        scaled_rows = rows[:, kept] / unscaled[:, None]
        return cls(
            problem,
            kept,
            unit,
            starts,
            cost / cost_range,
            scaled_rows,
            cost_range,
            float(lowest.sum()),
            unscaled,
        )

    def priced(self, prices: FloatArray) -> FloatArray:
        """cost + λ·rows, shape [n]."""
        return np.asarray(self.cost + prices @ self.rows)

    def is_met(self, chosen: IntArray) -> bool:
        """Whether the chosen rows keep the problem's own bounds."""
        return self.problem.is_met(self.kept[chosen])

    def optimum(self, chosen: IntArray, bound: float, prices: FloatArray) -> Optimum:
        rows = self.kept[chosen]
        cost = float(self.problem.cost[rows].sum())
        true_bound = min(cost, bound * self.cost_range + self.cost_offset)
        close = cost - true_bound <= _GAP * self.cost_range
        return Optimum(
            rows, cost, cost if close else true_bound, prices * self.cost_range / self.slack
        )


def _undominated(unit: IntArray, cost: FloatArray, rows: FloatArray) -> BoolArray:
    """Rows that no other of their unit beats in everything; of equals the first stays."""
    table = np.vstack([cost, rows])
    counts = np.bincount(unit)
    width = int(counts.max())
    keep = np.ones(unit.size, np.bool_)
    step = max(1, _MOST_COMPARED // (width * width))
    starts = np.cumsum(counts) - counts
    for first in range(0, counts.size, step):
        some = slice(first, first + step)
        place = starts[some, None] + np.arange(width)
        real = np.arange(width) < counts[some, None]
        values = np.where(real, table[:, np.where(real, place, 0)], np.inf)
        worse = np.ones((real.shape[0], width, width), np.bool_)
        better = np.zeros_like(worse)
        for column in values:
            worse &= column[:, None, :] <= column[:, :, None]
            better |= column[:, None, :] < column[:, :, None]
        # [units, row, other]: the other is nowhere worse, and better or the first of equals.
        earlier = np.arange(width)[None, :] < np.arange(width)[:, None]
        beaten = np.any(worse & (better | earlier), axis=2)
        keep[place[real]] = ~np.asarray(beaten)[real]
    return keep


def _solve(scaled: _Scaled, deadline: float) -> Optimum | None:
    prices, bound, best = _best_prices(scaled)
    if bound > 1.0 + _GAP:  # above the cost of any choice: there is none
        return None
    priced = scaled.priced(prices)
    reduced = priced - np.minimum.reduceat(priced, scaled.starts)[scaled.unit]
    ordered = np.sort(reduced)
    cost, proven, num_rows = np.inf, bound, _FIRST_CORE
    if best is not None:
        best = _improved(scaled, best)
        cost = float(scaled.cost[best].sum())
    while True:
        last = min(scaled.starts.size + num_rows, ordered.size) - 1
        limit = max(0.0, min(float(ordered[last]), cost - bound))
        core = np.flatnonzero(reduced <= limit)
        answer = _choose(scaled, core, deadline)
        if answer.chosen is not None and answer.cost < cost:
            best = _improved(scaled, answer.chosen)
            cost = float(scaled.cost[best].sum())
        is_all = core.size == reduced.size
        # Nothing outside the core costs less than bound + limit, nothing inside less than
        # what HiGHS has proven.
        inside = min(answer.bound, cost)
        proven = max(proven, inside if is_all else min(inside, bound + limit))
        if is_all or cost - proven <= _GAP or answer.timed_out:
            break
        num_rows *= _CORE_GROWTH
    if best is None:
        if answer.timed_out:
            raise NoAnswerError
        return None
    return scaled.optimum(best, proven, prices)


def _best_prices(scaled: _Scaled) -> tuple[FloatArray, float, IntArray | None]:
    """Prices with (nearly) the greatest lower bound, that bound, the best choice on the way.

    Any prices give a valid bound. The choice keeps the bounds; None if none was met.
    """
    feasible: IntArray | None = None
    least = np.inf
    num_rows = len(scaled.rows)
    best, best_bound = np.zeros(num_rows), -np.inf
    cuts: list[tuple[float, FloatArray]] = []
    prices, box = np.zeros(num_rows), 100.0
    for _ in range(_MOST_CUTS):
        chosen = _first_minimum(scaled.priced(prices), scaled.unit, scaled.starts)
        cost = float(scaled.cost[chosen].sum())
        excess = scaled.rows[:, chosen].sum(axis=1) - 1.0
        bound = cost + float(prices @ excess)
        if bound > best_bound:
            best, best_bound = prices, bound
        if cost < least and scaled.is_met(chosen):
            feasible, least = chosen, cost
        if any(cost == c and np.array_equal(excess, e) for c, e in cuts):
            break  # the master problem can tell no more within HiGHS's tolerance
        cuts.append((cost, excess))
        prices, ceiling = _master(cuts, box)
        if best_bound > 1.0 + _GAP:
            break
        if ceiling - best_bound <= _PRICE_GAP:
            if np.all(prices < box * 0.999) or box >= _HIGHEST_PRICE:
                break
            box *= 100.0
            prices, ceiling = _master(cuts, box)
    return best, best_bound, feasible


def _improved(scaled: _Scaled, chosen: IntArray) -> IntArray:
    """A choice that keeps the bounds, bettered one unit at a time while the bounds allow.

    It only makes the core smaller that HiGHS must choose from; it proves nothing.
    """
    chosen = chosen.copy()
    for _ in range(_MOST_STEPS):
        room = 1.0 - scaled.rows[:, chosen].sum(axis=1)
        steps = scaled.rows - scaled.rows[:, chosen][:, scaled.unit]
        fits = np.all(steps <= room[:, None], axis=0)
        saved = np.where(fits, scaled.cost[chosen][scaled.unit] - scaled.cost, 0.0)
        best = int(saved.argmax())
        if saved[best] <= 0.0:
            break
        chosen[scaled.unit[best]] = best
    return chosen


def _master(cuts: list[tuple[float, FloatArray]], box: float) -> tuple[FloatArray, float]:
    """Prices with the greatest bound as far as the cuts tell, and that bound."""
    costs = np.array([cost for cost, _ in cuts]) * _SCALE
    slopes = np.array([excess for _, excess in cuts])
    table = np.column_stack([-slopes, np.ones(costs.size)])
    objective = np.zeros(table.shape[1])
    objective[-1] = -1.0
    bounds = [(0.0, box * _SCALE)] * slopes.shape[1] + [(None, None)]
    from scipy.optimize import linprog  # half a second that only who solves should wait for

    found = linprog(objective, A_ub=table, b_ub=costs, bounds=bounds, method="highs")
    return np.asarray(found.x[:-1] / _SCALE, np.float64), float(found.x[-1]) / _SCALE


@dataclass(frozen=True, eq=False)
class _Answer:
    """HiGHS's choice among the rows of a core, shape [L]; None if there is none.

    No choice among them costs less than ``bound``.
    """

    chosen: IntArray | None
    cost: float = np.inf
    bound: float = np.inf
    timed_out: bool = False


def _choose(scaled: _Scaled, core: IntArray, deadline: float) -> _Answer:
    """The cheapest choice among the rows ``core``."""
    unit = scaled.unit[core]
    counts = np.bincount(unit, minlength=scaled.starts.size)
    chosen = core[np.searchsorted(unit, np.arange(counts.size))]
    free = core[counts[unit] > 1]
    fixed = chosen[counts == 1]
    room = 1.0 - scaled.rows[:, fixed].sum(axis=1)
    spent = float(scaled.cost[fixed].sum())
    if not free.size:
        return _Answer(chosen, spent, spent) if scaled.is_met(chosen) else _Answer(None)
    for _ in range(_MOST_REPAIRS):
        taken, bound, timed_out = _milp(scaled, free, room, deadline)
        if taken is None:
            return _Answer(None, bound=bound + spent, timed_out=timed_out)
        chosen[scaled.unit[taken]] = taken
        if scaled.is_met(chosen):
            cost = float(scaled.cost[chosen].sum())
            return _Answer(chosen, cost, min(cost, bound + spent), timed_out)
        # Within HiGHS's tolerance, but above the bound: ask for that little more.
        room = room - np.maximum(2.0 * (scaled.rows[:, chosen].sum(axis=1) - 1.0), 0.0)
    return _Answer(None, bound=-np.inf, timed_out=True)


def _milp(
    scaled: _Scaled, free: IntArray, room: FloatArray, deadline: float
) -> tuple[IntArray | None, float, bool]:
    """One row of each unit in ``free``, a lower bound on their cost, whether time ran out."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csc_array

    units, row_unit = np.unique(scaled.unit[free], return_inverse=True)
    one_each = csc_array((np.ones(free.size), (row_unit, np.arange(free.size))))
    cost = scaled.cost[free]
    factor = _SCALE / (float(cost.max()) or 1.0)
    constraints = [
        LinearConstraint(one_each, 1.0, 1.0),
        LinearConstraint(csc_array(scaled.rows[:, free] * _SCALE), -np.inf, room * _SCALE),
    ]
    options = {
        "mip_rel_gap": 0.0,
        "presolve": False,  # costs more than it saves on problems this small
        "time_limit": max(_SHORTEST_S, deadline - time.monotonic()),
    }
    with quiet_stdout():
        found = milp(
            cost * factor,
            integrality=np.ones(free.size),
            bounds=Bounds(0.0, 1.0),
            constraints=constraints,
            options=options,
        )
    timed_out = found.status == 1
    if found.x is None:
        return None, (-np.inf if timed_out else np.inf), timed_out
    order = np.lexsort((-found.x, row_unit))
    taken = free[order[np.searchsorted(row_unit[order], np.arange(units.size))]]
    reached = float(scaled.cost[taken].sum())
    bound = min(reached, float(found.mip_dual_bound) / factor)
    return taken, bound, timed_out
