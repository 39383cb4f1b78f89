"""All sensitivity curves of a model in one chart, to explore by pointer or keyboard.

    chart = SensitivityChart(analysis)
    chart.selected_layer        # id of the curve a person clicked
    chart.plan = plan           # a dot on each curve at its planned sparsity
    chart.to_plotly()           # a static figure, for reports

Plotly's own widget would send five megabytes of JavaScript with every chart.
"""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import traitlets

from studio_core.plans.plan import PruningPlan
from studio_core.sensitivity.analysis import Analysis
from studio_widgets._assets import css, esm
from studio_widgets._base import StudioWidget
from studio_widgets._curves import CurveSet, curve_set
from studio_widgets._inputs import analysis_of
from studio_widgets._wire import ChartDocument, compressed, floats, plan_buffer


class SensitivityChart(StudioWidget):
    """The curves of an analysis, hundreds of them, drawn on one canvas.

    Up and Down move between layers by sensitivity, Left and Right between levels; what is
    shown is also said in words beneath the chart. Only known levels are read out, since
    what lies between two levels was not computed.
    """

    _esm = esm("sensitivity_chart")
    _css = css("sensitivity_chart")

    _labels = traitlets.Bytes().tag(sync=True)
    _curves = traitlets.Bytes().tag(sync=True)
    _plan = traitlets.Bytes().tag(sync=True)

    analysis = traitlets.Instance(Analysis)
    """The sensitivities shown, loss or performance. Type: Analysis. Default: given first."""

    plan = traitlets.Instance(PruningPlan, allow_none=True)
    """The plan whose sparsities are marked. Type: PruningPlan or None. Default: None."""

    selected_layer = traitlets.Unicode().tag(sync=True)
    """Id of the selected layer, "" for none. Type: str. Default: ""."""

    log_y = traitlets.Bool(False).tag(sync=True)
    """Draw values on a logarithmic axis. Type: bool. Default: False."""

    height = traitlets.Int(320, min=160).tag(sync=True)
    """Height of the plot, in pixels. Type: int. Default: 320."""

    def __init__(self, analysis: Any, **settings: Any) -> None:
        super().__init__(analysis=analysis_of(analysis), **settings)

    @traitlets.observe("analysis")
    def _send_curves(self, change: Any) -> None:
        curves = curve_set(self.analysis)
        shared = _levels_are_shared(curves)
        errors = curves.standard_errors
        document: ChartDocument = {
            "id": list(curves.ids),
            "name": list(curves.names),
            "num_points": curves.values.shape[1],
            "shared_levels": shared,
            "has_errors": errors is not None,
            "label": curves.label,
        }
        levels = curves.sparsities[:1] if shared else curves.sparsities
        parts = [curves.scores, levels, curves.values]
        with self.hold_sync():
            self._labels = compressed(document)
            self._curves = floats(*parts, *([] if errors is None else [errors]))
            self._send_plan(change)

    @traitlets.observe("plan")
    def _send_plan(self, _change: Any) -> None:
        self._plan = plan_buffer(self.analysis.layer_ids, self.plan)

    def to_plotly(self) -> Any:
        """A static `plotly.graph_objects.Figure` of the chart as it stands.

        Colours and background suit a light page and a dark one. Raises ImportError, with
        the command that helps, where plotly is not installed.
        """
        try:
            import plotly.graph_objects as go
        except ImportError as error:
            raise ImportError("to_plotly needs plotly: pip install plotly") from error
        return _figure(go, curve_set(self.analysis), self.selected_layer, log_y=self.log_y)


def _levels_are_shared(curves: CurveSet) -> bool:
    levels = curves.sparsities
    return len(levels) > 0 and bool((levels == levels[:1]).all())


def _bars(curves: CurveSet, row: int) -> dict[str, Any] | None:
    """One standard error to either side; None where there are none."""
    errors = curves.standard_errors
    if errors is None:
        return None
    return {"type": "data", "array": errors[row], "thickness": 1, "width": 0}


def _figure(go: Any, curves: CurveSet, selected: str, *, log_y: bool) -> Any:
    grey, grid = "rgba(128,128,128,0.55)", "rgba(128,128,128,0.25)"
    figure = go.Figure()
    order = np.argsort(np.nan_to_num(curves.scores, nan=-1.0))
    for i in order:
        chosen = curves.ids[i] == selected
        figure.add_trace(
            go.Scatter(
                x=curves.sparsities[i],
                y=curves.values[i],
                name=html.escape(curves.names[i]),  # plotly reads tags in a name
                mode="lines+markers" if chosen else "lines",
                line={"color": "#d0701c" if chosen else grey, "width": 3 if chosen else 1},
                error_y=_bars(curves, int(i)),
                hoverinfo="name+x+y",
                hoverlabel={"namelength": -1},
                showlegend=chosen,
            )
        )
    axis = {"gridcolor": grid, "zerolinecolor": grid}
    figure.update_layout(
        template="none",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": "#808080"},  # readable on white and on black
        margin={"l": 60, "r": 20, "t": 40, "b": 50},
        title={"text": html.escape(curves.label), "font": {"size": 14}},
        xaxis={**axis, "title": {"text": "sparsity of the layer"}, "range": [0, 1]},
        yaxis={**axis, "type": "log" if log_y else "linear"},
    )
    return figure
