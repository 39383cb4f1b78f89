"""The measured loss sensitivity: each layer pruned alone, the model run, the outputs compared.

`loss_sweep` yields a `Measurement` for each layer and level as it is known: first one
coarse level of every layer, then whole curves, the layers that lose most first.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.data import Samples
from studio_core.evaluation.metrics import LossMetric, PerSample
from studio_core.evaluation.runtime import Array, RuntimeModel
from studio_core.layers.layer import Layer
from studio_core.layers.weight import Weight
from studio_core.models.model import Model
from studio_core.pruning.masks import BoolArray, ElementRanking
from studio_core.sensitivity.levels import checked_levels
from studio_core.sensitivity.sweep.optimized import PlacedWeight, optimize
from studio_core.sensitivity.sweep.segments import SegmentedModel, State

DEFAULT_LOSS_LEVELS = (0.05, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99)
"""The original Studio's levels of the measured sweep, without the baseline 0."""

_COARSE_LEVEL = 0.8
_MACS_A_BATCH = 2e8
_LARGEST_BATCH = 64
_LAYERS_AHEAD = 4


@dataclass(frozen=True)
class Measurement:
    """One layer at one sparsity: the mean degradation over the samples, positive = worse.

    ``standard_error`` is that of the mean, from the differences sample by sample; None
    for a single sample.
    """

    layer_id: str
    sparsity: float
    value: float
    standard_error: float | None
    num_samples: int


@dataclass(frozen=True)
class SweepSettings:
    """What to measure; ``batch_size`` None chooses by the cost of a sample."""

    levels: Sequence[float] = DEFAULT_LOSS_LEVELS
    batch_size: int | None = None
    num_workers: int = 2


