"""`compare_analyses`: two sensitivity analyses of a kind, curve by curve.

Losses are compared where both have the same metric, times with times and FLOPs with FLOPs;
the order of the layers is compared in any case.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.conditions import differences
from studio_core.sensitivity import Analysis, LossCurve, PerfCurve
from studio_core.sensitivity.analysis import FloatArray

_NUM_ERRORS = 2.0

Curve = LossCurve | PerfCurve


@dataclass(frozen=True, eq=False)
class CurveComparison:
    """One layer in two analyses; arrays of shape [num_levels] over the levels of both.

    Values between known levels are read off the curve, linearly; NaN beyond them.
    ``left_errors`` and ``right_errors`` are standard errors of the two values, NaN where one is
    not known.
    """

    left_id: str
    right_id: str
    name: str
    sparsities: FloatArray
    left: FloatArray
    right: FloatArray
    left_errors: FloatArray
    right_errors: FloatArray

    @property
    def differences(self) -> FloatArray:
        return self.right - self.left

    @property
    def standard_errors(self) -> FloatArray:
        """Those of the differences, NaN where one of the two is not known."""
        return np.hypot(self.left_errors, self.right_errors)

    @property
    def means(self) -> tuple[float, float]:
        """The mean of each curve over the range in which both are known; NaN without one."""
        known = np.isfinite(self.differences)
        xs = self.sparsities[known]
        if xs.size < 2 or xs[-1] <= xs[0]:
            return math.nan, math.nan
        left, right = (_mean(xs, values[known]) for values in (self.left, self.right))
        return left, right

    @property
    def largest(self) -> float:
        """The difference that is farthest from 0, with its sign; NaN where none is known."""
        known = self.differences[np.isfinite(self.differences)]
        return float(known[np.argmax(np.abs(known))]) if known.size else math.nan

    @property
    def is_apart(self) -> bool | None:
        """Whether the curves differ by more than 2 standard errors; None without errors."""
        known = np.isfinite(self.differences) & np.isfinite(self.standard_errors)
        if not known.any():
            return None
        limit = _NUM_ERRORS * self.standard_errors[known]
        return bool((np.abs(self.differences[known]) > limit).any())

    def at(self, sparsity: float) -> tuple[float, float]:
        """Both values at a sparsity; NaN where unknown."""
        left, right = (_read(self.sparsities, v, sparsity) for v in (self.left, self.right))
        return left, right


@dataclass(frozen=True, eq=False)
class AnalysisComparison:
    """Two analyses side by side: the curves of both, and the layers that only one has.

    ``quantity`` is what is compared (the metric's label, milliseconds, FLOPs). Where
    ``is_comparable`` is False the values have different units, and only ranks mean anything.
    """

    left: Analysis
    right: Analysis
    quantity: str
    is_comparable: bool
    curves: tuple[CurveComparison, ...]
    only_left: tuple[str, ...]
    only_right: tuple[str, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """In sentences, under which other conditions the two were measured; empty if under none."""
        left, right = (_conditions(analysis) for analysis in (self.left, self.right))
        found = differences(left, right)
        return (f"Not measured alike: {'; '.join(found)}.",) if found else ()

    @property
    def ranks(self) -> FloatArray:
        """Ranks of the layers by their means in both analyses, shape [num_curves, 2].

        Rank 1 has the largest mean, equal means share a rank; NaN where a mean is not known.
        """
        means = np.array([curve.means for curve in self.curves]).reshape(-1, 2)
        known = np.isfinite(means).all(axis=1)
        found = np.full(means.shape, np.nan)
        for side in (0, 1):
            found[known, side] = 1 + _ranks(-means[known, side])
        return found

    def rank_correlation(self, sparsity: float | None = None) -> float | None:
        """Spearman's correlation of the layers' order at a sparsity; None below 3 layers.

        Without a sparsity the layers are ordered by the means of their curves.
        """
        pairs = [c.means if sparsity is None else c.at(sparsity) for c in self.curves]
        known = np.array([p for p in pairs if all(map(math.isfinite, p))])
        if len(known) < 3:
            return None
        left, right = _ranks(known[:, 0]), _ranks(known[:, 1])
        if not left.std() or not right.std():
            return None
        return float(np.corrcoef(left, right)[0, 1])


def _conditions(analysis: Analysis) -> dict[str, object]:
    """What is on record, the metric apart, which is told by itself."""
    known = {"granularity": analysis.granularity, **analysis.provenance}
    return {key: value for key, value in known.items() if key != "metric"}


def compare_analyses(
    left: Analysis, right: Analysis, layer_ids: Mapping[str, str] | None = None
) -> AnalysisComparison:
    """Compare two analyses of one kind; ``layer_ids`` as in `compare_plans`.

    Raises `InvalidRequestError` for a loss and a performance analysis.
    """
    if left.kind is not right.kind:
        raise InvalidRequestError(
            f"A {left.kind} and a {right.kind} analysis cannot be compared. Give two of a kind."
        )
    same = layer_ids if layer_ids is not None else _same_layers(left, right)
    pairs = [(a, b) for i, j in same.items() if (a := left.curve(i)) and (b := right.curve(j))]
    has_times = all(_has_times(curve) for pair in pairs for curve in pair) and bool(pairs)
    seen = {a.layer_id for a, _ in pairs}, {b.layer_id for _, b in pairs}
    is_same_unit = (left.metric.name, left.metric.unit) == (right.metric.name, right.metric.unit)
    return AnalysisComparison(
        left,
        right,
        "milliseconds" if has_times else right.metric.label,
        has_times or is_same_unit,
        tuple(_compared(a, b, has_times) for a, b in pairs),
        tuple(i for i in left.layer_ids if i not in seen[0]),
        tuple(i for i in right.layer_ids if i not in seen[1]),
    )


def _same_layers(left: Analysis, right: Analysis) -> dict[str, str]:
    """By id, then by a name that only one layer has."""
    found = {i: i for i in left.layer_ids if right.curve(i) is not None}
    names = _unique_names(right)
    for layer_id, name in ((i, n) for n, i in _unique_names(left).items()):
        other = names.get(name)
        if layer_id not in found and other is not None and left.curve(other) is None:
            found[layer_id] = other
    order = {layer_id: place for place, layer_id in enumerate(left.layer_ids)}
    return dict(sorted(found.items(), key=lambda item: order[item[0]]))


def _unique_names(analysis: Analysis) -> dict[str, str]:
    counts = Counter(curve.layer_name for curve in analysis.curves)
    return {c.layer_name: c.layer_id for c in analysis.curves if counts[c.layer_name] == 1}


def _has_times(curve: Curve) -> bool:
    return isinstance(curve, PerfCurve) and curve.timings_ms is not None


def _compared(a: Curve, b: Curve, has_times: bool) -> CurveComparison:
    levels = np.union1d(np.union1d([0.0], a.sparsities), b.sparsities)
    return CurveComparison(
        a.layer_id,
        b.layer_id,
        b.layer_name,
        levels,
        _on(levels, a, has_times),
        _on(levels, b, has_times),
        _errors_on(levels, a),
        _errors_on(levels, b),
    )


def _on(levels: FloatArray, curve: Curve, has_times: bool) -> FloatArray:
    start, ys = _points(curve, has_times)
    known = np.isfinite(ys)
    xs = np.concatenate([[0.0] if start is not None else [], curve.sparsities[known]])
    values = np.concatenate([[start] if start is not None else [], ys[known]])
    if not xs.size:
        return np.full(levels.shape, np.nan)
    return np.asarray(np.interp(levels, xs, values, left=np.nan, right=np.nan), np.float64)


def _points(curve: Curve, has_times: bool) -> tuple[float | None, FloatArray]:
    """What stands at level 0, and at each of the curve's own levels."""
    if isinstance(curve, LossCurve):
        return curve.baseline_loss, curve.losses
    if has_times and curve.timings_ms is not None:
        return curve.baseline_timing_ms, curve.timings_ms
    return curve.baseline_flops, curve.flops


def _errors_on(levels: FloatArray, curve: Curve) -> FloatArray:
    found = np.full(levels.shape, np.nan)
    if isinstance(curve, LossCurve) and curve.standard_errors is not None:
        found[np.searchsorted(levels, curve.sparsities)] = curve.standard_errors
    return found


def _read(levels: FloatArray, values: FloatArray, sparsity: float) -> float:
    known = np.isfinite(values)
    if not known.any():
        return math.nan
    return float(np.interp(sparsity, levels[known], values[known], left=np.nan, right=np.nan))


def _mean(xs: FloatArray, ys: FloatArray) -> float:
    return float(np.dot(np.diff(xs), (ys[1:] + ys[:-1]) / 2) / (xs[-1] - xs[0]))


def _ranks(values: FloatArray) -> FloatArray:
    """Ranks from 0, equal values sharing the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means = ends - (counts + 1) / 2
    return np.asarray(means[places], np.float64)
