"""Running analyses: what a run may be told, how far it is, and the run itself.

A run yields its progress; whoever called it draws a bar, writes a state file, or asks it to
stop by no longer asking for more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from studio_core.evaluation.data import Samples
from studio_core.evaluation.defaults import default_metric
from studio_core.evaluation.metrics import metric_named
from studio_core.layers.layer import Layer
from studio_core.models.model import Model
from studio_core.sensitivity import Analysis, Source
from studio_core.sensitivity.sweep.loss_sweep import (
    DEFAULT_LOSS_LEVELS,
    LossSweep,
    SweepSettings,
)
from studio_core.sensitivity.sweep.measured import MeasuredLoss, continues, measurements_of

DEFAULT_SAMPLES = 5
"""Generated samples of a run that is given no data: the original Studio's number."""


@dataclass(frozen=True)
class RunOptions:
    """What a run may be told; None leaves the choice to Studio.

    ``samples`` limits the number of samples, ``data`` is a path as `samples_from` reads it,
    ``resume`` goes on from what an analysis of the same name has measured already.
    ``iterations`` and ``warmup`` count runs of a performance measurement.
    """

    source: Source = Source.MEASURED
    levels: Sequence[float] | None = None
    samples: int | None = None
    data: str | None = None
    metric: str | None = None
    batch_size: int | None = None
    iterations: int | None = None
    warmup: int | None = None
    resume: bool = False


@dataclass(frozen=True)
class RunProgress:
    """How far a run is: ``done`` of ``total`` measurements, and what was measured last."""

    done: int
    total: int
    message: str
    analysis: Callable[[], Analysis]
    """Answers what is known so far; unmeasured levels hold NaN."""


def run_loss(
    model: Model,
    layers: Sequence[Layer],
    samples: Samples,
    options: RunOptions,
    name: str,
    earlier: Analysis | None = None,
) -> Iterator[RunProgress]:
    """Measure the loss sensitivity of all prunable layers on ``samples``.

    ``earlier`` is an unfinished analysis of the same model and data; its points are kept.
    """
    metric = metric_named(options.metric) if options.metric else default_metric(model, samples)
    settings = SweepSettings(options.levels or DEFAULT_LOSS_LEVELS, options.batch_size)
    sweep = LossSweep(model, layers, samples, metric, settings)
    if earlier is not None and continues(earlier, sweep):
        done = [m for m in measurements_of(earlier) if m.sparsity in set(sweep.levels.tolist())]
        sweep = LossSweep(model, layers, samples, metric, settings, done)
    measured = MeasuredLoss(sweep, name, sweep.done)
    names = {layer.id: layer.name for layer in layers}
    yield _progress(measured, "preparing the model")
    for measurement in sweep:
        measured.add(measurement)
        what = f"{names[measurement.layer_id]} at {measurement.sparsity:.1%}"
        yield _progress(measured, what)


def _progress(measured: MeasuredLoss, message: str) -> RunProgress:
    total = measured.sweep.num_measurements
    return RunProgress(measured.num_measured, total, message, measured.analysis)
