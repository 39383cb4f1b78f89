"""From curves to plans: spread an average sparsity over the layers, at once.

`Planner.distribute` minimises

    balance · mean damage of the layers + (1 − balance) · share of FLOPs left

for a given average sparsity. The damage of a layer is its loss to the power with which its
metric adds up over layers (`Metric.additive_power`): the relative errors of independent
layers add as squares, measured losses add as they are.

Each layer's cost curve is replaced by its lower convex hull; for convex curves, taking the
cheapest next piece of any layer until the target is met is optimal (the continuous
knapsack). One layer ends between two levels, so that the target is met to the weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from studio_core.errors import InfeasibleError, InvalidRequestError
from studio_core.layers.layer import Layer
from studio_core.plans.estimator import PlanEstimator
from studio_core.plans.latency import LatencyModel, PredictedLatency
from studio_core.plans.plan import PlanEstimate, PruningPlan
from studio_core.plans.units import make_units
from studio_core.pruning.masks import Granularity
from studio_core.sensitivity.analysis import Analysis, FloatArray

_CHANCE_ZEROS = 0.005


@dataclass(frozen=True, eq=False)
class _Pieces:
    """Pieces of all hulls, the cheapest first: unit, its sparsity at the end, weights."""

    unit: NDArray[np.int64]
    start: FloatArray
    end: FloatArray
    num_weights: FloatArray


class Planner:
    """Makes and estimates plans for one model.

    ``loss`` and ``perf`` are analyses of the same ``layers``; ``total_params`` counts all
    parameters of the model, for `PlanEstimate.model_sparsity` (default: of the layers).
    ``granularity`` is what the plans remove, and so which measured times count; None takes
    that of the loss analysis.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        loss: Analysis,
        perf: Analysis | None = None,
        total_params: int | None = None,
        granularity: Granularity | None = None,
    ) -> None:
        self.layers = tuple(layers)
        self.loss = loss
        self.perf = perf
        self.granularity = granularity or _granularity_of(loss)
        self.units = make_units(layers, loss, perf)
        self.total_params = total_params or sum(layer.num_params for layer in layers)
        self._pieces = lru_cache(maxsize=4)(self._make_pieces)

    @property
    def prunable_layers(self) -> tuple[Layer, ...]:
        return tuple(layer for group in self.units.members for layer in group)

    def distribute(
        self,
        target: float,
        *,
        balance: float = 1.0,
        locked: Mapping[str, float] | None = None,
        max_sparsity: float = 0.95,
    ) -> PruningPlan:
        """The plan whose average sparsity over all prunable weights is ``target``.

        ``balance`` weighs loss (1) against FLOPs (0). ``locked`` layers keep the given
        sparsity; no other layer gets more than ``max_sparsity``. Raises `InfeasibleError`
        with what can be reached where these leave no room for the target.
        """
        for value, name in ((target, "target"), (balance, "balance"), (max_sparsity, "limit")):
            if not 0.0 <= value <= 1.0:
                raise InvalidRequestError(f"The {name} must be from 0 to 1; it is {value}.")
        fixed = self._fixed_units(locked or {})
        sparsities = self._fill(target, float(balance), float(max_sparsity), fixed)
        locked_ids = frozenset(layer.id for i in fixed for layer in self.units.members[i])
        return self._plan(sparsities, locked_ids, target, balance)

    def uniform(self, sparsity: float) -> PruningPlan:
        """The plan that gives every prunable layer the same sparsity."""
        return self._plan(np.full(self.units.sizes.size, sparsity), frozenset(), sparsity, None)

    def _plan(
        self,
        sparsities: FloatArray,
        locked: frozenset[str],
        target: float | None,
        balance: float | None,
    ) -> PruningPlan:
        pairs = [
            (layer, sparsity)
            for group, sparsity in zip(self.units.members, sparsities.tolist(), strict=True)
            for layer in group
        ]
        return PruningPlan(
            {layer.id: sparsity for layer, sparsity in pairs},
            locked,
            target,
            balance,
            {layer.id: layer.name for layer, _ in pairs},
        )

    @cached_property
    def _zeros_now(self) -> FloatArray:
        """Fraction of each unit that is zero already, shape [L]: a plan begins there.

        A few zeros by chance (below 0.5 %) are not a sparsity and count as none.
        """
        found = np.array([group[0].sparsity or 0.0 for group in self.units.members])
        return np.where(found < _CHANCE_ZEROS, 0.0, found)

    @cached_property
    def _unit_of(self) -> dict[str, int]:
        return {layer.id: i for i, group in enumerate(self.units.members) for layer in group}

    def _fixed_units(self, locked: Mapping[str, float]) -> dict[int, float]:
        fixed: dict[int, float] = {}
        for layer_id, sparsity in locked.items():
            if layer_id not in self._unit_of:
                raise InvalidRequestError(
                    f"Layer '{layer_id}' cannot be locked: it is not a prunable layer here."
                )
            unit = self._unit_of[layer_id]
            if fixed.setdefault(unit, float(sparsity)) != float(sparsity):
                raise InvalidRequestError(
                    f"Layer '{layer_id}' shares its weight with a layer that is locked to "
                    f"{fixed[unit]}; lock both to one sparsity."
                )
        return fixed

    def _fill(
        self, target: float, balance: float, limit: float, fixed: Mapping[int, float]
    ) -> FloatArray:
        sizes = self.units.sizes
        sparsities = self._zeros_now.copy()
        for fixed_unit, sparsity in fixed.items():
            sparsities[fixed_unit] = sparsity
        wanted = target * float(sizes.sum()) - float(sizes @ sparsities)
        pieces = self._pieces(balance, limit)
        free = ~np.isin(pieces.unit, list(fixed)) if fixed else np.ones(pieces.unit.size, bool)
        unit, start, end = pieces.unit[free], pieces.start[free], pieces.end[free]
        reached = np.cumsum(pieces.num_weights[free])
        total = float(reached[-1]) if reached.size else 0.0
        # Half a weight of slack: targets are decimal fractions of whole weights. More than
        # the target may be zero already; only locks can make a plan ask for too much.
        if wanted > total + 0.5 or (wanted < -0.5 and fixed):
            raise self._infeasible(target, float(sizes @ sparsities), total, limit, bool(fixed))
        if wanted <= 0.0 or not reached.size:
            return sparsities
        last = min(int(np.searchsorted(reached, wanted)), reached.size - 1)
        # Pieces of a unit come in rising order, so the highest end is where it stands.
        np.maximum.at(sparsities, unit[:last], end[:last])
        before = float(reached[last - 1]) if last else 0.0
        part = min((wanted - before) / float(reached[last] - before), 1.0)
        sparsities[unit[last]] = start[last] + part * (end[last] - start[last])
        return sparsities

    def _infeasible(
        self, target: float, locked: float, free: float, limit: float, has_locks: bool
    ) -> InfeasibleError:
        size = float(self.units.sizes.sum()) or 1.0
        low, high = locked / size, (locked + free) / size
        why = f"the locked layers and the limit of {limit:.1%} a layer"
        if not has_locks:
            why = f"the limit of {limit:.1%} a layer"
        verb = "allow" if has_locks else "allows"
        unknown = int(np.sum(~self.units.known))
        if unknown:
            why += f" ({unknown} layers have no loss curve and stay dense)"
        return InfeasibleError(
            f"An average sparsity of {target:.1%} cannot be reached: {why} {verb} "
            f"{low:.1%} to {high:.1%}. Change the target, the limit or the locks."
        )

    def _make_pieces(self, balance: float, limit: float) -> _Pieces:
        costs = self._costs(balance)
        found: list[tuple[float, int, float, float, float]] = []
        for unit in np.flatnonzero(self.units.known):
            first = float(self._zeros_now[unit])
            if first >= limit:
                continue
            levels, values = _between(first, limit, self.units.levels, costs[unit])
            size = float(self.units.sizes[unit])
            slope = -np.inf
            for a, b in _hull_pieces(levels, values):
                weights = size * (levels[b] - levels[a])
                # Rounding must not put a piece before the one below it.
                slope = max(slope, (values[b] - values[a]) / weights)
                found.append((slope, int(unit), levels[a], levels[b], weights))
        table = np.array(sorted(found), np.float64).reshape(-1, 5)
        return _Pieces(table[:, 1].astype(np.int64), table[:, 2], table[:, 3], table[:, 4])

    def _costs(self, balance: float) -> FloatArray:
        """Cost of each unit and level, shape [L, K]; rising in sparsity as far as loss is."""
        damage = self.units.damage(self.units.losses, self.loss.metric.additive_power)
        damage = np.maximum.accumulate(damage, axis=1)
        num_layers = max(1, len(self.prunable_layers))
        flops = np.nan_to_num(self.units.flops)  # unknown work is no argument for pruning
        total = flops[:, 0].sum() or 1.0
        return np.asarray(balance * damage / num_layers + (1.0 - balance) * flops / total)

    @cached_property
    def _estimator(self) -> PlanEstimator:
        return PlanEstimator(self.units, self.layers, self.total_params, self.loss.metric)

    def estimate(self, plan: PruningPlan) -> PlanEstimate:
        """What ``plan`` brings; layers that it does not name stay as they are."""
        return self._estimator.estimate(plan)

    @cached_property
    def _latency(self) -> LatencyModel:
        return LatencyModel(self.perf, self.units.members, self.granularity)

    def predict_latency(self, plan: PruningPlan) -> PredictedLatency:
        """The time of a run of ``plan``, from measured layers where there are any."""
        return self._latency.predict(plan, self.estimate(plan).flops_share)


