"""From timings to a performance analysis, as it grows, and from a saved one back to timings.

A curve holds what may be relied on: where no difference was seen beyond doubt, a level has
the time of the baseline, so that nobody gains by noise. The baseline is the layer's time in
the run itself, and the layers with the unattributed rest are that run. The raw medians with
their quartiles are in the provenance, with all that is needed to repeat the run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from studio_core.evaluation.conditions import differences, machine
from studio_core.layers.layer import Layer
from studio_core.pruning.counts import num_pruned
from studio_core.pruning.masks import Granularity
from studio_core.sensitivity.analysis import (
    Analysis,
    AnalysisKind,
    ChannelCurve,
    FloatArray,
    Metric,
    PerfCurve,
    Source,
)
from studio_core.sensitivity.sweep.perf_documents import (
    measurement_document,
    perf_measurements_of,
    profile_document,
    run_profile_of,
)
from studio_core.sensitivity.sweep.perf_run import DonePerf, PerfRun, PerfStep
from studio_core.sensitivity.sweep.perf_sweep import PerfMeasurement
from studio_core.sensitivity.sweep.profile import RuntimeProfile, versions
from studio_core.sensitivity.sweep.stored_curves import StoredCurve
from studio_core.sensitivity.sweep.timing import Comparison, Timing

METRIC = Metric(
    "measured_flops",
    "FLOPs left if zeros were skipped",
    "FLOPs (2 × MACs)",
    higher_is_better=False,
    description="2 · MACs · (1 − sparsity) of one sample, if the runtime skipped every zero. "
    "Time: median milliseconds of the layer's kernel in a run of one batch, with what the "
    "runtime fused into it; where no difference to the baseline was seen beyond doubt, that "
    "of the baseline. Channels: the layer really built with fewer output channels, in whole "
    "blocks; layers behind it, which lose inputs, are not counted.",
)

Key = tuple[Granularity, str, float]
"""Granularity, layer id and sparsity of a measurement."""


class MeasuredPerf:
    """The analysis named ``name`` that ``run`` measures; `add` takes what it yields."""

    def __init__(self, run: PerfRun, name: str) -> None:
        self.run = run
        self.name = name
        self.profile: RuntimeProfile | None = run.done.profile
        self._found: dict[Key, PerfMeasurement] = {}
        self._stored: dict[str, StoredCurve] = {}
        for measurement in run.done.measurements:
            self.add(measurement)
        for curve in run.done.stored:
            self.add(curve)

    def add(self, step: PerfStep) -> None:
        if isinstance(step, RuntimeProfile):
            self.profile = step
        elif isinstance(step, StoredCurve):
            self._stored[step.layer_id] = step
        else:
            self._found[step.granularity, step.layer_id, step.sparsity] = step

    @property
    def num_done(self) -> int:
        """Steps done, of the `PerfRun.num_steps`."""
        return int(self.profile is not None) + len(self._found) + len(self._stored)

    def analysis(self) -> Analysis:
        """What is known so far; every prunable layer has a curve, times unknown where NaN."""
        return Analysis(
            AnalysisKind.PERF,
            self.name,
            Source.MEASURED,
            METRIC,
            tuple(self._curve(layer) for layer in self.run.prunable),
            self._provenance(),
        )

    def _curve(self, layer: Layer) -> PerfCurve:
        levels, macs = self.run.levels, math.nan if layer.macs is None else layer.macs
        baseline = None if self.profile is None else self.profile.layers.get(layer.id)
        timings, spreads = self._timings(layer, Granularity.ELEMENT, baseline)
        stored = self._stored.get(layer.id) or self.run.counted.get(layer.id)
        size = max(1, layer.weight_size)
        return PerfCurve(
            layer.id,
            layer.name,
            levels,
            2.0 * macs * (layer.weight_size - num_pruned(layer.weight_size, levels)) / size,
            None if layer.macs is None else 2.0 * layer.macs,
            timings,
            None if baseline is None else baseline.median_ms,
            spreads,
            None if baseline is None else baseline.spread_ms,
            None if stored is None else stored.levels,
            None if stored is None else stored.baseline,
            self._channels(layer, baseline),
        )

    def _channels(self, layer: Layer, baseline: Timing | None) -> ChannelCurve | None:
        sweep = self.run.sweeps.get(Granularity.CHANNEL)
        if sweep is None or layer.id in sweep.skipped:
            return None
        unknown = np.full(sweep.levels.size, np.nan)
        timings, spreads = self._timings(layer, Granularity.CHANNEL, baseline)
        num_bytes = layer.weight.num_bytes if layer.weight is not None else math.nan
        levels = sweep.levels.tolist()
        return ChannelCurve(
            np.array([sweep.num_channels(layer, s) for s in levels], np.float64),
            np.array([num_bytes * sweep.share_left(layer, s) for s in levels], np.float64),
            np.array([sweep.flops(layer, s) for s in levels], np.float64),
            unknown if timings is None else timings,
            unknown if spreads is None else spreads,
        )

    def _timings(
        self, layer: Layer, granularity: Granularity, baseline: Timing | None
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """Milliseconds in the run by level, and their spreads; None before there are any.

        What was compared is a gain: a layer on its own takes another time than in the run,
        with what is fused into it there.
        """
        levels = self.run.levels.tolist()
        found = [self._found.get((granularity, layer.id, s)) for s in levels]
        if baseline is None or not any(found):
            return None, None
        timings = [
            math.nan if m is None else baseline.median_ms * (1.0 - m.comparison.accepted_gain)
            for m in found
        ]
        spreads = [math.nan if m is None else _spread(m.comparison, baseline) for m in found]
        return np.array(timings, np.float64), np.array(spreads, np.float64)

    def _provenance(self) -> dict[str, Any]:
        run, profile = self.run, self.profile
        missing = {} if profile is None else dict(profile.unattributed)
        skipped = {g: dict(sweep.skipped) for g, sweep in run.sweeps.items()}
        return {
            **_conditions(run),
            "granularities": [str(granularity) for granularity in run.sweeps],
            "generatedData": run.is_generated,
            "sparsityLevels": run.levels.tolist(),
            "notMeasured": missing | skipped.get(Granularity.ELEMENT, {}),
            "channelsNotMeasured": skipped.get(Granularity.CHANNEL, {}),
            "run": None if profile is None else profile_document(profile),
            "timings": [measurement_document(m) for m in self._found.values()],
        }


def _spread(found: Comparison, baseline: Timing) -> float:
    scale = baseline.median_ms / found.baseline.median_ms if found.baseline.median_ms else math.nan
    return found.timing.spread_ms * scale


def _conditions(run: PerfRun) -> dict[str, Any]:
    """What must be the same for two measurements to be of the same thing."""
    return {
        "modelSha256": run.model_sha256,
        "engine": run.engine.name,
        "numThreads": run.engine.num_threads,
        "batchSize": run.batch_size,
        "warmup": run.settings.warmup,
        "iterations": run.settings.iterations,
        "versions": versions(run.engine),
        **machine(),
    }


def perf_obstacles(analysis: Analysis, run: PerfRun) -> tuple[str, ...]:
    """Why an earlier analysis does not hold for ``run``, in words; empty where it does."""
    now = _conditions(run)
    required = [key for key in now if key != "platform"]  # once it was not recorded
    return differences(analysis.provenance, now, required=required, ignored=("studio",))


def done_of(analysis: Analysis, run: PerfRun) -> DonePerf:
    """What of an earlier analysis ``run`` need not measure again.

    Raises `InvalidRequestError` where its provenance is not as `MeasuredPerf` writes it.
    """
    wanted = {
        (granularity, layer.id, level)
        for granularity, sweep in run.sweeps.items()
        for layer in run.prunable
        for level in sweep.levels.tolist()
    }
    found = perf_measurements_of(analysis)
    return DonePerf(
        run_profile_of(analysis),
        tuple(m for m in found if (m.granularity, m.layer_id, m.sparsity) in wanted),
        tuple(_stored_curves(analysis, run)),
    )


def _stored_curves(analysis: Analysis, run: PerfRun) -> Iterator[StoredCurve]:
    """Compressed sizes of an earlier analysis with the same levels."""
    known = {layer.id for layer in run.prunable}
    for curve in analysis.curves:
        if (
            not isinstance(curve, PerfCurve)
            or curve.layer_id not in known
            or curve.stored is None
            or curve.baseline_stored is None
            or not np.array_equal(curve.sparsities, run.levels)
        ):
            continue
        stored = StoredCurve(curve.layer_id, curve.baseline_stored, curve.stored)
        if stored.is_compressed:
            yield stored
