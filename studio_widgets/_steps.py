"""The steps of the work, which one comes next, and which curves they use."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets

from studio_core.plans.verification import Verification
from studio_widgets._verified import loses_more_together
from studio_widgets.sections import Section

ESTIMATED, MEASURED = "estimated", "measured"
MEASURE, PERFORMANCE, GOAL = "measure", "performance", "goal"
VERIFY, PLANS, EXPORT = "verify", "plans", "export"
"""Keys of the sections."""


_WORK = (
    (MEASURE, "Measure", "Prune each layer alone and run the model.", "line-chart"),
    (PERFORMANCE, "Performance", "Where the time goes, and what pruning brings.", "clock-o"),
    (GOAL, "Goal", "The best plan under a limit.", "bullseye"),
    (VERIFY, "Verify", "Prune a copy by the whole plan and run it.", "check"),
    (PLANS, "Plans", "What was kept, with notes.", "bookmark-o"),
    (EXPORT, "Export", "The pruned model, the plan for other tools, a report.", "download"),
)


def work_sections(*panels: Any) -> list[Section]:
    """The steps in their order, with the panel of each."""
    return [
        Section(key, title, hint, panel, icon)
        for (key, title, hint, icon), panel in zip(_WORK, panels, strict=True)
    ]


def next_step(
    *, is_measuring: bool, is_measured: bool, verified: Verification | None
) -> tuple[str, str]:
    """The section that comes next, and a sentence that says why.

    ``verified`` is what the present plan gave when it was run, None if it was not.
    """
    if is_measuring:
        return "", "Measuring; the curves below grow."
    if verified is not None and verified.is_comparable and loses_more_together(verified):
        return GOAL, "It loses more than predicted. Solve again: the prediction has learnt from it."
    if verified is not None:
        return EXPORT, "Next: export the pruned model."
    if is_measured:
        return VERIFY, "Next: set the plan by sliders or a goal, then verify it."
    return MEASURE, "Next: measure, to plan by runs and not by the weights alone."


class CurveSource(ipywidgets.HBox):
    """Which curves are used, and what can be said about them."""

    def __init__(self) -> None:
        self.toggle = ipywidgets.ToggleButtons(
            options=[ESTIMATED, MEASURED], description="Curves", disabled=True
        )
        self.toggle.style.button_width = "auto"
        self.words = ipywidgets.HTML()
        super().__init__([self.toggle, self.words])
        self.add_class("studio-curve-source")

    def say(self, words: str) -> None:
        self.words.value = f'<div class="studio-hint">{html.escape(words)}</div>'
