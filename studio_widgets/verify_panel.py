"""Verify: the whole plan applied and run, predicted and actual side by side.

panel.verify().wait()
panel.verified[-1].accuracy
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import ipywidgets
import traitlets

from studio_core.errors import ConflictError
from studio_core.plan_runs.verifying import PlanVerification
from studio_core.plans.latency import PredictedLatency
from studio_core.plans.verification import Verification
from studio_widgets._analysis_panel import run_button, status_html
from studio_widgets._background import BackgroundRun
from studio_widgets._base import ShortRepr, reject_unknown, settings_of
from studio_widgets._verified import verification_html
from studio_widgets.messages import MessageArea
from studio_widgets.panel_style import PanelStyle

LATENCY_RUNS = 30


@dataclass(frozen=True)
class VerifyNews:
    """How far a verification is; ``result`` is None before its end.

    ``is_unseen`` says that the plan was not made from these samples.
    """

    done: int
    total: int
    result: Verification | None
    is_unseen: bool


@dataclass(frozen=True)
class VerifiedPlan:
    """A verification and the person's note on it."""

    verification: Verification
    note: str


VerifyRun = BackgroundRun[VerifyNews, VerifyNews]
Prepare = Callable[[], tuple[PlanVerification, bool]]


class VerifyPanel(ShortRepr, ipywidgets.VBox):
    """Runs plans and keeps what they gave.

    ``ask`` gets the number of timed runs, and whether samples are wanted that the plan was not
    made from; it answers how to verify the present plan, which is called in the background, and
    the time that is predicted for it. ``on_verified`` hears of each result.
    """

    is_running = traitlets.Bool(False)
    """Whether a verification is under way. Type: bool. Default: False."""

    verified = traitlets.Tuple()
    """All that was verified here, oldest first, as `Verification`. Type: tuple. Default: ()."""

    def __init__(
        self,
        ask: Callable[[int, bool], tuple[Prepare, PredictedLatency]],
        on_verified: Callable[[Verification], None],
        **settings: Any,
    ) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self._ask, self._on_verified = ask, on_verified
        self._run: VerifyRun | None = None
        self._latency: PredictedLatency | None = None
        self._verified_on = ""
        self.start = run_button(
            "Verify plan", "check", "Prune a copy by the whole plan and run it on the same data"
        )
        self.start.add_class("studio-primary")
        self.timed = ipywidgets.Checkbox(description="time it too", indent=False)
        self.timed.layout.width = "auto"
        self.unseen = ipywidgets.Checkbox(
            description="on samples that were not measured on", value=True, indent=False
        )
        self.unseen.layout.width = "auto"
        self.stop = run_button("Cancel", "stop", "Stop the run")
        self.bar = ipywidgets.FloatProgress(min=0.0, max=1.0)
        self.status = ipywidgets.HTML()
        self.messages = MessageArea()
        self.result = ipywidgets.HTML()
        self.start.on_click(lambda _: self._start_by_hand())
        self.stop.on_click(lambda _: self.cancel())
        line = ipywidgets.HBox([self.start, self.unseen, self.timed])
        progress = ipywidgets.HBox([self.stop, self.bar, self.status])
        for part in (line, progress):
            part.add_class("studio-run-line")
        style = PanelStyle("panel", "runs")
        super().__init__([style, line, progress, self.messages, self.result], **settings)
        self.add_class("studio")
        self.add_class("studio-verify")
        self._say("not verified yet")
        self._draw_buttons()

    def verify(
        self, *, latency_runs: int | None = None, on_unseen: bool | None = None
    ) -> VerifyRun:
        """Verify the present plan in the background; ``run.wait()`` waits for it.

        ``latency_runs`` above 0 times dense and pruned too. ``on_unseen`` takes samples of the
        data that were not measured on, if there are any. None does as the boxes say.
        Raises `ConflictError` while another verification runs.
        """
        if self.is_running:
            raise ConflictError("A verification is running. Cancel it, or wait for its end.")
        runs = LATENCY_RUNS * self.timed.value if latency_runs is None else latency_runs
        is_unseen = self.unseen.value if on_unseen is None else on_unseen
        prepare, self._latency = self._ask(runs, is_unseen)
        self.messages.clear()
        self.bar.value = 0.0
        self._say("preparing …")
        self._run = BackgroundRun(lambda: _steps(prepare), lambda x: x, self._take, self._end)
        self.is_running = True
        self._draw_buttons()
        self._run.start()
        return self._run

    def cancel(self) -> None:
        """Stop after the present batch; nothing is kept of it."""
        if self._run is not None:
            self._run.cancel()

    def adopt(self, other: VerifyPanel) -> None:
        """Take over what ``other`` verified of the same model."""
        self.verified, self.result.value = other.verified, other.result.value

    def _start_by_hand(self) -> None:
        with self.messages.catching():
            self.verify()

    def _take(self, news: VerifyNews) -> None:
        self.bar.value = news.done / max(1, news.total)
        self._say(f"{news.done:,} of {news.total:,} samples")
        if news.result is not None:
            self._verified_on = "samples not measured on" if news.is_unseen else "measured samples"
            self.result.value = verification_html(news.result, self._latency)
            self.verified = (*self.verified, news.result)
            self._on_verified(news.result)

    def _end(self, run: VerifyRun) -> None:
        self.is_running = False
        if run.error is not None:
            self.messages.show(run.error)
            self._say("stopped by an error")
        elif self.bar.value < 1.0:
            self._say("cancelled")
        else:
            self._say(f"verified on {self._verified_on}")
        self._draw_buttons()

    def _draw_buttons(self) -> None:
        self.start.disabled = self.is_running
        self.stop.layout.display = "" if self.is_running else "none"
        self.bar.layout.display = "" if self.is_running else "none"

    def _say(self, words: str) -> None:
        self.status.value = status_html(words)


def _steps(prepare: Prepare) -> Iterator[VerifyNews]:
    run, is_unseen = prepare()
    total = run.samples.num_samples
    for done in run:
        yield VerifyNews(min(done, total - 1), total, None, is_unseen)
    yield VerifyNews(total, total, run.result, is_unseen)
