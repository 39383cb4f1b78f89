"""Verify: the whole plan applied in memory and run, predicted and actual side by side.

panel.verify().wait()
panel.verified[-1].verification.accuracy
panel.verified[-1].note     # what a person wrote beside it
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import ipywidgets
import traitlets

from studio_core.errors import ConflictError
from studio_core.plans.plan import PruningPlan
from studio_core.plans.verification import Verification, VerificationRun
from studio_widgets._assets import css
from studio_widgets._background import BackgroundRun
from studio_widgets._base import ShortRepr, reject_unknown, settings_of
from studio_widgets._verified import summary, verification_html
from studio_widgets.messages import MessageArea

_ROWS_SHOWN = 12


@dataclass(frozen=True)
class VerifyNews:
    """How far a verification is; ``result`` is None before its end."""

    done: int
    total: int
    result: Verification | None


@dataclass(frozen=True)
class VerifiedPlan:
    """A verification and the person's note on it."""

    verification: Verification
    note: str


VerifyRun = BackgroundRun[VerifyNews, VerifyNews]
Prepare = Callable[[], VerificationRun]


class VerifyPanel(ShortRepr, ipywidgets.VBox):
    """Runs plans and keeps what they gave, with a note each.

    ``ask`` answers how to verify the present plan; what it answers is called in the
    background. ``on_plan`` hears of a plan that a person wants back.
    """

    is_running = traitlets.Bool(False)
    """Whether a verification is under way. Type: bool. Default: False."""

    verified = traitlets.Tuple()
    """All that was verified, oldest first, as `VerifiedPlan`. Type: tuple. Default: ()."""

    def __init__(
        self,
        ask: Callable[[], Prepare],
        on_plan: Callable[[PruningPlan], None],
        **settings: Any,
    ) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self._ask, self._on_plan = ask, on_plan
        self._run: VerifyRun | None = None
        self.start = ipywidgets.Button(
            description="Verify plan",
            icon="check",
            tooltip="Prune a copy in memory by the whole plan and run it on the same data",
        )
        self.start.layout.width = "auto"
        self.start.add_class("studio-primary")
        self.stop = ipywidgets.Button(description="Cancel", icon="stop", tooltip="Stop the run")
        self.stop.layout.width = "auto"
        self.bar = ipywidgets.FloatProgress(min=0.0, max=1.0)
        self.status = ipywidgets.HTML()
        self.messages = MessageArea()
        self.result = ipywidgets.HTML()
        self.history = ipywidgets.VBox()
        self.history.add_class("studio-history")
        self.start.on_click(lambda _: self._start_by_hand())
        self.stop.on_click(lambda _: self.cancel())
        line = ipywidgets.HBox([self.start, self.stop, self.bar, self.status])
        line.add_class("studio-run-line")
        style = ipywidgets.HTML(f"<style>{css('panel')}{css('runs')}</style>")
        style.layout.display = "none"
        super().__init__([style, line, self.messages, self.result, self.history], **settings)
        self.add_class("studio")
        self.add_class("studio-verify")
        self._say("not verified yet: the plan is pruned in memory and run on the measuring data")
        self._draw_buttons()

    def verify(self) -> VerifyRun:
        """Verify the present plan in the background; ``run.wait()`` waits for it.

        Raises `ConflictError` while another verification runs.
        """
        if self.is_running:
            raise ConflictError("A verification is running. Cancel it, or wait for its end.")
        prepare = self._ask()
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
        """Take over what ``other`` verified of the same model, notes included."""
        for plan in other.verified:
            self._keep(plan.verification, plan.note)

    def _start_by_hand(self) -> None:
        with self.messages.catching():
            self.verify()

    def _take(self, news: VerifyNews) -> None:
        self.bar.value = news.done / max(1, news.total)
        self._say(f"{news.done:,} of {news.total:,} samples")
        if news.result is not None:
            self._keep(news.result)

    def _end(self, run: VerifyRun) -> None:
        self.is_running = False
        if run.error is not None:
            self.messages.show(run.error)
            self._say("stopped by an error")
        elif self.bar.value < 1.0:
            self._say("cancelled")
        else:
            self._say("verified")
        self._draw_buttons()

    def _keep(self, found: Verification, note: str = "") -> None:
        self.verified = (*self.verified, VerifiedPlan(found, note))
        self.result.value = verification_html(found)
        index = len(self.verified) - 1
        row = _HistoryRow(
            index + 1, found, lambda note: self._annotate(index, note), lambda: self._show(index)
        )
        row.note.value = note
        self.history.children = (row, *self.history.children[: _ROWS_SHOWN - 1])

    def _annotate(self, index: int, note: str) -> None:
        kept = list(self.verified)
        kept[index] = VerifiedPlan(kept[index].verification, note)
        self.verified = tuple(kept)

    def _show(self, index: int) -> None:
        found = self.verified[index].verification
        self.result.value = verification_html(found)
        self._on_plan(found.plan)

    def _draw_buttons(self) -> None:
        self.start.disabled = self.is_running
        self.stop.layout.display = "" if self.is_running else "none"
        self.bar.layout.display = "" if self.is_running else "none"

    def _say(self, words: str) -> None:
        self.status.value = (
            f'<div class="studio-run-status" role="status">{html.escape(words)}</div>'
        )


class _HistoryRow(ipywidgets.HBox):
    """One verified plan: its numbers, a note, and a button that brings it back."""

    def __init__(
        self,
        number: int,
        found: Verification,
        on_note: Callable[[str], None],
        on_show: Callable[[], None],
    ) -> None:
        text = ipywidgets.HTML(
            f'<div class="studio-history-text"><strong>{number}</strong> '
            f"{html.escape(summary(found))}</div>"
        )
        self.note = ipywidgets.Text(
            placeholder="note", tooltip=f"Your note on plan {number}", continuous_update=False
        )
        self.note.observe(lambda change: on_note(change["new"]), "value")
        self.back = ipywidgets.Button(description="Use", tooltip=f"Return to plan {number}")
        self.back.layout.width = "auto"
        self.back.on_click(lambda _: on_show())
        super().__init__([text, self.note, self.back])
        self.add_class("studio-history-row")


def _steps(prepare: Prepare) -> Iterator[VerifyNews]:
    run = prepare()
    total = run.samples.num_samples
    done = 0
    for done in run:
        yield VerifyNews(min(done, total - 1), total, None)
    yield VerifyNews(total, total, run.result())
