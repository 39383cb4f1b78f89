"""Running analyses: what a run may be told, how far it is, and the run itself.

A run yields its progress; whoever called it draws a bar, writes a state file, or asks it to
stop by no longer asking for more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.data import Samples
from studio_core.evaluation.defaults import default_metric
from studio_core.evaluation.metrics import metric_named
from studio_core.layers.layer import Layer
from studio_core.models.model import Model
from studio_core.pruning.masks import Granularity
from studio_core.sensitivity import Analysis, Source
from studio_core.sensitivity.sweep.dask_workers import DaskWorkers
from studio_core.sensitivity.sweep.data_aware import (
    DEFAULT_ESTIMATE_SAMPLES,
    DataAwareEstimate,
    EstimateSettings,
)
from studio_core.sensitivity.sweep.engine import Engine
from studio_core.sensitivity.sweep.loss_sweep import LossSweep, SweepSettings
from studio_core.sensitivity.sweep.measured import (
    MeasuredLoss,
    measurements_of,
    obstacles,
    scale_of,
)
from studio_core.sensitivity.sweep.measured_perf import MeasuredPerf, done_of, perf_obstacles
from studio_core.sensitivity.sweep.perf_run import (
    PERF_GRANULARITIES,
    DonePerf,
    PerfRun,
    PerfStep,
)
from studio_core.sensitivity.sweep.perf_sweep import DEFAULT_PERF_LEVELS, PerfSettings
from studio_core.sensitivity.sweep.profile import (
    DEFAULT_ITERATIONS,
    DEFAULT_WARMUP,
    OnnxRuntimeEngine,
    RuntimeProfile,
)
from studio_core.sensitivity.sweep.stored_curves import StoredCurve
from studio_core.sensitivity.sweep.workers import ExecutorWorkers, ProcessWorkers, Workers

PREPARING = "preparing the model"

DEFAULT_SAMPLES = 5
"""Generated samples of a run that is given no data: the original Studio's number."""


@dataclass(frozen=True)
class RunOptions:
    """What a run may be told; None leaves the choice to Studio.

    ``samples`` limits the number of samples, ``data`` is a path as `samples_from` reads it,
    ``source`` DATA_AWARE estimates a loss from the data instead of measuring it,
    ``resume`` goes on from what an analysis of the same name has measured already.
    ``iterations`` and ``warmup`` count runs of a performance measurement, which computes
    with ``num_threads`` and without a ``granularity`` times single weights and channels.
    A measured loss has one granularity, ``element`` unless told; its ``passes`` and
    ``stop_error`` are those of `SweepSettings`. It runs in threads of this process, in
    ``workers`` processes, or on the Dask cluster whose ``scheduler`` is at that address.
    """

    source: Source = Source.MEASURED
    levels: Sequence[float] | None = None
    samples: int | None = None
    data: str | None = None
    metric: str | None = None
    batch_size: int | None = None
    iterations: int | None = None
    warmup: int | None = None
    num_threads: int | None = None
    granularity: str | None = None
    passes: Sequence[int] | None = None
    stop_error: float | str | None = None
    workers: int | None = None
    scheduler: str | None = None
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
    *,
    executor: Executor | None = None,
) -> Iterator[RunProgress]:
    """Measure the loss sensitivity of all prunable layers on ``samples``.

    ``earlier`` is an unfinished analysis of the same model and data; its points are kept.
    ``executor`` runs the sweep where one is given; it is not shut down.
    """
    metric = metric_named(options.metric) if options.metric else default_metric(model, samples)
    settings = SweepSettings(
        options.levels or None,
        options.batch_size,
        granularity=options.granularity or "element",
        passes=options.passes,
        stop_error=options.stop_error,
    )
    workers = _workers(options, executor)
    sweep = LossSweep(model, layers, samples, metric, settings, workers=workers)
    found = () if earlier is None else obstacles(earlier, sweep)
    if earlier is not None and not found:
        done = [m for m in measurements_of(earlier) if m.sparsity in set(sweep.levels.tolist())]
        scale = scale_of(earlier)
        sweep = LossSweep(
            model, layers, samples, metric, settings, done, scale=scale, workers=workers
        )
    measured = MeasuredLoss(sweep, name, sweep.done)
    names = {layer.id: layer.name for layer in layers}
    progress = _progress(measured, _begun(found))
    yield progress
    for measurement in sweep:
        measured.add(measurement)
        what = f"{names[measurement.layer_id]} at {measurement.sparsity:.1%}"
        progress = _progress(measured, what)
        yield progress
    if progress.done < sweep.num_done:  # the last points needed no more samples
        yield _progress(measured, "the rest is precise enough")


