"""What a plan decides on: layers, or groups of layers that share one weight, as arrays.

Numpy arrays over units and levels make a redistribution instant, for thousands of layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from studio_core.layers.layer import Layer
from studio_core.sensitivity.analysis import (
    Analysis,
    AnalysisKind,
    FloatArray,
    LossCurve,
    PerfCurve,
)
from studio_core.sensitivity.levels import DEFAULT_LEVELS

_MOST_LEVELS = 200


@dataclass(frozen=True, eq=False)
class Units:
    """Prunable units. ``L`` is the number of units, ``K`` of levels (level 0 first).

    ``members[i]`` are the layers of unit i (more than one where they share a weight).
    ``sizes`` [L] counts weights; ``levels`` [K]; ``losses`` [L, K] and ``flops`` [L, K] hold
    NaN where a curve is unknown.
    """

    members: tuple[tuple[Layer, ...], ...]
    sizes: FloatArray
    levels: FloatArray
    losses: FloatArray
    flops: FloatArray

    @property
    def known(self) -> np.ndarray:
        """Units whose loss curve is known at every level, bool [L]."""
        return np.asarray(~np.isnan(self.losses).any(axis=1))

    @cached_property
    def num_layers(self) -> FloatArray:
        """Layers of each unit, shape [L]; more than one where they share a weight."""
        return np.array([len(group) for group in self.members], np.float64)

    def damage(self, losses: FloatArray, power: float) -> FloatArray:
        """Losses of units ([L] or [L, K]) as what adds up: Σ loss^power over their layers."""
        count = self.num_layers.reshape(-1, *[1] * (losses.ndim - 1))
        return np.asarray(count * (losses / count) ** power)

    def losses_at(self, sparsities: FloatArray) -> FloatArray:
        """Loss of each unit at its sparsity, linear between levels, shape [L]."""
        right = np.clip(np.searchsorted(self.levels, sparsities), 1, self.levels.size - 1)
        left = right - 1
        rows = np.arange(sparsities.size)
        width = self.levels[right] - self.levels[left]
        t = (sparsities - self.levels[left]) / width
        return (1.0 - t) * self.losses[rows, left] + t * self.losses[rows, right]


def make_units(layers: Sequence[Layer], loss: Analysis, perf: Analysis | None) -> Units:
    """The units of the prunable ``layers`` with their curves on one grid of levels."""
    groups: dict[tuple[str, int, int], list[Layer]] = {}
    for layer in layers:
        if layer.is_prunable and layer.weight is not None:
            groups.setdefault(layer.weight.key, []).append(layer)
    members = tuple(tuple(group) for group in groups.values())
    levels = _common_levels(loss)
    return Units(
        members,
        np.array([group[0].weight_size for group in members], np.float64),
        levels,
        _rows(members, loss, levels),
        _rows(members, perf, levels),
    )


def _common_levels(analysis: Analysis) -> FloatArray:
    known: set[float] = set()
    for curve in analysis.curves:
        known.update(curve.sparsities.tolist())
        if len(known) > _MOST_LEVELS:
            known = set(DEFAULT_LEVELS)
            break
    return np.array(sorted(known | {0.0, 1.0}), np.float64)


def _rows(
    members: Sequence[Sequence[Layer]], analysis: Analysis | None, levels: FloatArray
) -> FloatArray:
    """Curves summed over the layers of each unit, shape [L, K]; NaN where there is none.

    A measured loss is that of the unit already: its layers were pruned together.
    """
    together = isinstance(analysis, Analysis) and (
        analysis.kind is AnalysisKind.LOSS and analysis.is_from_data
    )
    combine = np.max if together else np.sum
    curves = {} if analysis is None else {c.layer_id: c for c in analysis.curves}
    rows = np.full((len(members), levels.size), np.nan)
    for i, group in enumerate(members):
        found = [curves.get(layer.id) for layer in group]
        if all(curve is not None for curve in found):
            rows[i] = combine([_on_grid(c, levels) for c in found if c is not None], axis=0)
    return rows


def _on_grid(curve: LossCurve | PerfCurve, levels: FloatArray) -> FloatArray:
    if isinstance(curve, LossCurve):
        start, values = curve.baseline_loss, curve.losses
    else:
        start = np.nan if curve.baseline_flops is None else curve.baseline_flops
        values = curve.flops
    ys = np.concatenate([[start], values])
    xs = np.concatenate([[0.0], curve.sparsities])
    keep = ~np.isnan(ys)
    if np.unique(xs[keep]).size < 2:
        return np.full(levels.size, np.nan)
    # Beyond the last known level the curve goes on with its last slope, not flat.
    inside = np.interp(levels, xs[keep], ys[keep])
    last_x, last_y = xs[keep][-1], ys[keep][-1]
    before_x, before_y = xs[keep][-2], ys[keep][-2]
    slope = (last_y - before_y) / (last_x - before_x) if last_x > before_x else 0.0
    return np.asarray(np.where(levels > last_x, last_y + slope * (levels - last_x), inside))
