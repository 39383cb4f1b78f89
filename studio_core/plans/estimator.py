"""What a plan brings, before it is applied: zeros, bytes, FLOPs, estimated loss.

All that does not depend on the plan is gathered once, as arrays over the units, so that an
estimate follows every move of a slider, for thousands of layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from studio_core.layers.layer import Layer
from studio_core.plans.plan import PlanEstimate, PruningPlan
from studio_core.plans.units import Units
from studio_core.pruning.counts import num_pruned
from studio_core.pruning.storage_bytes import sparse_bytes
from studio_core.sensitivity.analysis import FloatArray, Metric

IntArray = NDArray[np.int64]


class PlanEstimator:
    """Estimates plans over ``units``; ``layers`` are all layers of the model."""

    def __init__(
        self, units: Units, layers: Sequence[Layer], total_params: int, metric: Metric
    ) -> None:
        self.units = units
        self.layers = layers
        self.total_params = total_params
        self.metric = metric

    def estimate(self, plan: PruningPlan) -> PlanEstimate:
        asked = self._asked(plan)
        zeros = np.maximum(num_pruned(self._sizes, asked), self._zeros_now)
        num_weights, num_zeros = int(self._sizes.sum()), int(zeros.sum())
        sparsity = num_zeros / max(1, num_weights)
        # Rounding to whole weights can cost half a weight in each unit.
        slack = max(0.0005, 0.5 * self._sizes.size / max(1, num_weights))
        note, achieved = _compare(plan, sparsity, slack)
        flops_dense, flops = self._flops(zeros)
        return PlanEstimate(
            num_weights=num_weights,
            num_zeros=num_zeros,
            sparsity=sparsity,
            model_sparsity=num_zeros / max(1, self.total_params),
            flops_dense=flops_dense,
            flops=flops,
            bytes_dense=self._bytes_dense,
            bytes_sparse=self._bytes_dense - self._bytes_saved(zeros),
            loss=self._loss(asked),
            achieves_target=achieved,
            note=note,
        )

    def _asked(self, plan: PruningPlan) -> FloatArray:
        """Sparsity of each unit, shape [L]: the most that is asked of any of its layers."""
        asked = plan.sparsities
        return np.array(
            [max([asked.get(x.id, 0.0) for x in group]) for group in self.units.members],
            np.float64,
        )

    @cached_property
    def _sizes(self) -> IntArray:
        return self.units.sizes.astype(np.int64)

    @cached_property
    def _zeros_now(self) -> IntArray:
        return np.array([group[0].num_zeros or 0 for group in self.units.members], np.int64)

    @cached_property
    def _weight_bytes(self) -> IntArray:
        weights = [group[0].weight for group in self.units.members]
        return np.array([0 if w is None else w.num_bytes for w in weights], np.int64)

    @cached_property
    def _bytes_dense(self) -> int:
        """Bytes of all layers, each stored weight once."""
        unique = {x.weight.key: x for x in self.layers if x.weight is not None}
        return sum(layer.num_bytes for layer in unique.values())

    def _bytes_saved(self, zeros: IntArray) -> int:
        left = sparse_bytes(self._weight_bytes, self._sizes, zeros)
        return int((self._weight_bytes - left).sum())

    @cached_property
    def _macs(self) -> FloatArray | None:
        """MACs of each unit, shape [L]; None if any is unknown: a part is no sum."""
        groups = [[layer.macs for layer in group] for group in self.units.members]
        if any(macs is None for group in groups for macs in group):
            return None
        return np.array([sum(m or 0 for m in group) for group in groups], np.float64)

    @cached_property
    def _flops_dense(self) -> int:
        return sum(layer.macs or 0 for layer in self.layers)

    def _flops(self, zeros: IntArray) -> tuple[int | None, int | None]:
        if self._macs is None:
            return None, None
        saved = float(self._macs @ (zeros / np.maximum(self._sizes, 1)))
        return self._flops_dense, round(self._flops_dense - saved)

    def _loss(self, sparsities: FloatArray) -> float | None:
        """The power mean of the layers' losses, by the power with which they add up."""
        known = self.units.known
        if not known.any():
            return None
        power = self.metric.additive_power
        damage = self.units.damage(self.units.losses_at(sparsities), power)[known]
        mean = float(damage.sum()) / float(self.units.num_layers[known].sum())
        return float(max(mean, 0.0) ** (1.0 / power))


def _compare(plan: PruningPlan, sparsity: float, slack: float) -> tuple[str, bool]:
    if plan.target is None or abs(sparsity - plan.target) <= slack:
        return "", True
    if sparsity > plan.target:
        return "More is zero than the plan asks: some weights are zero already.", True
    return f"The plan reaches {sparsity:.1%} of the {plan.target:.1%} asked for.", False
