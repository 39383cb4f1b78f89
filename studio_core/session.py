"""One opened model with everything that is known of it, computed once and when needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from functools import cached_property
from pathlib import Path
from typing import Any

from studio_core.analysis_runs import (
    DEFAULT_SAMPLES,
    RunOptions,
    RunProgress,
    run_loss,
    run_loss_estimate,
    run_perf,
)
from studio_core.evaluation.data import Samples, generate_samples, samples_from
from studio_core.layers import Layer, ModelSummary, find_layers, summarize
from studio_core.limits import DEFAULT_LIMITS, Limits
from studio_core.models.model import Model, open_model
from studio_core.plans import Planner
from studio_core.pruning.masks import Granularity
from studio_core.sensitivity import Analysis, Source, estimate_loss, estimate_perf
from studio_core.sensitivity.sweep.data_aware import DEFAULT_ESTIMATE_SAMPLES
from studio_core.sensitivity.sweep.engine import Engine


class Session:
    """A model, its layers, their estimated sensitivities, and the planner over them.

    Everything is lazy: a session that only lists layers never reads a weight.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        dimensions: Mapping[str, int] | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Session:
        """Open the ONNX file at ``path``; ``dimensions`` and ``limits`` as in `open_model`."""
        return cls(open_model(path, dimensions=dimensions, limits=limits))

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """All layers, prunable or not."""
        return find_layers(self.model)

    @property
    def prunable_layers(self) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if layer.is_prunable)

    def layer(self, layer_id: str) -> Layer | None:
        return next((layer for layer in self.layers if layer.id == layer_id), None)

    @cached_property
    def summary(self) -> ModelSummary:
        return summarize(self.model, self.layers)

    @cached_property
    def loss(self) -> Analysis:
        """The estimated loss sensitivity: share of each layer's L2 norm removed."""
        return estimate_loss(self.layers)

    @cached_property
    def perf(self) -> Analysis:
        """The estimated performance sensitivity: multiply-accumulates left."""
        return estimate_perf(self.layers)

    @cached_property
    def planner(self) -> Planner:
        """The planner over the estimated sensitivities."""
        return self.planner_over()

    def planner_over(
        self,
        loss: Analysis | None = None,
        perf: Analysis | None = None,
        *,
        granularity: Granularity | None = None,
    ) -> Planner:
        """A planner over other sensitivities, such as measured ones; None takes the estimate.

        ``granularity`` is what the plans remove (default: what the losses were measured
        with): with measured times, channels are faster and single weights are not.
        """
        return Planner(
            self.layers,
            loss or self.loss,
            perf or self.perf,
            self.summary.num_params,
            granularity,
        )

    def measure(
        self,
        data: Any = None,
        *,
        earlier: Analysis | None = None,
        executor: Executor | None = None,
        **options: Any,
    ) -> Iterator[RunProgress]:
        """Measure the loss sensitivity, yielding progress; ``progress.analysis()`` is the result.

        ``data`` is anything `samples_from` reads, or None for generated samples; ``options``
        are those of `RunOptions` (``metric``, ``levels``, ``samples``, ``batch_size``,
        ``granularity``, ``passes``, ``stop_error``, ``workers``, ``scheduler``). What
        ``earlier`` holds, measured on the same data, is not measured again. ``executor`` runs
        the sweep instead of threads of this process.
        """
        settings = RunOptions(**options)
        samples = self._samples(data, settings.samples, DEFAULT_SAMPLES)
        return run_loss(
            self.model, self.layers, samples, settings, "measured", earlier, executor=executor
        )

    def estimate_from_data(self, data: Any = None, **options: Any) -> Iterator[RunProgress]:
        """Estimate the loss sensitivity by running the model a little, yielding progress.

        ``data`` as in `measure`; of all its samples a few are taken, spread evenly, unless
        ``samples`` says how many of the first. Other ``options`` are ``metric``, ``levels``,
        ``batch_size`` and ``granularity``. It ranks layers and levels nearly as a measured
        sweep does, at a small part of its cost (sweep/data_aware.py).
        """
        settings = RunOptions(source=Source.DATA_AWARE, **options)
        samples = self._samples(data, settings.samples, DEFAULT_ESTIMATE_SAMPLES)
        return run_loss_estimate(self.model, self.layers, samples, settings, "data-aware")

    def _samples(self, data: Any, wanted: int | None, num_generated: int) -> Samples:
        if data is None:
            return generate_samples(self.model, wanted or num_generated)
        samples = samples_from(data, self.model)
        return samples if wanted is None else samples.first(wanted)

    def measure_perf(
        self,
        data: Any = None,
        *,
        earlier: Analysis | None = None,
        engine: Engine | None = None,
        **options: Any,
    ) -> Iterator[RunProgress]:
        """Measure the performance sensitivity, as `measure` does the loss.

        ``data`` is anything `samples_from` reads, or None for one generated batch; ``options``
        are those of `RunOptions` (``levels``, ``iterations``, ``warmup``, ``batch_size``,
        ``num_threads``, ``granularity``). What ``earlier`` holds is not measured again.
        ``engine`` is another runtime than onnxruntime (sweep/engine.py says what it needs).
        """
        samples = None if data is None else samples_from(data, self.model)
        settings = RunOptions(**options)
        return run_perf(
            self.model, self.layers, samples, settings, "measured", earlier, engine=engine
        )
