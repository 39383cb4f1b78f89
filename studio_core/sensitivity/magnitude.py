"""The loss estimate: how much weight magnitude pruning a layer removes.

Two metrics, from one sorted pass over each weight. ``magnitude`` is the contract's: the
sum of the smallest |w| (it grows with the layer, so layers cannot be compared by it).
``l2_share`` is the share of the layer's L2 norm that is removed, sqrt(Σ removed w² / Σ w²),
0 to 1 for every layer, so layers can be compared.

The weights are read straight into a scratch buffer, made absolute and sorted in place;
no layer is held longer than its own turn (performance: docs of `benchmarks/`).
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from studio_core.layers.layer import Layer
from studio_core.pruning.counts import num_pruned
from studio_core.sensitivity.analysis import (
    Analysis,
    AnalysisKind,
    FloatArray,
    LossCurve,
    Metric,
    Source,
)
from studio_core.sensitivity.levels import (
    DEFAULT_LEVELS,
    Resolution,
    checked_levels,
    full_grid,
)


class MagnitudeMetric(StrEnum):
    MAGNITUDE = "magnitude"
    L2_SHARE = "l2_share"


METRICS = {
    MagnitudeMetric.MAGNITUDE: Metric(
        "magnitude",
        "sum of removed |w|",
        "",
        higher_is_better=False,
        description="Sum of the magnitudes of the removed weights. Grows with the layer's "
        "size: compare levels of one layer by it, not layers.",
    ),
    MagnitudeMetric.L2_SHARE: Metric(
        "l2_share",
        "share of L2 norm removed",
        "",
        higher_is_better=False,
        description="sqrt(sum of removed w² / sum of w²), 0 to 1: comparable between layers.",
        additive_power=2.0,
    ),
}


def estimate_loss(
    layers: Sequence[Layer],
    *,
    levels: Sequence[float] = DEFAULT_LEVELS,
    resolution: Resolution | str = Resolution.DEFAULT,
    metric: MagnitudeMetric | str = MagnitudeMetric.L2_SHARE,
    num_threads: int | None = None,
) -> Analysis:
    """Estimated loss curves of the prunable ``layers``, one curve a layer.

    ``resolution="full"`` replaces ``levels`` by the original grid of each layer. Nothing
    is run: the estimate needs the weights only.
    """
    metric = MagnitudeMetric(metric)
    grid = None if Resolution(resolution) is Resolution.FULL else checked_levels(levels)
    curves = tuple(loss_curves_iter(layers, grid, metric, num_threads))
    return Analysis(
        AnalysisKind.LOSS,
        "approx",
        Source.ESTIMATED,
        METRICS[metric],
        curves,
        {"resolution": str(Resolution(resolution))},
    )


def loss_curves_iter(
    layers: Sequence[Layer],
    levels: FloatArray | None,
    metric: MagnitudeMetric,
    num_threads: int | None = None,
) -> Iterator[LossCurve]:
    """The curves one by one, in the order of ``layers``; ``levels`` None is the full grid."""
    prunable = [layer for layer in layers if layer.is_prunable and layer.weight is not None]
    pool = _ScratchPool()

    def curve(layer: Layer) -> LossCurve:
        grid = full_grid(layer.weight_size) if levels is None else levels
        losses = _removed(layer, grid, metric, pool)
        return LossCurve(layer.id, layer.name, grid, losses)

    with ThreadPoolExecutor(max(1, num_threads or min(2, os.cpu_count() or 1))) as threads:
        yield from threads.map(curve, prunable)


class _ScratchPool:
    """One reusable buffer a thread, as large as the largest weight it has met."""

    def __init__(self) -> None:
        self._local = threading.local()

    def buffer(self, size: int) -> NDArray[np.float32]:
        held: NDArray[np.float32] | None = getattr(self._local, "held", None)
        if held is None or held.size < size:
            self._local.held = held = None  # free the old one before the new is made
            self._local.held = held = np.empty(size, np.float32)
        return held


def _removed(
    layer: Layer, sparsities: FloatArray, metric: MagnitudeMetric, pool: _ScratchPool
) -> FloatArray:
    """The metric's value at each sparsity, shape [num_levels]."""
    assert layer.weight is not None
    ordered = layer.weight.magnitudes(pool.buffer(layer.weight_size))
    ordered.sort()
    counts = num_pruned(ordered.size, sparsities)
    if metric is MagnitudeMetric.MAGNITUDE:
        return _cumulative(ordered, counts, np.sum)
    largest = float(ordered[-1])
    if not math.isfinite(largest):
        return np.full(counts.size, np.nan)  # NaN or infinite weights: no share is known
    if largest == 0.0:
        return np.zeros(counts.size)  # a layer of zeros loses nothing at any level
    if not _SQUARES_FIT[0] < largest < _SQUARES_FIT[1]:
        ordered /= np.float32(largest)
    energy = _cumulative(ordered, np.append(counts, ordered.size), _sum_of_squares)
    return np.asarray(np.sqrt(energy[:-1] / energy[-1]))


# Magnitudes whose squares, summed over a layer, neither vanish nor overflow in float32.
_SQUARES_FIT = (1e-12, 1e12)


def _sum_of_squares(values: NDArray[np.float32]) -> float:
    return float(np.dot(values, values))


def _cumulative(
    ordered: NDArray[np.float32],
    counts: NDArray[np.int64],
    total: Callable[[NDArray[np.float32]], float],
) -> FloatArray:
    """Total of the first ``counts[i]`` values, for rising counts.

    Each piece between two counts is short enough for float32; the pieces add in float64.
    """
    edges = [0, *counts.tolist()]
    return np.cumsum([total(ordered[a:b]) for a, b in pairwise(edges)], dtype=np.float64)
