"""The trade-off: the least predicted loss for each sparsity, size, work or latency.

Without constraints the points are the corners of the lower convex hull. Each is the exact
optimum for the value it reaches, and all of them come from one sort of the layers' hull
pieces by price (the linear knapsack), so a curve for hundreds of layers is there at once.
With constraints, or ``exact=True``, each point is solved for at evenly spaced bounds, and
comes as it is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from studio_core.errors import InvalidRequestError
from studio_core.plans.choices import ChoiceTable, IntArray
from studio_core.plans.constraints import Constraints, Limits, Quantity
from studio_core.plans.optimum import Optimum
from studio_core.plans.plan import PruningPlan
from studio_core.plans.prediction import PredictedLoss
from studio_core.plans.solver import Bound, Solver

_SLIDER_S = 0.25


@dataclass(frozen=True)
class ParetoPoint:
    """A plan that no other beats in both ``loss`` and ``value``, the value of ``quantity``.

    ``gap`` as in `Solution`, 0 where the point is proven.
    """

    quantity: Quantity
    value: float
    loss: PredictedLoss
    plan: PruningPlan
    gap: float = 0.0


@dataclass(frozen=True)
class _Piece:
    """A step of one unit from its row ``start`` to ``end``: ``price`` is loss for gain."""

    price: float
    unit: int
    start: int
    end: int


def pareto_points(
    solver: Solver,
    quantity: Quantity | str = Quantity.SPARSITY,
    *,
    num_points: int = 30,
    constraints: Constraints | None = None,
    limits: Limits | None = None,
    exact: bool = False,
    time_limit_s: float = _SLIDER_S,
) -> Iterator[ParetoPoint]:
    """At most ``num_points`` points, the one with the least loss first.

    ``constraints`` bound the other quantities, ``limits`` as in `Solver.solve`;
    ``time_limit_s`` is for each point that is solved for.
    """
    quantity = Quantity(quantity)
    if quantity is Quantity.LOSS or num_points < 2:
        raise InvalidRequestError(
            "A trade-off needs two points or more, of loss against sparsity, bytes, flops or "
            "latency_ms."
        )
    constraints, limits = constraints or Constraints(), limits or Limits()
    table, bounds = solver.prepare(quantity, constraints, limits)
    trade_off = _TradeOff(solver, table, quantity, limits, bounds)
    if exact or bounds:
        return trade_off.solved(num_points, time_limit_s)
    return trade_off.corners(num_points)


@dataclass(frozen=True, eq=False)
class _TradeOff:
    solver: Solver
    table: ChoiceTable
    quantity: Quantity
    limits: Limits
    bounds: list[Bound]

    def corners(self, num_points: int) -> Iterator[ParetoPoint]:
        """Corners of the hull, thinned to evenly spaced values."""
        chosen, pieces = self._pieces()
        column = self.table.quantities[self.quantity]
        steps = np.array([column[p.end] - column[p.start] for p in pieces])
        totals = np.concatenate([[0.0], np.cumsum(steps)])
        wanted = _spread(totals, num_points)
        done = 0
        for count in wanted:
            for piece in pieces[done:count]:
                chosen[piece.unit] = piece.end
            done = count
            yield self._point(chosen.copy(), 0.0)

    def _pieces(self) -> tuple[IntArray, list[_Piece]]:
        """The rows of least loss, and the steps away from them, the cheapest first."""
        column = self.table.quantities[self.quantity]
        damage = self.table.quantities[Quantity.LOSS]
        ends = [*self.table.starts[1:].tolist(), self.table.unit.size]
        chosen = np.array(self.table.starts)
        pieces: list[_Piece] = []
        for unit, (start, end) in enumerate(zip(self.table.starts.tolist(), ends, strict=True)):
            hull = _hull(column[start:end].tolist(), damage[start:end].tolist())
            chosen[unit] = start + hull[0]
            for a, b in pairwise(hull):
                i, j = start + a, start + b
                price = float((damage[j] - damage[i]) / (column[i] - column[j]))
                pieces.append(_Piece(price, unit, i, j))
        # Stable: the pieces of a unit, whose prices rise, stay in their order.
        return chosen, sorted(pieces, key=lambda piece: piece.price)

    def solved(self, num_points: int, time_limit_s: float) -> Iterator[ParetoPoint]:
        """Optima at evenly spaced bounds between the ends of the trade-off."""
        least_loss = self._minimise(Quantity.LOSS, self.bounds, time_limit_s)
        least_value = self._minimise(self.quantity, self.bounds, time_limit_s)
        first = self.table.total(self.quantity, least_loss.chosen)
        last = self.table.total(self.quantity, least_value.chosen)
        reached = np.inf
        for most in np.linspace(first, last, num_points).tolist():
            if reached <= most:
                continue  # the plan before does this already
            bound = Bound(self.quantity, most, max(most, last))
            found = self._minimise(Quantity.LOSS, [*self.bounds, bound], time_limit_s)
            reached = self.table.total(self.quantity, found.chosen)
            yield self._point(found.chosen, found.gap)

    def _minimise(self, objective: Quantity, bounds: list[Bound], limit_s: float) -> Optimum:
        found = self.solver.minimise(self.table, objective, bounds, limit_s)
        if found is None:
            self.solver.refuse(self.table, bounds, limit_s)
        return found

    def _point(self, chosen: IntArray, gap: float) -> ParetoPoint:
        plan = self.solver.plan(self.table, chosen, self.limits)
        total = self.table.total(self.quantity, chosen)
        value = self.solver.reported(self.table, self.quantity, total)
        return ParetoPoint(self.quantity, value, self.solver.predict(plan), plan, gap)


def _hull(values: list[float], damages: list[float]) -> list[int]:
    """Lower convex hull of damage over falling value, from the least damage on."""
    order = sorted(range(len(values)), key=lambda i: (damages[i], values[i], i))
    hull: list[int] = []
    for i in order:
        if hull and values[i] >= values[hull[-1]]:
            continue  # beaten: more damage for no less value
        while len(hull) > 1 and _is_above(values, damages, hull[-2], hull[-1], i):
            hull.pop()
        hull.append(i)
    return hull


def _is_above(x: list[float], y: list[float], a: int, b: int, c: int) -> bool:
    """Whether b lies on or above the line from a to c; x falls from a to c."""
    return (y[b] - y[a]) * (x[a] - x[c]) >= (y[c] - y[a]) * (x[a] - x[b])


def _spread(totals: np.ndarray, num_points: int) -> list[int]:
    """Numbers of the falling ``totals`` nearest to evenly spaced ones, both ends included."""
    wanted = np.linspace(totals[0], totals[-1], num_points)
    right = np.clip(np.searchsorted(-totals, -wanted), 0, totals.size - 1)
    left = np.maximum(right - 1, 0)
    nearer = np.where(np.abs(totals[left] - wanted) <= np.abs(totals[right] - wanted), left, right)
    nearer[0], nearer[-1] = 0, totals.size - 1
    return sorted(set(nearer.tolist()))
