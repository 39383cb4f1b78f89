"""Charts: one model's layers, curves, areas, trade-off and times, a chart at a time.

    panel = ChartsPanel(lambda: ChartFacts(session.layers, plan, session.loss))
    panel.chart = "treemap"
    panel.selected_layer        # id of the bar, tile or point that a person clicked
    panel.refresh()             # what `ask` answers has changed

Nothing is drawn, and Plotly not imported, before the panel is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from studio_core.plans.constraints import Quantity
from studio_widgets._analysis_panel import status_html
from studio_widgets._base import ShortRepr, reject_unknown, settings_of
from studio_widgets._chart_controls import CHARTS, ChartControls
from studio_widgets._later import Later
from studio_widgets.charts.facts import ChartFacts, LayerQuantity
from studio_widgets.messages import MessageArea
from studio_widgets.panel_style import PanelStyle

if TYPE_CHECKING:
    from studio_core.plans.pareto import ParetoPoint
    from studio_widgets.charts.chart import Chart
    from studio_widgets.figure import Figure

_NUM_POINTS = 40


class ChartsPanel(ShortRepr, ipywidgets.VBox):
    """Draws what ``ask`` answers: the chart that is chosen, once the panel is shown.

    A click on a bar, tile or point selects its layer, as do the arrow keys in the chart; the
    selected layer is marked.
    """

    chart = traitlets.Enum(CHARTS, default_value=CHARTS[0])
    """The chart that is drawn: "bars", "lines", "curves", "treemap", "trade-off" or "time".
    Type: str. Default: "bars"."""

    quantity = traitlets.Enum([str(q) for q in LayerQuantity], default_value="parameters")
    """What bars and areas show, such as "MACs"; areas show what adds up. Type: str.
    Default: "parameters"."""

    selected_layer = traitlets.Unicode()
    """Id of the selected layer, "" for none. Type: str. Default: ""."""

    is_shown = traitlets.Bool(False)
    """Whether a person sees the panel; only then it is drawn. Type: bool. Default: False, True
    once the panel is displayed by itself."""

    figure: Figure | None = None

    def __init__(self, ask: Callable[[], ChartFacts], **settings: Any) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self._ask = ask
        self._drawn: Chart | None = None
        self._is_stale = True
        self._points: tuple[object, str, Mapping[str, float], tuple[ParetoPoint, ...]] | None = None
        self._later = Later(self._draw_if_shown)
        self.controls = ChartControls(self._changed)
        self.messages = MessageArea()
        self._place = ipywidgets.VBox()
        self._place.layout.width = "100%"
        style = PanelStyle("panel", "runs", "charts")
        super().__init__([style, self.controls, self.messages, self._place])
        for name in ("studio", "studio-charts"):
            self.add_class(name)
        traitlets.link((self, "chart"), (self.controls, "chart"))
        traitlets.link((self, "quantity"), (self.controls, "quantity"))
        self.observe(self._shown, "is_shown")
        self.observe(self._select, "selected_layer")
        for name, value in settings.items():
            setattr(self, name, value)

    def refresh(self) -> None:
        """Ask again: draws when the panel is shown, and many calls in a moment as one."""
        self._is_stale = True
        if self.is_shown:
            self._later.ask()

    def draw(self) -> None:
        """Draw at once what `ask` answers, whether the panel is shown or not."""
        self._later.forget()
        self._is_stale = False
        facts = self._ask()
        self.controls.offer(facts)
        self._show(self._chart(facts))

    @property
    def summary(self) -> str:
        """What is to be seen in the chart, in words; "" before one is drawn."""
        return "" if self._drawn is None else self._drawn.summary

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        self.is_shown = True
        return super()._repr_mimebundle_(**kwargs)

    # What is drawn

    def _shown(self, _change: Any) -> None:
        if self.is_shown and self._is_stale:
            self._draw_if_shown()

    def _changed(self) -> None:
        """A control was moved."""
        self._is_stale = True
        if self.is_shown:
            self._draw_if_shown()

    def _draw_if_shown(self) -> None:
        if self.is_shown:
            if self.figure is None:  # Plotly is not yet imported
                self._place.children = [ipywidgets.HTML(status_html("drawing …"))]
            with self.messages.catching():
                self.draw()

    def _chart(self, facts: ChartFacts) -> Chart:
        # Imported here: Plotly takes a second, and a workbench opens without it.
        from studio_widgets.charts import layer_bars, layer_lines, loss_curves, op_times, treemap
        from studio_widgets.charts.chart import nothing

        controls, selected = self.controls, self.selected_layer
        quantity = LayerQuantity(self.quantity)
        if self.chart == "bars":
            order = controls.order.value
            return layer_bars.layer_bars(facts, quantity, order=order, selected=selected)
        if self.chart == "lines":
            return layer_lines.layer_lines(facts, controls.line_quantities)
        if self.chart == "curves":
            if facts.loss is None:
                return nothing("Curves of single layers", "There are no curves yet.")
            log_y = controls.log_y.value
            return loss_curves.loss_curves(facts.loss, selected=selected, log_y=log_y)
        if self.chart == "treemap":
            area = quantity if quantity.adds_up else LayerQuantity.PARAMETERS
            colour = controls.colour_by.value
            return treemap.treemap(facts, area, colour_by=colour, selected=selected)
        if self.chart == "time":
            return op_times.op_times(op_times.times_of_layers(facts), selected=selected)
        return self._trade_off(facts)

    def _trade_off(self, facts: ChartFacts) -> Chart:
        from studio_widgets.charts import trade_off_curve as curve
        from studio_widgets.charts.chart import nothing

        room = facts.room
        if room is None:
            return nothing("Trade-off", "There is no trade-off: nothing says what plans lose.")
        quantity = Quantity(self.controls.against.value)
        locked = {} if facts.plan is None else facts.plan.locked_sparsities()
        points = self._pareto(facts, quantity, locked)
        metric = points[0].loss.metric if points else ""
        plan = facts.plan
        present = None if plan is None else curve.present_point(room, plan, quantity)
        verified = curve.verified_points(facts.verified, quantity, metric)
        log_y = self.controls.log_y.value
        return curve.trade_off_curve(points, present=present, verified=verified, log_y=log_y)

    def _pareto(
        self, facts: ChartFacts, quantity: Quantity, locked: Mapping[str, float]
    ) -> tuple[ParetoPoint, ...]:
        """The best plans; kept, since a slider moves the present plan alone."""
        from studio_core.plan_runs.goal import Goal

        room = facts.room
        assert room is not None
        if self._points is None or self._points[:3] != (room, quantity, locked):
            goal = Goal(minimize=quantity, locked=dict(locked)) if locked else None
            found = tuple(room.pareto(goal, quantity, _NUM_POINTS))
            self._points = (room, quantity, dict(locked), found)
        return self._points[3]

    def _show(self, chart: Chart) -> None:
        from studio_widgets.figure import Figure

        self._drawn = chart
        if self.figure is None:
            self.figure = Figure(chart.figure, label=chart.label, summary=chart.summary)
            self.figure.on_step(self._step)
            self._place.children = [self.figure]
        else:
            self.figure.draw(chart.figure, label=chart.label, summary=chart.summary)
        self._mark()
        traces: tuple[Any, ...] = self.figure.data
        for number, trace in enumerate(traces):
            trace.on_click(lambda _t, points, _s, n=number: self._clicked(n, points.point_inds))

    # What is selected

    def _mark(self) -> None:
        chart, figure = self._drawn, self.figure
        if chart is not None and figure is not None and chart.places is not None:
            figure.place(chart.band(self.selected_layer))

    def _clicked(self, trace: int, points: list[int]) -> None:
        found = self._drawn.key_at(trace, points[0]) if self._drawn is not None and points else ""
        if found:
            self.selected_layer = found

    def _step(self, by: int) -> None:
        found = self._drawn.after(self.selected_layer, by) if self._drawn is not None else ""
        if found:
            self.selected_layer = found

    def _select(self, _change: Any) -> None:
        if self._drawn is not None and self._drawn.places is not None:
            self._mark()  # the data stay where they are
        elif self._drawn is not None and self.chart != "trade-off":
            self.refresh()
