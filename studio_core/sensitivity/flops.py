"""The performance estimate: the work that is left if every zero weight were skipped.

flops(s) = MACs · (1 − s) + bias additions, in multiply-accumulates. No runtime is asked:
most do not skip zeros, and the measured analysis says what this one does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from studio_core.layers.layer import Layer
from studio_core.pruning.counts import num_pruned
from studio_core.sensitivity.analysis import (
    Analysis,
    AnalysisKind,
    FloatArray,
    Metric,
    PerfCurve,
    Source,
)
from studio_core.sensitivity.levels import (
    DEFAULT_LEVELS,
    Resolution,
    checked_levels,
    full_grid,
)

FLOPS = Metric(
    "flops",
    "multiply-accumulates left",
    "MACs",
    higher_is_better=False,
    description="MACs · (1 − sparsity) + bias additions, if the runtime skipped every zero.",
)


def estimate_perf(
    layers: Sequence[Layer],
    *,
    levels: Sequence[float] = DEFAULT_LEVELS,
    resolution: Resolution | str = Resolution.DEFAULT,
) -> Analysis:
    """Estimated work of the prunable ``layers`` by sparsity, one curve a layer.

    A layer whose MACs are unknown gets a curve of NaN, never of zeros.
    """
    grid = None if Resolution(resolution) is Resolution.FULL else checked_levels(levels)
    curves = tuple(
        _curve(layer, full_grid(layer.weight_size) if grid is None else grid)
        for layer in layers
        if layer.is_prunable
    )
    return Analysis(
        AnalysisKind.PERF,
        "approx",
        Source.ESTIMATED,
        FLOPS,
        curves,
        {"resolution": str(Resolution(resolution))},
    )


def _curve(layer: Layer, sparsities: FloatArray) -> PerfCurve:
    if layer.macs is None:
        unknown = np.full(sparsities.size, np.nan)
        return PerfCurve(layer.id, layer.name, sparsities, unknown, None)
    left = 1.0 - num_pruned(layer.weight_size, sparsities) / layer.weight_size
    return PerfCurve(
        layer.id,
        layer.name,
        sparsities,
        flops=layer.macs * left + layer.bias_size,
        baseline_flops=float(layer.macs + layer.bias_size),
    )
