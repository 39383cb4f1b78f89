"""The curves of an analysis as arrays that can be drawn: one row a layer, NaN unknown.

Loss curves are drawn as they are. Work (FLOPs) is drawn as the share of the whole model's
work that the layer still does: as a share of its own work every layer would be the same
line, and nobody could see which ones are worth pruning.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from studio_core.sensitivity.analysis import Analysis, LossCurve, PerfCurve

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CurveSet:
    """Curves ready to draw.

    ``sparsities``, ``values`` and ``standard_errors`` have shape [num_layers, num_points]
    and begin at the baseline (sparsity 0); rows with fewer levels end in NaN.
    ``scores`` [num_layers] is the mean of each curve over its known range: the number by
    which layers are ranked and coloured. ``label`` says unit, source and direction.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    sparsities: Floats
    values: Floats
    standard_errors: Floats | None
    scores: Floats
    label: str

    def resampled(self, grid: Floats) -> Floats:
        """Values at the sparsities of ``grid``, NaN outside what a layer's levels span."""
        rows = np.full((len(self.ids), len(grid)), np.nan)
        for row, xs, ys in zip(rows, self.sparsities, self.values, strict=True):
            known = np.isfinite(ys) & np.isfinite(xs)
            if known.sum() > 1:
                row[:] = np.interp(grid, xs[known], ys[known], left=np.nan, right=np.nan)
        return rows


_DRAWN: WeakKeyDictionary[Analysis, CurveSet] = WeakKeyDictionary()


def curve_set(analysis: Analysis) -> CurveSet:
    """The curves of ``analysis`` in its own order of layers; table and chart share them."""
    if analysis not in _DRAWN:
        _DRAWN[analysis] = _curve_set(analysis)
    return _DRAWN[analysis]


def _curve_set(analysis: Analysis) -> CurveSet:
    total = _total_work(analysis)
    points = [_points(curve, total) for curve in analysis.curves]
    width = max((len(xs) for xs, _, _ in points), default=1)
    sparsities, values, errors = (np.full((len(points), width), np.nan) for _ in range(3))
    for i, (xs, ys, es) in enumerate(points):
        sparsities[i, : len(xs)], values[i, : len(ys)] = xs, ys
        if es is not None:
            errors[i, : len(es)] = es
    return CurveSet(
        ids=analysis.layer_ids,
        names=tuple(curve.layer_name for curve in analysis.curves),
        sparsities=sparsities,
        values=values,
        standard_errors=errors if np.isfinite(errors).any() else None,
        scores=_scores(sparsities, values),
        label=axis_label(analysis),
    )


def axis_label(analysis: Analysis) -> str:
    """What the vertical axis shows, in words: unit, where it comes from, which way is good."""
    metric = analysis.metric
    better = "higher is better" if metric.higher_is_better else "lower is better"
    if analysis.kind == "perf":
        what = f"share of the model's {metric.label} in the layer"
        return f"{what} ({source_in_words(analysis)}, lower is less work)"
    unit = "" if not metric.unit or metric.unit in metric.label else f" [{metric.unit}]"
    return f"{metric.label}{unit} ({source_in_words(analysis)}, {better})"


def source_in_words(analysis: Analysis) -> str:
    """'estimated', 'measured' or 'measured on random data'."""
    is_random = bool(analysis.provenance.get("generatedData"))
    return f"{analysis.source} on random data" if is_random else str(analysis.source)


def _total_work(analysis: Analysis) -> float:
    known = [c.baseline_flops for c in analysis.curves if isinstance(c, PerfCurve)]
    return float(sum(f for f in known if f is not None)) or float("nan")


def _points(curve: LossCurve | PerfCurve, total: float) -> tuple[Floats, Floats, Floats | None]:
    """Sparsities, values and standard errors of one curve, its baseline put first."""
    errors: Floats | None = None
    if isinstance(curve, LossCurve):
        values, baseline, errors = curve.losses, curve.baseline_loss, curve.standard_errors
    else:
        values = curve.flops / total
        dense = curve.baseline_flops
        baseline = float("nan") if dense is None else dense / total
    if len(curve.sparsities) and curve.sparsities[0] <= 0:
        return curve.sparsities, values, errors
    xs = np.concatenate([[0.0], curve.sparsities])
    ys = np.concatenate([[baseline], values])
    return xs, ys, None if errors is None else np.concatenate([[0.0], errors])


def _scores(sparsities: Floats, values: Floats) -> Floats:
    scores = np.full(len(values), np.nan)
    for i, (xs, ys) in enumerate(zip(sparsities, values, strict=True)):
        known = np.isfinite(xs) & np.isfinite(ys)
        x, y = xs[known], ys[known]
        if len(x) > 1 and x[-1] > x[0]:
            scores[i] = np.dot(np.diff(x), (y[1:] + y[:-1]) / 2) / (x[-1] - x[0])
    return scores
