"""The proof of a plan: applied in memory, run, predicted and actual side by side.

`verify` prunes by the same masks as the sweeps (exact counts, ties by position), runs the
dense and the pruned model on the same samples, and answers a `Verification`. Nothing is
written. Its `point` is what `Calibration.fit` learns from.
"""

from __future__ import annotations

import math
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import onnxruntime as ort

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.conditions import conditions
from studio_core.evaluation.data import Samples
from studio_core.evaluation.metrics import LossMetric, metric_named
from studio_core.evaluation.runtime import Array, RuntimeModel, session_options
from studio_core.layers.discovery import find_layers
from studio_core.layers.layer import Layer
from studio_core.layers.weight import Weight
from studio_core.models.model import Model
from studio_core.plans.calibration import VerifiedPoint
from studio_core.plans.plan import PlanEstimate, PruningPlan
from studio_core.plans.prediction import PredictedLoss
from studio_core.plans.solver import Solver
from studio_core.pruning.masks import ElementRanking, Granularity
from studio_core.pruning.storage_bytes import compressed_bytes, sparse_bytes
from studio_core.pruning.weights import GROUP_SIZE, Granularities, Order, make_mask

_BATCH = 64
_WARMUP_RUNS = 3


@dataclass(frozen=True)
class ActualLoss:
    """Degradation of the pruned model: mean over the samples, and its standard error.

    Positive is worse. The error is None for a single sample.
    """

    mean: float
    standard_error: float | None
    metric: str
    num_samples: int


@dataclass(frozen=True)
class Accuracy:
    """Samples whose highest logit is the true class, dense and pruned."""

    num_correct_dense: int
    num_correct: int
    num_samples: int

    @property
    def dense(self) -> float:
        return self.num_correct_dense / self.num_samples

    @property
    def pruned(self) -> float:
        return self.num_correct / self.num_samples


@dataclass(frozen=True)
class ActualCosts:
    """What the pruned weights really are, counted after pruning.

    ``sparsity`` is over the weights of all prunable layers. ``flops`` are multiply-accumulates
    left if every zero were skipped, None where a layer's are unknown. ``bytes_dense`` and
    ``bytes_sparse`` as in `PlanEstimate`; the compressed ones are the layers' weights, each
    tensor on its own through zlib (level 6), biases as stored; None if not asked for.
    """

    num_weights: int
    num_zeros: int
    sparsity: float
    flops: int | None
    bytes_dense: int
    bytes_sparse: int
    bytes_compressed_dense: int | None
    bytes_compressed: int | None


@dataclass(frozen=True)
class Latency:
    """Medians over ``num_runs`` runs of one batch, dense and pruned in turn.

    The spreads are interquartile ranges. onnxruntime skips no zeros: without a structure,
    expect no difference beyond the spread.
    """

    dense_ms: float
    pruned_ms: float
    dense_spread_ms: float
    pruned_spread_ms: float
    num_runs: int
    num_threads: int
    batch_size: int


@dataclass(frozen=True)
class Verification:
    """A plan's predictions beside what its run gave.

    ``predicted`` and ``estimate`` are None where no solver was given; ``is_comparable`` says
    whether the prediction is in the verification's own metric. ``skipped`` names, by layer
    id, what of the plan could not be applied and why. ``provenance`` is what is needed to get
    the same numbers again.
    """

    plan: PruningPlan
    predicted: PredictedLoss | None
    uncalibrated: PredictedLoss | None
    estimate: PlanEstimate | None
    loss: ActualLoss
    accuracy: Accuracy | None
    costs: ActualCosts
    latency: Latency | None
    on_random_data: bool
    skipped: dict[str, str]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_comparable(self) -> bool:
        """True if predicted and actual loss have the same unit."""
        return self.predicted is not None and self.predicted.metric == self.loss.metric

    @property
    def point(self) -> VerifiedPoint | None:
        """What a calibration learns from; None without a prediction."""
        if self.uncalibrated is None:
            return None
        return VerifiedPoint(self.uncalibrated.value, self.loss.mean, self.loss.standard_error)


