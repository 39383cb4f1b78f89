"""Measure: layers pruned one by one, the model run, the curves growing as it goes on.

    panel = MeasurePanel(session)
    run = panel.measure("data.npz", metric="accuracy", samples=64)
    panel.analysis              # what is measured so far
    panel.cancel()              # keeps it; panel.resume() goes on
    run.wait()                  # in a script, or before the next cell

The work runs in a thread of the kernel (`_background`); no server is needed.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets

from studio_core.analysis_runs import DEFAULT_SAMPLES, RunProgress
from studio_core.errors import ConflictError, InvalidRequestError
from studio_core.evaluation.data import Samples, generate_samples, samples_from
from studio_core.evaluation.metrics import metric_named
from studio_core.projects import Project
from studio_core.sensitivity import Analysis
from studio_core.session import Session
from studio_widgets._assets import css
from studio_widgets._background import BackgroundRun
from studio_widgets._base import ShortRepr, reject_unknown, settings_of
from studio_widgets._data_choices import (
    DataChoice,
    data_choices,
    file_choice,
    fitting_metrics,
)
from studio_widgets._measuring import MeasureNews, MeasureRequest, news_of
from studio_widgets._pace import Pace
from studio_widgets.messages import MessageArea

MeasureRun = BackgroundRun[RunProgress, MeasureNews]
_FILE = "file"


class MeasurePanel(ShortRepr, ipywidgets.VBox):
    """Runs the loss sensitivity of ``session``; ``project`` may bring data of its own."""

    analysis = traitlets.Instance(Analysis, allow_none=True)
    """What is measured so far. Type: Analysis or None. Default: None."""

    is_running = traitlets.Bool(False)
    """Whether a measurement is under way. Type: bool. Default: False."""

    def __init__(self, session: Session, project: Project | None = None, **settings: Any) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self.session = session
        self.request: MeasureRequest | None = None
        self.measured_by: MeasureRequest | None = None
        self._choices = {c.key: c for c in data_choices(session.model, project)}
        self._run: MeasureRun | None = None
        self._pace = Pace()
        self._make_parts()
        controls = ipywidgets.HBox([self.data, self.path, self.metric, self.num_samples])
        controls.add_class("studio-run-controls")
        buttons = ipywidgets.HBox([self.start, self.stop, self.go_on, self.bar, self.status])
        buttons.add_class("studio-run-line")
        super().__init__([_style(), controls, self.hint, buttons, self.messages], **settings)
        self.add_class("studio")
        self.add_class("studio-measure")
        self._pick_data({})
        self._draw_buttons()

    def _make_parts(self) -> None:
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
        self.hint = ipywidgets.HTML()
        self.start = _button("Measure", "play", "Prune each layer at each level and run the model")
        self.stop = _button("Cancel", "stop", "Stop; what was measured stays")
        self.go_on = _button("Resume", "forward", "Measure what is still missing")
        self.start.add_class("studio-primary")
        self.bar = ipywidgets.FloatProgress(min=0.0, max=1.0)
        self.status = ipywidgets.HTML()
        self.messages = MessageArea()
        self.data.observe(self._pick_data, "value")
        self.path.observe(self._pick_data, "value")
        self.metric.observe(self._draw_hint, "value")
        self.start.on_click(lambda _: self._start_by_hand())
        self.stop.on_click(lambda _: self.cancel())
        self.go_on.on_click(lambda _: self._resume_by_hand())

    # In Python

    def measure(
        self,
        data: Any = None,
        *,
        metric: str | None = None,
        samples: int | None = None,
        levels: Sequence[float] | None = None,
    ) -> MeasureRun:
        """Start measuring and answer the run: ``run.wait()`` waits for it, `cancel` stops it.

        ``data`` is anything `samples_from` reads, or None for random samples; ``metric`` is a
        name in `studio_core.evaluation.metrics.METRICS`, by default one that fits.
        Raises `ConflictError` while another measurement runs, `InvalidRequestError` for an
        unknown metric; what is wrong with the data is raised by ``run.wait()``.
        """
        if metric is not None:
            metric_named(metric)
        if samples is not None and samples < 1:
            raise InvalidRequestError(f"At least 1 sample is needed; samples={samples}.")
        model = self.session.model

        def load() -> Samples:
            if data is None:
                return generate_samples(model, samples or DEFAULT_SAMPLES)
            found = samples_from(data, model)
            return found if samples is None else found.first(samples)

        code = repr(str(data)) if isinstance(data, str | Path) else "data"
        code = "None" if data is None else code
        return self._begin(MeasureRequest(load, code, metric, samples, levels), None)

    def cancel(self) -> None:
        """Stop after the measurement that is under way; what was measured stays."""
        if self._run is not None and self.is_running:
            self._run.cancel()
            self._say("stopping after the present measurement …")
            self.stop.disabled = True

    def resume(self) -> MeasureRun:
        """Go on with what was cancelled; raises `InvalidRequestError` where nothing was."""
        if self.request is None:
            raise InvalidRequestError("Nothing was measured yet, so nothing can be resumed.")
        return self._begin(self.request, self.analysis)

    def chosen(self) -> MeasureRequest:
        """What the controls ask for; `InvalidRequestError` where no file is named."""
        choice = self._choice()
        number, metric = int(self.num_samples.value), str(self.metric.value)
        return MeasureRequest(lambda: choice.load(number), choice.code, metric, number)

    def adopt(self, other: MeasurePanel) -> None:
        """Take over what ``other`` measured of the same model."""
        self.request, self.measured_by = other.request, other.measured_by
        self._pace, self.bar.value = other._pace, other.bar.value
        self.analysis, self.status.value = other.analysis, other.status.value
        self._draw_buttons()

    @property
    def is_complete(self) -> bool:
        """Whether the last run measured all it was asked for."""
        return self._pace.total > 0 and self._pace.done >= self._pace.total

    # What a person does

    def _start_by_hand(self) -> None:
        with self.messages.catching():
            self._begin(self.chosen(), None)

    def _resume_by_hand(self) -> None:
        with self.messages.catching():
            self.resume()

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

    # The run

    def _begin(self, request: MeasureRequest, earlier: Analysis | None) -> MeasureRun:
        if self.is_running:
            raise ConflictError("A measurement is running. Cancel it, or wait for its end.")
        self.messages.clear()
        self.request, self._pace = request, Pace()
        self.bar.value, self.bar.bar_style = 0.0, ""
        self._say("preparing the model …")
        session = self.session
        self._run = BackgroundRun(
            lambda: request.steps(session, earlier), news_of, self._take, self._end
        )
        self.is_running = True
        self._draw_buttons()
        self._run.start()
        return self._run

    def _take(self, news: MeasureNews) -> None:
        self._pace.move(news.done, news.total)
        self.bar.value = news.done / max(1, news.total)
        if news.analysis is not None:
            self.measured_by = self.request
            self.analysis = news.analysis
        is_stopping = self._run is not None and self._run.is_cancelled
        if not is_stopping:
            self._say(self._pace.words(), news.message)

    def _end(self, run: MeasureRun) -> None:
        pace = self._pace
        self.is_running = False
        if run.error is not None:
            self.messages.show(run.error)
            self.bar.bar_style = "danger"
            self._say(f"stopped at {pace.done:,} of {pace.total:,}" if pace.total else "")
        elif self.is_complete:
            self.bar.bar_style = "success"
            self._say(f"all {pace.total:,} measured {self.said_data()}")
        else:
            self._say(f"cancelled; {pace.done:,} of {pace.total:,} measured are kept")
        self._draw_buttons()

    def said_data(self) -> str:
        """'on 64 samples', 'on 5 samples of random data'; empty before anything was read."""
        if self.analysis is None:
            return ""
        number = int(self.analysis.provenance.get("numSamples", 0))
        of = " of random data" if self.analysis.provenance.get("generatedData") else ""
        return f"on {number:,} sample{'s' * (number != 1)}{of}"

    # What is drawn

    def _draw_buttons(self) -> None:
        can_resume = not self.is_running and 0 < self._pace.done < self._pace.total
        self.start.disabled = self.is_running
        self.stop.disabled = not self.is_running
        self.stop.layout.display = "" if self.is_running else "none"
        self.go_on.layout.display = "" if can_resume else "none"
        self.bar.layout.display = "" if self.request is not None else "none"

    def _draw_hint(self, _change: Any) -> None:
        words = metric_named(self.metric.value).description if self.metric.value else ""
        if self.metric.value == "accuracy":
            words += (
                " It counts whole samples, so small losses look free: "
                "plan by cross-entropy, verify by accuracy."
            )
        if self.data.value == "random":
            words += " Random data ranks layers; it does not tell the true loss."
        self.hint.value = f'<div class="studio-hint">{html.escape(words)}</div>'

    def _say(self, words: str, detail: str = "") -> None:
        more = f' <span class="studio-run-detail">{html.escape(detail)}</span>' if detail else ""
        self.status.value = (
            f'<div class="studio-run-status" role="status">{html.escape(words)}{more}</div>'
        )


def _style() -> ipywidgets.HTML:
    style = ipywidgets.HTML(f"<style>{css('panel')}{css('runs')}</style>")
    style.layout.display = "none"
    return style


def _button(text: str, icon: str, tooltip: str) -> ipywidgets.Button:
    button = ipywidgets.Button(description=text, icon=icon, tooltip=tooltip)
    button.layout.width = "auto"
    return button