class LossSweep:
    """One sweep over the prunable ``layers`` of ``model`` on ``samples``.

    ``skipped`` says, by layer id, why a layer cannot be measured. Iterating measures all
    but what is in ``done``, the measurements of an interrupted sweep.
    """

    def __init__(
        self,
        model: Model,
        layers: Sequence[Layer],
        samples: Samples,
        metric: LossMetric,
        settings: SweepSettings | None = None,
        done: Sequence[Measurement] = (),
    ) -> None:
        self.done = tuple(done)
        self.settings = settings or SweepSettings()
        self.levels = checked_levels(self.settings.levels)
        self.metric = metric
        self.samples = samples
        self.model = model
        if metric.needs_labels and samples.labels is None:
            raise InvalidRequestError(
                f"The metric '{metric.name}' needs labels. Add an array 'labels' to the data, "
                "or choose a metric without labels, such as 'softmax_kl'."
            )
        self.units, self.skipped = _measurable(layers)
        self._weights = {n: _weight(unit[0]).tensor.read() for n, unit in self.units.items()}
        self.batch_size = self._batch_size(layers)
        self._batches = self._whole_batches()

    def _whole_batches(self) -> list[tuple[dict[str, Array], Array | None]]:
        """The samples in batches; a model of fixed batch size takes no shorter last one."""
        batches = list(self.samples.batches(self.batch_size))
        if self.model.batch > 1:
            whole = self.samples.num_samples // self.batch_size
            if not whole:
                raise InvalidRequestError(
                    f"The model takes batches of {self.model.batch} samples; there are "
                    f"{self.samples.num_samples}. Give at least {self.model.batch}."
                )
            return batches[:whole]
        return batches

    def _batch_size(self, layers: Sequence[Layer]) -> int:
        if self.model.batch > 1:
            return self.model.batch
        if self.settings.batch_size is not None:
            return self.settings.batch_size
        if not _batch_is_free(self.model):
            return 1
        macs = sum(layer.macs or 0 for layer in layers) or _MACS_A_BATCH
        return max(1, min(_LARGEST_BATCH, int(_MACS_A_BATCH / macs)))

    @property
    def num_measurements(self) -> int:
        """How many measurements there are in all, those already done included."""
        return sum(len(unit) for unit in self.units.values()) * self.levels.size

    @cached_property
    def model_sha256(self) -> str:
        return self.model.sha256()

    @cached_property
    def data_sha256(self) -> str:
        return self.samples.sha256()

    @cached_property
    def runtime(self) -> RuntimeModel:
        return RuntimeModel(self.model.path, list(self.units))

    @cached_property
    def segmented(self) -> SegmentedModel:
        return SegmentedModel(optimize(self.runtime, self._unshared_weights()))

    def _unshared_weights(self) -> dict[str, Array]:
        """Weights of one layer, their zero being 0, that may be pruned in the optimised graph."""
        return {
            name: values
            for name, values in self._weights.items()
            if len(self.units[name]) == 1 and _weight(self.units[name][0]).quantization is None
        }

    @cached_property
    def _references(self) -> list[list[Array]]:
        """What each batch's outputs are compared with: dense outputs, or labels."""
        if self.metric.needs_labels:
            return [[np.asarray(labels)] for _, labels in self._batches]
        return self._dense_outputs

    @cached_property
    def _dense_outputs(self) -> list[list[Array]]:
        session = self.runtime.session()
        return [session.run(None, feed) for feed, _ in self._batches]

    @cached_property
    def baseline(self) -> PerSample:
        """The metric of the dense model, one value a sample."""
        pairs = zip(self._dense_outputs, self._references, strict=True)
        return np.concatenate([self.metric.compare(out, ref) for out, ref in pairs])

    def __iter__(self) -> Iterator[Measurement]:
        coarse = self.levels[[int(np.argmin(np.abs(self.levels - _COARSE_LEVEL)))]]
        rest = np.setdiff1d(self.levels, coarse)
        losses = {m.layer_id: m.value for m in self.done if m.sparsity == coarse[0]}
        for measurement in self._pass(list(self.units), coarse):
            losses[measurement.layer_id] = measurement.value
            yield measurement
        if not rest.size:
            return
        ranked = sorted(self.units, key=lambda n: -losses[self.units[n][0].id])
        half = -(-len(ranked) // 2)
        yield from self._pass(ranked[:half], rest)
        yield from self._pass(ranked[half:], rest)

    def _pass(self, names: Sequence[str], levels: np.ndarray) -> Iterator[Measurement]:
        """Measure the weights ``names`` at ``levels``; in the graph's order, which is cheapest."""
        wanted = {name: self._missing(name, levels) for name in names}
        wanted = {name: missing for name, missing in wanted.items() if missing}
        if not wanted:
            return
        workers = ThreadPoolExecutor(self.settings.num_workers)
        waiting: deque[Future[list[Measurement]]] = deque()
        try:
            for job in self._jobs(wanted):
                waiting.append(workers.submit(job))
                while len(waiting) > _LAYERS_AHEAD * self.settings.num_workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:  # whoever stops asking does not wait for what is queued
            workers.shutdown(cancel_futures=True)

    def _missing(self, name: str, levels: np.ndarray) -> list[float]:
        """The levels at which some layer of the weight is not measured yet."""
        ids = [layer.id for layer in self.units[name]]
        return [s for s in levels.tolist() if not all((i, s) in self._done_keys for i in ids)]

    @cached_property
    def _done_keys(self) -> set[tuple[str, float]]:
        return {(m.layer_id, m.sparsity) for m in self.done}

    def _jobs(
        self, wanted: Mapping[str, Sequence[float]]
    ) -> Iterator[Callable[[], list[Measurement]]]:
        """One job a layer and level, the tensors in front of the layer being at hand."""
        segmented = self.segmented
        states = [segmented.begin(feed) for feed, _ in self._batches]
        last = max((i for i, name in enumerate(segmented.layers) if name in wanted), default=-1)
        for position, name in enumerate(segmented.layers[: last + 1]):
            if name in wanted:
                ranking = self._ranking(name, segmented.place(position))
                for level in wanted[name]:
                    yield _Job(self, name, level, ranking, position, tuple(states))
            states = [segmented.advance(state, position) for state in states]
        for name in wanted.keys() - set(segmented.layers):
            for level in wanted[name]:
                yield _Job(self, name, level, self._ranking(name, None), None, ())

    def _ranking(self, name: str, place: PlacedWeight | None) -> _Ranking:
        magnitudes = _weight(self.units[name][0]).magnitudes()
        shaped = magnitudes.reshape(self._weights[name].shape)
        stored = None if place is None else place.arranged(shaped)
        return _Ranking(ElementRanking.of(magnitudes), stored)

    def measurements(
        self, name: str, level: float, outputs: list[list[Array]]
    ) -> list[Measurement]:
        """The measurement of a weight for each of its layers."""
        pairs = zip(outputs, self._references, strict=True)
        values = np.concatenate([self.metric.compare(out, ref) for out, ref in pairs])
        worse = self.metric.degradation(values, self.baseline)
        count = worse.size
        error = float(worse.std(ddof=1) / math.sqrt(count)) if count > 1 else None
        return [
            Measurement(layer.id, level, float(worse.mean()), error, count)
            for layer in self.units[name]
        ]

    def run_whole(self, name: str, removed: BoolArray) -> list[list[Array]]:
        """The slow way, for a weight that has no place of its own in the optimised graph."""
        session = self.runtime.session({name: self.pruned_weight(name, removed)})
        return [session.run(None, feed) for feed, _ in self._batches]

    def pruned_weight(self, name: str, removed: BoolArray) -> Array:
        weight = self._weights[name]
        zero = _weight(self.units[name][0]).stored_zero()
        return np.where(removed.reshape(weight.shape), zero, weight)


@dataclass(frozen=True, eq=False)
class _Ranking:
    """A weight's magnitudes, ranked; and as the optimised graph stores them, if it does."""

    elements: ElementRanking
    stored: Array | None

    def pruned(self, place: PlacedWeight, level: float, shape: tuple[int, ...]) -> Array:
        """The stored values at ``level``."""
        threshold = self.elements.threshold(level)
        if threshold is None or self.stored is None:
            return place.pruned(self.elements.pruned(level).reshape(shape))
        return place.kept(self.stored > np.float32(threshold))


@dataclass(frozen=True)
class _Job:
    """One weight at one level; called by a worker."""

    sweep: LossSweep
    name: str
    level: float
    ranking: _Ranking
    position: int | None
    states: tuple[State, ...]

    def __call__(self) -> list[Measurement]:
        if self.position is None:
            removed = self.ranking.elements.pruned(self.level)
            outputs = self.sweep.run_whole(self.name, removed)
        else:
            segmented = self.sweep.segmented
            shape = self.sweep.units[self.name][0].weight_shape
            place = segmented.place(self.position)
            stored = self.ranking.pruned(place, self.level, shape)
            run = segmented.pruned(self.position, stored)
            outputs = [run(state) for state in self.states]
        return self.sweep.measurements(self.name, self.level, outputs)


def _measurable(layers: Sequence[Layer]) -> tuple[dict[str, list[Layer]], dict[str, str]]:
    """Weights with their layers, by name, and the layers that cannot be measured, with why."""
    units: dict[str, list[Layer]] = defaultdict(list)
    skipped: dict[str, str] = {}
    for layer in layers:
        if not layer.is_prunable or layer.weight is None:
            continue
        if layer.weight.tensor.scope:
            skipped[layer.id] = "The weight is defined inside a subgraph; it was not measured."
        else:
            units[layer.weight.name].append(layer)
    return dict(units), skipped


def _weight(layer: Layer) -> Weight:
    assert layer.weight is not None
    return layer.weight


def _batch_is_free(model: Model) -> bool:
    return all(v.shape is None or not isinstance(v.shape[0], int) for v in model.inputs if v.shape)
