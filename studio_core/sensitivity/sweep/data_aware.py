"""The loss sensitivity estimated from the data: a hundredth of a measured sweep's arithmetic.

For each layer and level only the layer's own segment is run, up to the next layer, on a few
samples; the squared error of what it makes is how much the level disturbs the layer's own
outputs. What such a disturbance costs the whole model is measured at two levels a layer, the
probes. Between them the loss is a power of the error,

    loss(s) = loss(p) · (error(s) / error(p)) ^ k,

with k from the two probes p; above the last it is the probes' own, and below the first 1, or
1/2 where the loss is itself the root of a squared error.

Metrics that compare with labels jump from sample to sample, and few samples do not tell their
mean. Their probes take the mean over labels drawn from the dense model's own probabilities
instead: of the cross-entropy that is KL(dense ‖ pruned), of the accuracy the probability that
the dense model gives its own choice less that of the pruned model's choice.

That a layer's own output error, from the second moments of its inputs, foretells the loss is
the idea of Optimal Brain Surgeon (Hassibi & Stork 1993) and Wanda (Sun et al. 2023), which
choose weights by it. Here it does not choose: the weights that go are the sweep's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.conditions import conditions
from studio_core.evaluation.data import Samples
from studio_core.evaluation.metrics import LossMetric, Outputs, PerSample, metric_named
from studio_core.evaluation.runtime import Array
from studio_core.layers.layer import Layer
from studio_core.models.model import Model
from studio_core.sensitivity.analysis import (
    Analysis,
    AnalysisKind,
    FloatArray,
    LossCurve,
    Metric,
    Source,
)
from studio_core.sensitivity.sweep.in_threads import in_threads
from studio_core.sensitivity.sweep.loss_sweep import batch_size_for, levels_for
from studio_core.sensitivity.sweep.measured import analysis_metric
from studio_core.sensitivity.sweep.pattern import Pattern
from studio_core.sensitivity.sweep.prepared import (
    LayerPruning,
    PreparedSweep,
    find_units,
    whole_batches,
)
from studio_core.sensitivity.sweep.segments import State

DEFAULT_ESTIMATE_SAMPLES = 16
"""Samples of an estimate; more change its ranking little (benchmarks/README.md)."""


def _logits(outputs: Outputs) -> Array:
    return np.asarray(outputs[0], np.float64).reshape(outputs[0].shape[0], -1)


def _expected_cross_entropy(outputs: Outputs, dense: Outputs) -> PerSample:
    return metric_named("softmax_kl").compare([_logits(outputs)], [_logits(dense)])


def _expected_accuracy(outputs: Outputs, dense: Outputs) -> PerSample:
    """Loss of accuracy, 0 to 1, with labels drawn from the dense model's probabilities."""
    logits = _logits(dense)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    chosen = _logits(outputs).argmax(axis=1)
    lost = weights.max(axis=1) - np.take_along_axis(weights, chosen[:, None], axis=1)[:, 0]
    return np.asarray(lost / weights.sum(axis=1))


EXPECTED: Mapping[str, LossMetric] = {
    name: LossMetric(name, metric_named(name).label, False, False, what, compare)
    for name, what, compare in (
        ("cross_entropy", "Cross-entropy lost, in nats.", _expected_cross_entropy),
        ("accuracy", "Share of samples no longer classified right.", _expected_accuracy),
    )
}
"""By metric: the mean that its probes take, over the labels that the dense model expects."""

PROBE_LEVELS = (0.7, 0.95)
"""Where the whole model is run: in front of the bend of most curves, and behind it."""


@dataclass(frozen=True)
class EstimateSettings:
    """What to estimate; ``levels``, ``batch_size`` and ``granularity`` as in `SweepSettings`.

    ``num_samples`` are taken evenly from all samples. ``probes`` are the levels at which the
    whole model is run.
    """

    levels: Sequence[float] | None = None
    batch_size: int | None = None
    granularity: str = "element"
    num_samples: int = DEFAULT_ESTIMATE_SAMPLES
    probes: Sequence[float] = PROBE_LEVELS
    num_workers: int = 2


@dataclass(frozen=True, eq=False)
class LayerErrors:
    """A weight's disturbance of its layer by level, and the losses at the probes.

    ``errors`` are squared and of any unit: only their ratios count.
    """

    name: str
    errors: Mapping[float, float]
    probes: Mapping[float, float]

    def losses(self, levels: Iterable[float], power: float) -> FloatArray:
        """The estimated loss at each level, shape [num_levels]; NaN where it is not known.

        ``power`` as in `losses_from_errors`.
        """
        errors = np.array([self.errors[level] for level in levels])
        anchors = [(self.errors[level], loss) for level, loss in self.probes.items()]
        return losses_from_errors(errors, anchors, power)


