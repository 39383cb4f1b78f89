"""The table the solver chooses from: a row for each level that a layer may have.

A unit is a stored weight (one layer, or several that share it). Its levels are those its
loss curve knows, and level 0; nothing is interpolated. A unit without a curve stays dense.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studio_core.errors import InfeasibleError, InvalidRequestError
from studio_core.layers.layer import Layer
from studio_core.plans.constraints import Limits, Quantity
from studio_core.plans.latency import LatencyModel
from studio_core.plans.planner import Planner
from studio_core.plans.prediction import LossModel
from studio_core.pruning.counts import num_pruned
from studio_core.pruning.storage_bytes import sparse_bytes
from studio_core.sensitivity.analysis import FloatArray

IntArray = NDArray[np.int64]
_EQUAL = 1e-9


@dataclass(frozen=True, eq=False)
class UnitLevels:
    """The levels of one unit before limits: sparsities [K], quantities [K], variance [K].

    Quantities count down: ``SPARSITY`` holds the weights left, ``LOSS`` the damage that
    adds up (prediction.py). NaN is unknown.
    """

    sparsities: FloatArray
    quantities: Mapping[Quantity, FloatArray]
    variance: FloatArray

    def take(self, rows: IntArray) -> UnitLevels:
        """The levels with these numbers only."""
        return UnitLevels(
            self.sparsities[rows],
            {q: column[rows] for q, column in self.quantities.items()},
            self.variance[rows],
        )


@dataclass(frozen=True, eq=False)
class ChoiceTable:
    """Levels of all units under limits, one below the other; N rows, L units.

    ``unit`` [N] rises; ``starts`` [L] is each unit's first row. ``constants`` is what the
    rest of the model adds to a quantity, ``dense`` the whole of it before pruning.
    """

    unit: IntArray
    starts: IntArray
    sparsities: FloatArray
    quantities: Mapping[Quantity, FloatArray]
    variance: FloatArray
    constants: Mapping[Quantity, float]
    dense: Mapping[Quantity, float]

    def total(self, quantity: Quantity, rows: IntArray) -> float:
        """The quantity of a whole plan, given the row chosen for each unit."""
        return float(self.quantities[quantity][rows].sum()) + self.constants[quantity]

    def where(self, keep: NDArray[np.bool_]) -> ChoiceTable:
        """The rows that are kept; the caller sees to it that each unit keeps one."""
        unit = self.unit[keep]
        return ChoiceTable(
            unit,
            np.searchsorted(unit, np.arange(self.starts.size)),
            self.sparsities[keep],
            {q: column[keep] for q, column in self.quantities.items()},
            self.variance[keep],
            self.constants,
            self.dense,
        )


class Choices:
    """All levels of a planner's units, gathered once; `table` cuts them to given limits.

    ``other_latency_ms`` is the time of the run that the layers' timings leave out; None
    takes it from the performance analysis.
    """

    def __init__(self, planner: Planner, other_latency_ms: float | None = None) -> None:
        self.planner = planner
        self.units: tuple[tuple[Layer, ...], ...] = planner.units.members
        self.loss = LossModel(planner.loss, self.units)
        self.latency = LatencyModel(planner.perf, self.units, planner.granularity, other_latency_ms)
        self.levels = [self._levels(i) for i in range(len(self.units))]
        self.unit_of = {x.id: i for i, group in enumerate(self.units) for x in group}
        self.without_curve = frozenset(i for i, k in enumerate(self.loss.known) if k is None)

    def _levels(self, unit: int) -> UnitLevels:
        known = self.loss.known[unit]
        sparsities = np.zeros(1) if known is None else known.sparsities
        return self._measured(unit, sparsities)

    def _measured(self, unit: int, sparsities: FloatArray) -> UnitLevels:
        """Quantities of one unit at ``sparsities``; the loss as known there."""
        group, known = self.units[unit], self.loss.known[unit]
        pairs = [(math.nan, math.nan) if known is None else known.at(s) for s in sparsities]
        losses = np.array([0.0 if s == 0 else p[0] for s, p in zip(sparsities, pairs, strict=True)])
        errors = np.array([0.0 if s == 0 else p[1] for s, p in zip(sparsities, pairs, strict=True)])
        layer, size = group[0], group[0].weight_size
        zeros = np.maximum(num_pruned(size, sparsities), layer.num_zeros or 0)
        num_bytes = 0 if layer.weight is None else layer.weight.num_bytes
        macs = math.nan if any(x.macs is None for x in group) else sum(x.macs or 0 for x in group)
        columns = {
            Quantity.LOSS: self.loss.damage(unit, losses),
            Quantity.SPARSITY: np.asarray(size - zeros, np.float64),
            Quantity.BYTES: sparse_bytes(num_bytes, size, zeros).astype(np.float64),
            Quantity.FLOPS: macs * (1.0 - zeros / max(1, size)),
            Quantity.LATENCY: self.latency.timings(unit, sparsities),
        }
        return UnitLevels(sparsities, columns, self.loss.variance(unit, losses, errors))

    def check(self, quantity: Quantity) -> None:
        """Raises `InvalidRequestError` if the quantity is not known for the model."""
        unknown = [
            group[0].name
            for group, levels in zip(self.units, self.levels, strict=True)
            if math.isnan(levels.quantities[quantity][0])
        ]
        if not unknown:
            return
        if quantity is Quantity.LATENCY and len(unknown) < len(self.units):
            return  # the time of a layer that was not measured does not change
        todo = {
            Quantity.LATENCY: f"No latency was measured for {self.latency.granularity} pruning. "
            "Run a performance analysis first, and plan with it.",
            Quantity.FLOPS: f"The multiply-accumulates of layer '{unknown[0]}' are unknown. "
            "Give sizes to the model's free dimensions.",
        }
        raise InvalidRequestError(todo.get(quantity, f"The {quantity.label} is unknown."))

    def table(self, limits: Limits, uses_latency: bool) -> ChoiceTable:
        """The rows that ``limits`` leave; without a timing a row falls out if latency counts."""
        self._check_limits(limits)
        parts = [self._limited(i, limits, uses_latency) for i in range(len(self.units))]
        counts = np.array([part.sparsities.size for part in parts], np.int64)
        columns = {
            q: np.concatenate([part.quantities[q] for part in parts] or [np.zeros(0)])
            for q in Quantity
        }
        # A locked layer whose loss is unknown is left out of the sum and named beside it.
        columns[Quantity.LOSS] = np.nan_to_num(columns[Quantity.LOSS])
        return ChoiceTable(
            np.repeat(np.arange(len(parts)), counts),
            np.cumsum(counts) - counts,
            np.concatenate([part.sparsities for part in parts] or [np.zeros(0)]),
            columns,
            np.concatenate([part.variance for part in parts] or [np.zeros(0)]),
            self._constants,
            self._dense(uses_latency),
        )

    def _check_limits(self, limits: Limits) -> None:
        for layer_id in limits.layer_ids:
            if layer_id not in self.unit_of:
                raise InvalidRequestError(
                    f"Layer '{layer_id}' cannot be locked or limited: it is not a prunable "
                    "layer of this model."
                )

    def _limited(self, unit: int, limits: Limits, uses_latency: bool) -> UnitLevels:
        levels, group = self.levels[unit], self.units[unit]
        locks = {limits.locked[x.id] for x in group if x.id in limits.locked}
        if len(locks) > 1:
            raise InvalidRequestError(
                f"Layers {', '.join(repr(x.id) for x in group)} share one weight; lock them "
                "to one sparsity."
            )
        if locks:
            return self._locked(unit, locks.pop(), uses_latency)
        low, high = self.range_of(unit, limits)
        inside = (levels.sparsities >= low - _EQUAL) & (levels.sparsities <= high + _EQUAL)
        if uses_latency:
            timed = ~np.isnan(levels.quantities[Quantity.LATENCY])
            inside &= timed if timed[0] else np.ones_like(inside)
        if not inside.any():
            known = ", ".join(f"{s:.1%}" for s in levels.sparsities.tolist())
            raise InfeasibleError(
                f"Layer '{group[0].name}' has no known level from {low:.1%} to {high:.1%}; it "
                f"has {known}. Change its limits, or measure more levels."
            )
        taken = levels.take(np.flatnonzero(inside))
        return _with_latency(taken, 0.0) if uses_latency else taken

    def _locked(self, unit: int, sparsity: float, uses_latency: bool) -> UnitLevels:
        """The one level of a locked unit; where it was not timed it gains no time."""
        level = self._measured(unit, np.array([sparsity]))
        baseline = float(np.nan_to_num(self.levels[unit].quantities[Quantity.LATENCY][0]))
        return _with_latency(level, baseline) if uses_latency else level

    def range_of(self, unit: int, limits: Limits) -> tuple[float, float]:
        """Lowest and highest sparsity of a unit that is not locked."""
        group = self.units[unit]
        low = max(limits.lowest.get(x.id, 0.0) for x in group)
        high = min(limits.highest.get(x.id, limits.max_sparsity) for x in group)
        return low, high

    @property
    def _constants(self) -> dict[Quantity, float]:
        """What all that is no unit adds: biases, layers that are not prunable, other time."""
        unique = {x.weight.key: x for x in self.planner.layers if x.weight is not None}
        num_bytes = sum(x.num_bytes for x in unique.values())
        weights = sum(g[0].weight.num_bytes for g in self.units if g[0].weight is not None)
        macs = sum(x.macs or 0 for x in self.planner.layers if x.id not in self.unit_of)
        return {
            Quantity.LOSS: 0.0,
            Quantity.SPARSITY: 0.0,
            Quantity.BYTES: float(num_bytes - weights),
            Quantity.FLOPS: float(macs),
            Quantity.LATENCY: self.latency.other_ms,
        }

    def _dense(self, uses_latency: bool) -> dict[Quantity, float]:
        """Each quantity before pruning (bytes with every zero stored)."""
        dense = dict(self._constants)
        for group, levels in zip(self.units, self.levels, strict=True):
            dense[Quantity.SPARSITY] += group[0].weight_size
            dense[Quantity.BYTES] += group[0].weight.num_bytes if group[0].weight else 0
            dense[Quantity.FLOPS] += sum(x.macs or 0 for x in group)
            timing = float(levels.quantities[Quantity.LATENCY][0])
            dense[Quantity.LATENCY] += 0.0 if uses_latency and math.isnan(timing) else timing
        return dense


def _with_latency(levels: UnitLevels, unknown: float) -> UnitLevels:
    """The levels with ``unknown`` for each timing that is not known."""
    timings = np.nan_to_num(levels.quantities[Quantity.LATENCY], nan=unknown)
    quantities = {**levels.quantities, Quantity.LATENCY: timings}
    return UnitLevels(levels.sparsities, quantities, levels.variance)