def _granularity_of(loss: Analysis) -> Granularity:
    """What was removed when the losses were measured; estimates are of single weights."""
    name = loss.provenance.get("granularity")
    return Granularity.CHANNEL if name == Granularity.CHANNEL else Granularity.ELEMENT


def _between(
    first: float, last: float, levels: FloatArray, values: FloatArray
) -> tuple[list[float], list[float]]:
    """The curve from ``first`` to ``last``, which become its first and last level."""
    inside = levels[(levels > first) & (levels < last)]
    xs = np.concatenate([[first], inside, [last]])
    return xs.tolist(), np.interp(xs, levels, values).tolist()


def _hull_pieces(xs: Sequence[float], ys: Sequence[float]) -> list[tuple[int, int]]:
    """Pieces (from, to) of the lower convex hull of a curve with rising ``xs``."""
    hull: list[int] = []
    for i in range(len(xs)):
        while len(hull) > 1 and _above(xs, ys, hull[-2], hull[-1], i):
            hull.pop()
        hull.append(i)
    return [(a, b) for a, b in pairwise(hull) if xs[b] > xs[a]]


def _above(xs: Sequence[float], ys: Sequence[float], a: int, b: int, c: int) -> bool:
    """Whether point b lies on or above the line from a to c."""
    return (ys[b] - ys[a]) * (xs[c] - xs[a]) >= (ys[c] - ys[a]) * (xs[b] - xs[a])
