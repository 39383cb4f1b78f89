"""The measured performance sensitivity: the time of each layer when it is pruned.

Single weights (``element``): for each level all layers are pruned to it at once, and each
layer's time is read from the profile of that one model, which takes one session a level and
not one for each layer. That is sound because a layer's kernel does the same whatever its
neighbours' weights are; only an engine that skips zero activations would tell the
difference. The dense model is run in turns with it.

Channels (``channel``): each layer alone, really with fewer output channels in whole blocks
(channel_models.py), all levels in turns with the whole layer. Two levels that leave the
same number of channels are one measurement, reported for both.

A difference is only called one where it is beyond doubt (`compare`).
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from studio_core.errors import InvalidModelError, InvalidRequestError
from studio_core.evaluation.data import Samples, generate_samples
from studio_core.evaluation.runtime import Array
from studio_core.layers.discovery import find_layers
from studio_core.layers.layer import Layer
from studio_core.models.model import Model, open_model
from studio_core.pruning.counts import num_pruned
from studio_core.pruning.masks import ElementRanking, Granularity
from studio_core.sensitivity.levels import checked_levels
from studio_core.sensitivity.sweep.channel_models import ChannelLayer, channel_layer
from studio_core.sensitivity.sweep.engine import Engine, LoadedModel, Probe, take_turns
from studio_core.sensitivity.sweep.profile import (
    DEFAULT_ITERATIONS,
    DEFAULT_WARMUP,
    NOT_RUN,
    OnnxRuntimeEngine,
)
from studio_core.sensitivity.sweep.timing import Comparison, compare

DEFAULT_PERF_LEVELS = (0.4, 0.6, 0.7, 0.8, 0.85, 0.875, 0.9, 0.925, 0.95, 0.975, 0.99)
"""The original Studio's levels of the measured performance sweep, without the baseline 0."""


@dataclass(frozen=True)
class PerfSettings:
    """What to measure. A run is one batch; ``batch_size`` None takes the model's own (or 1)."""

    granularity: Granularity = Granularity.ELEMENT
    levels: Sequence[float] = DEFAULT_PERF_LEVELS
    warmup: int = DEFAULT_WARMUP
    iterations: int = DEFAULT_ITERATIONS
    batch_size: int | None = None


@dataclass(frozen=True)
class PerfMeasurement:
    """One layer at one sparsity: its time beside the dense layer's, in the same minutes.

    ``num_channels`` are the output channels left, None where single weights are pruned.
    """

    layer_id: str
    sparsity: float
    comparison: Comparison
    num_channels: int | None = None

    @property
    def granularity(self) -> Granularity:
        return Granularity.ELEMENT if self.num_channels is None else Granularity.CHANNEL


