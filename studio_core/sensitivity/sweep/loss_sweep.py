"""The measured loss sensitivity: each layer pruned alone, the model run, the outputs compared.

`LossSweep` yields a `Measurement` for each layer and level as it is known: first one
coarse level of every layer, then whole curves, the layers that lose most first. In several
passes each takes more samples; a point that is precise enough sees no more of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.conditions import conditions
from studio_core.evaluation.data import Samples
from studio_core.evaluation.metrics import LossMetric, PerSample
from studio_core.layers.layer import Layer
from studio_core.models.model import Model
from studio_core.sensitivity.analysis import FloatArray
from studio_core.sensitivity.levels import checked_levels
from studio_core.sensitivity.sweep.in_threads import in_threads
from studio_core.sensitivity.sweep.pattern import Pattern
from studio_core.sensitivity.sweep.points import (
    Measurement,
    Point,
    Points,
    StopRule,
    checkpoints,
    median_loss,
)
from studio_core.sensitivity.sweep.prepared import (
    Found,
    PreparedSweep,
    Task,
    find_units,
    whole_batches,
)
from studio_core.sensitivity.sweep.tasks import SweepOrder
from studio_core.sensitivity.sweep.workers import Workers, results, split

__all__ = ["DEFAULT_LOSS_LEVELS", "LossSweep", "Measurement", "SweepSettings"]

DEFAULT_LOSS_LEVELS = (0.05, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99)
"""The original Studio's levels of the measured sweep, without the baseline 0."""

_COARSE_LEVEL = 0.8
_MACS_A_BATCH = 2e8
_LARGEST_BATCH = 64


@dataclass(frozen=True)
class SweepSettings:
    """What to measure.

    ``levels`` None takes the usual ones, ``batch_size`` None chooses by the cost of a sample.
    ``granularity`` is ``element``, ``channel``, or N:M such as ``2:4``, which has one level.
    ``passes`` are numbers of samples to be reached one after the other (all come last);
    ``stop_error`` is the standard error at which a point stops (`StopRule.of`), None never.
    ``num_workers`` counts threads, where the sweep is given no `Workers`.
    """

    levels: Sequence[float] | None = None
    batch_size: int | None = None
    num_workers: int = 2
    granularity: str = "element"
    passes: Sequence[int] | None = None
    stop_error: float | str | StopRule | None = None


