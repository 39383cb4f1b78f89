"""The time of a whole plan, from the measured times of its layers, and where it comes from.

A run is its layers and a rest that is no layer's (other kernels, the engine's own work);
pruning changes the layers. Nothing is taken for faster that was not measured to be: zeros
that the runtime does not skip bring nothing, and a layer without a time keeps what it has.
Without any times only the share of multiply-accumulates can be told, as if every zero were
skipped; it says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from studio_core.layers.layer import Layer
from studio_core.plans.plan import PruningPlan
from studio_core.pruning.masks import Granularity
from studio_core.sensitivity.analysis import Analysis, FloatArray, PerfCurve, Source

_EQUAL = 1e-9


@dataclass(frozen=True)
class PredictedLatency:
    """The predicted time of a run of one batch.

    ``value_ms`` and ``dense_ms`` are None where no time was measured; ``share`` is then that
    of the multiply-accumulates, and ``source`` estimated. ``unknown`` names the pruned
    layers whose time at their sparsity is not known: they count as unchanged.
    """

    value_ms: float | None
    dense_ms: float | None
    share: float | None
    source: Source
    granularity: Granularity
    statement: str
    unknown: tuple[str, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """The prediction as JSON-ready values."""
        return {
            "valueMs": self.value_ms,
            "denseMs": self.dense_ms,
            "share": self.share,
            "source": str(self.source),
            "granularity": str(self.granularity),
            "statement": self.statement,
            "unknown": list(self.unknown),
        }


class LatencyModel:
    """How the layers' times in ``perf`` add up to the time of a plan over ``units``.

    ``granularity`` is what the plan removes; ``other_ms`` the part of the run that is no
    unit's, None to take it from the analysis (0 where that does not know the run).
    """

    def __init__(
        self,
        perf: Analysis | None,
        units: Sequence[Sequence[Layer]],
        granularity: Granularity = Granularity.ELEMENT,
        other_ms: float | None = None,
    ) -> None:
        self.perf = perf
        self.units = units
        self.granularity = granularity
        self.known = [self._curves(group) for group in units]
        self.other_ms = self._other_ms() if other_ms is None else other_ms

    def _curves(self, group: Sequence[Layer]) -> list[PerfCurve | None]:
        """The curves of a unit, all or none: a part of its time is no time."""
        found = [self._curve(layer) for layer in group]
        return found if all(found) else [None] * len(found)

    def _curve(self, layer: Layer) -> PerfCurve | None:
        """The layer's curve, if it holds times."""
        curve = None if self.perf is None else self.perf.curve(layer.id)
        if not isinstance(curve, PerfCurve) or curve.baseline_timing_ms is None:
            return None
        return None if curve.timings_of(self.granularity) is None else curve

    def _other_ms(self) -> float:
        run_ms = None if self.perf is None else self.perf.run_ms
        if run_ms is None:
            return 0.0
        return run_ms - sum(_baseline(c) for group in self.known for c in group if c is not None)

    @property
    def is_measured(self) -> bool:
        """Whether the time of any layer is known with this granularity."""
        return any(curve is not None for group in self.known for curve in group)

    @property
    def dense_ms(self) -> float:
        """The whole run before pruning, as far as its parts are known."""
        layers = [_baseline(c) for group in self.known for c in group if c is not None]
        return self.other_ms + sum(layers)

    def timings(self, unit: int, sparsities: FloatArray) -> FloatArray:
        """Milliseconds of a unit at each of its levels, summed; NaN where not measured."""
        total = np.zeros(sparsities.size)
        for curve in self.known[unit]:
            total += np.nan if curve is None else self._at_levels(curve, sparsities)
        return total

    def _at_levels(self, curve: PerfCurve, sparsities: FloatArray) -> FloatArray:
        xs, ys = self._points(curve)
        nearest = np.abs(xs[:, None] - sparsities).argmin(axis=0)
        return np.where(np.abs(xs[nearest] - sparsities) <= _EQUAL, ys[nearest], np.nan)

    def _points(self, curve: PerfCurve) -> tuple[FloatArray, FloatArray]:
        timings = curve.timings_of(self.granularity)
        assert timings is not None
        xs = np.concatenate([[0.0], curve.sparsities])
        return xs, np.concatenate([[_baseline(curve)], timings])

    def predict(self, plan: PruningPlan, flops_share: float | None = None) -> PredictedLatency:
        """The time of any plan; ``flops_share`` stands in where no time was measured."""
        if not self.is_measured:
            return self._estimated(flops_share)
        value, unknown = self.other_ms, list[str]()
        for group, curves in zip(self.units, self.known, strict=True):
            sparsity = max(plan.sparsities.get(layer.id, 0.0) for layer in group)
            for layer, curve in zip(group, curves, strict=True):
                time = math.nan if curve is None else self._between(curve, sparsity)
                if math.isnan(time):
                    time = 0.0 if curve is None else _baseline(curve)
                    unknown += [layer.id] if sparsity > 0 else []
                value += time
        dense = self.dense_ms
        return PredictedLatency(
            value,
            dense,
            value / dense if dense > 0 else None,
            Source.MEASURED if self.perf is None else self.perf.source,
            self.granularity,
            self._statement(unknown),
            tuple(unknown),
        )

    def _between(self, curve: PerfCurve, sparsity: float) -> float:
        """The slower of the two known levels around ``sparsity``; NaN beyond the last.

        Channels go in whole blocks, so between two levels nothing is sure to be won.
        """
        xs, ys = self._points(curve)
        keep = ~np.isnan(ys)
        xs, ys = xs[keep], ys[keep]
        right = int(np.searchsorted(xs, sparsity - _EQUAL))
        if right >= xs.size:
            return math.nan
        is_level = abs(xs[right] - sparsity) <= _EQUAL
        return float(ys[right] if is_level else max(ys[right - 1], ys[right]))

    def _estimated(self, flops_share: float | None) -> PredictedLatency:
        return PredictedLatency(
            None,
            None,
            flops_share,
            Source.ESTIMATED,
            self.granularity,
            "Estimated from the multiply-accumulates, as if the runtime skipped every zero; no "
            "time was measured.",
        )

    def _statement(self, unknown: Sequence[str]) -> str:
        provenance = {} if self.perf is None else self.perf.provenance
        what = "channels really removed"
        if self.granularity is not Granularity.CHANNEL:
            what = "zeros as the runtime takes them"
        text = f"Measured layer by layer ({what}{_conditions(provenance)})."
        if self.granularity is Granularity.CHANNEL:
            text += " Layers behind one that loses channels lose inputs as well; that is left out."
        if unknown:
            text += f" {len(unknown)} pruned layers without a time count as unchanged."
        return text


def _conditions(provenance: Any) -> str:
    engine, threads = provenance.get("engine"), provenance.get("numThreads")
    if not isinstance(engine, str) or not isinstance(threads, int):
        return ""
    return f"; {engine}, {threads} {'thread' if threads == 1 else 'threads'}"


def _baseline(curve: PerfCurve) -> float:
    assert curve.baseline_timing_ms is not None
    return curve.baseline_timing_ms
