"""A sweep made ready in one process: the model optimised and cut up, its data at hand.

`PreparedSweep` answers the values of points, sample by sample. Which points, and when, is
the business of `LossSweep`; who runs it (threads here, processes, a cluster) of `workers`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.data import Samples
from studio_core.evaluation.metrics import LossMetric, PerSample
from studio_core.evaluation.runtime import Array, RuntimeModel
from studio_core.layers.layer import Layer
from studio_core.layers.weight import Weight
from studio_core.models.model import Model
from studio_core.pruning.masks import ElementRanking, Granularity
from studio_core.sensitivity.sweep.optimized import PlacedWeight, SoleReaders, optimize
from studio_core.sensitivity.sweep.pattern import Pattern
from studio_core.sensitivity.sweep.segments import SegmentedModel, State

Batch = tuple[dict[str, Array], Array | None]
"""Inputs by name, and labels."""

Units = Mapping[str, Sequence[Layer]]
"""Stored weights by name, each with all layers that read it: they are measured together."""


@dataclass(frozen=True)
class Task:
    """Weights, in the graph's order, each at some levels, on the batches [first, end)."""

    points: tuple[tuple[str, tuple[float, ...]], ...]
    first: int
    end: int


@dataclass(frozen=True, eq=False)
class Found:
    """The degradation, sample by sample, of a weight at a level on the batches up to ``end``."""

    name: str
    level: float
    end: int
    values: PerSample


def find_units(
    model: Model, layers: Sequence[Layer], pattern: Pattern
) -> tuple[dict[str, list[Layer]], dict[str, str]]:
    """Weights with their layers, by name, and the layers that cannot be measured, with why."""
    by_key: dict[object, list[Layer]] = {}
    skipped: dict[str, str] = {}
    for layer in layers:
        if not layer.is_prunable or layer.weight is None:
            continue
        if layer.weight.tensor.scope:
            skipped[layer.id] = "The weight is defined inside a subgraph; it was not measured."
        else:
            by_key.setdefault(layer.weight.key, []).append(layer)
    units: dict[str, list[Layer]] = {}
    for unit in by_key.values():
        refusal = pattern.refusal(model, unit[0]) or _without_one_zero(unit)
        if refusal:
            skipped.update({layer.id: refusal for layer in unit})
        else:
            units[weight_of(unit[0]).name] = unit
    return units, skipped


def _without_one_zero(unit: Sequence[Layer]) -> str:
    zeros = [weight_of(layer).stored_zero() for layer in unit]
    if all(np.array_equal(zeros[0], zero) for zero in zeros[1:]):
        return ""
    return "It shares its weight with a layer that reads it with another zero point."


def weight_of(layer: Layer) -> Weight:
    """The weight of a layer that is measured: it has one."""
    assert layer.weight is not None
    return layer.weight


def whole_batches(model: Model, samples: Samples, size: int) -> list[Batch]:
    """The samples in batches; a model of fixed batch size takes no shorter last one."""
    batches = list(samples.batches(size))
    if model.batch > 1:
        whole = samples.num_samples // size
        if not whole:
            raise InvalidRequestError(
                f"The model takes batches of {model.batch} samples; there are "
                f"{samples.num_samples}. Give at least {model.batch}."
            )
        return batches[:whole]
    return batches


