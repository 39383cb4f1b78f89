"""One opened model with everything that is known of it, computed once and when needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from studio_core.analysis_runs import DEFAULT_SAMPLES, RunOptions, RunProgress, run_loss
from studio_core.evaluation.data import generate_samples, samples_from
from studio_core.layers import Layer, ModelSummary, find_layers, summarize
from studio_core.models.model import Model, open_model
from studio_core.plans import Planner
from studio_core.sensitivity import Analysis, estimate_loss, estimate_perf


class Session:
    """A model, its layers, their estimated sensitivities, and the planner over them.

    Everything is lazy: a session that only lists layers never reads a weight.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    @classmethod
    def open(cls, path: str | Path, *, dimensions: Mapping[str, int] | None = None) -> Session:
        """Open the ONNX file at ``path``; ``dimensions`` as in `open_model`."""
        return cls(open_model(path, dimensions=dimensions))

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
        return self.planner_over(self.loss)

    def planner_over(self, loss: Analysis) -> Planner:
        """A planner over other loss sensitivities, such as measured ones."""
        return Planner(self.layers, loss, self.perf, self.summary.num_params)

    def measure(self, data: Any = None, **options: Any) -> Iterator[RunProgress]:
        """Measure the loss sensitivity, yielding progress; ``progress.analysis()`` is the result.

        ``data`` is anything `samples_from` reads, or None for generated samples; ``options``
        are those of `RunOptions` (``metric``, ``levels``, ``samples``, ``batch_size``).
        """
        settings = RunOptions(**options)
        if data is None:
            samples = generate_samples(self.model, settings.samples or DEFAULT_SAMPLES)
        else:
            samples = samples_from(data, self.model)
            samples = samples if settings.samples is None else samples.first(settings.samples)
        return run_loss(self.model, self.layers, samples, settings, "measured")
