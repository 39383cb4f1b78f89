"""From measurements to an analysis: curves that grow as a sweep goes on, and resume.

A level that has not been measured holds NaN. What is needed to repeat the sweep (model hash,
data, seed, threads, versions) goes into the analysis's provenance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from studio_core.evaluation.conditions import differences
from studio_core.evaluation.metrics import LossMetric
from studio_core.sensitivity.analysis import Analysis, AnalysisKind, LossCurve, Metric, Source
from studio_core.sensitivity.sweep.loss_sweep import LossSweep, Measurement

_ADDITIVE_POWERS = {"relative_l2": 2.0}
"""Relative errors of independent layers add as squares: on 26 verified plans of each bundled
model 2 predicts them best. The others are added as they are."""

Key = tuple[str, float]
"""Layer id and sparsity of a measurement."""


class MeasuredLoss:
    """The analysis named ``name`` that ``sweep`` measures; `add` takes what it yields."""

    def __init__(self, sweep: LossSweep, name: str, measured: Iterable[Measurement] = ()) -> None:
        self.sweep = sweep
        self.name = name
        self._found: dict[Key, Measurement] = {}
        for measurement in measured:
            self.add(measurement)

    def add(self, measurement: Measurement) -> None:
        """Take a measurement, unless one by more samples is known."""
        key = measurement.layer_id, measurement.sparsity
        known = self._found.get(key)
        if known is None or measurement.num_samples >= known.num_samples:
            self._found[key] = measurement

    def analysis(self) -> Analysis:
        """What is known so far."""
        curves = tuple(
            self._curve(layer.id, layer.name)
            for unit in self.sweep.units.values()
            for layer in unit
        )
        return Analysis(
            AnalysisKind.LOSS,
            self.name,
            Source.MEASURED,
            analysis_metric(self.sweep.metric),
            curves,
            self._provenance(),
        )

    def _curve(self, layer_id: str, layer_name: str) -> LossCurve:
        found = [self._found.get((layer_id, s)) for s in self.sweep.levels.tolist()]
        errors = [
            np.nan if m is None or m.standard_error is None else m.standard_error for m in found
        ]
        return LossCurve(
            layer_id,
            layer_name,
            self.sweep.levels,
            np.array([np.nan if m is None else m.value for m in found]),
            standard_errors=np.array(errors),
            num_samples=np.array([0 if m is None else m.num_samples for m in found], np.int64),
        )

    def _provenance(self) -> dict[str, Any]:
        sweep = self.sweep
        return {
            **sweep.conditions,
            "metric": sweep.metric.name,
            "granularity": str(sweep.pattern),
            "baseline": float(sweep.baseline.mean()),
            "numSamples": sweep.samples.num_samples,
            "sparsityLevels": sweep.levels.tolist(),
            "batchSize": sweep.batch_size,
            "notMeasured": dict(sweep.skipped),
            **self._stopping(),
        }

    def _stopping(self) -> dict[str, Any]:
        """How points were allowed to see fewer samples; ``stopScale`` as in `StopRule`."""
        stop = self.sweep.stop
        scale = self.sweep.scale if stop is not None and stop.is_relative else None
        return {
            "passes": list(self.sweep.passes),
            "stopError": None if stop is None else str(stop),
            "stopScale": scale,
        }


def analysis_metric(metric: LossMetric) -> Metric:
    """A loss metric as the metric of an analysis: what is drawn is the degradation."""
    return Metric(
        metric.name,
        f"{metric.label} lost" if metric.higher_is_better else metric.label,
        "",
        higher_is_better=False,
        description=metric.description,
        additive_power=_ADDITIVE_POWERS.get(metric.name, 1.0),
    )


def measurements_of(analysis: Analysis) -> list[Measurement]:
    """The measured points of an earlier analysis, from which a sweep may go on."""
    count = int(analysis.provenance.get("numSamples", 0))
    return [
        Measurement(
            curve.layer_id, float(level), float(value), _error(curve, i), _count(curve, i, count)
        )
        for curve in analysis.curves
        if isinstance(curve, LossCurve)
        for i, (level, value) in enumerate(zip(curve.sparsities, curve.losses, strict=True))
        if not np.isnan(value)
    ]


def _error(curve: LossCurve, position: int) -> float | None:
    if curve.standard_errors is None or np.isnan(curve.standard_errors[position]):
        return None
    return float(curve.standard_errors[position])


def _count(curve: LossCurve, position: int, default: int) -> int:
    return default if curve.num_samples is None else int(curve.num_samples[position])


def scale_of(analysis: Analysis) -> float | None:
    """The loss that mattered to the stop rule of an earlier analysis; None if it had none."""
    scale = analysis.provenance.get("stopScale")
    return float(scale) if isinstance(scale, (int, float)) and math.isfinite(scale) else None


def obstacles(analysis: Analysis, sweep: LossSweep) -> tuple[str, ...]:
    """Why the points of an earlier analysis do not hold for ``sweep``; empty where they do.

    Passes and stopping may differ: a point says how many samples it has seen. So may Studio's
    own version: the tests hold each to the numbers of a plain sweep.
    """
    earlier = {**analysis.provenance, "granularity": analysis.granularity}
    now = MeasuredLoss(sweep, analysis.name)._provenance()
    required = ("modelSha256", "metric", "numSamples", "dataSha256", "batchSize", "versions")
    return differences(earlier, now, required=required, ignored=("studio",))