class PreparedSweep:
    """What measures points of ``units`` on ``batches``; several threads may ask at once."""

    def __init__(
        self,
        model: Model,
        units: Units,
        batches: Sequence[Batch],
        metric: LossMetric,
        pattern: Pattern,
    ) -> None:
        self.model = model
        self.units = units
        self.pattern = pattern
        self._batches = batches
        self._metric = metric
        self._lock = threading.RLock()
        self._dense: dict[int, list[Array]] = {}
        self._baselines: dict[int, PerSample] = {}

    @cached_property
    def runtime(self) -> RuntimeModel:
        names = {weight_of(layer).name for unit in self.units.values() for layer in unit}
        return RuntimeModel(self.model.path, sorted(names), limits=self.model.limits)

    @property
    def segmented(self) -> SegmentedModel:
        with self._lock:
            return self._segmented

    @cached_property
    def _segmented(self) -> SegmentedModel:
        optimized = optimize(self.runtime, self._unshared_weights())
        # It holds all weights again. Only the slow way needs it, which makes it anew.
        del self.runtime
        return SegmentedModel(optimized)

    def _unshared_weights(self) -> dict[str, Array]:
        """Weights of one layer, their zero being 0, that may be pruned in the optimised graph."""
        readers = SoleReaders(self.runtime.proto.graph)
        return {
            name: self._values(name, weight_of(unit[0]))
            for name, unit in self.units.items()
            if len(unit) == 1
            and weight_of(unit[0]).quantization is None
            and readers.leads_to(name, unit[0].outputs[0])
        }

    def _values(self, name: str, weight: Weight) -> Array:
        """The stored values, without a copy where onnxruntime's are of a type of numpy's."""
        value = self.runtime.values.get(name)
        if value is None or weight.tensor.dtype.isbuiltin != 1:
            return weight.tensor.read()
        shared: Array = value.numpy()
        return shared

    def baseline(self, batch: int) -> PerSample:
        """The metric of the dense model on one batch, one value a sample."""
        self._run_dense(batch, batch + 1)
        return self._baselines[batch]

    def _run_dense(self, first: int, end: int) -> None:
        with self._lock:
            missing = [i for i in range(first, end) if i not in self._dense]
            if not missing:
                return
            for i in missing:
                feed, _ = self._batches[i]
                self._dense[i] = self.segmented.dense(feed)
                self._baselines[i] = self._metric.compare(self._dense[i], self._reference(i))

    def _reference(self, batch: int) -> list[Array]:
        """What a batch's outputs are compared with: dense outputs, or labels."""
        labels = self._batches[batch][1]
        return [np.asarray(labels)] if self._metric.needs_labels else self._dense[batch]

    def jobs(self, task: Task) -> Iterator[Callable[[], Found]]:
        """One job a weight and level, the tensors in front of the layer being at hand."""
        levels = dict(task.points)
        for layer in self.prunings(list(levels), task.first, task.end):
            for level in levels[layer.name]:
                yield partial(layer.measure, level)

    def prunings(self, names: Collection[str], first: int, end: int) -> Iterator[LayerPruning]:
        """The weights called ``names`` ready to be pruned, in the graph's order.

        The tensors in front of each are those of the batches [first, end).
        """
        self._run_dense(first, end)
        segmented = self.segmented
        last = max((i for i, name in enumerate(segmented.layers) if name in names), default=-1)
        feeds = [feed for feed, _ in self._batches[first:end]]
        states = [segmented.begin(feed) for feed in feeds] if last >= 0 else []
        for position, name in enumerate(segmented.layers[: last + 1]):
            if name in names:
                masking = self._masking(name, segmented.place(position))
                yield LayerPruning(self, name, masking, first, end, position, tuple(states))
            if position < last:
                states = [segmented.advance(state, position) for state in states]
        for name in [n for n in names if n not in segmented.layers]:
            yield LayerPruning(self, name, self._masking(name, None), first, end)

    def _masking(self, name: str, place: PlacedWeight | None) -> Masking:
        layer = self.units[name][0]
        if self.pattern.granularity is not Granularity.ELEMENT:
            return Masking(self.model, layer, self.pattern)
        magnitudes = weight_of(layer).magnitudes()
        shaped = magnitudes.reshape(layer.weight_shape)
        stored = None if place is None else place.arranged(shaped)
        return Masking(self.model, layer, self.pattern, ElementRanking.of(magnitudes), stored)

    def run_whole(self, layer: LayerPruning, level: float) -> Iterator[list[Array]]:
        """The slow way, for a weight that has no place of its own in the optimised graph."""
        weight = weight_of(self.units[layer.name][0])
        removed = layer.masking.removed(level)
        pruned = np.where(removed, weight.stored_zero(), weight.tensor.read())
        names = {weight_of(reader).name for reader in self.units[layer.name]}
        session = self.runtime.session(dict.fromkeys(names, pruned))
        for feed, _ in self._batches[layer.first : layer.end]:
            yield session.run(None, feed)

    def compared(self, first: int, end: int, outputs: Sequence[list[Array]]) -> PerSample:
        """How much worse the outputs of the batches [first, end) are, one value a sample."""
        batches = range(first, end)
        pairs = zip(batches, outputs, strict=True)
        values = np.concatenate([self._metric.compare(o, self._reference(i)) for i, o in pairs])
        baseline = np.concatenate([self._baselines[i] for i in batches])
        return self._metric.degradation(values, baseline)


@dataclass(frozen=True, eq=False)
class Masking:
    """How a weight is pruned; single weights are ranked once for all levels.

    ``stored`` holds their magnitudes as the optimised graph stores them, if it does.
    """

    model: Model
    layer: Layer
    pattern: Pattern
    elements: ElementRanking | None = None
    stored: Array | None = None

    def pruned(self, place: PlacedWeight, level: float) -> Array:
        """The stored values at ``level``."""
        threshold = None if self.elements is None else self.elements.threshold(level)
        if threshold is None or self.stored is None:
            return place.pruned(self.removed(level))
        return place.kept(self.stored > np.float32(threshold))

    def magnitudes(self) -> Array:
        """|w|, in the shape of the weight."""
        return weight_of(self.layer).magnitudes().reshape(self.layer.weight_shape)

    def removed(self, level: float) -> Array:
        """True for each weight that goes, in the shape of the weight."""
        if self.elements is None:
            return ~self.pattern.mask(self.model, self.layer, level)
        return self.elements.pruned(level).reshape(self.layer.weight_shape)


@dataclass(frozen=True, eq=False)
class LayerPruning:
    """One weight that can be pruned to any level; several threads may ask at once.

    ``position`` is its layer's in the `SegmentedModel`, and ``states`` are the tensors in front
    of it, one a batch; it is None where the weight has no place of its own there.
    """

    sweep: PreparedSweep
    name: str
    masking: Masking
    first: int
    end: int
    position: int | None = None
    states: tuple[State, ...] = ()

    def measure(self, level: float) -> Found:
        """The degradation of the whole model at ``level``, sample by sample."""
        if self.position is None:
            outputs = list(self.sweep.run_whole(self, level))
        else:
            segmented = self.sweep.segmented
            stored = self.masking.pruned(segmented.place(self.position), level)
            run = segmented.pruned(self.position, stored)
            outputs = [run(state) for state in self.states]
        return Found(self.name, level, self.end, self.compared(outputs))

    def compared(self, outputs: Sequence[list[Array]]) -> PerSample:
        """How much worse the outputs of each batch are, one value a sample."""
        return self.sweep.compared(self.first, self.end, outputs)

    def removed_energy(self, level: float) -> float:
        """Σ w² of the weights that go at ``level``, over Σ w² of all."""
        squares = np.square(self.masking.magnitudes(), dtype=np.float64)
        total = float(squares.sum())
        return float(squares[self.masking.removed(level)].sum()) / total if total else 0.0
