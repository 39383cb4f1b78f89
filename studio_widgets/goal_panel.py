"""Goal: the best plan under a limit, found exactly, with the reason for each layer.

panel.goal.value = "max_loss"; panel.limit.value = 0.1
panel.solve()
panel.solution.reasons
panel.trade_off()           # the best plan for every sparsity; a click takes one
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import ipywidgets
import traitlets

from studio_core.layers import Layer
from studio_core.plan_runs.goal import Goal
from studio_core.plan_runs.solving import PlanRoom
from studio_core.plans import PruningPlan
from studio_core.plans.constraints import Constraints, Quantity
from studio_core.plans.pareto import ParetoPoint
from studio_core.plans.solver import Solution
from studio_widgets import _format
from studio_widgets._base import ShortRepr, reject_unknown, settings_of
from studio_widgets._performance import time_text
from studio_widgets.messages import MessageArea
from studio_widgets.panel_style import PanelStyle
from studio_widgets.trade_off import TradeOff

NUM_POINTS = 24


@dataclass(frozen=True)
class _Limit:
    words: str
    objective: Quantity
    first: float


_LIMITS = {
    "max_loss": _Limit("sparsest plan that loses at most", Quantity.SPARSITY, 0.1),
    "min_sparsity": _Limit("least loss at a sparsity of at least", Quantity.LOSS, 0.5),
    "max_bytes_share": _Limit("least loss at a share of the bytes of at most", Quantity.LOSS, 0.5),
    "max_flops_share": _Limit("least loss at a share of the MACs of at most", Quantity.LOSS, 0.5),
}
_TIMED_LIMITS = {
    "max_latency_share": _Limit("least loss at a share of the time of at most", Quantity.LOSS, 0.8),
    "max_latency_ms": _Limit("least loss in a time, in ms, of at most", Quantity.LOSS, 1.0),
}
_QUANTITIES = {
    "sparsity": Quantity.SPARSITY,
    "bytes": Quantity.BYTES,
    "MACs": Quantity.FLOPS,
}

Ask = Callable[[], tuple[PlanRoom, Mapping[str, float]]]


class GoalPanel(ShortRepr, ipywidgets.VBox):
    """Solves for the best plan. ``ask`` answers what plans are made with and the locked
    sparsities; ``on_plan`` hears of the plan that was found.
    """

    solution = traitlets.Instance(Solution, allow_none=True)
    """What was found last. Type: Solution or None. Default: None."""

    dense_ms = traitlets.Float(None, allow_none=True)
    """Time of a run before pruning; with it limits on time are offered. Type: float or None.
    Default: None."""

    def __init__(
        self,
        layers: tuple[Layer, ...],
        ask: Ask,
        on_plan: Callable[[PruningPlan], None],
        **settings: Any,
    ) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self._names = {layer.id: layer.name for layer in layers}
        self._ask, self._on_plan = ask, on_plan
        self._make_parts()
        style = PanelStyle("panel", "runs")
        line = ipywidgets.HBox([self.goal, self.limit, self.start])
        more = ipywidgets.HBox([self.quantity, self.draw])
        for box in (line, more):
            box.add_class("studio-run-controls")
        parts = [style, line, self.messages, self.result, more, self.chart]
        super().__init__(parts, **settings)
        self.add_class("studio")
        self.add_class("studio-goal")

    def _make_parts(self) -> None:
        self.goal = ipywidgets.Dropdown(description="Find the", options=_options(_LIMITS))
        self.limit = ipywidgets.FloatText(value=0.1, step=0.05, description="Limit")
        self.start = ipywidgets.Button(
            description="Solve", icon="crosshairs", tooltip="Locked layers keep their sparsity"
        )
        self.quantity = ipywidgets.Dropdown(
            description="Trade-off of loss against", options=list(_QUANTITIES.items())
        )
        self.draw = ipywidgets.Button(
            description="Draw", icon="line-chart", tooltip="The best plan for each value"
        )
        for button in (self.start, self.draw):
            button.layout.width = "auto"
        self.start.add_class("studio-primary")
        self.goal.observe(self._pick_goal, "value")
        self.start.on_click(lambda _: self._solve_by_hand())
        self.draw.on_click(lambda _: self._draw_by_hand())
        self.messages = MessageArea()
        self.result = ipywidgets.HTML()
        self.chart = TradeOff(lambda point: self._on_plan(point.plan))

    def solve(self) -> Solution:
        """Find the plan and hand it on; raises `InfeasibleError` with what can be reached."""
        room, locked = self._ask()
        key = self.goal.value
        limit = (_LIMITS | _TIMED_LIMITS)[key]
        constraints = Constraints(**{key: float(self.limit.value)})
        goal = Goal(minimize=limit.objective, constraints=constraints, locked=dict(locked))
        solved = room.solve(goal)
        found = solved.solution
        assert found is not None  # a bound is given, so it was solved for
        self.solution = found
        self.result.value = _solution_html(found, self._names, solved.notes)
        self._on_plan(solved.plan)
        return found

    def trade_off(self, quantity: Quantity | str | None = None) -> tuple[ParetoPoint, ...]:
        """Draw the best plans from the least loss to the least ``quantity``, and return them."""
        room, locked = self._ask()
        wanted = Quantity(quantity or self.quantity.value)
        # A bound that binds nothing makes it a goal, so that locks are kept.
        goal = Goal(minimize=wanted, locked=dict(locked)) if locked else None
        self.chart.points = tuple(room.pareto(goal, wanted, NUM_POINTS))
        return tuple(self.chart.points)

    def forget(self) -> None:
        """Clear what was found with other curves."""
        self.chart.points = ()

    @traitlets.observe("dense_ms")
    def _offer_times(self, change: Any) -> None:
        if (change["old"] is None) == (change["new"] is None):
            return
        has_times = self.dense_ms is not None
        self.goal.options = _options(_LIMITS | (_TIMED_LIMITS if has_times else {}))
        latency = {"time": Quantity.LATENCY} if has_times else {}
        self.quantity.options = list((_QUANTITIES | latency).items())

    def _solve_by_hand(self) -> None:
        with self.messages.catching():
            self.solve()

    def _draw_by_hand(self) -> None:
        with self.messages.catching():
            self.trade_off()

    def _pick_goal(self, _change: Any) -> None:
        if self.goal.value == "max_latency_ms" and self.dense_ms is not None:
            self.limit.value = float(f"{0.8 * self.dense_ms:.3g}")
        elif self.goal.value is not None:
            self.limit.value = (_LIMITS | _TIMED_LIMITS)[self.goal.value].first


def _options(limits: Mapping[str, _Limit]) -> list[tuple[str, str]]:
    return [(limit.words, key) for key, limit in limits.items()]


def _solution_html(found: Solution, names: Mapping[str, str], notes: tuple[str, ...]) -> str:
    loss = _format.value(found.loss.value, found.loss.standard_error)
    proof = "proven best" if found.is_optimal else f"within {_format.percent(found.gap)} of best"
    latency = ""
    if found.latency.value_ms is not None:
        latency = f"{time_text(found.latency.value_ms)} of {time_text(found.latency.dense_ms)} · "
    head = (
        f"sparsity {_format.fraction(found.estimate.sparsity)} · predicted loss "
        f"({found.loss.metric}) {loss} · {latency}{proof} of all choices of known levels"
    )
    rows = "".join(
        f'<tr title="{html.escape(reason.text)}">'
        f'<th scope="row">{html.escape(names.get(reason.layer_id, reason.layer_id))}</th>'
        f"<td>{_format.fraction(reason.sparsity)}</td><td>{html.escape(reason.text)}</td></tr>"
        for reason in found.reasons
    )
    remarks = "".join(f'<p class="studio-note">{html.escape(note)}</p>' for note in notes)
    return (
        f'<div title="{html.escape(found.loss.statement)}">{html.escape(head)}</div>'
        f'<div class="studio-reasons"><table class="studio-verified">{rows}</table></div>{remarks}'
    )
