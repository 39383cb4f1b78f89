"""Measure: layers pruned one by one, the model run, the curves growing as it goes on.

    panel = MeasurePanel(session)
    run = panel.measure("data.npz", metric="accuracy", samples=64)
    panel.analysis              # what is measured so far
    panel.cancel()              # keeps it; panel.resume() goes on
    run.wait()                  # in a script, or before the next cell

The work runs in a thread of the kernel, or as a job of the project (`_analysis_panel`).
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ipywidgets

from studio_core.analysis_runs import DEFAULT_SAMPLES
from studio_core.errors import InvalidRequestError
from studio_core.evaluation.data import Samples, generate_samples, samples_from
from studio_core.evaluation.metrics import metric_named
from studio_core.sensitivity import AnalysisKind
from studio_core.sensitivity.sweep.pattern import Pattern
from studio_core.sensitivity.sweep.points import StopRule
from studio_core.workbench import RANDOM, SAMPLE
from studio_widgets._analysis_panel import AnalysisPanel, MeasureRun
from studio_widgets._data_choices import (
    DataChoice,
    data_choices,
    file_choice,
    fitting_metrics,
    job_data_of,
)
from studio_widgets._measuring import MeasureRequest

__all__ = ["MeasurePanel", "MeasureRun"]

_FILE = "file"
_GRANULARITIES = {
    "single weights": "element",
    "2 of every 4 weights": "2:4",
    "whole channels": "channel",
}
_PRECISION = {
    "all samples": "",  # not None, which a dropdown takes for no choice
    "± 2 %, or all samples": "2%",
    "± 5 %, or all samples": "5%",
    "± 10 %, or all samples": "10%",
}


class MeasurePanel(AnalysisPanel):
    """Runs the loss sensitivity of ``session``; ``project`` may bring data of its own."""

    kind = AnalysisKind.LOSS
    css_class = "studio-measure"
    start_tooltip = "Prune each layer at each level and run the model"

    def _controls(self) -> list[Any]:
        self._choices = {c.key: c for c in data_choices(self.session.model, self.project)}
        sources = [(choice.label, key) for key, choice in self._choices.items()]
        self.data = ipywidgets.Dropdown(
            description="Data", options=[*sources, ("file or folder …", _FILE)]
        )
        self.path = ipywidgets.Text(
            placeholder="path/to/data.npz",
            tooltip="A .npz or .npy file with samples, or a folder of them",
            continuous_update=False,
        )
        self.metric = ipywidgets.Dropdown(description="Metric")
        self.num_samples = ipywidgets.BoundedIntText(description="Samples", min=1, max=10_000_000)
        self.granularity = ipywidgets.Dropdown(
            description="Prune", options=list(_GRANULARITIES.items())
        )
        self.precision = ipywidgets.Dropdown(
            description="Stop at",
            options=list(_PRECISION.items()),
            tooltip="A point sees no more samples once its standard error is small enough",
        )
        self.hint = ipywidgets.HTML()
        self.data.observe(self._pick_data, "value")
        self.path.observe(self._pick_data, "value")
        for control in (self.metric, self.granularity):
            control.observe(self._draw_hint, "value")
        first = ipywidgets.HBox([self.data, self.path, self.metric, self.num_samples])
        second = ipywidgets.HBox([self.granularity, self.precision])
        for line in (first, second):
            line.add_class("studio-run-controls")
        self._pick_data({})
        return [first, second, self.hint]

    # In Python

    def measure(
        self,
        data: Any = None,
        *,
        metric: str | None = None,
        samples: int | None = None,
        levels: Sequence[float] | None = None,
        granularity: str | None = None,
        stop_error: float | str | None = None,
        workers: int | None = None,
        stop_after: int | None = None,
    ) -> MeasureRun:
        """Start measuring and answer the run: ``run.wait()`` waits for it, `cancel` stops it.

        ``data`` is anything `samples_from` reads, or None for random samples; ``metric`` is a
        name in `studio_core.evaluation.metrics.METRICS`, by default one that fits;
        ``granularity``, ``stop_error`` and ``workers`` as in `RunOptions`. ``stop_after`` ends
        the run after so many measurements. Raises `ConflictError` while another measurement
        runs, `InvalidRequestError` for an unknown metric; what is wrong with the data is
        raised by ``run.wait()``.
        """
        _check(metric, samples, granularity, stop_error)
        model = self.session.model

        def load() -> Samples:
            if data is None:
                return generate_samples(model, samples or DEFAULT_SAMPLES)
            found = samples_from(data, model)
            return found if samples is None else found.first(samples)

        def load_rest() -> Samples:
            return samples_from(data, model).after(samples or 0)

        options = {
            "metric": metric,
            "samples": samples,
            "levels": levels,
            "granularity": granularity,
            "stop_error": stop_error,
            "workers": workers,
        }
        given = {key: value for key, value in options.items() if value is not None}
        job_data = RANDOM if data is None else job_data_of(data, model)
        has_rest = samples is not None and is_lasting(data)
        request = MeasureRequest(
            load,
            *(_code(data, job_data), given, self.kind, job_data),
            stop_after=stop_after,
            load_rest=load_rest if has_rest else None,
        )
        return self._begin(request)

    def chosen(self) -> MeasureRequest:
        """What the controls ask for; `InvalidRequestError` where no file is named."""
        choice = self._choice()
        number = int(self.num_samples.value)
        options: dict[str, Any] = {"metric": str(self.metric.value), "samples": number}
        if self.granularity.value != "element":
            options["granularity"] = self.granularity.value
        if self.precision.value:
            options["stop_error"] = self.precision.value
        rest = choice.load_rest
        return MeasureRequest(
            lambda: choice.load(number),
            *(choice.code, options, self.kind, choice.job_data),
            load_rest=None if rest is None else lambda: rest(number),
        )

    # What a person does

    def _choice(self) -> DataChoice:
        if self.data.value == _FILE:
            return file_choice(self.session.model, self.path.value)
        return self._choices[self.data.value]

    def _pick_data(self, change: Any) -> None:
        is_file = self.data.value == _FILE
        self.path.layout.display = "" if is_file else "none"
        has_labels, number = False, None
        if not is_file or self.path.value.strip():
            choice = self._choice()
            has_labels, number = choice.has_labels, choice.num_samples
        fitting = fitting_metrics(self.session.model, has_labels=has_labels)
        names = [metric.name for metric in fitting]
        before = self.metric.value
        self.metric.options = [(metric.label, metric.name) for metric in fitting]
        self.metric.value = before if before in names else names[0]
        if number is not None and (not change or change["owner"] is self.data):
            self.num_samples.value = number
        self._draw_hint({})

    def _draw_hint(self, _change: Any) -> None:
        words = metric_named(self.metric.value).description if self.metric.value else ""
        if self.metric.value == "accuracy":
            words += (
                " It counts whole samples, so small losses look free: "
                "plan by cross-entropy, verify by accuracy."
            )
        if self.data.value == "random":
            words += " Random data ranks layers; it does not tell the true loss."
        if self.granularity.value == "channel":
            words += " Channels that other layers need stay; the plan then removes channels."
        self.hint.value = f'<div class="studio-hint">{html.escape(words)}</div>'


def _check(
    metric: str | None, samples: int | None, granularity: str | None, stop_error: Any
) -> None:
    if metric is not None:
        metric_named(metric)
    if samples is not None and samples < 1:
        raise InvalidRequestError(f"At least 1 sample is needed; samples={samples}.")
    if granularity is not None:
        Pattern.named(granularity)
    StopRule.of(stop_error)


def is_lasting(data: Any) -> bool:
    """Whether ``data`` can be read a second time, which an iterator cannot."""
    return data is not None and not isinstance(data, Iterator)


def _code(data: Any, job_data: str | None) -> str:
    if data is None:
        return "None"
    if job_data is not None and job_data.startswith(SAMPLE):
        return "wb.held_out_data"
    return repr(str(data)) if isinstance(data, str | Path) else "data"
