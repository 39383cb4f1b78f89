"""Times of a run by operator: a bar each, with its operations in it; a click selects one.

times = OpTimes()
times.executed = ex.executed        # the last run of an `ExplorerView`
times.selected                      # id of the node that was clicked
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from studio_core.explorer.running import ExecutedRun
from studio_widgets._base import ShortRepr, reject_unknown, settings_of
from studio_widgets.panel_style import PanelStyle

if TYPE_CHECKING:
    from studio_widgets.charts.chart import Chart
    from studio_widgets.figure import Figure


class OpTimes(ShortRepr, ipywidgets.VBox):
    """Draws the times of ``executed``; nothing, and no Plotly, while there is no such run."""

    executed = traitlets.Instance(ExecutedRun, allow_none=True)
    """The run whose times are drawn. Type: ExecutedRun or None. Default: None."""

    selected = traitlets.Unicode()
    """Id of the selected node, "" for none. Type: str. Default: ""."""

    is_shown = traitlets.Bool(False)
    """Whether a person sees it; only then it is drawn. Type: bool. Default: False, True once it
    is displayed by itself."""

    figure: Figure | None = None

    def __init__(self, executed: ExecutedRun | None = None, **settings: Any) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self._drawn: Chart | None = None
        style = PanelStyle("panel")
        self._place = ipywidgets.VBox()
        self._place.layout.width = "100%"
        super().__init__([style, self._place], executed=executed, **settings)
        self.add_class("studio")
        self.observe(lambda _: self._draw(), ["executed", "selected", "is_shown"])
        self._draw()

    @property
    def summary(self) -> str:
        """What is to be seen, in words; "" before something is drawn."""
        return "" if self._drawn is None else self._drawn.summary

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        self.is_shown = True
        return super()._repr_mimebundle_(**kwargs)

    def _draw(self) -> None:
        if not self.is_shown:
            return
        if self.executed is None:
            self._drawn, self._place.children = None, ()
            return
        from studio_widgets.charts.op_times import op_times, times_of_run
        from studio_widgets.figure import Figure

        chart = self._drawn = op_times(times_of_run(self.executed), selected=self.selected)
        if self.figure is None:
            self.figure = Figure(chart.figure, label=chart.label, summary=chart.summary)
            self.figure.on_step(self._step)
        else:
            self.figure.draw(chart.figure, label=chart.label, summary=chart.summary)
        self._place.children = [self.figure]
        traces: tuple[Any, ...] = self.figure.data
        for trace in traces:
            trace.on_click(lambda _trace, points, _state: self._clicked(points.point_inds))

    def _clicked(self, points: list[int]) -> None:
        key = self._drawn.key_at(0, points[0]) if self._drawn is not None and points else ""
        if key:
            self.selected = key

    def _step(self, by: int) -> None:
        key = self._drawn.after(self.selected, by) if self._drawn is not None else ""
        if key:
            self.selected = key
