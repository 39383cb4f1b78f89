"""Performance: the time of a run by layer, and what pruning a layer brings on the runtime as it is.

    panel = PerformancePanel(session)
    panel.measure().wait()
    panel.analysis.curves[0].timings_ms

Runs in a thread of the kernel, or as a job of the project (`_analysis_panel`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.data import samples_from
from studio_core.projects import Project
from studio_core.sensitivity import AnalysisKind
from studio_core.session import Session
from studio_core.workbench import Workbench
from studio_widgets._analysis_panel import AnalysisPanel, MeasureRun
from studio_widgets._data_choices import job_data_of
from studio_widgets._measuring import MeasureRequest
from studio_widgets.performance_view import PerformanceView


class PerformancePanel(AnalysisPanel):
    """Runs the performance sensitivity of ``session`` on onnxruntime, on generated data."""

    kind = AnalysisKind.PERF
    css_class = "studio-performance"
    start_tooltip = "Time each layer in the run, and pruned: zeros, and channels really removed"

    selected_layer = traitlets.Unicode()
    """Id of the layer whose times are shown, "" for none. Type: str. Default: ""."""

    def __init__(
        self,
        session: Session,
        project: Project | None = None,
        workbench: Workbench | None = None,
        **settings: Any,
    ) -> None:
        self.view = PerformanceView(layers=session.layers)
        super().__init__(session, project, workbench, **settings)
        traitlets.link((self, "selected_layer"), (self.view, "selected_layer"))
        self.observe(lambda change: self.view.set_trait("analysis", change["new"]), "analysis")

    def _controls(self) -> list[Any]:
        self.iterations = ipywidgets.BoundedIntText(
            description="Runs", value=30, min=8, max=10_000, tooltip="Runs of each measurement"
        )
        self.threads = ipywidgets.BoundedIntText(
            description="Threads", value=1, min=1, max=256, tooltip="Threads of the runtime"
        )
        line = ipywidgets.HBox([self.iterations, self.threads])
        line.add_class("studio-run-controls")
        hint = ipywidgets.HTML(
            '<div class="studio-hint">Times are those of this machine; leave it alone while '
            "it measures.</div>"
        )
        return [line, hint]

    def _results(self) -> list[Any]:
        return [self.view]

    def measure(
        self,
        data: Any = None,
        *,
        levels: Sequence[float] | None = None,
        iterations: int | None = None,
        warmup: int | None = None,
        batch_size: int | None = None,
        num_threads: int | None = None,
        granularity: str | None = None,
        stop_after: int | None = None,
    ) -> MeasureRun:
        """Start measuring and answer the run; arguments as in `Session.measure_perf`.

        ``stop_after`` ends the run after so many steps. Raises `ConflictError` while another
        measurement runs.
        """
        options = {
            "levels": levels,
            "iterations": iterations,
            "warmup": warmup,
            "batch_size": batch_size,
            "num_threads": num_threads,
            "granularity": granularity,
        }
        for name in ("iterations", "num_threads", "batch_size"):
            value = options[name]
            if isinstance(value, int) and value < 1:
                raise InvalidRequestError(f"'{name}' must be at least 1; it is {value}.")
        model = self.session.model
        is_path = isinstance(data, str | Path)
        code = "None" if data is None else repr(str(data)) if is_path else "data"
        return self._begin(
            MeasureRequest(
                None if data is None else lambda: samples_from(data, model),
                code,
                {key: value for key, value in options.items() if value is not None},
                self.kind,
                None if data is None else job_data_of(data, model),
                stop_after=stop_after,
            )
        )

    def chosen(self) -> MeasureRequest:
        """What the controls ask for."""
        options = {"iterations": self.iterations.value, "num_threads": self.threads.value}
        return MeasureRequest(None, "None", options, self.kind)

    def said_data(self) -> str:
        """Performance has no samples to name: one batch is as good as another."""
        return ""

    def _whole_words(self, total: int) -> str:
        return f"all {total:,} steps measured"