class DataAwareEstimate:
    """The estimate over the prunable ``layers`` of ``model`` on a few of ``samples``.

    Iterating yields the curve of each layer as it is known; ``num_done`` of ``num_layers``
    says how far it is, and `analysis` what is known so far. ``skipped`` says, by layer id, why
    a layer cannot be pruned, as in a sweep. Layers whose weight has no place of its own in the
    optimised graph (shared weights, quantised ones) are ``by_weights``: their error is that of
    the weights themselves, the removed share of their energy.
    """

    def __init__(
        self,
        model: Model,
        layers: Sequence[Layer],
        samples: Samples,
        metric: LossMetric,
        settings: EstimateSettings | None = None,
    ) -> None:
        self.settings = settings = settings or EstimateSettings()
        self.model = model
        self.metric = metric
        self.pattern = Pattern.named(settings.granularity)
        self.levels = levels_for(settings.levels, self.pattern)
        self.probes = _probes(settings.probes, self.pattern)
        self.probe_metric = EXPECTED.get(metric.name, metric)
        if self.probe_metric.needs_labels and samples.labels is None:
            raise InvalidRequestError(
                f"The metric '{metric.name}' needs labels. Add an array 'labels' to the data, "
                "or choose a metric without labels, such as 'softmax_kl'."
            )
        self.samples = evenly(samples, max(settings.num_samples, model.batch))
        self.units, self.skipped = find_units(model, layers, self.pattern)
        self.batch_size = batch_size_for(model, layers, settings.batch_size)
        self._batches = whole_batches(model, self.samples, self.batch_size)
        self._curves: dict[str, LossCurve] = {}
        self.by_weights: tuple[str, ...] = ()

    @property
    def num_done(self) -> int:
        return len(self._curves)

    @property
    def num_layers(self) -> int:
        return sum(len(unit) for unit in self.units.values())

    @cached_property
    def _prepared(self) -> PreparedSweep:
        return PreparedSweep(self.model, self.units, self._batches, self.probe_metric, self.pattern)

    def __iter__(self) -> Iterator[LossCurve]:
        # Losses that add as squares grow with the error, others with its square.
        power = 1.0 / analysis_metric(self.metric).additive_power
        for found in in_threads(self._jobs(), self.settings.num_workers):
            losses = found.losses(self.levels.tolist(), power)
            for layer in self.units[found.name]:
                curve = LossCurve(layer.id, layer.name, self.levels, losses)
                self._curves[layer.id] = curve
                yield curve

    def _jobs(self) -> Iterator[Callable[[], LayerErrors]]:
        levels = sorted({*self.levels.tolist(), *self.probes})
        for pruning in self._prepared.prunings(self.units, 0, len(self._batches)):
            if pruning.position is None:
                self.by_weights += tuple(layer.id for layer in self.units[pruning.name])
            yield _LayerRun(pruning, levels, self.probes)

    def analysis(self, name: str = "data-aware") -> Analysis:
        """What is known so far; a layer that is not yet known holds NaN."""
        curves = tuple(
            self._curves.get(layer.id)
            or LossCurve(layer.id, layer.name, self.levels, np.full(self.levels.size, np.nan))
            for unit in self.units.values()
            for layer in unit
        )
        return Analysis(
            AnalysisKind.LOSS,
            name,
            Source.DATA_AWARE,
            estimated_metric(self.metric, self.samples, self.probes),
            curves,
            self._provenance(),
        )

    @cached_property
    def _conditions(self) -> dict[str, Any]:
        return conditions(self.samples, self.model.sha256())

    def _provenance(self) -> dict[str, Any]:
        seen = sum(len(next(iter(feed.values()))) for feed, _ in self._batches)
        return {
            **self._conditions,
            "metric": self.metric.name,
            "granularity": str(self.pattern),
            "numSamples": seen,
            "sparsityLevels": self.levels.tolist(),
            "probeLevels": list(self.probes),
            "batchSize": self.batch_size,
            "byWeights": list(self.by_weights),
            "notMeasured": dict(self.skipped),
        }