class PerfSweep:
    """One sweep over the prunable ``layers`` of ``model``; iterating measures.

    Yields all but what is in ``done``, the measurements of an interrupted sweep. ``skipped``
    says by layer id why a layer cannot be timed. Without ``samples`` data is generated.
    """

    def __init__(
        self,
        model: Model,
        layers: Sequence[Layer],
        settings: PerfSettings | None = None,
        samples: Samples | None = None,
        *,
        engine: Engine | None = None,
        done: Sequence[PerfMeasurement] = (),
    ) -> None:
        self.model = model
        self.settings = settings or PerfSettings()
        self.granularity = Granularity(self.settings.granularity)
        if self.granularity is Granularity.N_OF_M:
            raise InvalidRequestError(
                "Times are measured for single weights (element) and for channels."
            )
        self.levels = checked_levels(self.settings.levels)
        self.engine: Engine = engine or OnnxRuntimeEngine()
        self.done = tuple(done)
        self.prunable = tuple(layer for layer in layers if layer.is_prunable)
        self.batch_size = self._batch_size()
        self._samples = samples
        self._not_run: dict[str, str] = {}

    def _batch_size(self) -> int:
        if self.model.batch > 1:
            return self.model.batch
        return max(1, self.settings.batch_size or 1)

    @property
    def num_measurements(self) -> int:
        """How many measurements there are in all, those already done included."""
        return (len(self.prunable) - len(self.skipped)) * self.levels.size

    @property
    def skipped(self) -> Mapping[str, str]:
        if self.granularity is Granularity.CHANNEL:
            skipped = {i: why for i, why in self._smaller.items() if isinstance(why, str)}
        else:
            skipped = {
                layer.id: "The weight is defined inside a subgraph; it was not measured."
                for layer in self.prunable
                if layer.weight is None or layer.weight.tensor.scope
            } | dict(self._loaded.unattributed)
        return skipped | self._not_run

    @cached_property
    def model_sha256(self) -> str:
        return self.model.sha256()

    @property
    def is_generated(self) -> bool:
        """Whether the data was generated; for a dense runtime that changes no time."""
        return self._samples is None or self._samples.generated

    def share_left(self, layer: Layer, sparsity: float) -> float:
        """Share of the layer's weights, and of its work, that is left; NaN where unknown.

        For single weights it is what would be left if the runtime skipped every zero, for
        channels what the smaller layer holds and computes.
        """
        if self.granularity is Granularity.ELEMENT:
            return 1.0 - int(num_pruned(layer.weight_size, sparsity)) / max(1, layer.weight_size)
        smaller = self._smaller[layer.id]
        if isinstance(smaller, str):
            return math.nan
        return smaller.num_kept(sparsity) / smaller.num_channels

    def num_channels(self, layer: Layer, sparsity: float) -> float:
        """Output channels left of a layer; NaN where they cannot be cut."""
        smaller = self._smaller[layer.id]
        return math.nan if isinstance(smaller, str) else float(smaller.num_kept(sparsity))

    def flops(self, layer: Layer, sparsity: float) -> float:
        """2 × MACs that are left for one sample, without the bias; NaN where unknown."""
        macs = math.nan if layer.macs is None else layer.macs
        return 2.0 * macs * self.share_left(layer, sparsity)

    def __iter__(self) -> Iterator[PerfMeasurement]:
        if self.granularity is Granularity.CHANNEL:
            yield from self._channels()
        else:
            yield from self._elements()

    @cached_property
    def _done_keys(self) -> set[tuple[str, float]]:
        return {(m.layer_id, m.sparsity) for m in self.done}

    def _missing(self, layer: Layer) -> list[float]:
        return [s for s in self.levels.tolist() if (layer.id, s) not in self._done_keys]

    # Single weights

    @cached_property
    def _loaded(self) -> LoadedModel:
        return self.engine.load(self.model, self.prunable)

    @cached_property
    def feed(self) -> dict[str, Array]:
        """One batch, on which the model runs."""
        samples = self._samples or generate_samples(self.model, self.batch_size)
        if samples.num_samples < self.batch_size:
            raise InvalidRequestError(
                f"A batch of {self.batch_size} needs as many samples; the data has "
                f"{samples.num_samples}."
            )
        return next(samples.batches(self.batch_size))[0]

    def _elements(self) -> Iterator[PerfMeasurement]:
        measured = [layer for layer in self.prunable if layer.id not in self.skipped]
        for level in self.levels.tolist():
            layers = [layer for layer in measured if level in self._missing(layer)]
            if not layers:
                continue
            pruned = self._loaded.replaced(_pruned_weights(measured, level))
            probes: list[Probe] = [m.probe(self.feed) for m in (self._loaded, pruned)]
            dense, sparse = take_turns(probes, self.settings.warmup, self.settings.iterations)
            for layer in layers:
                if layer.id not in dense.layers_ms or layer.id not in sparse.layers_ms:
                    self._not_run[layer.id] = NOT_RUN
                    continue
                times = sparse.layers_ms[layer.id], dense.layers_ms[layer.id]
                yield PerfMeasurement(layer.id, level, compare(*times))

    # Channels

    @cached_property
    def _smaller(self) -> dict[str, ChannelLayer | str]:
        """What is needed to build each layer smaller, or why it cannot be."""
        nodes = {node.id: node for node in self.model.nodes()}
        return {layer.id: channel_layer(nodes[layer.id], layer) for layer in self.prunable}

    def _channels(self) -> Iterator[PerfMeasurement]:
        for layer in self.prunable:
            smaller, levels = self._smaller[layer.id], self._missing(layer)
            if isinstance(smaller, ChannelLayer) and levels:
                try:
                    yield from self._channel_curve(layer, smaller, levels)
                except InvalidModelError as error:
                    self._not_run[layer.id] = f"It does not run on its own. {error}"

    def _channel_curve(
        self, layer: Layer, smaller: ChannelLayer, levels: Sequence[float]
    ) -> Iterator[PerfMeasurement]:
        kept = {level: smaller.num_kept(level) for level in levels}
        counts = sorted({smaller.num_channels, *kept.values()}, reverse=True)
        with tempfile.TemporaryDirectory(prefix="studio-") as folder:
            probes = [self._layer_probe(smaller, count, Path(folder)) for count in counts]
        settings = self.settings
        runs = take_turns(probes, settings.warmup, settings.iterations)
        times = {
            count: next(iter(run.layers_ms.values()), None)
            for count, run in zip(counts, runs, strict=True)
        }
        baseline = times[smaller.num_channels]
        if baseline is None or any(array is None for array in times.values()):
            self._not_run[layer.id] = "Alone it was not found again in the profile."
            return
        for level, count in kept.items():
            array = times[count]
            assert array is not None
            result = compare(array, baseline)
            yield PerfMeasurement(layer.id, level, result, count)

    def _layer_probe(self, smaller: ChannelLayer, num_kept: int, folder: Path) -> Probe:
        path = smaller.write(self.model, num_kept, folder / f"{num_kept}.onnx")
        model = open_model(path, limits=self.model.limits)
        feed = smaller.feed(num_kept, self.batch_size // self.model.batch)
        return self.engine.load(model, find_layers(model)).probe(feed)


def _pruned_weights(layers: Sequence[Layer], sparsity: float) -> dict[str, Array]:
    """The stored weights of ``layers`` by name, the smallest magnitudes removed."""
    found: dict[str, Array] = {}
    for layer in layers:
        if layer.weight is not None and layer.name not in found:
            removed = ElementRanking.of(layer.weight.magnitudes()).pruned(sparsity)
            values, zero = layer.weight.tensor.read(), layer.weight.stored_zero()
            found[layer.name] = np.where(removed.reshape(values.shape), zero, values)
    return found