def verify(
    model: Model,
    layers: Sequence[Layer],
    plan: PruningPlan,
    samples: Samples,
    metric: LossMetric | str,
    *,
    solver: Solver | None = None,
    latency_runs: int = 0,
    compress: bool = True,
) -> Verification:
    """Apply ``plan`` to ``model`` in memory and run it on ``samples``.

    ``solver`` gives the prediction; ``latency_runs`` above 0 times dense and pruned;
    ``compress`` False leaves out the compressed sizes, which take longest for large models.
    Raises `InvalidRequestError` where the metric needs labels that are not there, or layers
    of one weight are given two sparsities.
    """
    run = VerificationRun(
        model,
        layers,
        plan,
        samples,
        metric,
        solver=solver,
        latency_runs=latency_runs,
        compress=compress,
    )
    for _ in run:
        pass
    return run.result()


class VerificationRun:
    """One verification: iterating runs batch by batch and yields how many samples are done.

    ``granularity`` and ``group_size`` as in `prune_model`.
    """

    def __init__(
        self,
        model: Model,
        layers: Sequence[Layer],
        plan: PruningPlan,
        samples: Samples,
        metric: LossMetric | str,
        *,
        solver: Solver | None = None,
        latency_runs: int = 0,
        compress: bool = True,
        granularity: Granularities = Granularity.ELEMENT,
        group_size: int = GROUP_SIZE,
    ) -> None:
        self.model = model
        self.layers = tuple(layers)
        self.plan = plan
        self.samples = samples
        self.metric = metric_named(metric) if isinstance(metric, str) else metric
        self.solver = solver
        self.latency_runs = latency_runs
        self.compress = compress
        self.granularity, self.group_size = granularity, group_size
        self.pruned_model: Model | None = None
        """Where channels were removed: the smaller model, run in place of zeroed weights."""
        if self.metric.needs_labels and samples.labels is None:
            raise InvalidRequestError(
                f"The metric '{self.metric.name}' needs labels. Add an array 'labels' to the "
                "data, or choose a metric without labels, such as 'softmax_kl'."
            )
        self.units, self.skipped = _units(layers, plan)
        self._worse: list[np.ndarray] = []
        self._correct = [0, 0]
        self._num_labelled = 0

    def __iter__(self) -> Iterator[int]:
        self._worse, self._correct, self._num_labelled, done = [], [0, 0], 0, 0
        for feed, labels in self.samples.batches(self._batch_size):
            dense, pruned = (session.run(None, feed) for session in self._sessions)
            reference = [np.asarray(labels)] if self.metric.needs_labels else dense
            values = [self.metric.compare(out, reference) for out in (pruned, dense)]
            self._worse.append(self.metric.degradation(values[0], values[1]))
            if _has_classes(dense, labels):
                self._num_labelled += len(dense[0])
                for i, outputs in enumerate((dense, pruned)):
                    hits = metric_named("accuracy").compare(outputs, [np.asarray(labels)])
                    self._correct[i] += int(hits.sum())
            done += len(self._worse[-1])
            yield done

    def result(self) -> Verification:
        """The record; raises `InvalidRequestError` if the run was not iterated to its end."""
        worse = np.concatenate(self._worse) if self._worse else np.zeros(0)
        if worse.size < self.samples.num_samples:
            raise InvalidRequestError("The verification has not finished; iterate it to its end.")
        error = float(worse.std(ddof=1) / math.sqrt(worse.size)) if worse.size > 1 else None
        solver = self.solver
        return Verification(
            self.plan,
            None if solver is None else solver.predict(self.plan),
            None if solver is None else solver.choices.loss.predict(self.plan),
            None if solver is None else solver.planner.estimate(self.plan),
            ActualLoss(float(worse.mean()), error, self.metric.name, worse.size),
            self._accuracy(worse.size),
            self._costs(),
            self._latency() if self.latency_runs > 0 else None,
            self.samples.generated,
            self.skipped,
            self._provenance(),
        )

    def _provenance(self) -> dict[str, Any]:
        return {
            **conditions(self.samples, self.model.sha256()),
            "metric": self.metric.name,
            "granularity": self._granularity_in_words(),
            "numSamples": self.samples.num_samples,
            "batchSize": self._batch_size,
        }

    def _granularity_in_words(self) -> str:
        kinds = self.granularity
        if not isinstance(kinds, Mapping):
            return str(kinds)
        pruned = [i for i, sparsity in self.plan.sparsities.items() if sparsity > 0]
        found = {str(kinds.get(i, Granularity.ELEMENT)) for i in pruned}
        return ", ".join(sorted(found)) or str(Granularity.ELEMENT)

    @cached_property
    def pruned(self) -> dict[str, Array]:
        """The pruned weights as they are stored, by name."""
        if self.pruned_model is not None:
            return {}
        return {name: self._pruned(unit) for name, unit in self.units.items() if unit.sparsity > 0}

    def _pruned(self, unit: _Unit) -> Array:
        weight = _weight(unit.layer)
        kind = self.granularity
        if isinstance(kind, Mapping):
            kind = kind.get(unit.layer.id, Granularity.ELEMENT)
        if kind is Granularity.ELEMENT:
            removed = ElementRanking.of(weight.magnitudes()).pruned(unit.sparsity)
            removed = removed.reshape(weight.shape)
        else:
            removed = ~make_mask(
                self.model, unit.layer, Order(unit.sparsity, kind, self.group_size)
            )
        return np.where(removed, weight.stored_zero(), weight.tensor.read())

    @cached_property
    def _runtime(self) -> RuntimeModel:
        return RuntimeModel(self.model.path, list(self.units), limits=self.model.limits)

    @cached_property
    def _sessions(self) -> tuple[ort.InferenceSession, ort.InferenceSession]:
        """Dense and pruned."""
        return self._runtime.session(), self._pruned_session(session_options())

    def _pruned_session(self, options: ort.SessionOptions) -> ort.InferenceSession:
        if self.pruned_model is None:
            return self._runtime.session(self.pruned, options)
        smaller = RuntimeModel(self.pruned_model.path, limits=self.model.limits)
        return smaller.session(options=options)

    @property
    def _batch_size(self) -> int:
        if self.model.batch > 1:
            return self.model.batch
        is_free = all(
            v.shape is None or not isinstance(v.shape[0], int) for v in self.model.inputs if v.shape
        )
        return _BATCH if is_free else 1

    def _accuracy(self, count: int) -> Accuracy | None:
        if not self._num_labelled:
            return None
        return Accuracy(self._correct[0], self._correct[1], count)

    def _costs(self) -> ActualCosts:
        counted = self._counted()
        if self.pruned_model is None:
            return counted
        smaller = VerificationRun(
            self.pruned_model,
            find_layers(self.pruned_model),
            PruningPlan({}),
            self.samples,
            self.metric,
            compress=self.compress,
        )._counted()
        gone = counted.num_weights - smaller.num_weights + smaller.num_zeros
        return replace(
            counted,
            num_zeros=gone,
            sparsity=gone / max(1, counted.num_weights),
            flops=smaller.flops,
            bytes_sparse=smaller.bytes_sparse,
            bytes_compressed=smaller.bytes_compressed,
        )

    def _counted(self) -> ActualCosts:
        """Counts of the layers with their pruned weights at zero."""
        weights = {
            layer.weight.key: layer
            for layer in self.layers
            if layer.is_prunable and layer.weight is not None
        }
        zeros = {key: self._num_zeros(layer) for key, layer in weights.items()}
        num_weights = sum(layer.weight_size for layer in weights.values())
        num_zeros = sum(zeros.values())
        dense = sum(x.num_bytes for x in self._stored_layers())
        saved = sum(
            weight.num_bytes - int(sparse_bytes(weight.num_bytes, weight.size, count))
            for weight, count in ((_weight(weights[key]), count) for key, count in zeros.items())
        )
        compressed = self._compressed() if self.compress else (None, None)
        return ActualCosts(
            num_weights,
            num_zeros,
            num_zeros / max(1, num_weights),
            self._flops(zeros),
            dense,
            dense - saved,
            *compressed,
        )

    def _stored_layers(self) -> list[Layer]:
        """Layers with a weight, one for each stored weight."""
        found = {x.weight.key: x for x in self.layers if x.weight is not None}
        return list(found.values())

    def _num_zeros(self, layer: Layer) -> int:
        array = self.pruned.get(layer.name)
        if array is None:
            return layer.num_zeros or 0
        return int(np.count_nonzero(array == _weight(layer).stored_zero()))

    def _flops(self, zeros: dict[tuple[str, int, int], int]) -> int | None:
        left = 0.0
        for layer in self.layers:
            if layer.macs is None:
                if layer.is_prunable:
                    return None
                continue
            share = 0.0
            if layer.is_prunable and layer.weight is not None:
                share = zeros[layer.weight.key] / max(1, layer.weight_size)
            left += layer.macs * (1.0 - share)
        return round(left)

    def _compressed(self) -> tuple[int, int]:
        """Bytes of the layers' weights through zlib, dense and pruned, and of their biases."""
        layers = self._stored_layers()
        with ThreadPoolExecutor(2) as threads:  # zlib lets other threads run
            sizes = list(threads.map(self._compressed_weight, layers))
        biases = sum(layer.bias_bytes for layer in layers)
        return sum(a for a, _ in sizes) + biases, sum(b for _, b in sizes) + biases

    def _compressed_weight(self, layer: Layer) -> tuple[int, int]:
        weight = _weight(layer)
        dense = compressed_bytes(weight.tensor.read(), weight.num_bytes)
        pruned = self.pruned.get(layer.name)
        return dense, dense if pruned is None else compressed_bytes(pruned, weight.num_bytes)

    def _latency(self) -> Latency:
        feed, _ = next(self.samples.first(max(1, self.model.batch)).batches(self._batch_size))
        options = session_options(num_threads=1)
        pair = (
            self._runtime.session(options=options),
            self._pruned_session(session_options(num_threads=1)),
        )
        times: tuple[list[float], list[float]] = ([], [])
        for run in range(_WARMUP_RUNS + self.latency_runs):
            # In turn, so that whatever else the machine does meets both.
            for session, taken in zip(pair, times, strict=True):
                start = time.perf_counter()
                session.run(None, feed)
                if run >= _WARMUP_RUNS:
                    taken.append((time.perf_counter() - start) * 1e3)
        return Latency(
            statistics.median(times[0]),
            statistics.median(times[1]),
            _spread(times[0]),
            _spread(times[1]),
            self.latency_runs,
            1,
            max(1, self.model.batch),
        )


