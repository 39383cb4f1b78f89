"""Sensitivity analyses: one curve a layer, estimated or measured, with their units said.

An `Analysis` is what every door draws and every plan reads. ``loss`` curves hold a
degradation (0 at the baseline, positive = worse); ``perf`` curves hold the work that is
left (FLOPs) and, once measured, the time of the layer in milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio_core.pruning.masks import Granularity
from studio_core.pruning.storage_bytes import StorageBytes

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class AnalysisKind(StrEnum):
    LOSS = "loss"
    PERF = "perf"


class Source(StrEnum):
    """Where the numbers come from; shown wherever they are.

    ESTIMATED is from the weights, without a run; DATA_AWARE is estimated too, by running the
    model on few samples (sweep/data_aware.py).
    """

    ESTIMATED = "estimated"
    DATA_AWARE = "data-aware"
    MEASURED = "measured"
    UPLOADED = "uploaded"


@dataclass(frozen=True)
class Metric:
    """What the values of an analysis mean.

    Losses of several pruned layers add up as Σ loss^``additive_power``: 2 for relative
    errors, whose squares add where layers err independently; 1 where nothing better is known.
    """

    name: str
    label: str
    unit: str
    higher_is_better: bool
    description: str
    additive_power: float = 1.0


@dataclass(frozen=True, eq=False)
class LossCurve:
    """Loss of the model against the sparsity of one layer.

    ``sparsities`` and ``losses`` are float64 arrays of shape [num_levels]; sparsities rise
    from above 0 to at most 1. A level that is not known holds NaN. ``standard_errors`` and
    ``num_samples`` (how many samples each level has seen, 0 where it is not measured yet) are
    None for estimates.
    """

    layer_id: str
    layer_name: str
    sparsities: FloatArray
    losses: FloatArray
    baseline_loss: float = 0.0
    standard_errors: FloatArray | None = None
    num_samples: IntArray | None = None

    def at(self, sparsity: float) -> float:
        """Loss at ``sparsity``, linear between the known levels; NaN where unknown."""
        xs = np.concatenate([[0.0], self.sparsities])
        ys = np.concatenate([[self.baseline_loss], self.losses])
        return float(np.interp(sparsity, xs, ys))


@dataclass(frozen=True, eq=False)
class ChannelCurve:
    """One layer with whole output channels removed, really smaller; arrays [num_levels].

    ``num_channels`` and ``num_bytes`` (of the dense, smaller weight) are what is left, in
    whole blocks of the runtime; ``flops`` are 2 × MACs. ``timings_ms`` and their
    interquartile ranges ``spreads_ms`` are in the time that the layer takes in the run.
    """

    num_channels: FloatArray
    num_bytes: FloatArray
    flops: FloatArray
    timings_ms: FloatArray
    spreads_ms: FloatArray


@dataclass(frozen=True, eq=False)
class PerfCurve:
    """Work, time and bytes of one layer against its sparsity; arrays [num_levels].

    ``flops`` counts multiply-accumulates in an estimate and 2 × MACs in a measurement (the
    contract's own units; `Metric.unit` says which). ``timings_ms`` is None in an estimate;
    measured, it is the time of the layer in a run of one batch with single weights zero.
    ``spreads_ms`` are the interquartile ranges, ``stored`` what the weight takes on disk
    (one a level), ``channels`` the same layer with channels removed.
    NaN marks a level, and None a baseline, that is not known.
    """

    layer_id: str
    layer_name: str
    sparsities: FloatArray
    flops: FloatArray
    baseline_flops: float | None
    timings_ms: FloatArray | None = None
    baseline_timing_ms: float | None = None
    spreads_ms: FloatArray | None = None
    baseline_spread_ms: float | None = None
    stored: tuple[StorageBytes, ...] | None = None
    baseline_stored: StorageBytes | None = None
    channels: ChannelCurve | None = None

    def timings_of(self, granularity: Granularity) -> FloatArray | None:
        """Milliseconds by level with weights of this granularity removed; None if not measured.

        2:4 patterns are single weights to a runtime that knows no zeros.
        """
        if granularity is Granularity.CHANNEL:
            return None if self.channels is None else self.channels.timings_ms
        return self.timings_ms


@dataclass(frozen=True, eq=False)
class Analysis:
    """The result of one sweep over the layers of a model.

    ``provenance`` holds what is needed to repeat it (levels, model hash, versions).
    """

    kind: AnalysisKind
    name: str
    source: Source
    metric: Metric
    curves: tuple[LossCurve, ...] | tuple[PerfCurve, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def granularity(self) -> str:
        """What is removed as one: ``element``, ``channel``, or N:M such as ``2:4``."""
        return str(self.provenance.get("granularity", "element"))

    @property
    def is_from_data(self) -> bool:
        """Whether losses are those of the model on data: measured, or estimated by running it.

        Then a shared weight's loss is that of all its layers at once, and losses add up.
        """
        return self.source in (Source.MEASURED, Source.DATA_AWARE)

    @property
    def layer_ids(self) -> tuple[str, ...]:
        return tuple(curve.layer_id for curve in self.curves)

    @cached_property
    def _by_layer(self) -> dict[str, LossCurve | PerfCurve]:
        return {curve.layer_id: curve for curve in self.curves}

    def curve(self, layer_id: str) -> LossCurve | PerfCurve | None:
        """The curve of a layer, or None where this analysis does not hold it."""
        return self._by_layer.get(layer_id)

    @property
    def run_ms(self) -> float | None:
        """Median milliseconds of a whole run, where a measured performance analysis knows it."""
        run = self.provenance.get("run")
        total = run.get("total") if isinstance(run, Mapping) else None
        value = total.get("median") if isinstance(total, Mapping) else None
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return None
        return float(value) if 0 <= value < math.inf else None
