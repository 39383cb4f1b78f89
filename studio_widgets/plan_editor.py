"""Sliders that make a pruning plan: its average, its balance, single layers and locks.

    editor = PlanEditor(planner)
    editor.plan                 # the plan as the sliders stand
    print(editor.code())        # the Python that repeats it

Every move of a slider asks the planner once. What the program draws afterwards is never
taken for a move: `LayerRow` and `_drawing` see to that.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import ipywidgets
import traitlets

from studio_core.errors import InfeasibleError, StudioError
from studio_core.layers.layer import Layer
from studio_core.plans.latency import PredictedLatency
from studio_core.plans.plan import PlanEstimate, PruningPlan
from studio_core.plans.prediction import PredictedLoss
from studio_widgets._base import ShortRepr, reject_unknown, settings_of
from studio_widgets._code import PlanRequest, plan_code
from studio_widgets._estimates import estimate_html
from studio_widgets._inputs import planner_of
from studio_widgets._plan_rows import LayerPages, LayerRow, fraction_slider, is_move, shown
from studio_widgets.copy_button import CopyButton
from studio_widgets.messages import MessageArea
from studio_widgets.panel_style import PanelStyle

Predict = Callable[[PruningPlan], PredictedLoss]

_PLAN_IMPORT = ["from studio_core.plans import PruningPlan", ""]

DEFAULT_TARGET = 0.5
DEFAULT_BALANCE = 1.0
DEFAULT_LIMIT = 0.95


class PlanEditor(ShortRepr, ipywidgets.VBox):
    """Sliders for a pruning plan, with live estimates of what it brings.

    ``planner`` is a `Planner`, an opened model or the path of one. A layer that is moved
    by hand is locked at its value, and the others make up for it.
    """

    plan = traitlets.Instance(PruningPlan, allow_none=True)
    """The plan as the sliders stand. Type: PruningPlan. Default: average sparsity 0.5."""

    estimate = traitlets.Instance(PlanEstimate, allow_none=True)
    """What the plan brings; follows it. Type: PlanEstimate. Default: that of the plan."""

    selected_layer = traitlets.Unicode()
    """Id of the layer with the slider of its own, "" for none. Type: str. Default: ""."""

    def __init__(
        self,
        planner: Any,
        plan: PruningPlan | None = None,
        *,
        make_code: Callable[[], str] | None = None,
        **settings: Any,
    ) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self.planner = planner_of(planner)
        self._predict: Predict | None = None
        self._stay_dense: dict[str, float] = {}
        self._prunable: dict[str, Layer] = {x.id: x for x in self.planner.prunable_layers}
        self._is_drawing = False
        self._request: PlanRequest | None = None
        self._make_parts(make_code or self.code)
        super().__init__(self._parts(), **settings)
        self.add_class("studio")
        self.add_class("studio-plan-editor")
        if plan is None:
            self.reset()
        else:
            self.plan = plan
        self._select({})

    def _make_parts(self, make_code: Callable[[], str]) -> None:
        self.target = fraction_slider("Average sparsity", maximum=0.95)
        self.balance = fraction_slider("Balance", maximum=1.0)
        self.balance.tooltip = "0: save the most work; 1: lose the least"
        self.limit = fraction_slider("Limit of a layer", maximum=1.0)
        self.limit.tooltip = "The largest sparsity a layer may get"
        for slider in (self.target, self.balance, self.limit):
            slider.observe(self._moved, "value")
        self.estimates = ipywidgets.HTML()
        self.messages = MessageArea()
        self.chosen_title = ipywidgets.HTML()
        self.chosen = LayerRow(self._set_layer, self._set_lock)
        self.pages = LayerPages(tuple(self._prunable.values()), self._set_layer, self._set_lock)
        self.reset_button = ipywidgets.Button(
            description="Reset", icon="undo", tooltip="Unlock all layers and start again"
        )
        self.reset_button.layout.width = "auto"
        self.reset_button.add_class("studio-reset")
        self.reset_button.on_click(lambda _: self.reset())
        self.copy_button = CopyButton(make_code)

    def _parts(self) -> list[Any]:
        style = PanelStyle("panel")
        ends = ipywidgets.HTML(
            '<div class="studio-ends"><span>saves work</span><span>keeps quality</span></div>'
        )
        sliders = _section("Plan", self.target, self.balance, ends, self.limit)
        return [
            style,
            ipywidgets.VBox([self.reset_button, sliders]),
            self.messages,
            self.estimates,
            _section("Selected layer", self.chosen_title, self.chosen),
            _section("All prunable layers", self.pages),
            self.copy_button,
        ]

    def reset(self) -> None:
        """Unlock every layer and return to the sliders' first values."""
        with self._drawing():
            self.target.value = DEFAULT_TARGET
            self.balance.value = DEFAULT_BALANCE
            self.limit.value = DEFAULT_LIMIT
        self._distribute({})

    def plan_by(
        self, planner: Any, predict: Predict | None = None, stay_dense: Iterable[str] = ()
    ) -> None:
        """Ask another planner for the same; ``predict`` tells the loss of a plan.

        Layers that ``stay_dense`` cannot be pruned in the way of this planner. A plan that
        was set by hand stays as it is.
        """
        self.planner, self._predict = planner_of(planner), predict
        former, self._stay_dense = self._stay_dense, dict.fromkeys(stay_dense, 0.0)
        locked = {} if self._request is None else self._request.locked
        locked = {i: s for i, s in locked.items() if i not in former}
        if self._request is None or not self._distribute(locked):
            self._draw_estimate()

    def predict_by(self, predict: Predict | None) -> None:
        """Tell the loss of the plan by another prediction; the plan stays."""
        self._predict = predict
        self._draw_estimate()

    def code(self) -> str:
        """The Python that makes this plan, where ``planner`` is the planner."""
        return "\n".join([*self.imports(), f"plan = {self.expression('planner')}"])

    def imports(self) -> list[str]:
        """What `expression` needs to be imported, followed by an empty line."""
        by_hand = self._request is None and self.plan is not None
        return _PLAN_IMPORT if by_hand else []

    def expression(self, planner: str) -> str:
        """The Python expression of this plan; ``planner`` is the planner's name there."""
        if self._request is not None:
            return self._request.code(planner)
        return "None" if self.plan is None else plan_code(self.plan)

    def literal(self) -> str:
        """The Python expression of this plan as it stands, whatever planner there is."""
        return "None" if self.plan is None else plan_code(self.plan)

    def literal_imports(self) -> list[str]:
        """What `literal` needs to be imported, followed by an empty line."""
        return [] if self.plan is None else _PLAN_IMPORT

    # What a person does

    def _moved(self, change: Any) -> None:
        if not self._is_drawing and is_move(change):
            self._distribute(self.plan.locked_sparsities() if self.plan else {})

    def _set_layer(self, layer_id: str, sparsity: float) -> None:
        self.selected_layer = layer_id
        if self.plan is not None:
            self._keep_or_distribute(self.plan.with_layer(layer_id, sparsity))

    def _set_lock(self, layer_id: str, is_locked: bool) -> None:
        self.selected_layer = layer_id
        if self.plan is None:
            return
        if is_locked:
            sparsity = self.plan.sparsities.get(layer_id, 0.0)
            self._keep_or_distribute(self.plan.with_layer(layer_id, sparsity))
            return
        # Layers that share a weight are locked together, so they are unlocked together.
        freed = {layer_id, *self._prunable[layer_id].shared_with}
        locked = self.plan.locked_sparsities()
        self._distribute({i: s for i, s in locked.items() if i not in freed})

    def _keep_or_distribute(self, by_hand: PruningPlan) -> None:
        """Let the others make up for a layer set by hand; if they cannot, it stands alone."""
        if not self._distribute(by_hand.locked_sparsities()):
            self._request = None
            self._take(by_hand)

    def _distribute(self, locked: dict[str, float]) -> bool:
        request = PlanRequest(
            target=shown(self.target.value),
            balance=shown(self.balance.value),
            max_sparsity=shown(self.limit.value),
            locked={**locked, **self._stay_dense},
        )
        try:
            plan = request.made_by(self.planner)
        except InfeasibleError as error:
            self.messages.show(error)
            return False
        self.messages.clear()
        self._request = request
        self._take(plan)
        return True

    def _take(self, plan: PruningPlan) -> None:
        with self._drawing():
            self.plan = plan

    # What is drawn

    @traitlets.observe("plan")
    def _draw_plan(self, _change: Any) -> None:
        if not self._is_drawing:  # given from outside: the sliders follow it
            self._request = self._request_of(self.plan)
            self.messages.clear()
            with self._drawing():
                self._show_targets()
        self._draw_estimate()
        self.pages.show_plan(self.plan)
        self._draw_chosen()

    def _draw_estimate(self) -> None:
        self.estimate = self.planner.estimate(self.plan) if self.plan else None
        predicted = self._predict(self.plan) if self._predict and self.plan else None
        self.estimates.value = estimate_html(self.estimate, predicted, self._latency())

    def _latency(self) -> PredictedLatency | None:
        predict = getattr(self.planner, "predict_latency", None)
        return predict(self.plan) if predict is not None and self.plan is not None else None

    def _request_of(self, plan: PruningPlan | None) -> PlanRequest | None:
        """What to ask of the planner for ``plan``; None if it answers with another plan."""
        if plan is None or plan.target is None or plan.balance is None:
            return None
        for limit in (shown(self.limit.value), DEFAULT_LIMIT):
            locked = plan.locked_sparsities()
            request = PlanRequest(plan.target, plan.balance, limit, locked)
            with suppress(StudioError):
                if request.made_by(self.planner) == plan:
                    return request
        return None

    def _show_targets(self) -> None:
        if self.plan is not None and self.plan.target is not None:
            self.target.value = shown(self.plan.target)
        if self.plan is not None and self.plan.balance is not None:
            self.balance.value = shown(self.plan.balance)

    @traitlets.observe("selected_layer")
    def _select(self, _change: Any) -> None:
        self.pages.select(self.selected_layer)
        self._draw_chosen()

    def _draw_chosen(self) -> None:
        layer = self._prunable.get(self.selected_layer)
        self.chosen.layout.display = "none" if layer is None else ""
        if layer is not None:
            self.chosen.draw(layer, self.plan)
        self.chosen_title.value = self._chosen_html(layer)

    def _chosen_html(self, layer: Layer | None) -> str:
        if layer is not None:
            words = f"{layer.op_type}, {layer.status.label}. {layer.reason}"
        elif self.selected_layer:
            words = "This layer cannot be pruned; the table says why."
        else:
            words = "None. Select one in the table, the chart or below."
        return f'<div class="studio-hint">{html.escape(words)}</div>'

    @contextmanager
    def _drawing(self) -> Iterator[None]:
        before, self._is_drawing = self._is_drawing, True
        try:
            yield
        finally:
            self._is_drawing = before


def _section(title: str, *parts: Any) -> ipywidgets.VBox:
    heading = ipywidgets.HTML(f'<div class="studio-section-title">{html.escape(title)}</div>')
    section = ipywidgets.VBox([heading, *parts])
    section.add_class("studio-section")
    return section
