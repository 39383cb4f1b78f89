"""All that a performance analysis measures, in the order that tells most first: `PerfRun`.

First the run as it is, layer by layer; then each layer with single weights zero and with
channels really removed; at last the compressed sizes, which need no quiet machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from studio_core.evaluation.data import Samples
from studio_core.layers.layer import Layer
from studio_core.models.model import Model
from studio_core.pruning.masks import Granularity
from studio_core.sensitivity.analysis import FloatArray
from studio_core.sensitivity.sweep.engine import Engine
from studio_core.sensitivity.sweep.perf_sweep import PerfMeasurement, PerfSettings, PerfSweep
from studio_core.sensitivity.sweep.profile import RuntimeProfile, profile_model
from studio_core.sensitivity.sweep.stored_curves import (
    StoredCurve,
    compressed_curves,
    counted_curve,
)

PERF_GRANULARITIES = (Granularity.ELEMENT, Granularity.CHANNEL)
"""What can be timed: zeros as the runtime takes them, and layers that are really smaller."""

PerfStep = RuntimeProfile | PerfMeasurement | StoredCurve


@dataclass(frozen=True)
class DonePerf:
    """What an interrupted run has measured already."""

    profile: RuntimeProfile | None = None
    measurements: tuple[PerfMeasurement, ...] = ()
    stored: tuple[StoredCurve, ...] = ()


class PerfRun:
    """One performance run over ``layers``; iterating measures all but what is in ``done``.

    The layers that cannot be pruned are timed in the run as well; so is ``engine``'s work
    that is no layer's, so that the sum is the run. ``samples`` None generates data.
    """

    def __init__(
        self,
        model: Model,
        layers: Sequence[Layer],
        settings: PerfSettings | None = None,
        samples: Samples | None = None,
        *,
        granularities: Sequence[Granularity] = PERF_GRANULARITIES,
        engine: Engine | None = None,
        done: DonePerf | None = None,
    ) -> None:
        self.model = model
        self.layers = tuple(layers)
        self.done = done or DonePerf()
        settings = settings or PerfSettings()
        self.sweeps: Mapping[Granularity, PerfSweep] = {
            granularity: PerfSweep(
                model,
                layers,
                replace(settings, granularity=granularity),
                samples,
                engine=engine,
                done=[m for m in self.done.measurements if m.granularity is granularity],
            )
            for granularity in granularities
        }
        self._first = next(iter(self.sweeps.values()))

    @property
    def settings(self) -> PerfSettings:
        return self._first.settings

    @property
    def engine(self) -> Engine:
        return self._first.engine

    @property
    def levels(self) -> FloatArray:
        return self._first.levels

    @property
    def batch_size(self) -> int:
        return self._first.batch_size

    @property
    def is_generated(self) -> bool:
        return self._first.is_generated

    @property
    def prunable(self) -> tuple[Layer, ...]:
        return self._first.prunable

    @cached_property
    def model_sha256(self) -> str:
        return self.model.sha256()

    @cached_property
    def counted(self) -> Mapping[str, StoredCurve]:
        """By layer id what a weight takes on disk, the compressed sizes left out."""
        found = (counted_curve(layer, self.levels) for layer in self.prunable)
        return {curve.layer_id: curve for curve in found if curve is not None}

    @property
    def num_steps(self) -> int:
        """How many steps there are in all, those already done included."""
        timings = sum(sweep.num_measurements for sweep in self.sweeps.values())
        return 1 + timings + len(self.counted)

    def __iter__(self) -> Iterator[PerfStep]:
        if self.done.profile is None:
            yield self._profile()
        for sweep in self.sweeps.values():
            yield from sweep
        done = {curve.layer_id for curve in self.done.stored}
        yield from compressed_curves(
            [layer for layer in self.prunable if layer.id not in done], self.levels
        )

    def _profile(self) -> RuntimeProfile:
        return profile_model(
            self.model,
            self.layers,
            self._first.feed,
            warmup=self.settings.warmup,
            iterations=self.settings.iterations,
            engine=self.engine,
        )