def run_loss_estimate(
    model: Model, layers: Sequence[Layer], samples: Samples, options: RunOptions, name: str
) -> Iterator[RunProgress]:
    """Estimate the loss sensitivity of all prunable layers from a few of ``samples``.

    ``options.samples`` None takes `DEFAULT_ESTIMATE_SAMPLES`. It runs in this process.
    """
    if any((options.passes, options.stop_error, options.workers, options.scheduler)):
        raise InvalidRequestError(
            "Passes, a stop error, workers and a scheduler are for a measured sweep. An estimate "
            "from a few samples takes none of them: leave them out."
        )
    metric = metric_named(options.metric) if options.metric else default_metric(model, samples)
    settings = EstimateSettings(
        options.levels or None,
        options.batch_size,
        options.granularity or "element",
        options.samples or DEFAULT_ESTIMATE_SAMPLES,
    )
    estimate = DataAwareEstimate(model, layers, samples, metric, settings)

    def progress(message: str) -> RunProgress:
        return RunProgress(
            estimate.num_done, estimate.num_layers, message, lambda: estimate.analysis(name)
        )

    yield progress(PREPARING)
    for curve in estimate:
        yield progress(curve.layer_name)


def _begun(obstacles: Sequence[str]) -> str:
    """The first thing a run says: also why it does not go on from an earlier one."""
    if not obstacles:
        return PREPARING
    why = "; ".join(obstacles)
    return f"measuring anew, since what was measured before is not comparable: {why}"


def _workers(options: RunOptions, executor: Executor | None) -> Workers | None:
    """Who runs a sweep; None is this process."""
    given = [x for x in (options.workers, options.scheduler, executor) if x is not None]
    if len(given) > 1:
        raise InvalidRequestError("Give workers, a scheduler or an executor, only one of them.")
    if executor is not None:
        return ExecutorWorkers(executor)
    if options.scheduler is not None:
        return DaskWorkers(options.scheduler)
    return None if options.workers is None else ProcessWorkers(options.workers)


def _progress(measured: MeasuredLoss, message: str) -> RunProgress:
    sweep = measured.sweep
    return RunProgress(sweep.num_done, sweep.num_measurements, message, measured.analysis)


def run_perf(
    model: Model,
    layers: Sequence[Layer],
    samples: Samples | None,
    options: RunOptions,
    name: str,
    earlier: Analysis | None = None,
    *,
    engine: Engine | None = None,
) -> Iterator[RunProgress]:
    """Measure the time of the run and of all prunable layers, dense and pruned, and their bytes.

    One batch of ``samples`` is run, or of generated data: a dense runtime takes as long on
    any. ``engine`` is onnxruntime unless another is given, which then has its own threads.
    ``earlier`` is an unfinished analysis; what was measured under the same conditions is kept.
    """
    granularities = _perf_granularities(options.granularity)
    settings = PerfSettings(
        levels=options.levels or DEFAULT_PERF_LEVELS,
        warmup=DEFAULT_WARMUP if options.warmup is None else options.warmup,
        iterations=options.iterations or DEFAULT_ITERATIONS,
        batch_size=options.batch_size,
    )
    engine = engine or OnnxRuntimeEngine(1 if options.num_threads is None else options.num_threads)

    def made(done: DonePerf | None = None) -> PerfRun:
        return PerfRun(
            model,
            layers,
            settings,
            samples,
            granularities=granularities,
            engine=engine,
            done=done,
        )

    run = made()
    found = () if earlier is None else perf_obstacles(earlier, run)
    if earlier is not None and not found:
        run = made(done_of(earlier, run))
    measured = MeasuredPerf(run, name)
    names = {layer.id: layer.name for layer in layers}
    yield _perf_progress(measured, _begun(found))
    for step in run:
        measured.add(step)
        yield _perf_progress(measured, _perf_message(step, names))


def _perf_granularities(given: str | None) -> tuple[Granularity, ...]:
    if given is None:
        return PERF_GRANULARITIES
    if given not in PERF_GRANULARITIES:
        raise InvalidRequestError(
            "Times are measured for single weights ('element') and for channels ('channel'); "
            f"'{given}' is neither. Without a granularity both are."
        )
    return (Granularity(given),)


def _perf_message(step: PerfStep, names: Mapping[str, str]) -> str:
    if isinstance(step, RuntimeProfile):
        return "the run as it is"
    if isinstance(step, StoredCurve):
        return f"compressed sizes of {names[step.layer_id]}"
    what = "weights" if step.granularity is Granularity.ELEMENT else "channels"
    return f"{names[step.layer_id]} without {step.sparsity:.1%} of its {what}"


def _perf_progress(measured: MeasuredPerf, message: str) -> RunProgress:
    return RunProgress(measured.num_done, measured.run.num_steps, message, measured.analysis)