@dataclass(frozen=True)
class _Unit:
    """A stored weight of the main graph, and the sparsity that the plan gives it."""

    layer: Layer
    sparsity: float


def _units(layers: Sequence[Layer], plan: PruningPlan) -> tuple[dict[str, _Unit], dict[str, str]]:
    """Weights to prune by name; the layers whose part of the plan cannot be applied, and why."""
    known = {layer.id for layer in layers if layer.is_prunable}
    skipped = {
        layer_id: "It is not a prunable layer of this model."
        for layer_id, sparsity in plan.sparsities.items()
        if layer_id not in known and sparsity > 0
    }
    groups: dict[tuple[str, int, int], list[Layer]] = defaultdict(list)
    for layer in layers:
        if layer.is_prunable:
            groups[_weight(layer).key].append(layer)
    units: dict[str, _Unit] = {}
    for group in groups.values():
        sparsity = _one_sparsity(group, plan)
        for layer in group:
            if _weight(layer).tensor.scope:
                if sparsity > 0:
                    skipped[layer.id] = "Its weight is defined inside a subgraph: not applied."
            elif _weight(layer).fault and sparsity > 0:
                skipped[layer.id] = _weight(layer).fault
            else:
                units[layer.name] = _Unit(layer, sparsity)
    return units, skipped


def _one_sparsity(group: Sequence[Layer], plan: PruningPlan) -> float:
    given = {plan.sparsities[x.id] for x in group if x.id in plan.sparsities}
    if len(given) > 1:
        names = ", ".join(f"'{x.id}'" for x in group)
        raise InvalidRequestError(
            f"Layers {names} share one weight; the plan must give them one sparsity."
        )
    return given.pop() if given else 0.0


def _weight(layer: Layer) -> Weight:
    assert layer.weight is not None
    return layer.weight


def _spread(times: Sequence[float]) -> float:
    """Interquartile range."""
    low, high = np.percentile(times, [25, 75])
    return float(high - low)


def _has_classes(outputs: Sequence[Array], labels: Array | None) -> bool:
    """Whether the first output has one logit a class, and each sample one label."""
    logits = outputs[0]
    return labels is not None and labels.ndim == 1 and logits.ndim == 2 and logits.shape[1] > 1
