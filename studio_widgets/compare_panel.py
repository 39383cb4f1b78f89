"""Compare: two plans, two analyses, or the model with another one.

    panel.compare_plans("half@1", "present")
    panel.compare_analyses("estimated loss", "measured loss (measured)")
    panel.compare_models("pruned.onnx").layers
    panel.found                                 # core's record of what is shown

Plans are compared by one and the same rule: what each would bring by the curves in use now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets
import traitlets

from studio_core.comparison import (
    AnalysisComparison,
    ModelComparison,
    PlanComparison,
    compare_analyses,
    compare_models,
    compare_plans,
)
from studio_core.errors import ConflictError
from studio_core.plan_runs.saved_plan import SavedPlan
from studio_core.plan_runs.solving import PlanRoom
from studio_core.plans import PruningPlan
from studio_core.session import Session
from studio_widgets._analysis_panel import run_button, status_html
from studio_widgets._background import BackgroundRun
from studio_widgets._base import ShortRepr, reject_unknown, settings_of
from studio_widgets._compare_choices import (
    ANALYSES,
    MODELS,
    OTHER_FILE,
    PLANS,
    PRESENT,
    Analyses,
    Choices,
    Models,
    analysis_choices,
)
from studio_widgets._comparison_rows import Comparison
from studio_widgets._comparison_totals import Total, plan_totals
from studio_widgets.comparison_view import ComparisonView
from studio_widgets.messages import MessageArea
from studio_widgets.panel_style import PanelStyle

_ROWS_AT_ONCE = 500
"""A comparison with more rows does not follow a slider while it is moved."""


@dataclass(frozen=True)
class ComparedModels:
    """News of a comparison of models; ``found`` is None before its end."""

    title: str
    found: ModelComparison | None


ModelsRun = BackgroundRun[ComparedModels, ComparedModels]


class ComparePanel(ShortRepr, ipywidgets.VBox):
    """Two plans, two analyses, or ``session``'s model and another one, side by side.

    ``plans`` answers the plans that are kept, ``room`` what plans are judged by, ``analyses`` and
    ``models`` what can be chosen, by title; all are asked anew by `refresh`.
    """

    what = traitlets.Enum((PLANS, ANALYSES, MODELS), default_value=PLANS)
    """What is compared. Type: str. Default: "plans"."""

    plan = traitlets.Instance(PruningPlan, allow_none=True)
    """The present plan, offered beside those that are kept. Type: PruningPlan or None.
    Default: None."""

    selected_layer = traitlets.Unicode()
    """Id of the selected layer, "" for none. Type: str. Default: ""."""

    is_running = traitlets.Bool(False)
    """Whether another model is being read. Type: bool. Default: False."""

    def __init__(
        self,
        session: Session,
        *,
        plans: Callable[[], Sequence[SavedPlan]] = tuple,
        room: Callable[[], PlanRoom] | None = None,
        analyses: Callable[[], Analyses] | None = None,
        models: Callable[[], Models] = dict,
        **settings: Any,
    ) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self.session, self._room = session, room
        self.sources = Choices(plans, analyses or (lambda: analysis_choices(session, {})), models)
        self.found: Comparison | None = None
        self.view: ComparisonView | None = None
        self._run: ModelsRun | None = None
        self._is_drawing = False
        self._sides: tuple[Any, Any] = ("", "")
        self._make_controls()
        parts = [PanelStyle("panel", "comparison"), self.line, self.messages, self._place]
        super().__init__(parts, **settings)
        for name in ("studio", "studio-compare"):
            self.add_class(name)
        self.observe(lambda _: self.refresh(), "what")
        self.refresh()

    def _make_controls(self) -> None:
        self.choice = ipywidgets.ToggleButtons(
            options=[("Plans", PLANS), ("Analyses", ANALYSES), ("Models", MODELS)],
            tooltips=["Two pruning plans", "Two sensitivity analyses", "This model and another"],
        )
        self.choice.style.button_width = "auto"
        self.choice.add_class("studio-compare-what")
        traitlets.link((self, "what"), (self.choice, "value"))
        self.left = ipywidgets.Dropdown(description="A")
        self.right = ipywidgets.Dropdown(description="B")
        for side in (self.left, self.right):
            side.observe(self._chosen, "value")
        self.path = ipywidgets.Text(
            placeholder="path/to/other.onnx", tooltip="Path of another model"
        )
        self.start = run_button("Compare", "columns", "Compare the two sides")
        self.start.add_class("studio-primary")
        self.start.on_click(lambda _: self._compare_by_hand())
        self.again = run_button("", "refresh", "Look for new plans, analyses and models")
        self.again.on_click(lambda _: self.refresh())
        self.status = ipywidgets.HTML()
        self.messages = MessageArea()
        self._place = ipywidgets.VBox()
        self.line = ipywidgets.HBox(
            [self.choice, self.left, self.right, self.path, self.start, self.again, self.status]
        )
        self.line.add_class("studio-compare-line")

    # In Python

    def compare_plans(self, left: Any, right: Any) -> PlanComparison:
        """Compare two plans and show them: `PruningPlan`, `SavedPlan`, "present", or the name of
        a kept plan, such as "half" (its newest version) or "half@1".
        """
        a, b = (self.sources.plan(wanted, self.plan) for wanted in (left, right))
        found = compare_plans(a[1], b[1])
        totals = plan_totals(found, self._room()) if self._room is not None else ()
        self._show(PLANS, found, a[0], b[0], totals)
        self._reflect(left, right)
        return found

    def compare_analyses(self, left: Any, right: Any) -> AnalysisComparison:
        """Compare two analyses and show them: `Analysis`, or a title of the list.

        Raises `InvalidRequestError` for a loss and a performance analysis.
        """
        a, b = self.sources.analysis(left), self.sources.analysis(right)
        found = compare_analyses(a[1], b[1])
        self._show(ANALYSES, found, a[0], b[0])
        self._reflect(left, right)
        return found

    def compare_models(self, other: Any) -> ModelComparison:
        """Compare the present model (A) with another one (B) and show them: a `Session`, the path
        of an ONNX file, or a title of the list. Reads the weights of both.
        """
        title, session = self.sources.model(other)
        found = compare_models(self.session, session())
        self._show(MODELS, found, self.session.model.path.name, title)
        return found

    def refresh(self) -> None:
        """Look for new plans, analyses and models; what was chosen stays if it is there."""
        with self.messages.catching():
            options = self.sources.options(self.what, self.plan)
            self._is_drawing = True
            try:
                self._offer(options)
            finally:
                self._is_drawing = False
            if self.what != MODELS and not self.status.value:
                self._compare_chosen()

    # Choices

    def _offer(self, options: list[tuple[str, str]]) -> None:
        keys = [key for _, key in options]
        before = self.left.value, self.right.value
        is_models = self.what == MODELS
        self.left.options = [] if is_models else options
        self.right.options = options
        self.left.layout.display = "none" if is_models else ""  # A is this model
        usual = None if is_models else self.sources.usual(self.what, options)
        if is_models:
            self.right.value = before[1] if before[1] in keys else keys[0]
        elif usual is not None:
            has_both = before[0] in keys and before[1] in keys
            self.left.value, self.right.value = before if has_both else usual
        self._draw_controls(is_enough=usual is not None)

    def _draw_controls(self, *, is_enough: bool) -> None:
        is_models = self.what == MODELS
        needs_path = is_models and self.right.value == OTHER_FILE
        self.path.layout.display = "" if needs_path else "none"
        self.start.layout.display = "" if is_models else "none"
        self.start.disabled = self.is_running
        if not is_models and not is_enough:
            self._say(_TOO_FEW[self.what])
            self._forget()
        else:
            self._say("")

    # What a person does

    @traitlets.observe("plan")
    def _plan_changed(self, change: Any) -> None:
        if (change["old"] is None) != (change["new"] is None):
            self.refresh()
        elif (
            any(side == PRESENT for side in self._sides)
            and self.what == PLANS
            and self.view is not None
        ):
            if len(self.view.table.compared.rows) <= _ROWS_AT_ONCE:
                self._compare_chosen()
            else:
                self._say("The present plan has changed since; refresh to compare it as it is.")

    @property
    def _has_present(self) -> bool:
        return any(isinstance(side, str) and side == PRESENT for side in self._sides)

    def _chosen(self, _change: Any) -> None:
        if self._is_drawing:
            return
        if self.what == MODELS:
            self._draw_controls(is_enough=True)
        else:
            self._compare_chosen()

    def _compare_by_hand(self) -> None:
        with self.messages.catching():
            if self.what == MODELS:
                self.start_models(self.right.value or self.path.value)
            else:
                self._compare_chosen()

    def _compare_chosen(self) -> None:
        left, right = self.left.value, self.right.value
        if left is None or right is None or len(self.right.options) < 2:
            return
        with self.messages.catching():
            (self.compare_plans if self.what == PLANS else self.compare_analyses)(left, right)

    def start_models(self, other: Any) -> ModelsRun:
        """`compare_models` in the background, as the button does; ``run.wait()`` waits.

        Raises `ConflictError` while another one is under way.
        """
        if self.is_running:
            raise ConflictError("Two models are being compared. Wait for the end of that.")
        title, session = self.sources.model(other)

        def steps() -> Iterator[ComparedModels]:
            yield ComparedModels(title, None)
            yield ComparedModels(title, compare_models(self.session, session()))

        self._run = BackgroundRun(steps, lambda news: news, self._take, self._end)
        self.is_running, self.start.disabled = True, True
        self._say("reading the weights of both …")
        self._run.start()
        return self._run

    def _take(self, news: ComparedModels) -> None:
        if news.found is not None:
            self._show(MODELS, news.found, self.session.model.path.name, news.title)

    def _end(self, run: ModelsRun) -> None:
        self.is_running, self.start.disabled = False, False
        self._say("")
        if run.error is not None:
            self.messages.show(run.error)

    # What is drawn

    def _show(
        self, what: str, found: Comparison, left: str, right: str, totals: Sequence[Total] = ()
    ) -> None:
        self.found, self._sides = found, ("", "")
        if self.what != what:
            self.what = what  # draws the first choice, which is then replaced
            self.found = found
        if self.view is None:
            self.view = ComparisonView(found, left=left, right=right, totals=totals)
            traitlets.link((self, "selected_layer"), (self.view, "selected"))
            self._place.children = (self.view,)
        else:
            self.view.show(found, left=left, right=right, totals=totals)

    def _reflect(self, left: Any, right: Any) -> None:
        """The lists say what is shown, where they have it."""
        self._is_drawing = True
        try:
            for side, wanted in ((self.left, left), (self.right, right)):
                if wanted in [key for _, key in side.options]:
                    side.value = wanted
        finally:
            self._is_drawing = False
        self._sides = (left, right)

    def _forget(self) -> None:
        self._place.children = ()
        self.view = self.found = None

    def _say(self, words: str) -> None:
        self.status.value = status_html(words) if words else ""


_TOO_FEW = {
    PLANS: "One more plan is needed: keep the present one under Plans, then change it.",
    ANALYSES: "One more analysis is needed: measure the layers first.",
}
