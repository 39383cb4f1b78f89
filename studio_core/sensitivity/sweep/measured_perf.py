"""From timings to a performance analysis, as it grows, and from a saved one back to timings.

A curve holds what may be relied on: where no difference was seen beyond doubt, a level has
the time of the baseline, so that nobody gains by noise. The raw medians with their
quartiles are in the provenance, with all that is needed to repeat the sweep.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from studio_core.layers.layer import Layer
from studio_core.pruning.masks import Granularity
from studio_core.sensitivity.analysis import Analysis, AnalysisKind, Metric, PerfCurve, Source
from studio_core.sensitivity.sweep.perf_sweep import PerfMeasurement, PerfSweep
from studio_core.sensitivity.sweep.profile import cpu_name, versions
from studio_core.sensitivity.sweep.timing import Comparison, Timing, Verdict

_TIMES = (
    "Time: median milliseconds of the layer's kernel, with what the runtime fused into it; "
    "where no difference to the baseline was seen beyond doubt, that of the baseline."
)

METRICS = {
    Granularity.ELEMENT: Metric(
        "measured_flops",
        "FLOPs left if zeros were skipped",
        "FLOPs (2 × MACs)",
        higher_is_better=False,
        description="2 · MACs · (1 − sparsity), if the runtime skipped every zero. " + _TIMES,
    ),
    Granularity.CHANNEL: Metric(
        "measured_channel_flops",
        "FLOPs left with fewer channels",
        "FLOPs (2 × MACs)",
        higher_is_better=False,
        description="2 · MACs of the layer with whole blocks of output channels removed; "
        "layers behind it, which lose inputs, are not counted. " + _TIMES,
    ),
}


class MeasuredPerf:
    """The analysis named ``name`` that ``sweep`` measures; `add` takes what it yields."""

    def __init__(
        self, sweep: PerfSweep, name: str, measured: Iterable[PerfMeasurement] = ()
    ) -> None:
        self.sweep = sweep
        self.name = name
        self._found: dict[tuple[str, float], PerfMeasurement] = {}
        for measurement in (*sweep.done, *measured):
            self.add(measurement)

    def add(self, measurement: PerfMeasurement) -> None:
        self._found[measurement.layer_id, measurement.sparsity] = measurement

    @property
    def num_measured(self) -> int:
        return len(self._found)

    def analysis(self) -> Analysis:
        """What is known so far; every prunable layer has a curve, times unknown where NaN."""
        return Analysis(
            AnalysisKind.PERF,
            self.name,
            Source.MEASURED,
            METRICS[self.sweep.granularity],
            tuple(self._curve(layer) for layer in self.sweep.prunable),
            self._provenance(),
        )

    def _curve(self, layer: Layer) -> PerfCurve:
        levels = self.sweep.levels
        found = [self._found.get((layer.id, s)) for s in levels.tolist()]
        known = [m.comparison for m in found if m is not None]
        baseline = float(np.median([c.baseline.median_ms for c in known])) if known else None
        timings = None
        if baseline is not None:
            timings = np.array(
                [
                    np.nan if m is None else baseline * (1.0 - m.comparison.accepted_gain)
                    for m in found
                ]
            )
        return PerfCurve(
            layer.id,
            layer.name,
            levels,
            np.array([self.sweep.flops(layer, s) for s in levels.tolist()], np.float64),
            None if layer.macs is None else 2.0 * layer.macs,
            timings,
            baseline,
        )

    def _provenance(self) -> dict[str, Any]:
        sweep = self.sweep
        return {
            **_conditions(sweep),
            "generatedData": sweep.is_generated,
            "sparsityLevels": sweep.levels.tolist(),
            "notMeasured": dict(sweep.skipped),
            "timings": [_document(m) for m in self._found.values()],
        }


def _conditions(sweep: PerfSweep) -> dict[str, Any]:
    """What must be the same for two measurements to be of the same thing."""
    return {
        "modelSha256": sweep.model_sha256,
        "granularity": str(sweep.granularity),
        "engine": sweep.engine.name,
        "numThreads": sweep.engine.num_threads,
        "batchSize": sweep.batch_size,
        "warmup": sweep.settings.warmup,
        "iterations": sweep.settings.iterations,
        "cpu": cpu_name(),
        "versions": versions(sweep.engine),
    }


def continues_perf(analysis: Analysis, sweep: PerfSweep) -> bool:
    """Whether an earlier analysis was measured under the same conditions, so that it holds."""
    return all(analysis.provenance.get(k) == v for k, v in _conditions(sweep).items())


def perf_measurements_of(analysis: Analysis) -> list[PerfMeasurement]:
    """The measurements of an earlier analysis, from which a sweep may go on."""
    return [_measurement(entry) for entry in analysis.provenance.get("timings", ())]


def _document(measurement: PerfMeasurement) -> dict[str, Any]:
    found = measurement.comparison
    return {
        "id": measurement.layer_id,
        "sparsity": measurement.sparsity,
        "numChannels": measurement.num_channels,
        "timing": _timing_document(found.timing),
        "baseline": _timing_document(found.baseline),
        "gain": found.gain,
        "pValue": found.p_value,
        "verdict": str(found.verdict),
    }


def _timing_document(timing: Timing) -> dict[str, Any]:
    return {
        "median": timing.median_ms,
        "q1": timing.q1_ms,
        "q3": timing.q3_ms,
        "numIterations": timing.num_iterations,
    }


def _measurement(entry: dict[str, Any]) -> PerfMeasurement:
    times = [
        Timing(part["median"], part["q1"], part["q3"], part["numIterations"])
        for part in (entry["timing"], entry["baseline"])
    ]
    verdict = Verdict(entry["verdict"])
    comparison = Comparison(times[0], times[1], entry["gain"], entry["pValue"], verdict)
    return PerfMeasurement(entry["id"], entry["sparsity"], comparison, entry["numChannels"])
