"""Goal: the best plan under a limit, found exactly, with the reason for each layer.

panel.goal.value = "max_loss"; panel.limit.value = 0.1
panel.solve()
panel.solution.reasons
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
import traitlets

from studio_core.layers import Layer
from studio_core.plans import PruningPlan
from studio_core.plans.constraints import Constraints, Limits, Quantity
from studio_core.plans.solver import Solution, Solver
from studio_widgets import _format
from studio_widgets._assets import css
from studio_widgets._base import ShortRepr, reject_unknown, settings_of
from studio_widgets.messages import MessageArea

_LIMITS = {
    "max_loss": ("sparsest plan that loses at most", Quantity.SPARSITY, 0.1),
    "min_sparsity": ("least loss at a sparsity of at least", Quantity.LOSS, 0.5),
    "max_bytes_share": ("least loss at a share of the bytes of at most", Quantity.LOSS, 0.5),
    "max_flops_share": ("least loss at a share of the MACs of at most", Quantity.LOSS, 0.5),
}


class GoalPanel(ShortRepr, ipywidgets.VBox):
    """Solves for the best plan. ``ask`` answers the solver and the locked sparsities;
    ``on_plan`` hears of the plan that was found.
    """

    solution = traitlets.Instance(Solution, allow_none=True)
    """What was found last. Type: Solution or None. Default: None."""

    def __init__(
        self,
        layers: tuple[Layer, ...],
        ask: Callable[[], tuple[Solver, Mapping[str, float]]],
        on_plan: Callable[[PruningPlan], None],
        **settings: Any,
    ) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self._names = {layer.id: layer.name for layer in layers}
        self._ask, self._on_plan = ask, on_plan
        self.goal = ipywidgets.Dropdown(
            description="Find the", options=[(words, key) for key, (words, _, _) in _LIMITS.items()]
        )
        self.limit = ipywidgets.FloatText(value=0.1, step=0.05, tooltip="The limit")
        self.start = ipywidgets.Button(
            description="Solve", icon="crosshairs", tooltip="Locked layers keep their sparsity"
        )
        self.start.layout.width = "auto"
        self.start.add_class("studio-primary")
        self.goal.observe(self._pick_goal, "value")
        self.start.on_click(lambda _: self._solve_by_hand())
        self.messages = MessageArea()
        self.result = ipywidgets.HTML()
        style = ipywidgets.HTML(f"<style>{css('panel')}{css('runs')}</style>")
        style.layout.display = "none"
        line = ipywidgets.HBox([self.goal, self.limit, self.start])
        line.add_class("studio-run-controls")
        super().__init__([style, line, self.messages, self.result], **settings)
        self.add_class("studio")
        self.add_class("studio-goal")

    def solve(self) -> Solution:
        """Find the plan and hand it on; raises `InfeasibleError` with what can be reached."""
        solver, locked = self._ask()
        key = self.goal.value
        constraints = Constraints(**{key: float(self.limit.value)})
        found = solver.solve(_LIMITS[key][1], constraints, Limits(locked=locked))
        self.solution = found
        self.result.value = _solution_html(found, self._names)
        self._on_plan(found.plan)
        return found

    def _solve_by_hand(self) -> None:
        with self.messages.catching():
            self.solve()

    def _pick_goal(self, _change: Any) -> None:
        self.limit.value = _LIMITS[self.goal.value][2]


def _solution_html(found: Solution, names: Mapping[str, str]) -> str:
    loss = _format.value(found.loss.value, found.loss.standard_error)
    proof = "proven best" if found.is_optimal else f"within {_format.percent(found.gap)} of best"
    head = (
        f"sparsity {_format.fraction(found.estimate.sparsity)} · predicted loss "
        f"({found.loss.metric}) {loss} · {proof} of all choices of known levels"
    )
    rows = "".join(
        f'<tr title="{html.escape(reason.text)}">'
        f'<th scope="row">{html.escape(names.get(reason.layer_id, reason.layer_id))}</th>'
        f"<td>{_format.fraction(reason.sparsity)}</td><td>{html.escape(reason.text)}</td></tr>"
        for reason in found.reasons
    )
    return (
        f'<div title="{html.escape(found.loss.statement)}">{html.escape(head)}</div>'
        f'<div class="studio-reasons"><table class="studio-verified">{rows}</table></div>'
    )
