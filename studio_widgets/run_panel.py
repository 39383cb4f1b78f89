"""Run the model: policy, progress, log, and what took the time.

    panel = RunPanel(start=lambda policy: exploration.run(policy), policies=("Optimizer Enabled",))
    panel.run().wait()
    panel.result

The work runs in a thread of the kernel (`_background`); no server is needed.
"""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import ipywidgets
import traitlets

from studio_core.errors import ConflictError
from studio_widgets._background import BackgroundRun
from studio_widgets._base import ShortRepr, reject_unknown, settings_of
from studio_widgets._format import shortened
from studio_widgets.messages import MessageArea
from studio_widgets.panel_style import PanelStyle

_MOST_LINES = 400
_MOST_OPS = 15
_NAME_LETTERS = 40


class Step(Protocol):
    """Progress of a run, such as `studio_core.execution.records.RunStep`."""

    @property
    def message(self) -> str: ...

    @property
    def fraction(self) -> float: ...

    @property
    def result(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class SlowOp:
    """A row of the table of the slowest operations; ``share`` of the whole run, 0 to 1."""

    node_id: str
    label: str
    text: str
    share: float | None


@dataclass(frozen=True, slots=True)
class RunNews:
    """How far a run is: what is being done, how much is done, what was said, what came out."""

    message: str
    fraction: float
    lines: tuple[str, ...]
    result: Any


ModelRun = BackgroundRun[Step, RunNews]


class RunPanel(ShortRepr, ipywidgets.VBox):
    """Runs what ``start`` yields for the chosen policy, and draws how it goes.

    ``on_select`` hears of the node that a person clicks in the table of the slowest;
    ``on_cancel`` may end a step that is under way.
    """

    is_running = traitlets.Bool(False)
    """Whether a run is under way. Type: bool. Default: False."""

    result = traitlets.Any()
    """What the last run gave, None before one has ended. Type: Any. Default: None."""

    policy = traitlets.Unicode()
    """The optimization policy. Type: str. Default: the first of them."""

    def __init__(
        self,
        start: Callable[[str], Iterator[Step]],
        policies: Sequence[str],
        on_select: Callable[[str], None] | None = None,
        on_cancel: Callable[[], None] | None = None,
        **settings: Any,
    ) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self._start_run, self._on_select, self._on_cancel = start, on_select, on_cancel
        self._run: ModelRun | None = None
        self._began = 0.0
        self._lines: list[str] = []
        self._make_parts(policies)
        style = PanelStyle("panel", "runs", "explorer")
        line = ipywidgets.HBox([self.policies, self.start, self.stop, self.bar])
        line.add_class("studio-run-line")
        parts = [style, line, self.status, self.messages, self.notes, self.slowest, self.log_view]
        super().__init__(parts, **settings)
        for name in ("studio", "studio-run"):
            self.add_class(name)
        traitlets.link((self, "policy"), (self.policies, "value"))
        self._draw_buttons()

    def _make_parts(self, policies: Sequence[str]) -> None:
        self.policies = ipywidgets.Dropdown(options=list(policies), value=policies[0])
        self.policies.tooltip = "Optimization policy"
        self.policies.layout.width = "auto"
        self.policy = policies[0]
        self.start = _button("Run", "play", "Run the model with these overrides")
        self.start.add_class("studio-primary")
        self.stop = _button("Cancel", "stop", "Stop the run; an earlier result stays")
        self.bar = ipywidgets.FloatProgress(min=0.0, max=1.0)
        self.status = ipywidgets.HTML()
        self.messages = MessageArea()
        self.notes = ipywidgets.HTML()
        self.slowest = ipywidgets.VBox()
        self.log_view = ipywidgets.HTML()
        self.start.on_click(lambda _: self._start_by_hand())
        self.stop.on_click(lambda _: self.cancel())

    def run(self, policy: str | None = None) -> ModelRun:
        """Start a run in the background; ``run.wait()`` waits for its end.

        Raises `ConflictError` while another one is under way.
        """
        if self.is_running:
            raise ConflictError("A run is under way. Cancel it, or wait for its end.")
        if policy is not None:
            self.policy = policy
        chosen = self.policy
        self.messages.clear()
        self.bar.value, self.bar.bar_style = 0.0, ""
        self._lines, self._began = [], time.monotonic()
        self._say("starting …")
        self._run = BackgroundRun(lambda: self._noted(chosen), self._news, self._take, self._end)
        self.is_running = True
        self._draw_buttons()
        self._run.start()
        return self._run

    def cancel(self) -> None:
        """Stop after the present step; what an earlier run gave stays."""
        if self._run is not None and self.is_running:
            self._run.cancel()
            if self._on_cancel is not None:
                self._on_cancel()
            self._say("stopping …")
            self.stop.disabled = True

    def show_slowest(self, ops: Sequence[SlowOp], notes: Sequence[str] = ()) -> None:
        """Show the operations that took longest, and what must be known of the numbers."""
        rows = [self._row(op) for op in ops[:_MOST_OPS]]
        title = ipywidgets.HTML('<div class="studio-section-title">Slowest operations</div>')
        self.slowest.children = [title, *rows] if rows else []
        lines = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
        self.notes.value = f'<ul class="studio-run-notes">{lines}</ul>' if lines else ""

    def _start_by_hand(self) -> None:
        with self.messages.catching():
            self.run()

    def _noted(self, policy: str) -> Iterator[Step]:
        """The steps of the run; every message goes to the log, though not each is drawn."""
        before = ""
        for step in self._start_run(policy):
            if step.message != before:
                line = f"{time.monotonic() - self._began:7.1f} s  {step.message}"
                self._lines = [*self._lines[1 - _MOST_LINES :], line]
            before = step.message
            yield step

    def _news(self, step: Step) -> RunNews:
        return RunNews(step.message, step.fraction, tuple(self._lines), step.result)

    def _take(self, news: RunNews) -> None:
        self.bar.value = min(1.0, max(0.0, news.fraction))
        if self._run is None or not self._run.is_cancelled:
            self._say(news.message)
        self._draw_log(news.lines)
        if news.result is not None:
            self.result = news.result

    def _end(self, run: ModelRun) -> None:
        self.is_running = False
        if run.is_cancelled and self.bar.value < 1.0:
            self._say("cancelled")
        elif run.error is not None:
            self.messages.show(run.error)
            self.bar.bar_style = "danger"
            self._say("stopped by an error")
        else:
            self.bar.bar_style = "success"
            self._say("done")
        self._draw_buttons()

    def _row(self, op: SlowOp) -> Any:
        name = ipywidgets.Button(
            description=shortened(op.label, _NAME_LETTERS),
            tooltip=f"Show {op.node_id} in the graph",
        )
        name.add_class("studio-link")
        name.on_click(lambda _: self._select(op.node_id))
        share = 0.0 if op.share is None else min(1.0, max(0.0, op.share))
        words = ipywidgets.HTML(
            '<div class="studio-slow"><span class="studio-slow-track">'
            f'<i style="width:{100 * share:.1f}%"></i></span>'
            f'<span class="studio-slow-value">{html.escape(op.text)}</span></div>'
        )
        row = ipywidgets.HBox([name, words])
        row.add_class("studio-slow-row")
        return row

    def _select(self, node_id: str) -> None:
        if self._on_select is not None:
            self._on_select(node_id)

    def _draw_buttons(self) -> None:
        self.start.disabled = self.policies.disabled = self.is_running
        self.stop.disabled = not self.is_running
        self.stop.layout.display = "" if self.is_running else "none"
        self.bar.layout.display = "" if self._run is not None else "none"

    def _draw_log(self, lines: Sequence[str]) -> None:
        text = html.escape("\n".join(lines))
        self.log_view.value = (
            f'<details class="studio-log"><summary>Log, {len(lines)} lines</summary>'
            f"<pre>{text}</pre></details>"
            if lines
            else ""
        )

    def _say(self, words: str) -> None:
        elapsed = f"{time.monotonic() - self._began:.1f} s" if self._began else ""
        self.status.value = (
            f'<div class="studio-run-status" role="status">{html.escape(words)} '
            f'<span class="studio-run-detail">{elapsed}</span></div>'
        )


def _button(text: str, icon: str, tooltip: str) -> Any:
    button = ipywidgets.Button(description=text, icon=icon, tooltip=tooltip)
    button.layout.width = "auto"
    return button