class LossSweep:
    """One sweep over the prunable ``layers`` of ``model`` on ``samples``.

    ``skipped`` says, by layer id, why a layer cannot be measured. Iterating measures all
    but what is in ``done``, the measurements of an interrupted sweep; it is done once.
    ``num_done`` of ``num_measurements`` says how far it is. ``scale`` is the loss that matters
    to a relative stop rule; found by the sweep itself unless it goes on from one. ``workers``
    run it, or threads of this process.
    """

    def __init__(
        self,
        model: Model,
        layers: Sequence[Layer],
        samples: Samples,
        metric: LossMetric,
        settings: SweepSettings | None = None,
        done: Sequence[Measurement] = (),
        *,
        scale: float | None = None,
        workers: Workers | None = None,
    ) -> None:
        self.settings = settings or SweepSettings()
        self.pattern = Pattern.named(self.settings.granularity)
        self.levels = levels_for(self.settings.levels, self.pattern)
        self.stop = StopRule.of(self.settings.stop_error)
        self.metric = metric
        self.samples = samples
        self.model = model
        self.scale = scale
        if metric.needs_labels and samples.labels is None:
            raise InvalidRequestError(
                f"The metric '{metric.name}' needs labels. Add an array 'labels' to the data, "
                "or choose a metric without labels, such as 'softmax_kl'."
            )
        self.units, self.skipped = find_units(model, layers, self.pattern)
        self.batch_size = batch_size_for(model, layers, self.settings.batch_size)
        self._batches = whole_batches(model, samples, self.batch_size)
        sizes = [len(next(iter(feed.values()))) for feed, _ in self._batches]
        self._seen = np.cumsum(sizes).tolist()
        self._ends = checkpoints(self.settings.passes, sizes, stops=self.stop is not None)
        self._workers = workers
        self._baselines: dict[int, PerSample] = {}
        self.done = tuple(done)
        self._points = Points(self._earlier(done))
        self._complete_before = frozenset(filter(self._is_complete, self._all_points()))
        self.num_done = sum(
            len(self.units[name]) * len(self._ends) for name, _ in self._complete_before
        )
        self._is_started = False

    def _earlier(self, done: Iterable[Measurement]) -> Iterator[tuple[Point, Measurement]]:
        """What was measured before of whole weights: of every layer that reads one."""
        found = {(m.layer_id, m.sparsity): m for m in done}
        for name, level in self._all_points():
            keys = [(layer.id, level) for layer in self.units[name]]
            if all(key in found for key in keys):
                yield (name, level), found[keys[0]]

    def _all_points(self) -> Iterator[Point]:
        return ((name, level) for name in self.units for level in self.levels.tolist())

    @property
    def num_samples(self) -> int:
        """How many samples a point sees that does not stop."""
        return int(self._seen[-1])

    @property
    def passes(self) -> tuple[int, ...]:
        """How many samples have been seen after each pass."""
        return tuple(int(self._seen[end - 1]) for end in self._ends)

    @property
    def num_measurements(self) -> int:
        """How many measurements there are in all passes, those already done included.

        A point that stops early counts as measured in the passes that it leaves out.
        """
        num_layers = sum(len(unit) for unit in self.units.values())
        return num_layers * self.levels.size * len(self._ends)

    @cached_property
    def conditions(self) -> dict[str, Any]:
        """What the numbers depend on to the last bit, the settings apart."""
        return conditions(self.samples, self.model.sha256())

    @cached_property
    def prepared(self) -> PreparedSweep:
        """The sweep in this process."""
        return PreparedSweep(self.model, self.units, self._batches, self.metric, self.pattern)

    @property
    def baseline(self) -> PerSample:
        """The metric of the dense model, one value a sample, of the samples seen so far.

        Before any was seen, of the first pass.
        """
        if not self._baselines:
            is_done = self.num_done >= self.num_measurements
            batches = range(self._ends[-1 if is_done else 0])
            self._baselines = {i: self.prepared.baseline(i) for i in batches}
        return np.concatenate([self._baselines[i] for i in sorted(self._baselines)])

    def __iter__(self) -> Iterator[Measurement]:
        try:
            yield from self._sweep()
        finally:
            if self._workers is not None:
                self._workers.stop()

    def _sweep(self) -> Iterator[Measurement]:
        coarse = float(self.levels[np.argmin(np.abs(self.levels - _COARSE_LEVEL))])
        rest = [level for level in self.levels.tolist() if level != coarse]
        for end in self._ends:
            yield from self._pass(list(self.units), [coarse], end)
            best = {name: self._points.best((name, coarse)) for name in self.units}
            losses = {name: found.value for name, found in best.items() if found is not None}
            if self.scale is None:
                self.scale = median_loss(losses)
            ranked = sorted(losses, key=losses.__getitem__, reverse=True)
            half = -(-len(ranked) // 2)
            yield from self._pass(ranked[:half], rest, end)
            yield from self._pass(ranked[half:], rest, end)

    def _pass(
        self, names: Sequence[str], levels: Sequence[float], end: int
    ) -> Iterator[Measurement]:
        """Measure what is not settled, up to the batch ``end``, in the graph's order."""
        wanted: dict[int, dict[str, tuple[float, ...]]] = {}
        for name in sorted(names, key=list(self.units).index):
            for level in levels:
                if self._is_left_out((name, level), end):
                    is_counted = (name, level) in self._complete_before
                    self.num_done += 0 if is_counted else len(self.units[name])
                    continue
                first = self._points.num_batches.get((name, level), 0)
                by_name = wanted.setdefault(first, {})
                by_name[name] = (*by_name.get(name, ()), level)
        for first, points in wanted.items():
            for found in self._run(list(points.items()), first, end):
                self._points.add((found.name, found.level), found.end, found.values)
                for layer in self.units[found.name]:
                    self.num_done += 1
                    yield self._points.measurement((found.name, found.level), layer.id)

    def _is_left_out(self, point: Point, end: int) -> bool:
        """Whether a point needs no more samples, or has seen as many before this sweep."""
        best = self._points.best(point)
        if best is None:
            return False
        is_met = self.stop is not None and self.stop.is_met(best, self.scale)
        return is_met or best.num_samples >= self._seen[end - 1]

    def _is_complete(self, point: Point) -> bool:
        best = self._points.best(point)
        return best is not None and best.num_samples >= self.num_samples

    def _run(
        self, points: list[tuple[str, tuple[float, ...]]], first: int, end: int
    ) -> Iterator[Found]:
        if self._workers is None:
            yield from self._run_here(Task(tuple(points), first, end))
            return
        if not self._is_started:
            self._workers.start(self._order(), self.samples)
            self._is_started = True
        tasks = split(points, first, end, self._workers.num_workers)
        for result in results(self._workers, tasks):
            self._baselines.update(result.baselines)
            yield from result.found

    def _order(self) -> SweepOrder:
        return SweepOrder(
            uuid.uuid4().hex,
            str(self.model.path.absolute()),
            self.conditions["modelSha256"],
            tuple(self.model.dimensions.items()),
            self.metric,
            self.pattern,
            self.batch_size,
            tuple(self.conditions["versions"].items()),
            self.model.limits,
        )

    def _run_here(self, task: Task) -> Iterator[Found]:
        yield from in_threads(self.prepared.jobs(task), self.settings.num_workers)
        self._baselines |= {i: self.prepared.baseline(i) for i in range(task.first, task.end)}


def batch_size_for(model: Model, layers: Sequence[Layer], given: int | None = None) -> int:
    """How many samples are run at once: as many as the model fixes, as given, or as are cheap."""
    if model.batch > 1:
        return model.batch
    if given is not None:
        return given
    if not _batch_is_free(model):
        return 1
    macs = sum(layer.macs or 0 for layer in layers) or _MACS_A_BATCH
    return max(1, min(_LARGEST_BATCH, int(_MACS_A_BATCH / macs)))


def levels_for(given: Sequence[float] | None, pattern: Pattern) -> FloatArray:
    """The levels to measure, rising; None takes the usual ones, or the only one there is."""
    if pattern.only_level is None:
        return checked_levels(DEFAULT_LOSS_LEVELS if given is None else given)
    if given is not None and checked_levels(given).tolist() != [pattern.only_level]:
        raise InvalidRequestError(
            f"A {pattern} pattern has one sparsity, {pattern.only_level:g}. Leave the levels out."
        )
    return checked_levels([pattern.only_level])


def _batch_is_free(model: Model) -> bool:
    return all(v.shape is None or not isinstance(v.shape[0], int) for v in model.inputs if v.shape)