@dataclass(frozen=True)
class _LayerRun:
    """All levels of one weight; called by a thread."""

    pruning: LayerPruning
    levels: Sequence[float]
    probes: Sequence[float]

    def __call__(self) -> LayerErrors:
        if self.pruning.position is None:
            errors = {level: self.pruning.removed_energy(level) for level in self.levels}
            probes = {level: self.pruning.measure(level).values for level in self.probes}
        else:
            errors, probes = self._run(self.pruning.position)
        means = {level: float(values.mean()) for level, values in probes.items()}
        return LayerErrors(self.pruning.name, errors, means)

    def _run(self, position: int) -> tuple[dict[float, float], dict[float, Array]]:
        segmented, states = self.pruning.sweep.segmented, self.pruning.states
        dense = [segmented.segment_outputs(state, position) for state in states]
        errors: dict[float, float] = {}
        probes: dict[float, Array] = {}
        for level in self.levels:
            stored = self.pruning.masking.pruned(segmented.place(position), level)
            run = segmented.pruned_segment(position, stored)
            made = [run(state) for state in states]
            errors[level] = float(sum(map(_squared_error, made, dense)))
            if level in self.probes:
                pairs = zip(states, made, strict=True)
                outputs = [segmented.outputs_after(s, m, position) for s, m in pairs]
                probes[level] = self.pruning.compared(outputs)
        return errors, probes


# Below this the squares of float32 lose digits.
_LEAST_SINGLE = 1e-30


def _squared_error(made: State, dense: State) -> float:
    """Σ (pruned − dense)² over all numbers that a segment makes."""
    total = 0.0
    for name, value in made.items():
        pruned, whole = value.numpy(), dense[name].numpy()
        if pruned.dtype.kind not in "fiub":
            continue
        total += _distance_squared(pruned.reshape(-1), whole.reshape(-1))
    return total


def _distance_squared(pruned: Array, whole: Array) -> float:
    """Σ (pruned − whole)²; in double precision only where single cannot hold it."""
    if pruned.dtype == np.float32:
        with np.errstate(over="ignore"):
            difference = pruned - whole
            found = float(difference @ difference)
        if math.isfinite(found) and found > _LEAST_SINGLE:
            return found
    exact = np.subtract(pruned, whole, dtype=np.float64)
    return float(exact @ exact)


def losses_from_errors(
    errors: FloatArray, probes: Sequence[tuple[float, float]], power: float = 1.0
) -> FloatArray:
    """Losses of ``errors`` from the (error, loss) pairs of the probes, shape of ``errors``.

    A power law between the probes, and below them error ^ ``power``; through 0 and linear in the
    error where a probe lost nothing or gained. No error is no loss; NaN where nothing is known.
    """
    anchors = sorted({x: y for x, y in probes if np.isfinite([x, y]).all() and x > 0}.items())
    losses = np.full(errors.shape, np.nan)
    known = np.isfinite(errors)
    if not anchors:
        losses[errors == 0] = 0.0
        return losses
    xs, ys = np.array(anchors).T
    positive = known & (errors > 0)
    losses[known] = 0.0
    if np.all(ys > 0):
        losses[positive] = np.exp(
            _extended(np.log(errors[positive]), np.log(xs), np.log(ys), power)
        )
    else:
        losses[positive] = np.interp(errors[positive], [0.0, *xs], [0.0, *ys])
    return losses


def _extended(at: FloatArray, xs: FloatArray, ys: FloatArray, slope_below: float) -> FloatArray:
    """Linear between the points and, as far as it is between the last two, above them."""
    slope = (ys[-1] - ys[-2]) / (xs[-1] - xs[-2]) if xs.size > 1 else slope_below
    inside = np.interp(at, xs, ys)
    below = np.where(at < xs[0], slope_below * (at - xs[0]), 0.0)
    above = np.where(at > xs[-1], slope * (at - xs[-1]), 0.0)
    return np.asarray(inside + below + above)


def evenly(samples: Samples, count: int) -> Samples:
    """``count`` of the samples, evenly from all of them: they may be sorted by class."""
    total = samples.num_samples
    if count >= total:
        return samples
    picked = np.arange(count) * total // count
    labels = None if samples.labels is None else samples.labels[picked]
    inputs = {name: array[picked] for name, array in samples.inputs.items()}
    return Samples(inputs, labels, samples.generated, samples.seed)


def estimated_metric(metric: LossMetric, samples: Samples, probes: Sequence[float]) -> Metric:
    """What the values of an estimate mean: the metric of a sweep, estimated."""
    measured = analysis_metric(metric)
    count = samples.num_samples
    what = f"{count} sample{'' if count == 1 else 's'}"
    data = f"{what} of random data" if samples.generated else what
    return Metric(
        f"{metric.name}_estimate",
        f"{measured.label}, estimated from {data}",
        measured.unit,
        measured.higher_is_better,
        f"{measured.description} Estimated from {data}: by the error that pruning makes in the "
        "layer's own outputs, scaled by losses of the whole model at sparsity "
        f"{' and '.join(f'{level:g}' for level in probes)}.",
        measured.additive_power,
    )


def _probes(given: Sequence[float], pattern: Pattern) -> tuple[float, ...]:
    """The levels at which the whole model is run; the only one, where a pattern has one."""
    return tuple(levels_for(given if pattern.only_level is None else None, pattern).tolist())
