"""The controls of the charts: which one, of what, and how; only those that matter are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets
import traitlets

from studio_core.plans import PruningPlan
from studio_core.plans.constraints import Quantity
from studio_widgets.charts.facts import ChartFacts, LayerQuantity

CHARTS = ("bars", "lines", "curves", "treemap", "trade-off", "time")
_TITLES = {
    "bars": "Bars by layer",
    "lines": "Lines over depth",
    "curves": "Curves with errors",
    "treemap": "Treemap",
    "trade-off": "Trade-off",
    "time": "Time by operator",
}
_AGAINST = {
    "sparsity": Quantity.SPARSITY,
    "bytes": Quantity.BYTES,
    "MACs": Quantity.FLOPS,
}
_FIRST_LINES = (LayerQuantity.SENSITIVITY, LayerQuantity.SPARSITY, LayerQuantity.PARAMETERS)


class ChartControls(ipywidgets.VBox):
    """``on_change`` is called when something else is to be drawn."""

    chart = traitlets.Enum(CHARTS, default_value=CHARTS[0])
    quantity = traitlets.Enum([str(q) for q in LayerQuantity], default_value="parameters")

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._is_offering = False
        self.charts = ipywidgets.ToggleButtons(options=[(_TITLES[c], c) for c in CHARTS])
        self.charts.style.button_width = "auto"
        self.charts.add_class("studio-chart-choice")
        self.quantities = ipywidgets.Dropdown(options=list(LayerQuantity), description="Of")
        self.order = ipywidgets.Dropdown(
            options=["model order", "largest first"], description="Order"
        )
        self.colour_by = ipywidgets.Dropdown(
            options=["sensitivity", "operator"], description="Colour"
        )
        self.log_y = ipywidgets.Checkbox(description="log scale", indent=False)
        self.against = ipywidgets.Dropdown(
            description="Loss against", options=list(_AGAINST.items())
        )
        self.lines = {q: _line_button(q) for q in LayerQuantity}
        line = ipywidgets.HBox(
            [self.quantities, self.order, self.colour_by, self.against, self.log_y]
        )
        line.add_class("studio-run-controls")
        self.line_row = ipywidgets.HBox(list(self.lines.values()))
        self.line_row.add_class("studio-line-choice")
        super().__init__([self.charts, line, self.line_row])
        traitlets.link((self, "chart"), (self.charts, "value"))
        traitlets.link((self, "quantity"), (self.quantities, "value"))
        watched = (self.charts, self.quantities, self.order, self.colour_by, self.log_y,
                   self.against, *self.lines.values())  # fmt: skip
        for control in watched:
            control.observe(self._changed, "value")
        self._show_what_matters()

    @property
    def line_quantities(self) -> list[LayerQuantity]:
        """The quantities whose lines are wanted."""
        return [quantity for quantity, button in self.lines.items() if button.value]

    def offer(self, facts: ChartFacts) -> None:
        """Offer what is known: no choice leads to an empty chart, but one made stays."""
        self._is_offering = True
        try:
            known = facts.known()
            if facts.loss is None:
                self.colour_by.value = "operator"
            for quantity, button in self.lines.items():
                button.disabled = quantity not in known
            against = dict(_AGAINST)
            if _has_times(facts):
                against["time"] = Quantity.LATENCY
            if list(against.items()) != list(self.against.options):
                chosen = self.against.value
                self.against.options = list(against.items())
                if chosen in against.values():
                    self.against.value = chosen
        finally:
            self._is_offering = False

    def _changed(self, change: Any) -> None:
        if self._is_offering:
            return
        if change["owner"] is self.charts:
            self._show_what_matters()
        self._on_change()

    def _show_what_matters(self) -> None:
        shown = {
            "bars": (self.quantities, self.order),
            "lines": (self.line_row,),
            "curves": (self.log_y,),
            "treemap": (self.quantities, self.colour_by),
            "trade-off": (self.against, self.log_y),
            "time": (),
        }[self.chart]
        for control in (self.quantities, self.order, self.colour_by, self.log_y, self.against,
                        self.line_row):  # fmt: skip
            control.layout.display = "" if control in shown else "none"


def _line_button(quantity: LayerQuantity) -> ipywidgets.ToggleButton:
    button = ipywidgets.ToggleButton(description=str(quantity), value=quantity in _FIRST_LINES)
    button.layout.width = "auto"
    button.tooltip = f"Draw the line of {quantity}"
    return button


def _has_times(facts: ChartFacts) -> bool:
    """Whether a plan's time can be told."""
    if facts.room is None or facts.perf is None:
        return False
    planner = facts.room.solver.planner
    return planner.predict_latency(PruningPlan({})).value_ms is not None
